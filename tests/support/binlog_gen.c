/*
 * Binlog files for tests. Layouts: binlog format v4 as the servers write it, bodies filled as far as parsers look.
 */
#include "binlog_gen.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

#define SERVER_ID 7u
#define DOMAIN_ID 0u

static const uint8_t source_uuid[GTID_UUID_LEN] = {0x68, 0xb1, 0xe7, 0xed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

void gen_init(struct binlog_gen *g, bool mariadb, bool crc)
{
    *g = (struct binlog_gen){.mariadb = mariadb, .crc = crc};
}

void gen_fini(struct binlog_gen *g)
{
    free(g->data);
    g->data = NULL;
}

static uint8_t *extend(struct binlog_gen *g, size_t len)
{
    if (g->len + len > g->cap) {
        g->cap = (g->len + len) * 2;
        g->data = realloc(g->data, g->cap);
        if (g->data == NULL)
            abort();
    }
    uint8_t *p = g->data + g->len;
    memset(p, 0, len);
    g->len += len;
    return p;
}

static void put_event(struct binlog_gen *g, uint8_t type, const void *body, size_t len, uint16_t flags, bool crc)
{
    size_t total = EVENT_HEADER_LEN + len + (crc ? EVENT_CRC_LEN : 0);
    uint8_t *p = extend(g, total);
    struct writer w = writer_on(p, total);

    writer_u32(&w, 1700000000);
    writer_u8(&w, type);
    writer_u32(&w, SERVER_ID);
    writer_u32(&w, (uint32_t)total);
    writer_u32(&w, (uint32_t)g->len);
    writer_u16(&w, flags);
    if (len > 0)
        writer_bytes(&w, body, len);
    if (crc)
        event_crc_set(p, total);
}

void gen_event(struct binlog_gen *g, uint8_t type, const void *body, size_t len, uint16_t flags)
{
    put_event(g, type, body, len, flags, g->crc);
}

/* Names and statements stand in events without a terminator. */
static void put_text(uint8_t *dst, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)text[i];
}

static void put_fde(struct binlog_gen *g)
{
    uint8_t body[57 + 171 + 1] = {0};
    size_t n = g->mariadb ? 171 : 42;
    const char *version = g->mariadb ? "10.11.6-MariaDB-log" : "9.7.0";

    store_u16(body, 4);
    put_text(body + 2, version, strlen(version));
    store_u32(body + 52, 0);
    body[56] = EVENT_HEADER_LEN;
    memset(body + 57, 0, n);
    body[57 + n] = g->crc ? CHECKSUM_CRC32 : CHECKSUM_NONE;
    put_event(g, EVENT_FORMAT_DESCRIPTION, body, 57 + n + 1, 0, true);
}

static void put_list(struct binlog_gen *g)
{
    uint8_t body[64] = {0};

    if (g->mariadb) {
        store_u32(body, g->seq > 0 ? 1 : 0);
        store_u32(body + 4, DOMAIN_ID);
        store_u32(body + 8, SERVER_ID);
        store_u64(body + 12, g->seq);
        gen_event(g, EVENT_MARIADB_GTID_LIST, body, g->seq > 0 ? 20 : 4, 0);
        return;
    }
    if (g->seq == 0) {
        gen_event(g, EVENT_PREVIOUS_GTIDS, body, 8, EVENT_FLAG_IGNORABLE);
        return;
    }
    store_u64(body, 1);
    memcpy(body + 8, source_uuid, GTID_UUID_LEN);
    store_u64(body + 24, 1);
    store_u64(body + 32, 1);
    store_u64(body + 40, g->seq + 1);
    gen_event(g, EVENT_PREVIOUS_GTIDS, body, 48, EVENT_FLAG_IGNORABLE);
}

void gen_file(struct binlog_gen *g, bool with_list)
{
    g->len = 0;
    memcpy(extend(g, BINLOG_MAGIC_LEN), binlog_magic, BINLOG_MAGIC_LEN);
    put_fde(g);
    if (with_list)
        put_list(g);
}

void gen_gtid(struct binlog_gen *g)
{
    uint8_t body[42] = {0};

    g->seq++;
    if (g->mariadb) {
        store_u64(body, g->seq);
        store_u32(body + 8, DOMAIN_ID);
        gen_event(g, EVENT_MARIADB_GTID, body, 19, 0);
        return;
    }
    body[0] = 1;
    memcpy(body + 1, source_uuid, GTID_UUID_LEN);
    store_u64(body + 17, g->seq);
    body[25] = 2;
    gen_event(g, EVENT_GTID, body, 42, 0);
}

void gen_query(struct binlog_gen *g, const char *sql)
{
    uint8_t body[256] = {0};
    size_t n = strlen(sql);

    put_text(body + 14, sql, n);
    gen_event(g, EVENT_QUERY, body, 14 + n, 0);
}

void gen_rows(struct binlog_gen *g, size_t bytes)
{
    uint8_t *body = malloc(bytes + 1);
    if (body == NULL)
        abort();
    for (size_t i = 0; i < bytes; i++)
        body[i] = (uint8_t)((i + g->len) * 2654435761u >> 13);
    gen_event(g, EVENT_WRITE_ROWS, body, bytes, 0);
    free(body);
}

void gen_xid(struct binlog_gen *g)
{
    uint8_t body[8];

    store_u64(body, g->seq);
    gen_event(g, EVENT_XID, body, sizeof body, 0);
}

void gen_txn(struct binlog_gen *g, size_t bytes)
{
    gen_gtid(g);
    if (!g->mariadb)
        gen_query(g, "BEGIN");
    gen_rows(g, bytes);
    gen_xid(g);
}

void gen_rotate(struct binlog_gen *g, const char *next)
{
    uint8_t body[8 + BINLOG_NAME_MAX];
    size_t n = strlen(next);

    store_u64(body, BINLOG_MAGIC_LEN);
    put_text(body + 8, next, n);
    gen_event(g, EVENT_ROTATE, body, 8 + n, 0);
}

int gen_feed_event(struct store *s, const uint8_t *event, size_t piece, bool flagged, struct txn_step *ret_step)
{
    struct event_header h;
    struct txn_step step;
    struct lt_err err;
    int rc = event_header_parse(event, EVENT_HEADER_LEN, &h);

    if (rc == 0)
        rc = store_event_begin(s, &h, &err);
    for (size_t at = 0; rc == 0 && at < h.length; at += piece) {
        size_t n = h.length - at < piece ? h.length - at : piece;
        rc = store_event_bytes(s, event + at, n, &err);
    }
    if (rc == 0)
        rc = store_event_end(s, event, h.length, flagged, ret_step != NULL ? ret_step : &step, &err);
    return rc;
}

int gen_feed(struct store *s, const uint8_t *data, size_t len, size_t off, size_t piece, bool flagged, size_t *ret_off)
{
    int rc = 0;

    *ret_off = off;
    while (rc == 0 && *ret_off < len) {
        rc = gen_feed_event(s, data + *ret_off, piece, flagged, NULL);
        if (rc == 0)
            *ret_off += load_u32(data + *ret_off + 9);
    }
    return rc;
}
