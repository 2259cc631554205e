/*
 * The store on the happy path and at its edges: append, sync, files, lineages, what it says about itself, what it refuses.
 */
#include "cunit_main.h"
#include "store_test.h"

static void happy_path_of(bool mariadb, bool crc, bool prewrite)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store_view v;
    struct store_resume r;
    struct store *s = test_begin(vfs_sim_vfs(sim), prewrite);

    gen_init(&g, mariadb, crc);
    gen_file(&g, true);
    size_t head = g.len;
    gen_txn(&g, 100);
    size_t second = g.len;
    gen_txn(&g, 9000);
    CU_ASSERT_PTR_NOT_NULL(s);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_appended(s), g.len);
    CU_ASSERT_EQUAL(store_durable(s), 4);
    CU_ASSERT_EQUAL(store_unsynced(s), g.len - 4);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, 4);
    CU_ASSERT_TRUE(gtid_set_is_empty(&v.gtid_executed));
    store_view_fini(&v);
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    while (store_idle(s))
        ;
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, g.len);
    CU_ASSERT_EQUAL(v.durable, g.len);
    CU_ASSERT_EQUAL(v.bytes, g.len);
    CU_ASSERT_EQUAL(v.segments, 1);
    CU_ASSERT_EQUAL(v.last_start, second);
    CU_ASSERT_EQUAL(v.last_end, g.len);
    CU_ASSERT_STRING_EQUAL(v.last_file, TEST_FILE);
    char *text = gtid_set_format(&v.gtid_executed);
    CU_ASSERT_STRING_EQUAL(text, mariadb ? "0-7-2" : "68b1e7ed-0102-0304-0506-0708090a0b0c:1-2");
    free(text);
    store_view_fini(&v);
    store_resume_point(s, &r);
    CU_ASSERT_FALSE(r.empty);
    CU_ASSERT_EQUAL(r.offset, second);
    CU_ASSERT_EQUAL(r.end, g.len);
    CU_ASSERT_STRING_EQUAL(r.source_id, TEST_SOURCE);
    CU_ASSERT_EQUAL(store_stat_received(s), g.len - 4);
    CU_ASSERT_EQUAL(store_stat_synced(s), g.len - 4);
    store_close(s);
    CU_ASSERT_TRUE(test_file_is(sim, TEST_LINEAGE "/" TEST_FILE, g.data, g.len));
    CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);

    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), prewrite, &s, &err), 0);
    store_resume_point(s, &r);
    CU_ASSERT_EQUAL(r.offset, second);
    CU_ASSERT_EQUAL(r.watermark, g.len);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, g.len);
    CU_ASSERT_TRUE(gtid_set_equal(&v.gtid_executed, store_gtid_appended(s)));
    CU_ASSERT_FALSE(gtid_set_is_empty(&v.gtid_executed));
    store_view_fini(&v);
    CU_ASSERT_EQUAL(store_recovered(s)->cut_bytes, 0);
    gen_txn(&g, 300);
    CU_ASSERT_TRUE(test_feed(s, &g, r.watermark, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    store_close(s);
    CU_ASSERT_TRUE(test_file_is(sim, TEST_LINEAGE "/" TEST_FILE, g.data, g.len));
    (void)head;
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void happy_path(void)
{
    for (unsigned i = 0; i < 8; i++)
        happy_path_of(i & 1, i & 2, i & 4);
}

static void rotate_and_resume(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store_resume r;
    struct store_view v;
    struct store_segment_info *list;
    size_t n;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_txn(&g, 10);
    gen_rotate(&g, TEST_FILE2);
    size_t first = g.len;
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    store_resume_point(s, &r);
    CU_ASSERT_TRUE(r.ended);
    CU_ASSERT_STRING_EQUAL(r.next_file, TEST_FILE2);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), LT_EGAP);
    CU_ASSERT_EQUAL(store_segment_begin(s, "mysql-bin.000000", &err), LT_EGAP);
    CU_ASSERT_EQUAL(store_segment_begin(s, "../x", &err), LT_EINVAL);
    CU_ASSERT_FALSE(store_is_broken(s));
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    store_resume_point(s, &r);
    CU_ASSERT_FALSE(r.ended);
    CU_ASSERT_EQUAL(r.offset, 4);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_STRING_EQUAL(v.file, TEST_FILE2);
    CU_ASSERT_STRING_EQUAL(v.last_file, TEST_FILE);
    CU_ASSERT_EQUAL(v.bytes, first + 4);
    CU_ASSERT_EQUAL(v.segments, 2);
    store_view_fini(&v);
    /* no list event yet: after a restart the set comes from the file before */
    gen_file(&g, false);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    store_close(s);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_executed), 1);
    CU_ASSERT_STRING_EQUAL(v.last_file, TEST_FILE);
    store_view_fini(&v);
    CU_ASSERT_EQUAL(store_list(s, &list, &n), 0);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_TRUE(list[0].sealed && !list[1].sealed);
    CU_ASSERT_EQUAL(list[0].bytes, first);
    CU_ASSERT_STRING_EQUAL(list[1].file, TEST_FILE2);
    free(list);
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

