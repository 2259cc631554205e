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

/* --- events that are synced in their middle */

#define SMALL_UNSYNCED (64u * 1024u) /* what 64 MiB are to events of hundreds of MiB */

/* A row of `bytes`, of which the file holds `have` when the process dies. */
static int open_with_part(struct fix *f, size_t bytes, size_t have, size_t zeros, size_t *ret_start)
{
    gen_gtid(&f->g);
    *ret_start = f->g.len;
    gen_rows(&f->g, bytes);
    for (size_t i = *ret_start + EVENT_HEADER_LEN; i < f->g.len - EVENT_CRC_LEN; i++)
        f->g.data[i] = (uint8_t)(i * 7 + 1);
    if (f->g.crc)
        event_crc_set(f->g.data + *ret_start, f->g.len - *ret_start);
    uint8_t *file = calloc(1, *ret_start + have + zeros);
    memcpy(file, f->g.data, *ret_start + have);
    vfs_sim_put(f->sim, PATH1, file, *ret_start + have + zeros);
    free(file);
    store_close(f->s);
    return test_open_max(vfs_sim_vfs(f->sim), false, SMALL_UNSYNCED, &f->s, &f->err);
}

static void unfinished_event_is_cut_at_any_size(void)
{
    static const size_t have[] = {25, 70000, 200000, 399999, 400019};

    for (size_t i = 0; i < 2 * sizeof have / sizeof have[0]; i++) {
        struct fix f;
        size_t start;

        setup(&f, true);
        f.g.mariadb = i % 2 != 0;
        gen_txn(&f.g, 100);
        CU_ASSERT_EQUAL_FATAL(open_with_part(&f, 400000, have[i / 2], i % 2 != 0 ? 5000 : 0, &start), 0);
        CU_ASSERT_EQUAL(store_appended(f.s), start);
        CU_ASSERT_EQUAL(store_recovered(f.s)->cut_bytes, have[i / 2]);
        /* and the event comes again */
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, start, f.g.len));
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
        teardown(&f);
    }
}

/* Whole transactions behind a whole event that is not what it was, or behind a header that is not: not to be cut. */
static void damage_before_much_data_is_not_cut(void)
{
    static const struct {
        size_t at; /* byte of the large event that is wrong */
        uint8_t flip;
    } bad[] = {{100000, 1}, {9, 0x40}, {12, 1}, {13, 4}, {4, 0x80}};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fix f;

        setup(&f, true);
        gen_gtid(&f.g);
        size_t start = f.g.len;
        gen_rows(&f.g, 200000);
        gen_xid(&f.g);
        while (f.g.len < start + 600000)
            gen_txn(&f.g, 500);
        f.g.data[start + bad[i].at] ^= bad[i].flip;
        vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
        CU_ASSERT_EQUAL(test_open_max(vfs_sim_vfs(f.sim), false, SMALL_UNSYNCED, &f.s, &f.err), LT_ECORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.err.text, TEST_FILE));
        CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, f.g.len));
        teardown(&f);
    }
}

static void set_log_pos_0(struct binlog_gen *g, size_t at)
{
    store_u32(g->data + at + 13, 0);
    event_crc_set(g->data + at, load_u32(g->data + at + 9));
}

/* MariaDB 11.8 writes no log_pos inside transactions: what stands behind the fault tells a rotten length from half an event. */
static void no_log_pos(void)
{
    for (unsigned rotten = 0; rotten < 2; rotten++) {
        struct fix f;

        memset(&f, 0, sizeof f);
        f.sim = vfs_sim_new(1);
        gen_init(&f.g, true, true);
        gen_file(&f.g, true);
        gen_gtid(&f.g);
        size_t start = f.g.len;
        gen_rows(&f.g, rotten ? 500 : 800000);
        set_log_pos_0(&f.g, start);
        gen_xid(&f.g);
        while (rotten && f.g.len < start + 600000)
            gen_txn(&f.g, 500);
        if (rotten)
            f.g.data[start + 12] = 1; /* 16 MiB more */
        vfs_sim_put(f.sim, PATH1, f.g.data, rotten ? f.g.len : start + 500000);
        CU_ASSERT_EQUAL_FATAL(test_open_max(vfs_sim_vfs(f.sim), false, SMALL_UNSYNCED, &f.s, &f.err),
                              rotten ? LT_ECORRUPT : 0);
        CU_ASSERT_TRUE(rotten || store_appended(f.s) == start);
        teardown(&f);
    }
}

