#include "ops/status/watch_round.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/fence/fence.h"
#include "ops/http/http.h"
#include "ops/parts/parts.h"
#include "ops/retention/keep.h"
#include "ops/status/snapshot.h"
#include "ops/status/status_internal.h"
#include "ops/watch/failover.h"

static void note_listeners(const struct ops *ops, const struct snapshot *s, struct alarm_own *ret)
{
    char http[200] = "";
    const char *admin = ops->admin != NULL ? admin_trouble(ops->admin) : "";
    const char *tail = ops->serve != NULL ? s->consumers.listen_trouble : "";
    if (ops->http != NULL)
        http_get_trouble(ops->http, http, sizeof http);
    (void)snprintf(ret->not_listening, sizeof ret->not_listening, "%s%s%s%s%s", admin,
                   admin[0] != '\0' && tail[0] != '\0' ? "; " : "", tail,
                   (admin[0] != '\0' || tail[0] != '\0') && http[0] != '\0' ? "; " : "", http);
}

void watch_own(const struct ops *ops, const struct snapshot *s, struct alarm_own *ret)
{
    const struct ingest_view *iv = &s->ingest;
    const struct hist *syncs = store_stat_sync_us(ops->opt.store);
    *ret = (struct alarm_own){
        .wants_semi_sync = ops->opt.settings.semi_sync,
        .streaming = iv->state == INGEST_STREAMING && iv->connected,
        .acknowledging = iv->state == INGEST_STREAMING && iv->semi_sync_active,
        .source_idle = iv->source_idle,
        .heard_age_us = s->heard_age_us,
        .connection = iv->connected ? iv->source.thread_id : 0,
        .acks_requested = iv->acks_requested,
        .offset = iv->received.offset,
        .covers_source = s->mon.have_gtids && gtid_set_contains_set(&s->store.gtid_executed, &s->mon.gtids),
        .source_lacks = s->mon.have_gtids && !gtid_set_contains_set(&s->mon.gtids, &s->store.gtid_executed),
        .server_id = iv->identity.server_id,
        .boundary_mismatches = iv->boundary_mismatches,
        .incidents = iv->incidents,
        .busy_us = s->busy_us,
        .syncs = hist_count(syncs),
        .quick_syncs = hist_count_le(syncs, ALARM_SYNC_QUICK_US - 1),
        .slow_calls = store_stat_slow(ops->opt.store),
        .min_free_bytes = ops->opt.settings.min_free_bytes,
        .log_dropped = log_dropped(),
    };
    keep_held(ops->keep, &ret->held);
    ret->free_known = disk_probe_get(ops->watch.disk, &ret->free_bytes);
    note_listeners(ops, s, ret);
    memcpy(ret->file, iv->received.file, sizeof ret->file);
    (void)snprintf(ret->incident_at, sizeof ret->incident_at, "%s:%llu", iv->incident_at.file,
                   (unsigned long long)iv->incident_at.offset);
    snapshot_expected_source(s, ret->source_id);
    memcpy(ret->server_uuid, iv->identity.server_uuid, sizeof ret->server_uuid);
    memcpy(ret->prove_uuid, iv->identity.prove_uuid, sizeof ret->prove_uuid);
    memcpy(ret->source_differs, ops->watch.source_differs, sizeof ret->source_differs);
    (void)gtid_format(&s->store.held.last_gtid, ret->last_gtid, sizeof ret->last_gtid);
}

static void log_changes(const struct alarms *a, bool old_names)
{
    char cure[CURE_MAX];
    for (int i = 0; i < ALARM_COUNT; i++) {
        enum alarm_code code = (enum alarm_code)i;
        if (!a->changed[i])
            continue;
        if (a->list[i].raised)
            log_warn("ops", "%s: %s; %s", alarm_code_name(code), a->list[i].message, alarm_cure(code, old_names, cure));
        else
            log_notice("ops", "%s: over", alarm_code_name(code));
    }
}

/* MySQL with GTIDs counts transactions; what its instruments tell of bytes includes commits that wait, and comes late. */
static bool how_much(const struct monitor_view *mon, bool *ret_by_place, struct lag_mark *ret)
{
    *ret_by_place = mon->have_position;
    if (mon->have_position)
        *ret = (struct lag_mark){.number = binlog_name_number(mon->file), .amount = mon->offset};
    else
        *ret = (struct lag_mark){.amount = gtid_set_count(&mon->gtids)};
    return mon->have_position || (mon->have_gtids && !mon->mariadb);
}

