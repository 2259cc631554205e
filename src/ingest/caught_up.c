/*
 * Has a proving dump caught up, so that an acknowledging one may follow? An acknowledger that is far behind would hold up commits.
 *
 * - A heartbeat: the source had nothing more to send.
 * - A source that always has more (it is busy): all that it had executed when this dump began is here. If that took long, more is missing by now; the
 *   next proving dump begins where this one ended and has less to fetch, until one is quick enough.
 * - A MySQL source whose gtid_mode is not ON may have transactions that no set of GTIDs names: they carry the time at which the server itself committed
 *   them (8.0 and later). Those that have GTIDs must be here besides.
 * - MySQL 5.7 without GTIDs tells nothing but the time in its events. That one alone a client can set, and then only heartbeats count.
 * The other judgements ask for no time that an event carries.
 */
#include "base/clock.h"
#include "ingest/ingest_internal.h"

#define CAUGHT_UP_AGE_US  2000000u
#define CAUGHT_UP_LOOK_US 20000u /* large sets take a while to compare */

static bool fresh_by_clock(const struct dump *d)
{
    const struct stream *st = &d->stream;
    int64_t source_now_us = (int64_t)clock_mono_us() + d->info.clock_mono_us;
    int64_t then_us = st->committed_us != 0 ? (int64_t)st->committed_us : (int64_t)st->last_event_s * 1000000;
    return source_now_us - then_us < (int64_t)CAUGHT_UP_AGE_US;
}

static bool gtids_name_all(const struct dump *d)
{
    return d->info.mariadb || d->info.gtid_mode_on;
}

enum caught_up caught_up(struct ingest *ing, const struct dump *d)
{
    const struct stream *st = &d->stream;
    uint64_t now_us = clock_mono_us();
    bool by_gtid = !gtid_set_is_empty(&ing->catch_up);
    if (!stream_is_proved(st))
        return CAUGHT_UP_NOT;
    if (st->heartbeat)
        return CAUGHT_UP_NOW;
    if (st->large.active || st->list.event != NULL)
        return CAUGHT_UP_NOT;
    bool little = st->drained && st->len - st->used < ing->opt.catchup_async_bytes;
    if (by_gtid) {
        if (now_us < ing->catch_up_looked_us + CAUGHT_UP_LOOK_US)
            return CAUGHT_UP_NOT;
        ing->catch_up_looked_us = now_us;
        if (!gtid_set_contains_set(store_gtid_appended(ing->opt.store), &ing->catch_up))
            return CAUGHT_UP_NOT;
    }
    if (!by_gtid || !gtids_name_all(d))
        return little && fresh_by_clock(d) ? CAUGHT_UP_NOW : CAUGHT_UP_NOT;
    if (now_us - ing->catch_up_at_us >= CAUGHT_UP_AGE_US)
        return CAUGHT_UP_BEFORE;
    return little ? CAUGHT_UP_NOW : CAUGHT_UP_NOT;
}
