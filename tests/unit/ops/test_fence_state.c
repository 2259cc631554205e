/* What DIR/fence says, the rule of epochs, and how much a fence promises. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "ops/fence/fence_state.h"

static struct fence_entry *add(struct fence_state *fs, const char *id)
{
    struct fence_entry *e = NULL;
    CU_ASSERT_EQUAL_FATAL(fence_add(fs, id, &e), 0);
    return e;
}

static void test_round_trip(void)
{
    struct fence_state fs;
    struct fence_state back;
    fence_state_init(&fs);
    fence_state_init(&back);
    struct fence_entry *e = add(&fs, "11111111-1111-1111-1111-111111111111");
    (void)snprintf(e->reason, sizeof e->reason, "Grüße, \"quoted\"\n");
    (void)snprintf(e->file, sizeof e->file, "mysql-bin.000012");
    e->offset = 1ULL << 40;
    e->lineage = 3;
    e->at_us = 1700000000000000;
    e->hold = true;
    lt_ignore(json_array_append_new(e->why, json_string("because")));
    e = add(&fs, "mariadb-7");
    e->strong = true;
    fence_epoch_take(&fs, 1ULL << 62);
    json_t *json = fence_state_encode(&fs);
    char *text = json_dumps(json, 0);
    CU_ASSERT_EQUAL(fence_state_decode(text, strlen(text), &back), 0);
    CU_ASSERT_EQUAL(back.count, 2);
    CU_ASSERT_TRUE(back.have_epoch);
    CU_ASSERT_EQUAL(back.epoch, 1ULL << 62);
    CU_ASSERT_STRING_EQUAL(back.entries[0].reason, fs.entries[0].reason);
    CU_ASSERT_EQUAL(back.entries[0].offset, 1ULL << 40);
    CU_ASSERT_TRUE(back.entries[0].hold);
    CU_ASSERT_FALSE(back.entries[0].strong);
    CU_ASSERT_TRUE(back.entries[1].strong);
    CU_ASSERT_EQUAL(json_array_size(back.entries[0].why), 1);
    CU_ASSERT_STRING_EQUAL(fence_last(&back)->source_id, "mariadb-7");
    free(text);
    json_decref(json);
    fence_state_fini(&fs);
    fence_state_fini(&back);
}

/* One byte less, at every length, and values of the wrong kind: damage, never a fence that is not there. */
static void test_damage(void)
{
    static const char good[] =
        "{\"version\":1,\"epoch\":null,\"fenced\":[{\"source_id\":\"a\",\"reason\":\"r\",\"at_us\":1,\"mode\":\"drop\","
        "\"guarantee\":\"weak\",\"why\":[],\"lineage\":1,\"file\":\"\",\"offset\":4,\"new\":1}],\"more\":{}}";
    static const char *const bad[][2] = {
        {"\"version\":1", "\"version\":2"},
        {"\"version\":1", "\"version\":0"},
        {"\"epoch\":null", "\"epoch\":-1"},
        {"\"epoch\":null", "\"epoch\":\"1\""},
        {"\"epoch\":null", "\"epo\":null"},
        {"\"source_id\":\"a\"", "\"source_id\":\"\""},
        {"\"source_id\":\"a\"", "\"source_id\":7"},
        {"\"at_us\":1", "\"at_us\":-1"},
        {"\"why\":[]", "\"why\":{}"},
        {"\"offset\":4", "\"offset\":4.5"},
        {"\"mode\":\"drop\"", "\"mode\":\"much too long\""},
        {"\"lineage\":1", "\"lineage\":5000000000"},
        {"\"fenced\":[", "\"fenced\":[7,"},
    };
    struct fence_state fs;
    fence_state_init(&fs);
    CU_ASSERT_EQUAL(fence_state_decode(good, strlen(good), &fs), 0);
    CU_ASSERT_EQUAL(fs.count, 1);
    for (size_t len = 0; len < strlen(good); len++)
        CU_ASSERT_EQUAL(fence_state_decode(good, len, &fs), LT_ECORRUPT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[400];
        const char *at = strstr(good, bad[i][0]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, bad[i][1], at + strlen(bad[i][0]));
        CU_ASSERT_EQUAL(fence_state_decode(text, strlen(text), &fs), LT_ECORRUPT);
    }
    CU_ASSERT_EQUAL(fence_state_decode("[]", 2, &fs), LT_ECORRUPT);
    CU_ASSERT_EQUAL(fs.count, 1); /* what was there stays */
    fence_state_fini(&fs);
}

/* ---- epochs: logs of commands, replayed and out of order ---- */

