/* Removal of old segments, retention, the reserve: rules, failing calls, power cuts, readers in between. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "cunit_main.h"
#include "store/purge.h"
#include "store/state.h"
#include "store_test.h"

#define FILES 6

static struct binlog_gen gen;

/* FILES sealed-or-newest files of the same bytes in lineage 1, then `second` of them in lineage 2. */
static struct store *fill(const struct vfs *vfs, unsigned second)
{
    struct store *s;
    struct lt_err err;
    char name[32];
    if (test_open(vfs, false, &s, &err) < 0)
        return NULL;
    for (unsigned i = 0; i < FILES + second; i++) {
        bool begin = i == 0 || i == FILES;
        (void)snprintf(name, sizeof name, "mysql-bin.%06u", i < FILES ? i + 1 : i - FILES + 1);
        if ((begin && store_lineage_begin(s, i == 0 ? TEST_SOURCE : "source-2", &err) < 0) ||
            store_segment_begin(s, name, &err) < 0 || !test_feed(s, &gen, BINLOG_MAGIC_LEN, gen.len) ||
            store_sync(s, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.text);
            store_close(s);
            return NULL;
        }
    }
    return s;
}

static size_t count(struct store *s)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    CU_ASSERT_EQUAL(store_list(s, &list, &n), 0);
    free(list);
    return n;
}

static int purge(struct store *s, unsigned lineage, const char *file, bool dry_run, struct store_purged *ret)
{
    struct store_purge_options opt = {.keep = {.lineage = lineage}, .dry_run = dry_run};
    struct lt_err err;
    (void)snprintf(opt.keep.file, sizeof opt.keep.file, "%s", file);
    return store_purge(s, &opt, ret, &err);
}

static void start(struct vfs_sim **sim, struct store **s, unsigned second)
{
    *sim = vfs_sim_new(1);
    *s = fill(vfs_sim_vfs(*sim), second);
    CU_ASSERT_PTR_NOT_NULL_FATAL(*s);
}

static void test_rules(void)
{
    struct vfs_sim *sim;
    struct store *s;
    struct store_purged p;
    struct store_view v;
    start(&sim, &s, 0);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000009", false, &p), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(purge(s, 2, "mysql-bin.000003", false, &p), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000006", false, &p), LT_EINVAL);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000001", false, &p), 0);
    CU_ASSERT_EQUAL(p.segments, 0);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000004", true, &p), 0);
    CU_ASSERT_EQUAL(p.segments, 3);
    CU_ASSERT_EQUAL(count(s), FILES);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000004", false, &p), 0);
    CU_ASSERT_EQUAL(p.segments, 3);
    CU_ASSERT_EQUAL(p.bytes, 3 * gen.len);
    CU_ASSERT_STRING_EQUAL(p.first.file, "mysql-bin.000001");
    CU_ASSERT_STRING_EQUAL(p.last.file, "mysql-bin.000003");
    CU_ASSERT_EQUAL(count(s), 3);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.segments, 3);
    CU_ASSERT_EQUAL(v.bytes, 3 * gen.len);
    store_view_fini(&v);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000005", false, &p), 0);
    CU_ASSERT_EQUAL(count(s), 2);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000006", false, &p), LT_EINVAL);
    store_close(s);
    struct lt_err err;
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(count(s), 2);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.segments, 2);
    store_view_fini(&v);
    store_close(s);
    vfs_sim_free(sim);
}

static void test_across_lineages(void)
{
    struct vfs_sim *sim;
    struct store *s;
    struct store_purged p;
    start(&sim, &s, 3);
    CU_ASSERT_EQUAL(purge(s, 2, "mysql-bin.000002", false, &p), 0);
    CU_ASSERT_EQUAL(p.segments, FILES + 1);
    CU_ASSERT_EQUAL(count(s), 2);
    CU_ASSERT_TRUE(test_file_is(sim, TEST_DIR "/lineages/0002-source-2/mysql-bin.000002", gen.data, gen.len));
    struct store_place a = {.lineage = 1, .file = "b.000009"};
    struct store_place b = {.lineage = 2, .file = "b.000001"};
    struct store_place c = {.lineage = 2, .file = "b.1000000"};
    CU_ASSERT(store_place_compare(&a, &b) < 0);
    CU_ASSERT(store_place_compare(&c, &b) > 0);
    CU_ASSERT_EQUAL(store_place_compare(&c, &c), 0);
    store_close(s);
    vfs_sim_free(sim);
}

