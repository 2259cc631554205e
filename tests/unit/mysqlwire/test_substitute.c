/*
 * What stands in for MariaDB's events. The bytes beside a real server: integration/test_same.c; here each length, and what is refused.
 */
#include <CUnit/CUnit.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/event.h"
#include "cunit_main.h"
#include "mysqlwire/substitute.h"

static size_t make(uint8_t *event, uint8_t type, size_t body, bool crc)
{
    size_t len = EVENT_HEADER_LEN + body + (crc ? EVENT_CRC_LEN : 0);
    memset(event, 0xee, len);
    event[4] = type;
    store_u32(event + 9, (uint32_t)len);
    store_u16(event + 17, 0x0104);
    if (crc)
        event_crc_set(event, len);
    return len;
}

/* Every length is refused and nothing touched, or becomes a whole event of the same length. */
static void test_comment_of_any_length(void)
{
    uint8_t event[200];
    uint8_t before[200];
    for (size_t body = 0; body < 120; body++) {
        for (int crc = 0; crc < 2; crc++) {
            size_t len = make(event, EVENT_MARIADB_ANNOTATE_ROWS, body, crc);
            memcpy(before, event, len);
            int rc = substitute_comment(event, len, crc);
            CU_ASSERT_EQUAL(rc, body < 6 ? LT_EUNSUPPORTED : 0);
            if (rc != 0) {
                CU_ASSERT_EQUAL(memcmp(event, before, len), 0);
                continue;
            }
            CU_ASSERT_EQUAL(event[4], body < 15 ? EVENT_USER_VAR : EVENT_QUERY);
            CU_ASSERT_EQUAL(load_u32(event + 9), len);
            CU_ASSERT_EQUAL(load_u16(event + 17), 0x0108);
            if (crc)
                CU_ASSERT(event_crc_ok(event, len));
            if (body < 15) {
                CU_ASSERT_EQUAL(load_u32(event + EVENT_HEADER_LEN), body - 5);
                CU_ASSERT_EQUAL(event[EVENT_HEADER_LEN + body - 1], 1);
            }
        }
    }
    size_t len = make(event, EVENT_MARIADB_ANNOTATE_ROWS, 100, false);
    CU_ASSERT_EQUAL(substitute_comment(event, len, false), 0);
    CU_ASSERT_EQUAL(
        memcmp(event + EVENT_HEADER_LEN + 14, "# Dummy event replacing event type 160 that slave cannot handle.  ", 66),
        0);
}

static void test_begin(void)
{
    uint8_t event[200];
    for (size_t body = 0; body < 60; body++) {
        size_t len = make(event, EVENT_MARIADB_GTID, body, true);
        int rc = substitute_begin(event, len, true);
        CU_ASSERT_EQUAL(rc, body == 19 || body == 21 ? 0 : LT_EUNSUPPORTED);
        if (rc != 0)
            continue;
        CU_ASSERT(event_crc_ok(event, len));
        CU_ASSERT_EQUAL(event[4], EVENT_QUERY);
        CU_ASSERT_EQUAL(memcmp(event + EVENT_HEADER_LEN + body - 5, "BEGIN", 5), 0);
    }
}

static void test_which(void)
{
    CU_ASSERT_EQUAL(substitute_for(EVENT_QUERY, false, 0, false), SUBSTITUTE_NONE);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_ANNOTATE_ROWS, false, 0, false), SUBSTITUTE_COMMENT);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_ANNOTATE_ROWS, false, 1, false), SUBSTITUTE_NONE);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_ANNOTATE_ROWS, false, 4, false), SUBSTITUTE_NOTHING_SENT);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_ANNOTATE_ROWS, false, 0, true), SUBSTITUTE_NONE);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_GTID, false, 3, true), SUBSTITUTE_BEGIN);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_GTID, true, 3, true), SUBSTITUTE_NOTHING_SENT);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_GTID, true, 1, true), SUBSTITUTE_COMMENT);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_GTID, true, 4, true), SUBSTITUTE_NONE);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_BINLOG_CHECKPOINT, false, 2, true), SUBSTITUTE_NOTHING_SENT);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_BINLOG_CHECKPOINT, false, 3, true), SUBSTITUTE_NONE);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_GTID_LIST, false, 3, true), SUBSTITUTE_NOTHING_SENT);
    CU_ASSERT_EQUAL(substitute_for(EVENT_MARIADB_GTID_LIST, false, 4, true), SUBSTITUTE_NONE);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"a comment of any length", test_comment_of_any_length},
        {"BEGIN in place of a GTID", test_begin},
        {"which client gets what", test_which},
    };
    return cunit_run("substitute", cases, sizeof cases / sizeof cases[0]);
}
