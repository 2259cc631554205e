/* What is known of the source at the moment of a fence, and the guarantee that follows from it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ops/fence/fence_internal.h"

/* From what the source said when it was connected to. Who else acknowledges is not known from that. */
static void facts_of_session(const struct ingest_view *iv, struct fence_facts *ret)
{
    const struct session_waiting *w = &iv->source.waiting;
    *ret = (struct fence_facts){
        .have_settings = w->known,
        .enabled = iv->source.semi_sync == SESSION_SEMI_SYNC_ON,
        .after_commit = w->after_commit,
        .wait_no_replica = w->wait_no_replica,
        .timeout_ms = w->timeout_ms,
        .wait_count = w->wait_count,
        .mariadb = iv->source.mariadb,
        .others = FENCE_UNKNOWN,
    };
}

/*
 * Of a dead source there is nothing newer than the monitor's last look, so some age is allowed. Too old is a look that a living source has
 * outlived (the stream went on, the monitor did not see), and one so old that the source may well have been started or changed since.
 */
static bool is_stale(const struct monitor_view *mon, const struct ingest_view *iv, uint64_t now_us)
{
    uint64_t looked_us = mon->at_us - (mon->round_us < mon->at_us ? mon->round_us : mon->at_us);
    return now_us > looked_us + FENCE_FACTS_AGE_US || iv->heard_us > looked_us + MONITOR_FRESH_US;
}

/* Of "host:port", as a source shows it: up to the last colon. */
static int host_length(const char *host)
{
    const char *colon = strrchr(host, ':');
    return (int)(colon != NULL ? (size_t)(colon - host) : strlen(host));
}

/* Once each; without the port, which is another one whenever it connects anew. */
static void add_who(char who[FENCE_WHO_MAX], const struct monitor_dump_thread *t)
{
    char name[sizeof t->user + sizeof t->host + 1];
    int n = snprintf(name, sizeof name, "%s@%.*s", t->user, host_length(t->host), t->host);
    size_t len = strlen(who);
    const char *at = strstr(who, name);
    bool there = at != NULL && (at[n] == '\0' || at[n] == ',') && (at == who || at[-1] == ' ');
    if (!there && len + (size_t)n + 3 <= FENCE_WHO_MAX)
        (void)snprintf(who + len, FENCE_WHO_MAX - len, "%s%s", len > 0 ? ", " : "", name);
}

/* Without PROCESS only our own account's threads are seen; those of one host say nothing that is not known. */
static void name_all(const struct monitor_view *mon, char who[FENCE_WHO_MAX])
{
    who[0] = '\0';
    if (!mon->have_dumps)
        return;
    for (unsigned i = 0; i < mon->own_dumps && i < MONITOR_LISTED_MAX; i++)
        add_who(who, &mon->own[i]);
    for (unsigned i = 0; i < mon->other_dumps && i < MONITOR_LISTED_MAX; i++)
        add_who(who, &mon->others[i]);
    if (strchr(who, ',') == NULL && mon->sees_all_threads != MONITOR_YES)
        who[0] = '\0';
}

/* From the monitor's last look. */
static void facts_of_monitor(const struct monitor_view *mon, struct fence_facts *ret)
{
    const struct monitor_semi_sync *ss = &mon->semi_sync;
    *ret = (struct fence_facts){
        .have_settings = true,
        .enabled = ss->supported && ss->enabled,
        .after_commit = ss->wait_point != MONITOR_WAIT_AFTER_SYNC,
        .wait_no_replica = ss->wait_no_replica,
        .timeout_ms = ss->timeout_ms,
        .wait_count = ss->wait_count,
        .mariadb = mon->mariadb,
        .others = ss->clients > 0 ? FENCE_YES : FENCE_NO,
        .acknowledgers = ss->clients,
    };
    name_all(mon, ret->who);
}

void fence_facts_now(const struct fence *f, const struct ingest_view *iv, struct fence_facts *ret)
{
    struct monitor_view mon;
    facts_of_session(iv, ret);
    if (monitor_view_get(f->ops->watch.monitor, &mon) == 0) {
        if (mon.at_us != 0 && mon.have_variables) {
            facts_of_monitor(&mon, ret);
            /* Also of a source that died since. A look that was over before we were there has somebody else in it. */
            ret->ours_counted = ingest_was_counted(iv, mon.at_us);
            ret->stale = is_stale(&mon, iv, clock_mono_us());
        }
        monitor_view_fini(&mon);
    }
}

void fence_note_guarantee(struct fence_entry *e, const struct fence_facts *facts)
{
    struct fence_guarantee g;
    fence_guarantee(facts, e->hold ? FENCE_HOLD : FENCE_DROP, &g);
    e->strong = g.strong;
    e->was_weak = e->was_weak || !g.strong;
    lt_ignore(json_array_clear(e->why));
    for (unsigned i = 0; i < g.count; i++)
        lt_ignore(json_array_append_new(e->why, json_string(g.why[i]))); /* out of memory: one reason less */
}

/* The monitor has had a whole answer that it asked for after that. */
static bool has_looked_since(const struct fence *f, uint64_t since_us)
{
    struct monitor_view mon;
    if (monitor_view_get(f->ops->watch.monitor, &mon) != 0)
        return false;
    bool looked = mon.at_us != 0 && mon.have_variables && mon.at_us - mon.round_us >= since_us;
    monitor_view_fini(&mon);
    return looked;
}

bool fence_judge_again(const struct fence *f, struct fence_entry *e, const struct ingest_view *iv,
                       const struct fence_facts *first, uint64_t since_us)
{
    struct fence_facts facts;
    bool was_strong = e->strong;
    json_t *before = e->why;
    if (first == NULL && !has_looked_since(f, since_us))
        return false;
    json_t *why = json_array();
    if (why == NULL)
        return false; /* out of memory: what was said stays */
    fence_facts_now(f, iv, &facts);
    if (first != NULL)
        fence_facts_after(&facts, first, e->hold);
    else
        fence_facts_of_ours(
            &facts, e->hold && iv->held > 0,
            e->hold && iv->held > 0); /* one that was dropped and is counted still makes it weak: once more then */
    e->why = why;
    fence_note_guarantee(e, &facts);
    bool changed = e->strong != was_strong || !json_equal(e->why, before);
    json_decref(before);
    return changed;
}
