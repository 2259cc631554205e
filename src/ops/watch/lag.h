/*
 * How far behind: the source's lag (what it has and we have not received), and nothing mixed into it. What is not known is said so, never 0.
 * Pure: no clock, no I/O.
 *
 * Layer: ops/watch. Thread: one at a time. Owns: nothing. Errors: none.
 * Units: bytes, microseconds, seconds since the epoch by the source's clock.
 * Seconds: since when, by our monotonic clock, the source has had what is missing here (lag_history.h). The time in the last event only makes that
 * more exact, within what was seen: any client sets it.
 * Bytes are exact inside one file. Over a change of file, files in between count as far as the monitor saw them grow, up to one second short.
 */
#ifndef LT_OPS_LAG_H
#define LT_OPS_LAG_H

#include "ops/watch/lag_history.h"
#include "ops/watch/monitor.h"

struct lag_input {
    uint64_t now_us; /* monotonic */
    uint64_t wall_us;
    bool connected;          /* a dump runs */
    bool idle;               /* its last word was a heartbeat */
    bool zombie;             /* its words are worth nothing */
    uint64_t heard_age_us;   /* since its last word */
    uint64_t heartbeat_us;   /* how often it should speak */
    uint32_t last_event_s;   /* of the last real event; 0: none since the start */
    int64_t clock_offset_us; /* the source's clock minus ours, from the connect */
    const char *file;        /* end of what is received; "": nothing is held */
    uint64_t offset;
    const struct gtid_set *durable;                                           /* all that is held */
    const struct gtid_set *here; /* in the present lineage; NULL: the same */ /* transactions durable here */
    const struct monitor_view *mon;                                           /* never NULL */
    bool mon_fresh;
    const struct lag_files *files;
    const struct lag_history *history; /* of this source */
};

struct lag {
    bool bytes_known;
    uint64_t bytes;
    bool transactions_known;
    uint64_t transactions;
    bool seconds_known;
    double seconds;
};

void lag_judge(const struct lag_input *in, struct lag *ret);

/* Transactions of theirs that ours has not. False: cannot be told (out of memory). */
bool lag_transactions(const struct gtid_set *theirs, const struct gtid_set *ours, uint64_t *ret_count);

#endif
