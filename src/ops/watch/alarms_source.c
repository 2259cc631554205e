/* Alarms that the primary's variables, status and lists show. */
#include "ops/watch/alarms_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S           86400
#define CLOCK_OFFSET_US 10000000
#define SETTLED_US                                                                                                     \
    2500000u /* a connection that was just lost counts as a client for a moment longer than as a thread */

void judge_settings(struct judgement *j)
{
    const struct monitor_view *mon = j->in->mon;
    const struct monitor_semi_sync *ss = &mon->semi_sync;
    const char *file = mon->have_position ? mon->file : j->in->own->file;
    uint64_t number = file[0] != '\0' ? binlog_name_number(file) : 0;
    if (mon->mariadb && number >= ALARM_NUMBER_BROKEN)
        alarm_raise(j, ALARM_SUFFIX_BROKEN, "the source writes %s: MariaDB compares such names as text", file);
    else if (number >= ALARM_NUMBER_HIGH)
        alarm_raise(j, ALARM_SUFFIX, "the source writes %s", file);
    if (llabs(mon->clock_offset_us) > CLOCK_OFFSET_US)
        alarm_raise(j, ALARM_CLOCK, "the source's clock is %+lld s from ours",
                    (long long)mon->clock_offset_us / 1000000);
    if (mon->same_host)
        alarm_raise(j, ALARM_SAME_HOST, "the source runs on this machine: both can be lost together");
    if (!mon->have_variables)
        return;
    if (mon->read_only)
        alarm_raise(j, ALARM_READ_ONLY, "read_only is on at the source");
    if (!ss->supported || !j->in->own->wants_semi_sync)
        return;
    if (!ss->enabled)
        alarm_raise(j, ALARM_DISABLED, "semi-sync is switched off at the source: commits do not wait for an ACK");
    if (ss->wait_point == MONITOR_WAIT_AFTER_COMMIT)
        alarm_raise(j, ALARM_WAIT_POINT,
                    "the wait point is AFTER_COMMIT: others see a row before it is confirmed here");
    if (ss->timeout_ms < ALARM_TIMEOUT_OK_MS)
        alarm_raise(j, ALARM_TIMEOUT, "after %llu ms without an ACK commits go on unprotected",
                    (unsigned long long)ss->timeout_ms);
    if (!ss->wait_no_replica)
        alarm_raise(j, ALARM_WAIT_NO_REPLICA, "commits go on unprotected when the last acknowledger disconnects");
    uint64_t *short_us = &j->alarms->memory.short_us;
    if (!ss->enabled || ss->wait_count <= ss->clients || !j->in->own->acknowledging)
        *short_us = 0;
    else if (*short_us == 0)
        *short_us = mon->at_us;
    if (*short_us != 0 && mon->at_us - *short_us >= SETTLED_US)
        alarm_raise(j, ALARM_WAIT_COUNT, "a commit needs %llu ACKs, %llu acknowledgers are connected",
                    (unsigned long long)ss->wait_count, (unsigned long long)ss->clients);
}

static void open_gap(struct judgement *j)
{
    struct alarm_gap *gap = &j->alarms->gap;
    if (gap->open)
        return;
    *gap = (struct alarm_gap){.any = true, .open = true, .began_wall_us = j->in->wall_us};
    memcpy(gap->from, j->alarms->memory.last_gtid, sizeof gap->from);
}

/* Commits that returned without an ACK: the status says OFF, or a counter grew between two pictures. */
void judge_protection(struct judgement *j)
{
    struct alarm_memory *m = &j->alarms->memory;
    struct alarm_gap *gap = &j->alarms->gap;
    const struct monitor_semi_sync *ss = &j->in->mon->semi_sync;
    const struct alarm_own *own = j->in->own;
    uint64_t now_us = j->in->now_us;
    if (!ss->supported || !own->wants_semi_sync)
        return;
    bool off = !ss->active && (ss->enabled || !j->in->mon->have_variables);
    bool fell_back = off || (m->primed && ss->no_times > m->ss.no_times);
    bool unprotected = m->primed && ss->no_tx > m->ss.no_tx;
    if (fell_back)
        m->fallback_until_us = now_us + ALARM_HOLD_US;
    if (unprotected && !fell_back && now_us >= m->fallback_until_us && ss->enabled)
        m->unprotected_until_us = now_us + ALARM_HOLD_US;
    if (fell_back || unprotected || !ss->enabled)
        open_gap(j);
    /* Protected again: on, quiet for a while, and what was committed in between is here. */
    bool healed = ss->active && own->acknowledging && now_us >= m->fallback_until_us &&
                  now_us >= m->unprotected_until_us && (own->covers_source || own->source_idle);
    if (gap->open && healed) {
        gap->open = false;
        gap->ended_wall_us = j->in->wall_us;
        memcpy(gap->to, own->last_gtid, sizeof gap->to);
    }
    bool fallback_raised = j->alarms->list[ALARM_FALLBACK].raised;
    bool unprotected_raised = j->alarms->list[ALARM_UNPROTECTED].raised;
    const char *from = gap->from[0] != '\0' ? gap->from : "the beginning";
    if (fell_back || (fallback_raised && gap->open))
        alarm_raise(j, ALARM_FALLBACK, "%s commits after %.100s were not protected (%llu so far without an ACK)",
                    off ? "semi-sync fell back to asynchronous:" : "semi-sync fell back to asynchronous for a while:",
                    from, (unsigned long long)ss->no_tx);
    if (now_us < m->unprotected_until_us || (unprotected_raised && gap->open))
        alarm_raise(j, ALARM_UNPROTECTED, "commits after %.100s returned without an ACK (%llu so far)", from,
                    (unsigned long long)ss->no_tx);
    if (!gap->open)
        memcpy(m->last_gtid, own->last_gtid, sizeof m->last_gtid);
}

