/*
 * The thread: connect, ask who it is, then one round a second; whatever it learns goes into its own view and from there, whole, into the
 * shared one.
 *
 * Failure modes: a connect that fails or a statement that does not answer ends the connection; the next try comes after one second, doubled
 * up to ten ("too many connections" is a race: 300 ms). The view keeps what was known, with its age, and says why it is not newer.
 */
#include "ops/watch/monitor.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "ops/watch/alarms.h"
#include "ops/watch/monitor_ask.h"

#define RETRY_MAX_US   10000000u
#define RETRY_BUSY_US  300000u
#define CERTS_EVERY_US (3600ull * 1000000)
#define PASSWORD_MAX   512

/* What the thread works with; strings owned. */
struct monitor_settings {
    struct monitor_options opt;
    char *paths[MONITOR_CERTS_MAX - 1]; /* the copies that opt.certs points at */
};

struct monitor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under lock: */
    bool stop;
    bool moved; /* another address: connect anew */
    bool hurry; /* ask everything, now */
    struct monitor_settings *next;
    struct monitor_settings *now; /* changed by the thread alone, which reads it without the lock */
    struct source *conn;          /* so that another thread can shut it down */
    struct monitor_view shared;
    /* The thread's own: */
    struct monitor_view view;
    unsigned round;
    unsigned failures;
    uint64_t certs_due_us; /* 0: now */
};

/* -------------------------------------------------- settings -------------------------------------------------- */

static void settings_free(struct monitor_settings *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < MONITOR_CERTS_MAX - 1; i++)
        free(s->paths[i]);
    source_params_fini(&s->opt.source);
    free(s);
}

static struct monitor_settings *settings_copy(const struct monitor_options *opt)
{
    struct monitor_settings *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->opt = *opt;
    s->opt.source = (struct source_params){0};
    struct source_params *p = &s->opt.source;
    bool failed = source_params_copy(p, &opt->source) != 0;
    p->read_timeout_us = MONITOR_QUERY_US;
    if (p->connect_timeout_us > MONITOR_QUERY_US)
        p->connect_timeout_us = MONITOR_QUERY_US;
    for (size_t i = 0; i < MONITOR_CERTS_MAX - 1; i++) {
        if (opt->certs[i].path == NULL)
            continue;
        s->paths[i] = strdup(opt->certs[i].path);
        s->opt.certs[i].path = s->paths[i];
        failed = failed || s->paths[i] == NULL;
    }
    if (failed) {
        settings_free(s);
        return NULL;
    }
    return s;
}

/* -------------------------------------------------- publishing -------------------------------------------------- */

static int copy_view(struct monitor_view *to, const struct monitor_view *from)
{
    struct gtid_set set = to->gtids;
    int rc = gtid_set_copy(&set, &from->gtids);
    *to = *from;
    to->gtids = set;
    if (rc != 0) {
        gtid_set_clear(&to->gtids);
        to->have_gtids = false;
    }
    return rc;
}

static void publish(struct monitor *mon)
{
    (void)pthread_mutex_lock(&mon->lock);
    lt_ignore(copy_view(&mon->shared, &mon->view)); /* out of memory shows as GTIDs that are not known */
    (void)pthread_mutex_unlock(&mon->lock);
}

int monitor_view_get(struct monitor *mon, struct monitor_view *ret)
{
    memset(ret, 0, sizeof *ret);
    (void)pthread_mutex_lock(&mon->lock);
    int rc = copy_view(ret, &mon->shared);
    (void)pthread_mutex_unlock(&mon->lock);
    if (rc != 0)
        monitor_view_fini(ret);
    return rc;
}

void monitor_ask_now(struct monitor *mon)
{
    (void)pthread_mutex_lock(&mon->lock);
    mon->hurry = true;
    (void)pthread_cond_signal(&mon->wake);
    (void)pthread_mutex_unlock(&mon->lock);
}

uint64_t monitor_asked_us(struct monitor *mon)
{
    (void)pthread_mutex_lock(&mon->lock);
    uint64_t us = mon->shared.asked_us;
    (void)pthread_mutex_unlock(&mon->lock);
    return us;
}

void monitor_view_fini(struct monitor_view *v)
{
    gtid_set_fini(&v->gtids);
}

bool monitor_view_fresh(const struct monitor_view *v, uint64_t now_us)
{
    return v->at_us != 0 && now_us < v->at_us + MONITOR_FRESH_US;
}

/* -------------------------------------------------- the connection -------------------------------------------------- */

