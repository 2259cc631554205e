/*
 * What recovery makes of files that a crash, a person or a bad disk left; files without checksums and their sidecar.
 */
#include "cunit_main.h"
#include "store_test.h"

#include "base/cursor.h"
#include "binlog/crc32.h"

#define PATH1 TEST_LINEAGE "/" TEST_FILE
#define PATH2 TEST_LINEAGE "/" TEST_FILE2

struct fix {
    struct vfs_sim *sim;
    struct binlog_gen g;
    struct store *s;
    struct lt_err err;
};

static void setup(struct fix *f, bool crc)
{
    memset(f, 0, sizeof *f);
    f->sim = vfs_sim_new(1);
    vfs_sim_put(f->sim, TEST_DIR "/format", "1\n", 2);
    gen_init(&f->g, false, crc);
    gen_file(&f->g, true);
}

static int reopen(struct fix *f)
{
    store_close(f->s);
    return test_open(vfs_sim_vfs(f->sim), false, &f->s, &f->err);
}

static void teardown(struct fix *f)
{
    store_close(f->s);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(f->sim), 0);
    gen_fini(&f->g);
    vfs_sim_free(f->sim);
}

static void unfinished_transaction_stays(void)
{
    struct fix f;
    struct store_resume r;
    struct store_view v;

    setup(&f, true);
    size_t first = f.g.len;
    gen_txn(&f.g, 100);
    size_t boundary = f.g.len;
    gen_gtid(&f.g);
    gen_query(&f.g, "BEGIN");
    size_t end = f.g.len;
    gen_rows(&f.g, 500);
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len - 1);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    store_resume_point(f.s, &r);
    CU_ASSERT_EQUAL(r.offset, first);
    CU_ASSERT_EQUAL(r.end, end);
    CU_ASSERT_EQUAL(r.watermark, boundary);
    CU_ASSERT_EQUAL(r.last_gtid.seq, 1);
    CU_ASSERT_EQUAL(store_recovered(f.s)->cut_bytes, f.g.len - 1 - end);
    CU_ASSERT_STRING_EQUAL(store_recovered(f.s)->file, TEST_FILE);
    CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
    CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_executed), 1);
    store_view_fini(&v);
    /* the rest of it comes */
    CU_ASSERT_TRUE(test_feed(f.s, &f.g, end, f.g.len));
    CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
    teardown(&f);
}

static void no_transaction_resumes_at_4(void)
{
    struct fix f;
    struct store_resume r;

    setup(&f, true);
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    store_resume_point(f.s, &r);
    CU_ASSERT_TRUE(!r.empty && !r.ended);
    CU_ASSERT_EQUAL(r.offset, 4);
    CU_ASSERT_EQUAL(r.watermark, f.g.len);
    gen_event(&f.g, EVENT_STOP, NULL, 0, 0);
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    store_resume_point(f.s, &r);
    CU_ASSERT_FALSE(r.ended); /* a Stop names no file */
    f.g.len -= 23;
    gen_rotate(&f.g, TEST_FILE2);
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    store_resume_point(f.s, &r);
    CU_ASSERT_TRUE(r.ended);
    CU_ASSERT_STRING_EQUAL(r.next_file, TEST_FILE2);
    teardown(&f);
}

/* Every length below the first event's end: the file goes, and the one before is the newest again. */
static void file_without_fde_is_removed(void)
{
    struct fix f;
    struct store_resume r;
    const uint8_t *data;
    size_t len;

    setup(&f, true);
    gen_txn(&f.g, 10);
    gen_rotate(&f.g, TEST_FILE2);
    struct binlog_gen g2;
    gen_init(&g2, false, true);
    gen_file(&g2, false);
    for (size_t n = 0; n < g2.len; n++) {
        vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
        vfs_sim_put(f.sim, PATH2, g2.data, n);
        CU_ASSERT_EQUAL(reopen(&f), 0);
        store_resume_point(f.s, &r);
        CU_ASSERT_TRUE(r.ended && strcmp(r.file, TEST_FILE) == 0);
        CU_ASSERT_EQUAL(store_recovered(f.s)->removed_files, 1);
        CU_ASSERT_FALSE(vfs_sim_get(f.sim, PATH2, &data, &len));
    }
    CU_ASSERT_EQUAL(store_segment_begin(f.s, TEST_FILE2, &f.err), 0);
    gen_fini(&g2);
    /* the only file */
    store_close(f.s);
    f.s = NULL;
    vfs_sim_remove(f.sim, PATH2);
    vfs_sim_put(f.sim, PATH1, f.g.data, 30);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    store_resume_point(f.s, &r);
    CU_ASSERT_TRUE(r.empty && r.have_lineage);
    teardown(&f);
}

