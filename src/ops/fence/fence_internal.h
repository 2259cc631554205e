/* What the files of the fence and repoint.c share. Not for others. Layer: ops/fence. Thread: main. */
#ifndef LT_OPS_FENCE_INTERNAL_H
#define LT_OPS_FENCE_INTERNAL_H

#include "ops/common/worker.h"
#include "ops/fence/fence.h"

struct event;

/* A fence whose answer waits for the disk and for the last sync. */
struct fence_waiter {
    LIST_ENTRY(fence_waiter) link;
    struct admin_reply *reply;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    uint64_t generation; /* on disk: persisted */
    uint64_t since_us;
    uint64_t deadline_us;
    char
        kept[FENCE_REASON_MAX + 150]; /* what of the order was not taken, since the fence before it stays; "" nothing */
    struct fence_facts first;         /* what was known when the fence came; unless already */
    bool already;
};

enum change_kind { CHANGE_NONE, CHANGE_UNFENCE, CHANGE_REPOINT };

/* What will be in force once it is on disk. One at a time. */
struct fence_change {
    enum change_kind kind;
    struct admin_reply *reply;
    struct fence_state state;
    struct follow follow; /* CHANGE_REPOINT */
    char source_id[STORE_SOURCE_ID_MAX + 1];
    json_t *answer; /* what to say when it is done */
    uint64_t generation;
    uint64_t deadline_us;
};

/* A repoint whose candidate is being examined. */
struct repoint {
    bool active;
    struct admin_reply *reply;
    struct fence_order order;
    bool quiet; /* the gate was closed for it, and nothing is fenced for good */
    uint64_t deadline_us;
};

#define FENCE_RELEASED_KEPT 16

struct fence {
    struct ops *ops;
    struct fence_state state; /* in force */
    struct follow follow;     /* in force */
    uint64_t generation;      /* of what is to be on disk; every change counts it up */
    uint64_t written;         /* the one that is */
    char written_without[STORE_SOURCE_ID_MAX +
                         1]; /* it is of an unfence that was not in force: this source's entry is not in it */
    bool writing;
    uint64_t retry_at_us;
    char write_error[512]; /* "" after a write that succeeded */
    bool source_changed;   /* DIR/source is to be written too */
    struct fence_change change;
    struct repoint repoint;
    char released[FENCE_RELEASED_KEPT][STORE_SOURCE_ID_MAX + 1]; /* since the start, the latest ones */
    unsigned n_released;
    LIST_HEAD(, fence_waiter) waiters;
    struct worker *writer;
    struct event *poll; /* while somebody waits */
};

/* fence.c */
void fence_refuse(struct admin_reply *reply, const char *code, const char *fmt, ...) LT_PRINTF(3, 4);
/* Which source is followed; FENCE_ANY_SOURCE when that is not known yet. */
void fence_current_id(struct fence *f, char ret[STORE_SOURCE_ID_MAX + 1]);
void fence_set_gate(struct fence *f);
/* False: refused and answered. */
bool fence_take_order(struct fence *f, const struct fence_order *o, struct admin_reply *reply);
void fence_ingest_view(const struct fence *f, struct ingest_view *ret); /* also before there is an ingest */
void fence_watch(struct fence *f);                                      /* look again in some milliseconds */
void fence_put_end(struct fence_entry *e, const struct store_end *held);
void fence_add_settings(json_t *answer, const struct fence_state *state);

/* fence_change.c */
/* Take over f->change (filled in but for generation and deadline) and write it. */
void fence_begin_change(struct fence *f, uint64_t wait_us);
void fence_cancel_change(struct fence *f, const char *code, const char *message);
void fence_drop_change(struct fence *f);
void fence_poll_change(struct fence *f, uint64_t now);

/* fence_order.c */
/* Nothing more will be stored, and the view, from which answers are made, has all that was. */
bool fence_is_final(const struct fence *f, const struct ingest_view *iv);
void fence_poll_waiters(struct fence *f, uint64_t now);
void fence_answer_waiters(struct fence *f); /* now, whatever they wait for */

/* fence_file.c */
void fence_persist(struct fence *f);
int fence_load(struct fence *f, struct lt_err *err) LT_MUST_CHECK;

/* fence_facts.c */
#define FENCE_FACTS_WAIT_US 500000u   /* for the source's word after the fence */
#define FENCE_FACTS_AGE_US  30000000u /* older than this promises nothing */
void fence_facts_now(const struct fence *f, const struct ingest_view *iv, struct fence_facts *ret);
/*
 * With what the source has said since. first: what was known when the fence came; NULL: it is an older one, and repeated. True: the entry changed.
 * What is not known by a look since then changes nothing of an older one.
 */
bool fence_judge_again(const struct fence *f, struct fence_entry *e, const struct ingest_view *iv,
                       const struct fence_facts *first, uint64_t since_us);
void fence_note_guarantee(struct fence_entry *e, const struct fence_facts *facts);

/* repoint.c */
void repoint_poll(struct fence *f);
void repoint_cancel(struct fence *f, const char *code, const char *message);

#endif
