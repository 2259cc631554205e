/*
 * - Order: store (lock, recovery), admin socket, ingest thread, READY=1, loop; the reverse on the way down.
 * - SIGTERM and SIGINT stop in order; SIGHUP reads the configuration anew and takes over what can be taken over, or nothing.
 * - A timer looks every 100 ms whether a sync hangs, and feeds systemd's watchdog.
 * Failure modes: what fails before READY ends with the code that says what a restart can help (daemon_exit_code); listeners that cannot be had
 * are tried for again by their threads; a store that cannot be repaired later ends with 3 at once, without another ACK.
 */
#include "daemon/daemon.h"

#include <event2/event.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "daemon/daemon_replicas.h"
#include "daemon/daemon_serve.h"
#include "daemon/start_notice.h"
#include "ops/ops.h"

#define TICK_US   100000
#define MAIN_NICE 5 /* answers may take a moment longer, ACKs not */

struct daemon {
    struct conf *conf;         /* main alone changes it */
    pthread_mutex_t conf_lock; /* held over a change, and by other threads that read where the password is */
    const struct daemon_options *opt;
    struct event_base *base;
    struct event *on_term;
    struct event *on_int;
    struct event *on_hup;
    struct event *tick;
    struct ops *ops;
    struct store *store;
    struct ack_gate gate;
    struct ingest *ingest;
    struct serve *serve;       /* NULL: tail.listen = off */
    struct replicas *replicas; /* NULL: replicas.listen = off */
    struct start_notice notice;
    int exit_code;
    atomic_bool password_exposed; /* and told */
    atomic_bool fatal;
};

static void stop_soon(void *arg)
{
    struct daemon *d = arg;
    struct timeval soon = {.tv_usec = 50000}; /* let the answer leave first */
    log_notice("daemon", "stopping: asked over the admin socket");
    (void)event_base_loopexit(d->base, &soon);
}

static void on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
    struct daemon *d = arg;
    (void)what;
    log_notice("daemon", "stopping: %s", sig == SIGTERM ? "SIGTERM" : "SIGINT");
    (void)event_base_loopexit(d->base, NULL);
}

static void log_changed_keys(const json_t *keys, const char *what)
{
    size_t i;
    json_t *key;
    json_array_foreach(keys, i, key) log_notice("daemon", "%s: %s", json_string_value(key), what);
}

static void ingest_options(struct daemon *d, const struct conf *c, struct ingest_options *ret);
static void ops_options(struct daemon *d, const struct conf *c, struct ops_options *ret);

/* What the running parts have made of a configuration that is not in force yet. */
struct prepared {
    struct conf conf;
    struct serve_policy *serve;       /* NULL: consumers are not served */
    struct replicas_policy *replicas; /* NULL: replicas are not */
    struct ops_prepared *ops;
    struct ingest_options *ingest;
};

/* Everything that can fail. On failure nothing has changed, and there is nothing to discard. */
static int prepare(struct daemon *d, const struct conf *fresh, struct prepared *ret, struct lt_err *err)
{
    struct prepared p = {0};
    struct ops_options oo;
    struct ingest_options io;
    int rc = conf_next(d->conf, fresh, &p.conf, err);
    if (rc != 0)
        return rc;
    ops_options(d, &p.conf, &oo);
    ingest_options(d, &p.conf, &io);
    rc = daemon_serve_prepare(d->serve, &p.conf, &p.serve, err);
    if (rc == 0)
        rc = daemon_replicas_prepare(d->replicas, &p.conf, &p.replicas, err);
    if (rc == 0)
        rc = ops_prepare(d->ops, &oo, &p.ops, err);
    if (rc == 0 && ingest_prepare(&io, &p.ingest) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "out of memory");
    if (rc == 0) {
        *ret = p;
        return LT_OK;
    }
    ops_discard(p.ops);
    serve_discard(p.serve);
    replicas_discard(p.replicas);
    conf_fini(&p.conf);
    return rc;
}

