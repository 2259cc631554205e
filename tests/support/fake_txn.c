/*
 * Transactions for the event builder. transaction_length counts the GTID event itself, whose size depends on that number: the body is
 * built once to learn its length, thrown away, and built again behind the GTID event.
 */
#include "fake_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/event.h"

#define TABLE_ID      77
#define COMMIT_US     1700000000000000ull
#define SERVER_NUMBER 90704u

static void add_u8(struct fake_bytes *b, uint8_t v)
{
    fake_bytes_add(b, &v, 1);
}

static void add_u16(struct fake_bytes *b, uint16_t v)
{
    uint8_t p[2];
    store_u16(p, v);
    fake_bytes_add(b, p, sizeof p);
}

static void add_u32(struct fake_bytes *b, uint32_t v)
{
    uint8_t p[4];
    store_u32(p, v);
    fake_bytes_add(b, p, sizeof p);
}

static void add_u64(struct fake_bytes *b, uint64_t v)
{
    uint8_t p[8];
    store_u64(p, v);
    fake_bytes_add(b, p, sizeof p);
}

static void add_lenenc(struct fake_bytes *b, uint64_t v)
{
    if (v < 251) {
        add_u8(b, (uint8_t)v);
    } else if (v <= 0xffff) {
        add_u8(b, 0xfc);
        add_u16(b, (uint16_t)v);
    } else if (v <= 0xffffff) {
        add_u8(b, 0xfd);
        add_u8(b, (uint8_t)v);
        add_u16(b, (uint16_t)(v >> 8));
    } else {
        add_u8(b, 0xfe);
        add_u64(b, v);
    }
}

/* MySQL's "serialization" integers: as many trailing 1 bits as further bytes. */
static void add_varlen(struct fake_bytes *b, uint64_t v)
{
    unsigned bytes = 1;
    while (bytes < 9 && v >> (7 * bytes))
        bytes++;
    if (bytes == 9) {
        add_u8(b, 0xff);
        add_u64(b, v);
        return;
    }
    uint8_t first = (uint8_t)((1u << (bytes - 1)) - 1);
    if (bytes == 8) {
        uint8_t p[8];
        store_u64(p, v);
        add_u8(b, first);
        fake_bytes_add(b, p, 7);
        return;
    }
    uint8_t p[8];
    store_u64(p, v << bytes | first);
    fake_bytes_add(b, p, bytes);
}

static void add_field(struct fake_bytes *b, uint8_t id, uint64_t v)
{
    add_varlen(b, id);
    add_varlen(b, v);
}

/* total: transaction_length to write. */
static void build_tagged(const struct fake_gen *g, const struct fake_gtid_spec *spec, uint64_t total,
                         struct fake_bytes *body)
{
    struct fake_bytes f = {0};
    size_t tag_len = strnlen(spec->tag, 32);
    add_field(&f, 0, 0);
    add_varlen(&f, 1);
    for (size_t i = 0; i < sizeof g->uuid; i++)
        add_varlen(&f, g->uuid[i]);
    add_field(&f, 2, spec->seq << 1);
    add_field(&f, 3, tag_len);
    fake_bytes_add(&f, spec->tag, tag_len);
    add_field(&f, 4, 0);
    add_field(&f, 5, 2);
    add_field(&f, 6, COMMIT_US);
    add_field(&f, 8, total);
    add_field(&f, 9, SERVER_NUMBER);

    /* The total body size counts its own bytes. */
    size_t size = f.len + 3;
    if (size >= 128)
        size++;
    add_varlen(body, 1);
    add_varlen(body, size);
    add_varlen(body, 0);
    fake_bytes_add(body, f.p, f.len);
    fake_bytes_fini(&f);
}

static void build_untagged(const struct fake_gen *g, const struct fake_gtid_spec *spec, uint64_t total,
                           struct fake_bytes *body)
{
    static const uint8_t no_uuid[16];
    add_u8(body, 0);
    fake_bytes_add(body, spec->seq ? g->uuid : no_uuid, 16);
    add_u64(body, spec->seq);
    add_u8(body, 2);
    add_u64(body, spec->seq ? spec->seq - 1 : 0);
    add_u64(body, spec->seq);
    if (g->release == FAKE_MYSQL_57)
        return;
    uint8_t us[8];
    store_u64(us, COMMIT_US);
    fake_bytes_add(body, us, 7);
    add_lenenc(body, total);
    add_u32(body, SERVER_NUMBER);
    if (g->release == FAKE_MYSQL_97)
        add_u64(body, 0);
}

