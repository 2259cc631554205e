/*
 * What leaves a session: frames, their payload, errors.
 *
 * - One frame at a time; the next is built when the last has left, so a slow consumer holds one header in memory and a place in a file.
 * - A small payload that the worker's window holds leaves with its header in one call; else sendfile takes it from the page cache.
 * - An error waits for the frame on the way, is the last frame, and has a cure for each code.
 * Failure: out of memory ends the session; there is nothing to say it with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/serve_internal.h"

#define SMALL_PAYLOAD 65536u
#define CODE(name)    LOGTAILER__TAIL__ERROR_CODE__ERROR_##name

const char *error_cure(int code)
{
    static const struct {
        int code;
        const char *cure;
    } cures[] = {
        {CODE(PROTOCOL), "speak the tail protocol (proto/README.md); use binlogtail or libbinlogtail"},
        {CODE(VERSION), "use a client and a server that have a protocol version in common"},
        {CODE(AUTH),
         "send USER:SECRET of a user in tail.users_file (nothing where the message says that there are no users), or a "
         "client certificate that tail.ssl_ca vouches for"},
        {CODE(FORBIDDEN), "use a consumer name that is the user's name or begins with it and a dot"},
        {CODE(TLS_REQUIRED), "connect with TLS"},
        {CODE(TOO_MANY),
         "come back later, or raise tail.max_consumers; where names are too many, use one that there is, or "
         "raise the key that the message names"},
        {CODE(TIMEOUT), "send Hello and Subscribe as soon as the connection stands, and whole frames"},
        {CODE(NOT_FOUND), "start at the earliest position, or check the file name and the server"},
        {CODE(PURGED), "start at the earliest position; what is missing must come from a backup or another copy"},
        {CODE(AHEAD), "this server has not got there: wait, or find out whether its history is the consumer's"},
        {CODE(BAD_POSITION), "use a position that a batch or heartbeat of this server gave"},
        {CODE(WRONG_LINEAGE), "the source's history was replaced: start by GTID set, or at the earliest position"},
        {CODE(BAD_GTID_SET), "send a GTID set in the notation of the source's flavour"},
        {CODE(NAME_IN_USE), "give each running consumer its own name"},
        {CODE(UNNAMED), "name the consumer in Hello to commit positions"},
        {CODE(EMPTY), "wait until the first transaction is stored"},
        {CODE(CORRUPT),
         "the stored file is damaged: start behind it, and have the operator restore it from another copy"},
        {CODE(STOPPING), "connect again after the given time"},
        {CODE(INTERNAL), "see the server's log"},
        {CODE(ENDED), "ask the server's operator why before it comes back"},
    };
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++) {
        if (cures[i].code == code)
            return cures[i].cure;
    }
    return "";
}

void place_set(struct place *p, const struct store_segment_info *info, uint64_t offset)
{
    p->position = (tail_position)LOGTAILER__TAIL__POSITION__INIT;
    p->position.lineage = info->lineage;
    p->position.file = (char *)info->file;
    p->position.source_id = (char *)info->source_id;
    p->position.offset = offset;
}

bool out_build(struct session *s, uint8_t type, const ProtobufCMessage *m, uint32_t payload_len)
{
    lt_assert(s->out == NULL && s->pay_left == 0);
    size_t len = protobuf_c_message_get_packed_size(m);
    s->out = malloc(FRAME_HEADER_LEN + len);
    if (s->out == NULL || len > FRAME_REPLY_MAX) {
        free(s->out);
        s->out = NULL;
        return false;
    }
    frame_header_write(s->out, (enum frame_type)type, (uint32_t)len, payload_len);
    (void)protobuf_c_message_pack(m, s->out + FRAME_HEADER_LEN);
    s->out_len = FRAME_HEADER_LEN + len;
    s->out_sent = 0;
    s->sent_us = clock_mono_us();
    s->beat = false;
    return true;
}

static void took(struct session *s, size_t n)
{
    size_t head = s->out_len - s->out_sent;
    s->progress_us = clock_mono_us();
    if (n < head) {
        s->out_sent += n;
        return;
    }
    if (s->out != NULL) {
        free(s->out);
        s->out = NULL;
        s->out_len = s->out_sent = 0;
    }
    s->pay_off += n - head;
    s->pay_left -= n - head;
}

static int send_once(struct session *s, struct lt_err *err)
{
    size_t n = 0;
    int rc;
    if (s->out != NULL) {
        struct iovec iov[2] = {{.iov_base = s->out + s->out_sent, .iov_len = s->out_len - s->out_sent}};
        const uint8_t *held = s->pay_left > 0 && s->pay_left <= SMALL_PAYLOAD
                                  ? window_peek(&s->w->desk.window, s->pay_file, s->pay_off, (size_t)s->pay_left)
                                  : NULL;
        iov[1] = (struct iovec){.iov_base = (void *)held, .iov_len = held != NULL ? (size_t)s->pay_left : 0};
        rc = channel_write(&s->ch, iov, held != NULL ? 2 : 1, s->pay_left > 0 && held == NULL, &n, err);
    } else {
        rc = channel_send_file(&s->ch, s->pay_file, s->pay_off, s->pay_left, s->w->scratch, &n, err);
    }
    if (rc == 0)
        took(s, n);
    return rc;
}

int out_flush(struct session *s)
{
    struct lt_err err;
    int rc = 0;
    while (rc == 0 && (s->out != NULL || s->pay_left > 0))
        rc = send_once(s, &err);
    if (rc == LT_EAGAIN)
        return rc;
    if (rc == LT_ESYS || rc == LT_ECORRUPT) /* in the middle of a frame: nothing can be said any more */
        log_error("serve", "%s: %s", s->address, err.text);
    if (rc != 0)
        s->pay_left = 0;
    return rc;
}

