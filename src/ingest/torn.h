/*
 * A file of the source's that ends inside an event: a MariaDB server that was killed in the middle of a write leaves it as it is and goes on in the
 * next one (MySQL cuts it at start). Asked for what follows, it ends the dump with error 1236.
 *
 * What is held of the file was compared byte for byte when the dump ends there. That nothing is missing behind it is proved by the next file: it is the
 * first one after a start of the server (a file that a rotation ended is not torn), and its list of GTIDs is exactly what is held. Then the file
 * ends there, an unfinished transaction in it is aborted, and the next one goes on. Nothing else leads past a place that cannot be read.
 *
 * Layer: ingest. Thread: ingest (torn_is_told_by: any).
 */
#ifndef LT_INGEST_TORN_H
#define LT_INGEST_TORN_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/fault.h"
#include "ingest/replica.h"

struct ingest;
struct stream;

#define TORN_FILES_MAX 16 /* files in a row of which nothing is readable: more are refused */

struct torn_end {
    /* Where the last proving dump ended, if the source cannot read on there. */
    bool seen;
    bool begun;     /* in the file, else before its format description */
    bool truncated; /* in the words of the source: the file is over */
    char file[BINLOG_NAME_MAX + 1];
    uint64_t end;
    char next[BINLOG_NAME_MAX + 1]; /* proved: go on with this file. "" = not */
    /* The last place that was proved: said once, and no second time without a pause. */
    char proved_file[BINLOG_NAME_MAX + 1];
    uint64_t proved_end;
};

/* An ERR packet of a dump: the source cannot read what comes next in its file. Not: it may not, or not now. */
bool torn_is_told_by(unsigned code, const char *text);

/* The name with the number one higher. False: there is none. */
bool torn_next_name(const char *name, char ret[BINLOG_NAME_MAX + 1]);

/* After a proving dump that ended with `f`. */
void torn_note(struct ingest *ing, const struct stream *st, const struct fault *f);
/* Looks at what the source has behind that place. True: it is proved that nothing is missing, and the next dump goes on behind it. False: *f is the
 * dump's fault still, or says more exactly what is the matter. */
bool torn_end_proved(struct ingest *ing, struct fault *f);
/* The next dump's start, if the place was proved and the store stands there still; once. */
void torn_go_on(struct ingest *ing, struct replica_start *start);

#endif
