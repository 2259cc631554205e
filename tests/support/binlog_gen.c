/*
 * Files of the fake primary's events (fake_events.h). Transactions are shorter than a server's: bodies filled as far as parsers look.
 */
#include "binlog_gen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

#define SERVER_ID 7u
#define DOMAIN_ID 0u

static const uint8_t source_uuid[GTID_UUID_LEN] = {0x68, 0xb1, 0xe7, 0xed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

void gen_init(struct binlog_gen *g, bool mariadb, bool crc)
{
    *g = (struct binlog_gen){.mariadb = mariadb, .crc = crc};
    fake_gen_init(&g->events, mariadb ? FAKE_MARIADB_10 : FAKE_MYSQL_97, mariadb ? "10.11.6-MariaDB-log" : "9.7.0");
    g->events.server_id = SERVER_ID;
    g->events.crc = crc;
}

void gen_fini(struct binlog_gen *g)
{
    fake_gen_fini(&g->events);
    g->data = NULL;
}

/* A test may have cut the file meanwhile. */
static struct fake_gen *begin(struct binlog_gen *g)
{
    g->events.out.len = g->len;
    g->events.pos = g->len;
    return &g->events;
}

static void end(struct binlog_gen *g)
{
    g->data = g->events.out.p;
    g->len = g->events.out.len;
}

void gen_bytes(struct binlog_gen *g, const void *bytes, size_t len)
{
    fake_bytes_add(&begin(g)->out, bytes, len);
    end(g);
}

void gen_event(struct binlog_gen *g, uint8_t type, const void *body, size_t len, uint16_t flags)
{
    (void)fake_gen_raw(begin(g), type, flags, body, len);
    end(g);
}

static void put_list(struct binlog_gen *g)
{
    char uuid[GTID_UUID_TEXT_LEN + 1];
    char set[GTID_UUID_TEXT_LEN + 32] = "";
    uuid_format(source_uuid, uuid);
    if (g->seq > 0 && g->mariadb)
        (void)snprintf(set, sizeof set, "%u-%u-%" PRIu64, DOMAIN_ID, SERVER_ID, g->seq);
    else if (g->seq > 0)
        (void)snprintf(set, sizeof set, "%s:1-%" PRIu64, uuid, g->seq);
    if (g->mariadb)
        fake_gen_gtid_list(begin(g), set);
    else
        fake_gen_previous_gtids(begin(g), set);
    end(g);
}

void gen_file(struct binlog_gen *g, bool with_list)
{
    g->len = 0;
    gen_bytes(g, binlog_magic, BINLOG_MAGIC_LEN);
    fake_gen_fde(begin(g), 0);
    end(g);
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

/* Not one of the fake primary's: without status variables, so that sizes are easy to say. */
void gen_query(struct binlog_gen *g, const char *sql)
{
    uint8_t body[256] = {0};
    size_t n = strnlen(sql, sizeof body - 14);

    memcpy(body + 14, sql, n);
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
    fake_gen_rotate(begin(g), next, BINLOG_MAGIC_LEN);
    end(g);
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