static void gen_gtid_mysql(struct fake_gen *g, const struct fake_gtid_spec *spec)
{
    bool tagged = spec->tag && *spec->tag;
    uint64_t total = 0;
    struct fake_bytes body = {0};
    /* The length field grows with what it says: settles in at most three rounds. */
    for (int round = 0; round < 4; round++) {
        body.len = 0;
        if (tagged)
            build_tagged(g, spec, total, &body);
        else
            build_untagged(g, spec, total, &body);
        total = EVENT_HEADER_LEN + body.len + (g->crc ? EVENT_CRC_LEN : 0) + spec->body_len;
    }
    uint8_t type = tagged ? EVENT_GTID_TAGGED : spec->seq ? EVENT_GTID : EVENT_ANONYMOUS_GTID;
    (void)fake_gen_raw(g, type, 0, body.p, body.len);
    fake_bytes_fini(&body);
}

void fake_gen_gtid(struct fake_gen *g, const struct fake_gtid_spec *spec)
{
    g->in_txn = false;
    if (!fake_release_is_mariadb(g->release)) {
        gen_gtid_mysql(g, spec);
    } else {
        uint8_t body[19] = {0};
        store_u64(body, spec->seq);
        store_u32(body + 8, g->domain_id);
        body[12] = spec->flags2;
        (void)fake_gen_raw(g, EVENT_MARIADB_GTID, 0, body, sizeof body);
    }
    g->in_txn = true;
}

void fake_gen_query(struct fake_gen *g, const char *db, const char *sql)
{
    struct fake_bytes body = {0};
    size_t db_len = strlen(db);
    add_u32(&body, 5); /* thread */
    add_u32(&body, 0);
    add_u8(&body, (uint8_t)db_len);
    add_u16(&body, 0);
    add_u16(&body, 5); /* status variables: flags2 */
    fake_bytes_add(&body, "\0\0\0\0\0", 5);
    fake_bytes_add(&body, db, db_len + 1);
    fake_bytes_add(&body, sql, strlen(sql));
    (void)fake_gen_raw(g, EVENT_QUERY, 0, body.p, body.len);
    fake_bytes_fini(&body);
}

void fake_gen_xid(struct fake_gen *g, uint64_t xid)
{
    uint8_t body[8];
    store_u64(body, xid);
    g->in_txn = false;
    (void)fake_gen_raw(g, EVENT_XID, 0, body, sizeof body);
}

void fake_gen_table_map(struct fake_gen *g)
{
    /* test.t: INT, LONGBLOB */
    static const uint8_t body[] = {TABLE_ID, 0, 0, 0,   0, 0, 1, 0,   4, 't', 'e', 's',
                                   't',      0, 1, 't', 0, 2, 3, 252, 1, 4,   3};
    (void)fake_gen_raw(g, EVENT_TABLE_MAP, 0, body, sizeof body);
}

void fake_gen_rows(struct fake_gen *g, uint32_t id, size_t blob_len)
{
    bool mariadb = fake_release_is_mariadb(g->release);
    struct fake_bytes body = {0};
    uint8_t block[4096];
    add_u32(&body, TABLE_ID);
    add_u16(&body, 0);
    add_u16(&body, 1); /* STMT_END */
    if (!mariadb)
        add_u16(&body, 2);
    add_u8(&body, 2);
    add_u8(&body, 0xff);
    add_u8(&body, 0);
    add_u32(&body, id);
    add_u32(&body, (uint32_t)blob_len);
    for (size_t at = 0; at < blob_len; at += sizeof block) {
        size_t n = blob_len - at < sizeof block ? blob_len - at : sizeof block;
        fake_fill(block, n, at, id * 977);
        fake_bytes_add(&body, block, n);
    }
    (void)fake_gen_raw(g, mariadb ? EVENT_WRITE_ROWS_V1 : EVENT_WRITE_ROWS, 0, body.p, body.len);
    fake_bytes_fini(&body);
}

void fake_gen_xa_prepare(struct fake_gen *g, bool one_phase, const char *xid)
{
    struct fake_bytes body = {0};
    add_u8(&body, one_phase);
    add_u32(&body, 1);
    add_u32(&body, (uint32_t)strlen(xid));
    add_u32(&body, 0);
    fake_bytes_add(&body, xid, strlen(xid));
    g->in_txn = false;
    (void)fake_gen_raw(g, EVENT_XA_PREPARE, 0, body.p, body.len);
    fake_bytes_fini(&body);
}

