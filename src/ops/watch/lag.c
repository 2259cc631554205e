/*
 * - Bytes: MariaDB shows its binlog's end. MySQL: nothing when all executed GTIDs are durable here or the stream is idle, else what its
 *   instruments counted, where we may read them.
 * - Seconds: 0 when nothing is missing; else since when the source was seen to have more than what is held. The age of the last event received, by
 *   the source's clock, stands between two looks, and where no look is old enough; it is bounded by what was seen. An idle source never lags.
 * - A stream that has been silent for two heartbeats is not idle but mute, and a picture that is not fresh says nothing.
 * - A picture of a source that neither connection reaches any more says nothing either: seconds ago is before its death.
 */
#include "ops/watch/lag.h"

#define CLOCKS_WAVER_US 2000000 /* events count whole seconds, and so may the source's clock */
#define LEAST_SHOWN_US  1000u

/* MariaDB: numbers count inside a domain, whoever wrote them. */
static uint64_t domain_top(const struct gtid_set *set, uint32_t domain)
{
    uint64_t top = 0;
    for (size_t i = 0; i < set->state_count; i++) {
        if (set->states[i].domain_id == domain && set->states[i].seq > top)
            top = set->states[i].seq;
    }
    return top;
}

static uint64_t mariadb_missing(const struct gtid_set *theirs, const struct gtid_set *ours)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < theirs->state_count; i++) {
        uint32_t domain = theirs->states[i].domain_id;
        if (i > 0 && theirs->states[i - 1].domain_id == domain)
            continue; /* sorted: counted with the first of its domain */
        uint64_t top = domain_top(theirs, domain);
        uint64_t have = domain_top(ours, domain);
        missing += top > have ? top - have : 0;
    }
    return missing;
}

bool lag_transactions(const struct gtid_set *theirs, const struct gtid_set *ours, uint64_t *ret_count)
{
    struct gtid_set rest;
    if (gtid_set_contains_set(ours, theirs)) {
        *ret_count = 0;
        return true;
    }
    if (theirs->kind == GTID_MARIADB) {
        *ret_count = mariadb_missing(theirs, ours);
        return true;
    }
    gtid_set_init(&rest);
    int rc = gtid_set_copy(&rest, theirs);
    if (rc == 0)
        rc = gtid_set_subtract(&rest, ours);
    if (rc == 0)
        *ret_count = gtid_set_count(&rest);
    gtid_set_fini(&rest);
    return rc == 0;
}

static void judge_bytes(const struct lag_input *in, bool fresh, bool idle, struct lag *ret)
{
    const struct monitor_view *mon = in->mon;
    if (fresh && mon->have_position && in->file[0] != '\0')
        ret->bytes_known = lag_bytes_between(in->files, binlog_name_number(in->file), in->offset,
                                             binlog_name_number(mon->file), mon->offset, &ret->bytes);
    /* What is held of an older lineage says nothing about this source's bytes. */
    bool all_here = ret->transactions_known && ret->transactions == 0 &&
                    (in->here == NULL || gtid_set_contains_set(in->here, &mon->gtids));
    if (!ret->bytes_known && (idle || all_here)) {
        ret->bytes_known = true;
        ret->bytes = 0;
    }
    /* Transactions are missing: a count that says there is nothing was made too early. */
    const struct lag_files *written = &mon->written;
    if (!ret->bytes_known && fresh && written->count > 0 && in->file[0] != '\0')
        ret->bytes_known = lag_bytes_between(written, binlog_name_number(in->file), in->offset,
                                             written->file[written->count - 1].number,
                                             written->file[written->count - 1].end, &ret->bytes) &&
                           ret->bytes > 0;
}

/* What is held, in the terms of the history. */
static bool held_mark(const struct lag_input *in, const struct lag *lag, struct lag_mark *ret)
{
    const struct lag_history *h = in->history;
    if (h->count == 0)
        return false;
    if (h->by_place) {
        *ret = (struct lag_mark){.number = binlog_name_number(in->file), .amount = in->offset};
        return in->file[0] != '\0';
    }
    uint64_t all = gtid_set_count(&in->mon->gtids);
    *ret = (struct lag_mark){.amount = all > lag->transactions ? all - lag->transactions : 0};
    return lag->transactions_known;
}

/* Age of the last event by the source's clock. False: there was none, or it claims to be from the future. */
static bool event_age(const struct lag_input *in, bool fresh, uint64_t *ret_us)
{
    int64_t offset_us = fresh ? in->mon->clock_offset_us : in->clock_offset_us;
    int64_t age_us = (int64_t)in->wall_us + offset_us - (int64_t)in->last_event_s * 1000000;
    if (in->last_event_s == 0 || age_us < -CLOCKS_WAVER_US)
        return false;
    *ret_us = age_us > 0 ? (uint64_t)age_us : 0;
    return true;
}

/* Something is missing, or may be: never 0. */
static void judge_seconds(const struct lag_input *in, bool fresh, struct lag *ret)
{
    struct lag_since since = {0};
    struct lag_mark held;
    uint64_t us = 0;
    bool known = event_age(in, fresh, &us);
    if (held_mark(in, ret, &held))
        lag_history_since(in->history, &held, in->now_us, &since);
    if (us < since.least_us)
        us = since.least_us;
    if (since.most_known && us > since.most_us)
        us = since.most_us;
    ret->seconds_known = known || since.more;
    if (ret->seconds_known)
        ret->seconds = (double)(us > LEAST_SHOWN_US ? us : LEAST_SHOWN_US) / 1e6;
}

void lag_judge(const struct lag_input *in, struct lag *ret)
{
    *ret = (struct lag){0};
    bool fresh = in->mon_fresh && (in->connected || in->mon->connected);
    bool audible = in->connected && !in->zombie && in->heard_age_us <= 2 * in->heartbeat_us;
    bool idle = audible && in->idle;
    if (fresh && in->mon->have_gtids && !in->zombie)
        ret->transactions_known = lag_transactions(&in->mon->gtids, in->durable, &ret->transactions);
    if (!in->zombie)
        judge_bytes(in, fresh, idle, ret);
    if (in->zombie || (!audible && !fresh))
        return;
    if (ret->bytes_known && ret->bytes == 0) {
        ret->seconds_known = true;
        return;
    }
    judge_seconds(in, fresh, ret);
}
