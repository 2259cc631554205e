/* Alarms of this process and its disk: no primary is needed for them. */
#include "ops/watch/alarms_internal.h"

#define LIES_SYNCS 50u /* so many are judged together, so that a device is believed again as soon as it is suspected */

/* True from the growth of a counter until ALARM_HOLD_US after the last growth. */
static bool grew(uint64_t now, uint64_t *last, uint64_t *until_us, uint64_t now_us)
{
    if (now > *last)
        *until_us = now_us + ALARM_HOLD_US;
    *last = now;
    return now_us < *until_us;
}

/* Of the syncs since the last judgement of this kind; without new ones it stays as it is. */
static void judge_lies(struct judgement *j)
{
    const struct alarm_own *own = j->in->own;
    struct alarm_memory *m = &j->alarms->memory;
    uint64_t n = own->syncs - m->lies_syncs;
    if (n >= LIES_SYNCS) {
        uint64_t quick = own->quick_syncs - m->lies_quick;
        m->lies_of = quick > n - quick ? n : 0;
        m->lies_syncs = own->syncs;
        m->lies_quick = own->quick_syncs;
    }
    if (m->lies_of > 0)
        alarm_raise(j, ALARM_STORAGE_LIES, "more than half of %llu syncs took less than %u us: no device is that fast",
                    (unsigned long long)m->lies_of, ALARM_SYNC_QUICK_US);
}

void judge_storage(struct judgement *j)
{
    const struct alarm_own *own = j->in->own;
    struct alarm_memory *m = &j->alarms->memory;
    unsigned long long running_ms = own->busy_us / 1000;
    judge_lies(j);
    bool slow = grew(own->slow_calls, &m->slow_calls, &m->delays_until_us, j->in->now_us);
    if (own->busy_us >= ALARM_SYNC_SLOW_US)
        alarm_raise(j, ALARM_STORAGE_SLOW, "a write or a sync has been running for %llu ms", running_ms);
    if (own->busy_us >= ALARM_SYNC_DELAY_US)
        alarm_raise(j, ALARM_STORAGE_DELAYS, "a write or a sync has been running for %llu ms", running_ms);
    else if (slow)
        alarm_raise(j, ALARM_STORAGE_DELAYS, "writes or syncs took longer than %u ms, %llu since the start",
                    ALARM_SYNC_DELAY_US / 1000, (unsigned long long)own->slow_calls);
    if (!own->free_known)
        j->keep[ALARM_FREE_SPACE] = true;
    else if (own->free_bytes < own->min_free_bytes)
        alarm_raise(j, ALARM_FREE_SPACE, "%llu bytes are free, store.min_free asks for %llu",
                    (unsigned long long)own->free_bytes, (unsigned long long)own->min_free_bytes);
}

void judge_retention(struct judgement *j)
{
    const struct keep_held *h = &j->in->own->held;
    unsigned long long n = h->segments;
    switch (h->by) {
    case KEEP_HELD_FENCED:
        alarm_raise(j, ALARM_RETENTION_FENCED, "%llu segments would go by the rules of retention: the source is fenced",
                    n);
        break;
    case KEEP_HELD_UNCOVERED:
        alarm_raise(
            j, ALARM_RETENTION_UNCOVERED,
            "%llu segments would go by the rules of retention: since the repoint the new source's stream does not "
            "yet cover what was held before",
            n);
        break;
    case KEEP_HELD_CONSUMER:
        alarm_raise(j, ALARM_RETENTION_CONSUMER,
                    "%llu segments would go by the rules of retention: the %.96s still needs them", n, h->why);
        break;
    case KEEP_HELD_FAILED:
        alarm_raise(j, ALARM_RETENTION_FAILED, "%llu segments could not be removed: %.200s", n, h->why);
        break;
    case KEEP_HELD_NOTHING:
    default:
        break;
    }
}

void judge_process(struct judgement *j)
{
    const struct alarm_own *own = j->in->own;
    struct alarm_memory *m = &j->alarms->memory;
    if (grew(own->log_dropped, &m->log_dropped, &m->dropped_until_us, j->in->now_us))
        alarm_raise(j, ALARM_LOG_DROPPED,
                    "%llu log lines were dropped since the start because stderr would have blocked",
                    (unsigned long long)own->log_dropped);
    if (grew(own->boundary_mismatches, &m->mismatches, &m->mismatches_until_us, j->in->now_us))
        alarm_raise(j, ALARM_BOUNDARY,
                    "%llu times the source asked for an ACK where this program sees no end of a transaction",
                    (unsigned long long)own->boundary_mismatches);
    if (own->not_listening[0] != '\0')
        alarm_raise(j, ALARM_NOT_LISTENING, "%.300s", own->not_listening);
    if (own->incidents > 0)
        alarm_raise(j, ALARM_INCIDENT,
                    "%llu Incident events: the source lost changes on their way to its binlog, at %s",
                    (unsigned long long)own->incidents, own->incident_at);
    if (own->source_differs[0] != '\0')
        alarm_raise(j, ALARM_SOURCE_DIFFERS,
                    "the source in use is %s, as the last repoint set it; the configuration names another",
                    own->source_differs);
}
