#include <string.h>

#include "cunit_main.h"

#include "base/cursor.h"

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b};

static void reads_little_endian(void)
{
    struct cursor c = cursor_on(bytes, sizeof bytes);
    CU_ASSERT_EQUAL(cursor_u8(&c), 0x01);
    CU_ASSERT_EQUAL(cursor_u16(&c), 0x0302);
    CU_ASSERT_EQUAL(cursor_u24(&c), 0x060504);
    CU_ASSERT_EQUAL(cursor_u32(&c), 0x0a090807);
    CU_ASSERT_EQUAL(c.left, 1);
    c = cursor_on(bytes, sizeof bytes);
    CU_ASSERT_EQUAL(cursor_u64(&c), 0x0807060504030201);
    c = cursor_on(bytes, sizeof bytes);
    CU_ASSERT_EQUAL(cursor_u56(&c), 0x07060504030201);
    CU_ASSERT_EQUAL(cursor_u32_be(&c), 0x08090a0b);
    CU_ASSERT(cursor_ok(&c));
}

static void every_read_is_bounded(void)
{
    for (size_t n = 0; n < 8; n++) {
        struct cursor c = cursor_on(bytes, n);
        CU_ASSERT_EQUAL(cursor_u64(&c), 0);
        CU_ASSERT(!cursor_ok(&c));
        c = cursor_on(bytes, n);
        CU_ASSERT_EQUAL(cursor_u56(&c) != 0, n >= 7);
        CU_ASSERT_EQUAL(cursor_ok(&c), n >= 7);
        c = cursor_on(bytes, n);
        (void)cursor_u32(&c);
        CU_ASSERT_EQUAL(cursor_ok(&c), n >= 4);
        c = cursor_on(bytes, n);
        (void)cursor_u32_be(&c);
        CU_ASSERT_EQUAL(cursor_ok(&c), n >= 4);
        c = cursor_on(bytes, n);
        (void)cursor_u24(&c);
        CU_ASSERT_EQUAL(cursor_ok(&c), n >= 3);
        c = cursor_on(bytes, n);
        (void)cursor_u16(&c);
        CU_ASSERT_EQUAL(cursor_ok(&c), n >= 2);
        c = cursor_on(bytes, n);
        (void)cursor_u8(&c);
        CU_ASSERT_EQUAL(cursor_ok(&c), n >= 1);
    }
}

static void failure_is_sticky(void)
{
    struct cursor c = cursor_on(bytes, 3);
    CU_ASSERT_EQUAL(cursor_u32(&c), 0);
    /* The three bytes that are there must not be read as something else. */
    CU_ASSERT_EQUAL(cursor_u8(&c), 0);
    CU_ASSERT_PTR_NULL(cursor_bytes(&c, 0));
    CU_ASSERT(!cursor_ok(&c));
}

static void lenenc_forms(void)
{
    static const struct {
        uint64_t value;
        size_t len;
        uint8_t in[9];
        bool ok;
    } cases[] = {
        {0, 1, {0}, true},
        {250, 1, {0xfa}, true},
        {0, 1, {0xfb}, false},
        {0x1234, 3, {0xfc, 0x34, 0x12}, true},
        {0, 2, {0xfc, 0x34}, false},
        {0x030201, 4, {0xfd, 1, 2, 3}, true},
        {0, 3, {0xfd, 1, 2}, false},
        {0x0807060504030201, 9, {0xfe, 1, 2, 3, 4, 5, 6, 7, 8}, true},
        {0, 8, {0xfe, 1, 2, 3, 4, 5, 6, 7}, false},
        {0, 1, {0xff}, false},
        {0, 0, {0}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cursor c = cursor_on(cases[i].in, cases[i].len);
        CU_ASSERT_EQUAL(cursor_lenenc(&c), cases[i].value);
        CU_ASSERT_EQUAL(cursor_ok(&c), cases[i].ok);
        CU_ASSERT_EQUAL(c.left, 0);
    }
}

static void children_are_bounded(void)
{
    struct cursor c = cursor_on(bytes, 6);
    struct cursor child = cursor_child(&c, 2);
    CU_ASSERT_EQUAL(cursor_u16(&child), 0x0201);
    CU_ASSERT_EQUAL(cursor_u8(&child), 0);
    CU_ASSERT(!cursor_ok(&child) && cursor_ok(&c));
    CU_ASSERT_EQUAL(cursor_u8(&c), 0x03);
    child = cursor_child(&c, 4);
    CU_ASSERT(!cursor_ok(&child) && !cursor_ok(&c));
    c = cursor_on(bytes, 0);
    child = cursor_child(&c, 0);
    CU_ASSERT(cursor_ok(&child) && cursor_ok(&c));
}

static void nothing_is_not_null(void)
{
    struct cursor c = cursor_on(NULL, 12);
    CU_ASSERT_EQUAL(c.left, 0);
    CU_ASSERT_PTR_NOT_NULL(cursor_bytes(&c, 0));
    CU_ASSERT_PTR_NULL(cursor_bytes(&c, SIZE_MAX));
}

static void writer_mirrors_reader(void)
{
    uint8_t buf[21];
    struct writer w = writer_on(buf, sizeof buf);
    writer_u8(&w, 0x11);
    writer_u16(&w, 0x2222);
    writer_u24(&w, 0x333333);
    writer_u32(&w, 0x44444444);
    writer_u64(&w, 0x5555555555555556);
    writer_bytes(&w, "abc", 3);
    writer_bytes(&w, NULL, 0);
    CU_ASSERT(!w.failed);
    CU_ASSERT_EQUAL(w.len, sizeof buf);
    struct cursor c = cursor_on(buf, w.len);
    CU_ASSERT_EQUAL(cursor_u8(&c), 0x11);
    CU_ASSERT_EQUAL(cursor_u16(&c), 0x2222);
    CU_ASSERT_EQUAL(cursor_u24(&c), 0x333333);
    CU_ASSERT_EQUAL(cursor_u32(&c), 0x44444444);
    CU_ASSERT_EQUAL(cursor_u64(&c), 0x5555555555555556);
    const uint8_t *tail = cursor_bytes(&c, 3);
    CU_ASSERT(tail != NULL && memcmp(tail, "abc", 3) == 0);
}

static void writer_never_overflows(void)
{
    uint8_t buf[4] = {0, 0, 0, 0xee};
    struct writer w = writer_on(buf, 3);
    writer_u16(&w, 0xffff);
    writer_u16(&w, 0xffff);
    CU_ASSERT(w.failed);
    CU_ASSERT_EQUAL(w.len, 2);
    writer_u8(&w, 1);
    CU_ASSERT_EQUAL(w.len, 2);
    CU_ASSERT_EQUAL(buf[2], 0);
    CU_ASSERT_EQUAL(buf[3], 0xee);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"reads little endian", reads_little_endian},     {"every read is bounded", every_read_is_bounded},
        {"failure is sticky", failure_is_sticky},         {"lenenc forms", lenenc_forms},
        {"children are bounded", children_are_bounded},   {"nothing is not NULL", nothing_is_not_null},
        {"writer mirrors reader", writer_mirrors_reader}, {"writer never overflows", writer_never_overflows},
    };
    return cunit_run("cursor", cases, sizeof cases / sizeof cases[0]);
}
