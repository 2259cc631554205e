/*
 * Repoint: follow another source.
 *
 * - Order: the candidate is examined on the ingest thread, which waits fenced; what was found is judged here; DIR/fence (epoch) and DIR/source are
 *   written; only then ingest is told and the gate opened to that source alone. A crash before the write leaves everything as it was, after
 *   it the new source is followed and the old one stays fenced.
 * - Without a fence it works only while nothing is streamed (an error, no connection); then the gate is closed for it while it lasts, and a source
 *   that is left behind is fenced in the same step.
 * - A dry run does all but the writing.
 * Failure: refused with a word and the lists; nothing changes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/common/json_put.h"
#include "ops/fence/fence_internal.h"

static void end_quiet(struct fence *f)
{
    if (!f->repoint.quiet)
        return;
    f->repoint.quiet = false;
    fence_set_gate(f);
    ingest_wake(f->ops->ingest);
}

static void end(struct fence *f)
{
    end_quiet(f);
    f->repoint = (struct repoint){0};
}

void repoint_cancel(struct fence *f, const char *code, const char *message)
{
    if (!f->repoint.active)
        return;
    fence_refuse(f->repoint.reply, code, "%s", message);
    end(f);
}

static json_t *describe(const struct ingest_candidate *c, bool dry_run)
{
    json_t *o =
        json_pack("{s:s, s:i, s:s, s:s, s:b, s:b}", "host", c->host, "port", (int)c->port, "source_id",
                  c->info.source_id, "version", c->info.version, "new_history", c->new_history, "dry_run", dry_run);
    put(o, "start_file", c->follow.start_file[0] != '\0' ? json_string(c->follow.start_file) : json_null());
    put(o, "gap", c->follow.gap != NULL ? json_string(c->follow.gap) : json_null());
    put(o, "only_here", c->follow.only_here != NULL ? json_string(c->follow.only_here) : json_null());
    put(o, "semi_sync", json_boolean(c->info.semi_sync == SESSION_SEMI_SYNC_ON));
    return o;
}

/* NULL: fine; else the word and *ret_text say why not. */
static const char *judge(struct fence *f, const struct ingest_candidate *c, const char **ret_text)
{
    *ret_text = c->message;
    if (c->refusal != NULL)
        return c->refusal;
    if (fence_find(&f->state, c->info.source_id) == NULL)
        return NULL;
    *ret_text = "that is a fenced source; unfence it to follow it again";
    return "fenced";
}

static bool prepare_state(struct fence *f, struct fence_state *next)
{
    char old[STORE_SOURCE_ID_MAX + 1];
    struct fence_entry *e = NULL;
    struct store_view sv;
    if (fence_state_copy(next, &f->state) != 0)
        return false;
    if (f->repoint.order.have_epoch)
        fence_epoch_take(next, f->repoint.order.epoch);
    fence_current_id(f, old);
    bool leaves = strcmp(old, FENCE_ANY_SOURCE) != 0 && strcmp(old, f->change.follow.source_id) != 0;
    if (!f->repoint.quiet || !leaves)
        return true;
    if (fence_add(next, old, &e) != 0 || store_view_get(f->ops->opt.store, &sv) != 0)
        return false;
    (void)snprintf(e->reason, sizeof e->reason, "repointed to %.100s:%u", f->change.follow.host, f->change.follow.port);
    e->at_us = clock_wall_us();
    lt_ignore(json_array_append_new(e->why, json_string("it was left behind by a repoint without a fence")));
    fence_put_end(e, &sv.held);
    store_view_fini(&sv);
    return true;
}

/* Write it; fence_change.c puts it in force. */
static void commit(struct fence *f, struct ingest_candidate *c)
{
    struct fence_change *ch = &f->change;
    *ch = (struct fence_change){.kind = CHANGE_REPOINT, .reply = f->repoint.reply, .answer = describe(c, false)};
    ch->follow = c->follow;
    follow_init(&c->follow);
    memcpy(ch->source_id, ch->follow.source_id, sizeof ch->source_id);
    if (ch->answer == NULL || !prepare_state(f, &ch->state)) {
        fence_refuse(ch->reply, "out_of_memory", "out of memory");
        fence_state_fini(&ch->state);
        follow_fini(&ch->follow);
        json_decref(ch->answer);
        *ch = (struct fence_change){0};
        end(f);
        return;
    }
    f->repoint = (struct repoint){0}; /* the gate stays closed until the change is in force or taken back */
    fence_begin_change(f, REPOINT_COMMIT_US);
}

