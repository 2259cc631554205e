/* How old segments are: no clock that can be set makes one older, whatever happens to the clocks, the machine, the folder or the ledger. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>

#include "cunit_main.h"
#include "store/age.h"
#include "store/state.h"
#include "store_test.h"

#define SECOND 1000000ull
#define DAY    (86400 * SECOND)
#define YEAR   (365 * DAY)
#define NOW    ((int64_t)(1800000000 * SECOND))

/* A machine, its clocks and a store of `files` files; the newest is not sealed. */
struct world {
    struct age_ledger a;
    struct age_reading at;
    struct store_segment_info list[900];
    size_t files;
    uint64_t grain;
};

static void add_files(struct world *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct store_segment_info *info = &w->list[w->files++];
        *info = (struct store_segment_info){.lineage = 1, .bytes = 1000 + w->files, .sealed = true};
        (void)snprintf(info->source_id, sizeof info->source_id, "source-1");
        (void)snprintf(info->file, sizeof info->file, "b.%06zu", w->files);
    }
}

static void begin(struct world *w)
{
    *w = (struct world){.at = {.up = {.boot_id = "boot-1", .us = 1000 * SECOND},
                               .wall_us = NOW,
                               .source_us = NOW,
                               .source_id = "source-1"}};
    age_init(&w->a);
    add_files(w, 10);
}

static void look(struct world *w)
{
    age_advance(&w->a, &w->at);
    age_note(&w->a, w->list, w->files, w->grain);
}

/* Time passes for all, with a look now and then. */
static void pass(struct world *w, uint64_t us)
{
    for (int i = 0; i < 10; i++) {
        w->at.up.us += us / 10;
        w->at.wall_us += (int64_t)(us / 10);
        if (w->at.source_us != 0)
            w->at.source_us += (int64_t)(us / 10);
        look(w);
    }
}

/* The process ends and begins again: what there is, is what was written. */
static void restart(struct world *w)
{
    char *text = age_format(&w->a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    age_fini(&w->a);
    age_init(&w->a);
    CU_ASSERT_EQUAL(age_parse(text, &w->a), 0);
    free(text);
}

static void reboot(struct world *w, const char *id)
{
    restart(w);
    (void)snprintf(w->at.up.boot_id, sizeof w->at.up.boot_id, "%s", id);
    w->at.up.us = 20 * SECOND;
}

static const char *older(const struct world *w, uint64_t age_us)
{
    static struct store_place p;
    p = age_older_than(&w->a, age_us);
    return p.file;
}

static void test_time_passes(void)
{
    struct world w;
    begin(&w);
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, 1), "");
    pass(&w, DAY);
    CU_ASSERT_STRING_EQUAL(older(&w, DAY + 1), "");
    CU_ASSERT_STRING_EQUAL(older(&w, DAY), "b.000009");
    add_files(&w, 5);
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, DAY), "b.000009");
    pass(&w, DAY);
    CU_ASSERT_STRING_EQUAL(older(&w, DAY), "b.000014");
    CU_ASSERT_STRING_EQUAL(older(&w, 2 * DAY), "b.000009");
    age_fini(&w.a);
}

/* Each clock goes off by so much while the process runs, while it is away, and while the machine is; then a second passes. */
static void test_clocks_that_jump(void)
{
    static const int64_t jumps[] = {60 * (int64_t)DAY, -60 * (int64_t)DAY, 10 * (int64_t)YEAR, -10 * (int64_t)YEAR};
    for (size_t j = 0; j < sizeof jumps / sizeof jumps[0]; j++) {
        for (int whose = 0; whose < 2; whose++) {
            for (int when = 0; when < 3; when++) {
                struct world w;
                begin(&w);
                look(&w);
                pass(&w, 100 * SECOND);
                if (when == 1)
                    restart(&w);
                if (when == 2)
                    reboot(&w, "boot-2");
                if (whose == 0)
                    w.at.wall_us += jumps[j];
                else
                    w.at.source_us += jumps[j];
                pass(&w, 10 * SECOND);
                CU_ASSERT_STRING_EQUAL(older(&w, 111 * SECOND), "");
                /* And back; nothing is kept for ever either. */
                pass(&w, 2 * DAY);
                CU_ASSERT_STRING_EQUAL(older(&w, 2 * DAY), "b.000009");
                if (whose == 0)
                    w.at.wall_us -= jumps[j];
                else
                    w.at.source_us -= jumps[j];
                pass(&w, 10 * SECOND);
                CU_ASSERT_STRING_EQUAL(older(&w, 2 * DAY + 121 * SECOND), "");
                age_fini(&w.a);
            }
        }
    }
}