static void test_readers(void)
{
    struct vfs_sim *sim;
    struct store *s;
    struct store_purged p;
    struct store_reader *r = NULL;
    struct store_reader *other = NULL;
    struct lt_err err;
    uint8_t *buf = malloc(gen.len);
    size_t len = 0;
    bool sealed;
    start(&sim, &s, 0);
    CU_ASSERT_EQUAL_FATAL(store_reader_open(s, 1, "mysql-bin.000002", 4, &r, &err), 0);
    CU_ASSERT_EQUAL_FATAL(store_reader_open(s, 1, "mysql-bin.000003", 4, &other, &err), 0);
    CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000005", false, &p), 0);
    CU_ASSERT_EQUAL(p.segments, 4);
    /* What is open stays readable; what comes after it is gone, and says so. */
    CU_ASSERT_EQUAL(store_reader_read(r, buf, gen.len, &len, &sealed, &err), 0);
    CU_ASSERT_EQUAL(len, gen.len - 4);
    CU_ASSERT_EQUAL(memcmp(buf, gen.data + 4, len), 0);
    CU_ASSERT_EQUAL(store_reader_next(r, &err), LT_ENOTFOUND);
    store_reader_close(r);
    r = NULL;
    CU_ASSERT_EQUAL(store_reader_open(s, 1, "mysql-bin.000004", 4, &r, &err), LT_ENOTFOUND);
    store_reader_close(other);
    CU_ASSERT_EQUAL(store_reader_open(s, 1, "mysql-bin.000005", 4, &r, &err), 0);
    CU_ASSERT_EQUAL(store_reader_next(r, &err), 0);
    CU_ASSERT_EQUAL(store_reader_next(r, &err), LT_EOS);
    store_reader_close(r);
    free(buf);
    store_close(s);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
    vfs_sim_free(sim);
}

/* The files 000001.. of lineage 1 on the disk are a run that ends with the newest. */
static bool is_a_run(struct vfs_sim *sim)
{
    char path[128];
    bool seen = false;
    for (unsigned i = 1; i <= FILES; i++) {
        const uint8_t *data;
        size_t len;
        (void)snprintf(path, sizeof path, TEST_LINEAGE "/mysql-bin.%06u", i);
        bool there = vfs_sim_get(sim, path, &data, &len);
        if (seen && !there)
            return false;
        seen = seen || there;
    }
    return seen;
}

static void test_every_call_fails(void)
{
    struct store_purged p;
    struct lt_err err;
    unsigned failures = 0;
    for (uint64_t nth = 1;; nth++) {
        struct vfs_sim *sim;
        struct store *s;
        start(&sim, &s, 0);
        vfs_sim_fail(sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, EIO, false);
        int rc = purge(s, 1, "mysql-bin.000005", false, &p);
        bool met = vfs_sim_failed(sim);
        vfs_sim_heal(sim);
        failures += rc != 0;
        if (rc != 0)
            CU_ASSERT(rc == LT_ESYS || rc == LT_ESYNC); /* of a call, or of the folder's sync */
        CU_ASSERT(p.segments <= 4);
        CU_ASSERT_EQUAL(count(s), FILES - p.segments);
        CU_ASSERT_TRUE(is_a_run(sim));
        /* Again: what was left goes. */
        CU_ASSERT_EQUAL(purge(s, 1, "mysql-bin.000005", false, &p), 0);
        CU_ASSERT_EQUAL(count(s), 2);
        store_close(s);
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT_EQUAL(count(s), 2);
        store_close(s);
        vfs_sim_free(sim);
        if (!met)
            break;
    }
    CU_ASSERT(failures >= 12); /* unlink, sync of the folder and the sidecar's unlink, for each of four files */
}

