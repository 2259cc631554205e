/*
 * What a session does with its turn: finish the frame on the way, then build the next one, until the socket is full or there is nothing to say.
 *
 * - Order: an error; a commit's answer; the stream; a heartbeat when one is due.
 * - Stream: what the feed says is next, as frames.
 * - A bounded number of batches per turn; then the others have theirs.
 * Failure: damage in a stored file is told to the consumer; a socket that breaks ends the session.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/serve_internal.h"

#define TURN_FRAMES 8

enum next {
    NEXT_BUILT, /* a frame is in out */
    NEXT_WAIT,  /* nothing until the watermark moves */
    NEXT_YIELD, /* go on in the next turn */
    NEXT_FAILED /* session_fail was called */
};

static enum next no_memory(struct session *s)
{
    session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_INTERNAL, SERVE_RETRY_MAX_MS, "out of memory");
    return NEXT_FAILED;
}

static enum next built(struct session *s, bool ok)
{
    return ok ? NEXT_BUILT : no_memory(s);
}

static enum next failed(struct session *s, const struct lt_err *err)
{
    session_fail_err(s, err);
    return NEXT_FAILED;
}

/* ---- frames */

static enum next file_begin(struct session *s, const struct feed_item *item)
{
    Logtailer__Tail__FileBegin m = LOGTAILER__TAIL__FILE_BEGIN__INIT;
    struct place at;
    place_set(&at, &s->feed.file->info, s->feed.trk.offset);
    m.position = &at.position;
    m.format_description = (ProtobufCBinaryData){.len = item->fde_len, .data = (uint8_t *)item->fde};
    m.new_lineage = item->new_lineage;
    m.flavor = item->mariadb ? "mariadb" : "mysql";
    return built(s, out_build(s, FRAME_FILE_BEGIN, &m.base, 0));
}

static enum next file_end_frame(struct session *s, bool aborted)
{
    Logtailer__Tail__FileEnd m = LOGTAILER__TAIL__FILE_END__INIT;
    struct place at;
    place_set(&at, &s->feed.file->info, s->feed.trk.offset);
    m.position = &at.position;
    m.aborted = aborted;
    return built(s, out_build(s, FRAME_FILE_END, &m.base, 0));
}

static enum next end(struct session *s)
{
    Logtailer__Tail__End m = LOGTAILER__TAIL__END__INIT;
    struct place at;
    place_set(&at, &s->feed.file->info, s->feed.trk.offset);
    m.position = &at.position;
    s->last = true;
    bool ok = out_build(s, FRAME_END, &m.base, 0);
    session_set_state(s, SESSION_CLOSING);
    session_arm_timer(s, SERVE_LINGER_US);
    return built(s, ok);
}

static enum next heartbeat(struct session *s)
{
    Logtailer__Tail__Heartbeat m = LOGTAILER__TAIL__HEARTBEAT__INIT;
    struct place at;
    bool sealed;
    if (s->w->newest.file != NULL) {
        place_set(&at, &s->w->newest.file->info, file_end(s->w->newest.file, &sealed));
        m.durable = &at.position;
    }
    m.source_time_us = atomic_load_explicit(&s->w->s->source_time_us, memory_order_relaxed);
    m.server_time_us = clock_wall_us();
    return built(s, out_build(s, FRAME_HEARTBEAT, &m.base, 0));
}

static enum next committed(struct session *s)
{
    Logtailer__Tail__Committed m = LOGTAILER__TAIL__COMMITTED__INIT;
    tail_position at = LOGTAILER__TAIL__POSITION__INIT;
    at.lineage = s->committed->lineage;
    at.source_id = s->committed->source_id;
    at.file = s->committed->file;
    at.offset = s->committed->offset;
    m.position = &at;
    bool ok = out_build(s, FRAME_COMMITTED, &m.base, 0);
    free(s->committed);
    s->committed = NULL;
    return built(s, ok);
}

