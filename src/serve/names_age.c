/*
 * How long names have been away, and the end of those that were so for too long.
 *
 * - A look counts, touches memory only, and puts into the queue of chores what is for the disk: names whose time has come, names that are back while
 *   their file still counts them as away, and now and then the one whose file is furthest behind.
 * - A chore is judged anew when its turn comes: who is back by then is not forgotten.
 * - Who comes back while his file is being removed was told the place in it; it is written again.
 * Failure: what cannot be removed or written is said once, stays, and is tried again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/names_internal.h"

uint64_t names_away_believed(const struct consumer_state *state, uint64_t wall_us)
{
    uint64_t passed = wall_us > state->committed_us ? wall_us - state->committed_us : 0;
    return state->away_us <= passed ? state->away_us : 0;
}

static void add_chore(struct names *n, struct named *e)
{
    if (e->chore)
        return;
    e->chore = true;
    e->next_chore = NULL;
    if (n->chore_last != NULL)
        n->chore_last->next_chore = e;
    else
        n->chore_first = e;
    n->chore_last = e;
    (void)pthread_cond_signal(&n->wake);
}

static struct named *take_chore(struct names *n)
{
    struct named *e = n->chore_first;
    n->chore_first = e->next_chore;
    if (n->chore_first == NULL)
        n->chore_last = NULL;
    e->chore = false;
    return e;
}

static bool at_rest(const struct named *e)
{
    return e->has && !e->dirty;
}

static bool may_try(const struct names *n)
{
    return n->age.seen_us >= n->age.retry_us;
}

/* And its file counts it as away. */
static bool is_back(const struct names *n, const struct named *e)
{
    return e->owner.id != 0 && at_rest(e) && e->state.away_us != 0 && may_try(n);
}

static bool is_due(const struct names *n, const struct named *e)
{
    uint64_t grace = n->age.max_us / 4 < NAMES_GRACE_US ? n->age.max_us / 4 : NAMES_GRACE_US;
    return e->owner.id == 0 && at_rest(e) && n->age.max_us != 0 && e->away_us >= n->age.max_us &&
           n->age.seen_us >= grace && may_try(n);
}

/* What its file does not know yet. */
static uint64_t unsaved(const struct named *e)
{
    return e->owner.id == 0 && at_rest(e) && e->away_us > e->state.away_us ? e->away_us - e->state.away_us : 0;
}

void names_is_here(struct names *n, struct named *e)
{
    e->away_us = 0;
    if (is_back(n, e))
        add_chore(n, e);
}

static void look_at(struct names *n, struct named *e, uint64_t passed, struct named **furthest)
{
    if (e->owner.id == 0 && !e->just_left)
        e->away_us += passed;
    e->just_left = false;
    if (is_due(n, e) || is_back(n, e))
        add_chore(n, e);
    else if (unsaved(e) >= NAMES_SAVE_LEAST_US && (*furthest == NULL || unsaved(e) > unsaved(*furthest)))
        *furthest = e;
}

/* Both ends of the time since the last look must have seen that whoever wanted could connect. */
static uint64_t time_seen(struct names *n, uint64_t now_us, bool open)
{
    uint64_t before = n->age.looked_us;
    bool counts = before != 0 && now_us > before && n->age.open && open;
    uint64_t passed = counts ? now_us - before : 0;
    n->age.looked_us = now_us;
    n->age.open = open;
    return passed < NAMES_LOOK_MAX_US ? passed : NAMES_LOOK_MAX_US;
}

void names_age(struct names *n, uint64_t now_mono_us, bool open, uint64_t max_us)
{
    struct named *furthest = NULL;
    (void)pthread_mutex_lock(&n->lock);
    uint64_t passed = time_seen(n, now_mono_us, open);
    n->age.max_us = max_us;
    n->age.seen_us += passed;
    for (unsigned i = 0; i < NAMES_BUCKETS; i++) {
        for (struct named *e = n->buckets[i]; e != NULL; e = e->next)
            look_at(n, e, passed, &furthest);
    }
    if (furthest != NULL && n->age.seen_us >= n->age.save_at_us && may_try(n)) {
        n->age.save_at_us = n->age.seen_us + NAMES_SAVE_EACH_US;
        add_chore(n, furthest);
    }
    (void)pthread_mutex_unlock(&n->lock);
}

uint64_t names_forgotten(struct names *n)
{
    (void)pthread_mutex_lock(&n->lock);
    uint64_t c = n->age.forgotten;
    (void)pthread_mutex_unlock(&n->lock);
    return c;
}

/* Of the file of e, which is dirty meanwhile: it stays, and what is committed is written afterwards. */
struct disk_use {
    struct consumer_state want; /* of e, as of before */
    uint64_t began_us;
};

static void begin_disk(struct names *n, struct named *e, struct disk_use *ret)
{
    e->dirty = true;
    ret->want = e->want;
    ret->began_us = clock_mono_us();
    (void)pthread_mutex_unlock(&n->lock);
}

static uint64_t end_disk(struct names *n, const struct disk_use *u, const char *name, int rc, const struct lt_err *err)
{
    uint64_t took = clock_mono_us() - u->began_us;
    (void)pthread_mutex_lock(&n->lock);
    if (rc != 0)
        n->age.retry_us = n->age.seen_us + NAMES_RETRY_US;
    if (rc != 0 && !n->age.failed)
        log_error("serve", "consumer %s is away, and its file cannot be changed: %s", name, err->text);
    n->age.failed = rc != 0; /* said once, until one succeeds */
    return took;
}

/* With the lock, which is given up meanwhile. How long the disk took. */
static uint64_t forget(struct names *n, struct named *e)
{
    struct disk_use u;
    struct lt_err err = {0};
    char name[CONSUMER_NAME_MAX + 1];
    uint64_t away = e->away_us;
    memcpy(name, e->name, sizeof name);
    begin_disk(n, e, &u);
    int rc = consumer_remove(n->store, name, &err);
    uint64_t took = end_disk(n, &u, name, rc, &err);
    bool came = e->owner.id != 0 || e->away_us < away;
    if (rc == 0 && !came) {
        e->has = false;
        n->age.forgotten++;
        log_notice("serve", "consumer %s is forgotten: away for %llu s, tail.consumer_max_age is %llu s", name,
                   (unsigned long long)(away / 1000000), (unsigned long long)(n->age.max_us / 1000000));
    } else if (rc == 0) {
        e->state.away_us = UINT64_MAX; /* not what a disk has: the file is written again */
        add_chore(n, e);
    }
    names_end_disk(n, e, &u.want);
    return took;
}

/* The same. */
static uint64_t save(struct names *n, struct named *e)
{
    struct disk_use u;
    struct lt_err err = {0};
    struct consumer_state state = e->state;
    state.away_us = e->away_us;
    begin_disk(n, e, &u);
    int rc = consumer_save(n->store, &state, &err);
    uint64_t took = end_disk(n, &u, state.name, rc, &err);
    if (rc == 0)
        e->state.away_us = state.away_us;
    names_end_disk(n, e, &u.want);
    return took;
}

void names_do_chore(struct names *n)
{
    struct named *e = take_chore(n);
    uint64_t took = 0;
    if (is_due(n, e))
        took = forget(n, e);
    else if (at_rest(e) && e->state.away_us != e->away_us)
        took = save(n, e);
    else
        names_drop_if_idle(n, e);
    if (took == 0 || n->stop)
        return;
    (void)pthread_mutex_unlock(&n->lock);
    names_rest(took);
    (void)pthread_mutex_lock(&n->lock);
}
