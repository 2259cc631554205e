/*
 * May a failover to what this process holds lose a commit that a client was told is OK? yes (no), weak (under conditions), no (it may).
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

struct failover_input {
    const struct alarms *alarms;
    bool acknowledging; /* the stream is a semi-sync dump of a source whose semi-sync is on */
    bool empty;         /* nothing is stored */
    bool fenced;
    bool watched;          /* the monitor has seen the source's settings, lately */
    const char *uncovered; /* a gap in what this lineage holds, in words; NULL: none */
};

const char *failover_answer_name(enum failover_answer answer);
void failover_judge(const struct failover_input *in, struct failover *ret);

#endif
