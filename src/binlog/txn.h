/*
 * Follows the events of one binlog file and says where transactions begin and end. The same code judges a live stream and a
 * recovery scan, so both come to the same watermark.
 *
 * Layer: binlog. Pure. Thread: one at a time. Allocates nothing.
 * Errors: txn_feed never fails: bytes it cannot understand count as events that change nothing, and `odd` counts them.
 *
 * Rules. MySQL: begins at 33/34/42; ends at start + transaction_length where the field exists, else at XID, XA_PREPARE,
 * TRANSACTION_PAYLOAD, QUERY COMMIT/ROLLBACK/XA COMMIT/XA ROLLBACK, or the first QUERY after the GTID that is not BEGIN / XA START.
 * MariaDB: begins at 162; standalone: ends at the first following event other than GTID, INTVAR, RAND, USER_VAR, TABLE_MAP,
 * ANNOTATE; else at XID, XA_PREPARE or QUERY exactly COMMIT / ROLLBACK. ROTATE, STOP, FDE, checkpoint, lists never belong to one.
 * Files without GTID events (MySQL 5.6 style): QUERY BEGIN opens, XID/COMMIT/ROLLBACK closes; other events outside count one by one.
 */
#ifndef LT_BINLOG_TXN_H
#define LT_BINLOG_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "binlog/event.h"

/* What decides about transactions is within this: a QUERY's statement may follow 64 KiB of status and a name of 255 bytes. */
#define TXN_HEAD_BYTES (68u * 1024u)

struct txn_tracker {
    uint64_t offset;     /* end of the last event fed; BINLOG_MAGIC_LEN at the start of a file */
    uint64_t boundary;   /* end of the last event that is not inside an open transaction */
    bool open;           /* inside a transaction */
    uint64_t open_start; /* where the open one began */
    uint64_t open_end;   /* start + transaction_length, 0 if unknown */
    bool standalone;     /* MariaDB: ends at the first real event */
    bool saw_begin;      /* a BEGIN / XA START came after the GTID event */
    struct gtid open_gtid;
    bool have_last;      /* a complete transaction was seen in this file */
    uint64_t last_start; /* start of the last complete transaction */
    uint64_t last_end;
    struct gtid last_gtid;
    bool have_fde;
    bool is_mariadb;
    enum checksum_alg checksum;
    bool ended;   /* a stored Rotate or Stop was the last event */
    uint64_t odd; /* events whose bytes did not parse or that contradicted the rules */
};

/* A new file: everything forgotten. */
void txn_reset(struct txn_tracker *t);

struct txn_step {
    bool boundary;    /* after this event no transaction is open */
    bool completed;   /* this event completed a transaction */
    bool forced;      /* by the source's ACK flag alone: the rules saw no end here */
    uint64_t start;   /* of the completed transaction */
    struct gtid gtid; /* of the completed transaction; kind GTID_NONE if anonymous */
};

/*
 * Feed the next stored event. head: its first bytes, all of it where head_len == h->length; for larger events at least the first
 * TXN_HEAD_BYTES. Advances offset by h->length.
 */
void txn_feed(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len,
              struct txn_step *ret);

/* The source's ACK flag says that a transaction ends here: close what is open. ret->forced, and true, when that contradicted us. */
bool txn_force_boundary(struct txn_tracker *t, struct txn_step *ret);

#endif
