/*
 * Frames of the tail protocol: a fixed header with the lengths of a protobuf message and of a raw payload that follows it.
 * Does not know what the messages mean, does no I/O.
 *
 * Layer: tailwire (shared by serve and client). Pure. Thread: any.
 * Errors: LT_EPROTO with a text for what can never be a frame, LT_ETOOBIG for lengths over the limits given, LT_ESHORT while bytes are missing.
 * Units: bytes; all numbers little-endian.
 *
 *     0  2  magic "LT"
 *     2  1  framing version, 1
 *     3  1  type (enum frame_type)
 *     4  4  length of the protobuf message
 *     8  4  length of the raw payload (only FRAME_BATCH has one)
 *    12  …  message, then payload
 */
#ifndef LT_TAILWIRE_FRAME_H
#define LT_TAILWIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FRAME_HEADER_LEN 12u
#define FRAME_VERSION    1u

#define TAIL_VERSION_MIN 1u /* of the exchanges, negotiated in Hello */
#define TAIL_VERSION_MAX 1u

#define FRAME_REQUEST_MAX (2u << 20) /* message of a client: a GTID set of 100,000 wide intervals */
#define FRAME_REPLY_MAX   (4u << 20) /* message of a server */

enum frame_type {
    FRAME_HELLO = 1, /* client */
    FRAME_SUBSCRIBE = 2,
    FRAME_COMMIT = 3,
    FRAME_HELLO_REPLY = 65, /* server */
    FRAME_FILE_BEGIN = 66,
    FRAME_BATCH = 67,
    FRAME_FILE_END = 68,
    FRAME_HEARTBEAT = 69,
    FRAME_END = 70,
    FRAME_COMMITTED = 71,
    FRAME_ERROR = 72,
};

struct frame_header {
    uint8_t type;
    uint32_t message_len;
    uint32_t payload_len;
};

/* What a reader accepts: the peer's types and its lengths. */
struct frame_limits {
    bool from_client; /* FRAME_HELLO … FRAME_COMMIT, no payload; else the server's */
    uint32_t message_max;
    uint32_t payload_max;
};

void frame_header_write(uint8_t out[FRAME_HEADER_LEN], enum frame_type type, uint32_t message_len,
                        uint32_t payload_len);
/* len may be less than a header: LT_ESHORT, unless what is there is wrong already. */
int frame_header_parse(const void *data, size_t len, const struct frame_limits *limits, struct frame_header *ret,
                       struct lt_err *err) LT_MUST_CHECK;
/* "batch"; "unknown" for others. */
const char *frame_type_name(uint8_t type);

#endif
