/*
 * - A packet is begun with a hole of 4 bytes, filled with its payload, and closed: only then its length is known. A payload of 16 MiB - 1 and more is
 *   taken apart there, with one more header for each part.
 * - Rows end with an EOF packet, or with an OK that is marked as one where the client has deprecated those.
 */
#include "mysqlwire/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/packet.h"
#include "mysqlwire/capability.h"

#define ERR_TEXT_MAX   512
#define TYPE_LONGLONG  8
#define TYPE_VARSTRING 253
#define CHARSET_UTF8   45
#define CHARSET_BINARY 63
#define FLAG_NOT_NULL  1
#define FIXED_LEN      0x0c

void reply_begin(struct reply *r, uint32_t capabilities, uint8_t command_seq)
{
    *r = (struct reply){.capabilities = capabilities, .seq = (uint8_t)(command_seq + 1)};
}

void reply_fini(struct reply *r)
{
    free(r->data);
    *r = (struct reply){.failed = true};
}

static uint8_t *room(struct reply *r, size_t n)
{
    if (r->failed || n > REPLY_MAX - r->len) {
        r->failed = true;
        return NULL;
    }
    if (n > r->cap - r->len) {
        size_t cap = r->cap < 512 ? 512 : r->cap * 2;
        while (cap < r->len + n)
            cap *= 2;
        uint8_t *grown = realloc(r->data, cap);
        if (grown == NULL) {
            r->failed = true;
            return NULL;
        }
        r->data = grown;
        r->cap = cap;
    }
    uint8_t *at = r->data + r->len;
    r->len += n;
    return at;
}

static void put(struct reply *r, const void *data, size_t n)
{
    uint8_t *at = room(r, n);
    if (at != NULL && n > 0)
        memcpy(at, data, n);
}

static void put_u8(struct reply *r, uint8_t v)
{
    put(r, &v, 1);
}

static void put_u16(struct reply *r, uint16_t v)
{
    uint8_t b[2];
    store_u16(b, v);
    put(r, b, sizeof b);
}

static void put_u32(struct reply *r, uint32_t v)
{
    uint8_t b[4];
    store_u32(b, v);
    put(r, b, sizeof b);
}

static void put_lenenc(struct reply *r, uint64_t v)
{
    uint8_t b[9];
    if (v < 0xfb) {
        put_u8(r, (uint8_t)v);
    } else if (v <= 0xffff) {
        put_u8(r, 0xfc);
        put_u16(r, (uint16_t)v);
    } else if (v <= 0xffffff) {
        b[0] = 0xfd;
        store_u24(b + 1, (uint32_t)v);
        put(r, b, 4);
    } else {
        b[0] = 0xfe;
        store_u64(b + 1, v);
        put(r, b, 9);
    }
}

static void put_text(struct reply *r, const char *text)
{
    size_t len = strlen(text);
    put_lenenc(r, len);
    put(r, text, len);
}

static void open_packet(struct reply *r)
{
    r->packet = r->len;
    (void)room(r, PACKET_HEADER_LEN);
}

static void put_header(struct reply *r, size_t at, size_t payload_len)
{
    store_u24(r->data + at, (uint32_t)payload_len);
    r->data[at + 3] = r->seq++;
}

static void close_packet(struct reply *r)
{
    size_t at = r->packet;
    size_t left = r->failed ? 0 : r->len - at - PACKET_HEADER_LEN;
    while (!r->failed && left >= PACKET_MAX_PART) {
        put_header(r, at, PACKET_MAX_PART);
        at += PACKET_HEADER_LEN + PACKET_MAX_PART;
        left -= PACKET_MAX_PART;
        if (room(r, PACKET_HEADER_LEN) != NULL)
            memmove(r->data + at + PACKET_HEADER_LEN, r->data + at, left);
    }
    if (!r->failed)
        put_header(r, at, left);
}

/* Also what ends rows: `marker` is fe then. */
static void ok_packet(struct reply *r, uint8_t marker)
{
    open_packet(r);
    put_u8(r, marker);
    put_lenenc(r, 0); /* rows */
    put_lenenc(r, 0); /* an id */
    put_u16(r, STATUS_AUTOCOMMIT);
    put_u16(r, 0); /* warnings */
    close_packet(r);
}

void reply_ok(struct reply *r)
{
    ok_packet(r, 0x00);
}

void reply_err(struct reply *r, uint16_t code, const char *state, const char *text)
{
    open_packet(r);
    put_u8(r, 0xff);
    put_u16(r, code);
    put_u8(r, '#');
    put(r, state, 5);
    put(r, text, strnlen(text, ERR_TEXT_MAX));
    close_packet(r);
}

void reply_errf(struct reply *r, uint16_t code, const char *state, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX + 1];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    reply_err(r, code, state, text);
}

void reply_eof(struct reply *r)
{
    open_packet(r);
    put_u8(r, 0xfe);
    put_u16(r, 0);
    put_u16(r, STATUS_AUTOCOMMIT);
    close_packet(r);
}

void reply_raw(struct reply *r, const void *payload, size_t len)
{
    open_packet(r);
    put(r, payload, len);
    close_packet(r);
}

static void column(struct reply *r, const struct reply_column *c)
{
    bool number = c->type == REPLY_NUMBER;
    open_packet(r);
    put_text(r, "def");
    put_text(r, ""); /* schema */
    put_text(r, ""); /* table */
    put_text(r, ""); /* table, before an alias */
    put_text(r, c->name);
    put_text(r, "");
    put_lenenc(r, FIXED_LEN);
    put_u16(r, number ? CHARSET_BINARY : CHARSET_UTF8);
    put_u32(r, number ? 20 : UINT32_MAX);
    put_u8(r, number ? TYPE_LONGLONG : TYPE_VARSTRING);
    put_u16(r, number ? FLAG_NOT_NULL : 0);
    put_u8(r, number ? 0 : 31); /* decimals; 31: none */
    put_u16(r, 0);
    close_packet(r);
}

void reply_columns(struct reply *r, const struct reply_column *columns, size_t count)
{
    open_packet(r);
    put_lenenc(r, count);
    close_packet(r);
    for (size_t i = 0; i < count; i++)
        column(r, &columns[i]);
    if ((r->capabilities & CAP_DEPRECATE_EOF) == 0)
        reply_eof(r);
}

void reply_row(struct reply *r, const char *const *values, size_t count)
{
    open_packet(r);
    for (size_t i = 0; i < count; i++) {
        if (values[i] == NULL)
            put_u8(r, 0xfb);
        else
            put_text(r, values[i]);
    }
    close_packet(r);
}

void reply_end(struct reply *r)
{
    if (r->capabilities & CAP_DEPRECATE_EOF)
        ok_packet(r, 0xfe);
    else
        reply_eof(r);
}
