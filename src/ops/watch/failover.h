/*
 * May a failover to what this process holds lose a commit that a client was told is OK? yes: it loses none; weak: none under conditions; no: it may.
 * Pure.
 *
 * Layer: ops/watch. Thread: any. Errors: none; reasons beyond the space are left out, the answer is not.
 */
#ifndef LT_OPS_FAILOVER_H
#define LT_OPS_FAILOVER_H

#include "ops/watch/alarms.h"

enum failover_answer { FAILOVER_YES, FAILOVER_WEAK, FAILOVER_NO };

#define FAILOVER_REASONS_MAX 24

struct failover {
    enum failover_answer answer;
    unsigned reasons;
    const char *reason[FAILOVER_REASONS_MAX]; /* static, or the alarms' messages */
};

/* What a fence that is in force says about it, the worst first. */
enum failover_fence {
    FAILOVER_OPEN, /* none, of the source that is followed */
    FAILOVER_FENCE_NOT_FINAL,
    FAILOVER_FENCE_INCOMPLETE,    /* when it came, it was not certain that all that was confirmed is here */
    FAILOVER_FENCE_WEAK,          /* commits may still be confirmed by others */
    FAILOVER_FENCE_WAS_WEAK,      /* strong now; some may have been before it was */
    FAILOVER_FENCE_NOT_PERSISTED, /* a restart ends it */
    FAILOVER_FENCED               /* nothing is confirmed any more, and all that was is here */
};

struct failover_input {
    const struct alarms *alarms;
    bool acknowledging; /* the stream is a semi-sync dump of a source whose semi-sync is on */
    bool empty;         /* nothing is stored */
    enum failover_fence fence;
    bool complete;         /* failover_is_complete, as of the last look at which nothing was fenced */
    bool watched;          /* the monitor has seen the source's settings, lately */
    const char *uncovered; /* a gap in what this lineage holds, in words; NULL: none */
};

const char *failover_answer_name(enum failover_answer answer);
/*
 * What is held has all that was confirmed: true while commits wait for us, and after that (the source died) for as long as nothing is seen that
 * lets them return without us. in->complete: what it said before.
 */
bool failover_is_complete(const struct failover_input *in);
void failover_judge(const struct failover_input *in, struct failover *ret);

#endif
