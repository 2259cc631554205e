/*
 * One serve thread.
 *
 * - Woken through an eventfd: by worker 0 for the watermark (which ingest tells to worker 0 alone, with one write at most until it is served), and by
 *   whoever posts mail.
 * - A pass moves those that wait at the watermark into `ready`; a run gives each of `ready` a turn, a bounded number at a time, and sockets in between.
 * - A tick looks at the heads of `quiet` (heartbeats) and `blocked` (send time-out): both are in order of time.
 * Failure: only at start. A session that fails ends alone.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "base/thread.h"
#include "serve/serve_internal.h"

#define RUN_TURN_US   2000u /* of turns before sockets are looked at again */
#define PASS_MANY     64u   /* with more consumers than this, passes are at least PASS_APART_US apart */
#define PASS_APART_US 1000u
#define PASS_REST_US                                                                                                   \
    20000u /* and a rest as long as the last pass took, at most this: half of a processor is left to others */
#define TICK_MIN_US 2000u
#define TICK_MAX_US 100000u

void worker_wake(struct worker *w)
{
    uint64_t one = 1;
    if (!atomic_exchange(&w->woken, true))
        (void)!write(w->wake_fd, &one, sizeof one); /* cannot block: the counter is far from its end */
}

void worker_post(struct worker *w, struct mail *m)
{
    m->next = NULL;
    (void)pthread_mutex_lock(&w->mail_lock);
    if (w->mail_last != NULL)
        w->mail_last->next = m;
    else
        w->mail_first = m;
    w->mail_last = m;
    (void)pthread_mutex_unlock(&w->mail_lock);
    worker_wake(w);
}

void worker_run_soon(struct worker *w)
{
    struct timeval now = {0};
    if (evtimer_pending(&w->on_run, NULL) == 0)
        (void)event_add(&w->on_run, &now);
}

void session_move(struct session *s, struct session_list *to)
{
    if (s->list != NULL)
        TAILQ_REMOVE(s->list, s, link);
    s->list = to;
    if (to == NULL)
        return;
    TAILQ_INSERT_TAIL(to, s, link);
    if (to == &s->w->ready)
        worker_run_soon(s->w);
}

struct session *worker_find(struct worker *w, struct session_ref ref)
{
    if (ref.id == 0 || ref.slot >= w->n_slots || w->slots[ref.slot] == NULL || w->slots[ref.slot]->id != ref.id)
        return NULL;
    return w->slots[ref.slot];
}

/* ---- mail */

/* In the middle of a TLS handshake nothing can be said. */
static void end_by_operator(struct session *s)
{
    log_notice("serve", "%s%s%s: ended by an operator", s->address, s->pub.name[0] != '\0' ? ", " : "", s->pub.name);
    if (s->state == SESSION_PEEK || s->state == SESSION_TLS) {
        session_free(s, false);
        return;
    }
    session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_ENDED, 0, "an operator ended this connection");
    session_pump(s);
}

static void deliver(struct worker *w, const struct mail *m)
{
    if (m->kind == MAIL_SOCKET) {
        session_accept(w, m->fd, &m->from, m->stranger);
        return;
    }
    struct session *s = worker_find(w, m->to);
    if (s == NULL)
        return;
    if (m->kind == MAIL_SHED) {
        session_shed(s);
        session_pump(s);
        return;
    }
    if (m->kind == MAIL_TAKEN_OVER) {
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_NAME_IN_USE, 0, "a newer connection uses the name %s",
                     s->pub.name);
        session_pump(s);
        return;
    }
    if (m->kind == MAIL_ENDED) {
        end_by_operator(s);
        return;
    }
    if (m->rc != 0) {
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_INTERNAL, SERVE_RETRY_MAX_MS,
                     "the committed position could not be stored");
    } else {
        if (s->committed == NULL)
            s->committed = malloc(sizeof *s->committed);
        if (s->committed != NULL)
            *s->committed = m->state;
    }
    session_pump(s);
}

static void read_mail(struct worker *w)
{
    (void)pthread_mutex_lock(&w->mail_lock);
    struct mail *m = w->mail_first;
    w->mail_first = w->mail_last = NULL;
    (void)pthread_mutex_unlock(&w->mail_lock);
    while (m != NULL) {
        struct mail *next = m->next;
        deliver(w, m);
        free(m);
        m = next;
    }
}

