/*
 * - The thread makes attempts until it is told to stop; between two it waits, the longer the less a retry can help (fault_delay_us).
 * - A broken store is repaired before the next attempt; a repair that fails ends the process (on_fatal), but one that only lacks room,
 *   descriptors or memory is tried again each second.
 * - What others may know is published as one struct under a mutex that this thread only ever tries to take while streaming.
 * - The watchdog (another thread) may shut the connection down; it never closes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "base/thread.h"
#include "ingest/ingest_internal.h"

#define PASSWORD_MAX      512
#define INGEST_BUSY_TRIES 12 /* a proving dump that was closed is noticed by its next heartbeat, 50 ms later */
#define INGEST_BUSY_MS    100

const char *ingest_state_name(enum ingest_state state)
{
    static const char *const names[] = {"connecting", "proving", "catching_up", "streaming",
                                        "fenced",     "error",   "stopped"};
    return names[state];
}

bool ingest_stopping(const struct ingest *ing)
{
    return atomic_load_explicit(&ing->stop, memory_order_relaxed);
}

bool ingest_must_end(struct ingest *ing)
{
    return ingest_stopping(ing) || ingest_is_fenced(ing);
}

void ingest_publish(struct ingest *ing, bool wait)
{
    if (!ing->view_dirty)
        return;
    if (wait)
        pthread_mutex_lock(&ing->view_lock);
    else if (pthread_mutex_trylock(&ing->view_lock) != 0)
        return;
    struct gate_view g;
    gate_view(ing->opt.gate, &g);
    ing->view.acked = g.acked;
    ing->view.acks_sent = g.acks_sent;
    ing->shared = ing->view;
    pthread_mutex_unlock(&ing->view_lock);
    ing->view_dirty = false;
    ing->published_us = clock_mono_us();
}

void ingest_set_state(struct ingest *ing, enum ingest_state state)
{
    if (ing->view.state != state) {
        log_info("ingest", "state %s -> %s", ingest_state_name(ing->view.state), ingest_state_name(state));
        ing->view.state = state;
        ing->view.state_since_us = clock_wall_us();
    }
    ing->view_dirty = true;
    ingest_publish(ing, true);
}

void ingest_note_source(struct ingest *ing, const struct session_info *info, bool semi_sync_active)
{
    ing->view.source = *info;
    ing->view.connected = true;
    ing->view.semi_sync_active = semi_sync_active;
    if (semi_sync_active)
        ing->view.counted_from_us = ing->view.counted_until_us = 0;
    ing->view.identity = ing->identity;
    ing->view_dirty = true;
}

void ingest_note_fault(struct ingest *ing, const struct fault *f)
{
    ing->view.last_error_current = f != NULL;
    if (f != NULL) {
        ing->view.last_error = *f;
        ing->view.last_error_at_us = clock_wall_us();
        char cure[CURE_MAX];
        log_warn("ingest", "%s: %s; %s", fault_name(f->code), f->message,
                 fault_cure(f->code, ing->view.source.old_names, cure));
    }
    ing->view_dirty = true;
}

static int connect_with_password(struct ingest *ing, struct source **ret, struct fault *f)
{
    char password[PASSWORD_MAX] = "";
    struct source_params p = ing->target;
    struct lt_err err;
    enum source_error code = SOURCE_OK;
    static const enum fault_code faults[] = {FAULT_NONE,    FAULT_CONNECT,         FAULT_TLS,
                                             FAULT_AUTH,    FAULT_PRIVILEGE_OTHER, FAULT_BUSY,
                                             FAULT_CONNECT, FAULT_DESCRIPTORS};
    if (ing->opt.password != NULL && ing->opt.password(ing->opt.password_arg, password, sizeof password, &err) != 0)
        return fault_set(f, fault_is_descriptors(err.sys_errno) ? FAULT_DESCRIPTORS : FAULT_AUTH, "%s", err.text);
    p.password = password;
    int rc = source_connect(&p, ret, &code, &err);
    explicit_bzero(password, sizeof password);
    if (rc == 0 && source_gave_password(*ret) && !source_is_local(*ret) && !ing->password_given) {
        ing->password_given = true;
        log_warn("ingest",
                 "the password was given to a source that nobody vouches for: with source.ssl_mode = VERIFY_CA, or "
                 "source.verified_login = yes, nobody in between could get it");
    }
    return rc == 0 ? LT_OK : fault_set(f, faults[code], "%s", err.text);
}

