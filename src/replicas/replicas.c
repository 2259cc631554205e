/*
 * Start, stop, reload, and the thread.
 *
 * - The watermark wakes the thread by at most one write until it has looked; then all who wait have a turn. After a pass the thread rests as long as the
 *   pass took, at most 20 ms: what comes meanwhile rides in the next one.
 * - A reload leaves a policy at the door; the thread takes it over and judges who is there.
 * Failure: what was begun is taken down in reverse.
 */
#include "replicas/replicas.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "base/thread.h"
#include "replicas/internal.h"

#define PASS_REST_MAX_US 20000u
#define TICK_S           1

void replicas_wake(struct replicas *r)
{
    uint64_t one = 1;
    if (!atomic_exchange(&r->woken, true))
        lt_ignore(write(r->wake_fd, &one, sizeof one) < 0); /* it cannot overflow: it is read after each */
}

/* On ingest's thread. */
static void on_watermark(void *arg)
{
    replicas_wake(arg);
}

bool replicas_flavor(struct replicas *r, bool *ret_mariadb, bool *ret_crc, char version[VERSION_MAX])
{
    const uint8_t *fde;
    size_t len;
    struct event_fde parsed;
    struct lt_err err;
    struct store_segment_info oldest;
    struct feed_file *other = NULL;
    bool found = r->newest.file != NULL && file_fde(r->newest.file, &fde, &len, &parsed, &err) == 0;
    if (!found && store_oldest(r->store, &oldest) == 0 &&
        files_get(&r->files, oldest.lineage, oldest.file, FILES_MUST, &other, &err) == 0) {
        found = file_fde(other, &fde, &len, &parsed, &err) == 0;
        files_put(other);
    }
    version[0] = '\0';
    *ret_mariadb = found && parsed.is_mariadb;
    *ret_crc = !found || parsed.checksum == CHECKSUM_CRC32;
    if (found)
        (void)snprintf(version, VERSION_MAX, "%s-logtailer", parsed.server_version);
    return found;
}

/* ---- turns */

static void judge_session(struct client *s)
{
    unsigned char mark[32];
    struct replicas *r = s->r;
    if (s->state < CLIENT_COMMAND)
        return;
    bool stays = s->anonymous ? rules_lets_in_nameless(r->policy, s->loopback)
                              : rules_mark(r->policy, s->user, mark) && memcmp(mark, s->mark, sizeof mark) == 0;
    if (!stays)
        client_close(s, "not let in any more after a reload");
}

static void take_over(struct replicas *r)
{
    (void)pthread_mutex_lock(&r->lock);
    struct replicas_policy *fresh = r->fresh;
    r->fresh = NULL;
    (void)pthread_mutex_unlock(&r->lock);
    if (fresh == NULL)
        return;
    rules_free(r->policy);
    r->policy = fresh;
    for (struct client *s = TAILQ_FIRST(&r->all), *next; s != NULL; s = next) {
        next = TAILQ_NEXT(s, link);
        judge_session(s);
    }
}

static void bury(struct replicas *r)
{
    for (struct client *s; (s = TAILQ_FIRST(&r->graves)) != NULL;) {
        TAILQ_REMOVE(&r->graves, s, link);
        client_free(s);
    }
}

/* Those that get another turn have it in the next round; one may end another's session. */
static void run_queue(struct client_queue *q)
{
    struct client *s;
    size_t n = 0;
    uint64_t until = clock_mono_us() + QUEUE_TURN_US;
    TAILQ_FOREACH (s, &q->waiting, turn)
        n++;
    for (; n > 0 && (s = TAILQ_FIRST(&q->waiting)) != NULL && clock_mono_us() < until; n--) {
        TAILQ_REMOVE(&q->waiting, s, turn);
        s->has_turn = false;
        client_go_on(s);
    }
    if (!TAILQ_EMPTY(&q->waiting))
        client_queue_arm(q);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    struct replicas *r = arg;
    (void)fd;
    (void)what;
    run_queue(&r->turns);
    bury(r);
}

static void on_logins(evutil_socket_t fd, short what, void *arg)
{
    struct replicas *r = arg;
    (void)fd;
    (void)what;
    run_queue(&r->logins);
}