static void not_a_binlog(void)
{
    struct fix f;

    setup(&f, true);
    f.g.data[0] = 0;
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    CU_ASSERT_EQUAL(reopen(&f), LT_ECORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.err.text, TEST_FILE));
    CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, f.g.len));
    teardown(&f);
}

static void strangers_are_passed_over(void)
{
    struct fix f;
    struct store_segment_info *list;
    size_t n;

    setup(&f, true);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/mysql-bin.999999", f.g.data, f.g.len);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/mysql-bin.1000000", f.g.data, f.g.len);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/mysql-bin.1000001.crc", "x", 1);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/mysql-bin.1000001.idx", "x", 1);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/mysql-bin.1000001.crc.tmp", "x", 1);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/notes", "x", 1);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/notes", "x", 1);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/new-folder/mysql-bin.000009", "x", 1);
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    CU_ASSERT_EQUAL(store_list(f.s, &list, &n), 0);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_TRUE(list[0].lineage == 1 && list[1].lineage == 2);
    CU_ASSERT_STRING_EQUAL(list[1].file, "mysql-bin.999999");
    CU_ASSERT_STRING_EQUAL(list[2].file, "mysql-bin.1000000");
    CU_ASSERT_TRUE(list[0].sealed && list[1].sealed && !list[2].sealed);
    free(list);
    teardown(&f);
}

static void neighbour(void)
{
    struct fix f;
    struct binlog_gen g2;
    uint8_t *padded;

    setup(&f, true);
    gen_txn(&f.g, 10);
    size_t len = f.g.len + 5000;
    padded = calloc(1, len);
    memcpy(padded, f.g.data, f.g.len);
    gen_init(&g2, false, true);
    g2.seq = 1;
    gen_file(&g2, true);
    /* a zero tail, and nothing in the newest: cut */
    vfs_sim_put(f.sim, PATH1, padded, len);
    vfs_sim_put(f.sim, PATH2, g2.data, g2.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    CU_ASSERT_FALSE(store_recovered(f.s)->sealed_damage);
    CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, f.g.len));
    /* a transaction in the newest: reported, not cut */
    gen_txn(&g2, 10);
    vfs_sim_put(f.sim, PATH1, padded, len);
    vfs_sim_put(f.sim, PATH2, g2.data, g2.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    CU_ASSERT_TRUE(store_recovered(f.s)->sealed_damage);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_recovered(f.s)->damage, TEST_FILE));
    CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, padded, len));
    free(padded);
    gen_fini(&g2);
    teardown(&f);
}

/* --- without checksums */

static size_t put_record(uint8_t *rec, const uint8_t *data, uint64_t end)
{
    store_u64(rec, 4);
    store_u64(rec + 8, end - 4);
    store_u32(rec + 16, crc32_update(0, data + 4, end - 4));
    store_u32(rec + 20, crc32_update(0, rec, 20));
    return 24;
}

