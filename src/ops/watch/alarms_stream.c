/*
 * What only a series of pictures shows:
 * - semi-sync that says ON and asks nobody for an ACK: commits happen, and for 10 s nothing waited, nothing was asked for, nothing was counted;
 * - a zombie stream: after RESET MASTER a MariaDB dump thread sends heartbeats for ever, a MySQL one until the next commit. The binlog's end (or
 *   the number of executed GTIDs) went back, or it is not where our stream says that the source is idle;
 * - commits that wait and are not released.
 * Times are those of the pictures: one that stays for want of a newer one proves nothing.
 * A suspicion (all but an end that went back) costs a reconnect at most every RECONNECT_EVERY_US: it is harmless and heals what it can.
 */
#include "ops/watch/alarms_internal.h"

#include <stdio.h>
#include <string.h>

#define EFFECT_WINDOW_US  10000000u
#define EFFECT_SUSPECT_US 2000000u
#define EFFECT_MIN_TX     2u
#define MISMATCH_US       3000000u
#define WAITING_US        5000000u
#define SILENT_US                                                                                                      \
    3000000u /* a stream that was heard longer ago is dead, not a zombie: the stream itself sees to that */
#define RECONNECT_EVERY_US 30000000u

static void note_evidence(struct alarm_memory *m, const struct alarm_input *in, uint64_t tx)
{
    m->evidence_us = in->mon->at_us;
    m->evidence_tx = tx;
    m->evidence_acks = in->own->acks_requested;
    m->evidence_waits = in->mon->semi_sync.tx_waits;
    m->evidence_got = in->mon->semi_sync.acks_got;
    m->suspect_us = 0;
}

void judge_effect(struct judgement *j)
{
    struct alarm_memory *m = &j->alarms->memory;
    const struct monitor_semi_sync *ss = &j->in->mon->semi_sync;
    const struct alarm_own *own = j->in->own;
    uint64_t tx = ss->yes_tx + ss->no_tx;
    bool raised = j->alarms->list[ALARM_INEFFECTIVE].raised;
    bool evidence = own->acks_requested != m->evidence_acks || ss->tx_waits != m->evidence_waits ||
                    ss->acks_got != m->evidence_got || tx < m->evidence_tx;
    /* What returned without an ACK while the source was asynchronous is another alarm's matter. */
    bool applies = own->acknowledging && ss->active && j->in->now_us >= m->fallback_until_us;
    if (!m->primed || evidence || (!applies && !raised)) {
        note_evidence(m, j->in, tx);
        return;
    }
    if (raised && ss->supported) {
        if (ss->enabled) /* nothing but an ACK that is asked for shows that it is over */
            alarm_raise(j, ALARM_INEFFECTIVE,
                        "semi-sync is ON at the source, and none of %llu commits in %llu s waited for an ACK",
                        (unsigned long long)(tx - m->evidence_tx),
                        (unsigned long long)((j->in->mon->at_us - m->evidence_us) / 1000000));
        return;
    }
    if (tx - m->evidence_tx < EFFECT_MIN_TX)
        return;
    if (m->suspect_us == 0)
        m->suspect_us = j->in->mon->at_us;
    if (j->in->mon->at_us - m->evidence_us >= EFFECT_WINDOW_US &&
        j->in->mon->at_us - m->suspect_us >= EFFECT_SUSPECT_US)
        alarm_raise(j, ALARM_INEFFECTIVE,
                    "semi-sync is ON at the source, and none of %llu commits in %llu s waited for an ACK",
                    (unsigned long long)(tx - m->evidence_tx),
                    (unsigned long long)((j->in->mon->at_us - m->evidence_us) / 1000000));
}

static int compare_place(uint64_t a_number, uint64_t a_offset, uint64_t b_number, uint64_t b_offset)
{
    if (a_number != b_number)
        return a_number < b_number ? -1 : 1;
    if (a_offset != b_offset)
        return a_offset < b_offset ? -1 : 1;
    return 0;
}

static void raise_zombie(struct judgement *j, const char *why)
{
    const struct monitor_view *mon = j->in->mon;
    char theirs[BINLOG_NAME_MAX + 32] = "";
    if (mon->have_position)
        (void)snprintf(theirs, sizeof theirs, " (it is at %.100s:%llu)", mon->file, (unsigned long long)mon->offset);
    alarm_raise(j, ALARM_ZOMBIE, "%s%s, the stream stands at %.100s:%llu", why, theirs, j->in->own->file,
                (unsigned long long)j->in->own->offset);
}

