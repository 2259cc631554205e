/*
 * A session's life: turns, time-outs, the end.
 *
 * - One timer, which means what the state says: the end of the login, the late answer, the next heartbeat, a peer that takes nothing.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "replicas/internal.h"

#define TURN_STEPS 16
#define OUT_KEEP   4096u

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
    if (s->has_turn)
        return;
    s->has_turn = true;
    s->queue = s->state < CLIENT_COMMAND ? &s->r->logins : &s->r->turns;
    TAILQ_INSERT_TAIL(&s->queue->waiting, s, turn);
    client_queue_arm(s->queue);
}

void client_queue_arm(struct client_queue *q)
{
    struct timeval now = {0};
    if (!event_pending(&q->on_run, EV_TIMEOUT, NULL))
        (void)event_add(&q->on_run, &now);
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

/* A command that has begun, and an answer, are to be through in a while; what is between may take long. */
static void arm_command(struct client *s)
{
    uint64_t now = clock_mono_us();
    uint64_t since = s->wants_write ? s->progress_us : s->command_us;
    uint64_t due = since == 0 ? now + WAIT_TIMEOUT_US : since + s->r->policy->send_timeout_us;
    client_arm(s, due > now ? due - now : 1);
}

/* Not while we do not read: the loop would come back at once, for ever. */
static void watch(struct client *s)
{
    if (s->dead)
        return;
    if (s->state == CLIENT_COMMAND)
        arm_command(s);
    if (input_is_wanted(s))
        (void)event_add(&s->on_read, NULL);
    else
        (void)event_del(&s->on_read);
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
        input_read(s);
    if (!s->dead && (s->out_len > 0 || s->state == CLIENT_CLOSING))
        client_turn(s);
    watch(s);
}

void client_go_on(struct client *s)
{
    go_on(s);
}

/* Handshakes and passwords are work; a crowd of them has its turns beside those who are in, not before them. */
static void log_in_later(struct client *s)
{
    (void)event_del(&s->on_read); /* until its turn */
    client_turn_later(s);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct client *s = arg;
    (void)fd;
    (void)what;
    if (input_is_stray(s) && !s->has_turn)
        input_read(s); /* what it is sent goes on by itself */
    else if (s->state < CLIENT_PENALTY)
        log_in_later(s);
    else
        go_on(s);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct client *s = arg;
    (void)fd;
    (void)what;
    if (s->state < CLIENT_PENALTY)
        log_in_later(s);
    else
        go_on(s);
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

const char *client_uuid(const struct client *s)
{
    const char *uuid = user_vars_get(&s->vars, "replica_uuid", strlen("replica_uuid"));
    return uuid != NULL ? uuid : user_vars_get(&s->vars, "slave_uuid", strlen("slave_uuid"));
}

static void name_peer(struct client *s, const struct sockaddr_storage *from)
{
    uint16_t port = 0;
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)from;
        (void)inet_ntop(AF_INET, &a->sin_addr, s->host, sizeof s->host);
        port = ntohs(a->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)from;
        (void)inet_ntop(AF_INET6, &a->sin6_addr, s->host, sizeof s->host);
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
    s->connected_us = clock_wall_us();
    name_peer(s, from);
    if (!assign_events(s) || crowd_enter(s, from) != 0) {
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
        TAILQ_REMOVE(&s->queue->waiting, s, turn);
    s->has_turn = false;
    crowd_leave(s);
    TAILQ_REMOVE(&r->all, s, link);
    TAILQ_INSERT_TAIL(&r->graves, s, link);
    input_drop(s); /* at once: what the dead hold is others' to have */
    channel_close(&s->ch, false);
    atomic_fetch_sub(&r->connected, 1);
    client_queue_arm(&r->turns); /* which buries */
}

void client_free(struct client *s)
{
    stream_close(s);
    login_free(s);
    input_drop(s);
    user_vars_fini(&s->vars);
    free(s->out);
    free(s);
}
