/*
 * What a session does with its turn: finish the frame on the way, then build the next one, until the socket is full or there is nothing to say.
 *
 * - Order: an error; a commit's answer; the stream; a heartbeat when one is due.
 * - Stream: FileBegin, batches up to the readable end, FileEnd once the file is whole, the next file. With until_end, End at the place that was the
 *   watermark when the subscription came.
 * - A bounded number of batches per turn; then the others have theirs.
 * Failure: damage in a stored file is told to the consumer; a socket that breaks ends the session.
 */
#include <stdlib.h>
#include <string.h>

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

static enum next file_begin(struct session *s)
{
    Logtailer__Tail__FileBegin m = LOGTAILER__TAIL__FILE_BEGIN__INIT;
    struct place at;
    const uint8_t *fde;
    struct event_fde parsed;
    struct lt_err err;
    size_t len;
    int rc = file_fde(s->file, &fde, &len, &parsed, &err);
    if (rc == LT_EAGAIN)
        return NEXT_WAIT;
    if (rc != 0)
        return failed(s, &err);
    place_set(&at, &s->file->info, s->trk.offset);
    m.position = &at.position;
    m.format_description = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)fde};
    m.new_lineage = s->new_lineage;
    m.flavor = parsed.is_mariadb ? "mariadb" : "mysql";
    if (!out_build(s, FRAME_FILE_BEGIN, &m.base, 0))
        return no_memory(s);
    s->begun = true;
    s->new_lineage = false;
    return NEXT_BUILT;
}

static enum next file_end_frame(struct session *s)
{
    Logtailer__Tail__FileEnd m = LOGTAILER__TAIL__FILE_END__INIT;
    struct store_segment_info info;
    struct place at;
    store_reader_info(s->file->reader, &info);
    place_set(&at, &s->file->info, s->trk.offset);
    m.position = &at.position;
    m.aborted = info.aborted_tail;
    s->ended = true;
    return built(s, out_build(s, FRAME_FILE_END, &m.base, 0));
}

static enum next end(struct session *s)
{
    Logtailer__Tail__End m = LOGTAILER__TAIL__END__INIT;
    struct place at;
    place_set(&at, &s->file->info, s->trk.offset);
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
    if (s->w->newest != NULL) {
        place_set(&at, &s->w->newest->info, file_end(s->w->newest, &sealed));
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
    m.lineage = s->file->info.lineage;
    m.file = s->file->info.file;
    m.offset = b->from;
    m.next_offset = b->to;
    m.count = b->count;
    m.boundary = b->boundary;
    if (!out_build(s, FRAME_BATCH, &m.base, (uint32_t)(b->to - b->from)))
        return no_memory(s);
    s->pay_file = s->file; /* which does not change before all of it is sent */
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

/* The batch for this place, perhaps as cut for the consumer before. */
static int cut(struct session *s, const struct walk_limits *limits, struct walk_batch *ret, struct lt_err *err)
{
    struct batch_memo *memo = &s->w->memo;
    bool sealed;
    uint64_t readable = file_end(s->file, &sealed);
    bool shared = s->filter == NULL && limits->end == UINT64_MAX;
    if (shared && memo->file_id == s->file->id && memo->from == s->trk.offset && memo->end == readable &&
        memo->max_bytes == limits->max_bytes) {
        *ret = memo->batch;
        s->trk = memo->after;
        return 0;
    }
    uint64_t from = s->trk.offset;
    int rc = walk_batch(&s->w->window, s->file, &s->trk, limits, s->filter, ret, err);
    /* Only what ends at or before the end seen above: the file may have grown meanwhile. */
    if (rc == 0 && shared && ret->count > 0 && ret->to <= readable)
        *memo = (struct batch_memo){.file_id = s->file->id,
                                    .from = from,
                                    .end = readable,
                                    .max_bytes = limits->max_bytes,
                                    .batch = *ret,
                                    .after = s->trk};
    return rc;
}

static bool in_end_file(const struct session *s)
{
    return s->end_file != NULL && s->end_file->info.lineage == s->file->info.lineage &&
           strcmp(s->end_file->info.file, s->file->info.file) == 0;
}

/* For a descriptor. All who read a file may be waiting for the next: after a while they let go of it, and come back. */
static bool may_wait(struct session *s)
{
    uint64_t now = clock_mono_us();
    if (s->starved_us == 0)
        s->starved_us = now;
    return now - s->starved_us < SERVE_STARVED_US;
}

/* In front of another file; NEXT_YIELD: it is open. */
static enum next next_file(struct session *s)
{
    struct store_segment_info info;
    struct serve_file *next = NULL;
    struct lt_err err;
    if (store_reader_next_info(s->file->reader, &info) != 0)
        return NEXT_WAIT;
    bool other = info.lineage != s->file->info.lineage;
    int rc = 0;
    if (other && s->filter != NULL) {
        rc = walk_filter_new_lineage(s->filter);
        rc = rc != 0 ? lt_err_set(&err, rc, "GTID set")
                     : seek_gtids(s->w->s, info.lineage, &s->filter->held, &info, &err);
    }
    if (rc == 0)
        rc = files_get(&s->w->s->files, info.lineage, info.file, files_is_sole(s->file) ? FILES_MUST : FILES_IF_ROOM,
                       &next, &err);
    if (rc == LT_EBUSY && may_wait(s))
        return NEXT_WAIT; /* asked again with each heartbeat; and nobody who waits keeps a file to himself */
    if (rc == 0)
        rc = walk_seed(next, BINLOG_MAGIC_LEN, &s->trk, &err);
    if (rc != 0) {
        files_put(next);
        return failed(s, &err);
    }
    struct serve_file *before = s->file;
    s->file = next;
    s->starved_us = 0;
    session_publish_place(s);
    files_put(before);
    s->new_lineage = s->new_lineage || other;
    s->begun = s->ended = false;
    if (s->filter != NULL)
        s->filter->skipping = false;
    return NEXT_YIELD;
}

static enum next stream(struct session *s)
{
    struct walk_limits limits = {.max_bytes = s->max_batch, .end = in_end_file(s) ? s->end_offset : UINT64_MAX};
    struct walk_batch b;
    struct lt_err err;
    bool sealed;

    if (in_end_file(s) && s->trk.offset >= s->end_offset)
        return end(s);
    if (!s->begun)
        return file_begin(s);
    if (cut(s, &limits, &b, &err) != 0)
        return failed(s, &err);
    if (b.count > 0)
        return send_batch(s, &b);
    if (b.more || (in_end_file(s) && s->trk.offset >= s->end_offset))
        return NEXT_YIELD;
    if (s->trk.offset < file_end(s->file, &sealed))
        return NEXT_YIELD; /* it grew meanwhile */
    /* Sealed is seen before its size: look at the size again now that it is final. */
    if (!sealed)
        return NEXT_WAIT;
    return s->ended ? next_file(s) : file_end_frame(s);
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
