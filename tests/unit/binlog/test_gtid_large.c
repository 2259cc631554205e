/*
 * Sets of the size that real servers and strangers have: a hundred thousand intervals and more, in the orders that hurt. The time is the
 * processor's, and the limit far above what it takes (some 50 ms) and far below what a quadratic way takes (seconds, growing).
 */
#include "cunit_main.h"

#include <time.h>

#include "binlog/gtid.h"
#include "sample.h"

#define PARTS 100000u
#ifdef __SANITIZE_THREAD__
#define LIMIT_S 6.0 /* which makes all of it some ten times slower, a quadratic way as well */
#else
#define LIMIT_S 1.5
#endif
#define ENTRY_MAX 64

enum order { UP, DOWN, SHUFFLED, DOUBLED };

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t place(enum order order, uint64_t i, uint64_t n)
{
    switch (order) {
    case DOWN:
        return n - 1 - i;
    case SHUFFLED:
        return i * 48271u % n; /* 48271 is prime and no factor of any n used here */
    case DOUBLED:
        return i * 48271u % (n / 2);
    case UP:
    default:
        return i;
    }
}

typedef int entry_fn(char *buf, size_t cap, uint64_t k, bool first);

static int one_uuid(char *buf, size_t cap, uint64_t k, bool first)
{
    return snprintf(buf, cap, "%s:%llu", first ? "68b1e7ed-e6ea-11f1-af30-02fc00000001" : "",
                    (unsigned long long)(k * 2 + 1));
}

static int many_uuids(char *buf, size_t cap, uint64_t k, bool first)
{
    return snprintf(buf, cap, "%s68b1e7ed-e6ea-11f1-af30-02fc%08llx:1", first ? "" : ",", (unsigned long long)k);
}

static int two_uuids(char *buf, size_t cap, uint64_t k, bool first)
{
    return snprintf(buf, cap, "%s68b1e7ed-e6ea-11f1-af30-02fc0000000%llu:%llu", first ? "" : ",",
                    (unsigned long long)(k % 2), (unsigned long long)(k * 2 + 1));
}

static int servers(char *buf, size_t cap, uint64_t k, bool first)
{
    return snprintf(buf, cap, "%s0-%llu-7", first ? "" : ",", (unsigned long long)k);
}

static int domains(char *buf, size_t cap, uint64_t k, bool first)
{
    return snprintf(buf, cap, "%s%llu-1-7", first ? "" : ",", (unsigned long long)k);
}

struct shape {
    const char *name;
    enum gtid_kind kind;
    entry_fn *entry;
};