/* A file change inside a transaction: bytes kept, served, counted. */
static void aborted_transaction(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store_view v;
    struct store_segment_info *list;
    size_t n;
    struct store *s = test_begin(vfs_sim_vfs(sim), true);

    gen_init(&g, false, true);
    gen_file(&g, true);
    size_t boundary = g.len;
    gen_gtid(&g);
    gen_query(&g, "BEGIN");
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, boundary);
    CU_ASSERT_EQUAL(v.durable, g.len);
    store_view_fini(&v);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.aborted, 1);
    CU_ASSERT_TRUE(gtid_set_is_empty(&v.gtid_executed));
    store_view_fini(&v);
    CU_ASSERT_EQUAL(store_list(s, &list, &n), 0);
    CU_ASSERT_TRUE(list[0].aborted_tail && list[0].bytes == g.len);
    free(list);
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void lineages(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store_view v;
    struct store_resume r;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, true, true);
    gen_file(&g, true);
    gen_txn(&g, 10);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_lineage_begin(s, "no/slash", &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_lineage_begin(s, "other", &err), 0);
    store_resume_point(s, &r);
    CU_ASSERT_TRUE(r.empty && r.have_lineage && r.lineage == 2);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_TRUE(gtid_set_is_empty(&v.gtid_executed));
    CU_ASSERT_STRING_EQUAL(v.source_id, "other");
    CU_ASSERT_STRING_EQUAL(v.file, "");
    store_view_fini(&v);
    store_close(s);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    store_resume_point(s, &r);
    CU_ASSERT_TRUE(r.empty && r.have_lineage && r.lineage == 2);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0); /* the same name in another lineage */
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void compare_and_fde(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    uint64_t diff = 0;
    uint8_t *fde;
    size_t fde_len;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, false, true);
    gen_file(&g, true);
    CU_ASSERT_EQUAL(store_read_fde(s, &fde, &fde_len, &err), LT_ENOTFOUND);
    gen_txn(&g, 60000);
    size_t half = g.len;
    CU_ASSERT_TRUE(test_feed(s, &g, 4, half));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    gen_txn(&g, 60000);
    CU_ASSERT_TRUE(test_feed(s, &g, half, g.len)); /* this half is in the buffer */
    CU_ASSERT_EQUAL(store_compare(s, 4, g.data + 4, g.len - 4, &diff, &err), 0);
    CU_ASSERT_EQUAL(store_compare(s, half - 10, g.data + half - 10, 20, &diff, &err), 0);
    CU_ASSERT_EQUAL(store_compare(s, 4, g.data + 4, g.len - 3, &diff, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_compare(s, 3, g.data + 3, 2, &diff, &err), LT_EINVAL);
    g.data[half + 5] ^= 1;
    CU_ASSERT_EQUAL(store_compare(s, 4, g.data + 4, g.len - 4, &diff, &err), LT_EDIVERGED);
    CU_ASSERT_EQUAL(diff, half + 5);
    CU_ASSERT_EQUAL(store_read_fde(s, &fde, &fde_len, &err), 0);
    CU_ASSERT_TRUE(fde_len > 80 && memcmp(fde, g.data + 4, fde_len) == 0);
    free(fde);
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

/* An event given up half way leaves no byte, wherever its bytes had come to. */
static void abort_event(void)
{
    for (unsigned i = 0; i < 8; i++) {
        bool crc = i & 1;
        bool synced = i & 2;
        size_t size = i & 4 ? 3000000 : 500;
        struct vfs_sim *sim = vfs_sim_new(1);
        struct binlog_gen g;
        struct lt_err err;
        struct event_header h;
        struct store *s = test_begin(vfs_sim_vfs(sim), false);

        gen_init(&g, false, crc);
        gen_file(&g, true);
        gen_txn(&g, 10);
        gen_gtid(&g);
        size_t start = g.len;
        gen_rows(&g, size);
        CU_ASSERT_TRUE(test_feed(s, &g, 4, start));
        CU_ASSERT_EQUAL(event_header_parse(g.data + start, EVENT_HEADER_LEN, &h), 0);
        CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), 0);
        CU_ASSERT_EQUAL(store_event_bytes(s, g.data + start, size / 2, &err), 0);
        CU_ASSERT_EQUAL(store_event_bytes(s, g.data + start + size / 2, size / 3, &err), 0);
        if (synced) {
            CU_ASSERT_EQUAL(store_sync(s, &err), 0);
            CU_ASSERT_EQUAL(store_durable(s), start + size / 2 + size / 3);
        }
        CU_ASSERT_EQUAL(store_event_abort(s, &err), 0);
        CU_ASSERT_EQUAL(store_appended(s), start);
        CU_ASSERT_TRUE(store_durable(s) <= start);
        g.len = start;
        gen_xid(&g);
        CU_ASSERT_TRUE(test_feed(s, &g, start, g.len));
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        vfs_sim_power_off(sim);
        store_close(s);
        vfs_sim_power_cut(sim);
        CU_ASSERT_TRUE(test_file_is(sim, TEST_LINEAGE "/" TEST_FILE, g.data, g.len));
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT_EQUAL(store_appended(s), g.len);
        store_close(s);
        gen_fini(&g);
        vfs_sim_free(sim);
    }
}

