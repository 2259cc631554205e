/*
 * - Header, body, and the CRC of both.
 */
#include "mysqlwire/made_up.h"

#include <string.h>

#include "base/cursor.h"
#include "binlog/crc32.h"
#include "binlog/event.h"

#define LENGTH_AT          9
#define LOG_POS_AT         13
#define CREATED_AT         (EVENT_HEADER_LEN + 2 + 50)
#define LIST_UNTIL         0x10000000u
#define LIST_COUNT_MAX     0x0fffffffu
#define HEARTBEAT_END      0
#define HEARTBEAT_FILE     1
#define HEARTBEAT_POS      2
#define HEARTBEAT_NAME_MAX 250 /* a length of one byte */

static struct writer begin(const struct made_up *m, enum event_type type, uint16_t flags, uint64_t log_pos,
                           uint8_t *out, size_t cap)
{
    struct writer w = writer_on(out, cap);
    writer_u32(&w, 0);
    writer_u8(&w, (uint8_t)type);
    writer_u32(&w, m->server_id);
    writer_u32(&w, 0); /* the length: end() */
    writer_u32(&w, (uint32_t)log_pos);
    writer_u16(&w, flags);
    return w;
}

static int end(const struct made_up *m, struct writer *w, size_t *ret_len)
{
    if (w->failed)
        return LT_ETOOBIG;
    store_u32(w->p + LENGTH_AT, (uint32_t)(w->len + (m->crc ? EVENT_CRC_LEN : 0)));
    if (m->crc)
        writer_u32(w, crc32_update(0, w->p, w->len));
    *ret_len = w->len;
    return w->failed ? LT_ETOOBIG : 0;
}

int made_up_rotate(const struct made_up *m, const char *file, uint64_t pos, uint8_t *out, size_t cap, size_t *ret_len)
{
    struct writer w = begin(m, EVENT_ROTATE, EVENT_FLAG_ARTIFICIAL, 0, out, cap);
    writer_u64(&w, pos);
    writer_bytes(&w, file, strlen(file));
    return end(m, &w, ret_len);
}

int made_up_heartbeat(const struct made_up *m, const char *file, uint64_t pos, uint8_t *out, size_t cap,
                      size_t *ret_len)
{
    struct writer w = begin(m, EVENT_HEARTBEAT, 0, pos, out, cap);
    writer_bytes(&w, file, strlen(file));
    return end(m, &w, ret_len);
}

static void put_lenenc(struct writer *w, uint64_t v)
{
    if (v < 0xfb) {
        writer_u8(w, (uint8_t)v);
    } else if (v <= 0xffff) {
        writer_u8(w, 0xfc);
        writer_u16(w, (uint16_t)v);
    } else if (v <= 0xffffff) {
        writer_u8(w, 0xfd);
        writer_u24(w, (uint32_t)v);
    } else {
        writer_u8(w, 0xfe);
        writer_u64(w, v);
    }
}

static uint8_t lenenc_len(uint64_t v)
{
    return v < 0xfb ? 1 : v <= 0xffff ? 3 : v <= 0xffffff ? 4 : 9;
}

int made_up_heartbeat_v2(const struct made_up *m, const char *file, uint64_t pos, uint8_t *out, size_t cap,
                         size_t *ret_len)
{
    struct writer w = begin(m, EVENT_HEARTBEAT_V2, 0, pos, out, cap);
    size_t len = strnlen(file, HEARTBEAT_NAME_MAX + 1);
    if (len > HEARTBEAT_NAME_MAX)
        return LT_ETOOBIG;
    writer_u8(&w, HEARTBEAT_FILE);
    writer_u8(&w, (uint8_t)len);
    writer_bytes(&w, file, len);
    writer_u8(&w, HEARTBEAT_POS);
    writer_u8(&w, lenenc_len(pos));
    put_lenenc(&w, pos);
    writer_u8(&w, HEARTBEAT_END);
    return end(m, &w, ret_len);
}

int made_up_gtid_list(const struct made_up *m, const struct made_up_gtid *list, size_t count, bool until, uint64_t pos,
                      uint8_t *out, size_t cap, size_t *ret_len)
{
    if (count > LIST_COUNT_MAX)
        return LT_ETOOBIG;
    struct writer w = begin(m, EVENT_MARIADB_GTID_LIST, EVENT_FLAG_ARTIFICIAL, pos, out, cap);
    writer_u32(&w, (uint32_t)count | (until ? LIST_UNTIL : 0));
    for (size_t i = 0; i < count; i++) {
        writer_u32(&w, list[i].domain);
        writer_u32(&w, list[i].server);
        writer_u64(&w, list[i].seq);
    }
    if (count == 0) /* as servers pad it, so that a comment can stand in its place */
        writer_bytes(&w, "\0", 2);
    return end(m, &w, ret_len);
}

int made_up_format(uint8_t *event, size_t len)
{
    if (len < CREATED_AT + 4 + 1 + EVENT_CRC_LEN || event[4] != EVENT_FORMAT_DESCRIPTION ||
        load_u32(event + LENGTH_AT) != len)
        return LT_EPROTO;
    bool crc = event[len - EVENT_CRC_LEN - 1] == CHECKSUM_CRC32;
    store_u32(event + LOG_POS_AT, 0);
    store_u32(event + CREATED_AT, 0);
    if (crc)
        store_u32(event + len - EVENT_CRC_LEN, crc32_update(0, event, len - EVENT_CRC_LEN));
    return 0;
}
