#include "cunit_main.h"

#include "binlog/gtid.h"
#include "sample.h"

#define A "68b1e7ed-e6ea-11f1-af30-02fc00000001"
#define B "78b1e7ed-e6ea-11f1-af30-02fc00000001"

static struct gtid_set parse(enum gtid_kind kind, const char *text)
{
    struct gtid_set set = {0};
    int rc = gtid_set_parse(kind, text, &set);
    if (rc != 0)
        (void)fprintf(stderr, "does not parse: %s\n", text);
    CU_ASSERT_EQUAL(rc, 0);
    return set;
}

static void check_text(const struct gtid_set *set, const char *want)
{
    char *text = gtid_set_format(set);
    CU_ASSERT_PTR_NOT_NULL(text);
    if (text == NULL)
        return;
    CU_ASSERT_STRING_EQUAL(text, want);
    free(text);
}

static void test_single(void)
{
    char text[GTID_TEXT_MAX];
    static const char *const mysql[] = {A ":1", A ":9223372036854775806", A ":mytag:7",
                                        A ":a_234567890123456789012345678901:9223372036854775806"};
    static const char *const bad[] = {"",
                                      A,
                                      A ":",
                                      A ":0",
                                      A ":9223372036854775807",
                                      A ":1-2",
                                      A ":tag",
                                      A ":tag:",
                                      A ":1 x",
                                      A ":ta-g:1",
                                      A ":a_2345678901234567890123456789012:1",
                                      "0-1-2",
                                      "68b1e7ed-e6ea-11f1-af30-02fc0000000g:1",
                                      "68b1e7ed"};
    struct gtid g;
    for (size_t i = 0; i < sizeof mysql / sizeof mysql[0]; i++) {
        CU_ASSERT_EQUAL(gtid_parse(GTID_MYSQL, mysql[i], &g), 0);
        CU_ASSERT_STRING_EQUAL(gtid_format(&g, text, sizeof text), mysql[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(gtid_parse(GTID_MYSQL, bad[i], &g), LT_EPROTO);
    CU_ASSERT_EQUAL(gtid_parse(GTID_MYSQL, " 68B1E7ED-E6EA-11F1-AF30-02FC00000001:MyTag:1 ", &g), 0);
    CU_ASSERT_STRING_EQUAL(gtid_format(&g, text, sizeof text), A ":mytag:1");
    CU_ASSERT_EQUAL(gtid_parse(GTID_MARIADB, "4294967295-4294967295-18446744073709551615", &g), 0);
    CU_ASSERT_STRING_EQUAL(gtid_format(&g, text, sizeof text), "4294967295-4294967295-18446744073709551615");
    CU_ASSERT_EQUAL(gtid_parse(GTID_MARIADB, "4294967296-1-1", &g), LT_EPROTO);
    CU_ASSERT_EQUAL(gtid_parse(GTID_MARIADB, "1-1-18446744073709551616", &g), LT_EPROTO);
    CU_ASSERT_EQUAL(gtid_parse(GTID_MARIADB, "1-1", &g), LT_EPROTO);
    CU_ASSERT_EQUAL(gtid_parse(GTID_NONE, "1-1-1", &g), LT_EINVAL);
    g = (struct gtid){0};
    CU_ASSERT_STRING_EQUAL(gtid_format(&g, text, sizeof text), "");
    uint8_t uuid[GTID_UUID_LEN];
    CU_ASSERT_EQUAL(uuid_parse(A, uuid), 0);
    CU_ASSERT_EQUAL(uuid_parse(A "0", uuid), LT_EPROTO);
}

static void test_mysql_text(void)
{
    static const char *const rows[][2] = {
        {"", ""},
        {" , ,\n", ""},
        {A ":1-5:7," B ":1", A ":1-5:7," B ":1"},
        {B ":1,\n" A ":7:1-5", A ":1-5:7," B ":1"},
        {A ":1-3:4-6:5-9", A ":1-9"},
        {A ":3:1:2", A ":1-3"},
        {A " : 1 - 3 : 5 , " B ":2", A ":1-3:5," B ":2"},
        {A ":1-2:tag_a:1:3:tag_b:4", A ":1-2," A ":tag_a:1:3," A ":tag_b:4"},
        {A ":Tag:1," A ":1", A ":1," A ":tag:1"},
        /* As @@gtid_executed prints, as mysql -BN prints it, and as it is copied out of a dump or a shell's history. */
        {A ":1-5,\n" B ":1", A ":1-5," B ":1"},
        {A ":1-5,\\n" B ":1\n", A ":1-5," B ":1"},
        {A ":1-5,\r\n" B ":1\r\n", A ":1-5," B ":1"},
        {A ":1-5,\\r\\n\\t" B ":1\\n", A ":1-5," B ":1"},
        {"'" A ":1-5,\n" B ":1';\n", A ":1-5," B ":1"},
        {"\"" A ":1-5\"", A ":1-5"},
        {"`" A ":1-5`", A ":1-5"},
        {"''", ""},
        {A ":1-5,;", A ":1-5"},
        {A ":1-5;\n", A ":1-5"},
        {"68B1E7ED-E6EA-11F1-AF30-02FC00000001:1-5", A ":1-5"},
        /* In any order, doubled, overlapping, touching, the same source in several places. */
        {B ":9:1," A ":7-9:1-2:3," B ":5:1-9," A ":2-6," B ":tag:2:1," A ":20", A ":1-9:20," B ":1-9," B ":tag:1-2"},
    };
    static const char *const bad[] = {A,
                                      A ":",
                                      A ":0",
                                      A ":2-1",
                                      A ":1-",
                                      A ":1--2",
                                      A ":tag",
                                      A ":1 " B,
                                      A ":1x",
                                      A ":1:1-tag",
                                      "x",
                                      A ":1:tag",
                                      A "1",
                                      A ":-1",
                                      A ":1:,",
                                      A ":1-9223372036854775807",
                                      A ":1;" B ":1",
                                      A ":1;;",
                                      "'" A ":1",
                                      A ":1'",
                                      "'" A ":1\"",
                                      A ":1\\x",
                                      A ":1\\",
                                      A ":1 2",
                                      A ":1\\n2"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gtid_set set = parse(GTID_MYSQL, rows[i][0]);
        check_text(&set, rows[i][1]);
        gtid_set_fini(&set);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gtid_set set = parse(GTID_MYSQL, A ":1");
        CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, bad[i], &set), LT_EPROTO);
        check_text(&set, A ":1"); /* not touched on failure */
        gtid_set_fini(&set);
    }
}

static void check_encoding(const char *text, const char *hex)
{
    struct sample want = sample_hex(hex);
    struct gtid_set set = parse(GTID_MYSQL, text);
    struct gtid_set back = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    size_t used = 0;
    CU_ASSERT_EQUAL(gtid_set_encode_mysql(&set, &data, &len), 0);
    CU_ASSERT_TRUE(len == want.len && memcmp(data, want.data, len) == 0);
    CU_ASSERT_EQUAL(gtid_set_decode_mysql(want.data, want.len + 3, &back, &used), 0);
    CU_ASSERT_EQUAL(used, want.len);
    CU_ASSERT_TRUE(gtid_set_equal(&set, &back));
    for (size_t n = 0; n < want.len; n++) {
        uint8_t *cut = sample_exact(want.data, n);
        CU_ASSERT_NOT_EQUAL(gtid_set_decode_mysql(cut, n, &back, &used), 0);
        free(cut);
    }
    struct sample body = want;
    struct sample event = sample_event(EVENT_PREVIOUS_GTIDS, 0, EVENT_FLAG_IGNORABLE, &body, true);
    gtid_set_clear(&back);
    CU_ASSERT_EQUAL(gtid_set_from_previous_gtids(event.data, event.len, true, &back), 0);
    CU_ASSERT_TRUE(gtid_set_equal(&set, &back));
    CU_ASSERT_EQUAL(gtid_set_from_previous_gtids(event.data, event.len, false, &back), LT_EPROTO);
    CU_ASSERT_EQUAL(gtid_set_from_gtid_list(event.data, event.len, true, &back), LT_EPROTO);
    free(data);
    gtid_set_fini(&set);
    gtid_set_fini(&back);
}

static void test_mysql_encoding(void)
{
    check_encoding("", "00 00 00 00 00 00 00 00");
    check_encoding(A ":1-6", "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | "
                             "01 00 00 00 00 00 00 00 | 01 00 00 00 00 00 00 00 | 07 00 00 00 00 00 00 00");
    check_encoding(A ":1-6:mytag:9", "01 02 00 00 00 00 00 01 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 00 | "
                                     "01 00 00 00 00 00 00 00 | 01 00 00 00 00 00 00 00 | 07 00 00 00 00 00 00 00 | "
                                     "68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 0a 'mytag' | "
                                     "01 00 00 00 00 00 00 00 | 09 00 00 00 00 00 00 00 | 0a 00 00 00 00 00 00 00");
}

static void test_bad_encodings(void)
{
    static const char *const rows[] = {
        "01 00 00 00 00 00 00 02", /* neither form */
        /* first 0; end not behind first; out of order; past the largest number */
        "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 01 00 00 00 00 00 00 00 | "
        "00 00 00 00 00 00 00 00 | 07 00 00 00 00 00 00 00",
        "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 01 00 00 00 00 00 00 00 | "
        "07 00 00 00 00 00 00 00 | 07 00 00 00 00 00 00 00",
        "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 02 00 00 00 00 00 00 00 | "
        "07 00 00 00 00 00 00 00 | 09 00 00 00 00 00 00 00 | 01 00 00 00 00 00 00 00 | 02 00 00 00 00 00 00 00",
        "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 01 00 00 00 00 00 00 00 | "
        "01 00 00 00 00 00 00 00 | 00 00 00 00 00 00 00 80",
        /* numbers of elements that no input holds; a tag too long; a tag with a capital */
        "ff ff ff ff ff ff ff 00",
        "01 00 00 00 00 00 00 00 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | ff ff ff ff ff ff ff ff",
        "01 01 00 00 00 00 00 01 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 42 "
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
        "01 01 00 00 00 00 00 01 | 68 b1 e7 ed e6 ea 11 f1 af 30 02 fc 00 00 00 01 | 02 'A' 00 00 00 00 00 00 00 00",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample s = sample_hex(rows[i]);
        struct gtid_set set = {0};
        size_t used = 99;
        uint8_t *copy = sample_exact(s.data, s.len);
        CU_ASSERT_NOT_EQUAL(gtid_set_decode_mysql(copy, s.len, &set, &used), 0);
        CU_ASSERT_EQUAL(used, 99);
        CU_ASSERT_TRUE(gtid_set_is_empty(&set));
        free(copy);
    }
}

static void test_mariadb_text(void)
{
    struct gtid_set set = parse(GTID_MARIADB, " 1-1-5 , 0-2-90,0-1-100,0-2-95");
    check_text(&set, "0-1-100,0-2-95,1-1-5");
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "0-2-95,0-1-100,1-1-5", &set), 0);
    check_text(&set, "0-2-95,0-1-100,1-1-5");
    /* Numbers may go back: the later one wins. */
    struct gtid g = {.kind = GTID_MARIADB, .domain_id = 0, .server_id = 2, .seq = 7};
    CU_ASSERT_EQUAL(gtid_set_add(&set, &g), 0);
    check_text(&set, "0-1-100,0-2-7,1-1-5");
    CU_ASSERT_EQUAL(gtid_set_count(&set), 3);
    g.seq = 8;
    CU_ASSERT_FALSE(gtid_set_contains(&set, &g));
    g.seq = 3;
    CU_ASSERT_TRUE(gtid_set_contains(&set, &g));
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "0-1-1 0-1-2", &set), LT_EPROTO);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "\n", &set), 0);
    check_text(&set, "");
    gtid_set_fini(&set);
}

