/*
 * Start, stop and reload.
 *
 * - Start: policy, listener, named consumers, threads; then the watermark callback, then accepting.
 * - Stop: no more accepting, goodbye to each consumer, threads joined, pending commits written.
 * Failure: what was begun is taken down in reverse.
 */
#include "serve/serve.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/serve_internal.h"

#define THREADS_DEFAULT_MAX 4

/* On ingest's thread: one write at most until the thread has looked. */
static void on_watermark(void *arg)
{
    struct serve *s = arg;
    worker_wake(&s->workers[0]);
}

/* On the committing thread. */
static void on_committed(void *arg, struct session_ref by, const struct consumer_state *state, int rc, const char *why)
{
    struct serve *s = arg;
    struct mail *m = calloc(1, sizeof *m);
    (void)why;
    if (m == NULL)
        return; /* the answer is lost, the commit is not */
    m->kind = MAIL_COMMITTED;
    m->to = by;
    m->rc = rc;
    m->state = *state;
    worker_post(&s->workers[by.worker], m);
}

static unsigned thread_count(unsigned wish)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (wish == 0)
        wish = cores < 1 ? 1 : cores > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (unsigned)cores;
    return wish < SERVE_THREADS_MAX ? wish : SERVE_THREADS_MAX;
}

static int open_names(struct serve *s, struct lt_err *err)
{
    struct lt_err bad = {0};
    size_t n_bad = 0;
    int rc = names_open(&s->names, s->store, on_committed, s, &n_bad, &bad);
    if (rc != 0) {
        *err = bad;
        return rc;
    }
    s->names_open = true;
    if (n_bad > 0)
        log_error("serve", "%zu consumers' positions cannot be read, the last: %s", n_bad, bad.text);
    return 0;
}

/* An address that is taken or not up yet is tried for again; one that this user may not have is not. */
static int first_listen(struct serve *s, struct lt_err *err)
{
    struct lt_err local = {0};
    int rc = listen_open(s, &local);
    if (rc != 0 && rc != LT_EINVAL) {
        log_warn("serve", "no consumers yet: %s", local.text);
        return 0;
    }
    if (rc != 0)
        *err = local;
    return rc;
}

static int start(struct serve *s, const struct serve_options *opt, struct lt_err *err)
{
    s->agent = strdup(opt->agent != NULL ? opt->agent : "logtailerd");
    s->host = strdup(opt->host);
    s->wanted_port = opt->port;
    if (s->agent == NULL || s->host == NULL)
        return lt_err_set(err, LT_ENOMEM, "serve");
    int rc = policy_make(opt, &s->policy, err);
    if (rc == 0)
        rc = open_names(s, err);
    if (rc != 0)
        return rc;
    s->tls = s->policy->tls != NULL;
    policy_tell(s->policy);
    s->fd_others = opt->fd_others;
    room_make(s, s->policy->max_consumers);
    unsigned n = thread_count(opt->threads);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = worker_init(s, i, err);
    s->n_workers = rc == 0 ? n : 0;
    if (rc == 0)
        rc = first_listen(s, err);
    if (rc == 0)
        rc = listen_arm(s, opt->accept_after_us, err);
    if (rc == 0)
        store_on_watermark(s->store, on_watermark, s);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = worker_start(&s->workers[i], err);
    return rc;
}

int serve_start(const struct serve_options *opt, struct serve **ret, struct lt_err *err)
{
    struct serve *s = calloc(1, sizeof *s);
    if (s == NULL)
        return lt_err_set(err, LT_ENOMEM, "serve");
    s->store = opt->store;
    s->listen_fd = -1;
    s->nice = opt->nice != 0 ? opt->nice : SERVE_NICE;
    s->stop_us = opt->stop_us != 0 ? opt->stop_us : SERVE_STOP_US;
    (void)pthread_mutex_init(&s->policy_lock, NULL);
    files_init(&s->files, opt->store);
    peers_init(&s->peers);
    int rc = start(s, opt, err);
    if (rc != 0) {
        serve_stop(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void serve_stop(struct serve *s)
{
    if (s == NULL)
        return;
    if (s->n_workers > 0)
        store_off_watermark(s->store, s);
    atomic_store(&s->stop, true);
    for (unsigned i = 0; i < s->n_workers; i++) {
        if (s->workers[i].started)
            worker_wake(&s->workers[i]);
    }
    for (unsigned i = 0; i < s->n_workers; i++) {
        if (s->workers[i].started)
            (void)pthread_join(s->workers[i].thread, NULL);
    }
    if (s->n_workers > 0)
        listen_close(s);
    else if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    for (unsigned i = 0; i < SERVE_THREADS_MAX; i++)
        worker_fini(&s->workers[i]);
    if (s->names_open)
        names_close(&s->names);
    files_fini(&s->files);
    peers_fini(&s->peers);
    policy_put(s->policy);
    (void)pthread_mutex_destroy(&s->policy_lock);
    free(s->agent);
    free(s->host);
    free(s);
}

int serve_prepare(const struct serve *s, const struct serve_options *opt, struct serve_policy **ret, struct lt_err *err)
{
    if ((opt->ssl_cert != NULL) != s->tls)
        return lt_err_set(err, LT_EINVAL, "TLS for consumers is turned %s at the next start", s->tls ? "off" : "on");
    struct serve_policy *p = NULL;
    int rc = policy_make(opt, &p, err);
    if (rc == 0 && p->max_consumers > s->policy->max_consumers) /* only what is asked for anew can be refused */
        rc = room_check(s, p->max_consumers, err);
    if (rc == 0)
        *ret = p;
    else
        policy_put(p);
    return rc;
}

void serve_adopt(struct serve *s, struct serve_policy *prepared)
{
    (void)pthread_mutex_lock(&s->policy_lock);
    struct serve_policy *before = s->policy;
    prepared->generation = before->generation + 1;
    s->policy = prepared;
    atomic_store(&s->generation, prepared->generation);
    (void)pthread_mutex_unlock(&s->policy_lock);
    if (prepared->anonymous != before->anonymous || prepared->clear_tokens != before->clear_tokens)
        policy_tell(prepared);
    if (prepared->max_consumers != before->max_consumers)
        room_make(s, prepared->max_consumers);
    policy_put(before);
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_wake(&s->workers[i]);
}

void serve_discard(struct serve_policy *prepared)
{
    policy_put(prepared);
}

int serve_reload(struct serve *s, const struct serve_options *opt, struct lt_err *err)
{
    struct serve_policy *fresh = NULL;
    int rc = serve_prepare(s, opt, &fresh, err);
    if (rc == 0 && fresh != NULL) /* always, then */
        serve_adopt(s, fresh);
    return rc;
}

uint16_t serve_port(const struct serve *s)
{
    return atomic_load(&s->port);
}

void serve_set_source_time(struct serve *s, uint64_t us)
{
    atomic_store_explicit(&s->source_time_us, us, memory_order_relaxed);
}
