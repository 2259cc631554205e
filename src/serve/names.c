/*
 * - Attach, commit and detach touch memory only. The thread takes one dirty name at a time, writes it without the lock, and tells who asked.
 * - A name without a committed position lives as long as its connection.
 * Failure: a write that fails leaves the committed position as it was and is told to the consumer, which may commit again.
 */
#include "serve/names.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "serve/names_internal.h"

#define FORGET_LOOKS   200u
#define FORGET_LOOK_NS 10000000

static struct named **bucket(struct names *n, const char *name)
{
    uint32_t h = 2166136261u;
    for (const char *p = name; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return &n->buckets[h % NAMES_BUCKETS];
}

static struct named *find(struct names *n, const char *name)
{
    for (struct named *e = *bucket(n, name); e != NULL; e = e->next) {
        if (strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static struct named *make(struct names *n, const char *name)
{
    struct named **b = bucket(n, name);
    struct named *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    memcpy(e->name, name, strlen(name) + 1);
    e->next = *b;
    *b = e;
    n->count++;
    return e;
}

void names_drop_if_idle(struct names *n, struct named *e)
{
    if (e->has || e->dirty || e->chore || e->owner.id != 0)
        return;
    for (struct named **p = bucket(n, e->name); *p != NULL; p = &(*p)->next) {
        if (*p == e) {
            *p = e->next;
            n->count--;
            free(e);
            return;
        }
    }
}

static struct named *take_dirty(struct names *n)
{
    struct named *e = n->dirty_first;
    n->dirty_first = e->next_dirty;
    if (n->dirty_first == NULL)
        n->dirty_last = NULL;
    e->next_dirty = NULL;
    return e;
}

void names_rest(uint64_t took_us)
{
    uint64_t us = took_us * 3 < NAMES_REST_MAX_US ? took_us * 3 : NAMES_REST_MAX_US;
    struct timespec ts = {.tv_nsec = (long)us * 1000};
    (void)nanosleep(&ts, NULL);
}

/* With the lock; gives it up meanwhile. The entry stays: it is dirty until the end. */
static void write_one(struct names *n, struct named *e)
{
    struct consumer_state want = e->want;
    struct session_ref by = e->want_by;
    struct lt_err err = {0};

    (void)pthread_mutex_unlock(&n->lock);
    uint64_t began = clock_mono_us();
    int rc = consumer_save(n->store, &want, &err);
    uint64_t took = clock_mono_us() - began;
    if (rc != 0)
        log_error("serve", "the position of consumer %s was not stored: %s", want.name, err.text);
    (void)pthread_mutex_lock(&n->lock);
    if (rc == 0) {
        e->state = want;
        e->has = true;
        n->commits++;
    }
    n->done(n->arg, by, &want, rc, err.text); /* after that: who comes back at once is told the same */
    if (!n->stop) {
        (void)pthread_mutex_unlock(&n->lock);
        names_rest(took);
        (void)pthread_mutex_lock(&n->lock);
    }
}

static void queue(struct names *n, struct named *e)
{
    e->dirty = true;
    if (n->dirty_last != NULL)
        n->dirty_last->next_dirty = e;
    else
        n->dirty_first = e;
    n->dirty_last = e;
    (void)pthread_cond_signal(&n->wake);
}

void names_end_disk(struct names *n, struct named *e, const struct consumer_state *want)
{
    e->dirty = false;
    if (e->want.offset != want->offset || e->want.committed_us != want->committed_us)
        queue(n, e);
    else
        names_drop_if_idle(n, e);
}

static void *commit_thread(void *arg)
{
    struct names *n = arg;
    (void)pthread_mutex_lock(&n->lock);
    for (;;) {
        while (n->dirty_first == NULL && n->chore_first == NULL && !n->stop)
            (void)pthread_cond_wait(&n->wake, &n->lock);
        if (n->dirty_first != NULL) {
            struct named *e = take_dirty(n);
            struct consumer_state want = e->want;
            write_one(n, e);
            names_end_disk(n, e, &want);
        } else if (n->stop) {
            break;
        } else {
            names_do_chore(n);
        }
    }
    (void)pthread_mutex_unlock(&n->lock);
    return NULL;
}

static int load(struct names *n, size_t *ret_bad, struct lt_err *err)
{
    struct consumer_state *list = NULL;
    size_t count = 0;
    int rc = consumer_load_all(n->store, &list, &count, ret_bad, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct named *e = make(n, list[i].name);
        if (e == NULL) {
            rc = lt_err_set(err, LT_ENOMEM, "consumers");
            break;
        }
        e->has = true;
        e->state = list[i];
        e->away_us = names_away_believed(&e->state, clock_wall_us());
    }
    free(list);
    return rc;
}

int names_open(struct names *n, struct store *store, names_done_fn done, void *arg, size_t *ret_bad, struct lt_err *err)
{
    memset(n, 0, sizeof *n);
    n->store = store;
    n->done = done;
    n->arg = arg;
    (void)pthread_mutex_init(&n->lock, NULL);
    (void)pthread_cond_init(&n->wake, NULL);
    int rc = load(n, ret_bad, err);
    if (rc == 0 && thread_start(&n->thread, NULL, commit_thread, n) != 0)
        rc = lt_err_set(err, LT_ESYS, "starting a thread");
    n->running = rc == 0;
    if (rc != 0)
        names_close(n);
    return rc;
}

void names_close(struct names *n)
{
    if (n->running) {
        (void)pthread_mutex_lock(&n->lock);
        n->stop = true;
        (void)pthread_cond_signal(&n->wake);
        (void)pthread_mutex_unlock(&n->lock);
        (void)pthread_join(n->thread, NULL);
        n->running = false;
    }
    for (unsigned i = 0; i < NAMES_BUCKETS; i++) {
        while (n->buckets[i] != NULL) {
            struct named *e = n->buckets[i];
            n->buckets[i] = e->next;
            free(e);
        }
    }
    (void)pthread_cond_destroy(&n->wake);
    (void)pthread_mutex_destroy(&n->lock);
}

static bool is_of(const struct names_limits *l, const char *name)
{
    return l->user[0] != '\0' ? users_may_use(l->user, name) : !users_own(l->users, name);
}

/* For a name that is not there yet: rare, so all are looked at. */
static int check_room(struct names *n, const struct names_limits *l)
{
    uint32_t own = 0;
    if (l->in_all != 0 && n->count >= l->in_all)
        return LT_EFULL;
    for (unsigned i = 0; l->per_user != 0 && i < NAMES_BUCKETS; i++) {
        for (const struct named *e = n->buckets[i]; e != NULL; e = e->next)
            own += is_of(l, e->name);
    }
    return l->per_user != 0 && own >= l->per_user ? LT_ETOOBIG : LT_OK;
}

int names_attach(struct names *n, const char *name, struct session_ref by, const struct names_limits *limits,
                 struct session_ref *ret_before, bool *ret_has, struct consumer_state *ret_state)
{
    int rc = LT_OK;
    (void)pthread_mutex_lock(&n->lock);
    struct named *e = find(n, name);
    if (e == NULL) {
        rc = check_room(n, limits);
        e = rc == LT_OK ? make(n, name) : NULL;
    }
    if (e != NULL) {
        *ret_before = e->owner;
        e->owner = by;
        names_is_here(n, e);
        *ret_has = e->has;
        *ret_state = e->state;
    } else if (rc == LT_OK) {
        rc = LT_ENOMEM;
    }
    (void)pthread_mutex_unlock(&n->lock);
    return rc;
}

static bool same_ref(struct session_ref a, struct session_ref b)
{
    return a.id == b.id && a.worker == b.worker;
}

void names_detach(struct names *n, const char *name, struct session_ref by)
{
    (void)pthread_mutex_lock(&n->lock);
    struct named *e = find(n, name);
    if (e != NULL && same_ref(e->owner, by)) {
        e->owner.id = 0;
        e->just_left = true;
        names_drop_if_idle(n, e);
    }
    (void)pthread_mutex_unlock(&n->lock);
}

int names_commit(struct names *n, struct session_ref by, const struct consumer_state *state)
{
    int rc = LT_EBUSY;
    (void)pthread_mutex_lock(&n->lock);
    struct named *e = find(n, state->name);
    if (e != NULL && same_ref(e->owner, by)) {
        e->want = *state;
        e->want_by = by;
        if (!e->dirty)
            queue(n, e);
        rc = 0;
    }
    (void)pthread_mutex_unlock(&n->lock);
    return rc;
}

/* Its last commit may still be on its way: a write, and the rest after it. With the lock, which is given up meanwhile. */
static struct named *find_at_rest(struct names *n, const char *name)
{
    struct named *e = find(n, name);
    for (unsigned i = 0; e != NULL && e->dirty && e->owner.id == 0 && i < FORGET_LOOKS; i++) {
        const struct timespec ts = {.tv_nsec = FORGET_LOOK_NS};
        (void)pthread_mutex_unlock(&n->lock);
        (void)nanosleep(&ts, NULL);
        (void)pthread_mutex_lock(&n->lock);
        e = find(n, name);
    }
    return e;
}

/* With the lock, which is given up meanwhile; e is nobody's and not dirty. */
static int remove_state(struct names *n, struct named *e, struct lt_err *err)
{
    struct consumer_state want = e->want;
    char name[CONSUMER_NAME_MAX + 1];
    memcpy(name, e->name, sizeof name);
    e->dirty = true; /* it stays meanwhile, and what is committed is written afterwards */
    (void)pthread_mutex_unlock(&n->lock);
    int rc = consumer_remove(n->store, name, err);
    (void)pthread_mutex_lock(&n->lock);
    e->has = e->has && rc != 0;
    names_end_disk(n, e, &want);
    return rc;
}

int names_forget(struct names *n, const char *name, struct lt_err *err)
{
    int rc = LT_OK;
    (void)pthread_mutex_lock(&n->lock);
    struct named *e = find_at_rest(n, name);
    if (e == NULL)
        rc = lt_err_set(err, LT_ENOTFOUND, "there is no consumer of that name");
    else if (e->owner.id != 0)
        rc = lt_err_set(err, LT_EBUSY, "it is connected: end it first");
    else if (e->dirty)
        rc = lt_err_set(err, LT_EBUSY, "its position is being written; try again in a moment");
    else
        rc = remove_state(n, e, err);
    (void)pthread_mutex_unlock(&n->lock);
    return rc;
}

int names_list(struct names *n, struct names_row **ret, size_t *ret_count)
{
    size_t k = 0;
    (void)pthread_mutex_lock(&n->lock);
    struct names_row *rows = calloc(n->count > 0 ? n->count : 1, sizeof *rows);
    for (unsigned i = 0; rows != NULL && i < NAMES_BUCKETS; i++) {
        for (struct named *e = n->buckets[i]; e != NULL; e = e->next) {
            rows[k] = (struct names_row){.owner = e->owner, .has = e->has, .state = e->state};
            memcpy(rows[k].state.name, e->name, sizeof e->name);
            rows[k].state.away_us = e->away_us;
            k++;
        }
    }
    (void)pthread_mutex_unlock(&n->lock);
    *ret = rows;
    *ret_count = k;
    return rows != NULL ? 0 : LT_ENOMEM;
}

uint64_t names_commits(struct names *n)
{
    (void)pthread_mutex_lock(&n->lock);
    uint64_t c = n->commits;
    (void)pthread_mutex_unlock(&n->lock);
    return c;
}
