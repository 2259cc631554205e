/*
 * The observers' round, twice a second: the judgement of alarms, their lines in the log, and the two things that follow from them: a stream that is
 * made anew because it is dead, or because the source can do semi-sync now.
 *
 * Layer: ops/status. Thread: main. Errors: none; out of memory leaves it to the next tick.
 */
#ifndef LT_OPS_WATCH_ROUND_H
#define LT_OPS_WATCH_ROUND_H

#include "ops/parts/parts.h"

struct failover_input;
struct snapshot;

#define WATCH_JUDGE_US 500000u

/* Every tick; does something every WATCH_JUDGE_US. */
void watch_tick(struct ops *ops);
/* What the judgement takes from a snapshot. */
void watch_own(const struct ops *ops, const struct snapshot *s, struct alarm_own *ret);
/* What a verdict on a failover takes from it; buf: for a text that ret points at. */
void watch_failover(const struct ops *ops, const struct snapshot *s, char *buf, size_t cap, struct failover_input *ret);

#endif
