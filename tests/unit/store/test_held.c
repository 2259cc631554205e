/*
 * What is held, over all lineages: right after a new one has begun, while it grows, after a restart, when the files before are gone, and where the
 * record of it lacks, is damaged or cannot be written.
 */
#include <errno.h>

#include "cunit_main.h"
#include "store/purge.h"
#include "store_test.h"

#define SECOND TEST_DIR "/lineages/0002-source-2"
#define RECORD SECOND "/held-before"

struct fix {
    struct vfs_sim *sim;
    struct binlog_gen old;
    struct binlog_gen new;
    struct store *s;
    struct lt_err err;
};

static bool open_it(struct fix *f)
{
    bool ok = test_open(vfs_sim_vfs(f->sim), false, &f->s, &f->err) == 0;
    if (!ok)
        (void)fprintf(stderr, "%s\n", f->err.text);
    CU_ASSERT_TRUE(ok);
    return ok;
}

static bool reopen(struct fix *f)
{
    store_close(f->s);
    f->s = NULL;
    return open_it(f);
}

static bool add_file(struct fix *f, const char *name, const struct binlog_gen *g)
{
    return store_segment_begin(f->s, name, &f->err) == 0 && test_feed(f->s, g, BINLOG_MAGIC_LEN, g->len) &&
           store_sync(f->s, &f->err) == 0;
}

/* Two files of three transactions in lineage 1, and lineage 2 begun and empty. */
static bool setup(struct fix *f, bool mariadb)
{
    memset(f, 0, sizeof *f);
    f->sim = vfs_sim_new(1);
    gen_init(&f->old, mariadb, true);
    gen_file(&f->old, true);
    for (int i = 0; i < 3; i++)
        gen_txn(&f->old, 100);
    gen_init(&f->new, mariadb, true);
    gen_file(&f->new, true);
    gen_txn(&f->new, 100);
    return open_it(f) && store_lineage_begin(f->s, TEST_SOURCE, &f->err) == 0 && add_file(f, TEST_FILE, &f->old) &&
           add_file(f, TEST_FILE2, &f->old) && store_lineage_begin(f->s, "source-2", &f->err) == 0;
}

static void teardown(struct fix *f)
{
    store_close(f->s);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(f->sim), 0);
    gen_fini(&f->old);
    gen_fini(&f->new);
    vfs_sim_free(f->sim);
}

static char *held_text(struct store *s)
{
    struct store_view v;
    CU_ASSERT_EQUAL_FATAL(store_view_get(s, &v), 0);
    char *text = gtid_set_format(&v.gtid_held);
    store_view_fini(&v);
    return text;
}

static void check_held(struct fix *f, const char *set, unsigned lineage, const char *file, uint64_t offset)
{
    struct store_view v;
    char *text = held_text(f->s);
    CU_ASSERT_STRING_EQUAL(text, set);
    free(text);
    CU_ASSERT_EQUAL_FATAL(store_view_get(f->s, &v), 0);
    CU_ASSERT_EQUAL(v.held.lineage, lineage);
    CU_ASSERT_STRING_EQUAL(v.held.source_id, lineage == 1 ? TEST_SOURCE : "source-2");
    CU_ASSERT_STRING_EQUAL(v.held.file, file);
    CU_ASSERT_EQUAL(v.held.offset, offset);
    CU_ASSERT_EQUAL(v.held.last_lineage, lineage);
    CU_ASSERT_STRING_EQUAL(v.held.last_file, file);
    CU_ASSERT_EQUAL(v.held.last_end, offset);
    CU_ASSERT_TRUE(v.held.last_gtid.kind != GTID_NONE);
    CU_ASSERT_TRUE(store_view_is_current(f->s));
    store_view_fini(&v);
}

static void begun_and_empty(bool mariadb)
{
    struct fix f;
    struct store_view v;
    CU_ASSERT_TRUE_FATAL(setup(&f, mariadb));
    char *set = held_text(f.s);
    CU_ASSERT(strlen(set) > 0);
    check_held(&f, set, 1, TEST_FILE2, f.old.len);
    CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
    CU_ASSERT_TRUE(gtid_set_is_empty(&v.gtid_executed)); /* of the present lineage, as ever */
    CU_ASSERT_STRING_EQUAL(v.file, "");
    store_view_fini(&v);
    vfs_sim_power_off(f.sim);
    store_close(f.s);
    vfs_sim_power_cut(f.sim);
    f.s = NULL;
    if (open_it(&f))
        check_held(&f, set, 1, TEST_FILE2, f.old.len);
    /* And another one, before anything came. */
    CU_ASSERT_EQUAL(store_lineage_begin(f.s, "source-3", &f.err), 0);
    check_held(&f, set, 1, TEST_FILE2, f.old.len);
    if (reopen(&f))
        check_held(&f, set, 1, TEST_FILE2, f.old.len);
    free(set);
    teardown(&f);
}

