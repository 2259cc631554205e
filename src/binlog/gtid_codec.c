/*
 * Binary forms. MySQL: n:8 { uuid:16 [tag] n_intervals:8 { first:8 end:8 (exclusive) } }, tagged when byte 7 of n is 1 (then the
 * number is in bytes 1 to 6). MariaDB: count:4 (low 28 bits) { domain:4 server_id:4 seq:8 }.
 */
#include <stdlib.h>
#include <string.h>

#include "binlog/event_body.h"
#include "binlog/gtid_impl.h"
#include "binlog/varlen.h"

#define LOW_56_BITS     ((UINT64_C(1) << 56) - 1)
#define LOW_48_BITS     ((UINT64_C(1) << 48) - 1)
#define INTERVAL_LEN    16
#define LIST_ENTRY_LEN  16
#define LIST_COUNT_MASK 0x0fffffffu

int gtid_tag_take(struct cursor *c, char ret_tag[GTID_TAG_MAX + 1])
{
    uint64_t len = varlen_unsigned(c);
    if (len > GTID_TAG_MAX)
        return LT_EPROTO;
    const uint8_t *p = cursor_bytes(c, (size_t)len);
    if (p == NULL)
        return LT_ESHORT;
    for (size_t i = 0; i < len; i++) {
        if (!gtid_tag_char_ok((char)p[i], i == 0))
            return LT_EPROTO;
    }
    memset(ret_tag, 0, GTID_TAG_MAX + 1);
    memcpy(ret_tag, p, (size_t)len);
    return 0;
}

static int decode_source(struct cursor *c, bool tagged, struct gtid_set *set)
{
    char tag[GTID_TAG_MAX + 1] = "";
    const uint8_t *uuid = cursor_bytes(c, GTID_UUID_LEN);
    int rc = tagged ? gtid_tag_take(c, tag) : 0;
    if (rc != 0)
        return rc;
    uint64_t n = cursor_u64(c);
    if (!cursor_ok(c) || n > c->left / INTERVAL_LEN)
        return LT_ESHORT;
    uint64_t reached = 0; /* servers write intervals in order */
    for (uint64_t i = 0; i < n; i++) {
        uint64_t first = cursor_u64(c);
        uint64_t end = cursor_u64(c);
        if (first == 0 || first < reached || end <= first || end > GTID_GNO_MAX + 1)
            return LT_EPROTO;
        reached = end;
        rc = gtid_mysql_collect(set, uuid, tag, (struct gtid_interval){first, end - 1});
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int decode_sources(struct cursor *c, struct gtid_set *set)
{
    uint64_t head = cursor_u64(c);
    if (!cursor_ok(c))
        return LT_ESHORT;
    if (head >> 56 > 1)
        return LT_EPROTO;
    bool tagged = head >> 56 == 1;
    uint64_t n = tagged ? (head >> 8) & LOW_48_BITS : head & LOW_56_BITS;
    for (uint64_t i = 0; i < n; i++) {
        int rc = decode_source(c, tagged, set);
        if (rc != 0)
            return rc;
    }
    return gtid_mysql_settle(set);
}

int gtid_set_decode_mysql(const uint8_t *data, size_t len, struct gtid_set *ret, size_t *ret_used)
{
    struct gtid_set set = {.kind = GTID_MYSQL};
    struct cursor c = cursor_on(data, len);
    int rc = decode_sources(&c, &set);
    if (rc != 0) {
        gtid_set_fini(&set);
        return rc;
    }
    gtid_set_fini(ret);
    *ret = set;
    *ret_used = len - c.left;
    return 0;
}

static size_t encoded_len(const struct gtid_set *set, bool *ret_tagged)
{
    size_t len = 8;
    size_t tags = 0;
    *ret_tagged = false;
    for (size_t i = 0; i < set->source_count; i++) {
        size_t tag_len = strlen(set->sources[i].tag);
        if (tag_len != 0)
            *ret_tagged = true;
        tags += 1 + tag_len;
        len += GTID_UUID_LEN + 8 + set->sources[i].count * INTERVAL_LEN;
    }
    return *ret_tagged ? len + tags : len;
}

int gtid_set_encode_mysql(const struct gtid_set *set, uint8_t **ret_data, size_t *ret_len)
{
    bool tagged;
    if (!gtid_set_is_empty(set) && set->kind != GTID_MYSQL)
        return LT_EINVAL;
    size_t len = encoded_len(set, &tagged);
    uint8_t *data = malloc(len);
    if (data == NULL)
        return LT_ENOMEM;
    struct writer w = writer_on(data, len);
    uint64_t n = set->source_count;
    writer_u64(&w, tagged ? UINT64_C(1) << 56 | n << 8 | 1 : n);
    for (size_t i = 0; i < set->source_count; i++) {
        const struct gtid_source *s = &set->sources[i];
        writer_bytes(&w, s->uuid, GTID_UUID_LEN);
        if (tagged) {
            size_t tag_len = strlen(s->tag);
            writer_u8(&w, (uint8_t)(tag_len << 1));
            writer_bytes(&w, s->tag, tag_len);
        }
        writer_u64(&w, s->count);
        for (size_t k = 0; k < s->count; k++) {
            writer_u64(&w, s->intervals[k].first);
            writer_u64(&w, s->intervals[k].last + 1);
        }
    }
    lt_assert(!w.failed && w.len == len);
    *ret_data = data;
    *ret_len = len;
    return 0;
}

int gtid_set_from_previous_gtids(const uint8_t *event, size_t len, bool crc, struct gtid_set *ret)
{
    struct event_header h;
    struct cursor c;
    struct gtid_set set = {0};
    size_t used;
    int rc = event_body(event, len, crc, &h, &c);
    if (rc != 0)
        return rc;
    if (h.type != EVENT_PREVIOUS_GTIDS)
        return LT_EPROTO;
    rc = gtid_set_decode_mysql(c.p, c.left, &set, &used);
    if (rc != 0)
        return rc;
    if (used != c.left) {
        gtid_set_fini(&set);
        return LT_EPROTO;
    }
    gtid_set_fini(ret);
    *ret = set;
    return 0;
}

int gtid_set_from_gtid_list(const uint8_t *event, size_t len, bool crc, struct gtid_set *ret)
{
    struct event_header h;
    struct cursor c;
    struct gtid_set set = {.kind = GTID_MARIADB};
    int rc = event_body(event, len, crc, &h, &c);
    if (rc != 0)
        return rc;
    if (h.type != EVENT_MARIADB_GTID_LIST)
        return LT_EPROTO;
    uint32_t count = cursor_u32(&c) & LIST_COUNT_MASK;
    if (!cursor_ok(&c) || count > c.left / LIST_ENTRY_LEN)
        return LT_ESHORT;
    struct gtid_states_list list = {0};
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        /* Inside a domain the last-written server stands last, as in text. */
        struct gtid g = {.kind = GTID_MARIADB};
        g.domain_id = cursor_u32(&c);
        g.server_id = cursor_u32(&c);
        g.seq = cursor_u64(&c);
        rc = gtid_states_collect(&list, &g);
    }
    if (rc == 0)
        rc = gtid_states_settle(&list, &set);
    free(list.items);
    if (rc != 0) {
        gtid_set_fini(&set);
        return rc;
    }
    gtid_set_fini(ret);
    *ret = set;
    return 0;
}