/* As people have it: from a client's output, a variable, a file. */
static void test_mariadb_text_around(void)
{
    static const char *const rows[][2] = {
        {"0-1-100,\n0-2-90\n", "0-1-100,0-2-90"},
        {"0-1-100,\\n 0-2-90\\n", "0-1-100,0-2-90"},
        {"0-1-100, 0-2-90,", "0-1-100,0-2-90"},
        {"'0-1-100,0-2-90';\n", "0-1-100,0-2-90"},
        {" 0 - 1 - 100 ", "0-1-100"},
        {"\"\"", ""},
        /* The later one wins, also where the number is lower, and is its domain's last. */
        {"5-1-9,0-2-90,5-2-8,0-1-7,0-2-5,5-1-3", "0-1-7,0-2-5,5-2-8,5-1-3"},
    };
    static const char *const bad[] = {"0-1-1,,0-1-2", ",0-1-1",      "0-1-1;0-1-2", "'0-1-1",
                                      "0-1-1'",       "0-1-1 0-1-2", "0-1-1\\x"};
    struct gtid_set set = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, rows[i][0], &set), 0);
        check_text(&set, rows[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, bad[i], &set), LT_EPROTO);
    gtid_set_fini(&set);
}

static void test_mariadb_algebra(void)
{
    struct gtid_set a = parse(GTID_MARIADB, "0-1-100,0-2-110,1-1-5");
    struct gtid_set b = parse(GTID_MARIADB, "0-2-90,0-1-120,2-1-9");
    struct gtid_set u = {0};
    CU_ASSERT_EQUAL(gtid_set_copy(&u, &a), 0);
    CU_ASSERT_TRUE(gtid_set_equal(&u, &a));
    CU_ASSERT_EQUAL(gtid_set_union(&u, &b), 0);
    check_text(&u, "0-2-110,0-1-120,1-1-5,2-1-9");
    CU_ASSERT_TRUE(gtid_set_contains_set(&u, &a));
    CU_ASSERT_TRUE(gtid_set_contains_set(&u, &b));
    CU_ASSERT_FALSE(gtid_set_contains_set(&a, &b));
    CU_ASSERT_EQUAL(gtid_set_subtract(&u, &a), 0);
    check_text(&u, "0-1-120,2-1-9");
    CU_ASSERT_EQUAL(gtid_set_subtract(&a, &a), 0);
    CU_ASSERT_TRUE(gtid_set_is_empty(&a));
    struct gtid_set m = parse(GTID_MYSQL, A ":1");
    CU_ASSERT_EQUAL(gtid_set_union(&b, &m), LT_EINVAL);
    CU_ASSERT_EQUAL(gtid_set_subtract(&b, &m), LT_EINVAL);
    CU_ASSERT_FALSE(gtid_set_contains_set(&b, &m));
    CU_ASSERT_FALSE(gtid_set_equal(&b, &m));
    struct gtid g = {.kind = GTID_MYSQL, .seq = 1};
    CU_ASSERT_EQUAL(gtid_set_add(&b, &g), LT_EINVAL);
    g.kind = GTID_NONE;
    CU_ASSERT_EQUAL(gtid_set_add(&b, &g), LT_EINVAL);
    uint8_t *data;
    size_t len;
    CU_ASSERT_EQUAL(gtid_set_encode_mysql(&b, &data, &len), LT_EINVAL);
    /* An empty set takes either flavour. */
    gtid_set_clear(&b);
    CU_ASSERT_EQUAL(gtid_set_union(&b, &m), 0);
    check_text(&b, A ":1");
    gtid_set_fini(&a);
    gtid_set_fini(&b);
    gtid_set_fini(&u);
    gtid_set_fini(&m);
}