/* What was given up must not come back as events behind the shorter one that took its place, however it looks. */
static void aborted_bytes_do_not_return(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct binlog_gen inner;
    struct lt_err err;
    struct event_header h;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_gtid(&g);
    size_t start = g.len;
    CU_ASSERT_TRUE(test_feed(s, &g, 4, start));
    /* a row event whose content is, from where a Xid event would end, a whole valid transaction */
    gen_init(&inner, false, true);
    gen_xid(&inner);
    size_t xid_len = inner.len;
    gen_txn(&inner, 30);
    gen_event(&g, EVENT_WRITE_ROWS, inner.data + EVENT_HEADER_LEN, inner.len - EVENT_HEADER_LEN, 0);
    CU_ASSERT_EQUAL(event_header_parse(g.data + start, EVENT_HEADER_LEN, &h), 0);
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), 0);
    CU_ASSERT_EQUAL(store_event_bytes(s, g.data + start, inner.len, &err), 0);
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_EQUAL(store_event_abort(s, &err), 0);
    g.len = start;
    gen_xid(&g);
    CU_ASSERT_EQUAL(g.len, start + xid_len);
    CU_ASSERT_TRUE(test_feed(s, &g, start, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    vfs_sim_power_off(sim);
    store_close(s);
    vfs_sim_power_cut(sim);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(store_appended(s), g.len);
    store_close(s);
    gen_fini(&inner);
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void misuse(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct event_header h;
    struct store *s;

    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), LT_EINVAL); /* no lineage */
    CU_ASSERT_EQUAL(store_lineage_begin(s, TEST_SOURCE, &err), 0);
    gen_init(&g, false, true);
    gen_file(&g, true);
    CU_ASSERT_EQUAL(event_header_parse(g.data + 4, EVENT_HEADER_LEN, &h), 0);
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), LT_EINVAL); /* no file */
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_EQUAL(store_repair(s, &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
    h.type = EVENT_XID;
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), LT_EINVAL); /* no FDE yet */
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(event_header_parse(g.data + 4, EVENT_HEADER_LEN, &h), 0);
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), LT_EINVAL); /* a second FDE */
    h.type = EVENT_XID;
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), 0);
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_event_bytes(s, g.data, h.length + 1, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_event_end(s, g.data, 4, false, NULL, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_event_abort(s, &err), 0);
    CU_ASSERT_FALSE(store_is_broken(s));
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void flagged_event_counts(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct txn_step step;
    struct store_view v;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_gtid(&g);
    size_t at = g.len;
    gen_query(&g, "BEGIN");
    CU_ASSERT_TRUE(test_feed(s, &g, 4, at));
    CU_ASSERT_EQUAL(gen_feed_event(s, g.data + at, 100, true, &step), 0);
    CU_ASSERT_TRUE(step.boundary);
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, g.len);
    store_view_fini(&v);
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

/* The end of a transaction of which the last piece filled what may be unsynced: its sync makes it the watermark, wherever it falls. */
static void end_at_the_bound(void)
{
    for (unsigned extra = 0; extra < 64; extra++) {
        struct vfs_sim *sim = vfs_sim_new(1);
        struct binlog_gen g;
        struct lt_err err;
        struct store_view v;
        struct store *s = NULL;
        gen_init(&g, extra % 2, extra % 4 < 2);
        gen_file(&g, true);
        CU_ASSERT_EQUAL(test_open_max(vfs_sim_vfs(sim), false, 64, &s, &err), 0);
        CU_ASSERT_EQUAL(store_lineage_begin(s, TEST_SOURCE, &err), 0);
        CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
        gen_txn(&g, 900 + extra);
        CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
        CU_ASSERT(store_unsynced(s) > 0 && store_unsynced(s) <= 64);
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
        CU_ASSERT_EQUAL(v.watermark, g.len);
        CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_executed), 1);
        store_view_fini(&v);
        store_close(s);
        gen_fini(&g);
        vfs_sim_free(sim);
    }
}