static void name_others(const struct monitor_view *mon, char *buf, size_t cap)
{
    size_t len = 0;
    buf[0] = '\0';
    for (unsigned i = 0; i < mon->other_dumps && i < MONITOR_LISTED_MAX && len + 1 < cap; i++) {
        int n =
            snprintf(buf + len, cap - len, "%s%s@%s", i > 0 ? ", " : ": ", mon->others[i].user, mon->others[i].host);
        len += n > 0 ? (size_t)n : 0;
    }
}

/* An acknowledger is ours when it is a dump thread of our account and, where replicas can be listed, registered as a logtailer. */
void judge_others(struct judgement *j)
{
    const struct monitor_view *mon = j->in->mon;
    const struct alarm_own *own = j->in->own;
    if (mon->have_dumps && mon->semi_sync.supported) {
        uint64_t ours = mon->own_dumps;
        if (mon->have_replicas && mon->logtailers < ours)
            ours = mon->logtailers;
        char names[160];
        name_others(mon, names, sizeof names);
        uint64_t *since_us = &j->alarms->memory.foreign_us;
        if (mon->dump_clients <= ours)
            *since_us = 0;
        else if (*since_us == 0)
            *since_us = mon->at_us;
        if (*since_us != 0 && mon->at_us - *since_us >= SETTLED_US)
            alarm_raise(j, ALARM_FOREIGN,
                        "%llu acknowledgers are connected, %llu of them logtailers; other dump threads%s",
                        (unsigned long long)mon->dump_clients, (unsigned long long)ours,
                        names[0] != '\0' ? names : " cannot be seen without the PROCESS privilege");
    }
    for (unsigned i = 0; mon->have_replicas && i < mon->replicas; i++) {
        const char *uuid = mon->replica_uuids[i];
        if (mon->replica_ids[i] == own->server_id && uuid[0] != '\0' && own->server_uuid[0] != '\0' &&
            strcmp(uuid, own->server_uuid) != 0 && strcmp(uuid, own->prove_uuid) != 0)
            alarm_raise(j, ALARM_DUPLICATE, "replica %s has our server_id %u: of two ACKs the source counts one", uuid,
                        own->server_id);
    }
}

void judge_certificates(struct judgement *j)
{
    const struct monitor_view *mon = j->in->mon;
    int64_t now_s = (int64_t)(j->in->wall_us / 1000000);
    for (unsigned i = 0; i < mon->cert_count; i++) {
        int64_t left_s = mon->certs[i].not_after_s - now_s;
        if (mon->certs[i].not_after_s == 0)
            alarm_raise(j, ALARM_CERT_1, "%s holds no certificate that can be read", mon->certs[i].name);
        else if (left_s <= 0)
            alarm_raise(j, ALARM_CERT_1, "%s expired %lld s ago", mon->certs[i].name, (long long)-left_s);
        else if (left_s <= DAY_S)
            alarm_raise(j, ALARM_CERT_1, "%s expires in %lld s", mon->certs[i].name, (long long)left_s);
        else if (left_s <= 7 * DAY_S)
            alarm_raise(j, ALARM_CERT_7, "%s expires in %lld days", mon->certs[i].name, (long long)(left_s / DAY_S));
        else if (left_s <= ALARM_CERT_SOON_S)
            alarm_raise(j, ALARM_CERT_30, "%s expires in %lld days", mon->certs[i].name, (long long)(left_s / DAY_S));
    }
}
