/*
 * An event either opens a transaction, belongs to the open one and perhaps ends it, or stands outside. Per event: one switch on the
 * type, and the body only of GTID events, FDEs and QUERYs.
 *
 * Where the bytes contradict the rules (a new GTID or a Rotate while a transaction is open, a length that no event ends at), `odd`
 * counts it and the tracker goes on from what is certain: events that never belong to a transaction show that none is open.
 */
#include "binlog/txn.h"

void txn_reset(struct txn_tracker *t)
{
    *t = (struct txn_tracker){.offset = BINLOG_MAGIC_LEN, .boundary = BINLOG_MAGIC_LEN};
}

static void begin(struct txn_tracker *t, uint64_t start)
{
    t->open = true;
    t->open_start = start;
    t->open_end = 0;
    t->standalone = false;
    t->saw_begin = false;
    t->open_gtid.kind = GTID_NONE;
}

static void complete(struct txn_tracker *t, struct txn_step *ret)
{
    t->open = false;
    t->have_last = true;
    t->last_start = t->open_start;
    t->last_end = t->offset;
    t->last_gtid = t->open_gtid;
    ret->completed = true;
    ret->start = t->open_start;
    ret->gtid = t->open_gtid;
}

/* What the open transaction was meant to be stays unknown: it did not end by the rules. */
static void abandon(struct txn_tracker *t)
{
    if (t->open)
        t->odd++;
    t->open = false;
}

static void feed_gtid(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len,
                      struct txn_step *ret)
{
    struct event_gtid g;
    uint64_t start = t->offset - h->length;
    bool crc = t->checksum == CHECKSUM_CRC32;
    if (head_len < h->length || event_gtid_parse(head, h->length, crc, &g) != 0) {
        t->odd++;
        return;
    }
    if (t->open) {
        abandon(t);
        t->boundary = start;
    }
    begin(t, start);
    t->open_gtid = g.gtid;
    t->standalone = g.mariadb_flags2 & MARIADB_GTID_STANDALONE;
    if (g.transaction_length == 0)
        return;
    if (g.transaction_length < h->length || g.transaction_length > UINT64_MAX - start)
        t->odd++;
    else
        t->open_end = start + g.transaction_length;
    if (t->open_end == t->offset)
        complete(t, ret);
}

static void feed_fde(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len)
{
    struct event_fde fde;
    abandon(t);
    if (head_len < h->length || event_fde_parse(head, h->length, &fde) != 0) {
        t->odd++;
        return;
    }
    t->have_fde = true;
    t->is_mariadb = fde.is_mariadb;
    t->checksum = fde.checksum;
}

static enum query_kind query_kind(struct txn_tracker *t, const struct event_header *h, const uint8_t *head,
                                  size_t head_len, bool *ret_known)
{
    enum query_kind kind = QUERY_OTHER;
    *ret_known = event_query_kind(head, head_len, h->length, t->checksum == CHECKSUM_CRC32, &kind) == 0;
    if (!*ret_known)
        t->odd++;
    return kind;
}

static bool ends_transaction(enum query_kind kind)
{
    return kind == QUERY_COMMIT || kind == QUERY_ROLLBACK || kind == QUERY_XA_COMMIT || kind == QUERY_XA_ROLLBACK;
}

static bool starts_transaction(enum query_kind kind)
{
    return kind == QUERY_BEGIN || kind == QUERY_XA_START;
}

/* MySQL after a GTID event without transaction_length, and what a bare BEGIN opened: does this event end it? */
static bool mysql_ends(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len)
{
    switch (h->type) {
    case EVENT_XID:
    case EVENT_XA_PREPARE:
    case EVENT_TRANSACTION_PAYLOAD:
        return true;
    case EVENT_INCIDENT:
        return !t->saw_begin;
    case EVENT_QUERY: {
        bool known;
        enum query_kind kind = query_kind(t, h, head, head_len, &known);
        if (!known)
            return false;
        if (t->saw_begin)
            return ends_transaction(kind);
        t->saw_begin = starts_transaction(kind);
        return !t->saw_begin;
    }
    default:
        return false;
    }
}

static bool mariadb_ends(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len)
{
    switch (h->type) {
    case EVENT_INTVAR:
    case EVENT_RAND:
    case EVENT_USER_VAR:
    case EVENT_TABLE_MAP:
    case EVENT_MARIADB_ANNOTATE_ROWS:
    case EVENT_INCIDENT: /* belongs to no group */
        return false;
    case EVENT_XID:
    case EVENT_XA_PREPARE:
        return true;
    case EVENT_QUERY: {
        bool known;
        return t->standalone || ends_transaction(query_kind(t, h, head, head_len, &known));
    }
    default:
        return t->standalone;
    }
}

static void feed_open(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len,
                      struct txn_step *ret)
{
    if (t->open_end != 0) {
        if (t->offset == t->open_end)
            complete(t, ret);
        if (t->offset <= t->open_end)
            return;
        /* No event ended where the length said: from here the events decide. */
        t->odd++;
        t->open_end = 0;
        t->saw_begin = true;
    }
    bool ends =
        t->open_gtid.kind == GTID_MARIADB ? mariadb_ends(t, h, head, head_len) : mysql_ends(t, h, head, head_len);
    if (ends)
        complete(t, ret);
}

/* Without a GTID event before it only BEGIN opens something (files of releases that had no GTID events). */
static void feed_outside(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len)
{
    bool known;
    if (h->type != EVENT_QUERY || !starts_transaction(query_kind(t, h, head, head_len, &known)))
        return;
    begin(t, t->offset - h->length);
    t->saw_begin = true;
}

void txn_feed(struct txn_tracker *t, const struct event_header *h, const uint8_t *head, size_t head_len,
              struct txn_step *ret)
{
    t->offset += h->length;
    t->ended = false;
    ret->completed = false;
    ret->forced = false;
    ret->start = 0;
    ret->gtid.kind = GTID_NONE;
    switch (h->type) {
    case EVENT_GTID:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_GTID_TAGGED:
    case EVENT_MARIADB_GTID:
        feed_gtid(t, h, head, head_len, ret);
        break;
    case EVENT_FORMAT_DESCRIPTION:
        feed_fde(t, h, head, head_len);
        break;
    case EVENT_ROTATE:
    case EVENT_STOP:
        abandon(t);
        t->ended = true;
        break;
    case EVENT_PREVIOUS_GTIDS:
    case EVENT_MARIADB_BINLOG_CHECKPOINT:
    case EVENT_MARIADB_GTID_LIST:
    case EVENT_MARIADB_START_ENCRYPTION:
        abandon(t);
        break;
    default:
        if (t->open)
            feed_open(t, h, head, head_len, ret);
        else
            feed_outside(t, h, head, head_len);
    }
    ret->boundary = !t->open;
    if (!t->open)
        t->boundary = t->offset;
}

bool txn_force_boundary(struct txn_tracker *t, struct txn_step *ret)
{
    *ret = (struct txn_step){.boundary = true};
    if (!t->open)
        return false;
    t->odd++;
    complete(t, ret);
    ret->forced = true;
    t->boundary = t->offset;
    return true;
}
