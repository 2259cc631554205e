/*
 * HelloReply | (FileBegin (Batch | Heartbeat | Committed)* FileEnd)* End, and Error anywhere.
 *
 * - An event is handed out as soon as it is there whole, also while its batch is not.
 * - Positions must join: what is missing between two events that no GTID set explains is refused, as a hole in the history would be.
 * Failure: nothing of the bad frame counts; the caller closes the connection and may go on from `at` over another.
 */
#include "client/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/stream_frames.h"
#include "tailwire/message.h"

void stream_fini(struct stream *st)
{
    message_free(st->message);
    st->message = NULL;
    gtid_set_fini(&st->gtids);
}

void stream_connected(struct stream *st)
{
    message_free(st->message);
    st->message = NULL;
    st->state = STREAM_WANT_HELLO;
    st->need = FRAME_HEADER_LEN;
    st->in_batch = false;
    st->caught_up = st->say_caught_up = st->say_file = false;
    st->durable = (struct place){0};
}

void stream_subscribed(struct stream *st, const struct stream_ask *ask)
{
    st->state = STREAM_WANT_FILE;
    st->resumed = ask->resumed;
    st->exact = ask->resumed || ask->start != NULL;
    if (ask->resumed || ask->start == NULL)
        return;
    st->at = *ask->start;
    st->at.skip = 0;
    st->boundary = st->at;
    st->pass_until = ask->start->offset + ask->start->skip;
}

bool stream_in_transaction(const struct stream *st)
{
    return place_is_set(&st->at) && st->txn.open;
}

struct place stream_exact(const struct stream *st)
{
    struct place p = st->at;
    uint64_t done = p.offset > st->pass_until ? p.offset : st->pass_until;
    if (st->txn.open && done > st->txn.open_start) {
        p.offset = st->txn.open_start;
        p.skip = done - st->txn.open_start;
    }
    return p;
}

/* ---- events of a batch ---- */

static int fail(struct lt_err *err, const struct stream *st, const char *what)
{
    return lt_err_set(err, LT_EPROTO, "%s:%" PRIu64 ": %s", st->at.file, st->at.offset, what);
}

static int end_batch(struct stream *st, struct lt_err *err)
{
    st->in_batch = false;
    if (st->count_left != 0)
        return fail(err, st, "a batch held fewer events than it said");
    if (!st->batch_boundary)
        return 0;
    if (st->txn.open) {
        struct txn_step step;
        (void)txn_force_boundary(&st->txn, &step);
    }
    st->midway = false;
    st->boundary = st->at;
    return 0;
}

static int checksum_of(const uint8_t *event, const struct event_header *h, const struct stream *st,
                       enum checksum_alg *ret, struct lt_err *err)
{
    struct event_fde fde;
    *ret = st->txn.checksum;
    if (h->type == EVENT_FORMAT_DESCRIPTION) {
        if (event_fde_parse(event, h->length, &fde) != 0)
            return fail(err, st, "a format description event that cannot be understood");
        *ret = fde.checksum;
    } else if (!st->txn.have_fde) {
        return fail(err, st, "the file does not begin with a format description event");
    }
    return 0;
}

static int check_event(struct stream *st, const uint8_t *event, const struct event_header *h, unsigned *ret_marks,
                       struct lt_err *err)
{
    enum checksum_alg alg;
    int rc = checksum_of(event, h, st, &alg, err);
    if (rc != 0)
        return rc;
    *ret_marks = alg == CHECKSUM_CRC32 ? BINLOGTAIL_CRC : 0;
    if (alg == CHECKSUM_CRC32 && !st->no_checksum && !event_crc_ok(event, h->length))
        return lt_err_set(err, LT_ECHECKSUM, "%s:%" PRIu64 ": the checksum of this %s event is wrong", st->at.file,
                          st->at.offset, event_type_name(h->type));
    return 0;
}

static bool begins_transaction(uint8_t type)
{
    return type == EVENT_GTID || type == EVENT_ANONYMOUS_GTID || type == EVENT_GTID_TAGGED ||
           type == EVENT_MARIADB_GTID;
}

/* Moves the tracker over the event and says what that was. */
static int track(struct stream *st, const uint8_t *event, const struct event_header *h, unsigned *marks,
                 struct lt_err *err)
{
    struct txn_step step;
    bool was_open = st->txn.open;
    uint64_t start = st->at.offset;
    txn_feed(&st->txn, h, event, h->length, &step);
    bool begins = begins_transaction(h->type) || (!was_open && st->txn.open);
    if (was_open && !step.completed && (begins || !st->txn.open))
        *marks |= BINLOGTAIL_TXN_CUT;
    if (begins)
        *marks |= BINLOGTAIL_TXN_BEGIN | BINLOGTAIL_TXN_PART;
    if (st->txn.open || step.completed)
        *marks |= BINLOGTAIL_TXN_PART;
    if (step.completed)
        *marks |= BINLOGTAIL_TXN_END;
    st->gtid_text[0] = '\0';
    if (*marks & BINLOGTAIL_TXN_PART)
        (void)gtid_format(step.completed ? &step.gtid : &st->txn.open_gtid, st->gtid_text, sizeof st->gtid_text);
    if (begins) {
        st->midway = false;
        st->boundary.offset = start;
    }
    if (st->by_gtids && step.completed && step.gtid.kind != GTID_NONE &&
        gtid_set_add(&st->gtids, &step.gtid) == LT_ENOMEM)
        return lt_err_set(err, LT_ENOMEM, "out of memory for the GTID set");
    st->at.offset += h->length;
    if (!st->txn.open && !st->midway)
        st->boundary = st->at;
    return 0;
}

