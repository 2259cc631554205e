/*
 * A MySQL source that does not send what it has, because of gtid_mode: in ON it sends no transaction without a GTID, in OFF none with one (error 1236), also
 * where all of them are held here and only the last one is asked for again, so that its bytes can be compared.
 *
 * - The check looks at the event that begins a transaction. Where that one is held, the next dump begins right behind it: the rest of the transaction comes and is
 *   compared, then whatever follows. The mode changes with a new file, or at a start, which is a new file as well: its list of GTIDs must be exactly
 *   what is held, or nothing is proved.
 * - What is not held cannot be had in this mode. That is told with its place; nothing is passed over.
 * - An empty store that may begin anywhere begins with the oldest file whose first transaction the source sends.
 *
 * Layer: ingest. Thread: ingest.
 */
#ifndef LT_INGEST_OTHER_MODE_H
#define LT_INGEST_OTHER_MODE_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/fault.h"
#include "ingest/replica.h"

struct ingest;
struct stream;

struct other_mode {
    /* What the last proving dump was refused. */
    bool seen;
    bool held; /* its first event is stored here */
    char file[BINLOG_NAME_MAX + 1];
    uint64_t at;
    /* Where the next dump begins: behind it. 0: not decided. */
    uint64_t next;
    /* The last place that was gone behind, and in which attempt: not twice in one. */
    uint64_t tried_at;
    uint64_t tried_in;
};

/* After a proving dump that ended with `f`. */
void other_mode_note(struct ingest *ing, const struct stream *st, const struct fault *f);
/* True: the next dump begins behind what was refused. False: *f is the dump's fault still, or says what is missing here. */
bool other_mode_goes_on(struct ingest *ing, struct fault *f);
/* The next dump's start, if it was decided and the store stands there still; once. */
void other_mode_go_on(struct ingest *ing, struct replica_start *start);

/* The first dump of an empty store that takes what there is, from start->file on: moved to the oldest file that the source will send. */
int other_mode_first(struct ingest *ing, struct replica_start *start, struct fault *f) LT_MUST_CHECK;

#endif
