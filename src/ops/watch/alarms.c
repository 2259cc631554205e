/*
 * - Each judgement starts with nothing raised; the parts raise what they see; then the difference to the time before is what changed.
 * - What is known only from the primary is judged with a fresh picture of the right server, else kept.
 */
#include "ops/watch/alarms_internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code;
    const char *cure;
    enum alarm_effect effect;
    bool needs_monitor;
} table[ALARM_COUNT] = {
#define ALARM_X(name, code_, monitor_, effect_, cure_)                                                                 \
    [ALARM_##name] = {.code = (code_), .cure = (cure_), .effect = (effect_), .needs_monitor = (monitor_)},
    ALARM_CODES(ALARM_X)
#undef ALARM_X
};

const char *alarm_code_name(enum alarm_code code)
{
    return table[code].code;
}

const char *alarm_cure(enum alarm_code code, bool old_names, char buf[CURE_MAX])
{
    return cure_text(table[code].cure, old_names, buf);
}

enum alarm_effect alarm_effect(enum alarm_code code)
{
    return table[code].effect;
}

void alarms_init(struct alarms *a)
{
    memset(a, 0, sizeof *a);
}

void alarm_raise(struct judgement *j, enum alarm_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(j->alarms->list[code].message, sizeof j->alarms->list[code].message, fmt, ap);
    va_end(ap);
    j->raised[code] = true;
}

/* The picture is of the server whose history we keep. */
static bool right_server(const struct alarm_input *in)
{
    return in->own->source_id[0] == '\0' || strcmp(in->own->source_id, in->mon->source_id) == 0;
}

static void judge_source(struct judgement *j)
{
    struct alarm_memory *m = &j->alarms->memory;
    const struct monitor_view *mon = j->in->mon;
    if (m->primed && m->started_s + 5 < mon->started_s)
        *m = (struct alarm_memory){.lies_of = m->lies_of,
                                   .lies_syncs = m->lies_syncs,
                                   .lies_quick = m->lies_quick,
                                   .slow_calls = m->slow_calls,
                                   .log_dropped = m->log_dropped,
                                   .mismatches = m->mismatches,
                                   .delays_until_us = m->delays_until_us,
                                   .dropped_until_us = m->dropped_until_us,
                                   .mismatches_until_us = m->mismatches_until_us,
                                   .fallback_until_us = m->fallback_until_us,
                                   .unprotected_until_us = m->unprotected_until_us,
                                   .zombie_connection = m->zombie_connection}; /* its counters began anew */
    judge_settings(j);
    judge_protection(j);
    judge_others(j);
    judge_certificates(j);
    judge_effect(j);
    judge_zombie(j);
    judge_waiting(j);
    m->primed = true;
    m->rounds = mon->rounds;
    m->started_s = mon->started_s;
    m->ss = mon->semi_sync;
}

static void settle(struct judgement *j)
{
    for (int i = 0; i < ALARM_COUNT; i++) {
        struct alarm *alarm = &j->alarms->list[i];
        bool raised = j->keep[i] ? alarm->raised : j->raised[i];
        j->alarms->changed[i] = raised != alarm->raised;
        if (raised && !alarm->raised)
            alarm->since_wall_us = j->in->wall_us;
        alarm->raised = raised;
    }
}

/* Since the last picture; without any, since it was first missed. */
static unsigned long long unasked_s(const struct alarms *a, const struct alarm_input *in)
{
    uint64_t since_us = in->mon->at_us != 0 ? in->mon->at_us : a->memory.blind_us;
    return (in->now_us - since_us) / 1000000;
}

void alarms_judge(struct alarms *a, const struct alarm_input *in)
{
    struct judgement j = {.alarms = a, .in = in};
    a->reconnect = false;
    judge_storage(&j);
    judge_retention(&j);
    judge_process(&j);
    if (monitor_view_fresh(in->mon, in->now_us) && right_server(in)) {
        a->memory.blind_us = 0;
        judge_source(&j);
    } else {
        for (int i = 0; i < ALARM_COUNT; i++)
            j.keep[i] = table[i].needs_monitor;
        if (a->memory.blind_us == 0)
            a->memory.blind_us = in->now_us;
        if (monitor_view_fresh(in->mon, in->now_us))
            alarm_raise(&j, ALARM_BLIND, "the monitor's connection reaches %s, this store belongs to %s",
                        in->mon->source_id, in->own->source_id);
        else if (in->now_us - a->memory.blind_us >= MONITOR_FRESH_US)
            alarm_raise(&j, ALARM_BLIND, "the source could not be asked for %llu s: %.200s", unasked_s(a, in),
                        in->mon->error[0] != '\0' ? in->mon->error : "no answer");
        else
            j.keep[ALARM_BLIND] = true;
    }
    settle(&j);
}
