/* What MySQL 9.7.4 and MariaDB 10.11.19 made up, byte by byte; and what does not fit. */
#include "cunit_main.h"

#include "base/cursor.h"
#include "binlog/event.h"
#include "mysqlwire/made_up.h"

static const struct made_up with_crc = {.server_id = 1, .crc = true};
static const struct made_up without = {.server_id = 1};

#define HEADER(type, len, pos, flags) "\0\0\0\0" type "\x01\0\0\0" len "\0\0\0" pos flags "\0"

/* *len: written by the call that gave rc. */
static void is(int rc, const uint8_t *out, const size_t *ret_len, const void *expected, size_t expected_len)
{
    size_t len = *ret_len;
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(len, expected_len);
    CU_ASSERT_TRUE(len == expected_len && memcmp(out, expected, len) == 0);
}

static void test_rotate(void)
{
    static const uint8_t crc[] = HEADER("\x04", "\x29", "\0\0\0\0", "\x20") "\x04\0\0\0\0\0\0\0"
                                                                            "bin.000002"
                                                                            "\xc9\xde\x8b\x3c";
    static const uint8_t mid[] = HEADER("\x04", "\x25", "\0\0\0\0", "\x20") "\x50\x01\0\0\0\0\0\0"
                                                                            "bin.000002";
    uint8_t out[128];
    size_t len = 0;
    is(made_up_rotate(&with_crc, "bin.000002", 4, out, sizeof out, &len), out, &len, crc, sizeof crc - 1);
    is(made_up_rotate(&without, "bin.000002", 336, out, sizeof out, &len), out, &len, mid, sizeof mid - 1);
    for (size_t cap = 0; cap < sizeof crc - 1; cap++)
        CU_ASSERT_EQUAL(made_up_rotate(&with_crc, "bin.000002", 4, out, cap, &len), LT_ETOOBIG);
}

static void test_heartbeats(void)
{
    static const uint8_t mariadb[] = HEADER("\x1b", "\x21", "\xc3\x02\0\0", "\0") "bin.000002"
                                                                                  "\x38\x01\x6d\x5e";
    static const uint8_t mysql[] = HEADER("\x1b", "\x21", "\xf2\x02\0\0", "\0") "bin.000002"
                                                                                "\x4a\xd5\x1d\x01";
    static const uint8_t second[] = HEADER("\x29", "\x29", "\xf2\x02\0\0", "\0") "\x01\x0a"
                                                                                 "bin.000002"
                                                                                 "\x02\x03\xfc\xf2\x02\0"
                                                                                 "\xda\x2c\x38\xd8";
    static const uint64_t positions[] = {0xfa, 0xfb, 0xffff, 0x10000, 0xffffff, 0x1000000, 0x123456789abc};
    static const size_t lens[] = {1, 3, 3, 4, 4, 9, 9};
    uint8_t out[512];
    size_t len = 0;
    is(made_up_heartbeat(&with_crc, "bin.000002", 707, out, sizeof out, &len), out, &len, mariadb, sizeof mariadb - 1);
    is(made_up_heartbeat(&with_crc, "bin.000002", 754, out, sizeof out, &len), out, &len, mysql, sizeof mysql - 1);
    is(made_up_heartbeat_v2(&with_crc, "bin.000002", 754, out, sizeof out, &len), out, &len, second, sizeof second - 1);
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
        CU_ASSERT_EQUAL(made_up_heartbeat_v2(&without, "b", positions[i], out, sizeof out, &len), 0);
        CU_ASSERT_EQUAL(len, EVENT_HEADER_LEN + 3 + 2 + lens[i] + 1);
        struct cursor c = cursor_on(out + EVENT_HEADER_LEN + 5, len - EVENT_HEADER_LEN - 5);
        CU_ASSERT_EQUAL(cursor_lenenc(&c), positions[i]);
    }
    char name[300];
    memset(name, 'n', sizeof name);
    name[251] = '\0';
    CU_ASSERT_EQUAL(made_up_heartbeat_v2(&without, name, 4, out, sizeof out, &len), LT_ETOOBIG);
    name[250] = '\0';
    CU_ASSERT_EQUAL(made_up_heartbeat_v2(&without, name, 4, out, sizeof out, &len), 0);
    CU_ASSERT_EQUAL(made_up_heartbeat(&without, name, 4, out, 100, &len), LT_ETOOBIG);
}