struct order {
    uint64_t epoch;
    bool fence; /* else unfence */
    char id[2];
};

static uint64_t next_random(uint64_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    return *rng;
}

/* As the commands do it. False: stale. */
static bool apply(struct fence_state *fs, const struct order *o)
{
    if (!fence_epoch_ok(fs, o->epoch))
        return false;
    fence_epoch_take(fs, o->epoch);
    if (o->fence)
        (void)add(fs, o->id);
    else
        fence_remove(fs, o->id);
    return true;
}

static bool same(const struct fence_state *a, const struct fence_state *b)
{
    if (a->count != b->count || a->epoch != b->epoch || a->have_epoch != b->have_epoch)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (fence_find(b, a->entries[i].source_id) == NULL)
            return false;
    }
    return true;
}

#define ORDERS 12

static void make_log(struct order *log, uint64_t *rng)
{
    uint64_t epoch = 0;
    for (size_t i = 0; i < ORDERS; i++) {
        epoch += 1 + next_random(rng) % 3;
        log[i] = (struct order){.epoch = epoch, .fence = next_random(rng) % 2 == 0};
        log[i].id[0] = (char)('a' + next_random(rng) % 3);
    }
}

static void test_epochs(void)
{
    uint64_t rng = 88172645463325252ULL;
    for (unsigned round = 0; round < 2000; round++) {
        struct order log[ORDERS];
        struct fence_state straight;
        struct fence_state messy;
        uint64_t highest = 0;
        fence_state_init(&straight);
        fence_state_init(&messy);
        make_log(log, &rng);
        for (size_t i = 0; i < ORDERS; i++)
            CU_ASSERT_TRUE(apply(&straight, &log[i]));
        /* The same log with late copies of older orders strewn in: they change nothing. */
        for (size_t i = 0; i < ORDERS; i++) {
            struct fence_state before;
            fence_state_init(&before);
            CU_ASSERT_TRUE(apply(&messy, &log[i]));
            CU_ASSERT(messy.epoch >= highest);
            highest = messy.epoch;
            CU_ASSERT_EQUAL(fence_state_copy(&before, &messy), 0);
            CU_ASSERT_TRUE(apply(&messy, &log[i])); /* again, at once: accepted, without effect */
            for (unsigned n = (unsigned)(next_random(&rng) % 4); n > 0 && i > 0; n--)
                CU_ASSERT_FALSE(apply(&messy, &log[next_random(&rng) % i]));
            CU_ASSERT_TRUE(same(&before, &messy));
            fence_state_fini(&before);
        }
        CU_ASSERT_TRUE(same(&straight, &messy));
        fence_state_fini(&straight);
        fence_state_fini(&messy);
    }
}

static void test_entries(void)
{
    struct fence_state fs;
    fence_state_init(&fs);
    CU_ASSERT_PTR_NULL(fence_last(&fs));
    CU_ASSERT_PTR_NULL(fence_find(&fs, "a"));
    fence_remove(&fs, "a");
    add(&fs, "a")->offset = 1;
    add(&fs, "b")->offset = 2;
    add(&fs, "c")->offset = 3;
    CU_ASSERT_EQUAL(add(&fs, "b")->offset, 2);
    CU_ASSERT_EQUAL(fs.count, 3);
    fence_remove(&fs, "b");
    CU_ASSERT_EQUAL(fs.count, 2);
    CU_ASSERT_EQUAL(fence_find(&fs, "c")->offset, 3);
    CU_ASSERT_STRING_EQUAL(fence_last(&fs)->source_id, "c");
    fence_state_fini(&fs);
}

/* ---- the guarantee ---- */

static const struct fence_facts best = {
    .have_settings = true,
    .enabled = true,
    .wait_no_replica = true,
    .timeout_ms = FENCE_TIMEOUT_HUGE_MS,
    .wait_count = 1,
    .connected = true,
    .others = FENCE_NO,
};

static bool says(const struct fence_facts *f, enum fence_mode mode, const char *words)
{
    struct fence_guarantee g;
    fence_guarantee(f, mode, &g);
    for (unsigned i = 0; i < g.count; i++) {
        if (strstr(g.why[i], words) != NULL)
            return !g.strong;
    }
    return false;
}