/* Nothing here can fail. The stream goes on with what it began with; its next connection takes the new. */
static void adopt(struct daemon *d, struct prepared *p)
{
    struct ops_options oo;
    (void)pthread_mutex_lock(&d->conf_lock);
    conf_exchange(d->conf, &p->conf);
    (void)pthread_mutex_unlock(&d->conf_lock);
    ops_options(d, d->conf, &oo); /* of what is in force by now: its texts are borrowed */
    if (d->serve != NULL)
        serve_adopt(d->serve, p->serve);
    if (d->replicas != NULL)
        replicas_adopt(d->replicas, p->replicas);
    ops_adopt(d->ops, &oo, p->ops);
    ingest_adopt(d->ingest, p->ingest);
    log_configure((enum log_level)d->conf->log.level, (enum log_format)d->conf->log.format);
    conf_fini(&p->conf); /* what was in force before */
}

/* All is judged, then all is taken over. *ret_answer (may be NULL): {reload: [keys], restart: [keys]}. */
static int reload(void *arg, json_t **ret_answer, struct lt_err *err)
{
    struct daemon *d = arg;
    struct conf fresh;
    struct prepared p;
    int rc = conf_load(&fresh, d->opt->conf_path, d->opt->sets, d->opt->n_sets, err);
    if (rc == 0) {
        rc = prepare(d, &fresh, &p, err);
        if (rc != 0)
            conf_fini(&fresh);
    }
    if (rc != 0) {
        log_error("daemon", "not reloaded, nothing changed: %s", err->text);
        return rc;
    }
    json_t *changes = conf_changes(d->conf, &fresh);
    if (ops_follow(d->ops)->active)
        conf_changes_of_followed(changes);
    adopt(d, &p);
    ops_name_source(d->ops, fresh.source.host, fresh.source.port, fresh.source.socket);
    conf_fini(&fresh);
    log_changed_keys(json_object_get(changes, "restart"), "changed, takes effect at the next start");
    log_notice("daemon", "reloaded %s", d->opt->conf_path);
    if (ret_answer != NULL)
        *ret_answer = json_incref(changes);
    json_decref(changes);
    return LT_OK;
}

static void on_reload_signal(evutil_socket_t sig, short what, void *arg)
{
    struct lt_err err;
    (void)sig;
    (void)what;
    lt_ignore(reload(arg, NULL, &err)); /* it said in the log what is wrong */
}

