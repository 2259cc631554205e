/*
 * What a client sends, from bytes to requests.
 *
 * - Input goes through the worker's scratch; only what is not a whole frame is kept, in memory that grows with what has come, not with what is claimed.
 * - Which request is expected depends on the state; once an error is on its way nothing is looked at any more.
 * Failure: an Error frame, by session_fail.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/serve_internal.h"

static void handle(struct session *s, const struct request *r)
{
    switch (s->state) {
    case SESSION_HELLO:
        if (r->type == FRAME_HELLO) {
            session_hello(s, r->hello);
            return;
        }
        break;
    case SESSION_READY:
        if (r->type == FRAME_SUBSCRIBE) {
            session_subscribe(s, r->subscribe);
            return;
        }
        if (r->type == FRAME_COMMIT) {
            session_commit(s, r->commit);
            return;
        }
        break;
    case SESSION_LOCATING:
    case SESSION_STREAMING:
        if (r->type == FRAME_COMMIT) {
            session_commit(s, r->commit);
            return;
        }
        break;
    case SESSION_PEEK:
    case SESSION_TLS:
    case SESSION_PENALTY:
    case SESSION_CLOSING:
    case SESSION_LINGER:
    default:
        return;
    }
    session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_PROTOCOL, 0, "a %s frame is not expected now",
                 frame_type_name(r->type));
}

static bool takes_input(const struct session *s)
{
    return s->error == NULL && (s->state == SESSION_HELLO || s->state == SESSION_READY ||
                                s->state == SESSION_LOCATING || s->state == SESSION_STREAMING);
}

static void bad_frame(struct session *s, const uint8_t *data, int rc, const struct lt_err *err)
{
    if (data[0] == 0x16 && s->state == SESSION_HELLO && s->ch.ssl == NULL)
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_PROTOCOL, 0,
                     "this listener does not speak TLS (tail.ssl_cert is not set)");
    else if (rc == LT_EPROTO || rc == LT_ETOOBIG)
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_PROTOCOL, 0, "%s", err->text);
    else
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_INTERNAL, SERVE_RETRY_MAX_MS, "%s", err->text);
}

/* All whole frames of data; how many bytes they were. */
static size_t take_frames(struct session *s, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (at < len && takes_input(s)) {
        struct request r;
        struct lt_err err;
        size_t used = 0;
        uint32_t max = s->state == SESSION_HELLO ? SERVE_HELLO_MAX : FRAME_REQUEST_MAX;
        int rc = request_parse(data + at, len - at, max, &r, &used, &err);
        if (rc == LT_ESHORT)
            break;
        if (rc != 0) {
            bad_frame(s, data + at, rc, &err);
            break;
        }
        at += used;
        handle(s, &r);
        request_fini(&r);
    }
    return takes_input(s) ? at : len; /* what comes after the end is of no interest */
}

static int keep(struct session *s, const uint8_t *data, size_t len)
{
    if (s->in_len + len > s->in_cap) {
        size_t want = s->in_len + len < 512 ? 512 : (s->in_len + len) * 2;
        uint8_t *grown = realloc(s->in, want);
        if (grown == NULL)
            return LT_ENOMEM;
        s->in = grown;
        s->in_cap = want;
    }
    memcpy(s->in + s->in_len, data, len);
    s->in_len += len;
    return 0;
}

static void drop_input(struct session *s)
{
    free(s->in);
    s->in = NULL;
    s->in_len = s->in_cap = 0;
}

/* A frame that was begun must end in time, also on a stream that needs no more of them. */
static void guard_partial(struct session *s, bool was_partial)
{
    if (s->state != SESSION_STREAMING && s->state != SESSION_LOCATING)
        return;
    struct serve_policy *p = policy_get(s->w->s);
    if (s->in_len == 0)
        session_arm_timer(s, 0);
    else if (!was_partial)
        session_arm_timer(s, p->handshake_us);
    policy_put(p);
}

void session_input(struct session *s, const uint8_t *data, size_t len)
{
    bool was_partial = s->in_len > 0;
    if (!takes_input(s))
        return;
    if (!was_partial) {
        size_t used = take_frames(s, data, len);
        if (used < len && keep(s, data + used, len - used) != 0)
            session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_INTERNAL, SERVE_RETRY_MAX_MS, "out of memory");
    } else if (keep(s, data, len) != 0) {
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_INTERNAL, SERVE_RETRY_MAX_MS, "out of memory");
    } else {
        size_t used = take_frames(s, s->in, s->in_len);
        s->in_len -= used;
        if (s->in_len == 0)
            drop_input(s);
        else if (used > 0)
            memmove(s->in, s->in + used, s->in_len);
    }
    guard_partial(s, was_partial);
    session_charge(s);
}