/* Told after the bytes were synced: the end is the watermark and stays it over a power cut. */
static void end_told_later(void)
{
    for (unsigned i = 0; i < 4; i++) {
        struct vfs_sim *sim = vfs_sim_new(1);
        struct binlog_gen g;
        struct lt_err err;
        struct store_view v;
        bool forced = false;
        struct store *s = test_begin(vfs_sim_vfs(sim), false);
        gen_init(&g, i & 1, i & 2);
        gen_file(&g, true);
        gen_txn(&g, 100);
        gen_gtid(&g);
        gen_query(&g, "BEGIN");
        gen_rows(&g, 5000);
        CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        CU_ASSERT_EQUAL(store_force_boundary(s, &forced, &err), 0);
        CU_ASSERT_TRUE(forced);
        CU_ASSERT_EQUAL(store_force_boundary(s, &forced, &err), 0);
        CU_ASSERT_FALSE(forced);
        vfs_sim_power_off(sim);
        store_close(s);
        vfs_sim_power_cut(sim);
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
        CU_ASSERT_EQUAL(v.watermark, g.len);
        CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_executed), i & 1 ? 1 : 2);
        store_view_fini(&v);
        struct event_header h = {.type = EVENT_WRITE_ROWS, .length = 100};
        CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), 0);
        CU_ASSERT_EQUAL(store_force_boundary(s, &forced, &err), LT_EINVAL);
        store_close(s);
        gen_fini(&g);
        vfs_sim_free(sim);
    }
}