static int config_answer(void *arg, json_t **ret_answer, struct lt_err *err)
{
    struct daemon *d = arg;
    *ret_answer = json_pack("{s:o}", "config", conf_to_json(d->conf));
    return *ret_answer != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static int set_log_level(void *arg, const char *level, struct lt_err *err)
{
    struct daemon *d = arg;
    char assignment[64];
    (void)snprintf(assignment, sizeof assignment, "log.level=%.40s", level);
    int rc = conf_set(d->conf, assignment, err);
    if (rc == 0)
        log_configure((enum log_level)d->conf->log.level, (enum log_format)d->conf->log.format);
    return rc;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;
    (void)fd;
    (void)what;
    if (atomic_load(&d->fatal)) {
        (void)event_base_loopbreak(d->base);
        return;
    }
    ops_tick(d->ops);
    daemon_serve_tick(d->serve, d->ingest);
    (void)sd_notify(0, "WATCHDOG=1");
}

/* On the ingest thread, which ends after this. The event loop is main's alone: its next tick sees it, and nothing is acknowledged meanwhile. */
static void on_fatal(void *arg, const char *why)
{
    struct daemon *d = arg;
    (void)why;
    atomic_store(&d->fatal, true);
}

static char *copy_of(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* On the ingest and on the monitor's thread. The files are read without the lock: they may be on a disk that hangs. */
static int read_password(void *arg, char *buf, size_t cap, struct lt_err *err)
{
    struct daemon *d = arg;
    struct conf where = {0};
    bool exposed = false;
    (void)pthread_mutex_lock(&d->conf_lock);
    bool wanted = d->conf->source.password_file != NULL || d->conf->source.defaults_file != NULL;
    where.source.password_file = copy_of(d->conf->source.password_file);
    where.source.defaults_file = copy_of(d->conf->source.defaults_file);
    (void)pthread_mutex_unlock(&d->conf_lock);
    int rc = wanted && where.source.password_file == NULL && where.source.defaults_file == NULL
                 ? lt_err_set(err, LT_ENOMEM, "out of memory")
                 : conf_read_password(&where, buf, cap, &exposed, err);
    free(where.source.password_file);
    free(where.source.defaults_file);
    /* Every connection asks for it: told when it becomes so. */
    if (rc == 0 && atomic_exchange(&d->password_exposed, exposed) != exposed && exposed)
        log_warn("daemon", "the file that holds the source's password can be read by every local user");
    return rc;
}

static enum source_ssl ssl_mode(int mode)
{
    static const enum source_ssl map[] = {
        [CONF_SSL_DISABLED] = SOURCE_SSL_DISABLED,
        [CONF_SSL_PREFERRED] = SOURCE_SSL_PREFERRED,
        [CONF_SSL_REQUIRED] = SOURCE_SSL_REQUIRED,
        [CONF_SSL_VERIFY_CA] = SOURCE_SSL_VERIFY_CA,
        [CONF_SSL_VERIFY_IDENTITY] = SOURCE_SSL_VERIFY_IDENTITY,
    };
    return map[mode];
}

static void ingest_options(struct daemon *d, const struct conf *c, struct ingest_options *ret)
{
    *ret = (struct ingest_options){
        .source =
            {
                .host = c->source.host ? c->source.host : "",
                .port = c->source.port,
                .socket = c->source.socket,
                .user = c->source.user,
                .ssl = ssl_mode(c->source.ssl_mode),
                .ssl_ca = c->source.ssl_ca,
                .ssl_cert = c->source.ssl_cert,
                .ssl_key = c->source.ssl_key,
                .verified_login = c->source.verified_login,
                .connect_timeout_us = c->source.connect_timeout_us,
                .read_timeout_us = c->source.connect_timeout_us,
            },
        .password = read_password,
        .password_arg = d,
        .semi_sync = c->source.semi_sync,
        .heartbeat_us = c->source.heartbeat_period_us,
        .retry_min_us = c->source.retry_min_us,
        .retry_max_us = c->source.retry_max_us,
        .start = c->source.start,
        .catchup_async_bytes = c->source.catchup_async_bytes,
        .stall_disconnect_us = c->store.stall_disconnect_us,
        .server_id = c->source.server_id,
        .report_port = c->tail.listen.on ? c->tail.listen.port : 0,
        .store = d->store,
        .gate = &d->gate,
        .on_fatal = on_fatal,
        .fatal_arg = d,
    };
}

static void report_recovery(const struct store *s)
{
    const struct store_recovery *r = store_recovered(s);
    if (r->cut_bytes > 0 || r->removed_files > 0)
        log_notice("store", "recovery of %s cut %" PRIu64 " bytes that were not whole events, removed %u files",
                   r->file, r->cut_bytes, r->removed_files);
    if (r->sealed_damage)
        log_error("store", "damage in a sealed file, left as it is: %s", r->damage);
}

static int open_store(struct daemon *d, struct lt_err *err)
{
    struct store_options so = {.dir = d->conf->store.dir,
                               .allow_unsafe_fs = d->conf->store.allow_unsafe_fs,
                               .prewrite = true,
                               .progress = &d->notice.progress};
    int rc = store_open(&so, &vfs_posix, &d->store, err);
    if (rc != 0) {
        (void)lt_err_wrap(err, "store.dir");
        return rc;
    }
    report_recovery(d->store);
    return LT_OK;
}

void daemon_hold_signals(bool hold)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int open_events(struct daemon *d, struct lt_err *err)
{
    struct timeval tick = {.tv_usec = TICK_US};
    d->base = event_base_new();
    if (d->base == NULL)
        return lt_err_set(err, LT_ENOMEM, "making the event loop");
    d->on_term = evsignal_new(d->base, SIGTERM, on_stop_signal, d);
    d->on_int = evsignal_new(d->base, SIGINT, on_stop_signal, d);
    d->on_hup = evsignal_new(d->base, SIGHUP, on_reload_signal, d);
    d->tick = event_new(d->base, -1, EV_PERSIST, on_tick, d);
    if (d->on_term == NULL || d->on_int == NULL || d->on_hup == NULL || d->tick == NULL)
        return lt_err_set(err, LT_ENOMEM, "making the event loop");
    if (event_add(d->on_term, NULL) != 0 || event_add(d->on_int, NULL) != 0 || event_add(d->on_hup, NULL) != 0 ||
        event_add(d->tick, &tick) != 0)
        return lt_err_set(err, LT_ESYS, "adding to the event loop");
    return LT_OK;
}

/* The oldest segment that a named consumer or a connected replica within its limit has not done with. */
static bool needed_by_consumers(void *arg, unsigned *ret_lineage, char ret_file[BINLOG_NAME_MAX + 1],
                                char ret_name[NEEDED_BY_MAX + 1])
{
    struct daemon *d = arg;
    struct consumer_state oldest;
    struct replicas_client behind;
    bool consumer = d->serve != NULL && serve_min_needed(d->serve, &oldest) == 0;
    bool replica = d->replicas != NULL && replicas_min_needed(d->replicas, &behind) == 0;
    if (replica &&
        (!consumer || behind.lineage < oldest.lineage ||
         (behind.lineage == oldest.lineage && binlog_name_number(behind.file) < binlog_name_number(oldest.file)))) {
        *ret_lineage = behind.lineage;
        memcpy(ret_file, behind.file, sizeof behind.file);
        (void)snprintf(ret_name, NEEDED_BY_MAX + 1, "replica %s", behind.address);
        return true;
    }
    if (!consumer)
        return false;
    *ret_lineage = oldest.lineage;
    memcpy(ret_file, oldest.file, sizeof oldest.file);
    (void)snprintf(ret_name, NEEDED_BY_MAX + 1, "named consumer %s", oldest.name);
    return true;
}

static void ops_options(struct daemon *d, const struct conf *c, struct ops_options *ret)
{
    struct ingest_options io;
    ingest_options(d, c, &io);
    *ret = (struct ops_options){
        .base = d->base,
        .store = d->store,
        .gate = &d->gate,
        .settings =
            {
                .source_host = c->source.host,
                .source_port = c->source.port,
                .source_socket = c->source.socket,
                .store_dir = c->store.dir,
                .semi_sync = c->source.semi_sync,
                .heartbeat_us = c->source.heartbeat_period_us,
                .min_free_bytes = c->store.min_free_bytes,
            },
        .socket_path = c->admin.socket,
        .socket_mode = c->admin.mode,
        .socket_group = c->admin.group,
        .http_host = c->http.listen.on ? c->http.listen.host : NULL,
        .http_port = c->http.listen.port,
        .http_access = {.users_file = c->http.users_file,
                        .ssl_cert = c->http.ssl_cert,
                        .ssl_key = c->http.ssl_key,
                        .names = c->http.names,
                        .anonymous = daemon_anonymous(c->http.allow_anonymous)},
        .callbacks =
            {
                .stop = stop_soon,
                .config = config_answer,
                .reload = reload,
                .set_log_level = set_log_level,
                .arg = d,
            },
        .monitor =
            {
                .source = io.source,
                .password = read_password,
                .password_arg = d,
                .certs = {{"source.ssl_cert", c->source.ssl_cert},
                          {"source.ssl_ca", c->source.ssl_ca},
                          {"tail.ssl_cert", c->tail.ssl_cert},
                          {"tail.ssl_ca", c->tail.ssl_ca},
                          {"http.ssl_cert", c->http.ssl_cert},
                          {"replicas.ssl_cert", c->replicas.ssl_cert},
                          {"replicas.ssl_ca", c->replicas.ssl_ca}},
            },
        .consumers = {.min_needed = needed_by_consumers, .arg = d},
        .retention = {.age_us = c->store.retention_age_us, .bytes = c->store.retention_bytes},
    };
}

static int open_ops(struct daemon *d, struct lt_err *err)
{
    struct ops_options opt;
    ops_options(d, d->conf, &opt);
    return ops_open(&opt, &d->ops, err);
}

static int start(struct daemon *d, struct lt_err *err)
{
    struct ingest_options io;
    int rc = open_events(d, err);
    if (rc == 0)
        rc = open_store(d, err);
    if (rc != 0)
        return rc;
    rc = open_ops(d, err);
    if (rc != 0)
        return rc;
    rc = daemon_replicas_start(d->conf, d->store, &d->replicas, err);
    if (rc != 0)
        return rc;
    rc = daemon_serve_start(d->conf, d->store, d->replicas != NULL ? replicas_descriptors(d->replicas) : 0, &d->serve,
                            err);
    if (rc != 0)
        return rc;
    ops_attach_serve(d->ops, d->serve);
    ops_attach_replicas(d->ops, d->replicas);
    ingest_options(d, d->conf, &io);
    io.follow = ops_follow(d->ops);
    rc = ingest_start(&io, &d->ingest, err);
    if (rc == 0)
        ops_attach(d->ops, d->ingest);
    return rc;
}

static void free_event(struct event *ev)
{
    if (ev != NULL)
        event_free(ev);
}

static void take_down(struct daemon *d)
{
    ops_close(d->ops);
    ingest_stop(d->ingest);
    serve_stop(d->serve);
    replicas_stop(d->replicas);
    store_close(d->store);
    free_event(d->on_term);
    free_event(d->on_int);
    free_event(d->on_hup);
    free_event(d->tick);
    if (d->base != NULL)
        event_base_free(d->base);
    gate_fini(&d->gate);
    (void)pthread_mutex_destroy(&d->conf_lock);
}

int daemon_run(struct conf *conf, const struct daemon_options *opt)
{
    struct daemon d = {.conf = conf, .opt = opt};
    struct lt_err err = {0};
    /* No core, no debugger of another of our user's programs: keys and tokens are held for as long as we run. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    log_configure((enum log_level)conf->log.level, (enum log_format)conf->log.format);
    (void)signal(SIGPIPE, SIG_IGN); /* the client library writes to sockets that we shut down */
    source_global_init();
    gate_init(&d.gate);
    (void)pthread_mutex_init(&d.conf_lock, NULL);
    start_notice_begin(&d.notice);
    int rc = start(&d, &err);
    start_notice_end(&d.notice);
    if (rc != 0) {
        log_error("daemon", "%s", err.text);
        take_down(&d);
        return daemon_exit_code(rc, &err);
    }
    log_notice("daemon", "logtailerd started, store %s", conf->store.dir);
    (void)priority_behind(MAIN_NICE); /* after the others were started, which would inherit it */
    (void)sd_notify(0, "READY=1\nSTATUS=");
    daemon_hold_signals(false); /* only here, where main makes no file call that one could interrupt */
    (void)event_base_dispatch(d.base);
    daemon_hold_signals(true);
    (void)sd_notify(0, "STOPPING=1");
    if (atomic_load(&d.fatal))
        d.exit_code = EXIT_DURABILITY;
    take_down(&d);
    log_notice("daemon", "stopped");
    return d.exit_code;
}
