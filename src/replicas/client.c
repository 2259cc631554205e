/*
 * A session's life: packets in, turns, time-outs, the end.
 *
 * - Packets are read to their own end and no further, so that nothing of a TLS handshake is taken for clear text, and nothing sent in clear text in front of
 *   it is taken for what came inside.
 * - No command is read while an answer is on its way.
 * - One timer, which means what the state says: the end of the login, the late answer, the next heartbeat, a peer that takes nothing.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/loopback.h"
#include "binlog/packet.h"
#include "replicas/internal.h"

#define TURN_STEPS   16
#define STRAY_MAX    65536u    /* who is streamed to has nothing to say */
#define STRAY_US     60000000u /* in such a time */
#define OUT_KEEP     4096u
#define READ_STEPS   64
#define OUT_OF_ORDER 1156
#define TOO_LARGE    1153

/* ---- timers and turns */

void client_arm(struct client *s, uint64_t us)
{
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    if (us == 0)
        (void)event_del(&s->on_timer);
    else
        (void)event_add(&s->on_timer, &tv);
}

void client_turn_later(struct client *s)
{
    struct timeval now = {0};
    if (s->has_turn)
        return;
    s->has_turn = true;
    TAILQ_INSERT_TAIL(&s->r->turns, s, turn);
    if (!event_pending(&s->r->on_run, EV_TIMEOUT, NULL))
        (void)event_add(&s->r->on_run, &now);
}

void client_set_state(struct client *s, enum client_state state)
{
    bool was = s->state == CLIENT_STREAMING;
    s->state = state;
    if (was != (state == CLIENT_STREAMING))
        atomic_fetch_add(&s->r->streaming, was ? (uint64_t)-1 : 1);
}

/* From now to the next thing that is due while it streams. */
static void arm_stream(struct client *s)
{
    uint64_t now = clock_mono_us();
    uint64_t due = s->st.heartbeat_us > 0 ? s->st.sent_us + s->st.heartbeat_us : 0;
    if (s->wants_write)
        due = s->progress_us + s->r->policy->send_timeout_us;
    if (due != 0)
        client_arm(s, due > now ? due - now : 1);
}

static void on_stream_timer(struct client *s)
{
    uint64_t now = clock_mono_us();
    if (s->wants_write && now - s->progress_us >= s->r->policy->send_timeout_us) {
        atomic_fetch_add(&s->r->slow_closed, 1);
        client_close(s, "it takes nothing");
        return;
    }
    if (!s->wants_write && s->st.heartbeat_us > 0 && now - s->st.sent_us >= s->st.heartbeat_us)
        stream_heartbeat(s);
    client_turn(s); /* arms the timer again */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct client *s = arg;
    (void)fd;
    (void)what;
    switch (s->state) {
    case CLIENT_PENALTY:
        login_penalty_over(s);
        return;
    case CLIENT_STREAMING:
        on_stream_timer(s);
        return;
    case CLIENT_LOGIN:
    case CLIENT_TLS:
    case CLIENT_AUTH:
        client_close(s, "no login in time");
        return;
    case CLIENT_COMMAND:
    case CLIENT_LOCATING:
    case CLIENT_CLOSING:
        client_close(s, "it says nothing");
        return;
    }
}

/* ---- packets in */

static void drop_input(struct client *s)
{
    s->r->input_memory -= s->in_cap;
    free(s->in);
    s->in = NULL;
    s->in_len = s->in_cap = 0;
    s->head_len = 0;
    s->part_more = false;
}

