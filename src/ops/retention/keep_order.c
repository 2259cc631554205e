/*
 * Orders that wait for the disk: purge (keep.c), and that a consumer is forgotten.
 *
 * - One at a time: on a disk that hangs those that wait would fill the admin socket, and a fence would find it busy. Past KEEP_ANSWER_US the client gets an
 *   answer, and the order goes on.
 * Failure: an answer; when nobody waits for it any more, a line in the log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/retention/keep_internal.h"
#include "serve/serve.h"

void keep_order_submit(struct keep *k, struct keep_order *o, const char *name, struct admin_reply *reply)
{
    if (k->order != NULL) {
        admin_reply_error(reply, "busy", "another order to the disk (purge, consumers forget) is on its way", NULL);
        free(o);
        return;
    }
    o->keep = k;
    o->name = name;
    o->reply = reply;
    o->deadline_us = clock_mono_us() + KEEP_ANSWER_US;
    k->order = o;
    worker_submit(k->worker, &o->job);
}

void keep_order_done(struct keep_order *o, void (*answer)(struct keep_order *o))
{
    o->keep->order = NULL;
    if (o->reply != NULL)
        answer(o);
    else if (o->rc != 0)
        log_error("store", "%s: %s", o->name, o->err.text);
    else
        log_notice("store", "%s: done", o->name);
    free(o);
}

void keep_order_poll(struct keep *k, uint64_t now)
{
    struct keep_order *o = k->order;
    if (o == NULL || o->reply == NULL || now < o->deadline_us)
        return;
    admin_reply_error(o->reply, "timeout",
                      "the disk takes long: it goes on by itself, and the log says when it is done", NULL);
    o->reply = NULL;
}

/* ---- consumers forget ---- */

struct forget_job {
    struct keep_order order;
    char name[CONSUMER_NAME_MAX + 1];
};

static void run_forget(struct worker_job *job)
{
    struct forget_job *f = (struct forget_job *)job;
    f->order.rc = serve_forget(f->order.keep->ops->serve, f->name, &f->order.err);
}

static void answer_forget(struct keep_order *o)
{
    const struct forget_job *f = (const struct forget_job *)o;
    if (o->rc == 0)
        admin_reply_send(o->reply, json_pack("{s:s}", "forgotten", f->name));
    else
        admin_reply_error(o->reply, o->rc == LT_EBUSY ? "connected" : admin_error_code(o->rc), o->err.text, NULL);
}

static void forget_done(struct worker_job *job)
{
    struct forget_job *f = (struct forget_job *)job;
    if (f->order.rc == 0) {
        log_notice("serve", "consumer %s: forgotten by an operator", f->name);
        keep_soon(f->order.keep); /* it holds nothing back any more */
    }
    keep_order_done(&f->order, answer_forget);
}

void keep_forget(struct keep *k, const char *name, struct admin_reply *reply)
{
    struct forget_job *f = k->ops->serve != NULL ? calloc(1, sizeof *f) : NULL;
    if (f == NULL || strlen(name) > CONSUMER_NAME_MAX) {
        bool none = k->ops->serve == NULL || f != NULL;
        free(f);
        admin_reply_error(reply, none ? "not_found" : "out_of_memory",
                          none ? "there is no consumer of that name" : "out of memory", NULL);
        return;
    }
    f->order.job = (struct worker_job){.run = run_forget, .done = forget_done};
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    keep_order_submit(k, &f->order, "consumers forget", reply);
}