static void refused_directories(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct lt_err err;
    struct store *s;
    struct store *other;

    vfs_sim_set_fs(sim, "tmpfs", true, true);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), LT_EUNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tmpfs"));
    CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
    vfs_sim_set_fs(sim, "sim", false, true);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &other, &err), LT_EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, TEST_DIR));
    store_close(s);
    vfs_sim_put(sim, TEST_DIR "/format", "7\n", 2);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), LT_EUNSUPPORTED);
    CU_ASSERT_TRUE(strstr(err.text, "7") != NULL && strstr(err.text, "1") != NULL);
    vfs_sim_put(sim, TEST_DIR "/format", "x", 1);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), LT_ECORRUPT);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
    vfs_sim_free(sim);
}

struct trace {
    char text[256];
    size_t len;
};

static void on_call(const struct vfs_call *call, void *arg)
{
    static const char letters[VFS_OP_COUNT + 1] = "o..wsSbt..mur...";
    struct trace *t = arg;
    char c = letters[call->op];

    if (c != '.' && t->len + 1 < sizeof t->text)
        t->text[t->len++] = c;
    t->text[t->len] = '\0';
}

/* Law 1 in calls: bytes, their sync, the old file settled before the new one, the new one's file and directory before its use. */
static void order_of_calls(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct trace t = {0};
    struct vfs_record rec;
    struct binlog_gen g;
    struct lt_err err;

    vfs_record_init(&rec, vfs_sim_vfs(sim), on_call, &t);
    struct store *s = test_begin(&rec.vfs, false);
    gen_init(&g, false, false);
    gen_file(&g, true);
    t.len = 0;
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_STRING_EQUAL(t.len == 0 ? "" : t.text, "");
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_STRING_EQUAL(t.text,
                           "wsowSroS"); /* data, sync; then the first sidecar: temporary, synced, renamed, directory */
    size_t at = g.len;
    gen_txn(&g, 100);
    CU_ASSERT_TRUE(test_feed(s, &g, at, g.len));
    t.len = 0;
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_STRING_EQUAL(t.text, "wsws");
    at = g.len;
    gen_rotate(&g, TEST_FILE2);
    CU_ASSERT_TRUE(test_feed(s, &g, at, g.len));
    t.len = 0;
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    CU_ASSERT_STRING_EQUAL(t.text, "wswsowSoS");
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

struct early {
    uint64_t written;
    uint64_t handed_on;
    unsigned writes;
    unsigned hints;
    bool on;
    bool ok;
};

static void on_early_call(const struct vfs_call *call, void *arg)
{
    struct early *e = arg;

    if (!e->on)
        return;
    if (call->op == VFS_OP_PWRITE) {
        e->ok = e->ok && call->off == e->written && (call->off + call->len) % (64 * 1024) == 0;
        e->written = call->off + call->len;
        e->writes++;
    } else if (call->op == VFS_OP_WRITE_BACK) { /* each byte once, never more than is written */
        e->ok = e->ok && call->off == e->handed_on && call->off + call->len <= e->written;
        e->handed_on = call->off + call->len;
        e->hints++;
    } else {
        e->ok = false;
    }
}

/* What outgrows the buffer goes out in whole blocks and is sent on before the sync; nothing counts as durable by that. */
static void large_batches_go_out_early(void)
{
    static const size_t pieces[] = {1000, 40000, 262144, 700001, 1048576};

    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct vfs_sim *sim = vfs_sim_new(p + 1);
        struct early e = {.written = BINLOG_MAGIC_LEN, .handed_on = BINLOG_MAGIC_LEN, .ok = true};
        struct vfs_record rec;
        struct binlog_gen g;
        struct lt_err err;
        size_t end;

        vfs_record_init(&rec, vfs_sim_vfs(sim), on_early_call, &e);
        struct store *s = test_begin(&rec.vfs, false);
        CU_ASSERT_PTR_NOT_NULL(s);
        gen_init(&g, false, true);
        gen_file(&g, true);
        gen_txn(&g, 3000000);
        for (unsigned i = 0; i < 2000; i++)
            gen_txn(&g, 700);
        e.on = true;
        CU_ASSERT_EQUAL(gen_feed(s, g.data, g.len, 4, pieces[p], false, &end), 0);
        CU_ASSERT_TRUE(e.ok && e.writes > 3 && e.hints > 3);
        CU_ASSERT_EQUAL(store_durable(s), 4);
        CU_ASSERT_EQUAL(store_unsynced(s), g.len - 4);
        e.on = false;
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        store_close(s);
        CU_ASSERT_TRUE(test_file_is(sim, TEST_LINEAGE "/" TEST_FILE, g.data, g.len));
        gen_fini(&g);
        vfs_sim_free(sim);
    }
}

