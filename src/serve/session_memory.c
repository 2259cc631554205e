/*
 * What requests make us hold, all sessions together: frames that are not there whole, and GTID sets. What a session costs by itself is bounded by
 * max_consumers, what it is sent by the kernel.
 *
 * - Each session tells after its input what it holds now; the sum is one number for all threads.
 * - Where that is more than the budget the newest session that holds something worth it is told to come back later, so that those who were there
 *   before stay; what it holds does not count from then on, so that no other one has to go for it.
 * Failure: without memory for the order to another thread the one that asked goes itself.
 */
#include <stdlib.h>

#include "base/log.h"
#include "serve/serve_internal.h"

/* Below this a session's going would help nobody. */
#define WORTH_BYTES (16u * 1024)

static uint64_t held_by(const struct session *s)
{
    uint64_t n = s->in_cap;
    if (s->feed.filter != NULL)
        n += gtid_set_bytes(&s->feed.filter->held) + gtid_set_bytes(&s->feed.filter->sent);
    return n;
}

static void set_charge(struct session *s, uint64_t n)
{
    (void)pthread_mutex_lock(&s->w->pub_lock);
    uint64_t before = s->pub.shed ? 0 : s->pub.memory;
    s->pub.memory = n;
    uint64_t after = s->pub.shed ? 0 : n;
    atomic_fetch_add(&s->w->s->memory, after - before); /* wraps where it is less */
    (void)pthread_mutex_unlock(&s->w->pub_lock);
}

/* The newest of a worker's that is worth it. */
static void look_at(struct worker *w, struct session_ref *best)
{
    (void)pthread_mutex_lock(&w->pub_lock);
    for (size_t i = 0; i < w->n_slots; i++) {
        const struct session *s = w->slots[i];
        if (s != NULL && !s->pub.shed && s->pub.memory >= WORTH_BYTES && s->id > best->id)
            *best = session_ref_of(s);
    }
    (void)pthread_mutex_unlock(&w->pub_lock);
}

/* From here on it does not count. False: it is gone already, or another thread was first. */
static bool mark(struct serve *s, struct session_ref ref)
{
    struct worker *w = &s->workers[ref.worker];
    bool ok = false;
    (void)pthread_mutex_lock(&w->pub_lock);
    struct session *of = ref.slot < w->n_slots ? w->slots[ref.slot] : NULL;
    if (of != NULL && of->id == ref.id && !of->pub.shed) {
        of->pub.shed = true;
        atomic_fetch_sub(&s->memory, of->pub.memory);
        atomic_fetch_add(&s->shed, 1);
        ok = true;
    }
    (void)pthread_mutex_unlock(&w->pub_lock);
    return ok;
}

void session_shed(struct session *s)
{
    session_fail(s, LOGTAILER__TAIL__ERROR_CODE__ERROR_TOO_MANY, SERVE_RETRY_MAX_MS,
                 "the memory for consumers' requests (tail.memory) is used up, and this one came last");
}

/* True when that helped somebody, or another thread was first: it is worth another look. */
static bool shed_newest(struct session *asks)
{
    struct serve *s = asks->w->s;
    struct session_ref newest = {.id = 0};
    for (unsigned i = 0; i < s->n_workers; i++)
        look_at(&s->workers[i], &newest);
    struct mail *m = newest.id != 0 && newest.id != asks->id ? calloc(1, sizeof *m) : NULL;
    if (m == NULL)
        newest = session_ref_of(asks);
    if (!mark(s, newest)) {
        free(m);
        return newest.id != asks->id;
    }
    log_warn("serve", "the memory for consumers' requests is used up (tail.memory): the newest that holds some goes");
    if (m == NULL) {
        session_shed(asks);
        return false;
    }
    m->kind = MAIL_SHED;
    m->to = newest;
    worker_post(&s->workers[newest.worker], m);
    return true;
}

void session_charge(struct session *s)
{
    uint64_t n = held_by(s);
    if (n == s->pub.memory)
        return; /* only this thread changes it */
    bool more = n > s->pub.memory;
    set_charge(s, n);
    struct serve_policy *p = policy_get(s->w->s);
    uint64_t limit = p->memory;
    policy_put(p);
    while (more && s->error == NULL && atomic_load(&s->w->s->memory) > limit)
        more = shed_newest(s);
}

void session_uncharge(struct session *s)
{
    set_charge(s, 0);
}