static void test_gtid_list(void)
{
    struct sample body = sample_hex("02 00 00 10 | 00 00 00 00 02 00 00 00 5a 00 00 00 00 00 00 00 | "
                                    "00 00 00 00 01 00 00 00 64 00 00 00 00 00 00 00");
    struct sample event = sample_event(EVENT_MARIADB_GTID_LIST, 0, 0, &body, true);
    struct gtid_set set = {0};
    CU_ASSERT_EQUAL(gtid_set_from_gtid_list(event.data, event.len, true, &set), 0);
    check_text(&set, "0-2-90,0-1-100");
    for (size_t n = 0; n < event.len; n++) {
        uint8_t *cut = sample_exact(event.data, n);
        CU_ASSERT_NOT_EQUAL(gtid_set_from_gtid_list(cut, n, true, &set), 0);
        if (n >= EVENT_HEADER_LEN) {
            store_u32(cut + 9, (uint32_t)n);
            CU_ASSERT_NOT_EQUAL(gtid_set_from_gtid_list(cut, n, true, &set), 0);
        }
        free(cut);
    }
    gtid_set_fini(&set);
}

/* ---- random sets against a table of booleans ---- */

#define SOURCES 4
#define NUMBERS 48

struct model {
    bool has[SOURCES][NUMBERS + 1];
};