/* A connection that was closed counts until its thread on the source has noticed: a moment, or the whole attempt would be for nothing. */
static int connect_when_there_is_one(struct ingest *ing, struct source **ret, struct fault *f)
{
    int rc = connect_with_password(ing, ret, f);
    for (int i = 0; rc != 0 && f->code == FAULT_BUSY && i < INGEST_BUSY_TRIES && !ingest_must_end(ing); i++) {
        (void)poll(NULL, 0, INGEST_BUSY_MS);
        f->code = FAULT_NONE;
        rc = connect_with_password(ing, ret, f);
    }
    return rc;
}

int ingest_connect(struct ingest *ing, struct source **ret, struct session_info *ret_info, struct fault *ret_fault)
{
    struct source *s = NULL;
    *ret = NULL;
    int rc = connect_when_there_is_one(ing, &s, ret_fault);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&ing->conn_lock);
    ing->conn = s;
    atomic_store(&ing->stalled, false); /* what hung before did so to another connection, or to none */
    pthread_mutex_unlock(&ing->conn_lock);
    rc = session_learn(s, ret_info, ret_fault);
    if (rc != 0) {
        ingest_disconnect(ing, s);
        return rc;
    }
    *ret = s;
    return LT_OK;
}

void ingest_forget_connection(struct ingest *ing)
{
    pthread_mutex_lock(&ing->conn_lock);
    ing->conn = NULL;
    pthread_mutex_unlock(&ing->conn_lock);
    ing->view.connected = false;
    if (ing->view.semi_sync_active) /* the watchdog shuts a connection down before its thread can say so */
        ing->view.counted_until_us = atomic_load(&ing->stalled) ? atomic_load(&ing->stalled_us) : clock_mono_us();
    ing->view.semi_sync_active = false;
    ing->view_dirty = true;
}

void ingest_disconnect(struct ingest *ing, struct source *s)
{
    if (s == NULL)
        return;
    ingest_forget_connection(ing);
    source_close(s);
}

void ingest_set_source_id(struct ingest *ing)
{
    struct store_resume r;
    store_resume_point(ing->opt.store, &r);
    memcpy(ing->source_id, ing->follow.active ? ing->follow.source_id : r.source_id, sizeof ing->source_id);
}

/* What is connected to. */
void ingest_set_target(struct ingest *ing)
{
    ing->target = ing->opt.source;
    if (ing->follow.active) {
        ing->target.host = ing->follow.host;
        ing->target.port = ing->follow.port;
        ing->target.socket = NULL;
    }
}

static uint64_t next_random(struct ingest *ing)
{
    /* xorshift64: jitter only, nothing secret hangs on it. */
    uint64_t x = ing->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    ing->random = x;
    return x;
}

/* Wait, but not longer than until stop, fence, or new settings come, which may be the cure. */
static void pause_us(struct ingest *ing, uint64_t us)
{
    struct pollfd p = {.fd = ing->wake_fd, .events = POLLIN};
    uint64_t until = clock_mono_us() + us;
    while (!ingest_must_end(ing) && !atomic_load(&ing->have_fresh)) {
        uint64_t now = clock_mono_us();
        if (now >= until)
            return;
        uint64_t left_ms = (until - now + 999) / 1000;
        (void)poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        ingest_drain_wake(ing);
    }
}

