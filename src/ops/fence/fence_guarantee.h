/*
 * How much a fence promises: strong when nothing but our ACK can let a waiting commit on the source complete, weak with every reason
 * otherwise. What is not known counts as the worst.
 *
 * Layer: ops/fence. Pure. Thread: any. Errors: none.
 */
#ifndef LT_OPS_FENCE_GUARANTEE_H
#define LT_OPS_FENCE_GUARANTEE_H

#include <stdbool.h>
#include <stdint.h>

enum fence_known { FENCE_UNKNOWN, FENCE_NO, FENCE_YES };

/* Nobody waits a day for an operator; less is a time-out that can pass during an incident. */
#define FENCE_TIMEOUT_HUGE_MS 86400000u

#define FENCE_WHO_MAX 400

struct fence_facts {
    bool have_settings; /* the five after this are known */
    bool enabled;
    bool after_commit;
    bool wait_no_replica;
    uint64_t timeout_ms;
    uint64_t wait_count; /* ACKs a commit needs */
    bool stale;          /* the source said so too long ago: it may be otherwise now */
    bool mariadb;
    bool connected;          /* an acknowledging connection was open when the fence came */
    enum fence_known others; /* do other replicas acknowledge? */
    bool ours_counted;       /* one of them is ours, as of the look */
    uint64_t acknowledgers;  /* others == FENCE_YES: how many but us; else ignored */
    char who
        [FENCE_WHO_MAX]; /* "user@host, ...": all that stream from the source as far as they are seen, us among them; "" not known */
};

enum fence_mode { FENCE_AUTO, FENCE_DROP, FENCE_HOLD };
const char *fence_mode_name(enum fence_mode mode);

/* auto: drop where commits wait without any replica for long enough, else hold while there is something to hold. */
enum fence_mode fence_choose_mode(enum fence_mode asked, const struct fence_facts *f);

/* connected: an acknowledging connection of ours is there. counted: ours is one of the acknowledgers that the source counted at the look. */
void fence_facts_of_ours(struct fence_facts *facts, bool connected, bool counted);
/*
 * A second look, made after the fence. A connection that was dropped may be counted still, or not any more: what would clear others that were
 * there at the first look is not believed.
 * first: with ours taken out. hold: ours was kept.
 */
void fence_facts_after(struct fence_facts *facts, const struct fence_facts *first, bool hold);

#define FENCE_WHY_MAX 10
struct fence_guarantee {
    bool strong;
    unsigned count;
    char others[FENCE_WHO_MAX + 100];
    const char *why[FENCE_WHY_MAX]; /* static texts, or others; empty when strong */
};
/* mode: as fence_choose_mode gave it. */
void fence_guarantee(const struct fence_facts *f, enum fence_mode mode, struct fence_guarantee *ret);

#endif