static struct gtid member(size_t source, uint64_t seq)
{
    static const char *const tags[SOURCES] = {"", "a", "b", ""};
    struct gtid g = {.kind = GTID_MYSQL, .seq = seq};
    g.uuid[0] = source == 3 ? 9 : 5;
    memcpy(g.tag, tags[source], strlen(tags[source]));
    return g;
}

static void check_shape(const struct gtid_set *set)
{
    bool good = true;
    for (size_t i = 0; i < set->source_count; i++) {
        const struct gtid_source *s = &set->sources[i];
        good = good && s->count > 0;
        for (size_t k = 0; k < s->count; k++) {
            good = good && s->intervals[k].first <= s->intervals[k].last;
            good = good && (k == 0 || s->intervals[k].first > s->intervals[k - 1].last + 1);
        }
    }
    CU_ASSERT_TRUE(good);
}

static void check_model(const struct gtid_set *set, const struct model *m)
{
    uint64_t count = 0;
    bool good = true;
    for (size_t s = 0; s < SOURCES; s++) {
        for (uint64_t n = 1; n <= NUMBERS; n++) {
            struct gtid g = member(s, n);
            good = good && gtid_set_contains(set, &g) == m->has[s][n];
            count += m->has[s][n];
        }
    }
    CU_ASSERT_TRUE(good);
    CU_ASSERT_EQUAL(gtid_set_count(set), count);
    check_shape(set);
}

