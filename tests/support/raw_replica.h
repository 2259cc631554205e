/*
 * A minimal replica for tests and benchmarks: logs in with libmysqlclient, sets the session up, takes the socket over and reads a dump.
 * Stores nothing; acknowledges at once when asked to: the ideal acknowledger, and the client that does what logtailer must not.
 *
 * Layer: tests. Thread: one at a time. Owns: the connection. Blocking, with a time-out.
 * Errors: 0 or LT_E*; the text is in `err` of the handle.
 */
#ifndef LT_TESTS_RAW_REPLICA_H
#define LT_TESTS_RAW_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "binlog/event.h"

struct raw_options {
    const char *host; /* "127.0.0.1" */
    unsigned port;
    const char *socket; /* Unix socket instead */
    const char *user;
    const char *password;
    bool tls;           /* required; the certificate is not checked */
    uint32_t server_id; /* 0: non-blocking dump */
    const char *uuid;   /* NULL: none sent */
    uint64_t heartbeat_ms;
    bool semi_sync;
    bool no_checksum_var;
    bool register_first;
    bool no_annotations; /* MariaDB: the statements beside rows are not asked for */
    bool quit_at_close;  /* send COM_QUIT on the dump connection, as a careless client would */
    unsigned timeout_ms; /* of each read; 0 = 5000 */
};

struct raw_replica;

/* Connected and set up, not dumping. NULL: *err says why. */
struct raw_replica *raw_open(const struct raw_options *opt, struct lt_err *err);
void raw_close(struct raw_replica *r);

/* Before the dump. Result of the first row's first column into buf ("" when there is none). */
int raw_query(struct raw_replica *r, const char *sql, char *buf, size_t cap) LT_MUST_CHECK;
/* The primary's newest file and its end: SHOW BINARY LOG STATUS or SHOW MASTER STATUS. */
int raw_primary_end(struct raw_replica *r, char file[BINLOG_NAME_MAX + 1], uint64_t *ret_pos) LT_MUST_CHECK;
unsigned raw_thread_id(const struct raw_replica *r);
bool raw_is_mariadb(const struct raw_replica *r);

int raw_dump(struct raw_replica *r, const char *file, uint64_t pos) LT_MUST_CHECK;
/* COM_BINLOG_DUMP_GTID by file and 64-bit position, with an encoded set (NULL: empty). */
int raw_dump_gtid(struct raw_replica *r, const char *file, uint64_t pos, const uint8_t *set,
                  size_t set_len) LT_MUST_CHECK;

struct raw_event {
    struct event_header h;
    const uint8_t *data; /* the whole event, or its first RAW_EVENT_KEPT bytes when larger; valid until the next call */
    size_t len;
    bool ack_wanted;
    bool crc_ok;     /* true where the file has no checksums */
    bool artificial; /* in no file */
    uint64_t end;    /* offset in the file behind a stored event */
    char file[BINLOG_NAME_MAX + 1];
    uint8_t seq; /* of the packet's first part */
    unsigned parts;
};
#define RAW_EVENT_KEPT (1024ul * 1024)

/* LT_ETIMEOUT, LT_ECLOSED, LT_EOS (EOF packet), LT_EPROTO (ERR packet: raw_error_code). */
int raw_next(struct raw_replica *r, struct raw_event *ret) LT_MUST_CHECK;
/* Whether packets carry the semi-sync header; known after the first event. */
bool raw_has_header(const struct raw_replica *r);
int raw_ack(struct raw_replica *r, const char *file, uint64_t pos) LT_MUST_CHECK;
/* Raw bytes on the dump connection: torn ACKs, COM_QUIT and worse. */
int raw_send(struct raw_replica *r, const void *data, size_t len) LT_MUST_CHECK;
unsigned raw_error_code(const struct raw_replica *r);
const char *raw_error_text(const struct raw_replica *r);
int raw_fd(const struct raw_replica *r);

#endif
