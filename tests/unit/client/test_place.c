#include <string.h>

#include "cunit_main.h"

#include "client/place.h"

#define UUID "3e11fa47-71ca-11e1-9e33-c80aa9429562"

static void tokens(void)
{
    static const char *const round[] = {
        "1/mysql-bin.000007:1234@" UUID,
        "1/mysql-bin.000007:1234+567@" UUID,
        "4294967295/a:b@c.000001:18446744073709551615@mariadb-1",
        "2/mysql-bin.000007:4",
        "12/my.odd.name.1234567:4@a_b.c-d",
    };
    for (size_t i = 0; i < sizeof round / sizeof round[0]; i++) {
        struct place p;
        char out[BINLOGTAIL_TOKEN_MAX];
        CU_ASSERT_EQUAL(place_parse(round[i], &p), 0);
        CU_ASSERT_EQUAL(place_format(&p, out, sizeof out), 0);
        CU_ASSERT_STRING_EQUAL(out, round[i]);
        CU_ASSERT_EQUAL(place_format(&p, out, 10), LT_ETOOBIG);
    }
}

static void what_people_type(void)
{
    struct place p;
    CU_ASSERT_EQUAL(place_parse("mysql-bin.000003:120", &p), 0);
    CU_ASSERT_EQUAL(p.lineage, 0);
    CU_ASSERT_EQUAL(p.offset, 120);
    CU_ASSERT_STRING_EQUAL(p.file, "mysql-bin.000003");
    CU_ASSERT_STRING_EQUAL(p.source_id, "");
    CU_ASSERT_EQUAL(place_parse("mysql-bin.000003", &p), 0);
    CU_ASSERT_EQUAL(p.offset, 4);
    CU_ASSERT_EQUAL(place_parse("2/mysql-bin.000003@x", &p), 0);
    CU_ASSERT_EQUAL(p.lineage, 2);
    CU_ASSERT_STRING_EQUAL(p.source_id, "x");
}

static void nonsense(void)
{
    static const char *const bad[] = {
        "",
        "mysql-bin",
        "mysql-bin.000001:",
        "mysql-bin.000001:3",
        "mysql-bin.000001:-4",
        "mysql-bin.000001: 4",
        "mysql-bin.000001:4+",
        "mysql-bin.000001:18446744073709551616",
        "mysql-bin.000001:18446744073709551615+1",
        "mysql-bin.000001:4@",
        "mysql-bin.000001:4@a/b",
        "mysql-bin.000001:4@with space",
        "/mysql-bin.000001:4",
        "x/mysql-bin.000001:4",
        "4294967296/mysql-bin.000001:4",
        "1/../etc.000001:4",
        "1/mysql-bin.000001:4@0123456789012345678901234567890123456789012345678901234567890123",
        "1/mysql-bin.000001:123456789012345678901234567890",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct place p = {.lineage = 77};
        CU_ASSERT_EQUAL(place_parse(bad[i], &p), LT_EINVAL);
        CU_ASSERT_EQUAL(p.lineage, 77);
        CU_ASSERT_EQUAL(binlogtail_token_check(bad[i]), BINLOGTAIL_EINVAL);
    }
    CU_ASSERT_EQUAL(binlogtail_token_check(NULL), BINLOGTAIL_EINVAL);
    CU_ASSERT_EQUAL(binlogtail_token_check("mysql-bin.000001"), 0);
}

static void peers_positions(void)
{
    Logtailer__Tail__Position m = LOGTAILER__TAIL__POSITION__INIT;
    char long_name[400];
    char long_id[100];
    struct place p;
    CU_ASSERT_EQUAL(place_from_message(NULL, &p), 0);
    CU_ASSERT(!place_is_set(&p));
    m.lineage = 3;
    m.file = "mysql-bin.000009";
    m.offset = 99;
    m.source_id = UUID;
    CU_ASSERT_EQUAL(place_from_message(&m, &p), 0);
    CU_ASSERT(place_is_set(&p));
    Logtailer__Tail__Position back = place_to_message(&p);
    CU_ASSERT(back.lineage == 3 && back.offset == 99 && strcmp(back.source_id, UUID) == 0);
    m.lineage = 0;
    CU_ASSERT_EQUAL(place_from_message(&m, &p), LT_EPROTO);
    m.lineage = 3;
    m.file = "../x.000001";
    CU_ASSERT_EQUAL(place_from_message(&m, &p), LT_EPROTO);
    memset(long_name, '1', sizeof long_name);
    memcpy(long_name, "b.", 2);
    long_name[300] = '\0';
    m.file = long_name;
    CU_ASSERT_EQUAL(place_from_message(&m, &p), LT_EPROTO);
    m.file = "mysql-bin.000009";
    memset(long_id, 'a', sizeof long_id);
    long_id[99] = '\0';
    m.source_id = long_id;
    CU_ASSERT_EQUAL(place_from_message(&m, &p), LT_EPROTO);
    m.source_id = "a\nb";
    CU_ASSERT_EQUAL(place_from_message(&m, &p), LT_EPROTO);
}

static void order(void)
{
    struct place a = {.lineage = 1, .file = "b.000009", .offset = 500};
    struct place b = {.lineage = 1, .file = "b.000010", .offset = 4};
    CU_ASSERT(place_compare(&a, &b) < 0);
    CU_ASSERT(place_compare(&b, &a) > 0);
    CU_ASSERT_EQUAL(place_compare(&a, &a), 0);
    b.lineage = 0;
    CU_ASSERT(place_compare(&b, &a) < 0);
    b = a;
    b.offset++;
    CU_ASSERT(place_compare(&a, &b) < 0);
    CU_ASSERT(place_compare(&b, &a) > 0);
}

static const struct test_case cases[] = {
    {"tokens are read as they are written", tokens},
    {"what people type is a place", what_people_type},
    {"nonsense is refused", nonsense},
    {"a peer's positions are checked", peers_positions},
    {"places have an order", order},
};

int main(void)
{
    return cunit_run("place", cases, sizeof cases / sizeof cases[0]);
}
