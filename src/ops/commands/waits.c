/*
 * - A tick compares every waiter with one copy of the held set; nothing is copied while nobody waits. Whoever went away is let go first, so that
 *   clients that died do not fill the places.
 * Failure: out of memory leaves the waiters for the next tick.
 */
#include "ops/commands/waits.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "ops/admin/admin.h"
#include "ops/fence/fence.h"

struct waiter {
    LIST_ENTRY(waiter) link;
    struct admin_reply *reply;
    struct gtid_set set;
    uint64_t until_us;
};

struct waits {
    struct ops *ops;
    size_t count;
    LIST_HEAD(, waiter) list;
};

struct waits *waits_new(struct ops *ops)
{
    struct waits *w = calloc(1, sizeof *w);
    if (w != NULL) {
        w->ops = ops;
        LIST_INIT(&w->list);
    }
    return w;
}

int waits_held(struct ops *ops, struct gtid_set *ret)
{
    struct store_view sv;
    int rc = store_view_get(ops->opt.store, &sv);
    if (rc != 0)
        return rc;
    rc = gtid_set_copy(ret, &sv.gtid_held);
    store_view_fini(&sv);
    return rc;
}

int waits_held_for_good(struct ops *ops, struct gtid_set *ret)
{
    struct store_view sv;
    const struct follow *fw = fence_follow(ops->fence);
    int rc = store_view_get(ops->opt.store, &sv);
    if (rc != 0)
        return rc;
    rc = gtid_set_copy(ret, &sv.gtid_held);
    if (rc == 0 && fw->active && !gtid_set_is_empty(&fw->given_up)) {
        rc = gtid_set_subtract(ret, &fw->given_up);
        if (rc == 0 || rc == LT_EINVAL)
            rc = gtid_set_union(ret, &sv.gtid_executed);
        rc = rc == LT_EINVAL ? gtid_set_copy(ret, &sv.gtid_executed) : rc;
    }
    store_view_fini(&sv);
    return rc;
}

/* It is off the list. */
static void free_waiter(struct waiter *wt)
{
    gtid_set_fini(&wt->set);
    free(wt);
}

static void answer_reached(struct waiter *wt, const struct gtid_set *held)
{
    char *text = gtid_set_format(held);
    admin_reply_send(wt->reply, json_pack("{s:b, s:s?}", "reached", 1, "gtid_executed", text));
    free(text);
    free_waiter(wt);
}

static void answer_late(struct waiter *wt, const struct gtid_set *held)
{
    char *text = NULL;
    if (gtid_set_subtract(&wt->set, held) != LT_ENOMEM)
        text = gtid_set_format(&wt->set);
    admin_reply_error(wt->reply, "timeout", "not all of the set is durable here", json_pack("{s:s?}", "missing", text));
    free(text);
    free_waiter(wt);
}

static void let_go_of_the_gone(struct waits *w)
{
    struct waiter *next = NULL;
    for (struct waiter *wt = LIST_FIRST(&w->list); wt != NULL; wt = next) {
        next = LIST_NEXT(wt, link);
        if (admin_reply_is_wanted(wt->reply))
            continue;
        LIST_REMOVE(wt, link);
        w->count--;
        admin_reply_error(wt->reply, "stopping", "nobody waits for it", NULL);
        free_waiter(wt);
    }
}

void waits_tick(struct waits *w)
{
    struct gtid_set held;
    struct waiter *next = NULL;
    let_go_of_the_gone(w);
    if (LIST_EMPTY(&w->list))
        return;
    uint64_t now = clock_mono_us();
    gtid_set_init(&held);
    if (waits_held_for_good(w->ops, &held) == 0) {
        for (struct waiter *wt = LIST_FIRST(&w->list); wt != NULL; wt = next) {
            next = LIST_NEXT(wt, link);
            bool reached = gtid_set_contains_set(&held, &wt->set);
            if (!reached && now < wt->until_us)
                continue;
            LIST_REMOVE(wt, link);
            w->count--;
            if (reached)
                answer_reached(wt, &held);
            else
                answer_late(wt, &held);
        }
    }
    gtid_set_fini(&held);
}

void waits_add(struct waits *w, struct gtid_set *set, uint64_t timeout_us, struct admin_reply *reply)
{
    if (w->count == WAITS_MAX)
        let_go_of_the_gone(w);
    struct waiter *wt = w->count < WAITS_MAX ? calloc(1, sizeof *wt) : NULL;
    if (wt == NULL) {
        gtid_set_fini(set);
        admin_reply_error(reply, "busy", "too many are waiting already", NULL);
        return;
    }
    wt->reply = reply;
    wt->set = *set;
    gtid_set_init(set);
    wt->until_us = clock_mono_us() + timeout_us;
    LIST_INSERT_HEAD(&w->list, wt, link);
    w->count++;
    waits_tick(w);
}

void waits_free(struct waits *w)
{
    if (w == NULL)
        return;
    struct waiter *wt = NULL;
    while ((wt = LIST_FIRST(&w->list)) != NULL) {
        LIST_REMOVE(wt, link);
        admin_reply_error(wt->reply, "stopping", "logtailerd is stopping", NULL);
        free_waiter(wt);
    }
    free(w);
}
