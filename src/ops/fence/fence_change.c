/*
 * Changes that take force only when they are on disk: a release (unfence), a repoint that was proved (repoint.c).
 *
 * - What is to be in force is written first (struct fence_change) and takes force when the write has returned. Late: taken back, and the old
 *   state written again, so that memory and disk never disagree for longer than the disk needs.
 * - A fence that comes while a change is on its way wins: the change is taken back.
 * Failure: an answer to whoever gave the order; nothing is changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/common/json_put.h"
#include "ops/fence/fence_internal.h"
#include "ops/fence/followed.h"
#include "store/reader.h"

void fence_drop_change(struct fence *f)
{
    fence_state_fini(&f->change.state);
    follow_fini(&f->change.follow);
    json_decref(f->change.answer);
    f->change = (struct fence_change){0};
}

void fence_cancel_change(struct fence *f, const char *code, const char *message)
{
    if (f->change.kind == CHANGE_NONE)
        return;
    bool repointed = f->change.kind == CHANGE_REPOINT;
    log_warn("fence", "%s taken back: %s", repointed ? "repoint" : "unfence", message);
    admin_reply_error(f->change.reply, code, message, NULL);
    fence_drop_change(f);
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
        fence_cancel_change(f, "out_of_memory", "out of memory");
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
        memcpy(f->released[f->n_released++ % FENCE_RELEASED_KEPT], c->source_id, sizeof c->source_id);
        log_notice("fence", "released: %s", c->source_id);
    }
    fence_set_gate(f);
    ingest_wake(ing);
    if (c->kind == CHANGE_REPOINT)
        followed_changed(f->ops);
    fence_add_settings(c->answer, &f->state);
    admin_reply_send(c->reply, json_incref(c->answer));
    fence_drop_change(f);
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

void fence_poll_change(struct fence *f, uint64_t now)
{
    if (f->change.kind == CHANGE_NONE)
        return;
    if (f->written >=
        f->change.generation) /* what is written while it lasts has it in: also what a fence's position caused */
        apply_change(f);
    else if (now >= f->change.deadline_us)
        fence_cancel_change(f, f->write_error[0] != '\0' ? "disk_failed" : "timeout",
                            f->write_error[0] != '\0' ? f->write_error
                                                      : "the disk did not take it in time: nothing was changed");
}

/* ---- unfence ---- */

/* It may have been fenced: it is followed, has stored something here, or was released since the start. */
static bool is_known(struct fence *f, const char *source_id)
{
    char current[STORE_SOURCE_ID_MAX + 1];
    struct store_segment_info *list = NULL;
    size_t n = 0;
    fence_current_id(f, current);
    bool known = strcmp(source_id, current) == 0 || strcmp(source_id, FENCE_ANY_SOURCE) == 0;
    for (unsigned i = 0; i < FENCE_RELEASED_KEPT && !known; i++)
        known = f->released[i][0] != '\0' && strcmp(f->released[i], source_id) == 0;
    if (known || store_list(f->ops->opt.store, &list, &n) != 0)
        return known;
    for (size_t i = 0; i < n && !known; i++)
        known = strcmp(list[i].source_id, source_id) == 0;
    free(list);
    return known;
}

static void refuse_unknown(struct fence *f, const char *source_id, struct admin_reply *reply)
{
    char text[STORE_SOURCE_ID_MAX + 200];
    json_t *details = json_object();
    fence_add_settings(details, &f->state);
    (void)snprintf(text, sizeof text, "no source %s is fenced, nor known here: nothing was released%s", source_id,
                   f->state.count > 0 ? "; those that are fenced are listed" : ", and nothing is fenced");
    admin_reply_error(reply, "not_found", text, details);
}

void fence_run_unfence(struct fence *f, const struct fence_order *o, struct admin_reply *reply)
{
    if (!fence_take_order(f, o, reply))
        return;
    if (f->change.kind != CHANGE_NONE || f->repoint.active) {
        fence_refuse(reply, "busy", "another change is on its way; try again in a moment");
        return;
    }
    const struct fence_entry *e = o->source_id != NULL ? fence_find(&f->state, o->source_id) : fence_last(&f->state);
    if (e == NULL && o->source_id != NULL && !is_known(f, o->source_id)) {
        refuse_unknown(f, o->source_id, reply);
        return;
    }
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
        fence_drop_change(f);
        fence_refuse(reply, "out_of_memory", "out of memory");
        return;
    }
    (void)snprintf(c->source_id, sizeof c->source_id, "%s", id != NULL ? id : "");
    fence_remove(&c->state, c->source_id);
    if (o->have_epoch)
        fence_epoch_take(&c->state, o->epoch);
    fence_begin_change(f, FENCE_RELEASE_US);
}
