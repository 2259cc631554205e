/*
 * GTID events. MySQL's grew at the end release by release (each later field may be missing, none may be cut), its tagged form is a
 * message of numbered fields, MariaDB's has fields chosen by flags and zeros behind.
 */
#include <string.h>

#include "binlog/event_body.h"
#include "binlog/gtid_impl.h"
#include "binlog/varlen.h"

#define LOGICAL_TIMESTAMPS 2
#define COMMIT_TIME_MORE   (UINT64_C(1) << 55)
#define MARIADB_GTID_XA    (MARIADB_GTID_PREPARED_XA | MARIADB_GTID_COMPLETED_XA)
#define XA_ID_PART_MAX     64
#define TAGGED_VERSION     1

/* Field numbers of the tagged form. */
enum tagged_field {
    TAGGED_FLAGS,
    TAGGED_UUID,
    TAGGED_GNO,
    TAGGED_TAG,
    TAGGED_LAST_COMMITTED,
    TAGGED_SEQUENCE_NUMBER,
    TAGGED_IMMEDIATE_COMMIT,
    TAGGED_ORIGINAL_COMMIT,
    TAGGED_LENGTH,
    TAGGED_IMMEDIATE_VERSION,
    TAGGED_ORIGINAL_VERSION,
    TAGGED_COMMIT_TICKET,
};

/* 5.6 ends after the GNO, 5.7 after the logical timestamps, 8.0 has the rest. */
static void parse_mysql_tail(struct cursor *c, struct event_gtid *g)
{
    if (c->left == 0 || cursor_u8(c) != LOGICAL_TIMESTAMPS)
        return;
    (void)cursor_u64(c);
    (void)cursor_u64(c);
    if (c->left == 0)
        return;
    g->commit_us = cursor_u56(c);
    g->immediate_commit_us = g->commit_us & ~COMMIT_TIME_MORE;
    if (g->commit_us & COMMIT_TIME_MORE)
        g->commit_us = cursor_u56(c); /* the original commit's, on an intermediate server */
    if (c->left != 0)
        g->transaction_length = cursor_lenenc(c);
}

static int parse_mysql(const struct event_header *h, struct cursor *c, struct event_gtid *g)
{
    (void)cursor_u8(c); /* flags */
    const uint8_t *uuid = cursor_bytes(c, GTID_UUID_LEN);
    uint64_t gno = cursor_u64(c);
    parse_mysql_tail(c, g);
    if (!cursor_ok(c))
        return LT_ESHORT;
    if (h->type == EVENT_ANONYMOUS_GTID)
        return 0;
    if (gno == 0 || gno > GTID_GNO_MAX)
        return LT_EPROTO;
    g->gtid.kind = GTID_MYSQL;
    g->gtid.seq = gno;
    memcpy(g->gtid.uuid, uuid, GTID_UUID_LEN);
    return 0;
}

static int take_tagged_uuid(struct cursor *c, uint8_t ret_uuid[GTID_UUID_LEN])
{
    for (size_t i = 0; i < GTID_UUID_LEN; i++) {
        uint64_t v = varlen_unsigned(c);
        if (v > UINT8_MAX)
            return LT_EPROTO;
        ret_uuid[i] = (uint8_t)v;
    }
    return 0;
}

static int take_tagged_field(struct cursor *c, uint64_t field, struct event_gtid *g)
{
    switch (field) {
    case TAGGED_UUID:
        return take_tagged_uuid(c, g->gtid.uuid);
    case TAGGED_GNO: {
        int64_t gno = varlen_signed(c);
        g->gtid.seq = gno > 0 ? (uint64_t)gno : 0;
        return 0;
    }
    case TAGGED_TAG:
        return gtid_tag_take(c, g->gtid.tag);
    case TAGGED_IMMEDIATE_COMMIT:
        g->commit_us = g->immediate_commit_us = varlen_unsigned(c);
        return 0;
    case TAGGED_ORIGINAL_COMMIT: /* comes later and wins */
        g->commit_us = varlen_unsigned(c);
        return 0;
    case TAGGED_LENGTH:
        g->transaction_length = varlen_unsigned(c);
        return 0;
    case TAGGED_FLAGS:
    case TAGGED_LAST_COMMITTED:
    case TAGGED_SEQUENCE_NUMBER:
    case TAGGED_IMMEDIATE_VERSION:
    case TAGGED_ORIGINAL_VERSION:
    case TAGGED_COMMIT_TICKET:
        (void)varlen_unsigned(c);
        return 0;
    default:
        return LT_EUNSUPPORTED;
    }
}

static int parse_tagged(struct cursor *c, struct event_gtid *g)
{
    size_t total = c->left;
    uint64_t version = varlen_unsigned(c);
    uint64_t size = varlen_unsigned(c);
    uint64_t last_needed = varlen_unsigned(c);
    if (!cursor_ok(c))
        return LT_ESHORT;
    if (version != TAGGED_VERSION)
        return LT_EUNSUPPORTED;
    size_t head = total - c->left;
    if (size < head || size > total)
        return LT_EPROTO;
    struct cursor fields = cursor_child(c, (size_t)size - head);
    while (fields.left != 0) {
        uint64_t field = varlen_unsigned(&fields);
        if (field > TAGGED_COMMIT_TICKET && field > last_needed)
            break; /* of a later release, and said to be skippable: nothing after it can be found */
        int rc = take_tagged_field(&fields, field, g);
        if (rc != 0)
            return rc;
    }
    if (!cursor_ok(&fields))
        return LT_ESHORT;
    if (g->gtid.seq == 0 || g->gtid.seq > GTID_GNO_MAX)
        return LT_EPROTO;
    g->gtid.kind = GTID_MYSQL;
    return 0;
}

static int parse_mariadb(const struct event_header *h, struct cursor *c, struct event_gtid *g)
{
    g->gtid.kind = GTID_MARIADB;
    g->gtid.server_id = h->server_id;
    g->gtid.seq = cursor_u64(c);
    g->gtid.domain_id = cursor_u32(c);
    g->mariadb_flags2 = cursor_u8(c);
    if (g->mariadb_flags2 & MARIADB_GTID_GROUP_COMMIT)
        (void)cursor_u64(c);
    if (g->mariadb_flags2 & MARIADB_GTID_XA) {
        (void)cursor_u32(c);
        unsigned gtrid_len = cursor_u8(c);
        unsigned bqual_len = cursor_u8(c);
        if (gtrid_len > XA_ID_PART_MAX || bqual_len > XA_ID_PART_MAX)
            return LT_EPROTO;
        (void)cursor_bytes(c, gtrid_len + bqual_len);
    }
    /* Behind it are zeros or the extra flags of newer releases: nothing that a boundary depends on. */
    return cursor_ok(c) ? 0 : LT_ESHORT;
}

int event_gtid_parse(const uint8_t *event, size_t len, bool crc, struct event_gtid *ret)
{
    struct event_header h;
    struct cursor c;
    int rc = event_body(event, len, crc, &h, &c);
    if (rc != 0)
        return rc;
    struct event_gtid g = {0};
    switch (h.type) {
    case EVENT_GTID:
    case EVENT_ANONYMOUS_GTID:
        rc = parse_mysql(&h, &c, &g);
        break;
    case EVENT_GTID_TAGGED:
        rc = parse_tagged(&c, &g);
        break;
    case EVENT_MARIADB_GTID:
        rc = parse_mariadb(&h, &c, &g);
        break;
    default:
        rc = LT_EPROTO;
    }
    if (rc == 0)
        *ret = g;
    return rc;
}