void fake_gen_payload(struct fake_gen *g, const void *events, size_t len)
{
    struct fake_bytes body = {0};
    struct fake_bytes size = {0};
    add_lenenc(&size, len);
    const uint8_t ids[2] = {1, 3}; /* payload size; uncompressed size */
    for (size_t i = 0; i < 2; i++) {
        if (i == 1)
            fake_bytes_add(&body, "\x02\x03\xfc\xff\0", 5);
        add_u8(&body, ids[i]);
        add_lenenc(&body, size.len);
        fake_bytes_add(&body, size.p, size.len);
    }
    add_u8(&body, 0);
    fake_bytes_add(&body, events, len);
    g->in_txn = false;
    (void)fake_gen_raw(g, EVENT_TRANSACTION_PAYLOAD, 0, body.p, body.len);
    fake_bytes_fini(&size);
    fake_bytes_fini(&body);
}

static void gen_rows_part(struct fake_gen *g, const struct fake_txn_spec *spec)
{
    static const char sql[] = "insert into t values (1, 'x')";
    if (spec->annotate) {
        if (fake_release_is_mariadb(g->release)) {
            (void)fake_gen_raw(g, EVENT_MARIADB_ANNOTATE_ROWS, 0, sql, sizeof sql - 1);
        } else {
            uint8_t body[sizeof sql];
            body[0] = sizeof sql - 1;
            memcpy(body + 1, sql, sizeof sql - 1);
            (void)fake_gen_raw(g, EVENT_ROWS_QUERY, EVENT_FLAG_IGNORABLE, body, sizeof body);
        }
    }
    fake_gen_table_map(g);
    for (unsigned i = 0; i < (spec->rows ? spec->rows : 1); i++)
        fake_gen_rows(g, (uint32_t)spec->seq + i, spec->blob_len);
}

static void gen_payload_txn(struct fake_gen *g, const struct fake_txn_spec *spec)
{
    struct fake_gen inner = *g;
    inner.out = (struct fake_bytes){0};
    inner.crc = false;
    fake_gen_query(&inner, "test", "BEGIN");
    gen_rows_part(&inner, spec);
    fake_gen_xid(&inner, spec->seq);
    fake_gen_payload(g, inner.out.p, inner.out.len);
    fake_gen_fini(&inner);
}

/* MariaDB writes BEGIN into the GTID event; MySQL as a QUERY. */
static void gen_begin(struct fake_gen *g)
{
    if (!fake_release_is_mariadb(g->release))
        fake_gen_query(g, "test", "BEGIN");
}

static void gen_last_query(struct fake_gen *g, const char *sql)
{
    g->in_txn = false;
    fake_gen_query(g, "test", sql);
}

static void gen_body(struct fake_gen *g, const struct fake_txn_spec *spec)
{
    switch (spec->kind) {
    case FAKE_TXN_ROWS:
        gen_begin(g);
        gen_rows_part(g, spec);
        fake_gen_xid(g, spec->seq + 100);
        break;
    case FAKE_TXN_DDL:
        gen_last_query(g, "create table t2 (a int)");
        break;
    case FAKE_TXN_MYISAM:
    case FAKE_TXN_ROLLBACK:
        gen_begin(g);
        gen_rows_part(g, spec);
        gen_last_query(g, spec->kind == FAKE_TXN_MYISAM ? "COMMIT" : "ROLLBACK");
        break;
    case FAKE_TXN_XA_PREPARE:
        fake_gen_query(g, "test", "XA START X'78',X'',1");
        gen_rows_part(g, spec);
        fake_gen_query(g, "test", "XA END X'78',X'',1");
        fake_gen_xa_prepare(g, false, "x");
        break;
    case FAKE_TXN_XA_COMMIT:
        gen_last_query(g, "XA COMMIT X'78',X'',1");
        break;
    case FAKE_TXN_PAYLOAD:
        gen_payload_txn(g, spec);
        break;
    }
}

static uint8_t mariadb_flags2(const struct fake_txn_spec *spec)
{
    switch (spec->kind) {
    case FAKE_TXN_DDL:
        return 0x20 | 0x01 | 0x08;
    case FAKE_TXN_XA_COMMIT:
        return 0x01;
    case FAKE_TXN_ROWS:
    case FAKE_TXN_XA_PREPARE:
    case FAKE_TXN_PAYLOAD:
        return 0x04 | 0x08;
    case FAKE_TXN_MYISAM:
    case FAKE_TXN_ROLLBACK:
        break;
    }
    return 0x08;
}

void fake_gen_txn(struct fake_gen *g, const struct fake_txn_spec *spec)
{
    struct fake_gen dry = *g;
    dry.out = (struct fake_bytes){0};
    gen_body(&dry, spec);
    fake_gen_gtid(g, &(struct fake_gtid_spec){
                         .seq = spec->seq, .tag = spec->tag, .body_len = dry.out.len, .flags2 = mariadb_flags2(spec)});
    fake_gen_fini(&dry);
    gen_body(g, spec);
}
