/*
 * An order to fence: the gate is closed, ingest told, the entry made; only then a write is started and the answer waits for it and for the last
 * sync, at most FENCE_ANSWER_US. A write that fails or hangs goes on in the background until it succeeds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/common/json_put.h"
#include "ops/fence/fence_internal.h"
#include "ops/fence/position.h"

/* The thread waits for the gate, or it is connecting and asks the gate before it stores. */
bool fence_is_final(const struct fence *f, const struct ingest_view *iv)
{
    struct store *store = f->ops->opt.store;
    bool between = iv->state == INGEST_CONNECTING || iv->state == INGEST_ERROR || iv->state == INGEST_STOPPED;
    bool synced = store_stat_received(store) == store_stat_synced(store) && store_stat_busy_since(store) == 0;
    return (iv->fenced_settled || (between && !iv->connected && synced)) && store_view_is_current(store);
}

static bool note_position(struct fence *f, struct fence_entry *e)
{
    struct store_view sv;
    if (store_view_get(f->ops->opt.store, &sv) != 0)
        return false;
    const struct store_end *held = &sv.held;
    bool moved = e->lineage != held->lineage || e->offset != held->offset || strcmp(e->file, held->file) != 0;
    fence_put_end(e, held);
    store_view_fini(&sv);
    return moved;
}

/* DIR/fence has the entry. The content of an unfence that is on its way lacks it, though what was written is newer than the entry. */
static bool is_persisted(const struct fence *f, const struct fence_waiter *w)
{
    return f->written >= w->generation && strcmp(f->written_without, w->source_id) != 0;
}

/* w is off the list; it is freed. */
static void answer_waiter(struct fence *f, struct fence_waiter *w, bool final, const struct ingest_view *iv)
{
    json_t *o = NULL;
    const struct fence_entry *e = fence_find(&f->state, w->source_id);
    if (e == NULL || position_answer(f->ops, &o) != 0) {
        fence_refuse(w->reply, e == NULL ? "superseded" : "out_of_memory",
                     "the fence is in force no more, or no memory");
    } else {
        struct gate_view g;
        gate_view(f->ops->opt.gate, &g);
        put(o, "source_id", json_string(e->source_id));
        put(o, "acked", file_offset(g.acked.file, g.acked.offset));
        put(o, "mode", json_string(fence_mode_name(e->hold ? FENCE_HOLD : FENCE_DROP)));
        put(o, "guarantee", json_string(e->strong ? "strong" : "weak"));
        put(o, "why", json_incref(e->why));
        put(o, "persisted", json_boolean(is_persisted(f, w)));
        put(o, "final", json_boolean(final));
        put(o, "already", json_boolean(w->already));
        put(o, "kept", w->kept[0] != '\0' ? json_string(w->kept) : json_null());
        put(o, "held", json_integer(iv->held));
        put(o, "reason", json_string(e->reason));
        fence_add_settings(o, &f->state);
        admin_reply_send(w->reply, o);
    }
    free(w);
}

/* The source is asked once more after the gate was closed: what it said before may have changed in between. One that does not answer is not
 * waited for long; then the age of what is known decides. */
static bool facts_are_due(const struct fence *f, const struct fence_waiter *w, uint64_t now)
{
    return now < w->since_us + FENCE_FACTS_WAIT_US && monitor_asked_us(f->ops->watch.monitor) < w->since_us;
}

/* The record follows; what must be on disk is the id, and that is judged by w->generation. */
static void note_final(struct fence *f, const struct fence_waiter *w, const struct ingest_view *iv)
{
    struct fence_entry *e = fence_find(&f->state, w->source_id);
    if (e == NULL)
        return;
    bool moved = note_position(f, e);
    bool changed = fence_judge_again(f, e, iv, w->already ? NULL : &w->first, w->since_us);
    if (!moved && !changed)
        return;
    if (f->change.kind != CHANGE_NONE)
        fence_carry(&f->change.state, e);
    f->generation++;
    fence_persist(f);
}

void fence_poll_waiters(struct fence *f, uint64_t now)
{
    struct ingest_view iv;
    struct fence_waiter *next = NULL;
    if (LIST_EMPTY(&f->waiters))
        return;
    fence_ingest_view(f, &iv);
    bool final = fence_is_final(f, &iv);
    for (struct fence_waiter *w = LIST_FIRST(&f->waiters); w != NULL; w = next) {
        next = LIST_NEXT(w, link);
        if (now < w->deadline_us && (!final || !is_persisted(f, w) || facts_are_due(f, w, now)))
            continue;
        note_final(f, w, &iv);
        LIST_REMOVE(w, link);
        answer_waiter(f, w, final, &iv);
    }
}

