/*
 * Packets in.
 *
 * - They are read to their own end and no further, so that nothing of a TLS handshake is taken for clear text, and nothing sent in clear text in front of it is
 *   taken for what came inside.
 * - No command is read while the socket does not take an answer, and few while answers gather.
 * - What commands need that are not there whole is bounded for all together; who holds most of it is closed for those who need little.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "binlog/packet.h"
#include "replicas/internal.h"

#define STRAY_MAX    65536u    /* who is streamed to has nothing to say */
#define STRAY_US     60000000u /* in such a time */
#define READ_STEPS   64
#define READ_BYTES   262144u /* of one large command in a turn */
#define ANSWERS_MAX  16384u  /* that wait to be sent together */
#define OUT_OF_ORDER 1156
#define TOO_LARGE    1153

void input_drop(struct client *s)
{
    s->r->input_memory -= s->in_cap;
    free(s->in);
    s->in = NULL;
    s->in_len = s->in_cap = 0;
    s->head_len = 0;
    s->part_more = false;
}

static struct client *largest(struct replicas *r)
{
    struct client *worst = TAILQ_FIRST(&r->all);
    for (struct client *s = worst; s != NULL; s = TAILQ_NEXT(s, link))
        worst = s->in_cap > worst->in_cap ? s : worst;
    return worst;
}

/* Who holds most gives up first. False: that is who asks. */
static bool make_memory(struct client *s, size_t cap)
{
    struct replicas *r = s->r;
    while (r->input_memory + cap - s->in_cap > r->policy->input_memory) {
        struct client *worst = largest(r);
        if (worst == s || worst->in_cap < cap)
            return false;
        client_close(worst, "it sends a large command, and others need the memory");
    }
    return true;
}

static bool input_room(struct client *s, size_t n)
{
    size_t cap = s->in_cap < 256 ? 256 : s->in_cap;
    while (cap < s->in_len + n)
        cap *= 2;
    if (cap == s->in_cap)
        return true;
    if (!make_memory(s, cap))
        return false;
    uint8_t *grown = realloc(s->in, cap);
    if (grown == NULL)
        return false;
    s->r->input_memory += cap - s->in_cap;
    s->in = grown;
    s->in_cap = cap;
    return true;
}

static void last_words(struct client *s, uint16_t code, const char *text)
{
    if (packets_err(s, code, "08S01", "%s", text))
        client_set_state(s, CLIENT_CLOSING);
    else
        client_close(s, "out of memory");
}

/* A packet's 4 bytes are there. False: the session is on its way out. */
static bool take_head(struct client *s)
{
    bool before = s->state < CLIENT_COMMAND;
    s->part_left = load_u24(s->head);
    uint8_t expected = s->part_more || before ? (uint8_t)(s->seq + 1) : 0;
    if (s->head[3] != expected) {
        last_words(s, OUT_OF_ORDER, "Got packets out of order");
        return false;
    }
    s->seq = s->head[3];
    s->part_more = s->part_left == PACKET_MAX_PART;
    if (s->in_len + s->part_left > (before ? REPLICAS_LOGIN_MAX : REPLICAS_COMMAND_MAX)) {
        last_words(s, TOO_LARGE, "Got a packet bigger than 'max_allowed_packet' bytes");
        return false;
    }
    return true;
}

static void dispatch(struct client *s)
{
    uint8_t none = 0;
    uint8_t *payload = s->in; /* taken out, because what is done with it may end the session */
    size_t len = s->in_len;
    size_t cap = s->in_cap;
    struct replicas *r = s->r;
    s->in = NULL;
    s->in_len = s->in_cap = s->head_len = 0;
    s->command_us = 0;
    if (s->state == CLIENT_COMMAND)
        answers_command(s, payload != NULL ? payload : &none, len);
    else
        login_packet(s, payload != NULL ? payload : &none, len);
    if (payload != NULL)
        explicit_bzero(payload, len < REPLICAS_LOGIN_MAX ? len : REPLICAS_LOGIN_MAX); /* it may be a password */
    free(payload);
    r->input_memory -= cap;
}

/* LT_OK: a whole packet was dealt with, or a part of one. */
static int read_some(struct client *s, struct lt_err *err)
{
    size_t n = 0;
    if (s->head_len < sizeof s->head) {
        int rc = channel_read(&s->ch, s->head + s->head_len, sizeof s->head - s->head_len, &n, err);
        if (rc != 0)
            return rc;
        s->head_len += n;
        if (s->command_us == 0)
            s->command_us = clock_mono_us();
        if (s->head_len < sizeof s->head || !take_head(s))
            return 0;
    } else {
        size_t want = s->part_left < 65536 ? s->part_left : 65536;
        if (!input_room(s, want))
            return lt_err_set(err, LT_ENOMEM, "too much is being sent to us");
        int rc = channel_read(&s->ch, s->in + s->in_len, want, &n, err);
        if (rc != 0)
            return rc;
        s->in_len += n;
        s->part_left -= (uint32_t)n;
    }
    if (s->part_left > 0)
        return 0;
    s->head_len = 0;
    if (!s->part_more)
        dispatch(s);
    return 0;
}

/* Bytes of those who are streamed to: nobody looks at them. */
static int read_stray(struct client *s, struct lt_err *err)
{
    uint8_t buf[1024];
    size_t n = 0;
    int rc = channel_read(&s->ch, buf, sizeof buf, &n, err);
    if (rc != 0)
        return rc;
    uint64_t now = clock_mono_us();
    if (now - s->stray_us > STRAY_US) { /* some clients ping us on and on, and are ignored as servers do it */
        s->stray_us = now;
        s->stray = 0;
    }
    s->stray += n;
    return s->stray > STRAY_MAX ? lt_err_set(err, LT_EPROTO, "it talks while it is streamed to") : 0;
}

static bool wants_packets(const struct client *s)
{
    return (s->state == CLIENT_LOGIN || s->state == CLIENT_AUTH || s->state == CLIENT_COMMAND) && !s->wants_write;
}

bool input_is_stray(const struct client *s)
{
    return s->state == CLIENT_STREAMING || s->state == CLIENT_LOCATING || s->state == CLIENT_PENALTY;
}

bool input_is_wanted(const struct client *s)
{
    return wants_packets(s) || input_is_stray(s) || s->state == CLIENT_TLS;
}

void input_read(struct client *s)
{
    struct lt_err err = {0};
    int rc = 0;
    int turns = 0;
    bool later = false;
    size_t began = s->in_len;
    for (; rc == 0 && !s->dead && !later; turns++) {
        if (input_is_stray(s))
            rc = read_stray(s, &err);
        else if (wants_packets(s))
            rc = read_some(s, &err);
        else
            break;
        later = turns + 1 == READ_STEPS || s->in_len - began > READ_BYTES || s->out_len > ANSWERS_MAX;
    }
    if (s->dead)
        return;
    if (rc != 0 && rc != LT_EAGAIN) {
        client_close(s, rc == LT_EOS ? NULL : err.text);
        return;
    }
    if (later)
        client_turn_later(s); /* others first; TLS may hold bytes that the socket does not show */
    if (s->ch.wants_write)
        (void)event_add(&s->on_write, NULL);
}
