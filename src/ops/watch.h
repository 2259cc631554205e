/*
 * The observers together: monitor thread, free-space thread, the judgement of alarms twice a second, their lines in the log, and the two things
 * that follow from them: a stream that is made anew because it is dead, or because the source can do semi-sync now.
 *
 * Layer: ops. Thread: main. Owns: both threads. Errors: watch_open as monitor_start.
 */
#ifndef LT_OPS_WATCH_H
#define LT_OPS_WATCH_H

#include "ops/alarms.h"
#include "ops/disk_probe.h"
#include "ops/lag.h"
#include "ops/ops.h"

struct snapshot;

#define WATCH_JUDGE_US 500000u

struct watch {
    struct monitor *monitor;
    struct disk_probe *disk;
    struct alarms alarms;
    struct lag_files files;
    struct lag_history history;
    char history_of[STORE_SOURCE_ID_MAX + 1]; /* the source it is about */
    uint64_t judged_us;
    uint64_t rounds; /* of the monitor, as of the last note in files and history */
    uint64_t upgraded_connection;
    bool old_names; /* ingest/cure.h */

    char source_differs[128];
};

int watch_open(struct watch *w, const struct ops_options *opt, struct lt_err *err) LT_MUST_CHECK;
void watch_close(struct watch *w);
/* Every tick; does something every WATCH_JUDGE_US. */
void watch_tick(struct ops *ops);
/* What the judgement takes from a snapshot. */
void watch_own(const struct ops *ops, const struct snapshot *s, struct alarm_own *ret);

#endif
