/*
 * The state of the fence: what is in force, the gate that follows from it, and its life. Orders to fence: fence_order.c; what takes force only
 * when it is on disk: fence_change.c.
 *
 * - One rule for the gate (fence_set_gate); whoever changes the state calls it.
 * Failure: the disk's errors are in status (`persisted`) and in the answers; the fence in memory does not depend on them.
 */
#include "ops/fence/fence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/common/json_put.h"
#include "ops/fence/fence_internal.h"
#include "store/state.h"

static const struct timeval poll_interval = {.tv_usec = 10000};

/* ---- small things ---- */

void fence_refuse(struct admin_reply *reply, const char *code, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    admin_reply_error(reply, code, text, NULL);
}

void fence_ingest_view(const struct fence *f, struct ingest_view *ret)
{
    if (f->ops->ingest != NULL)
        ingest_view(f->ops->ingest, ret);
    else
        *ret = (struct ingest_view){.state = INGEST_CONNECTING};
}

void fence_current_id(struct fence *f, char ret[STORE_SOURCE_ID_MAX + 1])
{
    struct store_view sv;
    struct ingest_view iv;
    const char *id = FENCE_ANY_SOURCE;
    bool have_view = store_view_get(f->ops->opt.store, &sv) == 0;
    fence_ingest_view(f, &iv);
    if (f->follow.active)
        id = f->follow.source_id;
    else if (have_view && sv.source_id[0] != '\0')
        id = sv.source_id;
    else if (iv.source.source_id[0] != '\0')
        id = iv.source.source_id;
    (void)snprintf(ret, STORE_SOURCE_ID_MAX + 1, "%s", id);
    if (have_view)
        store_view_fini(&sv);
}

/* The one rule: open when nothing is fenced, else open to the followed source if that is not, else closed. */
void fence_set_gate(struct fence *f)
{
    struct ack_gate *gate = f->ops->opt.gate;
    char current[STORE_SOURCE_ID_MAX + 1];
    fence_current_id(f, current);
    if (f->ops->forbid_removal != NULL)
        f->ops->forbid_removal(f->ops->keep, fence_holds(f) != FENCE_HOLDS_NOTHING);
    if (f->state.count == 0)
        gate_open(gate);
    else if (strcmp(current, FENCE_ANY_SOURCE) != 0 && fence_find(&f->state, current) == NULL &&
             (f->follow.active || fence_find(&f->state, FENCE_ANY_SOURCE) == NULL))
        gate_open_to(gate, current);
    else
        gate_close(gate);
}

bool fence_current(struct fence *f)
{
    char current[STORE_SOURCE_ID_MAX + 1];
    if (f->state.count == 0)
        return false;
    fence_current_id(f, current);
    return fence_find(&f->state, current) != NULL ||
           (!f->follow.active && fence_find(&f->state, FENCE_ANY_SOURCE) != NULL);
}

/* By what is durable, so that a restart changes nothing. The view may still be of the source before: of the new one there is a lineage first. */
static bool covers_the_past(const struct fence *f)
{
    struct store_view sv;
    if (!f->follow.active || (f->follow.new_history && !f->follow.proved))
        return true;
    if (store_view_get(f->ops->opt.store, &sv) != 0)
        return false;
    bool covers = sv.lineage > f->follow.after_lineage && fence_covered(f, &sv);
    store_view_fini(&sv);
    return covers;
}

enum fence_holds fence_holds(struct fence *f)
{
    if (fence_current(f))
        return FENCE_HOLDS_FENCED;
    return covers_the_past(f) ? FENCE_HOLDS_NOTHING : FENCE_HOLDS_UNCOVERED;
}

const struct follow *fence_follow(const struct fence *f)
{
    return &f->follow;
}

bool fence_take_order(struct fence *f, const struct fence_order *o, struct admin_reply *reply)
{
    if (!o->have_epoch || fence_epoch_ok(&f->state, o->epoch))
        return true;
    fence_refuse(reply, "stale_epoch", "epoch %" PRIu64 " is older than %" PRIu64 ", which was used here already",
                 o->epoch, f->state.epoch);
    return false;
}

void fence_watch(struct fence *f)
{
    (void)event_add(f->poll, &poll_interval);
}

void fence_put_end(struct fence_entry *e, const struct store_end *held)
{
    e->lineage = held->lineage;
    e->offset = held->offset;
    memcpy(e->file, held->file, sizeof e->file);
}

void fence_add_settings(json_t *answer, const struct fence_state *state)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++)
        lt_ignore(json_array_append_new(list, json_string(state->entries[i].source_id)));
    put(answer, "fenced", list);
    put(answer, "epoch", state->have_epoch ? json_integer((json_int_t)state->epoch) : json_null());
}

/* ---- life ---- */

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
    struct fence *f = arg;
    uint64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    fence_poll_change(f, now);
    repoint_poll(f);
    fence_poll_waiters(f, now);
    if (f->change.kind != CHANGE_NONE || f->repoint.active || !LIST_EMPTY(&f->waiters))
        fence_watch(f);
}

int fence_open(struct ops *ops, struct fence **ret, struct lt_err *err)
{
    struct fence *f = calloc(1, sizeof *f);
    struct lt_err reserve_err = {0};
    if (f == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    f->ops = ops;
    fence_state_init(&f->state);
    follow_init(&f->follow);
    follow_init(&f->change.follow);
    LIST_INIT(&f->waiters);
    gate_close(ops->opt.gate); /* until it is known what is fenced */
    int rc = fence_load(f, err);
    if (rc == 0)
        rc = worker_open(ops->opt.base, &f->writer, err);
    if (rc == 0) {
        f->poll = event_new(ops->opt.base, -1, 0, on_poll, f);
        if (f->poll == NULL)
            rc = lt_err_set(err, LT_ENOMEM, "out of memory");
    }
    if (rc != 0) {
        fence_close(f);
        return rc;
    }
    if (store_reserve_fill(ops->opt.store, &reserve_err) != 0)
        log_warn("fence", "no reserve for a full disk: %s", reserve_err.text);
    fence_set_gate(f);
    if (f->follow.active)
        log_notice("fence", "following %s at %s:%u, as DIR/source says%s", f->follow.source_id, f->follow.host,
                   f->follow.port, fence_source_differs(f) ? "; the configuration names another source" : "");
    for (size_t i = 0; i < f->state.count; i++)
        log_notice("fence", "still fenced: %s: %s", f->state.entries[i].source_id, f->state.entries[i].reason);
    *ret = f;
    return LT_OK;
}

void fence_close(struct fence *f)
{
    if (f == NULL)
        return;
    struct event *poll = f->poll;
    f->poll = NULL; /* the last write's end starts nothing more */
    worker_close(f->writer);
    if (poll != NULL)
        event_free(poll);
    if (f->repoint.active)
        fence_refuse(f->repoint.reply, "stopping", "logtailerd is stopping");
    if (f->change.kind != CHANGE_NONE)
        fence_refuse(f->change.reply, "stopping", "logtailerd is stopping; ask again after the next start");
    fence_drop_change(f);
    fence_answer_waiters(f);
    fence_state_fini(&f->state);
    follow_fini(&f->follow);
    free(f);
}

void fence_tick(struct fence *f)
{
    fence_persist(f);
}
