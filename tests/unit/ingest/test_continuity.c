/* Does a file's list of GTIDs continue what is stored: yes, a gap, another history, unreadable. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

#include "cunit_main.h"
#include "fake_events.h"
#include "ingest/continuity.h"

struct continuity_case {
    const char *listed;
    const char *ours;
    enum fault_code code; /* FAULT_NONE: continues */
    const char *words;
    struct gtid last; /* of the file before */
};

#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "aaaaaaaa-2222-3333-4444-555555555555"

static void check(bool mariadb, const struct continuity_case *c, size_t cut)
{
    struct fake_gen g;
    struct gtid_set ours;
    struct event_header h;
    struct fault f = {.code = FAULT_NONE};
    fake_gen_init(&g, mariadb ? FAKE_MARIADB_10 : FAKE_MYSQL_84, mariadb ? "10.11.19-MariaDB" : "8.4.6");
    if (mariadb)
        fake_gen_gtid_list(&g, c->listed);
    else
        fake_gen_previous_gtids(&g, c->listed);
    gtid_set_init(&ours);
    CU_ASSERT_EQUAL(gtid_set_parse(mariadb ? GTID_MARIADB : GTID_MYSQL, c->ours, &ours), 0);
    CU_ASSERT_EQUAL(event_header_parse(g.out.p, g.out.len, &h), 0);
    h.length -= (uint32_t)cut;
    int rc = continuity_check("binlog.000002", g.out.p, &h, true, &ours, &c->last, &f);
    CU_ASSERT_EQUAL(rc == 0, c->code == FAULT_NONE);
    CU_ASSERT_EQUAL(f.code, c->code);
    if (c->words != NULL)
        CU_ASSERT_PTR_NOT_NULL(strstr(f.message, c->words));
    gtid_set_fini(&ours);
    fake_gen_fini(&g);
}

static void test_mysql(void)
{
    static const struct continuity_case cases[] = {
        {UUID_A ":1-5", UUID_A ":1-5", FAULT_NONE, NULL, {0}},
        {UUID_A ":1-5," UUID_B ":7", UUID_B ":7," UUID_A ":1-5", FAULT_NONE, NULL, {0}},
        {UUID_A ":1-7", UUID_A ":1-5", FAULT_GAP, UUID_A ":6-7", {0}},
        {UUID_A ":1-5," UUID_B ":1", UUID_A ":1-5", FAULT_GAP, UUID_B ":1", {0}},
        {UUID_A ":1-4", UUID_A ":1-5", FAULT_DIVERGED, UUID_A ":5", {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(false, &cases[i], 0);
}

static void test_mariadb(void)
{
    static const struct continuity_case cases[] = {
        {"0-1-5", "0-1-5", FAULT_NONE, NULL, {0}},
        {"0-1-5,7-1-3", "0-1-5,7-1-3", FAULT_NONE, NULL, {0}},
        {"0-1-5", "0-1-5,7-1-3", FAULT_NONE, NULL, {0}}, /* a domain may be deleted on the source */
        {"0-1-6", "0-1-5", FAULT_GAP, "0-1-6", {0}},
        {"0-1-5,7-1-3", "0-1-5", FAULT_GAP, "7-1-3", {0}},
        {"0-1-5", "0-2-4,0-1-5", FAULT_DIVERGED, "0-2-4", {0}},
        {"0-1-4", "0-1-5", FAULT_DIVERGED, "0-1-5", {0}}, /* another history that is shorter */
        {"0-1-4,7-1-3", "0-1-5", FAULT_GAP, "7-1-3", {0}},
        {"3-1-1,0-1-5,2-9-4,2-1-3", "2-1-3,2-9-4,0-1-5,3-1-1", FAULT_NONE, NULL, {0}},
        {"0-1-5", "", FAULT_NONE, NULL, {0}},
        {"", "0-1-5", FAULT_NONE, NULL, {0}},
        {"", "0-1-5", FAULT_DIVERGED, "0-1-5", {.kind = GTID_MARIADB, .server_id = 1, .seq = 5}},
        {"0-1-5", "0-1-5,7-1-3", FAULT_NONE, NULL, {.kind = GTID_MARIADB, .server_id = 1, .seq = 5}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(true, &cases[i], 0);
}

static void test_unreadable(void)
{
    static const struct continuity_case mysql = {UUID_A ":1-5", UUID_A ":1-5", FAULT_PROTOCOL, "cannot be read", {0}};
    static const struct continuity_case mariadb = {"0-1-5", "0-1-5", FAULT_PROTOCOL, "cannot be read", {0}};
    check(false, &mysql, 7);
    check(true, &mariadb, 7);
    /* Also where there is nothing to compare with: what cannot be read says nothing about what comes after. */
    static const struct continuity_case first = {"0-1-5", "", FAULT_PROTOCOL, "cannot be read", {0}};
    check(true, &first, 7);
}

/* 200,000 domains in no order, one of them a step ahead: found, and in no more time than one walk takes (by pairs it would be minutes). */
static void test_many_domains(void)
{
    enum { DOMAINS = 200000 };
    char *listed = malloc((size_t)DOMAINS * 24);
    char *ours = malloc((size_t)DOMAINS * 24);
    size_t a = 0;
    size_t b = 0;
    for (unsigned i = 0; i < DOMAINS; i++) {
        unsigned domain = i * 7919u % DOMAINS;
        a += (size_t)sprintf(listed + a, "%s%u-1-%u", i > 0 ? "," : "", domain, domain == 4711 ? 6 : 5);
        b += (size_t)sprintf(ours + b, "%s%u-1-5", i > 0 ? "," : "", DOMAINS - 1 - i);
    }
    struct continuity_case ahead = {.listed = listed, .ours = ours, .code = FAULT_GAP, .words = ": 4711-1-6"};
    struct continuity_case behind = {.listed = ours, .ours = listed, .code = FAULT_DIVERGED, .words = ": 4711-1-6"};
    struct continuity_case same = {.listed = ours, .ours = ours};
    check(true, &ahead, 0);
    check(true, &behind, 0);
    check(true, &same, 0);
    free(listed);
    free(ours);
}

static const struct test_case cases[] = {
    {"MySQL", test_mysql},
    {"MariaDB", test_mariadb},
    {"200,000 domains", test_many_domains},
    {"lists that cannot be read", test_unreadable},
};

int main(void)
{
    return cunit_run("continuity", cases, sizeof cases / sizeof cases[0]);
}