static void test_away(void)
{
    struct world w;
    begin(&w);
    look(&w);
    /* The process was away, the machine was not: all of it counts, with or without a source. */
    restart(&w);
    w.at.source_us = 0;
    w.at.up.us += 3 * DAY;
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, 3 * DAY), "b.000009");
    /* The machine was away: nothing until the source says so, too; then what both say, also after a second boot. */
    w.at.source_us = NOW + 3 * (int64_t)DAY;
    w.at.wall_us = NOW + 3 * (int64_t)DAY;
    look(&w);
    reboot(&w, "boot-2");
    w.at.source_us = 0;
    w.at.wall_us += 5 * (int64_t)DAY;
    pass(&w, 10 * SECOND);
    CU_ASSERT_STRING_EQUAL(older(&w, 4 * DAY), "");
    reboot(&w, "boot-3");
    w.at.wall_us += 2 * (int64_t)DAY;
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, 4 * DAY), "");
    w.at.source_us = NOW + 10 * (int64_t)DAY;
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, 10 * DAY), "b.000009");
    CU_ASSERT_STRING_EQUAL(older(&w, 10 * DAY + 20 * SECOND), "");
    /* Another source's clock proves nothing about the time away. */
    reboot(&w, "boot-4");
    w.at.wall_us += (int64_t)YEAR;
    w.at.source_us += (int64_t)YEAR;
    (void)snprintf(w.at.source_id, sizeof w.at.source_id, "source-2");
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, 11 * DAY), "");
    age_fini(&w.a);
}

/* To a machine that has been up for a year, whose clock is a year ahead. */
static void test_copied(void)
{
    struct world w;
    begin(&w);
    look(&w);
    pass(&w, DAY);
    reboot(&w, "another machine");
    w.at.up.us = YEAR;
    w.at.wall_us += (int64_t)YEAR;
    pass(&w, SECOND);
    CU_ASSERT_STRING_EQUAL(older(&w, DAY), "b.000009");
    CU_ASSERT_STRING_EQUAL(older(&w, DAY + 2 * SECOND), "");
    /* Which boot it is cannot be told. */
    w.at.up.boot_id[0] = '\0';
    look(&w);
    restart(&w);
    w.at.up.us += YEAR;
    w.at.wall_us += (int64_t)YEAR;
    look(&w);
    CU_ASSERT_STRING_EQUAL(older(&w, DAY + 3 * SECOND), "");
    pass(&w, DAY);
    CU_ASSERT_STRING_EQUAL(older(&w, 2 * DAY), "b.000009");
    age_fini(&w.a);
}

/* The folder holds other files than those the ledger speaks of. */
static void test_other_files(void)
{
    struct world w;
    for (int what = 0; what < 4; what++) {
        begin(&w);
        look(&w);
        pass(&w, DAY);
        add_files(&w, 5);
        look(&w);
        pass(&w, DAY);
        restart(&w);
        if (what == 0)
            w.files = 1; /* begun anew: the old names come again */
        for (size_t i = 0; i < w.files; i++) {
            if (what == 1)
                w.list[i].bytes += 7;
            if (what == 2)
                (void)snprintf(w.list[i].source_id, sizeof w.list[i].source_id, "source-2");
            if (what == 3)
                w.list[i].lineage = 2;
        }
        look(&w);
        if (what == 0)
            add_files(&w, 14);
        look(&w);
        CU_ASSERT_STRING_EQUAL(older(&w, 1), "");
        pass(&w, SECOND);
        CU_ASSERT_STRING_EQUAL(older(&w, SECOND), "b.000014");
        age_fini(&w.a);
    }
}

/* Ever so many files, in few marks; none is taken for older than it is. */
static void test_many(void)
{
    static const uint64_t grains[] = {0, 10 * SECOND, DAY};
    for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
        struct world w;
        begin(&w);
        w.grain = grains[g];
        for (size_t i = 10; i < 890; i++) {
            add_files(&w, 1);
            look(&w);
            w.at.up.us += SECOND;
            const struct store_place p = age_older_than(&w.a, 100 * SECOND);
            /* File k ended when file k + 1 came: k - 10 seconds after the first look. */
            CU_ASSERT(p.lineage == 0 || binlog_name_number(p.file) + 100 <= i + 10);
            CU_ASSERT(w.a.count <= AGE_MARKS_MAX);
        }
        if (g == 0)
            CU_ASSERT(w.a.count > 256);
        if (g == 1)
            CU_ASSERT(w.a.count < 200);
        if (g == 2)
            CU_ASSERT(w.a.count <= 2);
        restart(&w);
        w.at.up.us += 1000 * SECOND;
        look(&w);
        CU_ASSERT_STRING_EQUAL(older(&w, 1000 * SECOND), "b.000889");
        age_fini(&w.a);
    }
}

