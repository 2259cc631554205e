/*
 * Unpacking of the tail protocol's messages within a memory budget, and packing into a frame.
 *
 * Layer: tailwire. Thread: any. Owns: what unpack returned, until message_free. Errors: LT_EPROTO, LT_ENOMEM, LT_ETOOBIG.
 */
#ifndef LT_TAILWIRE_MESSAGE_H
#define LT_TAILWIRE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/err.h"
#include "tailwire/frame.h"

/* What a frame of this type carries when it comes from the server; for any other type: an error. */
const ProtobufCMessageDescriptor *message_of_reply(uint8_t type);

/* protobuf-c keeps unknown fields, each in an allocation of its own: memory beyond len + this is refused (NULL, as for what does not parse). */
#define MESSAGE_SLACK 16384u

ProtobufCMessage *message_unpack(const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t len);
/* NULL is fine. */
void message_free(ProtobufCMessage *m);
/* A whole frame without payload; malloc'd, caller frees. */
int message_frame(enum frame_type type, const ProtobufCMessage *m, uint8_t **ret_frame, size_t *ret_len) LT_MUST_CHECK;

#endif
