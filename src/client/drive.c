/*
 * Moves a handle on: the attempt to connect, its time-out, receiving, heartbeats that stop, and what the one descriptor waits for.
 *
 * - epoll_fd is what the caller watches. Behind it: the socket of the moment, and a timer for everything that is due by itself.
 * - The timer is set anew only when something is due before it; when it goes off too early, that is one turn for nothing.
 * - That a server is silent is judged only after a receive that found nothing, so a caller that was away for long does no harm.
 * Failure: drive_break keeps the reason until what was received before has been handed out.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/handle.h"

#define HEARTBEATS_MISSED  3
#define HEARTBEAT_LEAST_MS 100
#define HEARTBEAT_ASSUMED  1000 /* before the server said its own */

int drive_init(struct binlogtail *bt, struct lt_err *err)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 1};
    bt->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bt->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (bt->epoll_fd < 0 || bt->timer_fd < 0 || epoll_ctl(bt->epoll_fd, EPOLL_CTL_ADD, bt->timer_fd, &ev) != 0)
        return lt_err_sys(err, LT_ESYS, "epoll and timer descriptors");
    return 0;
}

void drive_fini(struct binlogtail *bt)
{
    if (bt->timer_fd >= 0)
        (void)close(bt->timer_fd);
    if (bt->epoll_fd >= 0)
        (void)close(bt->epoll_fd);
    bt->timer_fd = bt->epoll_fd = -1;
}

static void unwatch(struct binlogtail *bt)
{
    if (bt->watched_fd >= 0)
        (void)epoll_ctl(bt->epoll_fd, EPOLL_CTL_DEL, bt->watched_fd, NULL);
    bt->watched_fd = -1;
    bt->watched_events = 0;
}

void drive_close(struct binlogtail *bt, enum handle_state state, uint64_t wake_us)
{
    unwatch(bt);
    conn_close(&bt->conn);
    inbuf_reset(&bt->in);
    bt->broken = false;
    bt->state = state;
    bt->wake_us = wake_us;
    drive_rearm(bt);
}

void drive_break(struct binlogtail *bt, const struct lt_err *err)
{
    if (bt->broken)
        return;
    bt->broken = true;
    bt->broken_err = *err;
    unwatch(bt);
}

/* ---- connecting ---- */

static uint64_t connect_deadline(const struct binlogtail *bt)
{
    return clock_mono_us() + (uint64_t)bt->opt.connect_timeout_ms * 1000;
}

/* On to the next address; the last one's failure is the attempt's. */
static void try_next(struct binlogtail *bt, const struct lt_err *why)
{
    struct lt_err err = *why;
    struct lt_err last = *why;
    int rc;
    unwatch(bt);
    while ((rc = conn_next(&bt->conn, &err)) != 0 && rc != LT_ENOTFOUND)
        last = err;
    bt->wake_us = connect_deadline(bt);
    if (rc == LT_ENOTFOUND)
        drive_break(bt, &last);
}

static void begin_attempt(struct binlogtail *bt)
{
    struct lt_err err = {.code = LT_ECLOSED};
    bt->state = HANDLE_CONNECTING;
    bt->wake_us = 0;
    stream_connected(&bt->stream);
    if (conn_resolve(&bt->conn, bt->opt.host, bt->opt.port, &err) != 0)
        drive_break(bt, &err);
    else
        try_next(bt, &err);
}

static void go_on_connecting(struct binlogtail *bt)
{
    struct lt_err err;
    int rc = conn_advance(&bt->conn, &err);
    if (rc == LT_EAGAIN)
        return;
    if (rc == LT_ECLOSED && bt->conn.state == CONN_CONNECTING) {
        try_next(bt, &err);
        return;
    }
    if (rc == 0)
        rc = request_hello(bt, &err);
    if (rc != 0)
        drive_break(bt, &err);
    else
        bt->state = HANDLE_GREETING;
}

/* ---- receiving ---- */

bool drive_receive(struct binlogtail *bt)
{
    struct lt_err err;
    uint8_t *at = NULL;
    size_t room = 0;
    size_t n = 0;
    if (bt->broken || bt->drained || bt->budget == 0 || bt->conn.state != CONN_OPEN)
        return false;
    int rc = inbuf_room(&bt->in, bt->stream.need, &at, &room);
    if (rc != 0)
        (void)lt_err_set(&err, rc, "out of memory for an event of %zu bytes", bt->stream.need);
    else if (room == 0)
        return false;
    else
        rc = conn_read(&bt->conn, at, room, &n, &err);
    if (rc == LT_EAGAIN) {
        bt->drained = true;
        return false;
    }
    if (rc != 0) {
        drive_break(bt, &err);
        return false;
    }
    inbuf_added(&bt->in, n);
    bt->heard_us = clock_mono_us();
    bt->budget -= n < bt->budget ? n : bt->budget;
    return true;
}