/* Zeros ahead come piece by piece and without a sync, stop at prewrite_bytes, and are quiet about a full disk. */
static void zeros_come_in_pieces(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    const char *path = TEST_LINEAGE "/" TEST_FILE;
    const size_t piece = 256 * 1024;
    struct store_options opt = {.dir = TEST_DIR, .prewrite = true, .prewrite_bytes = 4 * piece};
    struct binlog_gen g;
    struct lt_err err;
    struct store *s;
    const uint8_t *data;
    size_t len = 0;

    CU_ASSERT_EQUAL(store_open(&opt, vfs_sim_vfs(sim), &s, &err), 0);
    CU_ASSERT_EQUAL(store_lineage_begin(s, TEST_SOURCE, &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
    gen_init(&g, false, true);
    gen_file(&g, true);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_FALSE(store_idle(s)); /* something is due: a sync */
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    uint64_t syncs = vfs_sim_calls(sim, VFS_OP_FDATASYNC);
    for (size_t i = 1; i <= 5; i++) {
        CU_ASSERT_EQUAL(store_idle(s), i < 5);
        CU_ASSERT_TRUE(vfs_sim_get(sim, path, &data, &len));
        CU_ASSERT_EQUAL(len, i * piece);
    }
    CU_ASSERT_FALSE(store_idle(s));
    CU_ASSERT_EQUAL(vfs_sim_calls(sim, VFS_OP_FDATASYNC), syncs);
    /* less than half is left: again, but there is no room */
    size_t at = g.len;
    for (unsigned i = 0; i < 8; i++) {
        gen_txn(&g, 100000);
        CU_ASSERT_TRUE(test_feed(s, &g, at, g.len));
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        at = g.len;
    }
    vfs_sim_set_space(sim, len + 1000);
    CU_ASSERT_FALSE(store_idle(s));
    CU_ASSERT_FALSE(store_is_broken(s));
    CU_ASSERT_TRUE(vfs_sim_get(sim, path, &data, &len));
    CU_ASSERT_EQUAL(len, 5 * piece); /* what did not fit is cut off again */
    CU_ASSERT_FALSE(store_idle(s));
    gen_txn(&g, 100);
    CU_ASSERT_TRUE(test_feed(s, &g, at, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    store_close(s);
    CU_ASSERT_TRUE(test_file_is(sim, path, g.data, g.len));
    gen_fini(&g);
    vfs_sim_free(sim);
}

static const struct test_case cases[] = {
    {"append, sync, reopen, append: every flavour", happy_path},
    {"rotate, resume point, set from the file before", rotate_and_resume},
    {"a file change ends an open transaction", aborted_transaction},
    {"lineages", lineages},
    {"compare with what is stored; the FDE", compare_and_fde},
    {"an event given up leaves nothing", abort_event},
    {"aborted bytes do not return", aborted_bytes_do_not_return},
    {"misuse changes nothing", misuse},
    {"a flagged event's end is a boundary", flagged_event_counts},
    {"the end of a transaction at the bound of what is unsynced", end_at_the_bound},
    {"an end that is told after its bytes were synced", end_told_later},
    {"refused: unsafe file system, second open, newer format", refused_directories},
    {"order of file calls", order_of_calls},
    {"large batches go out early", large_batches_go_out_early},
    {"zeros come in pieces", zeros_come_in_pieces},
};

int main(void)
{
    return cunit_run("store append", cases, sizeof cases / sizeof cases[0]);
}
