/* Headers, checksums and the simple events; transactions are in fake_txn.c. */
#include "fake_events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/crc32.h"
#include "binlog/event.h"
#include "binlog/gtid.h"

#define FILL_PERIOD 65521u /* prime, so that the pattern never lines up with pages or packets */

static uint8_t fill_pattern[2 * FILL_PERIOD];
static pthread_once_t fill_once = PTHREAD_ONCE_INIT;

void fake_bytes_add(struct fake_bytes *b, const void *data, size_t len)
{
    if (b->cap - b->len < len) {
        size_t cap = b->cap ? b->cap : 4096;
        while (cap - b->len < len)
            cap *= 2;
        uint8_t *p = realloc(b->p, cap);
        lt_assert(p);
        b->p = p;
        b->cap = cap;
    }
    if (len)
        memcpy(b->p + b->len, data, len);
    b->len += len;
}

void fake_bytes_fini(struct fake_bytes *b)
{
    free(b->p);
    *b = (struct fake_bytes){0};
}

static void make_fill_pattern(void)
{
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < FILL_PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        fill_pattern[i] = fill_pattern[i + FILL_PERIOD] = (uint8_t)x;
    }
}

void fake_fill(uint8_t *out, size_t len, uint64_t at, uint32_t seed)
{
    (void)pthread_once(&fill_once, make_fill_pattern);
    while (len) {
        size_t from = (size_t)((at + seed) % FILL_PERIOD);
        size_t n = len < FILL_PERIOD ? len : FILL_PERIOD;
        memcpy(out, fill_pattern + from, n);
        out += n;
        at += n;
        len -= n;
    }
}

enum fake_release fake_release_of(const char *version)
{
    bool mariadb = strstr(version, "MariaDB") != NULL;
    if (strncmp(version, "5.5.5-", 6) == 0)
        version += 6;
    long major = strtol(version, NULL, 10);
    if (mariadb)
        return major >= 11 ? FAKE_MARIADB_11 : FAKE_MARIADB_10;
    if (major >= 9)
        return FAKE_MYSQL_97;
    if (major <= 5)
        return FAKE_MYSQL_57;
    return strncmp(version, "8.0", 3) == 0 ? FAKE_MYSQL_80 : FAKE_MYSQL_84;
}

bool fake_release_is_mariadb(enum fake_release release)
{
    return release == FAKE_MARIADB_10 || release == FAKE_MARIADB_11;
}

void fake_gen_init(struct fake_gen *g, enum fake_release release, const char *version)
{
    *g = (struct fake_gen){
        .pos = BINLOG_MAGIC_LEN,
        .release = release,
        .crc = true,
        .zero_log_pos = release == FAKE_MARIADB_11,
        .timestamp = 1700000000,
        .server_id = 33104,
        .uuid = {0x68, 0xb1, 0xe7, 0xed, 0xe6, 0xea, 0x11, 0xf1, 0xaf, 0x30, 2, 0xfc, 0, 0, 0, 1},
    };
    (void)snprintf(g->server_version, sizeof g->server_version, "%s", version);
}

void fake_gen_fini(struct fake_gen *g)
{
    fake_bytes_fini(&g->out);
}

void fake_gen_clear(struct fake_gen *g)
{
    g->out.len = 0;
}

size_t fake_gen_raw(struct fake_gen *g, uint8_t type, uint16_t flags, const void *body, size_t len)
{
    bool crc = g->crc || type == EVENT_FORMAT_DESCRIPTION;
    size_t total = EVENT_HEADER_LEN + len + (crc ? EVENT_CRC_LEN : 0);
    size_t at = g->out.len;
    uint8_t head[EVENT_HEADER_LEN];
    g->pos += total;
    store_u32(head, g->timestamp);
    head[4] = type;
    store_u32(head + 5, g->server_id);
    store_u32(head + 9, (uint32_t)total);
    store_u32(head + 13, g->in_txn && g->zero_log_pos ? 0 : (uint32_t)g->pos);
    store_u16(head + 17, flags);
    fake_bytes_add(&g->out, head, sizeof head);
    fake_bytes_add(&g->out, body, len);
    if (crc) {
        fake_bytes_add(&g->out, "\0\0\0\0", EVENT_CRC_LEN);
        event_crc_set(g->out.p + at, total);
    }
    return at;
}