static enum next send_batch(struct session *s, const struct walk_batch *b)
{
    Logtailer__Tail__Batch m = LOGTAILER__TAIL__BATCH__INIT;
    m.lineage = s->feed.file->info.lineage;
    m.file = s->feed.file->info.file;
    m.offset = b->from;
    m.next_offset = b->to;
    m.count = b->count;
    m.boundary = b->boundary;
    if (!out_build(s, FRAME_BATCH, &m.base, (uint32_t)(b->to - b->from)))
        return no_memory(s);
    s->pay_file = s->feed.file; /* which does not change before all of it is sent */
    s->pay_off = b->from;
    s->pay_left = b->to - b->from;
    atomic_fetch_add_explicit(&s->w->s->sent_bytes, s->pay_left, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->w->s->sent_batches, 1, memory_order_relaxed);
    (void)pthread_mutex_lock(&s->w->pub_lock);
    s->pub.offset = b->to;
    s->pub.sent_bytes += s->pay_left;
    s->pub.sent_batches++;
    (void)pthread_mutex_unlock(&s->w->pub_lock);
    return NEXT_BUILT;
}

/* ---- the stream */

static enum next stream(struct session *s)
{
    struct feed_item item;
    struct lt_err err;
    switch (feed_next(&s->feed, &item, &err)) {
    case FEED_FILE:
        return file_begin(s, &item);
    case FEED_BATCH:
        return send_batch(s, &item.batch);
    case FEED_FILE_END:
        return file_end_frame(s, item.aborted);
    case FEED_END:
        return end(s);
    case FEED_MOVED:
        session_publish_place(s); /* before the file goes */
        feed_let_go(&s->feed);
        return NEXT_YIELD;
    case FEED_AGAIN:
        return NEXT_YIELD;
    case FEED_WAIT:
        return NEXT_WAIT;
    case FEED_FAILED:
        break;
    }
    return failed(s, &err);
}

static bool beat_due(const struct session *s)
{
    if (s->beat)
        return true;
    return clock_mono_us() >= s->sent_us + s->w->heartbeat_us;
}

static enum next choose(struct session *s)
{
    enum next n = NEXT_WAIT;
    if (s->error != NULL && s->state == SESSION_CLOSING)
        return built(s, out_error(s));
    if (s->last || s->state == SESSION_CLOSING || s->state == SESSION_LINGER || s->state == SESSION_PENALTY)
        return NEXT_WAIT;
    if (s->committed != NULL)
        return committed(s);
    if (s->state == SESSION_LOCATING) {
        session_locate(s);
        n = NEXT_YIELD;
    } else if (s->state == SESSION_STREAMING) {
        n = stream(s);
    }
    bool alive = s->state == SESSION_LOCATING || s->state == SESSION_STREAMING;
    if ((n == NEXT_WAIT || n == NEXT_YIELD) && alive && s->error == NULL && beat_due(s))
        return heartbeat(s);
    return n;
}

/* ---- the turn */

static void await_socket(struct session *s)
{
    if (s->ch.wants_write && !s->wants_write) {
        s->wants_write = true;
        (void)event_add(&s->on_write, NULL);
    }
    if (s->state == SESSION_CLOSING) {
        session_move(s, NULL); /* its timer ends it */
        return;
    }
    if (s->list != &s->w->blocked)
        s->progress_us = clock_mono_us(); /* the time runs from now */
    else if (s->blocked_us == s->progress_us)
        return; /* what it sends does not count */
    s->blocked_us = s->progress_us;
    session_move(s, &s->w->blocked);
}

static void linger(struct session *s)
{
    channel_finish(&s->ch);
    session_set_state(s, SESSION_LINGER);
    session_drop_stream(s);
    session_arm_timer(s, SERVE_LINGER_US);
    session_move(s, NULL);
}

static void rest(struct session *s, enum next n)
{
    if (n == NEXT_YIELD || n == NEXT_BUILT || n == NEXT_FAILED)
        session_move(s, &s->w->ready);
    else
        session_move(s, s->state == SESSION_STREAMING ? &s->w->quiet : NULL);
}

void session_pump(struct session *s)
{
    enum next n = NEXT_BUILT;
    if (s->state == SESSION_LINGER || s->state == SESSION_PENALTY) {
        session_move(s, NULL);
        return;
    }
    for (int i = 0; i < TURN_FRAMES && n == NEXT_BUILT; i++) {
        int rc = out_flush(s);
        if (rc == LT_EAGAIN) {
            await_socket(s);
            return;
        }
        if (rc != 0) {
            session_free(s, true);
            return;
        }
        if (s->last) {
            linger(s);
            return;
        }
        n = choose(s);
        if (n == NEXT_FAILED)
            n = NEXT_BUILT; /* the error is next */
    }
    rest(s, n);
}