/* Wrong checksums: asked again twice, an error at the third time at one place. A dump in between that ended before the place does not count. */
static void judge_corrupt(struct ingest *ing, struct fault *f)
{
    bool same = ing->corrupt_count > 0 && strcmp(f->message, ing->corrupt_at) == 0;
    memcpy(ing->corrupt_at, f->message, sizeof ing->corrupt_at);
    ing->corrupt_count = same ? ing->corrupt_count + 1 : 1;
    if (ing->corrupt_count < INGEST_CORRUPT_LIMIT)
        f->code = FAULT_CONNECT;
}

static bool is_error_state(const struct fault *f)
{
    switch (fault_retry(f->code)) {
    case FAULT_RETRY_HISTORY:
    case FAULT_RETRY_SLOW:
    case FAULT_RETRY_YIELD:
    case FAULT_RETRY_DISK:
        return true;
    case FAULT_RETRY_FAST:
    case FAULT_RETRY_BUSY:
    default:
        return false;
    }
}

/* false: durability cannot be restored. */
bool ingest_repair_store(struct ingest *ing)
{
    struct lt_err err;
    gate_doubt(ing->opt.gate);
    if (!store_is_broken(ing->opt.store))
        return true;
    int rc = store_repair(ing->opt.store, &err);
    if (rc == 0) {
        log_warn("ingest", "the store was cut back to its watermark and read back well");
        return true;
    }
    if (store_only_lacks(rc)) { /* still broken: nothing is stored or acknowledged until it is there */
        (void)fault_set(&ing->lacks, fault_of_store_error(rc, err.sys_errno), "%s", err.text);
        return true;
    }
    log_error("ingest", "the store cannot be repaired: %s", err.text);
    ing->opt.on_fatal(ing->opt.fatal_arg, err.text);
    return false;
}

void ingest_publish_store(struct ingest *ing)
{
    for (unsigned ms = 0; ms < INGEST_PUBLISH_STORE_MS && !store_publish_pending(ing->opt.store); ms++)
        (void)poll(NULL, 0, 1); /* a reader of the view is gone in a moment */
}

static uint64_t free_bytes(struct ingest *ing)
{
    struct vfs_fs_info info;
    return store_fs_info(ing->opt.store, &info) == 0 ? info.free_bytes : 0;
}

/*
 * Plenty lets it go on at once. Less, which may be all that somebody can spare, after a while: a try that the disk ends soon costs the source a dump,
 * but commits that wait for a number that nobody was told would wait for ever.
 */
static void await_room(struct ingest *ing, uint64_t delay_us)
{
    uint64_t patience = clock_mono_us() + INGEST_ROOM_PATIENCE_US;
    while (!ingest_must_end(ing) && !store_has_room(ing->opt.store)) {
        if (clock_mono_us() >= patience && free_bytes(ing) >= INGEST_ROOM_LEAST)
            return;
        pause_us(ing, delay_us);
    }
}

static void after_failure(struct ingest *ing, struct fault *f)
{
    if (f->code == FAULT_CORRUPT)
        judge_corrupt(ing, f);
    if (atomic_exchange(&ing->stalled, false))
        (void)fault_set(
            f, FAULT_DISK_STALLED,
            "a file call hung for longer than store.stall_disconnect; the source was disconnected meanwhile");
    ingest_note_fault(ing, f);
    ingest_set_state(ing, is_error_state(f) ? INGEST_ERROR : INGEST_CONNECTING);
    /* Fast tries that came before say nothing about how long a cure by an operator takes. */
    if (fault_retry(f->code) != ing->attempt_kind)
        ing->attempt = 0;
    ing->attempt_kind = fault_retry(f->code);
    uint64_t delay =
        fault_delay_us(f->code, ing->attempt, ing->opt.retry_min_us, ing->opt.retry_max_us, next_random(ing));
    ing->attempt++;
    pause_us(ing, delay);
    if (f->code == FAULT_DISK_FULL)
        await_room(ing, delay);
}

void ingest_discard(struct ingest_options *prepared)
{
    if (prepared != NULL)
        source_params_fini(&prepared->source);
    free(prepared);
}

