/*
 * A session's life: from an accepted socket to the end, its events and its timer.
 *
 * - One timer: the handshake until streaming, a frame begun and not ended, a penalty, the linger.
 * Failure: what the peer does wrong ends in an Error frame (session_fail), what the socket does in session_free. Either ends only this session.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/serve_internal.h"

#define READ_TURNS 4

const char *session_state_name(enum session_state state)
{
    static const char *const names[] = {
        [SESSION_PEEK] = "handshake",      [SESSION_TLS] = "handshake",   [SESSION_HELLO] = "handshake",
        [SESSION_PENALTY] = "handshake",   [SESSION_READY] = "ready",     [SESSION_LOCATING] = "locating",
        [SESSION_STREAMING] = "streaming", [SESSION_CLOSING] = "closing", [SESSION_LINGER] = "closing",
    };
    return names[state];
}

struct session_ref session_ref_of(const struct session *s)
{
    return (struct session_ref){.worker = s->w->index, .slot = s->slot, .id = s->id};
}

void session_set_state(struct session *s, enum session_state state)
{
    log_debug("serve", "%s: %s -> %s", s->address, session_state_name(s->state), session_state_name(state));
    s->state = state;
    (void)pthread_mutex_lock(&s->w->pub_lock);
    s->pub.state = state;
    (void)pthread_mutex_unlock(&s->w->pub_lock);
}

void session_publish_place(struct session *s)
{
    (void)pthread_mutex_lock(&s->w->pub_lock);
    s->pub.file = s->feed.file;
    s->pub.offset = s->feed.trk.offset;
    (void)pthread_mutex_unlock(&s->w->pub_lock);
}

void session_arm_timer(struct session *s, uint64_t us)
{
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    if (us == 0)
        (void)event_del(&s->on_timer);
    else
        (void)event_add(&s->on_timer, &tv);
}

/* ---- slots */

static int take_slot(struct worker *w, struct session *s)
{
    size_t i = w->free_slot;
    while (i < w->n_slots && w->slots[i] != NULL)
        i++;
    if (i == w->n_slots) {
        size_t want = w->n_slots > 0 ? w->n_slots * 2 : 64;
        struct session **grown = calloc(want, sizeof(struct session *));
        if (grown == NULL)
            return LT_ENOMEM;
        if (w->n_slots > 0)
            memcpy(grown, w->slots, w->n_slots * sizeof(struct session *));
        (void)pthread_mutex_lock(&w->pub_lock);
        free(w->slots);
        w->slots = grown;
        w->n_slots = want;
        (void)pthread_mutex_unlock(&w->pub_lock);
    }
    (void)pthread_mutex_lock(&w->pub_lock);
    w->slots[i] = s;
    (void)pthread_mutex_unlock(&w->pub_lock);
    w->free_slot = i + 1;
    s->slot = (uint32_t)i;
    return 0;
}

static void leave_slot(struct worker *w, const struct session *s)
{
    (void)pthread_mutex_lock(&w->pub_lock);
    w->slots[s->slot] = NULL;
    (void)pthread_mutex_unlock(&w->pub_lock);
    if (s->slot < w->free_slot)
        w->free_slot = s->slot;
}

/* ---- end */

void session_drop_stream(struct session *s)
{
    feed_leave(&s->feed);
    session_publish_place(s); /* before the file goes */
    feed_close(&s->feed);
}

static void uncount_stranger(struct worker *w, const struct peer_key *key)
{
    (void)peers_strangers(&w->s->peers, key, false);
    atomic_fetch_sub(&w->s->strangers, 1);
}

void session_settled(struct session *s)
{
    if (s->pub.user[0] != '\0')
        peers_vouch(&s->w->s->peers, &s->key, clock_mono_us());
    if (s->stranger)
        uncount_stranger(s->w, &s->key);
    s->stranger = false;
}

static void uncount(struct worker *w, const struct peer_key *key, bool stranger)
{
    if (stranger)
        uncount_stranger(w, key);
    peers_leave(&w->s->peers, key, clock_mono_us());
    atomic_fetch_sub(&w->count, 1);
    atomic_fetch_sub(&w->s->sessions, 1);
    listen_room(w->s);
}

void session_free(struct session *s, bool reset)
{
    struct worker *w = s->w;
    session_move(s, NULL);
    session_drop_stream(s);
    session_uncharge(s);
    leave_slot(w, s);
    if (s->named)
        names_detach(&w->s->names, s->pub.name, session_ref_of(s));
    (void)event_del(&s->on_read);
    (void)event_del(&s->on_write);
    (void)event_del(&s->on_timer);
    channel_close(&s->ch, reset);
    uncount(w, &s->key, s->stranger);
    free(s->in);
    free(s->out);
    free(s->error);
    free(s->committed);
    free(s);
}

/* ---- events */

/* TLS listener: a client that speaks plain frames is told so in a plain frame. */
static void peek(struct session *s)
{
    uint8_t first = 0;
    struct lt_err err;
    int rc = channel_peek(&s->ch, &first, &err);
    if (rc == LT_EAGAIN)
        return;
    if (rc != 0) {
        session_free(s, false);
        return;
    }
    if (first == 'L') {
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_TLS_REQUIRED, 0, "this listener speaks TLS");
        session_pump(s);
        return;
    }
    struct serve_policy *p = policy_get(s->w->s);
    rc = channel_start_tls(&s->ch, p->tls, &err);
    s->judged = p->generation;
    policy_put(p);
    if (rc != 0) {
        log_warn("serve", "%s: %s", s->address, err.text);
        session_free(s, true);
        return;
    }
    session_set_state(s, SESSION_TLS);
}

