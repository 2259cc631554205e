/*
 * The listener, on worker 0's loop; accepted sockets go to the worker with the fewest consumers.
 *
 * - More than max_consumers, or than one address may have: told so and closed, without becoming a session.
 * - Out of descriptors or memory: nothing is accepted until a session ends or a second has passed; who waits, waits in the listen queue.
 * - An address that cannot be had now is tried for again every second; meanwhile nobody connects, and all else goes on.
 * Failure: at start only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listen.h"
#include "base/log.h"
#include "serve/serve_internal.h"

#define ACCEPT_TURN     64
#define ACCEPT_PAUSE_US 1000000

static void arm_accept(struct serve *s);

static void say_trouble(struct serve *s, const char *text)
{
    (void)pthread_mutex_lock(&s->policy_lock);
    (void)snprintf(s->listen_trouble, sizeof s->listen_trouble, "%.190s", text);
    (void)pthread_mutex_unlock(&s->policy_lock);
}

void listen_get_trouble(struct serve *s, char *buf, size_t cap)
{
    (void)pthread_mutex_lock(&s->policy_lock);
    (void)snprintf(buf, cap, "%s", s->listen_trouble);
    (void)pthread_mutex_unlock(&s->policy_lock);
}

int listen_open(struct serve *s, struct lt_err *err)
{
    uint16_t port = 0;
    int fd = -1;
    int rc = listen_tcp("tail.listen", s->host, s->wanted_port, SERVE_BACKLOG, &fd, &port, err);
    if (rc != 0) {
        say_trouble(s, err->text);
        return rc;
    }
    s->listen_fd = fd;
    atomic_store(&s->port, port);
    say_trouble(s, "");
    log_notice("serve", "consumers are served on %s:%u%s by %u threads", s->host, port, s->tls ? " with TLS" : "",
               s->n_workers);
    return 0;
}

static void set_paused(struct serve *s, uint64_t us)
{
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    (void)event_del(&s->on_accept);
    atomic_store(&s->accept_paused, true);
    (void)event_add(&s->on_accept_timer, &tv);
}

void listen_room(struct serve *s)
{
    if (!atomic_load(&s->accept_paused) || atomic_load(&s->stop))
        return;
    atomic_store(&s->accept_room, true);
    worker_wake(&s->workers[0]);
}

void listen_resume(struct serve *s)
{
    if (!atomic_exchange(&s->accept_room, false) || atomic_load(&s->stop) || s->listen_fd < 0)
        return;
    atomic_store(&s->accept_paused, false);
    (void)event_del(&s->on_accept_timer);
    arm_accept(s);
}

/* A bare Error frame: no session is made for those who are too many. */
static void refuse(int fd, const char *text)
{
    uint8_t frame[512];
    Logtailer__Tail__Error m = LOGTAILER__TAIL__ERROR__INIT;
    m.code = LOGTAILER__TAIL__ERROR_CODE__ERROR_TOO_MANY;
    m.message = (char *)text;
    m.cure = (char *)error_cure((int)m.code);
    m.retry_after_ms = SERVE_RETRY_MAX_MS;
    size_t len = logtailer__tail__error__get_packed_size(&m);
    if (FRAME_HEADER_LEN + len <= sizeof frame) {
        frame_header_write(frame, FRAME_ERROR, (uint32_t)len, 0);
        (void)logtailer__tail__error__pack(&m, frame + FRAME_HEADER_LEN);
        (void)send(fd, frame, FRAME_HEADER_LEN + len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

static struct worker *least_loaded(struct serve *s)
{
    struct worker *best = &s->workers[0];
    for (unsigned i = 1; i < s->n_workers; i++) {
        if (atomic_load(&s->workers[i].count) < atomic_load(&best->count))
            best = &s->workers[i];
    }
    return best;
}

/*
 * Who has not said who he is (handshakes, dripped greetings) may hold a quarter of the places, and a quarter of those from one address; the others are for those who have, and for
 * addresses that a user came from lately. Loopback is let be where it has no limit anyway. False: one too many.
 */
static bool take_stranger(struct serve *s, const struct peer_key *key, uint64_t limit)
{
    uint64_t places = limit / 4 > SERVE_STRANGERS_LEAST ? limit / 4 : SERVE_STRANGERS_LEAST;
    uint64_t from_one = places / 4 > SERVE_STRANGERS_LEAST ? places / 4 : SERVE_STRANGERS_LEAST;
    uint32_t here = peers_strangers(&s->peers, key, true);
    if (atomic_fetch_add(&s->strangers, 1) < places && here <= from_one)
        return true;
    (void)peers_strangers(&s->peers, key, false);
    atomic_fetch_sub(&s->strangers, 1);
    return false;
}

static void refuse_for_address(struct serve *s, int fd, const char *text)
{
    atomic_fetch_add(&s->refused, 1);
    log_warn("serve", "refused a consumer: %s", text);
    refuse(fd, text);
}

static void hand_over(struct serve *s, int fd, const struct sockaddr_storage *from, const struct serve_policy *p)
{
    struct peer_key key;
    bool loopback;
    uint64_t limit = policy_places(s, p);
    peer_key_of(from, &key, &loopback);
    if (atomic_load(&s->sessions) >= limit) {
        atomic_fetch_add(&s->refused, 1);
        log_warn("serve", "refused a consumer: %llu are connected", (unsigned long long)limit);
        refuse(fd, "the server has as many consumers as it takes");
        return;
    }
    bool unlimited = loopback && !p->limit_loopback;
    struct mail *m = calloc(1, sizeof *m);
    if (m == NULL || peers_enter(&s->peers, &key, unlimited ? 0 : p->max_per_address) != 0) {
        refuse_for_address(s, fd, "too many connections from this address");
        free(m);
        return;
    }
    m->stranger = !unlimited && !peers_known(&s->peers, &key, clock_mono_us());
    if (m->stranger && !take_stranger(s, &key, limit)) {
        refuse_for_address(s, fd, "too many connections that have not said who they are");
        peers_leave(&s->peers, &key, clock_mono_us());
        free(m);
        return;
    }
    m->kind = MAIL_SOCKET;
    m->fd = fd;
    m->from = *from;
    atomic_fetch_add(&s->sessions, 1);
    atomic_fetch_add(&s->accepted, 1);
    struct worker *w = least_loaded(s);
    atomic_fetch_add(&w->count, 1); /* counted from here on, so that a burst spreads */
    worker_post(w, m);
}

static bool out_of_something(int e)
{
    return e == EMFILE || e == ENFILE || e == ENOMEM || e == ENOBUFS;
}

static void on_accept(evutil_socket_t lfd, short what, void *arg)
{
    struct serve *s = arg;
    struct serve_policy *p = policy_get(s);
    (void)what;
    for (int i = 0; i < ACCEPT_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int fd = accept4(lfd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            hand_over(s, fd, &from, p);
            continue;
        }
        if (out_of_something(errno)) {
            log_warn("serve", "no descriptor or memory for another consumer (errno %d): none is accepted for a while",
                     errno);
            atomic_fetch_add(&s->accept_pauses, 1);
            set_paused(s, ACCEPT_PAUSE_US);
        }
        break; /* nobody waits; or a peer that is gone already: the loop comes back */
    }
    policy_put(p);
}

static void arm_accept(struct serve *s)
{
    if (event_assign(&s->on_accept, s->workers[0].base, s->listen_fd, EV_READ | EV_PERSIST, on_accept, s) == 0)
        (void)event_add(&s->on_accept, NULL);
}

/* The pause is over, or it is time to try for the address again. */
static void on_accept_timer(evutil_socket_t fd, short what, void *arg)
{
    struct serve *s = arg;
    struct lt_err err = {0};
    (void)fd;
    (void)what;
    if (atomic_load(&s->stop))
        return;
    if (s->listen_fd < 0 && listen_open(s, &err) != 0) {
        set_paused(s, LISTEN_RETRY_US);
        return;
    }
    atomic_store(&s->accept_paused, false);
    arm_accept(s);
}

int listen_arm(struct serve *s, uint64_t after_us, struct lt_err *err)
{
    struct event_base *base = s->workers[0].base;
    if (event_assign(&s->on_accept, base, -1, EV_READ | EV_PERSIST, on_accept, s) != 0 ||
        evtimer_assign(&s->on_accept_timer, base, on_accept_timer, s) != 0)
        return lt_err_set(err, LT_ESYS, "listener");
    set_paused(s, s->listen_fd < 0 ? LISTEN_RETRY_US : after_us);
    return 0;
}

void listen_close(struct serve *s)
{
    (void)event_del(&s->on_accept);
    (void)event_del(&s->on_accept_timer);
    if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    s->listen_fd = -1;
}