/* Between two attempts no connection uses the old values. */
static void adopt_fresh(struct ingest *ing)
{
    pthread_mutex_lock(&ing->fresh_lock);
    struct ingest_options *fresh = ing->fresh;
    ing->fresh = NULL;
    atomic_store(&ing->have_fresh, false);
    pthread_mutex_unlock(&ing->fresh_lock);
    if (fresh == NULL)
        return;
    struct source_params old = ing->opt.source;
    ing->opt.source = fresh->source;
    fresh->source = old;
    ing->opt.heartbeat_us = fresh->heartbeat_us;
    ing->opt.retry_min_us = fresh->retry_min_us;
    ing->opt.retry_max_us = fresh->retry_max_us;
    ing->opt.catchup_async_bytes = fresh->catchup_async_bytes;
    ingest_set_target(ing);
    ingest_discard(fresh);
}

int ingest_prepare(const struct ingest_options *opt, struct ingest_options **ret)
{
    struct ingest_options *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return LT_ENOMEM;
    *fresh = *opt;
    fresh->source = (struct source_params){0};
    fresh->start = NULL; /* borrowed of a configuration that goes, and no reload changes it */
    if (source_params_copy(&fresh->source, &opt->source) != 0) {
        ingest_discard(fresh);
        return LT_ENOMEM;
    }
    *ret = fresh;
    return LT_OK;
}

void ingest_adopt(struct ingest *ing, struct ingest_options *prepared)
{
    uint64_t stall_disconnect_us = prepared->stall_disconnect_us;
    pthread_mutex_lock(&ing->fresh_lock);
    struct ingest_options *unused = ing->fresh;
    ing->fresh = prepared;
    atomic_store(&ing->have_fresh, true);
    pthread_mutex_unlock(&ing->fresh_lock);
    ingest_discard(unused);
    ingest_wake(ing);
    atomic_store(&ing->stall_disconnect_us, stall_disconnect_us);
}

static void *ingest_thread(void *arg)
{
    struct ingest *ing = arg;
    (void)priority_first(); /* an old kernel does without */
    store_writer_is_here(ing->opt.store);
    while (!ingest_stopping(ing)) {
        struct fault f = {.code = FAULT_NONE};
        adopt_fresh(ing);
        if (ingest_is_fenced(ing)) {
            if (!fenced_wait(ing))
                break;
            continue;
        }
        ing->view.attempts++;
        if (ing->view.state != INGEST_ERROR)
            ingest_set_state(ing, INGEST_CONNECTING);
        int rc = store_is_broken(ing->opt.store) ? LT_OK : attempt_run(ing, &f);
        if (!ingest_repair_store(ing))
            break;
        if (store_is_broken(ing->opt.store))
            rc = fault_set(&f, ing->lacks.code, "%s", ing->lacks.message);
        ingest_publish_store(ing);
        if (rc != 0 && !ingest_must_end(ing))
            after_failure(ing, &f);
    }
    ingest_set_state(ing, INGEST_STOPPED);
    return NULL;
}

static void free_ingest(struct ingest *ing)
{
    if (ing->wake_fd >= 0)
        (void)close(ing->wake_fd);
    fenced_fini(ing);
    gtid_set_fini(&ing->proved_by);
    gtid_set_fini(&ing->catch_up);
    gtid_set_fini(&ing->purged);
    gtid_set_fini(&ing->held_at_start);
    ingest_discard(ing->fresh);
    source_params_fini(&ing->opt.source);
    pthread_mutex_destroy(&ing->fresh_lock);
    pthread_mutex_destroy(&ing->conn_lock);
    pthread_mutex_destroy(&ing->view_lock);
    free(ing);
}

