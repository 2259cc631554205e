/*
 * What the tests of this folder share: bytes from hex text, exact copies, captured files, reproducible random numbers.
 */
#ifndef LT_TESTS_BINLOG_SAMPLE_H
#define LT_TESTS_BINLOG_SAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/event.h"

#define SAMPLE_MAX 512

struct sample {
    uint8_t data[SAMPLE_MAX];
    size_t len;
};

static inline int sample_nibble(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Hex digits; 'text' stands for its bytes; blanks and bars are for the eye. */
static inline struct sample sample_hex(const char *text)
{
    struct sample s = {.len = 0};
    for (const char *p = text; *p != '\0' && s.len < SAMPLE_MAX; p++) {
        if (*p == '\'') {
            for (p++; *p != '\'' && *p != '\0' && s.len < SAMPLE_MAX; p++)
                s.data[s.len++] = (uint8_t)*p;
        } else if (sample_nibble(p[0]) >= 0) {
            int high = sample_nibble(p[0]);
            s.data[s.len++] = (uint8_t)(high << 4 | (sample_nibble(p[1]) & 15));
            p++;
        }
    }
    return s;
}

/* An event around a body: header made, checksum appended where crc. */
static inline struct sample sample_event(uint8_t type, uint32_t log_pos, uint16_t flags, const struct sample *body,
                                         bool crc)
{
    struct sample s = {.len = EVENT_HEADER_LEN + body->len + (crc ? EVENT_CRC_LEN : 0)};
    s.data[4] = type;
    store_u32(s.data + 5, 0x8150);
    store_u32(s.data + 9, (uint32_t)s.len);
    store_u32(s.data + 13, log_pos);
    store_u16(s.data + 17, flags);
    memcpy(s.data + EVENT_HEADER_LEN, body->data, body->len);
    if (crc)
        event_crc_set(s.data, s.len);
    return s;
}

/* An allocation of exactly len bytes, so that a sanitizer sees a read past the end. */
static inline uint8_t *sample_exact(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (copy == NULL)
        abort();
    if (len != 0)
        memcpy(copy, data, len);
    return copy;
}

/* A captured binlog file, allocated. */
static inline uint8_t *sample_file(const char *name, size_t *ret_len)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return NULL;
    uint8_t *data = malloc(1 << 16);
    if (data == NULL)
        abort();
    *ret_len = fread(data, 1, 1 << 16, f);
    (void)fclose(f);
    return data;
}

static const char *const sample_files[] = {
    "mariadb_compressed.bin", "mariadb_crc.bin",     "mariadb_domains.bin", "mariadb_none.bin",
    "mariadb_stop.bin",       "mysql_anonymous.bin", "mysql_gtid.bin",      "mysql_none.bin",
    "mysql_payload.bin",      "mysql_stop.bin",      "mysql_tagged.bin",
};
#define SAMPLE_FILES (sizeof sample_files / sizeof sample_files[0])

static inline uint64_t sample_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x >> 11;
}

#endif
