/*
 * Events that are in no file, as packets.
 */
#include <stdlib.h>
#include <string.h>

#include "replicas/internal.h"

#define EVENT_MAX  (EVENT_HEADER_LEN + 16 + BINLOG_NAME_MAX + EVENT_CRC_LEN + 16)
#define CREATED_AT (EVENT_HEADER_LEN + 2 + 50)

bool say_rotate(struct client *s, bool crc, const char *file, uint64_t pos)
{
    uint8_t event[EVENT_MAX];
    size_t len = 0;
    struct made_up m = {.server_id = s->r->server_id, .crc = crc};
    return made_up_rotate(&m, file, pos, event, sizeof event, &len) == 0 && packets_event(s, event, len);
}

bool say_heartbeat(struct client *s, uint64_t pos)
{
    uint8_t event[EVENT_MAX];
    size_t len = 0;
    const char *file = s->st.feed.file->info.file;
    struct made_up m = {.server_id = s->r->server_id, .crc = s->st.crc};
    int rc = s->st.heartbeat_v2 ? made_up_heartbeat_v2(&m, file, pos, event, sizeof event, &len)
                                : made_up_heartbeat(&m, file, pos, event, sizeof event, &len);
    return rc == 0 && packets_event(s, event, len);
}

bool say_format(struct client *s, const uint8_t *fde, size_t len, bool middle)
{
    uint8_t *copy = malloc(len);
    if (copy == NULL)
        return false;
    memcpy(copy, fde, len);
    int rc = 0;
    if (middle) {
        rc = made_up_format(copy, len);
    } else if (len >= CREATED_AT + 4 + EVENT_CRC_LEN) {
        memset(copy + CREATED_AT, 0, 4);
        copy[17] &= (uint8_t)~EVENT_FLAG_IN_USE;
        if (s->st.crc)
            event_crc_set(copy, len);
    }
    bool ok = rc == 0 && packets_event(s, copy, len);
    free(copy);
    return ok;
}

/* MariaDB: where the log stands in each domain, the last server of each last. */
static bool say_list(struct client *s, const struct gtid_set *set, bool until, uint64_t pos)
{
    size_t cap = EVENT_HEADER_LEN + 4 + set->state_count * 16 + 2 + EVENT_CRC_LEN;
    uint8_t *event = malloc(cap);
    struct made_up_gtid *list = calloc(set->state_count + 1, sizeof *list);
    size_t n = 0;
    size_t len = 0;
    struct made_up m = {.server_id = s->r->server_id, .crc = s->st.crc};
    bool ok = event != NULL && list != NULL && cap < 0xffffff;
    for (size_t i = 0; ok && i < set->state_count;) {
        size_t end = i;
        const struct gtid_state *last = NULL;
        for (; end < set->state_count && set->states[end].domain_id == set->states[i].domain_id; end++) {
            const struct gtid_state *st = &set->states[end];
            if (st->last_in_domain)
                last = st;
            else
                list[n++] = (struct made_up_gtid){st->domain_id, st->server_id, st->seq};
        }
        if (last != NULL)
            list[n++] = (struct made_up_gtid){last->domain_id, last->server_id, last->seq};
        i = end;
    }
    ok = ok && made_up_gtid_list(&m, list, n, until, pos, event, cap, &len) == 0 && packets_event(s, event, len);
    free(event);
    free(list);
    return ok;
}

bool say_skipped(struct client *s, uint64_t pos)
{
    if (!s->st.mariadb)
        return say_heartbeat(s, pos);
    return say_list(s, &s->st.feed.filter->state, false, pos);
}

bool say_until(struct client *s, uint64_t pos)
{
    return say_list(s, &s->st.feed.filter->state, true, pos);
}