static void read_certs(struct monitor *mon, const struct source *conn)
{
    struct monitor_view *v = &mon->view;
    const struct monitor_options *opt = &mon->now->opt;
    int64_t peer = source_peer_not_after(conn);
    v->cert_count = 0;
    if (peer != 0)
        v->certs[v->cert_count++] = (struct monitor_cert){.name = "the source's certificate", .not_after_s = peer};
    for (size_t i = 0; i < MONITOR_CERTS_MAX - 1; i++) {
        if (opt->certs[i].path != NULL)
            v->certs[v->cert_count++] = (struct monitor_cert){
                .name = opt->certs[i].name, .not_after_s = monitor_cert_not_after(opt->certs[i].path)};
    }
    mon->certs_due_us = clock_mono_us() + CERTS_EVERY_US;
}

static int connect_source(struct monitor *mon, struct source **ret, struct lt_err *err)
{
    char password[PASSWORD_MAX] = "";
    struct source_params p = mon->now->opt.source;
    enum source_error code = SOURCE_OK;
    int rc = LT_OK;
    if (mon->now->opt.password != NULL)
        rc = mon->now->opt.password(mon->now->opt.password_arg, password, sizeof password, err);
    p.password = password;
    if (rc == 0)
        rc = source_connect(&p, ret, &code, err);
    explicit_bzero(password, sizeof password);
    mon->view.busy = code == SOURCE_ERR_BUSY;
    if (rc != 0)
        return rc;
    (void)pthread_mutex_lock(&mon->lock);
    mon->conn = *ret;
    (void)pthread_mutex_unlock(&mon->lock);
    mon->round = 0;
    rc = monitor_ask_identity(*ret, &mon->view, err);
    if (rc != 0)
        return rc;
    read_certs(mon, *ret);
    mon->view.connected = true;
    return LT_OK;
}

/* Its address is ours, or it calls itself as this machine does (a container has a name of its own). */
static bool is_same_host(const struct source *conn, const char *its_name)
{
    char our_name[64] = "";
    if (source_is_local(conn))
        return true;
    return gethostname(our_name, sizeof our_name - 1) == 0 && our_name[0] != '\0' && strcmp(our_name, its_name) == 0;
}

static void disconnect(struct monitor *mon, struct source *conn)
{
    (void)pthread_mutex_lock(&mon->lock);
    mon->conn = NULL;
    (void)pthread_mutex_unlock(&mon->lock);
    source_close(conn);
    mon->view.connected = false;
    mon->view.server_us = 0; /* the next connection may lead to another server */
}

/* What a connection keeps of the moment when it began, and has changed since: the account's privileges, the source's certificate. */
static bool is_outdated(struct monitor *mon, struct source *conn, uint64_t now_us)
{
    int64_t ends_s = source_peer_not_after(conn);
    if (now_us >= mon->certs_due_us && ends_s != 0 && ends_s < (int64_t)(clock_wall_us() / 1000000) + ALARM_CERT_SOON_S)
        return true; /* perhaps it was renewed */
    return monitor_grants_changed(conn, mon->round, &mon->view);
}

static int run_round(struct monitor *mon, struct source **conn)
{
    struct lt_err err = {0};
    uint64_t begin_us = clock_mono_us();
    mon->view.asked_us = begin_us;
    if (*conn != NULL && is_outdated(mon, *conn, begin_us)) {
        disconnect(mon, *conn);
        *conn = NULL;
    }
    int rc = *conn == NULL ? connect_source(mon, conn, &err) : LT_OK;
    if (rc == 0)
        rc = monitor_ask(*conn, mon->round++, mon->now->opt.source.user, &mon->view, &err);
    if (rc == 0 && begin_us >= mon->certs_due_us)
        read_certs(mon, *conn);
    if (rc != 0) {
        (void)snprintf(mon->view.error, sizeof mon->view.error, "%.255s", err.text);
        disconnect(mon, *conn);
        *conn = NULL;
        mon->failures++;
        log_debug("ops", "the monitor's connection failed: %s", err.text);
    } else {
        mon->view.error[0] = '\0';
        mon->view.same_host = is_same_host(*conn, mon->view.host_name);
        mon->view.at_us = clock_mono_us();
        mon->view.round_us = mon->view.at_us - begin_us;
        mon->view.rounds++;
        mon->failures = 0;
    }
    publish(mon);
    return rc;
}

/* -------------------------------------------------- the thread -------------------------------------------------- */

