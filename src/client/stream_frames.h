/*
 * The frames of a stream that are not events.
 * Layer: client, private to stream.c. Thread: the handle's. Errors: as stream.h.
 */
#ifndef LT_CLIENT_STREAM_FRAMES_H
#define LT_CLIENT_STREAM_FRAMES_H

#include "client/stream.h"

/* A whole frame but for its payload. STREAM_MORE when there is nothing to tell. */
int stream_frame(struct stream *st, const struct frame_header *h, const uint8_t *message, struct binlogtail_event *ret,
                 struct lt_err *err) LT_MUST_CHECK;
/* The FILE_BEGIN that a LINEAGE went before. */
int stream_say_file(struct stream *st, struct binlogtail_event *ret) LT_MUST_CHECK;

#endif
