/*
 * A scripted tail server: it does on request what logtailerd never would, and serves small generated files as logtailerd does.
 * It reads no store and enforces no rules: what the script says is sent.
 *
 * Layer: tests/support. Thread: one of its own that runs the script for one connection after the other.
 * Owns: listener, connections. Borrows: script argument and certificates' paths until fake_tail_free.
 * Errors: a client that goes away ends the script's reads and writes with false; what a test cannot go on without aborts.
 * Units: milliseconds, bytes.
 */
#ifndef LT_SUPPORT_FAKE_TAIL_H
#define LT_SUPPORT_FAKE_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog_gen.h"
#include "tail.pb-c.h"
#include "tailwire/frame.h"

struct fake_tail;
struct fake_conn;

/* n: number of the connection, from 0. The connection is closed when it returns. */
typedef void (*fake_tail_script)(struct fake_conn *c, unsigned n, void *arg);

struct fake_tail *fake_tail_start(fake_tail_script script, void *arg);
/* With TLS: PEM files. */
struct fake_tail *fake_tail_start_tls(fake_tail_script script, void *arg, const char *cert, const char *key);
/* Stops; the script's connection is cut. NULL is fine. */
void fake_tail_free(struct fake_tail *ft);
uint16_t fake_tail_port(const struct fake_tail *ft);
unsigned fake_tail_connections(struct fake_tail *ft);
bool fake_tail_wait_connections(struct fake_tail *ft, unsigned n, unsigned timeout_ms);

/* ---- in a script ---- */

/* The next frame of the client, which must be of this type; the caller frees with protobuf_c_message_free_unpacked(m, NULL). NULL: gone. */
ProtobufCMessage *fake_read(struct fake_conn *c, enum frame_type type);
/* Read and free it. */
bool fake_skip(struct fake_conn *c, enum frame_type type);
bool fake_send(struct fake_conn *c, const void *data, size_t len);
bool fake_send_message(struct fake_conn *c, enum frame_type type, const ProtobufCMessage *m, const void *payload,
                       size_t len);
/* The client closed, or sent something that nobody asked for. */
bool fake_wait_gone(struct fake_conn *c, unsigned timeout_ms);
/* Only so many more bytes leave; then the connection is reset, and what is on its way is lost. */
void fake_cut_after(struct fake_conn *c, uint64_t bytes);
/* The same with an orderly end: all of them arrive. */
void fake_end_after(struct fake_conn *c, uint64_t bytes);

/* Hello of the client and a HelloReply. durable may be NULL. */
bool fake_hello(struct fake_conn *c, uint32_t heartbeat_ms, const Logtailer__Tail__Position *durable);
bool fake_error(struct fake_conn *c, int code, const char *message, const char *cure, uint32_t retry_after_ms);

/* ---- generated files ---- */

#define FAKE_FILES_MAX 8
struct fake_file {
    uint32_t lineage;
    const char *source;
    const char *name;
    struct binlog_gen gen;
};
struct fake_source {
    bool mariadb;
    size_t count;
    struct fake_file files[FAKE_FILES_MAX];
    uint32_t seed;         /* of the batches' sizes */
    uint64_t batches_sent; /* in all connections */
};
void fake_source_init(struct fake_source *s, bool mariadb);
/* A file with n transactions of about `bytes`; it is the last one, and ends in a Rotate when another of the same lineage follows. */
struct fake_file *fake_source_add(struct fake_source *s, uint32_t lineage, const char *source, const char *name,
                                  unsigned n, size_t bytes);
void fake_source_fini(struct fake_source *s);
Logtailer__Tail__Position fake_source_end(struct fake_source *s);
/* A whole conversation: Hello, Subscribe, all that was asked for, End or heartbeats until the client goes away. */
void fake_source_serve(struct fake_source *s, struct fake_conn *c);
/* After Hello and Subscribe: from this place. */
void fake_source_stream(struct fake_source *s, struct fake_conn *c, const Logtailer__Tail__Subscribe *sub);

#endif
