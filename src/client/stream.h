/*
 * Reads what a server sends: frames to messages, batches to events, with positions, transactions and the GTID set that grows.
 * Does no I/O, knows no clock and no connection but for stream_connected: the same stream goes on over many of them.
 *
 * Layer: client. Pure but for memory. Thread: the handle's.
 * Owns: the last message (views point into it and into the input buffer, until the next stream_next), the GTID set.
 * Errors: LT_EPROTO, LT_ETOOBIG, LT_ECHECKSUM, LT_ENOMEM with a text; the place is that before the bad frame or event, the connection is done for.
 */
#ifndef LT_CLIENT_STREAM_H
#define LT_CLIENT_STREAM_H

#include "binlog/txn.h"
#include "binlogtail/binlogtail.h"
#include "client/inbuf.h"
#include "client/place.h"
#include "tailwire/frame.h"

enum stream_result {
    STREAM_MORE = 0, /* `need` contiguous bytes are wanted */
    STREAM_EVENT = 1,
    STREAM_HELLO = 2,   /* hello_* is filled; send Subscribe and call stream_subscribed */
    STREAM_REFUSED = 3, /* error_* is filled; the server closes */
};

struct stream_hello {
    uint32_t version;
    uint32_t heartbeat_ms;
    char agent[128];
    char flavor[16];
    struct place earliest;
    struct place durable;
    struct place committed;
};

struct stream_refusal {
    int code;
    uint32_t retry_after_ms;
    char message[512];
    char cure[256];
    struct place earliest;
    struct place durable;
};

struct stream {
    /* set by the caller before the first use */
    uint32_t max_event;
    bool no_checksum;
    bool by_gtids; /* gtids is what was asked for; it grows */
    struct gtid_set gtids;

    /* what the caller reads */
    size_t need;
    struct place at;       /* behind the last event handed out; file "" before the first FileBegin */
    struct place boundary; /* where no transaction is open */
    struct stream_hello hello;
    struct stream_refusal refusal;
    struct place durable; /* as last said by this connection's server */
    bool begun;           /* there was a FileBegin: `at` is where the stream is */

    /* its own */
    enum {
        STREAM_WANT_HELLO,
        STREAM_WANT_SUBSCRIBE,
        STREAM_WANT_FILE,
        STREAM_IN_FILE,
        STREAM_AFTER_END,
        STREAM_REFUSED_US
    } state;
    bool exact;          /* the first FileBegin must be at `at` */
    bool resumed;        /* ... and goes on with what txn knows */
    uint64_t pass_until; /* hand out nothing before this offset of the file `at` is in */
    bool midway;         /* begun at an offset of which nobody said that it is a boundary */
    bool caught_up;
    bool say_caught_up;
    bool say_file; /* LINEAGE was handed out, its FILE_BEGIN not yet */
    bool in_batch;
    uint32_t payload_left;
    uint32_t count_left;
    bool batch_boundary;
    bool mariadb;
    struct txn_tracker txn;
    ProtobufCMessage *message;
    unsigned marks;    /* for the FILE_BEGIN to come */
    struct place said; /* of an event that is about another place than `at` */
    char gtid_text[GTID_TEXT_MAX];
};

void stream_fini(struct stream *st);
/* A new connection: what comes first is a HelloReply. */
void stream_connected(struct stream *st);

struct stream_ask {
    bool resumed;              /* at `at`, where the connection before left off */
    const struct place *start; /* START_POSITION (skip counts); NULL: wherever the server begins */
};
/* After Subscribe was sent. */
void stream_subscribed(struct stream *st, const struct stream_ask *ask);

/* A negative LT_* code, or an enum stream_result; on STREAM_EVENT *ret is filled. */
int stream_next(struct stream *st, struct inbuf *in, struct binlogtail_event *ret, struct lt_err *err) LT_MUST_CHECK;
/* Inside a transaction of which something was handed out. */
bool stream_in_transaction(const struct stream *st);
/* The EXACT token's place. */
struct place stream_exact(const struct stream *st);

#endif
