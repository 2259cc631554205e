/*
 * - fence: the gate is closed, ingest told, the entry made; only then a write is started and the answer waits for it and for the last sync,
 *   at most FENCE_ANSWER_US. A write that fails or hangs goes on in the background until it succeeds.
 * - unfence: what is to be in force is written first (struct fence_change) and takes force when the write has returned. Late: taken back, and
 *   the old state written again, so that memory and disk never disagree for longer than the disk needs.
 * - A fence that comes while a change is on its way wins: the change is taken back.
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
#include "ops/fence/followed.h"
#include "ops/fence/position.h"
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

static void view(const struct fence *f, struct ingest_view *ret)
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
    view(f, &iv);
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

/* ---- changes ---- */

static void drop_change(struct fence *f)
{
    fence_state_fini(&f->change.state);
    follow_fini(&f->change.follow);
    json_decref(f->change.answer);
    f->change = (struct fence_change){0};
}

static void cancel_change(struct fence *f, const char *code, const char *message)
{
    if (f->change.kind == CHANGE_NONE)
        return;
    bool repointed = f->change.kind == CHANGE_REPOINT;
    log_warn("fence", "%s taken back: %s", repointed ? "repoint" : "unfence", message);
    admin_reply_error(f->change.reply, code, message, NULL);
    drop_change(f);
    f->generation++; /* what was written of it is written over */
    f->source_changed = f->source_changed || repointed;
    fence_set_gate(f);
    ingest_wake(f->ops->ingest);
    fence_persist(f);
}

static void apply_change(struct fence *f)
{
    struct fence_change *c = &f->change;
    struct ingest *ing = f->ops->ingest;
    if (c->kind == CHANGE_REPOINT && ingest_follow(ing, &c->follow) != 0) {
        cancel_change(f, "out_of_memory", "out of memory");
        return;
    }
    fence_state_fini(&f->state);
    f->state = c->state;
    fence_state_init(&c->state);
    if (c->kind == CHANGE_REPOINT) {
        follow_fini(&f->follow);
        f->follow = c->follow;
        follow_init(&c->follow);
        log_notice("fence", "repointed to %s at %s:%u", f->follow.source_id, f->follow.host, f->follow.port);
    } else {
        ingest_release(ing, c->source_id);
        log_notice("fence", "released: %s", c->source_id);
    }
    fence_set_gate(f);
    ingest_wake(ing);
    if (c->kind == CHANGE_REPOINT)
        followed_changed(f->ops);
    fence_add_settings(c->answer, &f->state);
    admin_reply_send(c->reply, json_incref(c->answer));
    drop_change(f);
}

void fence_begin_change(struct fence *f, uint64_t wait_us)
{
    f->change.generation = ++f->generation;
    f->change.deadline_us = clock_mono_us() + wait_us;
    f->source_changed = f->source_changed || f->change.kind == CHANGE_REPOINT;
    f->retry_at_us = 0;
    fence_persist(f);
    fence_watch(f);
}

static void poll_change(struct fence *f, uint64_t now)
{
    if (f->change.kind == CHANGE_NONE)
        return;
    if (f->written >=
        f->change.generation) /* what is written while it lasts has it in: also what a fence's position caused */
        apply_change(f);
    else if (now >= f->change.deadline_us)
        cancel_change(f, f->write_error[0] != '\0' ? "disk_failed" : "timeout",
                      f->write_error[0] != '\0' ? f->write_error
                                                : "the disk did not take it in time: nothing was changed");
}

/* ---- fence ---- */

/* Nothing more will be stored (the thread waits for the gate, or it is connecting and asks the gate before it stores), and the view, from which
 * the answer is made, has all that was. */
static bool is_final(const struct fence *f, const struct ingest_view *iv)
{
    struct store *store = f->ops->opt.store;
    bool between = iv->state == INGEST_CONNECTING || iv->state == INGEST_ERROR || iv->state == INGEST_STOPPED;
    bool synced = store_stat_received(store) == store_stat_synced(store) && store_stat_busy_since(store) == 0;
    return (iv->fenced_settled || (between && !iv->connected && synced)) && store_view_is_current(store);
}

void fence_put_end(struct fence_entry *e, const struct store_end *held)
{
    e->lineage = held->lineage;
    e->offset = held->offset;
    memcpy(e->file, held->file, sizeof e->file);
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

void fence_add_settings(json_t *answer, const struct fence_state *state)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->count; i++)
        lt_ignore(json_array_append_new(list, json_string(state->entries[i].source_id)));
    put(answer, "fenced", list);
    put(answer, "epoch", state->have_epoch ? json_integer((json_int_t)state->epoch) : json_null());
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
    return !w->already && now < w->since_us + FENCE_FACTS_WAIT_US &&
           monitor_asked_us(f->ops->watch.monitor) < w->since_us;
}