/* --- files that were sealed */

/* An event given up after much of it was written and synced, then the next file: no power cut brings its half back behind the sealed end. */
static void given_up_before_a_seal(void)
{
    unsigned bad = 0;

    for (unsigned seed = 1; seed <= 200; seed++) {
        struct fix f;
        struct event_header h;
        const uint8_t *data;
        size_t len = 0;

        setup(&f, seed % 2 != 0);
        vfs_sim_free(f.sim);
        f.sim = vfs_sim_new(seed);
        size_t start = f.g.len;
        gen_rows(&f.g, 300000);
        CU_ASSERT_EQUAL(test_open_max(vfs_sim_vfs(f.sim), false, SMALL_UNSYNCED, &f.s, &f.err), 0);
        CU_ASSERT_EQUAL(store_lineage_begin(f.s, TEST_SOURCE, &f.err), 0);
        CU_ASSERT_EQUAL(store_segment_begin(f.s, TEST_FILE, &f.err), 0);
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, 4, start));
        CU_ASSERT_EQUAL(event_header_parse(f.g.data + start, EVENT_HEADER_LEN, &h), 0);
        CU_ASSERT_EQUAL(store_event_begin(f.s, &h, &f.err), 0);
        for (size_t at = start; at < start + 200000; at += 5000)
            CU_ASSERT_EQUAL(store_event_bytes(f.s, f.g.data + at, 5000, &f.err), 0);
        CU_ASSERT_EQUAL(store_event_abort(f.s, &f.err), 0);
        if (seed % 4 < 2)
            CU_ASSERT_EQUAL(store_lineage_begin(f.s, "source-2", &f.err), 0);
        CU_ASSERT_EQUAL(store_segment_begin(f.s, TEST_FILE2, &f.err), 0);
        vfs_sim_power_off(f.sim);
        store_close(f.s);
        f.s = NULL;
        vfs_sim_power_cut(f.sim);
        bad += !vfs_sim_get(f.sim, PATH1, &data, &len) || len != start;
        teardown(&f);
    }
    CU_ASSERT_EQUAL(bad, 0);
}

static uint64_t readable_of(struct store *s, size_t i)
{
    struct store_segment_info *list;
    size_t n;

    if (store_list(s, &list, &n) < 0)
        return 0;
    uint64_t bytes = i < n ? list[i].bytes : 0;
    free(list);
    return bytes;
}

/* What an older program, or the disk, left behind a sealed file's end is told and not shown; in the last file of every lineage. */
static void half_event_in_a_sealed_file(void)
{
    for (unsigned i = 0; i < 8; i++) {
        struct fix f;
        bool zeros = i & 1;
        bool old_lineage = i & 2;

        setup(&f, (i & 4) == 0);
        gen_txn(&f.g, 100);
        size_t end = f.g.len;
        gen_rows(&f.g, 9000);
        if (zeros)
            memset(f.g.data + end, 0, f.g.len - end);
        vfs_sim_put(f.sim, PATH1, f.g.data, end + 5000);
        struct binlog_gen g2;
        gen_init(&g2, false, true);
        gen_file(&g2, true);
        gen_txn(&g2, 100);
        if (old_lineage) {
            vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/" TEST_FILE, g2.data, g2.len);
            vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/" TEST_FILE2, g2.data, g2.len);
        } else {
            vfs_sim_put(f.sim, PATH2, g2.data, g2.len);
        }
        CU_ASSERT_EQUAL(reopen(&f), 0);
        CU_ASSERT_TRUE(store_recovered(f.s)->sealed_damage);
        CU_ASSERT_PTR_NOT_NULL(strstr(store_recovered(f.s)->damage, TEST_FILE));
        CU_ASSERT_EQUAL(readable_of(f.s, 0), end);
        CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, end + 5000));
        gen_fini(&g2);
        teardown(&f);
    }
}

