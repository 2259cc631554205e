/*
 * What the ingest thread does while its source is fenced, and what others ask of it then.
 *
 * - It syncs what was received, says that the log is final (fenced_settled), and waits for the gate.
 * - While it waits it examines candidates for a repoint and takes over what to follow.
 * - Held connections have threads of their own (holder.c); they are listed here so that a release finds them.
 * Whether the source is fenced is asked of the gate, never remembered: the gate is what a fence closes first. The view says "not settled"
 * before the gate is asked again, so whoever closed the gate and then saw "settled" can rely on it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

bool ingest_is_fenced(struct ingest *ing)
{
    return gate_is_closed(ing->opt.gate, ing->source_id);
}

void ingest_fence(struct ingest *ing, bool hold)
{
    atomic_store(&ing->hold, hold);
    ingest_wake(ing);
    if (!hold)
        ingest_reconnect(ing);
}

void ingest_wake(struct ingest *ing)
{
    uint64_t one = 1;
    (void)!write(ing->wake_fd, &one, sizeof one);
}

void ingest_drain_wake(struct ingest *ing)
{
    uint64_t n;
    if (!ingest_stopping(ing))
        (void)!read(ing->wake_fd, &n, sizeof n);
}

/* ---- held connections ---- */

bool ingest_keep_holder(struct ingest *ing, struct holder *h)
{
    bool kept = false;
    pthread_mutex_lock(&ing->conn_lock);
    for (size_t i = 0; i < INGEST_HOLDERS_MAX && !kept; i++) {
        if (ing->holders[i] == NULL) {
            ing->holders[i] = h;
            kept = true;
        }
    }
    pthread_mutex_unlock(&ing->conn_lock);
    return kept;
}

/* The next one of this source, or NULL; NULL for source_id: any. It is off the list then. */
static struct holder *take_holder(struct ingest *ing, const char *source_id)
{
    struct holder *h = NULL;
    pthread_mutex_lock(&ing->conn_lock);
    for (size_t i = 0; i < INGEST_HOLDERS_MAX && h == NULL; i++) {
        struct holder *one = ing->holders[i];
        if (one != NULL && (source_id == NULL || strcmp(holder_source_id(one), source_id) == 0)) {
            h = one;
            ing->holders[i] = NULL;
        }
    }
    pthread_mutex_unlock(&ing->conn_lock);
    return h;
}

void ingest_release(struct ingest *ing, const char *source_id)
{
    struct holder *h;
    while ((h = take_holder(ing, source_id)) != NULL)
        holder_stop(h);
}

static unsigned count_held(struct ingest *ing)
{
    unsigned n = 0;
    pthread_mutex_lock(&ing->conn_lock);
    for (size_t i = 0; i < INGEST_HOLDERS_MAX; i++)
        n += ing->holders[i] != NULL && holder_is_open(ing->holders[i]);
    pthread_mutex_unlock(&ing->conn_lock);
    return n;
}

/* ---- orders ---- */

void ingest_candidate_free(struct ingest_candidate *c)
{
    if (c == NULL)
        return;
    follow_fini(&c->follow);
    free(c);
}

int ingest_examine(struct ingest *ing, struct ingest_candidate *c)
{
    int rc = LT_OK;
    pthread_mutex_lock(&ing->order_lock);
    if (ing->asked != NULL || ing->examining) {
        rc = LT_EBUSY;
    } else {
        ingest_candidate_free(ing->examined); /* of somebody who did not wait for it */
        ing->examined = NULL;
        ing->asked = c;
    }
    pthread_mutex_unlock(&ing->order_lock);
    ingest_wake(ing);
    return rc;
}

struct ingest_candidate *ingest_examined(struct ingest *ing)
{
    pthread_mutex_lock(&ing->order_lock);
    struct ingest_candidate *c = ing->examined;
    ing->examined = NULL;
    pthread_mutex_unlock(&ing->order_lock);
    return c;
}

int ingest_follow(struct ingest *ing, const struct follow *f)
{
    struct follow *copy = calloc(1, sizeof *copy);
    if (copy == NULL || follow_copy(copy, f) != 0) {
        free(copy);
        return LT_ENOMEM;
    }
    pthread_mutex_lock(&ing->order_lock);
    struct follow *old = ing->order_follow;
    ing->order_follow = copy;
    pthread_mutex_unlock(&ing->order_lock);
    if (old != NULL)
        follow_fini(old);
    free(old);
    ingest_wake(ing);
    return LT_OK;
}

static void take_follow(struct ingest *ing, struct follow *f)
{
    follow_fini(&ing->follow);
    ing->follow = *f;
    recognise_forget(ing);
    ing->covered = false;
    ing->view_dirty = true;
    ingest_set_target(ing);
    ingest_set_source_id(ing);
    free(f);
    log_notice("ingest", "following %s at %s:%u", ing->follow.source_id, ing->follow.host, ing->follow.port);
}

static void carry_out_orders(struct ingest *ing)
{
    pthread_mutex_lock(&ing->order_lock);
    struct ingest_candidate *c = ing->asked;
    struct follow *f = ing->order_follow;
    ing->asked = NULL;
    ing->order_follow = NULL;
    ing->examining = c != NULL;
    pthread_mutex_unlock(&ing->order_lock);
    if (f != NULL)
        take_follow(ing, f);
    if (c == NULL)
        return;
    candidate_examine(ing, c);
    pthread_mutex_lock(&ing->order_lock);
    ing->examining = false;
    ing->examined = c;
    pthread_mutex_unlock(&ing->order_lock);
}

/* ---- waiting ---- */

static bool settle(struct ingest *ing)
{
    struct lt_err err;
    int rc = store_is_broken(ing->opt.store) ? LT_ESYNC : store_sync(ing->opt.store, &err);
    if (rc != 0 && !ingest_repair_store(ing))
        return false;
    ingest_publish_store(ing);
    return true;
}

static void show(struct ingest *ing, bool settled)
{
    ing->view.fenced_settled = settled;
    ing->view.held = count_held(ing);
    ing->view_dirty = true;
    ingest_publish(ing, true);
}

bool fenced_wait(struct ingest *ing)
{
    struct pollfd p = {.fd = ing->wake_fd, .events = POLLIN};
    if (!settle(ing))
        return false;
    ingest_set_state(ing, INGEST_FENCED);
    while (!ingest_stopping(ing) && ingest_is_fenced(ing)) {
        show(ing, true);
        (void)poll(&p, 1, 1000);
        ingest_drain_wake(ing);
        carry_out_orders(ing);
    }
    carry_out_orders(ing); /* what is to be followed was said before the gate was opened */
    atomic_store(&ing->hold, false);
    show(ing, false);
    return true;
}

void fenced_fini(struct ingest *ing)
{
    ingest_release(ing, NULL);
    ingest_candidate_free(ing->asked);
    ingest_candidate_free(ing->examined);
    if (ing->order_follow != NULL)
        follow_fini(ing->order_follow);
    free(ing->order_follow);
    follow_fini(&ing->follow);
    pthread_mutex_destroy(&ing->order_lock);
}