void fake_gen_fde(struct fake_gen *g, uint32_t created)
{
    static const struct {
        uint8_t gtid_post_len;
        size_t count;
    } shape[] = {
        [FAKE_MYSQL_57] = {42, 38}, [FAKE_MYSQL_80] = {42, 41},    [FAKE_MYSQL_84] = {42, 42},
        [FAKE_MYSQL_97] = {42, 42}, [FAKE_MARIADB_10] = {19, 171}, [FAKE_MARIADB_11] = {19, 171},
    };
    uint8_t body[57 + 171 + 1] = {4, 0};
    bool mariadb = fake_release_is_mariadb(g->release);
    size_t n = shape[g->release].count;
    memcpy(body + 2, g->server_version, strnlen(g->server_version, 50));
    store_u32(body + 52, created);
    body[56] = EVENT_HEADER_LEN;
    uint8_t *post = body + 57;
    post[EVENT_QUERY - 1] = 13;
    post[EVENT_ROTATE - 1] = 8;
    post[EVENT_FORMAT_DESCRIPTION - 1] = (uint8_t)(57 + n);
    post[EVENT_TABLE_MAP - 1] = 8;
    post[EVENT_WRITE_ROWS_V1 - 1] = post[EVENT_UPDATE_ROWS_V1 - 1] = post[EVENT_DELETE_ROWS_V1 - 1] = 8;
    post[EVENT_INCIDENT - 1] = 2;
    post[EVENT_WRITE_ROWS - 1] = post[EVENT_UPDATE_ROWS - 1] = post[EVENT_DELETE_ROWS - 1] = 10;
    post[EVENT_GTID - 1] = post[EVENT_ANONYMOUS_GTID - 1] = 42;
    if (mariadb) {
        post[EVENT_MARIADB_GTID - 1] = shape[g->release].gtid_post_len;
        post[EVENT_MARIADB_GTID_LIST - 1] = 4;
        post[EVENT_MARIADB_BINLOG_CHECKPOINT - 1] = 4;
    }
    body[57 + n] = g->crc ? 1 : 0;
    (void)fake_gen_raw(g, EVENT_FORMAT_DESCRIPTION, 0, body, 58 + n);
}

void fake_gen_previous_gtids(struct fake_gen *g, const char *gtids)
{
    struct gtid_set set;
    uint8_t *data = NULL;
    size_t len = 0;
    gtid_set_init(&set);
    lt_assert(gtid_set_parse(GTID_MYSQL, gtids, &set) == 0);
    lt_assert(gtid_set_encode_mysql(&set, &data, &len) == 0);
    (void)fake_gen_raw(g, EVENT_PREVIOUS_GTIDS, EVENT_FLAG_IGNORABLE, data, len);
    free(data);
    gtid_set_fini(&set);
}

void fake_gen_gtid_list(struct fake_gen *g, const char *gtids)
{
    struct fake_bytes body = {0};
    uint32_t count = 0;
    fake_bytes_add(&body, "\0\0\0\0", 4);
    while (*gtids) {
        char *end;
        uint8_t item[16];
        store_u32(item, (uint32_t)strtoul(gtids, &end, 10));
        store_u32(item + 4, (uint32_t)strtoul(end + 1, &end, 10));
        store_u64(item + 8, strtoull(end + 1, &end, 10));
        fake_bytes_add(&body, item, sizeof item);
        count++;
        gtids = *end == ',' ? end + 1 : end;
    }
    store_u32(body.p, count);
    (void)fake_gen_raw(g, EVENT_MARIADB_GTID_LIST, 0, body.p, body.len);
    fake_bytes_fini(&body);
}

void fake_gen_checkpoint(struct fake_gen *g, const char *name)
{
    uint8_t body[4 + BINLOG_NAME_MAX];
    size_t n = strnlen(name, BINLOG_NAME_MAX);
    store_u32(body, (uint32_t)n);
    memcpy(body + 4, name, n);
    (void)fake_gen_raw(g, EVENT_MARIADB_BINLOG_CHECKPOINT, 0, body, 4 + n);
}

void fake_gen_file_start(struct fake_gen *g, const char *name, const char *gtids, bool first_after_start)
{
    fake_gen_fde(g, first_after_start ? g->timestamp : 0);
    if (fake_release_is_mariadb(g->release)) {
        fake_gen_gtid_list(g, gtids);
        fake_gen_checkpoint(g, name);
    } else {
        fake_gen_previous_gtids(g, gtids);
    }
}

void fake_gen_rotate(struct fake_gen *g, const char *next, uint64_t pos)
{
    uint8_t body[8 + BINLOG_NAME_MAX];
    size_t n = strnlen(next, BINLOG_NAME_MAX);
    store_u64(body, pos);
    memcpy(body + 8, next, n);
    (void)fake_gen_raw(g, EVENT_ROTATE, 0, body, 8 + n);
}

void fake_gen_stop(struct fake_gen *g)
{
    (void)fake_gen_raw(g, EVENT_STOP, 0, NULL, 0);
}

void fake_gen_start_encryption(struct fake_gen *g)
{
    static const uint8_t body[17] = {1, 1, 0, 0, 0, 11, 22, 33, 44, 55, 66, 77, 88, 99, 110, 121, 132};
    (void)fake_gen_raw(g, EVENT_MARIADB_START_ENCRYPTION, EVENT_FLAG_IGNORABLE, body, sizeof body);
}

void fake_gen_incident(struct fake_gen *g, const char *text)
{
    uint8_t body[3 + 255] = {1, 0};
    size_t n = strnlen(text, 255);
    body[2] = (uint8_t)n;
    memcpy(body + 3, text, n);
    (void)fake_gen_raw(g, EVENT_INCIDENT, 0, body, 3 + n);
}

/* A stored heartbeat does not exist on a real server: tests use it as an event that must not be stored. */
void fake_gen_heartbeat(struct fake_gen *g, const char *name)
{
    uint32_t keep = g->timestamp;
    uint64_t pos = g->pos;
    g->timestamp = 0;
    size_t at = fake_gen_raw(g, EVENT_HEARTBEAT, 0, name, strlen(name));
    g->timestamp = keep;
    g->pos = pos;
    store_u32(g->out.p + at + 13, (uint32_t)pos);
    if (g->crc)
        event_crc_set(g->out.p + at, g->out.len - at);
}
