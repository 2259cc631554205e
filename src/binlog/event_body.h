/*
 * What the event decoders share: the body of a whole event as a bounded cursor. Not for other layers.
 *
 * Layer: binlog, private. Thread: any. Borrows: the cursor points into the event.
 */
#ifndef LT_BINLOG_EVENT_BODY_H
#define LT_BINLOG_EVENT_BODY_H

#include "base/cursor.h"
#include "binlog/event.h"

/* Header, and the bytes between header and checksum. The header's length must be len. */
int event_body(const uint8_t *event, size_t len, bool crc, struct event_header *ret_h,
               struct cursor *ret_body) LT_MUST_CHECK;

#endif
