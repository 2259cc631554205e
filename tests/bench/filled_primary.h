/*
 * A primary with something in its binlogs to be read, quickly filled.
 * Layer: tests/bench. Thread: one. Owns: the server. Errors: end the program (proc_die).
 */
#ifndef LT_BENCH_FILLED_PRIMARY_H
#define LT_BENCH_FILLED_PRIMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"
#include "sql.h"

struct filled_load {
    const char *name;
    unsigned large_rows; /* of 1 MB */
    unsigned small_txns;
};

struct filled {
    enum server_flavor flavor;
    struct server *primary;
    struct sql *root;
    char *first; /* binlog file */
    char *last;
    uint64_t last_size;
    double bytes; /* of all of them */
};

/* flavor is set, all else empty. */
void filled_start(struct filled *b, const struct filled_load *load);
void filled_stop(struct filled *b);
/* All of it by mysqlbinlog --raw of that flavour, from whoever listens there, into the folder; milliseconds. plain: no TLS, whatever is offered. */
uint64_t filled_download(const struct filled *b, unsigned port, bool plain, const char *dir);

#endif
