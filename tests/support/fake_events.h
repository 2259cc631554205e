/*
 * Builds valid binlog events of MySQL 5.7 to 9.x and MariaDB, for the fake primary and for tests that need binlog bytes.
 * Does not keep files or send anything: events are appended to one growing buffer and `pos` follows.
 *
 * Layer: tests. Thread: one at a time. Owns: its buffer (fake_gen_fini). Out of memory aborts: tests have nothing better to do.
 * Units: bytes; seconds in event headers.
 */
#ifndef LT_TESTS_FAKE_EVENTS_H
#define LT_TESTS_FAKE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_bytes {
    uint8_t *p;
    size_t len;
    size_t cap;
};
void fake_bytes_add(struct fake_bytes *b, const void *data, size_t len);
void fake_bytes_fini(struct fake_bytes *b);

/* How the events of a release look. */
enum fake_release { FAKE_MYSQL_57, FAKE_MYSQL_80, FAKE_MYSQL_84, FAKE_MYSQL_97, FAKE_MARIADB_10, FAKE_MARIADB_11 };

struct fake_gen {
    struct fake_bytes out; /* what was built since init or the last clear */
    uint64_t pos;          /* end offset in the file of the last event built; 4 at the start */
    enum fake_release release;
    bool crc;
    bool zero_log_pos; /* log_pos 0 in events inside a transaction, as MariaDB 11.4+ writes them */
    bool in_txn;       /* between a GTID event and the transaction's last event */
    uint32_t timestamp;
    uint32_t server_id;
    uint32_t domain_id; /* MariaDB */
    uint8_t uuid[16];   /* MySQL */
    char server_version[51];
};

/* crc on, server_id 33104, a fixed uuid and time; pos 4. version: as the server reports it. */
void fake_gen_init(struct fake_gen *g, enum fake_release release, const char *version);
void fake_gen_fini(struct fake_gen *g);
/* Forget the bytes, keep pos. */
void fake_gen_clear(struct fake_gen *g);
/* The release a version string stands for. */
enum fake_release fake_release_of(const char *version);
bool fake_release_is_mariadb(enum fake_release release);

/* Any event: header, body, CRC. Returns the offset of its first byte in out. */
size_t fake_gen_raw(struct fake_gen *g, uint8_t type, uint16_t flags, const void *body, size_t len);

/* created: 0 in rotated files. The algorithm byte follows g->crc; the CRC is there either way. */
void fake_gen_fde(struct fake_gen *g, uint32_t created);
/* FDE, then Previous_gtids (set as text, "" for none) or Gtid_list and checkpoint: the start of a file. */
void fake_gen_file_start(struct fake_gen *g, const char *name, const char *gtids, bool first_after_start);
void fake_gen_previous_gtids(struct fake_gen *g, const char *gtids);
void fake_gen_gtid_list(struct fake_gen *g, const char *gtids);
void fake_gen_checkpoint(struct fake_gen *g, const char *name);
void fake_gen_rotate(struct fake_gen *g, const char *next, uint64_t pos);
void fake_gen_stop(struct fake_gen *g);
void fake_gen_start_encryption(struct fake_gen *g);
void fake_gen_incident(struct fake_gen *g, const char *text);
void fake_gen_heartbeat(struct fake_gen *g, const char *name);

/* GTID event of the release (33 or 162; 42 with a tag; 34 when seq is 0 on MySQL). body_len: bytes of the transaction that follow it. */
struct fake_gtid_spec {
    uint64_t seq;
    const char *tag;   /* NULL or "": untagged */
    uint64_t body_len; /* MySQL 8.0+: transaction_length is this and the event itself */
    uint8_t flags2;    /* MariaDB */
};
void fake_gen_gtid(struct fake_gen *g, const struct fake_gtid_spec *spec);
void fake_gen_query(struct fake_gen *g, const char *db, const char *sql);
void fake_gen_xid(struct fake_gen *g, uint64_t xid);
void fake_gen_table_map(struct fake_gen *g);
/* One row (int, blob of blob_len bytes) for fake_gen_table_map's table. */
void fake_gen_rows(struct fake_gen *g, uint32_t id, size_t blob_len);
void fake_gen_xa_prepare(struct fake_gen *g, bool one_phase, const char *xid);
/* Type 40 with algorithm 255 (none) around the given events (no CRCs). */
void fake_gen_payload(struct fake_gen *g, const void *events, size_t len);

enum fake_txn_kind {
    FAKE_TXN_ROWS,       /* BEGIN, table map, rows, XID */
    FAKE_TXN_DDL,        /* one QUERY */
    FAKE_TXN_MYISAM,     /* BEGIN .. QUERY COMMIT */
    FAKE_TXN_ROLLBACK,   /* BEGIN .. QUERY ROLLBACK */
    FAKE_TXN_XA_PREPARE, /* XA START .. XA END, XA_PREPARE */
    FAKE_TXN_XA_COMMIT,  /* QUERY XA COMMIT */
    FAKE_TXN_PAYLOAD,    /* one type 40 event; MySQL only */
};
struct fake_txn_spec {
    enum fake_txn_kind kind;
    uint64_t seq; /* 0 on MySQL: anonymous */
    const char *tag;
    size_t blob_len; /* bytes of each row */
    unsigned rows;   /* row events, at least 1 */
    bool annotate;   /* MariaDB: ANNOTATE_ROWS; MySQL: ROWS_QUERY */
};
/* A whole transaction with right lengths. */
void fake_gen_txn(struct fake_gen *g, const struct fake_txn_spec *spec);

/* Bytes `at`..`at + len` of an endless fixed pattern: what large events are filled with. */
void fake_fill(uint8_t *out, size_t len, uint64_t at, uint32_t seed);

#endif
