/* Status: what follows: may one fail over, what is wrong, what was not protected; and preflight's answer. */
#include "ops/fence/fence.h"
#include "ops/status/status.h"
#include "ops/status/status_internal.h"
#include "ops/status/watch_round.h"
#include "ops/watch/failover.h"
#include "ops/watch/preflight.h"

json_t *status_failover_safe(const struct ops *ops, const struct snapshot *s)
{
    struct failover f;
    struct failover_input in;
    char uncovered[400];
    watch_failover(ops, s, uncovered, sizeof uncovered, &in);
    failover_judge(&in, &f);
    json_t *reasons = json_array();
    for (unsigned i = 0; i < f.reasons; i++)
        put_item(reasons, json_string(f.reason[i]));
    json_t *o = json_object();
    put(o, "answer", json_string(failover_answer_name(f.answer)));
    put(o, "reasons", reasons);
    return o;
}

json_t *status_warnings(const struct ops *ops)
{
    char cure[CURE_MAX];
    json_t *list = json_array();
    for (int i = 0; i < ALARM_COUNT; i++) {
        const struct alarm *alarm = &ops->watch.alarms.list[i];
        if (!alarm->raised)
            continue;
        json_t *o = json_object();
        put(o, "code", json_string(alarm_code_name((enum alarm_code)i)));
        put(o, "message", json_string(alarm->message));
        put(o, "cure", json_string(alarm_cure((enum alarm_code)i, ops->watch.old_names, cure)));
        put(o, "since", wall_time(alarm->since_wall_us));
        put_item(list, o);
    }
    fence_warnings(ops->fence, list);
    return list;
}

json_t *status_protection(const struct ops *ops)
{
    const struct alarm_gap *gap = &ops->watch.alarms.gap;
    if (!gap->any)
        return json_null();
    json_t *o = json_object();
    put(o, "lost_after", text_or_null(gap->from));
    put(o, "lost_at", wall_time(gap->began_wall_us));
    put(o, "restored_at", wall_time(gap->ended_wall_us));
    put(o, "restored_with", text_or_null(gap->to));
    return o;
}

int preflight_answer(struct ops *ops, bool answered, json_t **ret_answer)
{
    struct snapshot s;
    struct alarm_own own;
    struct preflight p;
    if (snapshot_take(ops, &s) != 0)
        return LT_ENOMEM;
    watch_own(ops, &s, &own);
    preflight_judge(&(struct alarm_input){.now_us = s.now_us, .wall_us = s.wall_us, .own = &own, .mon = &s.mon},
                    answered, &p);
    json_t *checks = json_array();
    json_t *reasons = json_array();
    for (unsigned i = 0; i < p.count; i++) {
        json_t *check = json_object();
        put(check, "name", json_string(p.check[i].name));
        put(check, "result", json_string(preflight_result_name(p.check[i].result)));
        put(check, "message", json_string(p.check[i].message));
        put_item(checks, check);
        if (p.check[i].result == PREFLIGHT_FAIL)
            put_item(reasons, json_sprintf("%s: %s", p.check[i].name, p.check[i].message));
    }
    json_t *o = json_object();
    put(o, "verdict", json_string(p.go ? "GO" : "NO-GO"));
    put(o, "reasons", reasons);
    put(o, "checks", checks);
    put(o, "age_ms", s.mon.at_us != 0 ? count((s.now_us - s.mon.at_us) / 1000) : json_null());
    snapshot_release(&s);
    *ret_answer = o;
    return o != NULL ? LT_OK : LT_ENOMEM;
}