/* ---- passes */

static void pass(struct worker *w)
{
    struct session *s;
    if (!newest_look(&w->newest, &w->s->files))
        return;
    w->pass_us = clock_mono_us();
    w->next_pass_us = w->pass_us + PASS_APART_US;
    while ((s = TAILQ_FIRST(&w->quiet)) != NULL)
        session_move(s, &w->ready);
}

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pass(arg);
}

/* ---- stop */

static uint32_t jitter_ms(void)
{
    uint32_t r = 0;
    evutil_secure_rng_get_bytes(&r, sizeof r);
    return SERVE_RETRY_MIN_MS + r % (SERVE_RETRY_MAX_MS - SERVE_RETRY_MIN_MS + 1);
}

static void say_goodbye(struct worker *w)
{
    w->stopping = true;
    w->stop_at_us = clock_mono_us() + w->s->stop_us;
    for (size_t i = 0; i < w->n_slots; i++) {
        struct session *s = w->slots[i];
        if (s == NULL)
            continue;
        if (s->state == SESSION_PEEK || s->state == SESSION_TLS) {
            session_free(s, false);
            continue;
        }
        session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_STOPPING, jitter_ms(), "the server stops");
        session_pump(s);
    }
}

static void end_if_done(struct worker *w)
{
    if (atomic_load(&w->count) > 0 && clock_mono_us() < w->stop_at_us)
        return;
    for (size_t i = 0; i < w->n_slots; i++) {
        if (w->slots[i] != NULL)
            session_free(w->slots[i], false);
    }
    (void)event_base_loopbreak(w->base);
}

/* ---- events */

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    uint64_t n;
    (void)what;
    (void)!read(fd, &n, sizeof n);
    atomic_store(&w->woken, false); /* before looking: what comes from here on wakes again */
    for (unsigned i = 1; w->index == 0 && i < w->s->n_workers; i++)
        worker_wake(&w->s->workers[i]);
    if (w->index == 0)
        listen_resume(w->s);
    read_mail(w);
    judge_if_due(w);
    if (atomic_load(&w->s->stop) && !w->stopping)
        say_goodbye(w);
    uint64_t now = clock_mono_us();
    if (atomic_load(&w->count) > PASS_MANY && now < w->next_pass_us) {
        struct timeval later = {.tv_usec = (suseconds_t)(w->next_pass_us - now)};
        if (evtimer_pending(&w->on_pass, NULL) == 0)
            (void)event_add(&w->on_pass, &later);
        return;
    }
    pass(w);
}

/* Everybody had a turn. */
static void end_of_pass(struct worker *w)
{
    uint64_t now = clock_mono_us();
    uint64_t took = now - w->pass_us;
    w->next_pass_us = now + (took < PASS_REST_US ? took : PASS_REST_US);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    struct session *s;
    uint64_t until = clock_mono_us() + RUN_TURN_US;
    (void)fd;
    (void)what;
    while ((s = TAILQ_FIRST(&w->ready)) != NULL) {
        session_move(s, NULL);
        session_pump(s);
        if (clock_mono_us() >= until)
            break;
    }
    if (!TAILQ_EMPTY(&w->ready))
        worker_run_soon(w);
    else
        end_of_pass(w);
}

static void beat(struct worker *w, uint64_t now, uint64_t heartbeat_us)
{
    struct session *s;
    while ((s = TAILQ_FIRST(&w->quiet)) != NULL && now >= s->sent_us + heartbeat_us) {
        s->beat = true;
        s->sent_us = now; /* it goes to the list's end, whatever becomes of it */
        session_move(s, NULL);
        session_pump(s);
    }
}

static void close_slow(struct worker *w, uint64_t now, uint64_t timeout_us)
{
    struct session *s;
    while ((s = TAILQ_FIRST(&w->blocked)) != NULL && now >= s->progress_us + timeout_us) {
        log_notice("serve", "%s took nothing for %llu ms: closed", s->address,
                   (unsigned long long)((now - s->progress_us) / 1000));
        atomic_fetch_add(&w->s->slow_closed, 1);
        session_free(s, true);
    }
}