/* True when the session goes on. */
static bool handshake(struct session *s)
{
    struct lt_err err;
    int rc = channel_handshake(&s->ch, &err);
    if (rc == 0) {
        session_set_state(s, SESSION_HELLO);
        return true;
    }
    if (rc != LT_EAGAIN) {
        if (rc == LT_ECLOSED)
            log_notice("serve", "%s: %s", s->address, err.text);
        session_free(s, false);
        return false;
    }
    if (s->ch.wants_write)
        (void)event_add(&s->on_write, NULL);
    return true;
}

/* True when the session still exists. */
static bool read_some(struct session *s)
{
    for (int i = 0; i < READ_TURNS; i++) {
        size_t n = 0;
        struct lt_err err;
        int rc = channel_read(&s->ch, s->w->scratch, CHANNEL_TLS_CHUNK, &n, &err);
        if (rc == LT_EAGAIN)
            return true;
        if (rc != 0) {
            session_free(s, false);
            return false;
        }
        session_input(s, s->w->scratch, n);
    }
    if (s->ch.ssl != NULL && SSL_pending(s->ch.ssl) > 0)
        event_active(&s->on_read, EV_READ, 1); /* in OpenSSL's buffer, where the kernel does not tell of it */
    return true;
}

static void on_io(struct session *s)
{
    if (s->state == SESSION_PEEK) {
        peek(s);
        return;
    }
    if (s->state == SESSION_TLS && !handshake(s))
        return;
    if (s->state != SESSION_TLS && read_some(s))
        session_pump(s);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    on_io(arg);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    s->wants_write = false;
    if (s->state == SESSION_TLS)
        on_io(s);
    else
        session_pump(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    (void)fd;
    (void)what;
    switch (s->state) {
    case SESSION_PEEK:
    case SESSION_TLS:
    case SESSION_CLOSING:
    case SESSION_LINGER:
        session_free(s, s->state == SESSION_CLOSING);
        return;
    case SESSION_PENALTY:
        session_set_state(s, SESSION_CLOSING);
        break;
    case SESSION_HELLO:
    case SESSION_READY:
    case SESSION_LOCATING:
    case SESSION_STREAMING:
    default:
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_TIMEOUT, SERVE_RETRY_MAX_MS, "%s",
                     s->state == SESSION_HELLO   ? "no Hello in time"
                     : s->state == SESSION_READY ? "no Subscribe in time"
                                                 : "a frame was begun and not ended");
    }
    session_pump(s);
}

/* ---- begin */

static void name_peer(struct session *s, const struct sockaddr_storage *from)
{
    char host[48];
    char port[8];
    peer_key_of(from, &s->key, &s->loopback);
    if (getnameinfo((const struct sockaddr *)from, sizeof *from, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        (void)snprintf(s->address, sizeof s->address, "unknown");
    else
        (void)snprintf(s->address, sizeof s->address, from->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int begin(struct session *s, int fd, const struct serve_policy *p, struct lt_err *err)
{
    struct event_base *base = s->w->base;
    int rc = channel_open(&s->ch, fd, p->send_timeout_us, err);
    if (rc == 0 && (event_assign(&s->on_read, base, fd, EV_READ | EV_PERSIST, on_read, s) != 0 ||
                    event_assign(&s->on_write, base, fd, EV_WRITE, on_write, s) != 0 ||
                    evtimer_assign(&s->on_timer, base, on_timer, s) != 0 || event_add(&s->on_read, NULL) != 0))
        rc = lt_err_set(err, LT_ESYS, "adding to the event loop");
    return rc;
}

void session_accept(struct worker *w, int fd, const struct sockaddr_storage *from, bool stranger)
{
    struct peer_key key;
    bool loopback;
    struct lt_err err;
    struct session *s = w->stopping ? NULL : calloc(1, sizeof *s);
    peer_key_of(from, &key, &loopback);
    if (s != NULL) { /* all that others may read is there before they can find it */
        s->w = w;
        s->stranger = stranger;
        s->feed = (struct feed){.files = &w->s->files, .desk = &w->desk};
        s->id = atomic_fetch_add(&w->s->next_id, 1) + 1;
        s->connected_us = clock_wall_us();
        s->sent_us = s->progress_us = clock_mono_us();
        name_peer(s, from);
    }
    if (s == NULL || take_slot(w, s) != 0) {
        (void)close(fd);
        free(s);
        uncount(w, &key, stranger);
        return;
    }
    struct serve_policy *p = policy_get(w->s);
    if (begin(s, fd, p, &err) != 0) {
        log_warn("serve", "%s: %s", s->address, err.text);
        session_free(s, true);
    } else {
        session_set_state(s, w->s->tls ? SESSION_PEEK : SESSION_HELLO);
        session_arm_timer(s, p->handshake_us);
    }
    policy_put(p);
}