static void begin_fence(struct fence *f, struct fence_entry *e, const struct fence_order *o,
                        const struct ingest_view *iv, struct fence_facts *facts)
{
    fence_facts_now(f, iv, facts);
    fence_facts_of_ours(facts, iv->connected && iv->semi_sync_active, facts->ours_counted);
    e->hold = fence_choose_mode(o->mode, facts) == FENCE_HOLD;
    e->at_us = clock_wall_us();
    memcpy(e->reason, o->reason, sizeof e->reason);
    e->complete = f->ops->watch.complete;
    fence_note_guarantee(e, facts);
    (void)note_position(f, e);
    ingest_fence(f->ops->ingest, e->hold);
    log_notice("fence", "fenced: %s, %s, %s guarantee: %s", e->source_id, e->hold ? "hold" : "drop",
               e->strong ? "strong" : "weak", e->reason);
}

/* Fenced before: a hold may still become a drop, and the guarantee is judged anew (note_final). */
static void fence_again(struct fence *f, struct fence_entry *e, const struct fence_order *o,
                        const struct ingest_view *iv)
{
    struct fence_facts facts;
    if (o->mode != FENCE_DROP || !e->hold)
        return;
    fence_facts_now(f, iv, &facts);
    fence_facts_of_ours(&facts, iv->connected && iv->semi_sync_active, facts.ours_counted);
    e->hold = false;
    fence_note_guarantee(e, &facts);
    ingest_release(f->ops->ingest, e->source_id);
    f->generation++;
}

/* The first order's word stays: it is what happened. The second one's is told, and in the log. */
static void note_kept(struct fence_waiter *w, const struct fence_entry *e, const struct fence_order *o)
{
    bool reason = strcmp(e->reason, o->reason) != 0;
    bool mode = o->mode == FENCE_HOLD && !e->hold;
    if (!reason && !mode)
        return;
    (void)snprintf(w->kept, sizeof w->kept, "fenced before, and of that fence stay%s%s%s: %s, \"%s\"",
                   reason ? " the reason" : "", reason && mode ? " and" : "", mode ? " the mode" : "",
                   fence_mode_name(e->hold ? FENCE_HOLD : FENCE_DROP), e->reason);
    log_notice("fence", "fenced again: %s, %s: %s; %s", e->source_id, fence_mode_name(o->mode), o->reason, w->kept);
}

void fence_run(struct fence *f, const struct fence_order *o, struct admin_reply *reply)
{
    struct ingest_view iv;
    struct fence_entry *e = NULL;
    struct fence_facts first = {0};
    char id[STORE_SOURCE_ID_MAX + 1];
    if (!fence_take_order(f, o, reply))
        return;
    gate_close(f->ops->opt.gate); /* first of all: what else happens, nothing leaves any more */
    fence_ingest_view(f, &iv);
    fence_current_id(f, id);
    struct fence_waiter *w = calloc(1, sizeof *w);
    bool already = fence_find(&f->state, id) != NULL;
    if (w == NULL || fence_add(&f->state, id, &e) != 0) {
        free(w);
        fence_refuse(reply, "out_of_memory", "out of memory; the gate is closed until the next restart or unfence");
        return;
    }
    /* With the entry there, taking these back leaves the gate closed. */
    repoint_cancel(f, "superseded", "a fence came in between");
    fence_cancel_change(f, "superseded", "a fence came in between");
    if (already)
        fence_again(f, e, o, &iv);
    else
        begin_fence(f, e, o, &iv, &first);
    if (o->have_epoch && (!f->state.have_epoch || o->epoch != f->state.epoch)) {
        fence_epoch_take(&f->state, o->epoch);
        f->generation++;
    }
    f->generation += !already;
    fence_set_gate(f);
    uint64_t now = clock_mono_us();
    *w = (struct fence_waiter){.reply = reply,
                               .generation = f->generation,
                               .since_us = now,
                               .deadline_us = now + FENCE_ANSWER_US,
                               .first = first,
                               .already = already};
    monitor_ask_now(f->ops->watch.monitor);
    memcpy(w->source_id, id, sizeof w->source_id);
    if (already)
        note_kept(w, e, o);
    LIST_INSERT_HEAD(&f->waiters, w, link);
    f->retry_at_us = 0;
    fence_persist(f);
    fence_watch(f);
}

void fence_answer_waiters(struct fence *f)
{
    struct fence_waiter *w = NULL;
    while ((w = LIST_FIRST(&f->waiters)) != NULL) {
        struct ingest_view iv;
        fence_ingest_view(f, &iv);
        LIST_REMOVE(w, link);
        answer_waiter(f, w, false, &iv);
    }
}