/* A whole event that is wrong, in a file that is looked at: told, and readers run into it instead of missing it. */
static void rot_in_a_sealed_file(void)
{
    struct fix f;
    struct binlog_gen g2;

    setup(&f, true);
    gen_txn(&f.g, 3000);
    size_t at = f.g.len - 1000;
    gen_txn(&f.g, 100);
    f.g.data[at] ^= 1;
    vfs_sim_put(f.sim, PATH1, f.g.data, f.g.len);
    gen_init(&g2, false, true);
    gen_file(&g2, true);
    vfs_sim_put(f.sim, TEST_DIR "/lineages/0002-b/" TEST_FILE, g2.data, g2.len);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    CU_ASSERT_TRUE(store_recovered(f.s)->sealed_damage);
    CU_ASSERT_EQUAL(readable_of(f.s, 0), f.g.len);
    CU_ASSERT_TRUE(test_file_is(f.sim, PATH1, f.g.data, f.g.len));
    gen_fini(&g2);
    teardown(&f);
}

/* --- boundaries that only the source's ACK flag told */

static void flagged_end_is_remembered(void)
{
    for (unsigned i = 0; i < 6; i++) {
        struct fix f;
        struct store_view v;
        bool cut = i % 2 == 0;

        setup(&f, i < 4);
        f.s = test_begin(vfs_sim_vfs(f.sim), true);
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, 4, f.g.len));
        size_t flagged = 0;
        for (unsigned n = 0; n < 3; n++) { /* transactions of which the rules see no end */
            size_t from = f.g.len;
            gen_gtid(&f.g);
            CU_ASSERT_TRUE(test_feed(f.s, &f.g, from, f.g.len));
            from = f.g.len;
            gen_rows(&f.g, 300);
            CU_ASSERT_EQUAL(gen_feed_event(f.s, f.g.data + from, 4096, true, NULL), 0);
            flagged = f.g.len;
            if (i != 1)
                CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
        }
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0); /* here the ACK would go */
        size_t from = f.g.len;
        gen_gtid(&f.g);
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, from, f.g.len));
        vfs_sim_power_off(f.sim);
        store_close(f.s);
        f.s = NULL;
        if (cut)
            vfs_sim_power_cut(f.sim);
        else
            vfs_sim_process_death(f.sim);
        for (unsigned again = 0; again < 2; again++) {
            CU_ASSERT_EQUAL(reopen(&f), 0);
            CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
            CU_ASSERT_EQUAL(v.watermark, flagged);
            CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_executed), 3);
            CU_ASSERT_EQUAL(v.last_end, flagged);
            store_view_fini(&v);
        }
        teardown(&f);
    }
}

/* What was noted and cut again is forgotten: a repair, and the sync of the note failing. */
static void flagged_end_that_is_cut(void)
{
    for (unsigned which = 0; which < 3; which++) {
        struct fix f;
        struct store_view v;

        setup(&f, true);
        f.s = test_begin(vfs_sim_vfs(f.sim), false);
        gen_txn(&f.g, 100);
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, 4, f.g.len));
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
        size_t synced = f.g.len;
        gen_gtid(&f.g);
        CU_ASSERT_EQUAL(gen_feed_event(f.s, f.g.data + synced, 4096, true, NULL), 0);
        vfs_sim_fail(f.sim, VFS_OP_FDATASYNC, 1 + (which > 0), VFS_FAULT_DROP_SYNC, which == 2 ? 28 : 5, false);
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), which == 2 ? LT_EFULL : LT_ESYNC);
        CU_ASSERT_EQUAL(store_repair(f.s, &f.err), 0);
        CU_ASSERT_EQUAL(store_appended(f.s), synced);
        CU_ASSERT_TRUE(test_feed(f.s, &f.g, synced, f.g.len));
        CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
        CU_ASSERT_EQUAL(reopen(&f), 0);
        CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
        CU_ASSERT_EQUAL(v.watermark, synced);
        store_view_fini(&v);
        teardown(&f);
    }
}