static bool input_room(struct client *s, size_t n)
{
    size_t cap = s->in_cap < 256 ? 256 : s->in_cap;
    while (cap < s->in_len + n)
        cap *= 2;
    if (cap == s->in_cap)
        return true;
    if (s->r->input_memory + cap - s->in_cap > REPLICAS_INPUT_MEMORY)
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

static bool wants_stray(const struct client *s)
{
    return s->state == CLIENT_STREAMING || s->state == CLIENT_LOCATING || s->state == CLIENT_PENALTY;
}

/* Not while we do not read: the loop would come back at once, for ever. */
static void watch(struct client *s)
{
    if (s->dead)
        return;
    if (wants_packets(s) || wants_stray(s) || s->state == CLIENT_TLS)
        (void)event_add(&s->on_read, NULL);
    else
        (void)event_del(&s->on_read);
}

static void read_all(struct client *s)
{
    struct lt_err err = {0};
    int rc = 0;
    int turns = 0;
    for (; rc == 0 && !s->dead && turns < READ_STEPS; turns++) {
        if (wants_stray(s))
            rc = read_stray(s, &err);
        else if (wants_packets(s))
            rc = read_some(s, &err);
        else
            break;
    }
    if (s->dead)
        return;
    if (rc != 0 && rc != LT_EAGAIN) {
        client_close(s, rc == LT_EOS ? NULL : err.text);
        return;
    }
    if (turns == READ_STEPS)
        client_turn_later(s); /* others first; TLS may hold bytes that the socket does not show */
    if (s->ch.wants_write)
        (void)event_add(&s->on_write, NULL);
}

static void go_on(struct client *s)
{
    if (s->state == CLIENT_TLS) {
        login_tls(s);
        if (s->dead || s->state == CLIENT_TLS) {
            watch(s);
            return;
        }
    }
    client_turn(s);
    if (!s->dead && !s->wants_write)
        read_all(s);
    if (!s->dead && (s->out_len > 0 || s->state == CLIENT_CLOSING))
        client_turn(s);
    watch(s);
}

void client_go_on(struct client *s)
{
    go_on(s);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct client *s = arg;
    (void)fd;
    (void)what;
    if (wants_stray(s) && !s->has_turn)
        read_all(s); /* what it is sent goes on by itself */
    else
        go_on(s);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    go_on(arg);
}

/* ---- what leaves */

/* Step by step, while the socket takes it. */
static void stream_turn(struct client *s)
{
    struct lt_err err = {0};
    for (int i = 0; i < TURN_STEPS; i++) {
        enum stream_step step = stream_step(s);
        if (s->dead)
            return;
        int rc = packets_flush(s, &err);
        if (rc != 0 && rc != LT_EAGAIN) {
            client_close(s, err.text);
            return;
        }
        if (step == STREAM_END) {
            client_set_state(s, CLIENT_CLOSING);
            break;
        }
        if (rc == LT_EAGAIN || step == STREAM_WAIT)
            break;
        if (step == STREAM_YIELD || i == TURN_STEPS - 1) {
            client_turn_later(s);
            break;
        }
    }
    arm_stream(s);
}

static void trim_out(struct client *s)
{
    if (s->out_len > 0 || s->out_cap <= OUT_KEEP)
        return;
    free(s->out);
    s->out = NULL;
    s->out_cap = 0;
}

void client_turn(struct client *s)
{
    struct lt_err err = {0};
    int rc = packets_flush(s, &err);
    if (rc != 0 && rc != LT_EAGAIN) {
        client_close(s, err.text);
        return;
    }
    if (rc == LT_EAGAIN) {
        if (s->state == CLIENT_STREAMING)
            arm_stream(s);
        else if (s->state >= CLIENT_COMMAND)
            client_arm(s, s->r->policy->send_timeout_us);
        return;
    }
    if (s->state == CLIENT_LOCATING)
        dump_locate(s);
    if (!s->dead && s->state == CLIENT_STREAMING)
        stream_turn(s);
    if (!s->dead && s->state == CLIENT_CLOSING && s->out_len == 0 && s->pay_left == 0) {
        channel_finish(&s->ch);
        client_close(s, NULL);
    }
    if (!s->dead && !s->has_turn)
        trim_out(s);
}

/* ---- the beginning and the end */

static void name_peer(struct client *s, const struct sockaddr_storage *from)
{
    uint16_t port = 0;
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)from;
        (void)inet_ntop(AF_INET, &a->sin_addr, s->host, sizeof s->host);
        s->loopback = loopback_v4(&a->sin_addr);
        port = ntohs(a->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)from;
        (void)inet_ntop(AF_INET6, &a->sin6_addr, s->host, sizeof s->host);
        s->loopback = loopback_v6(&a->sin6_addr);
        port = ntohs(a->sin6_port);
    }
    (void)snprintf(s->address, sizeof s->address, "%s:%u", s->host, port);
}

static bool assign_events(struct client *s)
{
    struct event_base *base = s->r->base;
    return event_assign(&s->on_read, base, s->ch.fd, EV_READ | EV_PERSIST, on_read, s) == 0 &&
           event_assign(&s->on_write, base, s->ch.fd, EV_WRITE, on_write, s) == 0 &&
           evtimer_assign(&s->on_timer, base, on_timer, s) == 0;
}

void client_begin(struct replicas *r, int fd, const struct sockaddr_storage *from)
{
    struct lt_err err = {0};
    struct client *s = calloc(1, sizeof *s);
    if (s == NULL || channel_open(&s->ch, fd, r->policy->send_timeout_us, &err) != 0) {
        free(s);
        (void)evutil_closesocket(fd);
        return;
    }
    s->r = r;
    s->state = CLIENT_LOGIN;
    s->thread_id = ++r->next_thread_id;
    name_peer(s, from);
    if (!assign_events(s)) {
        channel_close(&s->ch, true);
        free(s);
        return;
    }
    TAILQ_INSERT_TAIL(&r->all, s, link);
    atomic_fetch_add(&r->connected, 1);
    atomic_fetch_add(&r->accepted, 1);
    client_arm(s, r->policy->login_us);
    if (login_greet(s))
        go_on(s);
    else
        client_close(s, "out of memory");
}

/* Freed by the loop, once nobody up the stack holds it. */
void client_close(struct client *s, const char *why)
{
    struct replicas *r = s->r;
    if (s->dead)
        return;
    if (why != NULL)
        log_info("replicas", "%s user=%s: closed: %s", s->address, s->user, why);
    client_set_state(s, CLIENT_CLOSING);
    s->dead = true;
    (void)event_del(&s->on_read);
    (void)event_del(&s->on_write);
    (void)event_del(&s->on_timer);
    if (s->has_turn)
        TAILQ_REMOVE(&r->turns, s, turn);
    s->has_turn = false;
    TAILQ_REMOVE(&r->all, s, link);
    TAILQ_INSERT_TAIL(&r->graves, s, link);
    channel_close(&s->ch, false);
    atomic_fetch_sub(&r->connected, 1);
    struct timeval now = {0};
    if (!event_pending(&r->on_run, EV_TIMEOUT, NULL))
        (void)event_add(&r->on_run, &now);
}

void client_free(struct client *s)
{
    stream_close(s);
    login_free(s);
    drop_input(s);
    user_vars_fini(&s->vars);
    free(s->out);
    free(s);
}
