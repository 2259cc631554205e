/*
 * The observers together: monitor thread, free-space thread, and what the judgement (status/watch_round.h) remembers from one look to the next.
 *
 * Layer: ops/watch. Thread: main. Owns: both threads. Errors: watch_open as monitor_start.
 */
#ifndef LT_OPS_WATCH_H
#define LT_OPS_WATCH_H

#include "ops/watch/alarms.h"
#include "ops/watch/disk_probe.h"
#include "ops/watch/lag.h"

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
    bool complete; /* failover_is_complete, as of the last judgement */
};

int watch_open(struct watch *w, const char *dir, const struct monitor_options *mo, struct lt_err *err) LT_MUST_CHECK;
void watch_close(struct watch *w);

#endif
