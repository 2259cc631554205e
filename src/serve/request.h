/*
 * What a client sends: frames into messages, with every limit applied. Does no I/O and decides nothing about rights or places.
 *
 * Layer: serve. Pure but for memory. Thread: any. Owns: the message until request_fini.
 * Errors: LT_ESHORT (more bytes are needed), LT_EPROTO (can never be a request), LT_ETOOBIG (over the limits).
 * Memory: at most what the frame's own bytes allow plus MESSAGE_SLACK, whatever the frame claims.
 */
#ifndef LT_SERVE_REQUEST_H
#define LT_SERVE_REQUEST_H

#include "tail.pb-c.h"
#include "tailwire/frame.h"

typedef Logtailer__Tail__Position tail_position;
typedef Logtailer__Tail__Hello tail_hello;
typedef Logtailer__Tail__Subscribe tail_subscribe;
typedef Logtailer__Tail__Commit tail_commit;

struct request {
    uint8_t type; /* FRAME_HELLO, FRAME_SUBSCRIBE or FRAME_COMMIT */
    union {
        ProtobufCMessage *any;
        tail_hello *hello;
        tail_subscribe *subscribe;
        tail_commit *commit;
    };
};

/* The first frame of data; *ret_used its length. message_max: at most FRAME_REQUEST_MAX. */
int request_parse(const void *data, size_t len, uint32_t message_max, struct request *ret, size_t *ret_used,
                  struct lt_err *err) LT_MUST_CHECK;
void request_fini(struct request *r);

#endif
