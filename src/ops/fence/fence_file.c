/*
 * DIR/fence and DIR/source on disk: read at the start, written by a worker thread.
 *
 * - What is to be on disk has a generation; a write carries the newest, and its end starts the next one when there is a newer by then.
 * Failure: said in the log once, kept for status, tried again every FENCE_RETRY_US.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/fence/fence_internal.h"
#include "store/state.h"

#define FENCE_FILE_MAX (16u * 1024u * 1024u)

struct write_job {
    struct worker_job job;
    struct fence *fence;
    uint64_t generation;
    char *text;
    bool with_source;
    char without[STORE_SOURCE_ID_MAX + 1]; /* of an unfence: its source; else "" */
    struct follow follow;
    int rc;
    struct lt_err err;
};

static void run_write(struct worker_job *job)
{
    struct write_job *w = (struct write_job *)job;
    struct store *store = w->fence->ops->opt.store;
    w->rc = store_state_write(store, "fence", w->text, strlen(w->text), &w->err);
    if (w->rc == 0 && w->with_source)
        w->rc = follow_save(store, &w->follow, &w->err);
}

static void free_write(struct write_job *w)
{
    follow_fini(&w->follow);
    free(w->text);
    free(w);
}

static void write_done(struct worker_job *job)
{
    struct write_job *w = (struct write_job *)job;
    struct fence *f = w->fence;
    f->writing = false;
    if (w->rc == 0) {
        f->written = w->generation;
        memcpy(f->written_without, w->without, sizeof f->written_without);
        f->write_error[0] = '\0';
    } else {
        if (f->write_error[0] == '\0')
            log_error("fence", "not on disk yet, tried again every second: %s", w->err.text);
        (void)snprintf(f->write_error, sizeof f->write_error, "%s", w->err.text);
        f->retry_at_us = clock_mono_us() + FENCE_RETRY_US;
        f->source_changed = f->source_changed || w->with_source;
    }
    free_write(w);
    if (f->poll != NULL) {
        fence_persist(f);
        event_active(f->poll, EV_TIMEOUT, 0);
    }
}

/* Write what is to be on disk, unless it is or a write runs; that one's end comes back here. */
void fence_persist(struct fence *f)
{
    bool changing = f->change.kind != CHANGE_NONE;
    if (f->writing || f->written == f->generation || clock_mono_us() < f->retry_at_us)
        return;
    struct write_job *w = calloc(1, sizeof *w);
    json_t *json = fence_state_encode(changing ? &f->change.state : &f->state);
    if (w != NULL) {
        follow_init(&w->follow);
        w->text = json != NULL ? json_dumps(json, JSON_INDENT(1)) : NULL;
    }
    json_decref(json);
    if (w == NULL || w->text == NULL ||
        follow_copy(&w->follow, f->change.kind == CHANGE_REPOINT ? &f->change.follow : &f->follow) != 0) {
        if (w != NULL)
            free_write(w);
        f->retry_at_us = clock_mono_us() + FENCE_RETRY_US;
        return;
    }
    w->job = (struct worker_job){.run = run_write, .done = write_done};
    w->fence = f;
    w->generation = f->generation;
    if (f->change.kind == CHANGE_UNFENCE)
        memcpy(w->without, f->change.source_id, sizeof w->without);
    w->with_source = f->source_changed;
    f->source_changed = false;
    f->writing = true;
    worker_submit(f->writer, &w->job);
}

int fence_load(struct fence *f, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = store_state_read(f->ops->opt.store, "fence", FENCE_FILE_MAX, &text, &len, err);
    if (rc == 0) {
        rc = fence_state_decode(text, len, &f->state);
        if (rc != 0)
            rc =
                lt_err_set(err, LT_ECORRUPT,
                           "DIR/fence is damaged: it says which sources must get no ACK; restore it, or remove it only "
                           "when nothing is fenced");
    } else if (rc == LT_ENOTFOUND) {
        rc = LT_OK;
    }
    free(text);
    if (rc != 0)
        return rc;
    rc = follow_load(f->ops->opt.store, &f->follow, err);
    return rc == LT_ENOTFOUND ? LT_OK : rc;
}
