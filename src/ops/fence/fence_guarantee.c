/* One test for each way in which a commit can complete on a fenced source without an ACK of ours. */
#include "ops/fence/fence_guarantee.h"

#include <stdio.h>

#include "base/err.h"

const char *fence_mode_name(enum fence_mode mode)
{
    static const char *const names[] = {"auto", "drop", "hold"};
    return names[mode];
}

static bool waits_alone(const struct fence_facts *f)
{
    return f->have_settings && !f->stale && f->wait_no_replica && f->timeout_ms >= FENCE_TIMEOUT_HUGE_MS;
}

enum fence_mode fence_choose_mode(enum fence_mode asked, const struct fence_facts *f)
{
    if (!f->connected)
        return FENCE_DROP; /* nothing to hold */
    if (asked != FENCE_AUTO)
        return asked;
    return waits_alone(f) ? FENCE_DROP : FENCE_HOLD;
}

static void because(struct fence_guarantee *g, const char *text)
{
    lt_assert(g->count < FENCE_WHY_MAX);
    g->why[g->count++] = text;
}

static void judge_settings(const struct fence_facts *f, enum fence_mode mode, struct fence_guarantee *g)
{
    if (!f->have_settings) {
        because(g, "the source's semi-sync settings are not known");
        return;
    }
    if (!f->enabled)
        because(g, "semi-sync is off on the source: its commits wait for nobody");
    if (f->after_commit)
        because(g, "the wait point is AFTER_COMMIT: other sessions see a transaction before it is acknowledged");
    if (f->timeout_ms < FENCE_TIMEOUT_HUGE_MS)
        because(g, "the time-out is less than a day: once it has passed, commits complete without an ACK");
    if (!f->wait_no_replica && mode == FENCE_HOLD)
        because(g, "wait_no_replica is OFF: commits wait only while this process holds its connection");
    if (!f->wait_no_replica && mode != FENCE_HOLD)
        because(g, "wait_no_replica is OFF: with no replica connected commits do not wait");
}

static void judge_others(const struct fence_facts *f, struct fence_guarantee *g)
{
    if (f->who[0] == '\0')
        (void)snprintf(
            g->others, sizeof g->others,
            "other replicas acknowledge this source: fence them too (with PROCESS granted they are named here)");
    else
        (void)snprintf(g->others, sizeof g->others,
                       "other replicas acknowledge this source: fence them too. It streams to %s", f->who);
    because(g, g->others);
}

void fence_guarantee(const struct fence_facts *f, enum fence_mode mode, struct fence_guarantee *ret)
{
    *ret = (struct fence_guarantee){0};
    judge_settings(f, mode, ret);
    if (f->others == FENCE_UNKNOWN)
        because(ret, "it is not known whether other replicas acknowledge this source");
    if (f->others == FENCE_YES && f->acknowledgers >= (f->have_settings && f->wait_count > 0 ? f->wait_count : 1))
        judge_others(f, ret);
    if (f->stale)
        because(ret, "what is known of the source is old: its settings and its acknowledgers may be others by now");
    if (f->mariadb)
        because(ret, "MariaDB: KILL of a session that waits for an ACK completes its commit");
    ret->strong = ret->count == 0;
}

void fence_facts_of_ours(struct fence_facts *facts, bool connected, bool counted)
{
    facts->connected = connected;
    if (!counted || facts->others != FENCE_YES)
        return;
    facts->acknowledgers -= facts->acknowledgers > 0;
    facts->others = facts->acknowledgers > 0 ? FENCE_YES : FENCE_NO;
}

void fence_facts_after(struct fence_facts *facts, const struct fence_facts *first, bool hold)
{
    if (first->others == FENCE_UNKNOWN && !hold) {
        facts->connected = first->connected;
        return; /* ours was dropped: whether it is still counted nobody knows */
    }
    fence_facts_of_ours(facts, first->connected, first->connected || facts->ours_counted);
    if (first->others != FENCE_YES)
        return;
    if (facts->others != FENCE_YES || facts->acknowledgers < first->acknowledgers)
        facts->acknowledgers = first->acknowledgers;
    facts->others = FENCE_YES;
}