static void add_random(struct gtid_set *set, struct model *m, uint64_t *seed)
{
    size_t s = sample_random(seed) % SOURCES;
    uint64_t n = 1 + sample_random(seed) % NUMBERS;
    uint64_t run = 1 + sample_random(seed) % 6;
    for (; run != 0 && n <= NUMBERS; run--, n++) {
        struct gtid g = member(s, n);
        m->has[s][n] = true;
        CU_ASSERT_EQUAL(gtid_set_add(set, &g), 0);
    }
}

static void check_round_trips(const struct gtid_set *set)
{
    struct gtid_set back = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    size_t used = 0;
    char *text = gtid_set_format(set);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, text, &back), 0);
    CU_ASSERT_TRUE(gtid_set_equal(set, &back));
    free(text);
    CU_ASSERT_EQUAL(gtid_set_encode_mysql(set, &data, &len), 0);
    CU_ASSERT_EQUAL(gtid_set_decode_mysql(data, len, &back, &used), 0);
    CU_ASSERT_TRUE(used == len && gtid_set_equal(set, &back));
    free(data);
    gtid_set_fini(&back);
}

static void combine(struct gtid_set sets[2], struct model models[2], bool subtract)
{
    bool contained = true;
    bool equal = true;
    for (size_t s = 0; s < SOURCES; s++) {
        for (size_t n = 1; n <= NUMBERS; n++) {
            contained = contained && (models[0].has[s][n] || !models[1].has[s][n]);
            equal = equal && models[0].has[s][n] == models[1].has[s][n];
            models[0].has[s][n] =
                subtract ? models[0].has[s][n] && !models[1].has[s][n] : models[0].has[s][n] || models[1].has[s][n];
        }
    }
    CU_ASSERT_EQUAL(gtid_set_contains_set(&sets[0], &sets[1]), contained);
    CU_ASSERT_EQUAL(gtid_set_equal(&sets[0], &sets[1]), equal);
    CU_ASSERT_EQUAL(subtract ? gtid_set_subtract(&sets[0], &sets[1]) : gtid_set_union(&sets[0], &sets[1]), 0);
}

static void test_random_sets(void)
{
    for (uint64_t round = 1; round <= 300; round++) {
        uint64_t seed = round * UINT64_C(0x9e3779b97f4a7c15);
        struct gtid_set sets[2] = {{0}, {0}};
        struct model models[2] = {0};
        for (int step = 0; step < 24; step++) {
            size_t which = sample_random(&seed) % 2;
            add_random(&sets[which], &models[which], &seed);
            if (step % 6 == 5)
                combine(sets, models, sample_random(&seed) % 2);
            check_model(&sets[which], &models[which]);
        }
        check_model(&sets[0], &models[0]);
        check_round_trips(&sets[0]);
        check_round_trips(&sets[1]);
        gtid_set_fini(&sets[0]);
        gtid_set_fini(&sets[1]);
    }
}

/* A cleared set reuses its memory and keeps nothing of what it held. */
static void test_clear(void)
{
    struct gtid_set set = parse(GTID_MYSQL, A ":1-5:9," B ":1");
    gtid_set_clear(&set);
    CU_ASSERT_TRUE(gtid_set_is_empty(&set));
    check_text(&set, "");
    struct gtid g;
    CU_ASSERT_EQUAL(gtid_parse(GTID_MYSQL, B ":6", &g), 0);
    CU_ASSERT_EQUAL(gtid_set_add(&set, &g), 0);
    check_text(&set, B ":6");
    g.seq = INT64_MAX;
    CU_ASSERT_EQUAL(gtid_set_add(&set, &g), LT_EINVAL);
    g.seq = 0;
    CU_ASSERT_EQUAL(gtid_set_add(&set, &g), LT_EINVAL);
    gtid_set_fini(&set);
}

static const struct test_case cases[] = {
    {"single GTIDs and uuids", test_single},
    {"text of MySQL sets", test_mysql_text},
    {"binary form of MySQL sets", test_mysql_encoding},
    {"malformed binary sets", test_bad_encodings},
    {"text of MariaDB states", test_mariadb_text},
    {"text of MariaDB states as people have it", test_mariadb_text_around},
    {"algebra of MariaDB states", test_mariadb_algebra},
    {"GTID_LIST", test_gtid_list},
    {"random sets against a table", test_random_sets},
    {"cleared sets", test_clear},
};

int main(void)
{
    return cunit_run("gtid", cases, sizeof cases / sizeof cases[0]);
}