static void begun_and_empty_mysql(void)
{
    begun_and_empty(false);
}

static void begun_and_empty_mariadb(void)
{
    begun_and_empty(true);
}

/* The new lineage has less than the old one, and both files of that are taken away. */
static void grows_and_outlives(void)
{
    struct fix f;
    struct store_purged p;
    struct store_purge_options opt = {.keep = {.lineage = 2}};
    CU_ASSERT_TRUE_FATAL(setup(&f, false));
    char *set = held_text(f.s);
    CU_ASSERT_TRUE(add_file(&f, TEST_FILE, &f.new));
    check_held(&f, set, 2, TEST_FILE, f.new.len);
    CU_ASSERT_TRUE(add_file(&f, TEST_FILE2, &f.new));
    (void)snprintf(opt.keep.file, sizeof opt.keep.file, "%s", TEST_FILE);
    CU_ASSERT_EQUAL(store_purge(f.s, &opt, &p, &f.err), 0);
    CU_ASSERT_EQUAL(p.segments, 2);
    check_held(&f, set, 2, TEST_FILE2, f.new.len);
    if (reopen(&f))
        check_held(&f, set, 2, TEST_FILE2, f.new.len);
    free(set);
    teardown(&f);
}

/* By an older program, or one that died in between; and one that somebody spoilt. */
static void without_the_record(void)
{
    static const char *const bad[] = {NULL,
                                      "",
                                      "x",
                                      "gtid_executed=\n",
                                      "gtid_executed=zz:1\nlast_end=1\n",
                                      "gtid_executed=\nlineage=1\nfile=mysql-bin.000001\noffset=4\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fix f;
        const uint8_t *data = NULL;
        size_t len = 0;
        CU_ASSERT_TRUE_FATAL(setup(&f, i % 2 == 1));
        char *set = held_text(f.s);
        store_close(f.s);
        f.s = NULL;
        if (bad[i] != NULL)
            vfs_sim_put(f.sim, RECORD, bad[i], strlen(bad[i]));
        else
            vfs_sim_remove(f.sim, RECORD);
        if (open_it(&f)) {
            check_held(&f, set, 1, TEST_FILE2, f.old.len);
            CU_ASSERT_EQUAL(store_recovered(f.s)->sealed_damage, bad[i] != NULL);
        }
        CU_ASSERT_TRUE(vfs_sim_get(f.sim, RECORD, &data, &len)); /* made anew: retention may take the files */
        CU_ASSERT(len > strlen("gtid_executed="));
        free(set);
        teardown(&f);
    }
}

/* Whatever call fails while a lineage begins: what was held is told, before and after the repair and a restart. */
static void every_call_fails(void)
{
    for (uint64_t nth = 1;; nth++) {
        struct fix f;
        CU_ASSERT_TRUE_FATAL(setup(&f, false));
        char *set = held_text(f.s);
        vfs_sim_fail(f.sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, EIO, false);
        int rc = store_lineage_begin(f.s, "source-3", &f.err);
        bool met = vfs_sim_failed(f.sim);
        vfs_sim_heal(f.sim);
        CU_ASSERT_TRUE(rc == 0 || met); /* a close that fails is no failure */
        check_held(&f, set, 1, TEST_FILE2, f.old.len);
        if (rc != 0) {
            CU_ASSERT_EQUAL(store_repair(f.s, &f.err), 0);
            CU_ASSERT_EQUAL(store_lineage_begin(f.s, "source-3", &f.err), 0);
        }
        check_held(&f, set, 1, TEST_FILE2, f.old.len);
        if (reopen(&f))
            check_held(&f, set, 1, TEST_FILE2, f.old.len);
        free(set);
        teardown(&f);
        if (!met || nth > 100)
            break;
    }
}

static void busy_hold(enum vfs_op op, void *arg)
{
    struct store *s = arg;
    if (op == VFS_OP_FDATASYNC)
        CU_ASSERT_TRUE(store_stat_received(s) != store_stat_synced(s));
}

/* All that was received is synced, and the view has it: never the first without the second being told. */
static void current_or_not(void)
{
    struct fix f;
    CU_ASSERT_TRUE_FATAL(setup(&f, false));
    CU_ASSERT_EQUAL(store_segment_begin(f.s, TEST_FILE, &f.err), 0);
    CU_ASSERT_TRUE(test_feed(f.s, &f.new, BINLOG_MAGIC_LEN, f.new.len));
    vfs_sim_on_call(f.sim, busy_hold, f.s);
    CU_ASSERT_EQUAL(store_sync_unpublished(f.s, &f.err), 0);
    vfs_sim_on_call(f.sim, NULL, NULL);
    CU_ASSERT_EQUAL(store_stat_received(f.s), store_stat_synced(f.s));
    CU_ASSERT_FALSE(store_view_is_current(f.s));
    CU_ASSERT_TRUE(store_publish_pending(f.s));
    CU_ASSERT_TRUE(store_view_is_current(f.s));
    teardown(&f);
}

