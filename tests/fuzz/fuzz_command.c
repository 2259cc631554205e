/* A command behind its byte: dumps, and a replica that registers. What is taken lies within what came. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mysqlwire/command.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void look(const struct command_dump *d, const unsigned char *data, size_t size)
{
    check(strlen(d->file) <= COMMAND_BINLOG_NAME_MAX);
    check(d->gtid_set >= data && d->gtid_set + d->gtid_set_len <= data + size);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct command_dump d;
    struct command_replica r;
    if (command_parse_dump(data, size, &d) == 0)
        look(&d, data, size);
    if (command_parse_dump_gtid(data, size, &d) == 0)
        look(&d, data, size);
    if (command_parse_register(data, size, &r) == 0)
        check(strlen(r.host) < sizeof r.host && strlen(r.user) < sizeof r.user);
    return 0;
}
