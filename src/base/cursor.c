#include "base/cursor.h"

#include <string.h>

/* Where a cursor without bytes points, so that a successful read of nothing is never NULL. */
static const uint8_t nothing[1];

struct cursor cursor_on(const void *data, size_t len)
{
    return (struct cursor){.p = data != NULL ? data : nothing, .left = data != NULL ? len : 0};
}

const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
    if (c->failed || n > c->left) {
        c->failed = true;
        c->left = 0;
        return NULL;
    }
    const uint8_t *at = c->p;
    c->p += n;
    c->left -= n;
    return at;
}

uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 1);
    return at != NULL ? at[0] : 0;
}

uint16_t cursor_u16(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 2);
    return at != NULL ? load_u16(at) : 0;
}

uint32_t cursor_u24(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 3);
    return at != NULL ? load_u24(at) : 0;
}

uint32_t cursor_u32(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 4);
    return at != NULL ? load_u32(at) : 0;
}

uint64_t cursor_u56(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 7);
    return at != NULL ? (uint64_t)load_u32(at) | (uint64_t)load_u24(at + 4) << 32 : 0;
}

uint64_t cursor_u64(struct cursor *c)
{
    const uint8_t *at = cursor_bytes(c, 8);
    return at != NULL ? load_u64(at) : 0;
}

uint32_t cursor_u32_be(struct cursor *c)
{
    return __builtin_bswap32(cursor_u32(c));
}

uint64_t cursor_lenenc(struct cursor *c)
{
    uint8_t first = cursor_u8(c);
    switch (first) {
    case 0xfc:
        return cursor_u16(c);
    case 0xfd:
        return cursor_u24(c);
    case 0xfe:
        return cursor_u64(c);
    case 0xfb: /* NULL in a row */
    case 0xff: /* an error packet */
        c->failed = true;
        c->left = 0;
        return 0;
    default:
        return first;
    }
}

struct cursor cursor_child(struct cursor *c, size_t n)
{
    const uint8_t *at = cursor_bytes(c, n);
    struct cursor child = cursor_on(at, n);
    child.failed = at == NULL;
    return child;
}

struct writer writer_on(void *data, size_t cap)
{
    return (struct writer){.p = data, .cap = data != NULL ? cap : 0};
}

/* The place for n more bytes, or NULL (sticky). */
static uint8_t *reserve(struct writer *w, size_t n)
{
    if (w->failed || n > w->cap - w->len) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->p + w->len;
    w->len += n;
    return at;
}

void writer_u8(struct writer *w, uint8_t v)
{
    uint8_t *at = reserve(w, 1);
    if (at != NULL)
        at[0] = v;
}

void writer_u16(struct writer *w, uint16_t v)
{
    uint8_t *at = reserve(w, 2);
    if (at != NULL)
        store_u16(at, v);
}

void writer_u24(struct writer *w, uint32_t v)
{
    uint8_t *at = reserve(w, 3);
    if (at != NULL)
        store_u24(at, v);
}

void writer_u32(struct writer *w, uint32_t v)
{
    uint8_t *at = reserve(w, 4);
    if (at != NULL)
        store_u32(at, v);
}

void writer_u64(struct writer *w, uint64_t v)
{
    uint8_t *at = reserve(w, 8);
    if (at != NULL)
        store_u64(at, v);
}

void writer_bytes(struct writer *w, const void *data, size_t n)
{
    if (n == 0)
        return;
    uint8_t *at = reserve(w, n);
    if (at != NULL)
        memcpy(at, data, n);
}