static void note_end(struct watch *w, const struct monitor_view *mon)
{
    struct lag_sample s = {.asked_us = mon->asked_us, .at_us = mon->at_us};
    bool by_place = false;
    if (mon->rounds == w->rounds)
        return;
    w->rounds = mon->rounds;
    if (mon->have_position)
        lag_note_end(&w->files, binlog_name_number(mon->file), mon->offset);
    if (strcmp(w->history_of, mon->source_id) != 0) {
        memcpy(w->history_of, mon->source_id, sizeof w->history_of);
        w->history.count = 0;
    }
    if (how_much(mon, &by_place, &s.had))
        lag_history_note(&w->history, by_place, &s);
}

/* The plugin came after we connected: this stream cannot acknowledge, the next one can. */
static bool can_acknowledge_now(struct watch *w, const struct snapshot *s, bool wanted)
{
    const struct ingest_view *iv = &s->ingest;
    if (!wanted || !s->mon_fresh || !s->mon.semi_sync.supported || iv->state != INGEST_STREAMING ||
        iv->semi_sync_active || iv->source.semi_sync != SESSION_SEMI_SYNC_UNSUPPORTED ||
        iv->source.thread_id == w->upgraded_connection)
        return false;
    w->upgraded_connection = iv->source.thread_id;
    return true;
}

void watch_failover(const struct ops *ops, const struct snapshot *s, char *buf, size_t cap, struct failover_input *ret)
{
    *ret = (struct failover_input){
        .alarms = &ops->watch.alarms,
        .acknowledging = s->acknowledging,
        .empty = s->store.held.file[0] == '\0',
        .fence = fence_failover(ops->fence),
        .complete = ops->watch.complete,
        .watched = s->mon_fresh && s->mon.have_variables,
        .uncovered = fence_uncovered(ops->fence, &s->store, buf, cap),
    };
}

/*
 * Nobody else was seen to acknowledge since we do not, nor is what the source has another history. Of a look that began before our stream's end one of
 * those who acknowledge may be ourselves; one that was over by then is the alarms' to judge.
 */
static bool is_alone_since(const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    bool whole = s->mon.at_us > s->mon.asked_us;
    uint64_t ours = ingest_was_counted(iv, s->mon.asked_us) ? 1 : 0;
    bool others = whole && !ingest_was_counted(iv, s->mon.at_us) && s->mon.semi_sync.clients > ours;
    return !others && !(iv->last_error_current && fault_retry(iv->last_error.code) == FAULT_RETRY_HISTORY);
}

/* A fence takes it as it is at that moment: after it nothing is learnt any more. */
static void note_complete(struct ops *ops, const struct snapshot *s)
{
    struct watch *w = &ops->watch;
    struct failover_input in;
    char buf[400];
    watch_failover(ops, s, buf, sizeof buf, &in);
    w->complete = failover_is_complete(&in) && (s->acknowledging || is_alone_since(s));
}

static void judge(struct ops *ops, const struct snapshot *s)
{
    struct watch *w = &ops->watch;
    struct alarm_own own;
    struct alarm_input in = {.now_us = s->now_us, .wall_us = s->wall_us, .own = &own, .mon = &s->mon};
    watch_own(ops, s, &own);
    if (s->mon_fresh)
        note_end(w, &s->mon);
    alarms_judge(&w->alarms, &in);
    w->old_names = s->mon.semi_sync.old_names;
    log_changes(&w->alarms, w->old_names);
    note_complete(ops, s);
    if (w->alarms.reconnect) {
        log_notice("ops", "making the stream anew");
        ingest_reconnect(ops->ingest);
    } else if (can_acknowledge_now(w, s, own.wants_semi_sync)) {
        log_notice("ops", "the source can do semi-sync now: making the stream anew");
        ingest_reconnect(ops->ingest);
    }
}

void watch_tick(struct ops *ops)
{
    struct snapshot s;
    uint64_t now_us = clock_mono_us();
    if (now_us - ops->watch.judged_us < WATCH_JUDGE_US || snapshot_take(ops, &s) != 0)
        return;
    ops->watch.judged_us = now_us;
    judge(ops, &s);
    status_tell_replicas(ops, &s);
    snapshot_release(&s);
}