static void power_cut(struct fix *f)
{
    vfs_sim_power_off(f->sim);
    store_close(f->s);
    vfs_sim_power_cut(f->sim);
    f->s = NULL;
    CU_ASSERT_TRUE(open_it(f));
}

static void check_seam(struct fix *f, const char *file, const char *list)
{
    const struct store_seam *seam = store_seam(f->s);
    CU_ASSERT_PTR_NOT_NULL_FATAL(seam);
    char *text = gtid_set_format(&seam->list);
    CU_ASSERT_STRING_EQUAL(seam->file, file);
    CU_ASSERT_STRING_EQUAL(text, list);
    free(text);
}

/* A lineage that goes on exactly where another ends: which file, and the list it must begin with, are there after a power cut; told anew while
 * it is empty, and gone with the next one. What no binlog had goes along. */
static void continues(void)
{
    struct fix f;
    struct gtid_set list = {0};
    struct gtid_set more = {0};
    struct store_view v;
    CU_ASSERT_TRUE_FATAL(setup(&f, true));
    CU_ASSERT_PTR_NULL(store_seam(f.s));
    CU_ASSERT_TRUE(add_file(&f, TEST_FILE, &f.new));
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "0-1-3,2-2-9", &list), 0);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "9-9-500", &more), 0);
    CU_ASSERT_EQUAL(store_unlogged_learn(f.s, &more, &f.err), 0);
    power_cut(&f);
    CU_ASSERT_TRUE(gtid_set_equal(store_unlogged(f.s), &more));
    char *held = held_text(f.s);
    CU_ASSERT_EQUAL(store_lineage_continue(f.s, "source-2", "b.000007", &list, &f.err), 0);
    check_seam(&f, "b.000007", "0-1-3,2-2-9");
    power_cut(&f);
    check_seam(&f, "b.000007", "0-1-3,2-2-9");
    CU_ASSERT_TRUE(gtid_set_equal(store_unlogged(f.s), &more));
    CU_ASSERT_EQUAL(store_lineage_continue(f.s, "source-2", "b.000008", &more, &f.err), 0);
    power_cut(&f);
    check_seam(&f, "b.000008", "9-9-500");
    CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
    CU_ASSERT_EQUAL(v.lineage, 3);
    CU_ASSERT_TRUE(v.continues);
    store_view_fini(&v);
    char *after = held_text(f.s);
    CU_ASSERT_STRING_EQUAL(after, held);
    CU_ASSERT_EQUAL(store_lineage_begin(f.s, "source-3", &f.err), 0);
    CU_ASSERT_PTR_NULL(store_seam(f.s));
    power_cut(&f);
    CU_ASSERT_PTR_NULL(store_seam(f.s));
    CU_ASSERT_TRUE(gtid_set_equal(store_unlogged(f.s), &more));
    free(held);
    free(after);
    gtid_set_fini(&list);
    gtid_set_fini(&more);
    teardown(&f);
}

/* An end that only a flag told, in a file that the record is made from anew. */
static void flagged_end_counts(void)
{
    struct fix f;
    struct store_view v;
    memset(&f, 0, sizeof f);
    f.sim = vfs_sim_new(1);
    gen_init(&f.old, false, true);
    gen_init(&f.new, false, true);
    gen_file(&f.old, true);
    gen_gtid(&f.old);
    size_t rows = f.old.len;
    gen_rows(&f.old, 300);
    CU_ASSERT_TRUE(open_it(&f));
    CU_ASSERT_EQUAL(store_lineage_begin(f.s, TEST_SOURCE, &f.err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(f.s, TEST_FILE, &f.err), 0);
    CU_ASSERT_TRUE(test_feed(f.s, &f.old, BINLOG_MAGIC_LEN, rows));
    CU_ASSERT_EQUAL(gen_feed_event(f.s, f.old.data + rows, 4096, true, NULL), 0);
    CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
    CU_ASSERT_EQUAL(store_lineage_begin(f.s, "source-2", &f.err), 0);
    store_close(f.s);
    f.s = NULL;
    vfs_sim_remove(f.sim, RECORD);
    CU_ASSERT_TRUE(open_it(&f));
    CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
    CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_held), 1);
    CU_ASSERT_EQUAL(v.held.offset, f.old.len);
    store_view_fini(&v);
    teardown(&f);
}

static const struct test_case cases[] = {
    {"an end that only a flag told", flagged_end_counts},
    {"a lineage that goes on where another ends", continues},
    {"a lineage begun and empty, MySQL", begun_and_empty_mysql},
    {"a lineage begun and empty, MariaDB", begun_and_empty_mariadb},
    {"it grows, and the files before it go", grows_and_outlives},
    {"without the record of it", without_the_record},
    {"every call fails while a lineage begins", every_call_fails},
    {"synced and not yet in the view", current_or_not},
};

int main(void)
{
    return cunit_run("held", cases, sizeof cases / sizeof cases[0]);
}