static void pass(struct replicas *r)
{
    uint64_t begun = clock_mono_us();
    (void)newest_look(&r->newest, &r->files);
    for (struct client *s = TAILQ_FIRST(&r->all), *next; s != NULL; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->state == CLIENT_STREAMING && !s->wants_write && !s->has_turn)
            client_turn(s);
    }
    uint64_t took = clock_mono_us() - begun;
    r->next_pass_us = begun + took + (took < PASS_REST_MAX_US ? took : PASS_REST_MAX_US);
}

static void on_pass(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pass(arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct replicas *r = arg;
    uint64_t n;
    (void)what;
    lt_ignore(read(fd, &n, sizeof n) < 0);
    atomic_store(&r->woken, false);
    if (atomic_load(&r->stop)) {
        (void)event_base_loopbreak(r->base);
        return;
    }
    take_over(r);
    view_end_asked(r);
    uint64_t now = clock_mono_us();
    if (now >= r->next_pass_us) {
        pass(r);
        return;
    }
    struct timeval tv = {.tv_usec = (suseconds_t)(r->next_pass_us - now)};
    if (!event_pending(&r->on_pass, EV_TIMEOUT, NULL))
        (void)event_add(&r->on_pass, &tv);
}

/* Files that nobody reads any more; and a place whose next file found no descriptor. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct replicas *r = arg;
    (void)fd;
    (void)what;
    view_publish(r);
    files_trim(&r->files, clock_mono_us());
    peers_trim(&r->peers, clock_mono_us());
    for (struct client *s = TAILQ_FIRST(&r->all); s != NULL; s = TAILQ_NEXT(s, link)) {
        if (s->state == CLIENT_STREAMING && s->st.feed.starved_us != 0)
            client_turn_later(s);
    }
}

static void on_view(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    view_publish(arg);
}

static void *run(void *arg)
{
    struct replicas *r = arg;
    (void)priority_behind(r->nice);
    (void)newest_look(&r->newest, &r->files);
    (void)event_base_dispatch(r->base);
    for (struct client *s; (s = TAILQ_FIRST(&r->all)) != NULL;)
        client_close(s, "stopping");
    bury(r);
    return NULL;
}

/* ---- start and stop */

static int open_loop(struct replicas *r, struct lt_err *err)
{
    struct timeval tick = {.tv_sec = TICK_S};
    r->base = event_base_new();
    r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->scratch = malloc(STREAM_CHUNK);
    if (r->base == NULL || r->wake_fd < 0 || r->scratch == NULL)
        return lt_err_set(err, LT_ENOMEM, "replicas");
    if (event_assign(&r->on_wake, r->base, r->wake_fd, EV_READ | EV_PERSIST, on_wake, r) != 0 ||
        evtimer_assign(&r->turns.on_run, r->base, on_run, r) != 0 ||
        evtimer_assign(&r->logins.on_run, r->base, on_logins, r) != 0 ||
        evtimer_assign(&r->on_pass, r->base, on_pass, r) != 0 ||
        evtimer_assign(&r->on_view, r->base, on_view, r) != 0 ||
        event_assign(&r->on_tick, r->base, -1, EV_PERSIST, on_tick, r) != 0 || event_add(&r->on_wake, NULL) != 0 ||
        event_add(&r->on_tick, &tick) != 0)
        return lt_err_set(err, LT_ESYS, "event loop");
    return feed_desk_init(&r->desk, err);
}

static int first_listen(struct replicas *r, struct lt_err *err)
{
    struct lt_err local = {0};
    int rc = door_open(r, &local);
    if (rc == LT_EINVAL) {
        *err = local;
        return rc;
    }
    if (rc != 0)
        log_warn("replicas", "no replicas yet: %s", local.text);
    return 0;
}

static int start(struct replicas *r, const struct replicas_options *opt, struct lt_err *err)
{
    r->host = strdup(opt->host);
    if (r->host == NULL)
        return lt_err_set(err, LT_ENOMEM, "replicas");
    int rc = rules_make(opt, &r->policy, err);
    if (rc == 0)
        rc = rules_rsa(&r->rsa, &r->rsa_pem, err);
    if (rc == 0)
        rc = open_loop(r, err);
    if (rc != 0)
        return rc;
    r->tls = r->policy->tls != NULL;
    atomic_store(&r->max_lag, r->policy->max_lag);
    descriptors_share(r, r->policy->max_replicas);
    rc = first_listen(r, err);
    if (rc == 0)
        rc = door_arm(r, err);
    if (rc != 0)
        return rc;
    store_on_watermark(r->store, on_watermark, r);
    r->watching = true;
    rc = thread_start(&r->thread, NULL, run, r);
    r->started = rc == 0;
    return rc == 0 ? 0 : lt_err_set(err, LT_ESYS, "thread for replicas");
}

int replicas_start(const struct replicas_options *opt, struct replicas **ret, struct lt_err *err)
{
    struct replicas *r = calloc(1, sizeof *r);
    if (r == NULL)
        return lt_err_set(err, LT_ENOMEM, "replicas");
    r->store = opt->store;
    r->wanted_port = opt->port;
    r->listen_fd = r->wake_fd = -1;
    r->server_id = opt->server_id;
    memcpy(r->server_uuid, opt->server_uuid, sizeof r->server_uuid);
    r->server_uuid[sizeof r->server_uuid - 1] = '\0';
    r->nice = opt->nice != 0 ? opt->nice : REPLICAS_NICE;
    r->started_us = clock_mono_us();
    TAILQ_INIT(&r->all);
    TAILQ_INIT(&r->turns.waiting);
    TAILQ_INIT(&r->logins.waiting);
    TAILQ_INIT(&r->graves);
    TAILQ_INIT(&r->strangers);
    peers_init(&r->peers);
    (void)pthread_mutex_init(&r->lock, NULL);
    files_init(&r->files, opt->store);
    int rc = start(r, opt, err);
    if (rc != 0) {
        replicas_stop(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void replicas_stop(struct replicas *r)
{
    if (r == NULL)
        return;
    if (r->watching)
        store_off_watermark(r->store, r);
    atomic_store(&r->stop, true);
    if (r->started) {
        replicas_wake(r);
        (void)pthread_join(r->thread, NULL);
    }
    door_close(r);
    if (r->base != NULL)
        event_base_free(r->base);
    if (r->wake_fd >= 0)
        (void)close(r->wake_fd);
    newest_fini(&r->newest);
    feed_desk_fini(&r->desk);
    files_fini(&r->files);
    peers_fini(&r->peers);
    rules_free(r->policy);
    rules_free(r->fresh);
    free(r->seen);
    free(r->to_end);
    EVP_PKEY_free(r->rsa);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->rsa_pem);
    free(r->scratch);
    free(r->host);
    free(r);
}

int replicas_prepare(const struct replicas *r, const struct replicas_options *opt, struct replicas_policy **ret,
                     struct lt_err *err)
{
    if ((opt->ssl_cert != NULL) != r->tls)
        return lt_err_set(err, LT_EINVAL, "TLS for replicas is turned %s at the next start", r->tls ? "off" : "on");
    return rules_make(opt, ret, err);
}

void replicas_adopt(struct replicas *r, struct replicas_policy *prepared)
{
    descriptors_grow(r, prepared->max_replicas);
    (void)pthread_mutex_lock(&r->lock);
    struct replicas_policy *before = r->fresh; /* not taken over yet: nobody has seen it */
    r->fresh = prepared;
    atomic_store(&r->max_lag, prepared->max_lag);
    (void)pthread_mutex_unlock(&r->lock);
    rules_free(before);
    replicas_wake(r);
}

void replicas_discard(struct replicas_policy *prepared)
{
    rules_free(prepared);
}

uint16_t replicas_port(const struct replicas *r)
{
    return atomic_load(&r->port);
}

void replicas_view_get(const struct replicas *r, struct replicas_view *ret)
{
    *ret = (struct replicas_view){
        .connected = atomic_load(&r->connected),
        .streaming = atomic_load(&r->streaming),
        .accepted = atomic_load(&r->accepted),
        .refused = atomic_load(&r->refused),
        .denied = atomic_load(&r->denied),
        .slow_closed = atomic_load(&r->slow_closed),
        .sent_bytes = atomic_load(&r->sent_bytes),
    };
}
