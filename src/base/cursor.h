/*
 * Bounds-checked reading and writing of little-endian bytes, with a sticky error.
 * Does not allocate, does not own the bytes.
 *
 * Layer: base. Thread: any. Borrows: the bytes, for the cursor's life.
 * Errors: a read past the end sets `failed`, returns 0 (or NULL) and every later read does the same;
 *   parsers read a column of fields and test cursor_ok() once at the end.
 */
#ifndef LT_BASE_CURSOR_H
#define LT_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *p;
    size_t left;
    bool failed;
};

struct cursor cursor_on(const void *data, size_t len);
static inline bool cursor_ok(const struct cursor *c)
{
    return !c->failed;
}

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u24(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u56(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint32_t cursor_u32_be(struct cursor *c);
/* MySQL length-encoded integer; 0xfb and 0xff as first byte are errors. */
uint64_t cursor_lenenc(struct cursor *c);
/* n bytes in place, or NULL (sticky) when fewer are left. n == 0 gives a non-NULL pointer. */
const uint8_t *cursor_bytes(struct cursor *c, size_t n);
/* A child of exactly n bytes carved off; a failed child when fewer are left (parent fails too). */
struct cursor cursor_child(struct cursor *c, size_t n);

/* Writer into caller's storage; sticky `failed` on overflow, `len` counts what was written. */
struct writer {
    uint8_t *p;
    size_t cap;
    size_t len;
    bool failed;
};

struct writer writer_on(void *data, size_t cap);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u24(struct writer *w, uint32_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_bytes(struct writer *w, const void *data, size_t n);

/* Single loads and stores for places where bounds were checked before. */
static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}
static inline uint32_t load_u24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}
static inline uint32_t load_u32(const uint8_t *p)
{
    return load_u24(p) | (uint32_t)p[3] << 24;
}
static inline uint64_t load_u64(const uint8_t *p)
{
    return (uint64_t)load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}
static inline void store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static inline void store_u24(uint8_t *p, uint32_t v)
{
    store_u16(p, (uint16_t)v);
    p[2] = (uint8_t)(v >> 16);
}
static inline void store_u32(uint8_t *p, uint32_t v)
{
    store_u24(p, v);
    p[3] = (uint8_t)(v >> 24);
}
static inline void store_u64(uint8_t *p, uint64_t v)
{
    store_u32(p, (uint32_t)v);
    store_u32(p + 4, (uint32_t)(v >> 32));
}

#endif