static void test_guarantee(void)
{
    struct fence_guarantee g;
    struct fence_facts f = best;
    fence_guarantee(&f, FENCE_DROP, &g);
    CU_ASSERT_TRUE(g.strong);
    CU_ASSERT_EQUAL(g.count, 0);
    f.timeout_ms--;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "time-out"));
    f = best;
    f.wait_no_replica = false;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "with no replica connected"));
    CU_ASSERT_TRUE(says(&f, FENCE_HOLD, "holds its connection"));
    f = best;
    f.after_commit = true;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "AFTER_COMMIT"));
    f = best;
    f.enabled = false;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "semi-sync is off"));
    f = best;
    f.have_settings = false;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "not known"));
    f = best;
    f.others = FENCE_UNKNOWN;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "not known whether"));
    f.others = FENCE_YES;
    f.acknowledgers = 1;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "fence them too (with PROCESS granted they are named here)"));
    (void)snprintf(f.who, sizeof f.who, "logtailer@10.0.0.1, repl@db2");
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "fence them too. It streams to logtailer@10.0.0.1, repl@db2"));
    memset(f.who, 'x', sizeof f.who - 1);
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, f.who)); /* the longest fits */
    f.wait_count = 2;                            /* one other is not enough to complete a commit */
    fence_guarantee(&f, FENCE_DROP, &g);
    CU_ASSERT_TRUE(g.strong);
    f = best;
    f.stale = true;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "old"));
    CU_ASSERT_TRUE(says(&f, FENCE_HOLD, "old"));
    f = best;
    f.mariadb = true;
    CU_ASSERT_TRUE(says(&f, FENCE_DROP, "KILL"));
    /* Everything at once fits. */
    f = (struct fence_facts){.have_settings = true, .after_commit = true, .mariadb = true};
    fence_guarantee(&f, FENCE_DROP, &g);
    CU_ASSERT_FALSE(g.strong);
    CU_ASSERT(g.count >= 6);
}

/* Two counted before the fence: ours and another's. After it the source counts what it likes. */
static void test_second_look(void)
{
    const struct fence_facts other = {.connected = true, .others = FENCE_YES, .acknowledgers = 1};
    const struct fence_facts alone = {.connected = true, .others = FENCE_NO};
    const struct fence_facts unknown = {.connected = true, .others = FENCE_UNKNOWN};
    struct fence_facts f = {.others = FENCE_YES, .acknowledgers = 1}; /* ours is counted no more */
    fence_facts_after(&f, &other, false);
    CU_ASSERT(f.others == FENCE_YES && f.acknowledgers == 1);
    f = (struct fence_facts){.others = FENCE_NO};
    fence_facts_after(&f, &other, false);
    CU_ASSERT(f.others == FENCE_YES && f.acknowledgers == 1);
    f = (struct fence_facts){.others = FENCE_YES, .acknowledgers = 4}; /* more came */
    fence_facts_after(&f, &other, false);
    CU_ASSERT(f.others == FENCE_YES && f.acknowledgers == 3);
    f = (struct fence_facts){.others = FENCE_YES, .acknowledgers = 1}; /* ours is counted still */
    fence_facts_after(&f, &alone, false);
    CU_ASSERT(f.others == FENCE_NO && f.connected);
    f = (struct fence_facts){.others = FENCE_YES, .acknowledgers = 1};
    fence_facts_after(&f, &unknown, false);
    CU_ASSERT(f.others == FENCE_YES);
    f = (struct fence_facts){.others = FENCE_YES, .acknowledgers = 1};
    fence_facts_after(&f, &unknown, true);
    CU_ASSERT(f.others == FENCE_NO);
}

static void test_mode(void)
{
    struct fence_facts f = best;
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_AUTO, &f), FENCE_DROP);
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_HOLD, &f), FENCE_HOLD);
    f.wait_no_replica = false;
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_AUTO, &f), FENCE_HOLD);
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_DROP, &f), FENCE_DROP);
    f = best;
    f.stale = true; /* it may have wait_no_replica OFF by now */
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_AUTO, &f), FENCE_HOLD);
    f = best;
    f.timeout_ms = 10000;
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_AUTO, &f), FENCE_HOLD);
    f = best;
    f.have_settings = false;
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_AUTO, &f), FENCE_HOLD);
    f.connected = false; /* nothing to hold */
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_AUTO, &f), FENCE_DROP);
    CU_ASSERT_EQUAL(fence_choose_mode(FENCE_HOLD, &f), FENCE_DROP);
}

static const struct test_case cases[] = {
    {"written and read", test_round_trip},
    {"damage", test_damage},
    {"epochs, replayed and reordered", test_epochs},
    {"entries", test_entries},
    {"guarantee", test_guarantee},
    {"mode", test_mode},
    {"a second look at the acknowledgers", test_second_look},
};

int main(void)
{
    return cunit_run("fence_state", cases, sizeof cases / sizeof cases[0]);
}
