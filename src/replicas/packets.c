/*
 * - Packets gather in one buffer; stored bytes that follow it go from the page cache.
 * - The buffer goes when it is empty and nothing follows: who waits costs nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "binlog/packet.h"
#include "replicas/internal.h"

static uint8_t *room(struct client *s, size_t n)
{
    if (n > s->out_cap - s->out_len) {
        size_t cap = s->out_cap < 512 ? 512 : s->out_cap;
        while (cap < s->out_len + n)
            cap *= 2;
        uint8_t *grown = realloc(s->out, cap);
        if (grown == NULL)
            return NULL;
        s->out = grown;
        s->out_cap = cap;
    }
    uint8_t *at = s->out + s->out_len;
    s->out_len += n;
    return at;
}

bool packets_bytes(struct client *s, const void *data, size_t len)
{
    uint8_t *at = room(s, len);
    if (at != NULL)
        memcpy(at, data, len);
    return at != NULL;
}

bool packets_part(struct client *s, uint32_t len)
{
    uint8_t *at = room(s, PACKET_HEADER_LEN);
    if (at == NULL)
        return false;
    store_u24(at, len);
    at[3] = ++s->seq;
    return true;
}

bool packets_packet(struct client *s, const void *payload, size_t len)
{
    return packets_part(s, (uint32_t)len) && packets_bytes(s, payload, len);
}

bool packets_event(struct client *s, const uint8_t *event, size_t len)
{
    static const uint8_t ok = 0;
    return packets_part(s, (uint32_t)len + 1) && packets_bytes(s, &ok, 1) && packets_bytes(s, event, len);
}

bool packets_reply(struct client *s, struct reply *reply)
{
    bool ok = !reply->failed && packets_bytes(s, reply->data, reply->len);
    if (ok)
        s->seq = (uint8_t)(reply->seq - 1);
    reply_fini(reply);
    return ok;
}

bool packets_err(struct client *s, uint16_t code, const char *state, const char *fmt, ...)
{
    char text[1024];
    struct reply reply;
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses va_start when it inlines this function */
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    reply_begin(&reply, s->capabilities, s->seq);
    reply_err(&reply, code, state, text);
    return packets_reply(s, &reply);
}

static int send_some(struct client *s, size_t *ret, struct lt_err *err)
{
    if (s->out_sent == s->out_len)
        return channel_send_file(&s->ch, s->pay_file, s->pay_off, s->pay_left, s->r->scratch, ret, err);
    struct iovec iov = {.iov_base = s->out + s->out_sent, .iov_len = s->out_len - s->out_sent};
    return channel_write(&s->ch, &iov, 1, s->pay_left > 0, ret, err);
}

static void account(struct client *s, size_t n)
{
    s->sent_bytes += n;
    atomic_fetch_add_explicit(&s->r->sent_bytes, n, memory_order_relaxed);
    s->progress_us = clock_mono_us();
    if (s->out_sent < s->out_len) {
        s->out_sent += n;
        if (s->out_sent == s->out_len)
            s->out_sent = s->out_len = 0;
        return;
    }
    s->pay_off += n;
    s->pay_left -= n;
}

int packets_flush(struct client *s, struct lt_err *err)
{
    while (s->out_len > 0 || s->pay_left > 0) {
        size_t n = 0;
        int rc = send_some(s, &n, err);
        if (rc == LT_EAGAIN) {
            if (!s->wants_write)
                s->progress_us = clock_mono_us();
            s->wants_write = true;
            return event_add(&s->on_write, NULL) == 0 ? LT_EAGAIN : LT_ESYS;
        }
        if (rc != 0)
            return rc;
        account(s, n);
    }
    s->wants_write = false;
    return 0;
}
