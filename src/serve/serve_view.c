/*
 * What operators see of the consumers, and what retention must leave.
 *
 * - Each worker's sessions are copied under its pub_lock, which a worker holds for a few stores at a time; lags are counted afterwards, against the list
 *   of files with its sizes added up, by halving.
 * Failure: out of memory; nothing is returned then.
 */
#include <stdlib.h>
#include <string.h>

#include "feed/ruler.h"
#include "serve/serve_internal.h"

struct rows {
    struct serve_consumer *list;
    size_t n;
    size_t cap;
};

static struct serve_consumer *add_row(struct rows *rows)
{
    if (rows->n == rows->cap) {
        size_t cap = rows->cap > 0 ? rows->cap * 2 : 64;
        struct serve_consumer *grown = reallocarray(rows->list, cap, sizeof *grown);
        if (grown == NULL)
            return NULL;
        rows->list = grown;
        rows->cap = cap;
    }
    struct serve_consumer *c = &rows->list[rows->n++];
    memset(c, 0, sizeof *c);
    return c;
}

static void fill_row(struct serve_consumer *c, const struct session *s)
{
    const struct session_public *p = &s->pub;
    c->id = s->id;
    memcpy(c->name, p->name, sizeof c->name);
    memcpy(c->user, p->user, sizeof c->user);
    memcpy(c->agent, p->agent, sizeof c->agent);
    memcpy(c->address, s->address, sizeof c->address);
    c->state = session_state_name(p->state);
    c->tls = s->w->s->tls;
    c->connected_us = s->connected_us;
    c->sent_bytes = p->sent_bytes;
    c->sent_batches = p->sent_batches;
    if (p->file == NULL)
        return;
    c->lineage = p->file->info.lineage;
    memcpy(c->file, p->file->info.file, sizeof c->file);
    c->offset = p->offset;
}

static int collect(struct serve *s, struct rows *rows)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < s->n_workers; i++) {
        struct worker *w = &s->workers[i];
        (void)pthread_mutex_lock(&w->pub_lock);
        for (size_t k = 0; rc == 0 && k < w->n_slots; k++) {
            if (w->slots[k] == NULL)
                continue;
            struct serve_consumer *c = add_row(rows);
            if (c == NULL)
                rc = LT_ENOMEM;
            else
                fill_row(c, w->slots[k]);
        }
        (void)pthread_mutex_unlock(&w->pub_lock);
    }
    return rc;
}

static struct serve_consumer *row_of(const struct rows *rows, uint64_t id)
{
    for (size_t i = 0; id != 0 && i < rows->n; i++) {
        if (rows->list[i].id == id)
            return &rows->list[i];
    }
    return NULL;
}

static uint64_t time_left(uint64_t max_age, uint64_t away)
{
    return max_age == 0 ? SERVE_NEVER : away < max_age ? max_age - away : 0;
}

static int add_names(struct serve *s, struct rows *rows)
{
    struct names_row *names = NULL;
    size_t n = 0;
    struct serve_policy *p = policy_get(s);
    uint64_t max_age = p->consumer_max_age_us;
    policy_put(p);
    int rc = names_list(&s->names, &names, &n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct serve_consumer *c = row_of(rows, names[i].owner.id);
        if (c == NULL) {
            c = add_row(rows);
            if (c == NULL) {
                rc = LT_ENOMEM;
                break;
            }
            c->state = "away";
            memcpy(c->name, names[i].state.name, sizeof c->name);
            c->away_us = names[i].state.away_us;
            c->expires_us = time_left(max_age, c->away_us);
        }
        c->has_committed = names[i].has;
        c->committed = names[i].state;
    }
    free(names);
    return rc;
}

static void measure(struct rows *rows, const struct ruler *r)
{
    for (size_t i = 0; i < rows->n; i++) {
        struct serve_consumer *c = &rows->list[i];
        if (c->file[0] != '\0')
            c->lag_bytes = ruler_lag(r, c->lineage, c->file, c->offset);
        else if (c->has_committed)
            c->lag_bytes = ruler_lag(r, c->committed.lineage, c->committed.file, c->committed.offset);
    }
}

