/*
 * Makes small, valid binlog files in memory, of either flavour, with or without checksums, and hands them to a store event by event.
 *
 * Layer: tests/support. Owns: its bytes. Out of memory ends the test.
 */
#ifndef LT_SUPPORT_BINLOG_GEN_H
#define LT_SUPPORT_BINLOG_GEN_H

#include "binlog/event.h"
#include "fake_events.h"
#include "store/store.h"

struct binlog_gen {
    uint8_t *data; /* the file, magic first; a test may cut it by len */
    size_t len;
    struct fake_gen events;
    bool mariadb;
    bool crc;
    uint64_t seq; /* of the last GTID made */
};

void gen_init(struct binlog_gen *g, bool mariadb, bool crc);
void gen_fini(struct binlog_gen *g);
/* Start the next file: magic, FDE, and Previous_gtids or Gtid_list with all up to seq when with_list. */
void gen_file(struct binlog_gen *g, bool with_list);
/* As they are. */
void gen_bytes(struct binlog_gen *g, const void *bytes, size_t len);
void gen_event(struct binlog_gen *g, uint8_t type, const void *body, size_t len, uint16_t flags);
void gen_gtid(struct binlog_gen *g);
void gen_query(struct binlog_gen *g, const char *sql);
void gen_rows(struct binlog_gen *g, size_t bytes); /* opaque rows */
void gen_xid(struct binlog_gen *g);
/* GTID, BEGIN, rows, XID. */
void gen_txn(struct binlog_gen *g, size_t bytes);
void gen_rotate(struct binlog_gen *g, const char *next);

/* Append the events of data[off..len) to the store's newest file, in pieces of at most `piece` bytes. flagged: every event. Returns the first
 * error. *ret_off: the end of the last event that went in whole. */
int gen_feed(struct store *s, const uint8_t *data, size_t len, size_t off, size_t piece, bool flagged, size_t *ret_off);
/* One event at off. */
int gen_feed_event(struct store *s, const uint8_t *event, size_t piece, bool flagged, struct txn_step *ret_step);

#endif
