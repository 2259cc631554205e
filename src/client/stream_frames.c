/*
 * - One function per frame, each checks what it needs of the message and of the order of frames before it changes anything.
 * - FileBegin decides whether a stream goes on (same place, the tracker knows the open transaction) or begins anew.
 * Failure: LT_EPROTO with a sentence; a peer's texts are cut to what people read.
 */
#include "client/stream_frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tailwire/message.h"

#define MESSAGE(st, type) ((const Logtailer__Tail__##type *)(const void *)(st)->message)

/* A peer's text for people: no control bytes that a terminal would obey. */
static void copy_text(char *buf, size_t cap, const char *text)
{
    (void)snprintf(buf, cap, "%s", text);
    for (char *p = buf; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}

static int bad(struct lt_err *err, const char *frame, const char *what)
{
    return lt_err_set(err, LT_EPROTO, "%s: %s", frame, what);
}

static int take_hello(struct stream *st, struct lt_err *err)
{
    const Logtailer__Tail__HelloReply *m = MESSAGE(st, HelloReply);
    struct stream_hello hello = {.version = m->version, .heartbeat_ms = m->heartbeat_ms};
    if (m->version < TAIL_VERSION_MIN || m->version > TAIL_VERSION_MAX)
        return lt_err_set(err, LT_EPROTO, "hello_reply: protocol version %" PRIu32 " was not offered", m->version);
    if (place_from_message(m->earliest, &hello.earliest) != 0 || place_from_message(m->durable, &hello.durable) != 0 ||
        place_from_message(m->committed, &hello.committed) != 0)
        return bad(err, "hello_reply", "a position that cannot be one");
    copy_text(hello.agent, sizeof hello.agent, m->agent);
    copy_text(hello.flavor, sizeof hello.flavor, m->flavor);
    st->hello = hello;
    st->durable = hello.durable;
    st->state = STREAM_WANT_SUBSCRIBE;
    return STREAM_HELLO;
}

static int take_error(struct stream *st, struct lt_err *err)
{
    const Logtailer__Tail__Error *m = MESSAGE(st, Error);
    struct stream_refusal r = {.code = (int)m->code, .retry_after_ms = m->retry_after_ms};
    if (place_from_message(m->earliest, &r.earliest) != 0 || place_from_message(m->durable, &r.durable) != 0)
        return bad(err, "error", "a position that cannot be one");
    copy_text(r.message, sizeof r.message, m->message);
    copy_text(r.cure, sizeof r.cure, m->cure);
    st->refusal = r;
    st->state = STREAM_REFUSED_US;
    return STREAM_REFUSED;
}

/* ---- files ---- */

static bool same_place(const struct place *a, const struct place *b)
{
    /* A place that a person typed names no lineage and no source. */
    return (a->lineage == 0 || b->lineage == 0 || a->lineage == b->lineage) && strcmp(a->file, b->file) == 0 &&
           a->offset == b->offset;
}

/* Does the file continue what was handed out? */
static int check_join(const struct stream *st, const struct place *p, bool new_lineage, struct lt_err *err)
{
    if (p->offset < BINLOG_MAGIC_LEN)
        return bad(err, "file_begin", "events begin at offset 4");
    if (st->exact && !st->by_gtids && !same_place(&st->at, p))
        return lt_err_set(err, LT_EPROTO, "file_begin: %s:%" PRIu64 " was asked for, the server begins at %s:%" PRIu64,
                          st->at.file, st->at.offset, p->file, p->offset);
    if (st->exact || !place_is_set(&st->at) || st->by_gtids || new_lineage)
        return 0;
    if (p->lineage != st->at.lineage || p->offset != BINLOG_MAGIC_LEN ||
        binlog_name_number(p->file) <= binlog_name_number(st->at.file))
        return lt_err_set(err, LT_EPROTO, "file_begin: %s:%" PRIu64 " does not follow %s", p->file, p->offset,
                          st->at.file);
    return 0;
}

static int begin_tracking(struct stream *st, const struct place *p, const ProtobufCBinaryData *fde, struct lt_err *err)
{
    struct event_header h;
    struct txn_step step;
    txn_reset(&st->txn);
    if (fde->len == 0)
        return p->offset == BINLOG_MAGIC_LEN ? 0 : bad(err, "file_begin", "no format description event");
    if (event_header_parse(fde->data, fde->len, &h) != 0 || h.length != fde->len || h.type != EVENT_FORMAT_DESCRIPTION)
        return bad(err, "file_begin", "its format description is no such event");
    txn_feed(&st->txn, &h, fde->data, fde->len, &step);
    if (!st->txn.have_fde)
        return bad(err, "file_begin", "a format description event that cannot be understood");
    st->txn.offset = st->txn.boundary = p->offset;
    return 0;
}

int stream_say_file(struct stream *st, struct binlogtail_event *ret)
{
    st->say_file = false;
    ret->kind = BINLOGTAIL_FILE_BEGIN;
    ret->marks = st->marks;
    ret->position = place_view(&st->at);
    ret->end_offset = st->at.offset;
    ret->flavor = st->mariadb ? "mariadb" : "mysql";
    if (st->message != NULL && st->message->descriptor == &logtailer__tail__file_begin__descriptor) {
        ret->data = MESSAGE(st, FileBegin)->format_description.data;
        ret->length = MESSAGE(st, FileBegin)->format_description.len;
    }
    return STREAM_EVENT;
}

static void begin_anew(struct stream *st, const struct place *p, bool cut)
{
    bool asked = st->exact && same_place(&st->at, p);
    if (!asked)
        st->pass_until = 0;
    st->midway = asked && st->pass_until <= p->offset && p->offset > BINLOG_MAGIC_LEN;
    st->at = *p;
    st->boundary = *p;
    st->marks = cut ? BINLOGTAIL_TXN_CUT : 0;
}

static int take_file_begin(struct stream *st, struct binlogtail_event *ret, struct lt_err *err)
{
    const Logtailer__Tail__FileBegin *m = MESSAGE(st, FileBegin);
    struct place p;
    bool had = place_is_set(&st->at) && st->at.lineage != 0;
    if (m->position == NULL || place_from_message(m->position, &p) != 0)
        return bad(err, "file_begin", "no position that can be one");
    bool other = m->new_lineage || (had && p.lineage != st->at.lineage) ||
                 (had && st->at.source_id[0] != '\0' && strcmp(p.source_id, st->at.source_id) != 0);
    bool resumed = st->resumed && !other && same_place(&st->at, &p);
    if (st->state == STREAM_IN_FILE && !other)
        return bad(err, "file_begin", "the file before it has not ended");
    int rc = check_join(st, &p, other && !st->exact, err);
    if (rc != 0)
        return rc;
    bool cut = !resumed && stream_in_transaction(st);
    if (!resumed)
        rc = begin_tracking(st, &p, &m->format_description, err);
    if (rc != 0)
        return rc;
    if (resumed)
        st->marks = BINLOGTAIL_RESUMED;
    else
        begin_anew(st, &p, cut);
    st->mariadb = strcmp(m->flavor, "mariadb") == 0;
    st->state = STREAM_IN_FILE;
    st->exact = st->resumed = false;
    st->begun = true;
    if (!other || !had)
        return stream_say_file(st, ret);
    st->say_file = true;
    ret->kind = BINLOGTAIL_LINEAGE;
    ret->marks = st->marks & BINLOGTAIL_TXN_CUT;
    ret->position = place_view(&st->at);
    ret->end_offset = st->at.offset;
    return STREAM_EVENT;
}

static int take_batch(struct stream *st, const struct frame_header *h, struct lt_err *err)
{
    const Logtailer__Tail__Batch *m = MESSAGE(st, Batch);
    if (m->lineage != st->at.lineage || strcmp(m->file, st->at.file) != 0)
        return bad(err, "batch", "of another file than the one that was begun");
    if (m->next_offset < m->offset || (h->payload_len > 0 && m->next_offset - m->offset != h->payload_len))
        return bad(err, "batch", "its offsets and its payload disagree");
    if (m->offset != st->at.offset && (m->offset < st->at.offset || !st->by_gtids || st->txn.open))
        return lt_err_set(err, LT_EPROTO, "batch: begins at %s:%" PRIu64 ", not at %" PRIu64, st->at.file, m->offset,
                          st->at.offset);
    if (h->payload_len == 0 && (m->count != 0 || (m->next_offset != m->offset && !st->by_gtids)))
        return bad(err, "batch", "events without a payload");
    st->at.offset = h->payload_len > 0 ? m->offset : m->next_offset;
    st->txn.offset = st->at.offset;
    st->in_batch = true;
    st->payload_left = h->payload_len;
    st->count_left = m->count;
    st->batch_boundary = m->boundary;
    return STREAM_MORE;
}

static int take_file_end(struct stream *st, struct binlogtail_event *ret, struct lt_err *err)
{
    const Logtailer__Tail__FileEnd *m = MESSAGE(st, FileEnd);
    struct place p;
    if (m->position == NULL || place_from_message(m->position, &p) != 0 || p.lineage != st->at.lineage ||
        strcmp(p.file, st->at.file) != 0 || p.offset < st->at.offset || (p.offset != st->at.offset && !st->by_gtids))
        return bad(err, "file_end", "not where the events ended");
    ret->kind = BINLOGTAIL_FILE_END;
    ret->aborted = m->aborted;
    ret->marks = stream_in_transaction(st) ? BINLOGTAIL_TXN_CUT : 0;
    st->at.offset = p.offset;
    st->txn.open = false;
    st->boundary = st->at;
    st->midway = false;
    st->state = STREAM_WANT_FILE;
    ret->position = place_view(&st->at);
    ret->end_offset = st->at.offset;
    return STREAM_EVENT;
}

/* ---- the rest ---- */

static int take_heartbeat(struct stream *st, struct binlogtail_event *ret, struct lt_err *err)
{
    const Logtailer__Tail__Heartbeat *m = MESSAGE(st, Heartbeat);
    struct place p;
    if (place_from_message(m->durable, &p) != 0)
        return bad(err, "heartbeat", "a position that cannot be one");
    st->durable = p;
    ret->kind = BINLOGTAIL_HEARTBEAT;
    ret->position = place_view(&st->at);
    ret->end_offset = st->at.offset;
    ret->durable = place_view(&st->durable);
    ret->source_time_us = m->source_time_us;
    ret->server_time_us = m->server_time_us;
    return STREAM_EVENT;
}

static int take_said(struct stream *st, const Logtailer__Tail__Position *m, enum binlogtail_kind kind,
                     struct binlogtail_event *ret, struct lt_err *err)
{
    if (m == NULL || place_from_message(m, &st->said) != 0)
        return bad(err, kind == BINLOGTAIL_END ? "end" : "committed", "no position that can be one");
    if (kind == BINLOGTAIL_END && !st->begun) { /* nothing to send: that is where we are */
        st->at = st->boundary = st->said;
        st->begun = true;
    }
    if (kind == BINLOGTAIL_END)
        st->state = STREAM_AFTER_END;
    ret->kind = kind;
    ret->position = place_view(&st->said);
    ret->end_offset = st->said.offset;
    return STREAM_EVENT;
}

/* Which frames may come now? */
static bool expected(const struct stream *st, uint8_t type)
{
    switch (type) {
    case FRAME_ERROR:
        return st->state != STREAM_REFUSED_US;
    case FRAME_HELLO_REPLY:
        return st->state == STREAM_WANT_HELLO;
    case FRAME_BATCH:
    case FRAME_FILE_END:
        return st->state == STREAM_IN_FILE;
    case FRAME_FILE_BEGIN:
    case FRAME_END:
        return st->state == STREAM_WANT_FILE || st->state == STREAM_IN_FILE;
    case FRAME_COMMITTED:
        return st->state != STREAM_WANT_HELLO && st->state != STREAM_REFUSED_US;
    default: /* Heartbeat */
        return st->state == STREAM_WANT_FILE || st->state == STREAM_IN_FILE || st->state == STREAM_AFTER_END;
    }
}

int stream_frame(struct stream *st, const struct frame_header *h, const uint8_t *message, struct binlogtail_event *ret,
                 struct lt_err *err)
{
    if (!expected(st, h->type))
        return lt_err_set(err, LT_EPROTO, "a %s frame is not expected now", frame_type_name(h->type));
    message_free(st->message);
    st->message = message_unpack(message_of_reply(h->type), message, h->message_len);
    if (st->message == NULL)
        return lt_err_set(err, LT_EPROTO, "a %s message that does not parse", frame_type_name(h->type));
    switch (h->type) {
    case FRAME_HELLO_REPLY:
        return take_hello(st, err);
    case FRAME_FILE_BEGIN:
        return take_file_begin(st, ret, err);
    case FRAME_BATCH:
        return take_batch(st, h, err);
    case FRAME_FILE_END:
        return take_file_end(st, ret, err);
    case FRAME_HEARTBEAT:
        return take_heartbeat(st, ret, err);
    case FRAME_END:
        return take_said(st, MESSAGE(st, End)->position, BINLOGTAIL_END, ret, err);
    case FRAME_COMMITTED:
        return take_said(st, MESSAGE(st, Committed)->position, BINLOGTAIL_COMMITTED, ret, err);
    default:
        return take_error(st, err);
    }
}
