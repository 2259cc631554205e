/* Faults: every code has a name and a cure, and waits as its class says. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "cunit_main.h"
#include "ingest/fault.h"
#include "ingest/resolve.h"

static void test_names_and_cures(void)
{
    for (int c = FAULT_CONNECT; c <= FAULT_PROTOCOL; c++) {
        CU_ASSERT(strlen(fault_name((enum fault_code)c)) > 2);
        for (int old_names = 0; old_names < 2; old_names++) {
            char cure[CURE_MAX];
            CU_ASSERT(strlen(fault_cure((enum fault_code)c, old_names != 0, cure)) > 10);
            CU_ASSERT_PTR_NULL(strchr(cure, '{'));
        }
    }
    char cure[CURE_MAX];
    CU_ASSERT_PTR_NOT_NULL(strstr(fault_cure(FAULT_SEMI_SYNC_OFF, false, cure), "rpl_semi_sync_source_enabled = ON"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fault_cure(FAULT_SEMI_SYNC_OFF, true, cure), "rpl_semi_sync_master_enabled = ON"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fault_cure(FAULT_COUNTED_TWICE, true, cure), "master_wait_for_slave_count"));

    CU_ASSERT_STRING_EQUAL(fault_name(FAULT_AHEAD), "ahead_of_source");
}

static void test_delays(void)
{
    const uint64_t s = 1000000;
    for (unsigned attempt = 0; attempt < 40; attempt++)
        for (uint64_t random = 0; random < 20; random++) {
            uint64_t x = random * 0x9e3779b97f4a7c15u;
            CU_ASSERT(fault_delay_us(FAULT_CONNECT, attempt, s / 10, 10 * s, x) <= 10 * s);
            uint64_t auth = fault_delay_us(FAULT_AUTH, attempt, s / 10, 10 * s, x);
            CU_ASSERT(auth >= s / 2 && auth <= 60 * s);
            CU_ASSERT(fault_delay_us(FAULT_DIVERGED, attempt, s / 10, 10 * s, x) >= 5 * s / 2);
            CU_ASSERT(fault_delay_us(FAULT_DUPLICATE, attempt, s / 10, 10 * s, x) >= 30 * s);
            uint64_t busy = fault_delay_us(FAULT_BUSY, attempt, s / 10, 10 * s, x);
            CU_ASSERT(busy >= s / 5 && busy <= s / 2);
        }
}

static void test_server_errors(void)
{
    CU_ASSERT_EQUAL(fault_of_server_error(1040, ""), FAULT_BUSY);
    CU_ASSERT_EQUAL(fault_of_server_error(1227, ""), FAULT_PRIVILEGE);
    CU_ASSERT_EQUAL(
        fault_of_server_error(1227, "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)"),
        FAULT_PRIVILEGE);
    CU_ASSERT_EQUAL(fault_of_server_error(1227,
                                          "Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT "
                                          "privilege(s) for this operation"),
                    FAULT_PRIVILEGE_OTHER);
    CU_ASSERT_EQUAL(fault_of_server_error(1236, "Cannot replicate because the source purged required binary logs."),
                    FAULT_PURGED);
    CU_ASSERT_EQUAL(fault_of_server_error(1236, "A slave with the same server_uuid/server_id"), FAULT_DUPLICATE);
    CU_ASSERT_EQUAL(fault_of_server_error(1236, "something nobody said before"), FAULT_UNKNOWN);
    CU_ASSERT_EQUAL(fault_of_server_error(1236, "new words; the last event read from './b.000001' at 124"),
                    FAULT_UNKNOWN);
    CU_ASSERT_EQUAL(fault_of_server_error(1236,
                                          "event read from binlog did not pass checksum algorithm check specified "
                                          "on --binlog-checksum option"),
                    FAULT_CORRUPT);
    CU_ASSERT_EQUAL(fault_of_server_error(9999, ""), FAULT_CONNECT);
}

static void test_resolver(void)
{
    struct resolved r;
    struct lt_err err;
    CU_ASSERT_EQUAL(resolve_host("127.0.0.1", 1000000, &r, &err), 0);
    CU_ASSERT_EQUAL(r.count, 1);
    CU_ASSERT_STRING_EQUAL(r.address[0], "127.0.0.1");
    resolve_fini(&r);
    CU_ASSERT_EQUAL(resolve_host("localhost", 1000000, &r, &err), 0);
    CU_ASSERT(r.count >= 1 && !r.first_worked);
    resolve_fini(&r);
    resolve_worked("localhost", "192.0.2.1"); /* none of its own */
    CU_ASSERT_EQUAL(resolve_host("localhost", 1000000, &r, &err), 0);
    CU_ASSERT_FALSE(r.first_worked);
    resolve_worked("localhost", r.address[r.count - 1]);
    resolve_fini(&r);
    CU_ASSERT_EQUAL(resolve_host("localhost", 1000000, &r, &err), 0);
    CU_ASSERT_TRUE(r.first_worked);
    resolve_fini(&r);
    CU_ASSERT_NOT_EQUAL(resolve_host("no-such-host.invalid", 5000000, &r, &err), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no-such-host.invalid"));
}

static const struct test_case cases[] = {
    {"names and cures", test_names_and_cures},
    {"delays", test_delays},
    {"errors of servers", test_server_errors},
    {"host names", test_resolver},
};

int main(void)
{
    return cunit_run("fault", cases, sizeof cases / sizeof cases[0]);
}