/* ---- time ---- */

static uint64_t silence_us(const struct binlogtail *bt)
{
    uint32_t ms = bt->stream.hello.heartbeat_ms > 0 ? bt->stream.hello.heartbeat_ms : HEARTBEAT_ASSUMED;
    if (ms < HEARTBEAT_LEAST_MS)
        ms = HEARTBEAT_LEAST_MS;
    return (uint64_t)ms * 1000 * HEARTBEATS_MISSED;
}

static void timed_out(struct binlogtail *bt, const char *what, uint64_t us)
{
    struct lt_err err;
    (void)lt_err_set(&err, bt->state == HANDLE_STREAMING ? LT_ECLOSED : LT_ETIMEOUT, "%s: %s for %" PRIu64 " ms",
                     bt->conn.address, what, us / 1000);
    drive_break(bt, &err);
}

static void judge_time(struct binlogtail *bt)
{
    uint64_t now = clock_mono_us();
    struct lt_err err;
    uint64_t limit = (uint64_t)bt->opt.connect_timeout_ms * 1000;
    switch (bt->state) {
    case HANDLE_CONNECTING:
        if (now < bt->wake_us || bt->broken)
            return;
        (void)lt_err_set(&err, LT_ETIMEOUT, "connect to %s: no answer for %" PRIu32 " ms", bt->conn.address,
                         bt->opt.connect_timeout_ms);
        try_next(bt, &err);
        return;
    case HANDLE_GREETING:
        if (bt->drained && now >= bt->wake_us)
            timed_out(bt, "no answer to the Hello", limit);
        return;
    case HANDLE_STREAMING:
        if (bt->drained && now >= bt->heard_us + silence_us(bt))
            timed_out(bt, "no heartbeat", silence_us(bt));
        return;
    case HANDLE_WAITING:
    case HANDLE_ENDED:
    case HANDLE_FAILED:
    default:
        return;
    }
}

static void clear_timer(struct binlogtail *bt)
{
    uint64_t times;
    if (bt->timer_us != 0 && clock_mono_us() >= bt->timer_us) {
        lt_ignore(read(bt->timer_fd, &times, sizeof times) < 0); /* EAGAIN: not gone off yet */
        bt->timer_us = 0;
    }
}

void drive_begin(struct binlogtail *bt)
{
    begin_attempt(bt);
    /* Nothing is received yet: what comes makes the descriptor readable, also for a caller that waits first. */
    if (!bt->broken)
        go_on_connecting(bt);
    drive_rearm(bt);
}

void drive_turn(struct binlogtail *bt)
{
    struct lt_err err;
    bt->budget = HANDLE_BUDGET;
    bt->drained = false;
    clear_timer(bt);
    if (bt->state == HANDLE_WAITING && clock_mono_us() >= bt->wake_us)
        begin_attempt(bt);
    if (bt->state == HANDLE_CONNECTING && !bt->broken)
        go_on_connecting(bt);
    if (!bt->broken && bt->conn.state == CONN_OPEN && conn_flush(&bt->conn, &err) != 0)
        drive_break(bt, &err);
    (void)drive_receive(bt);
    judge_time(bt);
    drive_rearm(bt);
}

/* ---- watching ---- */

static bool wants_turn_now(const struct binlogtail *bt)
{
    return bt->broken || (bt->conn.state == CONN_OPEN && !bt->drained && bt->budget == 0);
}

static uint64_t next_due(const struct binlogtail *bt)
{
    if (bt->state == HANDLE_STREAMING)
        return wants_turn_now(bt) ? 1 : bt->heard_us + silence_us(bt);
    if (bt->state == HANDLE_ENDED || bt->state == HANDLE_FAILED)
        return 0;
    return wants_turn_now(bt) ? 1 : bt->wake_us;
}

static void set_timer(struct binlogtail *bt, uint64_t due)
{
    if (due == bt->timer_us || (bt->timer_us != 0 && due >= bt->timer_us && due != 0))
        return;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due / 1000000), .tv_nsec = (long)(due % 1000000) * 1000}};
    (void)timerfd_settime(bt->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    bt->timer_us = due;
}

void drive_rearm(struct binlogtail *bt)
{
    unsigned events = EPOLLIN | (bt->conn.wants_write ? EPOLLOUT : 0);
    int fd = bt->broken ? -1 : bt->conn.fd;
    struct epoll_event ev = {.events = events};
    if (fd != bt->watched_fd)
        unwatch(bt);
    if (fd >= 0 && events != bt->watched_events) {
        (void)epoll_ctl(bt->epoll_fd, bt->watched_fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
        bt->watched_fd = fd;
        bt->watched_events = events;
    }
    set_timer(bt, next_due(bt));
}