int ingest_start(const struct ingest_options *opt, struct ingest **ret, struct lt_err *err)
{
    struct ingest *ing = calloc(1, sizeof *ing);
    if (ing == NULL)
        return lt_err_set(err, LT_ENOMEM, "starting the ingest thread");
    ing->opt = *opt;
    ing->opt.source = (struct source_params){0};
    atomic_init(&ing->stall_disconnect_us, opt->stall_disconnect_us);
    pthread_mutex_init(&ing->fresh_lock, NULL);
    ing->view.state_since_us = clock_wall_us();
    ing->shared = ing->view;
    pthread_mutex_init(&ing->conn_lock, NULL);
    pthread_mutex_init(&ing->view_lock, NULL);
    pthread_mutex_init(&ing->order_lock, NULL);
    follow_init(&ing->follow);
    gtid_set_init(&ing->proved_by);
    gtid_set_init(&ing->catch_up);
    ing->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (getrandom(&ing->random, sizeof ing->random, 0) != (ssize_t)sizeof ing->random)
        ing->random = clock_mono_us();
    ing->random |= 1; /* the generator's only forbidden state is 0 */
    int rc = source_params_copy(&ing->opt.source, &opt->source);
    if (rc != 0)
        rc = lt_err_set(err, rc, "starting the ingest thread");
    else
        rc = ing->wake_fd < 0 ? lt_err_sys(err, LT_ESYS, "eventfd")
                              : identity_load(opt->store, opt->server_id, &ing->identity, err);
    if (rc == 0 && opt->follow != NULL && follow_copy(&ing->follow, opt->follow) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "starting the ingest thread");
    if (rc == 0 && ing->identity.former != 0 &&
        gtid_set_copy(&ing->held_at_start, store_gtid_appended(opt->store)) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "starting the ingest thread");
    ingest_set_target(ing);
    ingest_set_source_id(ing);
    if (rc == 0 && thread_start(&ing->thread, NULL, ingest_thread, ing) != 0)
        rc = lt_err_set(err, LT_ESYS, "starting the ingest thread");
    if (rc != 0) {
        free_ingest(ing);
        return rc;
    }
    *ret = ing;
    return LT_OK;
}

void ingest_stop(struct ingest *ing)
{
    if (ing == NULL)
        return;
    atomic_store(&ing->stop, true);
    ingest_wake(ing);
    (void)pthread_join(ing->thread, NULL);
    free_ingest(ing);
}

void ingest_reconnect(struct ingest *ing)
{
    pthread_mutex_lock(&ing->conn_lock);
    if (ing->conn != NULL)
        source_shutdown(ing->conn);
    pthread_mutex_unlock(&ing->conn_lock);
}

void ingest_check_stall(struct ingest *ing)
{
    uint64_t since = store_stat_busy_since(ing->opt.store);
    uint64_t now = clock_mono_us();
    uint64_t limit = atomic_load(&ing->stall_disconnect_us);
    if (limit == 0 || since == 0 || now < since || now - since < limit)
        return;
    /* A fenced source that is held must go on seeing us. */
    if (atomic_load(&ing->hold) && gate_is_closed(ing->opt.gate, ""))
        return;
    if (!atomic_load(&ing->stalled))
        atomic_store(&ing->stalled_us, now);
    if (!atomic_exchange(&ing->stalled, true)) {
        log_error("ingest", "the disk has been hanging for %" PRIu64 " ms: disconnecting from the source",
                  (now - since) / 1000);
        ingest_reconnect(ing);
    }
}

void ingest_view(struct ingest *ing, struct ingest_view *ret)
{
    pthread_mutex_lock(&ing->view_lock);
    *ret = ing->shared;
    pthread_mutex_unlock(&ing->view_lock);
    ret->disk_stalled = atomic_load(&ing->stalled);
    if (ret->disk_stalled && ret->counted_until_us == 0)
        ret->counted_until_us = atomic_load(&ing->stalled_us);
}

bool ingest_was_counted(const struct ingest_view *iv, uint64_t at_us)
{
    return iv->counted_from_us != 0 && at_us >= iv->counted_from_us &&
           (iv->counted_until_us == 0 || at_us <= iv->counted_until_us);
}

const struct hist *ingest_ack_us(const struct ingest *ing)
{
    return &ing->ack_us;
}