static void sidecar_proves(void)
{
    struct fix f;
    uint8_t rec[72];
    struct store_view v;

    setup(&f, false);
    size_t fde = 4 + load_u32(f.g.data + 4 + 9);
    gen_txn(&f.g, 100);
    size_t first = f.g.len;
    gen_txn(&f.g, 100);
    size_t second = f.g.len;
    gen_txn(&f.g, 100);
    put_record(rec, f.g.data, first);
    put_record(rec + 24, f.g.data, second);
    put_record(rec + 48, f.g.data, f.g.len);
    struct {
        size_t side_len;
        size_t bad_at; /* byte of the sidecar that is wrong, 0 none */
        size_t want;
    } cases[] = {{0, 0, fde},     {23, 0, fde},     {24, 0, first},   {47, 0, first},   {48, 0, second},
                 {71, 0, second}, {72, 0, f.g.len}, {72, 49, second}, {72, 71, second}, {72, 30, first}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
        rec[cases[i].bad_at] ^= cases[i].bad_at != 0;
        vfs_sim_put(f.sim, PATH1 ".crc", rec, cases[i].side_len);
        rec[cases[i].bad_at] ^= cases[i].bad_at != 0;
        CU_ASSERT_EQUAL(reopen(&f), 0);
        CU_ASSERT_EQUAL(store_appended(f.s), cases[i].want);
        CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, cases[i].want));
        /* and it goes on from there, and proves what it has */
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, cases[i].want, f.g.len));
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
        CU_ASSERT_EQUAL(reopen(&f), 0);
        CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
        CU_ASSERT_EQUAL(v.watermark, f.g.len);
        store_view_fini(&v);
    }
    vfs_sim_remove(f.sim, PATH1 ".crc");
    CU_ASSERT_EQUAL(reopen(&f), 0);
    CU_ASSERT_EQUAL(store_appended(f.s), fde);
    teardown(&f);
}

static void sidecar_contradicts(void)
{
    struct fix f;
    uint8_t rec[48];

    setup(&f, false);
    gen_txn(&f.g, 100);
    size_t first = f.g.len;
    gen_txn(&f.g, 100);
    put_record(rec, f.g.data, first);
    put_record(rec + 24, f.g.data, f.g.len);
    /* shorter than what was synced */
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len - 1);
    vfs_sim_put(f.sim, PATH1 ".crc", rec, 48);
    CU_ASSERT_EQUAL(reopen(&f), LT_ECORRUPT);
    /* other bytes than were synced: of the right length, so that only the sidecar can tell */
    for (size_t at = first - 150; at < f.g.len; at += 37) {
        f.g.data[at] ^= 0x10;
        vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
        CU_ASSERT_EQUAL(reopen(&f), LT_ECORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.err.text, TEST_FILE));
        CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, f.g.len));
        f.g.data[at] ^= 0x10;
    }
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    teardown(&f);
}

static void large_events_and_lists(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct fix f;
        struct store_resume r;

        setup(&f, i == 0);
        gen_txn(&f.g, 3000000);
        size_t last = f.g.len;
        gen_txn(&f.g, 65536 + 200);
        f.s = test_begin(vfs_sim_vfs(f.sim), true);
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, 4, f.g.len));
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
        vfs_sim_power_off(f.sim);
        store_close(f.s);
        f.s = NULL;
        vfs_sim_power_cut(f.sim);
        CU_ASSERT_EQUAL(reopen(&f), 0);
        store_resume_point(f.s, &r);
        CU_ASSERT_EQUAL(r.offset, last);
        CU_ASSERT_EQUAL(r.watermark, f.g.len);
        teardown(&f);
    }
}

static const struct test_case cases[] = {
    {"an unfinished transaction stays beyond the watermark", unfinished_transaction_stays},
    {"no transaction: from 4; Stop; Rotate", no_transaction_resumes_at_4},
    {"a file shorter than its FDE is removed", file_without_fde_is_removed},
    {"not a binlog file: refused, untouched", not_a_binlog},
    {"order of files; strangers", strangers_are_passed_over},
    {"the last-but-one", neighbour},
    {"the sidecar says how far", sidecar_proves},
    {"the sidecar contradicts the data", sidecar_contradicts},
    {"events larger than the window", large_events_and_lists},
};

int main(void)
{
    return cunit_run("store recovery", cases, sizeof cases / sizeof cases[0]);
}