/* The record follows; what must be on disk is the id, and that is judged by w->generation. */
static void note_final(struct fence *f, const struct fence_waiter *w, const struct ingest_view *iv)
{
    struct fence_entry *e = fence_find(&f->state, w->source_id);
    if (e == NULL)
        return;
    bool moved = note_position(f, e);
    bool changed = !w->already && fence_judge_again(f, e, iv, &w->first);
    if (!moved && !changed)
        return;
    if (f->change.kind != CHANGE_NONE)
        fence_carry(&f->change.state, e);
    f->generation++;
    fence_persist(f);
}

static void poll_waiters(struct fence *f, uint64_t now)
{
    struct ingest_view iv;
    struct fence_waiter *next = NULL;
    if (LIST_EMPTY(&f->waiters))
        return;
    view(f, &iv);
    bool final = is_final(f, &iv);
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
    fence_facts_of_ours(facts, iv->connected && iv->semi_sync_active);
    e->hold = fence_choose_mode(o->mode, facts) == FENCE_HOLD;
    e->at_us = clock_wall_us();
    memcpy(e->reason, o->reason, sizeof e->reason);
    fence_note_guarantee(e, facts);
    (void)note_position(f, e);
    ingest_fence(f->ops->ingest, e->hold);
    log_notice("fence", "fenced: %s, %s, %s guarantee: %s", e->source_id, e->hold ? "hold" : "drop",
               e->strong ? "strong" : "weak", e->reason);
}

/* Fenced before: only a hold may still become a drop. */
static void fence_again(struct fence *f, struct fence_entry *e, const struct fence_order *o,
                        const struct ingest_view *iv)
{
    struct fence_facts facts;
    if (o->mode != FENCE_DROP || !e->hold)
        return;
    fence_facts_now(f, iv, &facts);
    fence_facts_of_ours(&facts, iv->connected && iv->semi_sync_active);
    e->hold = false;
    fence_note_guarantee(e, &facts);
    ingest_release(f->ops->ingest, e->source_id);
    f->generation++;
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
    view(f, &iv);
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
    cancel_change(f, "superseded", "a fence came in between");
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
    if (!already)
        monitor_ask_now(f->ops->watch.monitor);
    memcpy(w->source_id, id, sizeof w->source_id);
    LIST_INSERT_HEAD(&f->waiters, w, link);
    f->retry_at_us = 0;
    fence_persist(f);
    fence_watch(f);
}

/* ---- unfence ---- */

void fence_run_unfence(struct fence *f, const struct fence_order *o, struct admin_reply *reply)
{
    if (!fence_take_order(f, o, reply))
        return;
    if (f->change.kind != CHANGE_NONE || f->repoint.active) {
        fence_refuse(reply, "busy", "another change is on its way; try again in a moment");
        return;
    }
    const struct fence_entry *e = o->source_id != NULL ? fence_find(&f->state, o->source_id) : fence_last(&f->state);
    if (e == NULL && (!o->have_epoch || (f->state.have_epoch && f->state.epoch == o->epoch))) {
        json_t *answer = json_pack("{s:s?, s:b, s:b}", "source_id", o->source_id, "released", 0, "already", 1);
        fence_add_settings(answer, &f->state);
        admin_reply_send(reply, answer);
        return;
    }
    struct fence_change *c = &f->change;
    *c = (struct fence_change){.kind = CHANGE_UNFENCE, .reply = reply};
    follow_init(&c->follow);
    const char *id = e != NULL ? e->source_id : o->source_id;
    c->answer = json_pack("{s:s?, s:b, s:b}", "source_id", id, "released", e != NULL, "already", e == NULL);
    if (c->answer == NULL || fence_state_copy(&c->state, &f->state) != 0) {
        drop_change(f);
        fence_refuse(reply, "out_of_memory", "out of memory");
        return;
    }
    (void)snprintf(c->source_id, sizeof c->source_id, "%s", id != NULL ? id : "");
    fence_remove(&c->state, c->source_id);
    if (o->have_epoch)
        fence_epoch_take(&c->state, o->epoch);
    fence_begin_change(f, FENCE_RELEASE_US);
}

/* ---- life ---- */

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
    struct fence *f = arg;
    uint64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    poll_change(f, now);
    repoint_poll(f);
    poll_waiters(f, now);
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
    drop_change(f);
    struct fence_waiter *w = NULL;
    while ((w = LIST_FIRST(&f->waiters)) != NULL) {
        struct ingest_view iv;
        view(f, &iv);
        LIST_REMOVE(w, link);
        answer_waiter(f, w, false, &iv);
    }
    fence_state_fini(&f->state);
    follow_fini(&f->follow);
    free(f);
}

void fence_tick(struct fence *f)
{
    fence_persist(f);
}
