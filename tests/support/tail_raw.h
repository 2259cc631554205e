/*
 * A consumer of the tail protocol made of nothing but sockets and the generated messages: for tests of the server, also with wrong bytes.
 * It does not reconnect and knows no resume tokens; that is libbinlogtail's work.
 *
 * Layer: tests/support. Thread: one at a time per connection.
 * Owns: its socket and what it received. Errors: results; out of memory ends the test.
 * Units: milliseconds, bytes.
 */
#ifndef LT_SUPPORT_TAIL_RAW_H
#define LT_SUPPORT_TAIL_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tail.pb-c.h"
#include "tailwire/frame.h"

struct tail_raw;

struct tail_raw_tls {
    const char *ca;   /* of the server; NULL: not verified */
    const char *cert; /* our own; NULL: none */
    const char *key;
    const char *from; /* our address; NULL: 127.0.0.1 */
};

/* To 127.0.0.1, from there or from another address of ours. NULL: refused. */
struct tail_raw *tail_raw_connect(uint16_t port);
struct tail_raw *tail_raw_connect_from(const char *address, uint16_t port);
/* NULL: refused, or no TLS came about. */
struct tail_raw *tail_raw_connect_tls(uint16_t port, const struct tail_raw_tls *tls);
void tail_raw_free(struct tail_raw *t); /* NULL is fine */
int tail_raw_fd(const struct tail_raw *t);

bool tail_raw_send(struct tail_raw *t, const void *data, size_t len);
bool tail_raw_send_message(struct tail_raw *t, uint8_t type, const ProtobufCMessage *m);

struct tail_frame {
    uint8_t type;
    union {
        ProtobufCMessage *any;
        Logtailer__Tail__HelloReply *hello;
        Logtailer__Tail__FileBegin *begin;
        Logtailer__Tail__Batch *batch;
        Logtailer__Tail__FileEnd *file_end;
        Logtailer__Tail__Heartbeat *heartbeat;
        Logtailer__Tail__End *end;
        Logtailer__Tail__Committed *committed;
        Logtailer__Tail__Error *error;
    };
    uint8_t *payload;
    size_t payload_len;
};
enum tail_result { TAIL_FRAME, TAIL_EOF, TAIL_TIMEOUT, TAIL_BROKEN /* not a frame, or the connection broke */ };
enum tail_result tail_raw_next(struct tail_raw *t, struct tail_frame *ret, unsigned timeout_ms);
void tail_frame_fini(struct tail_frame *f);
/* The next frame that is no heartbeat. */
enum tail_result tail_raw_next_word(struct tail_raw *t, struct tail_frame *ret, unsigned timeout_ms);
/* The next word is of this type; else it says on stderr what came. */
bool tail_raw_expect(struct tail_raw *t, uint8_t type, struct tail_frame *ret, unsigned timeout_ms);
/* The next word is an Error with this code, message and cure, and then the connection ends. */
bool tail_raw_expect_error(struct tail_raw *t, int code, unsigned timeout_ms);

/* Hello and its reply. name and token may be NULL. The reply goes to *ret (may be NULL). */
bool tail_raw_hello(struct tail_raw *t, const char *name, const char *token, struct tail_frame *ret);
struct tail_start {
    int start; /* Logtailer__Tail__StartKind */
    unsigned lineage;
    const char *source_id;
    const char *file;
    uint64_t offset;
    const char *gtids;
    bool until_end;
    uint32_t max_batch;
};
bool tail_raw_subscribe(struct tail_raw *t, const struct tail_start *start);
bool tail_raw_commit(struct tail_raw *t, unsigned lineage, const char *file, uint64_t offset);

/* What a consumer took, file by file. */
struct tail_file {
    unsigned lineage;
    char name[256];
    uint64_t from; /* offset of the first byte taken */
    uint8_t *bytes;
    size_t len;
    size_t cap;
    bool holes; /* transactions were left out: bytes are what came, one after the other */
};
struct tail_copy {
    struct tail_file *files;
    size_t count;
    unsigned lineage; /* of the last FileBegin */
    bool begun;
    bool boundary; /* of the last batch */
    uint64_t batches;
    uint64_t events;
    unsigned lineage_switches;
    unsigned aborted;
    bool wrong; /* the protocol's rules were broken; why goes to stderr */
    int error;  /* code of an Error frame */
    bool ended;
    char at[256];
    struct tail_start resume; /* a position to go on from; its file is `at` */
};
/* One frame into the copy: checks that events are whole and follow each other. */
void tail_copy_take(struct tail_copy *c, const struct tail_frame *f);
/* Frames until End, Error, the end of the connection or the time. The last result. */
enum tail_result tail_copy_run(struct tail_copy *c, struct tail_raw *t, unsigned timeout_ms);
/* Frames until the copy has this place. */
bool tail_copy_until(struct tail_copy *c, struct tail_raw *t, const char *file, uint64_t offset, unsigned timeout_ms);
const struct tail_file *tail_copy_file(const struct tail_copy *c, unsigned lineage, const char *name);
/* Every file taken from offset 4 equals DIR/lineages/NNNN-* /NAME, up to where it was taken; says on stderr where not. */
bool tail_copy_equals(const struct tail_copy *c, const char *store_dir);
void tail_copy_fini(struct tail_copy *c);

#endif