static bool worth_a_line(int code)
{
    return code != CODE(STOPPING) && code != CODE(EMPTY);
}

void session_fail(struct session *s, int code, uint32_t retry_after_ms, const char *fmt, ...)
{
    va_list ap;
    if (s->error != NULL || s->state == SESSION_CLOSING || s->state == SESSION_LINGER)
        return;
    s->error = calloc(1, sizeof *s->error);
    session_arm_timer(s, SERVE_LINGER_US);
    if (s->error == NULL) {
        session_set_state(s, SESSION_CLOSING); /* without a word; the timer ends it */
        s->last = true;
        return;
    }
    s->error->code = code;
    s->error->retry_after_ms = retry_after_ms;
    va_start(ap, fmt);
    (void)vsnprintf(s->error->message, sizeof s->error->message, fmt, ap);
    va_end(ap);
    if (worth_a_line(code)) {
        atomic_fetch_add(&s->w->s->errors, 1);
        log_info("serve", "%s name=%s user=%s: %s", s->address, s->pub.name, s->pub.user, s->error->message);
    }
    session_set_state(s, SESSION_CLOSING);
}

void session_fail_err(struct session *s, const struct lt_err *err)
{
    switch (err->code) {
    case LT_ENOTFOUND:
        session_fail(s, CODE(PURGED), 0, "%s", err->text);
        return;
    case LT_EBUSY:
        session_fail(s, CODE(TOO_MANY), SERVE_RETRY_MAX_MS, "%s", err->text);
        return;
    case LT_ECORRUPT:
        log_error("serve", "%s", err->text);
        session_fail(s, CODE(CORRUPT), 0, "%s", err->text);
        return;
    default:
        log_error("serve", "%s: %s", s->address, err->text);
        session_fail(s, CODE(INTERNAL), SERVE_RETRY_MAX_MS, "%s", err->text);
    }
}

void session_fail_place(struct session *s, enum places_verdict verdict, const char *why)
{
    static const int codes[] = {
        [PLACES_NOT_FOUND] = CODE(NOT_FOUND),
        [PLACES_PURGED] = CODE(PURGED),
        [PLACES_AHEAD] = CODE(AHEAD),
        [PLACES_BAD] = CODE(BAD_POSITION),
        [PLACES_OTHER_SOURCE] = CODE(WRONG_LINEAGE),
        [PLACES_NO_MEMORY] = CODE(INTERNAL),
    };
    session_fail(s, codes[verdict], verdict == PLACES_NO_MEMORY ? SERVE_RETRY_MAX_MS : 0, "%s", why);
}

bool out_error(struct session *s)
{
    Logtailer__Tail__Error m = LOGTAILER__TAIL__ERROR__INIT;
    struct store_segment_info oldest;
    struct place earliest;
    struct place durable;
    bool sealed;
    m.code = (Logtailer__Tail__ErrorCode)s->error->code;
    m.message = s->error->message;
    m.cure = (char *)error_cure(s->error->code);
    m.retry_after_ms = s->error->retry_after_ms;
    if ((m.code == CODE(PURGED) || m.code == CODE(NOT_FOUND)) && store_oldest(s->w->s->store, &oldest) == 0) {
        place_set(&earliest, &oldest, BINLOG_MAGIC_LEN);
        m.earliest = &earliest.position;
    }
    if (m.code == CODE(AHEAD) && s->w->newest.file != NULL) {
        place_set(&durable, &s->w->newest.file->info, file_end(s->w->newest.file, &sealed));
        m.durable = &durable.position;
    }
    bool ok = out_build(s, FRAME_ERROR, &m.base, 0);
    free(s->error);
    s->error = NULL;
    s->last = true;
    return ok;
}