static void describe(struct stream *st, const uint8_t *event, const struct event_header *h,
                     struct binlogtail_event *ret)
{
    ret->kind = BINLOGTAIL_EVENT;
    ret->position = place_view(&st->at);
    ret->position.offset = st->at.offset - h->length;
    ret->end_offset = st->at.offset;
    ret->data = event;
    ret->length = h->length;
    ret->time_s = h->timestamp;
    ret->server_id = h->server_id;
    ret->log_pos = h->log_pos;
    ret->flags = h->flags;
    ret->type = h->type;
    ret->type_name = event_type_name(h->type);
    ret->gtid = st->gtid_text;
    ret->flavor = st->mariadb ? "mariadb" : "mysql";
}

/* STREAM_MORE also when the event is to be passed over. */
static int take_event(struct stream *st, struct inbuf *in, struct binlogtail_event *ret, struct lt_err *err)
{
    struct event_header h;
    st->need = EVENT_HEADER_LEN;
    if (st->payload_left < EVENT_HEADER_LEN || st->count_left == 0)
        return fail(err, st, "a batch's payload is not whole events");
    if (inbuf_len(in) < EVENT_HEADER_LEN)
        return STREAM_MORE;
    if (event_header_parse(inbuf_head(in), inbuf_len(in), &h) != 0 || h.length > st->payload_left)
        return fail(err, st, "no event where one must begin");
    if (h.length > st->max_event)
        return lt_err_set(err, LT_ETOOBIG, "%s:%" PRIu64 ": an event of %" PRIu32 " bytes, the limit is %" PRIu32,
                          st->at.file, st->at.offset, h.length, st->max_event);
    st->need = h.length;
    if (inbuf_len(in) < h.length)
        return STREAM_MORE;
    const uint8_t *event = inbuf_head(in);
    int rc = check_event(st, event, &h, &ret->marks, err);
    if (rc == 0)
        rc = track(st, event, &h, &ret->marks, err);
    if (rc != 0)
        return rc;
    inbuf_take(in, h.length);
    st->payload_left -= h.length;
    st->count_left--;
    st->need = FRAME_HEADER_LEN;
    if (st->at.offset <= st->pass_until)
        return STREAM_MORE;
    describe(st, event, &h, ret);
    return STREAM_EVENT;
}

/* ---- frames ---- */

static int take_frame(struct stream *st, struct inbuf *in, struct binlogtail_event *ret, struct lt_err *err)
{
    static const struct frame_limits limits = {.message_max = FRAME_REPLY_MAX, .payload_max = UINT32_MAX};
    struct frame_header h;
    st->need = FRAME_HEADER_LEN;
    if (inbuf_len(in) == 0)
        return STREAM_MORE;
    int rc = frame_header_parse(inbuf_head(in), inbuf_len(in), &limits, &h, err);
    if (rc == LT_ESHORT)
        return STREAM_MORE;
    if (rc != 0)
        return rc;
    st->need = FRAME_HEADER_LEN + h.message_len;
    if (inbuf_len(in) < st->need)
        return STREAM_MORE;
    rc = stream_frame(st, &h, inbuf_head(in) + FRAME_HEADER_LEN, ret, err);
    inbuf_take(in, st->need);
    st->need = FRAME_HEADER_LEN;
    return rc;
}

/* True when there is enough for another step. */
static bool can_go_on(const struct stream *st, const struct inbuf *in)
{
    if (st->say_file || (st->in_batch && st->payload_left == 0))
        return true;
    return inbuf_len(in) >= st->need;
}

static bool reached(const struct stream *st)
{
    return st->state == STREAM_IN_FILE && place_is_set(&st->durable) && !st->txn.open &&
           place_compare(&st->at, &st->durable) >= 0;
}

static int step(struct stream *st, struct inbuf *in, struct binlogtail_event *ret, struct lt_err *err)
{
    if (st->say_file)
        return stream_say_file(st, ret);
    if (!st->in_batch)
        return take_frame(st, in, ret, err);
    return st->payload_left == 0 ? end_batch(st, err) : take_event(st, in, ret, err);
}

int stream_next(struct stream *st, struct inbuf *in, struct binlogtail_event *ret, struct lt_err *err)
{
    int rc;
    if (!st->say_file) { /* which still needs it */
        message_free(st->message);
        st->message = NULL;
    }
    do {
        if (!st->caught_up && reached(st)) {
            st->caught_up = true;
            *ret = (struct binlogtail_event){.kind = BINLOGTAIL_CAUGHT_UP, .gtid = ""};
            ret->position = place_view(&st->at);
            ret->end_offset = st->at.offset;
            ret->durable = place_view(&st->durable);
            return STREAM_EVENT;
        }
        *ret = (struct binlogtail_event){.type_name = "", .gtid = "", .flavor = ""};
        rc = step(st, in, ret, err);
    } while (rc == STREAM_MORE && can_go_on(st, in));
    return rc;
}