static void test_power_cuts(void)
{
    for (uint64_t nth = 1; nth <= 24; nth++) {
        struct store_purged p;
        struct lt_err err;
        struct vfs_sim *sim = vfs_sim_new(nth);
        struct store *s = fill(vfs_sim_vfs(sim), 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        vfs_sim_fail(sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, EIO, true);
        lt_ignore(purge(s, 1, "mysql-bin.000005", false, &p));
        vfs_sim_power_off(sim);
        store_close(s);
        vfs_sim_heal(sim);
        vfs_sim_power_cut(sim);
        CU_ASSERT_TRUE(is_a_run(sim));
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT(count(s) <= FILES - p.segments);
        store_close(s);
        vfs_sim_free(sim);
    }
}

static void test_cancel(void)
{
    struct vfs_sim *sim;
    struct store *s;
    struct store_purged p;
    struct lt_err err;
    atomic_bool cancel = true;
    struct store_purge_options opt = {.keep = {.lineage = 1, .file = "mysql-bin.000003"}, .cancel = &cancel};
    start(&sim, &s, 0);
    CU_ASSERT_EQUAL(store_purge(s, &opt, &p, &err), LT_ESTOPPED);
    CU_ASSERT_EQUAL(count(s), FILES);
    store_close(s);
    vfs_sim_free(sim);
}

static const char *plan(struct store *s, const struct store_retention *r)
{
    static struct store_plan p;
    struct lt_err err;
    CU_ASSERT_EQUAL(store_retention_plan(s, r, &p, &err), 0);
    CU_ASSERT(p.going <= p.due);
    CU_ASSERT_EQUAL(p.going > 0, p.keep.lineage != 0);
    return p.keep.lineage != 0 ? p.keep.file : "";
}

/* What counts as old enough is given; no byte of a file is looked at. */
static void test_retention(void)
{
    struct vfs_sim *sim;
    struct store *s;
    struct lt_err err;
    start(&sim, &s, 0);
    vfs_sim_fail(sim, VFS_OP_ANY, 1, VFS_FAULT_ERROR, EIO, true);
    struct store_retention aged = {.aged = {.lineage = 1, .file = "mysql-bin.000002"}};
    CU_ASSERT_STRING_EQUAL(plan(s, &(struct store_retention){0}), "");
    CU_ASSERT_STRING_EQUAL(plan(s, &aged), "mysql-bin.000003");
    aged.aged = (struct store_place){.lineage = 1, .file = "mysql-bin.000006"};
    CU_ASSERT_STRING_EQUAL(plan(s, &aged), "mysql-bin.000005"); /* never the newest two */
    aged.aged = (struct store_place){.lineage = 2, .file = "mysql-bin.000001"};
    CU_ASSERT_STRING_EQUAL(plan(s, &aged), "mysql-bin.000005");
    CU_ASSERT_STRING_EQUAL(plan(s, &(struct store_retention){.bytes = FILES * gen.len}), "");
    CU_ASSERT_STRING_EQUAL(plan(s, &(struct store_retention){.bytes = FILES * gen.len - 1}), "mysql-bin.000002");
    CU_ASSERT_STRING_EQUAL(plan(s, &(struct store_retention){.bytes = 3 * gen.len}), "mysql-bin.000004");
    CU_ASSERT_STRING_EQUAL(plan(s, &(struct store_retention){.bytes = 1}), "mysql-bin.000005");
    struct store_retention needed = {.bytes = 1, .needed = {.lineage = 1, .file = "mysql-bin.000003"}};
    struct store_plan p;
    CU_ASSERT_STRING_EQUAL(plan(s, &needed), "mysql-bin.000003");
    CU_ASSERT_EQUAL(store_retention_plan(s, &needed, &p, &err), 0);
    CU_ASSERT_EQUAL(p.due, 4);
    CU_ASSERT_EQUAL(p.going, 2);
    needed.needed = (struct store_place){.lineage = 1, .file = "mysql-bin.000001"};
    CU_ASSERT_STRING_EQUAL(plan(s, &needed), "");
    vfs_sim_heal(sim);
    store_close(s);
    vfs_sim_free(sim);
}

/* A writer, a purger and readers at once; for the thread sanitizer as much as for the checks. */
struct together {
    struct store *s;
    atomic_bool stop;
    unsigned reads;
    atomic_uint asked;
    atomic_uint bad;
};

static void read_oldest(struct together *t, const char *file)
{
    struct store_reader *r = NULL;
    struct lt_err err;
    uint8_t buf[512];
    size_t len = 0;
    bool sealed;
    if (store_reader_open(t->s, 1, file, 4, &r, &err) != 0)
        return; /* gone since it was listed */
    int rc = store_reader_read(r, buf, sizeof buf, &len, &sealed, &err);
    t->reads += rc == 0 && memcmp(buf, gen.data + 4, len) == 0;
    if (rc != 0 && rc != LT_EOS)
        atomic_store(&t->stop, true);
    lt_ignore(store_reader_next(r, &err));
    store_reader_close(r);
}

static void *read_around(void *arg)
{
    struct together *t = arg;
    while (!atomic_load(&t->stop)) {
        struct store_segment_info *list = NULL;
        size_t n = 0;
        if (store_list(t->s, &list, &n) == 0 && n > 0)
            read_oldest(t, list[0].file);
        free(list);
    }
    return NULL;
}

/* What is asked by those who want only the first file, which is the one that goes next. */
static void *ask_around(void *arg)
{
    struct together *t = arg;
    while (!atomic_load(&t->stop)) {
        struct store_segment_info info = {0};
        struct store_view v;
        for (int i = 0; i < 200; i++) {
            if (store_oldest(t->s, &info) == 0 && (info.lineage != 1 || !binlog_name_ok(info.file)))
                atomic_fetch_add(&t->bad, 1);
        }
        if (store_view_get(t->s, &v) == 0) {
            if (v.segments > 0 && (v.bytes > v.segments * gen.len || v.bytes < (v.segments - 1) * gen.len))
                atomic_fetch_add(&t->bad, 1); /* files and bytes of different moments */
            store_view_fini(&v);
        }
        atomic_fetch_add(&t->asked, 1);
    }
    return NULL;
}

/* Stands on a file while it and those behind it are removed, and goes on from there. */
static void *walk_around(void *arg)
{
    struct together *t = arg;
    while (!atomic_load(&t->stop)) {
        struct store_segment_info info;
        struct store_reader *r = NULL;
        struct lt_err err;
        if (store_oldest(t->s, &info) != 0 ||
            store_reader_open(t->s, info.lineage, info.file, BINLOG_MAGIC_LEN, &r, &err) != 0)
            continue;
        uint64_t number = binlog_name_number(info.file);
        for (int step = 0; step < 20 && store_reader_next_info(r, &info) == 0; step++) {
            uint64_t after = binlog_name_number(info.file);
            store_reader_info(r, &info);
            if (after != number + 1 || binlog_name_number(info.file) != number)
                atomic_fetch_add(&t->bad, 1);
            if (store_reader_next(r, &err) != 0)
                break;
            number++;
        }
        store_reader_close(r);
    }
    return NULL;
}

static void *purge_around(void *arg)
{
    struct together *t = arg;
    while (!atomic_load(&t->stop)) {
        struct store_retention rules = {.bytes = 1};
        struct store_plan plan;
        struct store_purged p;
        struct lt_err err;
        if (store_retention_plan(t->s, &rules, &plan, &err) != 0 || plan.going == 0)
            continue;
        struct store_purge_options opt = {.keep = plan.keep};
        lt_ignore(store_purge(t->s, &opt, &p, &err));
    }
    return NULL;
}

static void test_together(void)
{
    void *(*const all[])(void *) = {read_around, ask_around, ask_around, walk_around, purge_around};
    struct vfs_sim *sim = vfs_sim_new(1);
    struct together t = {.s = test_begin(vfs_sim_vfs(sim), false)};
    pthread_t threads[sizeof all / sizeof all[0]];
    struct lt_err err;
    char name[32];
    const char *full = getenv("LT_FULL"); // NOLINT(concurrency-mt-unsafe): nobody changes the environment
    unsigned files = full != NULL && full[0] == '1' ? 5000 : 300;
    CU_ASSERT_PTR_NOT_NULL_FATAL(t.s);
    CU_ASSERT_TRUE(test_feed(t.s, &gen, 4, gen.len));
    CU_ASSERT_EQUAL(store_sync(t.s, &err), 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        (void)pthread_create(&threads[i], NULL, all[i], &t);
    for (unsigned i = 2; i < files; i++) {
        (void)snprintf(name, sizeof name, "mysql-bin.%06u", i);
        CU_ASSERT_EQUAL(store_segment_begin(t.s, name, &err), 0);
        CU_ASSERT_TRUE(test_feed(t.s, &gen, 4, gen.len));
        CU_ASSERT_EQUAL(store_sync(t.s, &err), 0);
    }
    CU_ASSERT_FALSE(atomic_load(&t.stop));
    atomic_store(&t.stop, true);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        (void)pthread_join(threads[i], NULL);
    CU_ASSERT(t.reads > 0);
    CU_ASSERT(t.asked > 0);
    CU_ASSERT_EQUAL(t.bad, 0);
    CU_ASSERT(count(t.s) < files);
    store_close(t.s);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
    vfs_sim_free(sim);
}

static void test_reserve(void)
{
    struct vfs_sim *sim;
    struct store *s;
    struct lt_err err;
    char *text = NULL;
    size_t len = 0;
    start(&sim, &s, 0);
    CU_ASSERT_EQUAL(store_state_read(s, "fence", 100, &text, &len, &err), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(store_reserve_fill(s, &err), 0);
    CU_ASSERT_EQUAL(store_reserve_fill(s, &err), 0);
    vfs_sim_set_space(sim, 1); /* less than is used: nothing more fits */
    CU_ASSERT_EQUAL(store_state_write(s, "fence", "one", 3, &err), LT_EFULL);
    vfs_sim_set_space(sim, UINT64_MAX);
    CU_ASSERT_EQUAL(store_reserve_fill(s, &err), 0);
    struct vfs_fs_info info;
    CU_ASSERT_EQUAL(store_fs_info(s, &info), 0);
    vfs_sim_set_space(sim, info.total_bytes - info.free_bytes);
    CU_ASSERT_EQUAL(store_state_write(s, "fence", "two", 3, &err), 0);
    CU_ASSERT_EQUAL(store_state_read(s, "fence", 100, &text, &len, &err), 0);
    CU_ASSERT_STRING_EQUAL(text, "two");
    free(text);
    CU_ASSERT_EQUAL(store_state_read(s, "fence", 2, &text, &len, &err), LT_ECORRUPT);
    const uint8_t *data;
    CU_ASSERT_FALSE(vfs_sim_get(sim, TEST_DIR "/reserve", &data, &len));
    store_close(s);
    vfs_sim_free(sim);
}

static void test_reserve_fails(void)
{
    struct lt_err err;
    const uint8_t *data;
    size_t len = 0;
    for (uint64_t nth = 1; nth < 100; nth++) {
        struct vfs_sim *sim;
        struct store *s;
        start(&sim, &s, 0);
        vfs_sim_fail(sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, EIO, false);
        int rc = store_reserve_fill(s, &err);
        bool met = vfs_sim_failed(sim);
        vfs_sim_heal(sim);
        CU_ASSERT(rc == 0 || met);
        CU_ASSERT_EQUAL(store_reserve_fill(s, &err), 0);
        CU_ASSERT_TRUE(vfs_sim_get(sim, TEST_DIR "/reserve", &data, &len) && len == STORE_RESERVE_BYTES);
        store_close(s);
        CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
        vfs_sim_free(sim);
        if (!met)
            return;
    }
    CU_FAIL("more than a hundred file calls");
}

static const struct test_case cases[] = {
    {"rules", test_rules},
    {"across lineages", test_across_lineages},
    {"readers keep what they have", test_readers},
    {"every file call fails", test_every_call_fails},
    {"power cuts", test_power_cuts},
    {"cancelled", test_cancel},
    {"retention", test_retention},
    {"writer, purger and reader together", test_together},
    {"the reserve", test_reserve},
    {"the reserve, every call fails", test_reserve_fails},
};

int main(void)
{
    gen_init(&gen, false, true);
    gen_file(&gen, true);
    for (int i = 0; i < 5; i++)
        gen_txn(&gen, 100);
    int bad = cunit_run("purge", cases, sizeof cases / sizeof cases[0]);
    gen_fini(&gen);
    return bad;
}