/* Whatever byte of the file goes bad, and wherever it ends: it is believed whole, or not at all. */
static void test_damage(void)
{
    struct world w;
    begin(&w);
    look(&w);
    pass(&w, DAY);
    char *good = age_format(&w.a);
    size_t len = strlen(good);
    for (size_t i = 0; i < len; i++) {
        struct age_ledger b;
        char *bad = strdup(good);
        age_init(&b);
        bad[i] = bad[i] == '9' ? '8' : '9';
        CU_ASSERT_EQUAL(age_parse(bad, &b), LT_ECORRUPT);
        memcpy(bad, good, len + 1);
        bad[i] = '\0';
        CU_ASSERT_EQUAL(age_parse(bad, &b), LT_ECORRUPT);
        CU_ASSERT_EQUAL(b.count, 0);
        CU_ASSERT_EQUAL(b.clock_us, 0);
        free(bad);
    }
    free(good);
    age_fini(&w.a);
}

static void test_on_disk(void)
{
    struct world w;
    struct lt_err err;
    struct age_ledger b;
    char *text = NULL;
    size_t len = 0;
    begin(&w);
    look(&w);
    pass(&w, DAY);
    struct vfs_sim *sim = vfs_sim_new(1);
    struct store *s = test_begin(vfs_sim_vfs(sim), false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    age_init(&b);
    CU_ASSERT_EQUAL(age_load(s, &b, &err), LT_ENOTFOUND);
    CU_ASSERT_TRUE(w.a.changed);
    CU_ASSERT_EQUAL(store_reserve_fill(s, &err), 0);
    vfs_sim_set_space(sim, 1); /* a full disk: the reserve is not for this */
    CU_ASSERT_EQUAL(age_save(s, &w.a, &err), LT_EFULL);
    CU_ASSERT_TRUE(w.a.changed);
    const uint8_t *data;
    CU_ASSERT_TRUE(vfs_sim_get(sim, TEST_DIR "/reserve", &data, &len));
    vfs_sim_set_space(sim, UINT64_MAX);
    CU_ASSERT_EQUAL(age_save(s, &w.a, &err), 0);
    CU_ASSERT_FALSE(w.a.changed);
    CU_ASSERT_EQUAL(age_load(s, &b, &err), 0);
    CU_ASSERT_STRING_EQUAL(age_older_than(&b, DAY).file, "b.000009");
    CU_ASSERT_EQUAL(store_state_read(s, "age", 10000, &text, &len, &err), 0);
    text[len / 2] ^= 1;
    CU_ASSERT_EQUAL(store_state_write(s, "age", text, len, &err), 0);
    free(text);
    age_fini(&b);
    CU_ASSERT_EQUAL(age_load(s, &b, &err), LT_ECORRUPT);
    CU_ASSERT_EQUAL(b.count, 0);
    store_close(s);
    vfs_sim_free(sim);
    age_fini(&b);
    age_fini(&w.a);
}

static void test_this_machine(void)
{
    struct age_uptime a;
    struct age_uptime b;
    age_read_uptime(&a);
    age_read_uptime(&b);
    CU_ASSERT_EQUAL(strlen(a.boot_id), 36);
    CU_ASSERT_STRING_EQUAL(a.boot_id, b.boot_id);
    CU_ASSERT(a.us > 0);
    CU_ASSERT(b.us >= a.us);
    CU_ASSERT(b.us - a.us < 60 * SECOND);
}

static const struct test_case cases[] = {
    {"time passes", test_time_passes},
    {"clocks that jump", test_clocks_that_jump},
    {"away", test_away},
    {"copied to another machine", test_copied},
    {"other files", test_other_files},
    {"many files", test_many},
    {"damage", test_damage},
    {"on disk", test_on_disk},
    {"this machine", test_this_machine},
};

int main(void)
{
    return cunit_run("age", cases, sizeof cases / sizeof cases[0]);
}
