#include "feed/after.h"

#include <stdio.h>

enum after_found after_look_up(const struct gtid_set *held, const struct gtid *g, uint64_t *ret_last)
{
    bool domain = false;
    *ret_last = 0;
    for (size_t i = 0; i < held->state_count; i++) {
        const struct gtid_state *st = &held->states[i];
        if (st->domain_id != g->domain_id)
            continue;
        domain = true;
        if (st->server_id == g->server_id && st->seq >= g->seq)
            return AFTER_HELD;
        if (st->last_in_domain)
            *ret_last = st->seq;
    }
    if (!domain)
        return AFTER_NO_DOMAIN;
    return *ret_last >= g->seq ? AFTER_DIVERGED : AFTER_NOT_HELD;
}

void after_refusal(enum after_found why, const struct gtid *g, char ret[AFTER_TEXT_MAX])
{
    char text[GTID_TEXT_MAX];
    (void)gtid_format(g, text, sizeof text);
    (void)snprintf(ret, AFTER_TEXT_MAX,
                   "Error: connecting slave requested to start from GTID %s, which is not in the master's binlog%s",
                   text,
                   why == AFTER_DIVERGED
                       ? ". Since the master's binlog contains GTIDs with higher sequence numbers, it probably means "
                         "that the slave has diverged due to executing extra erroneous transactions"
                       : "");
}

void after_hole(const struct gtid *g, char ret[AFTER_TEXT_MAX])
{
    char text[GTID_TEXT_MAX];
    (void)gtid_format(g, text, sizeof text);
    (void)snprintf(ret, AFTER_TEXT_MAX,
                   "The binlog on the master is missing the GTID %s requested by the slave (even though both a prior "
                   "and a subsequent sequence number does exist), and GTID strict mode is enabled",
                   text);
}