void repoint_poll(struct fence *f)
{
    struct repoint *r = &f->repoint;
    const char *text = NULL;
    if (!r->active)
        return;
    struct ingest_candidate *c = ingest_examined(f->ops->ingest);
    if (c == NULL) {
        if (clock_mono_us() >= r->deadline_us)
            repoint_cancel(f, "timeout", "the new source could not be examined in time: nothing was changed");
        return;
    }
    const char *word = judge(f, c, &text);
    if (word != NULL) {
        admin_reply_error(r->reply, word, text, describe(c, r->order.dry_run));
        end(f);
    } else if (r->order.dry_run) {
        json_t *answer = describe(c, true);
        put(answer, "verdict", json_string("GO: it would be followed from here; nothing was changed"));
        fence_add_settings(answer, &f->state);
        admin_reply_send(r->reply, answer);
        end(f);
    } else if (!admin_reply_in_time(r->reply)) {
        fence_refuse(r->reply, "not_begun",
                     "the time of the order was over before the source was proved: nothing was changed");
        end(f);
    } else {
        commit(f, c);
    }
    ingest_candidate_free(c);
}

/* The history of the source that is followed does not go on: repointing to it again may find where it does. */
static bool history_is_broken(const struct fence *f)
{
    struct ingest_view iv;
    ingest_view(f->ops->ingest, &iv);
    return iv.last_error_current && fault_retry(iv.last_error.code) == FAULT_RETRY_HISTORY;
}

/* Already followed: the same order again, after an answer that was lost. */
static bool answer_already(struct fence *f, const struct fence_order *o, struct admin_reply *reply)
{
    const struct follow *fw = &f->follow;
    if (!fw->active || o->new_history || fw->port != o->port || strcmp(fw->host, o->host) != 0 || fence_current(f) ||
        history_is_broken(f))
        return false;
    json_t *answer = json_pack("{s:s, s:i, s:s, s:b, s:b}", "host", fw->host, "port", (int)fw->port, "source_id",
                               fw->source_id, "already", 1, "dry_run", o->dry_run);
    fence_add_settings(answer, &f->state);
    admin_reply_send(reply, answer);
    return true;
}

/* Nothing streams: an error, no connection, or a history that is still to be proved. An attempt that an error will end again passes through
 * other states. */
static bool may_be_quieted(struct fence *f)
{
    struct ingest_view iv;
    ingest_view(f->ops->ingest, &iv);
    bool fails = iv.last_error_current && iv.state != INGEST_STREAMING;
    return fails || iv.state == INGEST_ERROR || iv.state == INGEST_CONNECTING || iv.state == INGEST_PROVING ||
           iv.state == INGEST_FENCED;
}

void fence_run_repoint(struct fence *f, const struct fence_order *o, struct admin_reply *reply)
{
    if (!fence_take_order(f, o, reply))
        return;
    if (f->change.kind != CHANGE_NONE || f->repoint.active) {
        fence_refuse(reply, "busy", "another change is on its way; try again in a moment");
        return;
    }
    if (answer_already(f, o, reply))
        return;
    bool quiet = !fence_current(f);
    if (quiet && !may_be_quieted(f)) {
        fence_refuse(reply, "not_fenced", "the present source streams; fence it first");
        return;
    }
    struct ingest_candidate *c = calloc(1, sizeof *c);
    if (c == NULL) {
        fence_refuse(reply, "out_of_memory", "out of memory");
        return;
    }
    memcpy(c->host, o->host, sizeof c->host);
    c->port = o->port;
    c->new_history = o->new_history;
    follow_init(&c->follow);
    if (quiet) {
        gate_close(f->ops->opt.gate);
        ingest_fence(f->ops->ingest, false);
    }
    if (ingest_examine(f->ops->ingest, c) != 0) {
        ingest_candidate_free(c);
        f->repoint.quiet = quiet;
        end(f);
        fence_refuse(reply, "busy", "a candidate of an earlier order is still being examined");
        return;
    }
    f->repoint = (struct repoint){.active = true,
                                  .reply = reply,
                                  .order = *o,
                                  .quiet = quiet,
                                  .deadline_us = clock_mono_us() + REPOINT_EXAMINE_US};
    fence_watch(f);
}
