/*
 * What is done to consumers from above: an operator's orders, and the passing of time.
 *
 * - end: each connection that fits gets mail; its own thread says goodbye to it.
 * - tick: time in which somebody was refused, or nobody could connect, makes nobody older.
 * Failure: out of memory ends one less; the answer's number says so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/serve_internal.h"

#define LOOK_US 1000000u

/* With the worker's pub_lock. */
static bool fits(const struct session *s, const char *who)
{
    return strcmp(s->pub.name, who) == 0 || strcmp(s->address, who) == 0;
}

size_t serve_end(struct serve *s, const char *who)
{
    size_t n = 0;
    for (unsigned i = 0; who[0] != '\0' && i < s->n_workers; i++) {
        struct worker *w = &s->workers[i];
        (void)pthread_mutex_lock(&w->pub_lock);
        for (size_t k = 0; k < w->n_slots; k++) {
            struct session *session = w->slots[k];
            struct mail *m = session != NULL && fits(session, who) ? calloc(1, sizeof *m) : NULL;
            if (m == NULL)
                continue;
            m->kind = MAIL_ENDED;
            m->to = (struct session_ref){.worker = i, .slot = (uint32_t)k, .id = session->id};
            worker_post(w, m);
            n++;
        }
        (void)pthread_mutex_unlock(&w->pub_lock);
    }
    return n;
}

int serve_forget(struct serve *s, const char *name, struct lt_err *err)
{
    return names_forget(&s->names, name, err);
}

/* Whoever wanted to connect since the last look could: he may have been among those who were refused. */
static bool is_open(struct serve *s, const struct serve_policy *p)
{
    uint64_t refused = atomic_load(&s->refused);
    uint64_t limit = policy_places(s, p);
    bool open = atomic_load(&s->port) != 0 && !atomic_load(&s->accept_paused) && refused == s->looked_refused &&
                atomic_load(&s->sessions) < limit;
    s->looked_refused = refused;
    return open;
}

void serve_tick(struct serve *s)
{
    uint64_t now = clock_mono_us();
    if (s->looked_us != 0 && now - s->looked_us < LOOK_US)
        return;
    s->looked_us = now;
    struct serve_policy *p = policy_get(s);
    names_age(&s->names, now, is_open(s, p), p->consumer_max_age_us);
    policy_put(p);
}
