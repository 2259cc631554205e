/*
 * The replica's side of one binlog dump, as a pure state machine: an event comes in, what to do with it comes out.
 * No I/O, no clock, no store: it knows what is held only by the numbers it was given. It does not look at bodies of row events.
 *
 * Layer: ingest. Thread: any, one at a time. Allocates nothing.
 * Errors: LT_EPROTO with a fault (code and words for the operator); the machine must not be fed on after that.
 * Units: 64-bit byte offsets in the source's file, counted here; the event's own log_pos only cross-checks them.
 *
 *   AWAIT_ROTATE --artificial Rotate--> AWAIT_FDE --FDE--> EVENTS --artificial Rotate--> AWAIT_FDE ...
 *                                                          EVENTS --real Rotate/Stop--> FILE_ENDED --artificial Rotate--> AWAIT_FDE
 *
 * Invariants: an event is APPENDed only at the offset where the held bytes of its file end; what lies below is COMPAREd; a file
 * begins only after the one before it was held to its end and its name follows.
 */
#ifndef LT_INGEST_REPLICA_H
#define LT_INGEST_REPLICA_H

#include "binlog/event.h"
#include "ingest/fault.h"

enum replica_state { REPLICA_AWAIT_ROTATE, REPLICA_AWAIT_FDE, REPLICA_EVENTS, REPLICA_FILE_ENDED };

const char *replica_state_name(enum replica_state state);

/* What is held when the dump starts, and what the dump was asked for. */
struct replica_start {
    char file[BINLOG_NAME_MAX + 1];      /* asked for; "" = the source's first file */
    uint64_t pos;                        /* asked for */
    char held_file[BINLOG_NAME_MAX + 1]; /* newest stored file, "" = nothing held */
    uint64_t held_end;                   /* its end */
    /* The list of GTIDs at the start of the first file that is not held must be exactly what is held: nothing else proves that nothing lies
     * before it. That is the file asked for, or, where a place inside of one is, the next. */
    bool exact_list;
};

struct replica {
    enum replica_state state;
    struct replica_start start;
    char file[BINLOG_NAME_MAX + 1];      /* of this connection's last artificial Rotate */
    uint64_t offset;                     /* of the next event in it */
    uint64_t held_end;                   /* bytes of it that are held; == offset while appending */
    bool file_is_new;                    /* nothing of it is held: its segment begins with the FDE */
    bool resumed;                        /* dump began in the middle of this file */
    enum checksum_alg checksum;          /* of the current file, once its FDE came */
    bool is_mariadb;                     /* by the FDE */
    char next_file[BINLOG_NAME_MAX + 1]; /* named by a real Rotate */
    bool misplaced;                      /* the event at `offset` says that it stands elsewhere */
    uint64_t appended;                   /* bytes given out as APPEND on this connection */
};

enum replica_action {
    REPLICA_SKIP,       /* made up by the server: not in its file */
    REPLICA_HEARTBEAT,  /* the source has nothing more for us */
    REPLICA_CHECK_FDE,  /* the FDE of a file we hold, sent again: compare as event_fde_same_file */
    REPLICA_COMPARE,    /* held already, at `offset`: compare bytes */
    REPLICA_APPEND,     /* next byte of the log, at `offset` */
    REPLICA_BEGIN_FILE, /* as APPEND, but a new segment named replica.file begins first */
};

struct replica_verdict {
    enum replica_action action;
    uint64_t offset;
};

void replica_init(struct replica *r, const struct replica_start *start);

/*
 * head: the event's first bytes, all of it where head_len == h->length. CRC of the event is the caller's to check, before it acts
 * on COMPARE / APPEND. is the one place that decides what is artificial.
 */
int replica_step(struct replica *r, const struct event_header *h, const uint8_t *head, size_t head_len,
                 struct replica_verdict *ret, struct fault *ret_fault) LT_MUST_CHECK;

/* All that was held of the asked file has come again and been judged; nothing held counts as proved by identity alone. */
bool replica_is_past_held(const struct replica *r);

#endif