static const struct shape shapes[] = {
    {"one uuid", GTID_MYSQL, one_uuid},           {"many uuids", GTID_MYSQL, many_uuids},
    {"two uuids in turn", GTID_MYSQL, two_uuids}, {"servers of one domain", GTID_MARIADB, servers},
    {"domains", GTID_MARIADB, domains},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static char *make(const struct shape *s, enum order order, uint64_t n)
{
    char *text = malloc(n * ENTRY_MAX + 1);
    size_t len = 0;
    for (uint64_t i = 0; i < n; i++)
        len += (size_t)s->entry(text + len, ENTRY_MAX, place(order, i, n), i == 0);
    return text;
}

static void check_time(double since, const char *what, const char *name, enum order order)
{
    double took = cpu_s() - since;
    (void)printf("    %-22s order %d: %-8s %7.1f ms\n", name, (int)order, what, took * 1000);
    CU_ASSERT_TRUE(took < LIMIT_S);
}

static void check_parse(const struct shape *s, enum order order)
{
    struct gtid_set set = {0};
    struct gtid_set again = {0};
    char *text = make(s, order, PARTS);
    double since = cpu_s();
    CU_ASSERT_EQUAL(gtid_set_parse(s->kind, text, &set), 0);
    check_time(since, "parse", s->name, order);
    CU_ASSERT_EQUAL(gtid_set_count(&set), order == DOUBLED ? PARTS / 2 : PARTS);
    char *back = gtid_set_format(&set);
    CU_ASSERT_EQUAL(gtid_set_parse(s->kind, back, &again), 0);
    CU_ASSERT_TRUE(gtid_set_equal(&set, &again));
    free(text);
    free(back);
    gtid_set_fini(&set);
    gtid_set_fini(&again);
}

static void test_parse(void)
{
    for (size_t i = 0; i < SHAPES; i++) {
        for (enum order o = UP; o <= DOUBLED; o++)
            check_parse(&shapes[i], o);
    }
}

/* Half of a large set against the other half and against all of it. */
static void check_algebra(const struct shape *s)
{
    struct gtid_set all = {0};
    struct gtid_set half = {0};
    struct gtid_set rest = {0};
    char *text = make(s, UP, PARTS);
    char *part = make(s, UP, PARTS / 2);
    CU_ASSERT_EQUAL(gtid_set_parse(s->kind, text, &all), 0);
    CU_ASSERT_EQUAL(gtid_set_parse(s->kind, part, &half), 0);
    double since = cpu_s();
    CU_ASSERT_TRUE(gtid_set_contains_set(&all, &half));
    CU_ASSERT_FALSE(gtid_set_contains_set(&half, &all));
    CU_ASSERT_EQUAL(gtid_set_copy(&rest, &all), 0);
    CU_ASSERT_EQUAL(gtid_set_subtract(&rest, &half), 0);
    CU_ASSERT_EQUAL(gtid_set_count(&rest), PARTS / 2);
    CU_ASSERT_EQUAL(gtid_set_union(&rest, &half), 0);
    CU_ASSERT_TRUE(gtid_set_equal(&rest, &all));
    check_time(since, "algebra", s->name, UP);
    free(text);
    free(part);
    gtid_set_fini(&all);
    gtid_set_fini(&half);
    gtid_set_fini(&rest);
}

static void test_algebra(void)
{
    for (size_t i = 0; i < SHAPES; i++)
        check_algebra(&shapes[i]);
}

/* The binary list of a file's start, its uuids in reverse: what a source, or who plays one, writes. */
static void test_binary(void)
{
    struct gtid_set set = {0};
    struct gtid_set back = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    size_t used = 0;
    char *text = make(&shapes[1], UP, PARTS);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, text, &set), 0);
    CU_ASSERT_EQUAL(gtid_set_encode_mysql(&set, &data, &len), 0);
    size_t one = (len - 8) / PARTS;
    uint8_t *turned = malloc(len);
    memcpy(turned, data, 8);
    for (size_t i = 0; i < PARTS; i++)
        memcpy(turned + 8 + i * one, data + 8 + (PARTS - 1 - i) * one, one);
    double since = cpu_s();
    CU_ASSERT_EQUAL(gtid_set_decode_mysql(turned, len, &back, &used), 0);
    check_time(since, "decode", "many uuids", DOWN);
    CU_ASSERT_TRUE(gtid_set_equal(&set, &back));
    free(text);
    free(data);
    free(turned);
    gtid_set_fini(&set);
    gtid_set_fini(&back);
}

/* The same of a MariaDB file: many servers in one domain. */
static void test_gtid_list(void)
{
    struct gtid_set set = {0};
    size_t len = EVENT_HEADER_LEN + 4 + (size_t)PARTS * 16;
    uint8_t *event = calloc(1, len);
    event[4] = EVENT_MARIADB_GTID_LIST;
    store_u32(event + 9, (uint32_t)len);
    store_u32(event + EVENT_HEADER_LEN, PARTS);
    for (uint32_t i = 0; i < PARTS; i++) {
        uint8_t *entry = event + EVENT_HEADER_LEN + 4 + (size_t)i * 16;
        store_u32(entry + 4, PARTS - i);
        store_u32(entry + 8, i + 1);
    }
    double since = cpu_s();
    CU_ASSERT_EQUAL(gtid_set_from_gtid_list(event, len, false, &set), 0);
    check_time(since, "decode", "servers of one domain", DOWN);
    CU_ASSERT_EQUAL(set.state_count, PARTS);
    CU_ASSERT_TRUE(set.states[0].last_in_domain && !set.states[1].last_in_domain);
    free(event);
    gtid_set_fini(&set);
}

static const struct test_case cases[] = {
    {"a hundred thousand parts as text", test_parse},
    {"union, subtraction, comparison", test_algebra},
    {"a binary list in reverse", test_binary},
    {"a GTID_LIST in reverse", test_gtid_list},
};

int main(void)
{
    return cunit_run("gtid_large", cases, sizeof cases / sizeof cases[0]);
}