/* --- a full disk */

/* Without checksums, and a sidecar that must be written anew: the store opens, shows what it has, and goes on when there is room. */
static void opens_on_a_full_disk(void)
{
    struct fix f;
    struct store_view v;
    size_t len;
    const uint8_t *data;

    setup(&f, false);
    gen_txn(&f.g, 100);
    size_t first = f.g.len;
    f.s = test_begin(vfs_sim_vfs(f.sim), false);
    CU_ASSERT_TRUE(test_feed(f.s, &f.g, 4, first));
    gen_gtid(&f.g);
    size_t whole = f.g.len;
    gen_rows(&f.g, 200000);
    CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
    CU_ASSERT_TRUE(test_feed(f.s, &f.g, first, whole));
    struct event_header h;
    CU_ASSERT_EQUAL(event_header_parse(f.g.data + whole, EVENT_HEADER_LEN, &h), 0);
    CU_ASSERT_EQUAL(store_event_begin(f.s, &h, &f.err), 0);
    CU_ASSERT_EQUAL(store_event_bytes(f.s, f.g.data + whole, 100000, &f.err), 0);
    CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0); /* the sidecar speaks of half an event */
    vfs_sim_process_death(f.sim);
    store_close(f.s);
    f.s = NULL;
    vfs_sim_set_space(f.sim, 0);
    CU_ASSERT_EQUAL_FATAL(reopen(&f), 0);
    CU_ASSERT_TRUE(store_is_broken(f.s));
    CU_ASSERT_EQUAL(store_view_get(f.s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, first);
    store_view_fini(&v);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(store_repair(f.s, &f.err), LT_EFULL);
    CU_ASSERT_EQUAL(store_event_begin(f.s, &h, &f.err), LT_ESYNC);
    vfs_sim_set_space(f.sim, UINT64_MAX);
    CU_ASSERT_EQUAL(store_repair(f.s, &f.err), 0);
    CU_ASSERT_EQUAL(store_appended(f.s), first);
    CU_ASSERT_TRUE(test_feed(f.s, &f.g, first, f.g.len));
    CU_ASSERT_EQUAL(store_sync(f.s, &f.err), 0);
    /* in order, a start on a full disk needs no room at all */
    CU_ASSERT_TRUE(vfs_sim_get(f.sim, PATH1 ".crc", &data, &len));
    vfs_sim_set_space(f.sim, 0);
    CU_ASSERT_EQUAL(reopen(&f), 0);
    CU_ASSERT_FALSE(store_is_broken(f.s));
    CU_ASSERT_EQUAL(store_appended(f.s), f.g.len);
    teardown(&f);
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
    {"an unfinished event is cut at any size", unfinished_event_is_cut_at_any_size},
    {"damage before much data is not cut", damage_before_much_data_is_not_cut},
    {"events without log_pos", no_log_pos},
    {"an event given up before a seal", given_up_before_a_seal},
    {"half an event in a sealed file", half_event_in_a_sealed_file},
    {"rot in a sealed file", rot_in_a_sealed_file},
    {"an end that only a flag told is remembered", flagged_end_is_remembered},
    {"an end that only a flag told, cut again", flagged_end_that_is_cut},
    {"opened on a full disk", opens_on_a_full_disk},
};

int main(void)
{
    return cunit_run("store recovery", cases, sizeof cases / sizeof cases[0]);
}
