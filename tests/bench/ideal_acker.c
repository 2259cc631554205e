/*
 * The ideal acknowledger: reads a semi-sync dump from the primary's current end and acknowledges each flagged event at once. It stores
 * nothing, so its figures are what no durable acknowledger can beat. Runs until it is killed or the primary goes.
 *
 *   ideal_acker PORT USER PASSWORD [FILE POS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "raw_replica.h"

static int run(struct raw_replica *r, const char *from_file, uint64_t from_pos)
{
    char file[BINLOG_NAME_MAX + 1];
    uint64_t pos = from_pos;
    int ret = 0;
    if (from_file)
        (void)snprintf(file, sizeof file, "%s", from_file);
    else
        ret = raw_primary_end(r, file, &pos);
    if (ret == 0)
        ret = raw_dump(r, file, pos);
    struct raw_event ev;
    for (bool told = false; ret == 0 && (ret = raw_next(r, &ev)) == 0;) {
        if (ev.ack_wanted)
            ret = raw_ack(r, ev.file, ev.end);
        if (!told && !raw_has_header(r)) {
            (void)fprintf(stderr, "ideal_acker: the primary sends no semi-sync header\n");
            return 1;
        }
        if (!told)
            (void)printf("ready\n");
        (void)fflush(stdout);
        told = true;
    }
    (void)fprintf(stderr, "ideal_acker: %s\n", raw_error_text(r));
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 6) {
        (void)fprintf(stderr, "usage: ideal_acker PORT USER PASSWORD [FILE POS]\n");
        return 2;
    }
    struct raw_options opt = {.port = (unsigned)strtoul(argv[1], NULL, 10),
                              .user = argv[2],
                              .password = argv[3],
                              .server_id = 9001,
                              .uuid = "1dea1000-0000-4000-8000-000000000001",
                              .heartbeat_ms = 1000,
                              .semi_sync = true,
                              .timeout_ms = 30000};
    struct lt_err err = {0};
    struct raw_replica *r = raw_open(&opt, &err);
    if (!r) {
        (void)fprintf(stderr, "ideal_acker: %s\n", err.text);
        return 1;
    }
    int status = run(r, argc == 6 ? argv[4] : NULL, argc == 6 ? strtoull(argv[5], NULL, 10) : 0);
    raw_close(r);
    return status;
}