static uint64_t pause_us(const struct monitor *mon)
{
    if (mon->failures == 0)
        return MONITOR_PERIOD_US > mon->view.round_us ? MONITOR_PERIOD_US - mon->view.round_us : 0;
    if (mon->view.busy)
        return RETRY_BUSY_US;
    uint64_t us = MONITOR_PERIOD_US;
    for (unsigned i = 1; i < mon->failures && us < RETRY_MAX_US; i++)
        us *= 2;
    return us < RETRY_MAX_US ? us : RETRY_MAX_US;
}

/* Sleep, take new settings. False: stop. */
static bool next_turn(struct monitor *mon, struct source **conn)
{
    uint64_t until_us = clock_mono_us() + pause_us(mon);
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
    (void)pthread_mutex_lock(&mon->lock);
    while (!mon->stop && !mon->moved && !mon->hurry && pthread_cond_timedwait(&mon->wake, &mon->lock, &until) == 0)
        ;
    bool go_on = !mon->stop;
    bool moved = mon->moved;
    struct monitor_settings *old = NULL;
    if (mon->next != NULL) {
        old = mon->now;
        mon->now = mon->next;
        mon->next = NULL;
        mon->certs_due_us = 0; /* other files, perhaps */
    }
    mon->moved = false;
    if (mon->hurry)
        mon->round = 0;
    mon->hurry = false;
    (void)pthread_mutex_unlock(&mon->lock);
    settings_free(old);
    if (moved) {
        disconnect(mon, *conn);
        *conn = NULL;
        gtid_set_clear(&mon->view.gtids);
        mon->view = (struct monitor_view){.rounds = mon->view.rounds, .gtids = mon->view.gtids};
        publish(mon);
    }
    return go_on;
}

static void *monitor_thread(void *arg)
{
    struct monitor *mon = arg;
    struct source *conn = NULL;
    do
        lt_ignore(run_round(mon, &conn)); /* a failure is in the view */
    while (next_turn(mon, &conn));
    disconnect(mon, conn);
    return NULL;
}

static void monitor_free(struct monitor *mon)
{
    settings_free(mon->now);
    settings_free(mon->next);
    monitor_view_fini(&mon->view);
    monitor_view_fini(&mon->shared);
    (void)pthread_mutex_destroy(&mon->lock);
    (void)pthread_cond_destroy(&mon->wake);
    free(mon);
}

int monitor_start(const struct monitor_options *opt, struct monitor **ret, struct lt_err *err)
{
    pthread_condattr_t attr;
    struct monitor *mon = calloc(1, sizeof *mon);
    if (mon == NULL)
        return lt_err_set(err, LT_ENOMEM, "starting the source monitor");
    (void)pthread_mutex_init(&mon->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&mon->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    mon->now = settings_copy(opt);
    int rc = mon->now == NULL ? lt_err_set(err, LT_ENOMEM, "starting the source monitor") : LT_OK;
    if (rc == 0 && thread_start(&mon->thread, NULL, monitor_thread, mon) != 0)
        rc = lt_err_set(err, LT_ESYS, "starting the source monitor");
    if (rc != 0) {
        monitor_free(mon);
        return rc;
    }
    *ret = mon;
    return LT_OK;
}

void monitor_stop(struct monitor *mon)
{
    if (mon == NULL)
        return;
    (void)pthread_mutex_lock(&mon->lock);
    mon->stop = true;
    if (mon->conn != NULL)
        source_shutdown(mon->conn);
    (void)pthread_cond_signal(&mon->wake);
    (void)pthread_mutex_unlock(&mon->lock);
    (void)pthread_join(mon->thread, NULL);
    monitor_free(mon);
}

int monitor_prepare(const struct monitor_options *opt, struct monitor_settings **ret)
{
    *ret = settings_copy(opt);
    return *ret != NULL ? LT_OK : LT_ENOMEM;
}

void monitor_discard(struct monitor_settings *prepared)
{
    settings_free(prepared);
}

void monitor_adopt(struct monitor *mon, struct monitor_settings *prepared)
{
    (void)pthread_mutex_lock(&mon->lock);
    struct monitor_settings *unused = mon->next;
    const struct monitor_settings *last = mon->next != NULL ? mon->next : mon->now;
    mon->moved = mon->moved || !source_params_same_address(&last->opt.source, &prepared->opt.source);
    mon->next = prepared;
    if (mon->moved && mon->conn != NULL)
        source_shutdown(mon->conn);
    (void)pthread_cond_signal(&mon->wake);
    (void)pthread_mutex_unlock(&mon->lock);
    settings_free(unused);
}
