/*
 * Writer threads that insert rows and remember each id for which the client was told OK: what a log-tailer must then have.
 * They do not judge anything; binlogs_missing_ids does.
 *
 * Layer: tests/support. Thread: main calls; the writers are threads of their own.
 * The rows: table t.w (id BIGINT PRIMARY KEY, payload, h). The payload starts with the text "id=<n>;", which stands as it is in a row
 *   event (not when transactions are compressed), h is its CRC32, as SQL's CRC32() computes it.
 * Errors: a lost connection is made again until writers_stop; the id in flight then counts as unknown, not as OK.
 * Units: milliseconds, bytes.
 */
#ifndef LT_SUPPORT_WRITERS_H
#define LT_SUPPORT_WRITERS_H

#include "server.h"

#include <stddef.h>
#include <stdint.h>

struct writers;

struct writers_options {
    const struct server *server;
    unsigned threads;       /* 0: 1 */
    unsigned payload_bytes; /* 0: 100 */
    unsigned pause_ms;      /* between two rows of one thread */
    unsigned large_every;   /* not 0: each so manieth id has a payload of large_bytes */
    unsigned large_bytes;
    unsigned
        lying_every;   /* not 0: each so manieth id is written under a false time (SET timestamp), from 1970 to 2038 */
    uint64_t first_id; /* 0: 1 */
    const char *session; /* a statement for each new connection; NULL: none */
};

/* Creates t.w when it is not there (that commit waits for an ACK like every other) and starts the threads. */
struct writers *writers_start(const struct writers_options *opt);
/* Stop and join. A commit that still waits after grace_ms is abandoned by closing its connection. */
void writers_stop(struct writers *wr, unsigned grace_ms);
/* Stops first when that was not done. NULL is fine. */
void writers_free(struct writers *wr);

/* Every id below this was given to a writer; none from it on. */
uint64_t writers_next_id(struct writers *wr);
/* The ids with an OK so far, in ascending order. The caller frees. */
uint64_t *writers_oked(struct writers *wr, size_t *ret_n);
size_t writers_oked_count(struct writers *wr);
/* Wait until so many are OK; false on time-out. */
bool writers_wait_oked(struct writers *wr, size_t count, unsigned timeout_ms);
/* The longest time one INSERT took, those that are in flight included. */
uint64_t writers_max_latency_ms(struct writers *wr);
/* How often a statement failed or a connection was lost. */
size_t writers_errors(struct writers *wr);

#endif