/* The source shows another end than our stream, which calls it idle, and that lasts. Commits that wait are in the stream before they are in the
 * source's end. */
static bool stays_elsewhere(struct alarm_memory *m, const struct alarm_input *in)
{
    const struct alarm_own *own = in->own;
    int cmp = in->mon->have_position ? compare_place(binlog_name_number(in->mon->file), in->mon->offset,
                                                     binlog_name_number(own->file), own->offset)
                                     : -1;
    bool moved = strcmp(m->mismatch_file, own->file) != 0 || m->mismatch_offset != own->offset;
    bool elsewhere = cmp > 0 || (cmp < 0 && in->mon->semi_sync.wait_sessions == 0 && own->source_lacks);
    if (!own->streaming || !own->source_idle || own->heard_age_us > SILENT_US || !elsewhere || moved ||
        m->mismatch_us == 0) {
        memcpy(m->mismatch_file, own->file, sizeof m->mismatch_file);
        m->mismatch_offset = own->offset;
        m->mismatch_us = elsewhere ? in->mon->at_us : 0;
        return false;
    }
    return in->mon->at_us - m->mismatch_us >= MISMATCH_US;
}

static bool may_reconnect(struct alarm_memory *m, uint64_t now_us)
{
    if (m->reconnect_us != 0 && now_us - m->reconnect_us < RECONNECT_EVERY_US)
        return false;
    m->reconnect_us = now_us;
    return true;
}

void judge_zombie(struct judgement *j)
{
    struct alarm_memory *m = &j->alarms->memory;
    const struct monitor_view *mon = j->in->mon;
    const struct alarm_own *own = j->in->own;
    if ((!mon->have_position && !mon->have_gtids) || own->connection == 0 || own->file[0] == '\0') {
        m->have_end = false;
        m->mismatch_us = 0;
        return;
    }
    uint64_t number = mon->have_position ? binlog_name_number(mon->file) : 0;
    uint64_t offset = mon->have_position ? mon->offset : gtid_set_count(&mon->gtids);
    bool went_back = m->have_end && compare_place(number, offset, m->end_number, m->end_offset) < 0;
    if (went_back && own->connection == m->end_connection) {
        raise_zombie(j, "the source's binlog began anew under the stream");
        m->zombie_connection = own->connection;
        j->alarms->reconnect = true;
    } else if (own->connection == m->zombie_connection) {
        raise_zombie(j, "the source's binlog is not what the stream says");
    } else if (stays_elsewhere(m, j->in)) {
        raise_zombie(j, "the stream calls the source idle, and its binlog ends elsewhere");
        j->alarms->reconnect = may_reconnect(m, j->in->now_us);
    }
    m->have_end = true;
    m->end_number = number;
    m->end_offset = offset;
    m->end_connection = own->connection;
}

void judge_waiting(struct judgement *j)
{
    struct alarm_memory *m = &j->alarms->memory;
    const struct monitor_semi_sync *ss = &j->in->mon->semi_sync;
    const struct alarm_own *own = j->in->own;
    uint64_t now_us = j->in->mon->at_us;
    if (ss->wait_sessions == 0 || m->waiting_us == 0 || ss->yes_tx != m->waiting_yes_tx) {
        m->waiting_us = ss->wait_sessions > 0 ? now_us : 0;
        m->waiting_yes_tx = ss->yes_tx;
        return;
    }
    if (now_us - m->waiting_us < WAITING_US)
        return;
    bool all_done = own->acknowledging && own->source_idle;
    alarm_raise(j, ALARM_WAITING, "%llu commits have waited for an ACK for %llu s; %s",
                (unsigned long long)ss->wait_sessions, (unsigned long long)((now_us - m->waiting_us) / 1000000),
                all_done ? "this process has acknowledged all that it was asked to"
                         : "this process is not acknowledging, or not done");
    if (j->in->mon->mariadb && all_done && own->heard_age_us < SILENT_US && may_reconnect(m, j->in->now_us))
        j->alarms->reconnect = true;
}