static void test_gtid_list(void)
{
    static const uint8_t held[] = HEADER("\xa3", "\x2b", "\x9e\x02\0\0", "\x20") "\x01\0\0\0"
                                                                                 "\0\0\0\0\x01\0\0\0\x05\0\0\0\0\0\0\0"
                                                                                 "\xbe\xd6\xa2\x03";
    static const uint8_t until[] = HEADER("\xa3", "\x2b", "\x68\x02\0\0", "\x20") "\x01\0\0\x10"
                                                                                  "\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0"
                                                                                  "\x86\xdf\x70\x92";
    static const struct made_up_gtid five = {0, 1, 5};
    static const struct made_up_gtid two = {0, 1, 2};
    uint8_t out[128];
    size_t len = 0;
    is(made_up_gtid_list(&with_crc, &five, 1, false, 670, out, sizeof out, &len), out, &len, held, sizeof held - 1);
    is(made_up_gtid_list(&with_crc, &two, 1, true, 616, out, sizeof out, &len), out, &len, until, sizeof until - 1);
    CU_ASSERT_EQUAL(made_up_gtid_list(&with_crc, NULL, 0, false, 616, out, sizeof out, &len), 0);
    CU_ASSERT_EQUAL(len, EVENT_HEADER_LEN + 4 + 2 + EVENT_CRC_LEN); /* an empty one is padded */
    CU_ASSERT_EQUAL(made_up_gtid_list(&with_crc, &two, 1, true, 616, out, 42, &len), LT_ETOOBIG);
}

/* As MySQL's file begins, and as a stream that begins behind it has it. */
static void test_format(void)
{
    static const uint8_t head[] = "\xd2\x32\x0d\x6a\x0f\x01\0\0\0\x7b\0\0\0\x7f\0\0\0\0\0";
    uint8_t event[123] = {0};
    uint8_t again[sizeof event];
    memcpy(event, head, EVENT_HEADER_LEN);
    event[EVENT_HEADER_LEN] = 4;
    store_u32(event + 71, 0x6a0d32d2);
    event[sizeof event - 5] = CHECKSUM_CRC32;
    CU_ASSERT_EQUAL(made_up_format(event, sizeof event), 0);
    CU_ASSERT_EQUAL(load_u32(event + 13), 0);
    CU_ASSERT_EQUAL(load_u32(event + 71), 0);
    CU_ASSERT_NOT_EQUAL(load_u32(event + sizeof event - 4), 0);
    memcpy(again, event, sizeof event);
    CU_ASSERT_EQUAL(made_up_format(event, sizeof event), 0);
    CU_ASSERT_EQUAL(memcmp(again, event, sizeof event), 0);
    event[sizeof event - 5] = CHECKSUM_NONE;
    store_u32(event + sizeof event - 4, 7);
    CU_ASSERT_EQUAL(made_up_format(event, sizeof event), 0);
    CU_ASSERT_EQUAL(load_u32(event + sizeof event - 4), 7);
    CU_ASSERT_EQUAL(made_up_format(event, sizeof event - 1), LT_EPROTO);
    event[4] = 2;
    CU_ASSERT_EQUAL(made_up_format(event, sizeof event), LT_EPROTO);
    for (size_t len = 0; len < 80; len++) {
        event[4] = EVENT_FORMAT_DESCRIPTION;
        store_u32(event + 9, (uint32_t)len);
        CU_ASSERT_EQUAL(made_up_format(event, len), LT_EPROTO);
    }
}

static const struct test_case cases[] = {
    {"Rotate", test_rotate},
    {"heartbeats", test_heartbeats},
    {"list of GTIDs", test_gtid_list},
    {"format description", test_format},
};

int main(void)
{
    return cunit_run("made up", cases, sizeof cases / sizeof cases[0]);
}