int serve_list(struct serve *s, struct serve_consumer **ret, size_t *ret_count)
{
    struct rows rows = {0};
    struct ruler r = {0};
    int rc = collect(s, &rows);
    if (rc == 0)
        rc = add_names(s, &rows);
    if (rc == 0)
        rc = ruler_init(&r, s->store); /* after the places: nobody is ahead of it */
    if (rc != 0) {
        free(rows.list);
        return rc;
    }
    measure(&rows, &r);
    ruler_fini(&r);
    *ret = rows.list;
    *ret_count = rows.n;
    return 0;
}

/* How far behind the slowest named consumer is that is not connected. */
static uint64_t most_away(const struct names_row *names, size_t n, const struct ruler *r)
{
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        const struct consumer_state *c = &names[i].state;
        if (names[i].owner.id != 0 || !names[i].has)
            continue;
        uint64_t lag = ruler_lag(r, c->lineage, c->file, c->offset);
        most = lag > most ? lag : most;
    }
    return most;
}

int serve_view_get(struct serve *s, struct serve_view *ret)
{
    struct rows rows = {0};
    struct ruler r = {0};
    struct names_row *names = NULL;
    size_t n_names = 0;
    int rc = collect(s, &rows);
    if (rc == 0)
        rc = names_list(&s->names, &names, &n_names);
    if (rc == 0)
        rc = ruler_init(&r, s->store);
    if (rc != 0) {
        free(names);
        free(rows.list);
        return rc;
    }
    measure(&rows, &r);
    uint64_t away_bytes = most_away(names, n_names, &r);
    ruler_fini(&r);
    free(names);
    struct serve_policy *p = policy_get(s);
    *ret = (struct serve_view){
        .connected = rows.n,
        .limit = policy_places(s, p),
        .accepted = atomic_load(&s->accepted),
        .refused = atomic_load(&s->refused),
        .auth_failures = atomic_load(&s->auth_failures),
        .errors = atomic_load(&s->errors),
        .memory_bytes = atomic_load(&s->memory),
        .memory_limit = p->memory,
        .slow_closed = atomic_load(&s->slow_closed),
        .shed = atomic_load(&s->shed),
        .accept_pauses = atomic_load(&s->accept_pauses),
        .sent_bytes = atomic_load(&s->sent_bytes),
        .sent_batches = atomic_load(&s->sent_batches),
        .commits = names_commits(&s->names),
        .names = n_names,
        .forgotten = names_forgotten(&s->names),
        .max_lag_bytes = away_bytes,
    };
    policy_put(p);
    listen_get_trouble(s, ret->listen_trouble, sizeof ret->listen_trouble);
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.list[i].file[0] == '\0')
            continue;
        ret->streaming++;
        if (rows.list[i].lag_bytes > ret->max_lag_bytes)
            ret->max_lag_bytes = rows.list[i].lag_bytes;
    }
    free(rows.list);
    return 0;
}

int serve_min_needed(struct serve *s, struct consumer_state *ret)
{
    struct names_row *names = NULL;
    struct ruler r;
    size_t n = 0;
    uint64_t most = 0;
    bool found = false;
    struct serve_policy *p = policy_get(s);
    uint64_t max_lag = p->consumer_max_lag;
    policy_put(p);
    if (max_lag == 0)
        return LT_ENOTFOUND;
    int rc = names_list(&s->names, &names, &n);
    if (rc == 0)
        rc = ruler_init(&r, s->store);
    if (rc != 0) {
        free(names);
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        const struct consumer_state *c = &names[i].state;
        uint64_t lag = names[i].has ? ruler_lag(&r, c->lineage, c->file, c->offset) : UINT64_MAX;
        if (lag > max_lag || (found && lag < most))
            continue;
        most = lag;
        *ret = *c;
        found = true;
    }
    ruler_fini(&r);
    free(names);
    return found ? 0 : LT_ENOTFOUND;
}