static void arm_tick(struct worker *w, const struct serve_policy *p)
{
    uint64_t us = p->heartbeat_us < p->send_timeout_us ? p->heartbeat_us / 4 : p->send_timeout_us / 4;
    w->heartbeat_us = p->heartbeat_us;
    us = us < TICK_MIN_US ? TICK_MIN_US : us > TICK_MAX_US ? TICK_MAX_US : us;
    struct timeval tv = {.tv_usec = (suseconds_t)us};
    (void)event_add(&w->on_tick, &tv);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    struct serve_policy *p = policy_get(w->s);
    uint64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    pass(w); /* should worker 0, which wakes the others, be held up by a slow disk */
    beat(w, now, p->heartbeat_us);
    close_slow(w, now, p->send_timeout_us);
    if (w->index == 0) {
        files_trim(&w->s->files, now);
        peers_trim(&w->s->peers, now);
    }
    arm_tick(w, p);
    policy_put(p);
    if (w->stopping)
        end_if_done(w);
}

/* ---- life */

int worker_init(struct serve *s, unsigned index, struct lt_err *err)
{
    struct worker *w = &s->workers[index];
    w->s = s;
    w->index = index;
    TAILQ_INIT(&w->ready);
    TAILQ_INIT(&w->quiet);
    TAILQ_INIT(&w->blocked);
    (void)pthread_mutex_init(&w->pub_lock, NULL);
    (void)pthread_mutex_init(&w->mail_lock, NULL);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake_fd < 0)
        return lt_err_sys(err, LT_ESYS, "eventfd");
    struct event_config *cfg = event_config_new();
    if (cfg != NULL) {
        (void)event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
        (void)event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
        w->base = event_base_new_with_config(cfg);
        event_config_free(cfg);
    }
    w->scratch = malloc(CHANNEL_TLS_CHUNK);
    if (w->base == NULL || w->scratch == NULL)
        return lt_err_set(err, LT_ENOMEM, "serve thread");
    if (event_assign(&w->on_wake, w->base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w) != 0 ||
        evtimer_assign(&w->on_pass, w->base, on_pass, w) != 0 || evtimer_assign(&w->on_run, w->base, on_run, w) != 0 ||
        evtimer_assign(&w->on_tick, w->base, on_tick, w) != 0 || event_add(&w->on_wake, NULL) != 0)
        return lt_err_set(err, LT_ESYS, "serve thread");
    arm_tick(w, s->policy);
    int rc = judge_init(w, err);
    return rc == 0 ? feed_desk_init(&w->desk, err) : rc;
}

/* sendfile and OpenSSL's writes to a socket that is gone would raise it. */
static void block_sigpipe(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *worker_thread(void *arg)
{
    struct worker *w = arg;
    block_sigpipe();
    if (!priority_behind(w->s->nice))
        log_warn("serve", "the priority of a serve thread could not be lowered: errno %d", errno);
    pass(w);
    (void)event_base_dispatch(w->base);
    return NULL;
}

int worker_start(struct worker *w, struct lt_err *err)
{
    if (thread_start(&w->thread, NULL, worker_thread, w) != 0)
        return lt_err_set(err, LT_ESYS, "starting a serve thread");
    w->started = true;
    return 0;
}

void worker_fini(struct worker *w)
{
    if (w->s == NULL)
        return;
    while (w->mail_first != NULL) {
        struct mail *m = w->mail_first;
        w->mail_first = m->next;
        if (m->kind == MAIL_SOCKET)
            (void)close(m->fd);
        free(m);
    }
    for (size_t i = 0; i < w->n_slots; i++) {
        if (w->slots[i] != NULL)
            session_free(w->slots[i], false);
    }
    newest_fini(&w->newest);
    feed_desk_fini(&w->desk);
    if (w->base != NULL)
        event_base_free(w->base);
    if (w->wake_fd >= 0)
        (void)close(w->wake_fd);
    free(w->scratch);
    free(w->slots);
    (void)pthread_mutex_destroy(&w->pub_lock);
    (void)pthread_mutex_destroy(&w->mail_lock);
}
