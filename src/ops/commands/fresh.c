/*
 * - The question wakes the monitor; a tick looks whether a round has ended that began later than the question.
 * Failure: a source that does not answer within FRESH_WAIT_US is told so, with what was known before.
 */
#include "ops/commands/fresh.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "ops/admin/admin.h"

struct asker {
    LIST_ENTRY(asker) link;
    struct admin_reply *reply;
    fresh_fn fn;
    uint64_t since_us;
};

struct fresh {
    struct ops *ops;
    LIST_HEAD(, asker) list;
};

struct fresh *fresh_new(struct ops *ops)
{
    struct fresh *f = calloc(1, sizeof *f);
    if (f != NULL) {
        f->ops = ops;
        LIST_INIT(&f->list);
    }
    return f;
}

static void answer(struct fresh *f, struct asker *a, bool answered)
{
    LIST_REMOVE(a, link);
    a->fn(f->ops, answered, a->reply);
    free(a);
}

void fresh_tick(struct fresh *f)
{
    struct asker *next = NULL;
    if (LIST_EMPTY(&f->list))
        return;
    uint64_t now_us = clock_mono_us();
    uint64_t asked_us = monitor_asked_us(f->ops->watch.monitor);
    for (struct asker *a = LIST_FIRST(&f->list); a != NULL; a = next) {
        next = LIST_NEXT(a, link);
        if (asked_us >= a->since_us || now_us >= a->since_us + FRESH_WAIT_US)
            answer(f, a, asked_us >= a->since_us);
    }
}

void fresh_add(struct fresh *f, fresh_fn fn, struct admin_reply *reply)
{
    struct asker *a = calloc(1, sizeof *a);
    if (a == NULL) {
        admin_reply_error(reply, "out_of_memory", "out of memory", NULL);
        return;
    }
    a->reply = reply;
    a->fn = fn;
    a->since_us = clock_mono_us();
    LIST_INSERT_HEAD(&f->list, a, link);
    monitor_ask_now(f->ops->watch.monitor);
}

void fresh_free(struct fresh *f)
{
    if (f == NULL)
        return;
    struct asker *a = NULL;
    while ((a = LIST_FIRST(&f->list)) != NULL) {
        LIST_REMOVE(a, link);
        admin_reply_error(a->reply, "stopping", "logtailerd is stopping", NULL);
        free(a);
    }
    free(f);
}
