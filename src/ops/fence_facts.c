/* What is known of the source at the moment of a fence, and the guarantee that follows from it. */
#include "ops/fence_internal.h"

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

/* From the monitor's last look, however old: of a dead source there is nothing newer. */
static void facts_of_monitor(const struct monitor_view *mon, bool connected, struct fence_facts *ret)
{
    const struct monitor_semi_sync *ss = &mon->semi_sync;
    uint64_t ours = connected ? 1 : 0;
    *ret = (struct fence_facts){
        .have_settings = true,
        .enabled = ss->supported && ss->enabled,
        .after_commit = ss->wait_point != MONITOR_WAIT_AFTER_SYNC,
        .wait_no_replica = ss->wait_no_replica,
        .timeout_ms = ss->timeout_ms,
        .wait_count = ss->wait_count,
        .mariadb = mon->mariadb,
        .others = ss->clients > ours ? FENCE_YES : FENCE_NO,
        .acknowledgers = ss->clients > ours ? ss->clients - ours : 0,
    };
}

void fence_facts_now(const struct fence *f, const struct ingest_view *iv, struct fence_facts *ret)
{
    struct monitor_view mon;
    bool connected = iv->connected && iv->semi_sync_active;
    facts_of_session(iv, ret);
    if (monitor_view_get(f->ops->watch.monitor, &mon) == 0) {
        if (mon.at_us != 0 && mon.have_variables)
            facts_of_monitor(&mon, connected, ret);
        monitor_view_fini(&mon);
    }
    ret->connected = connected;
}

void fence_note_guarantee(struct fence_entry *e, const struct fence_facts *facts)
{
    struct fence_guarantee g;
    fence_guarantee(facts, e->hold ? FENCE_HOLD : FENCE_DROP, &g);
    e->strong = g.strong;
    lt_ignore(json_array_clear(e->why));
    for (unsigned i = 0; i < g.count; i++)
        lt_ignore(json_array_append_new(e->why, json_string(g.why[i]))); /* out of memory: one reason less */
}
