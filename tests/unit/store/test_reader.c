/*
 * Readers see what is durable and complete, and nothing else, while the writer goes on; a status reader cannot make the writer wait.
 */
#include "cunit_main.h"
#include "store_test.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "store/store_internal.h"

static void reads_up_to_the_watermark(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store_reader *r = NULL;
    uint8_t buf[4096];
    size_t n = 0;
    bool sealed = true;
    uint64_t off;
    uint64_t end;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_txn(&g, 10);
    size_t boundary = g.len;
    gen_gtid(&g);
    CU_ASSERT_EQUAL(store_reader_open(s, 1, TEST_FILE, 4, &r, &err), 0);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err), LT_EOS);
    CU_ASSERT_FALSE(sealed);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err), LT_EOS); /* appended, not synced */
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, 10, &n, &sealed, &err), 0);
    CU_ASSERT_EQUAL(n, 10);
    (void)store_reader_fd(r, &off, &end, &sealed);
    CU_ASSERT_TRUE(off == 14 && end == boundary && !sealed);
    store_reader_advance(r, 5);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err), 0);
    CU_ASSERT_EQUAL(n, boundary - 19);
    CU_ASSERT_EQUAL(memcmp(buf, g.data + 19, n), 0);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err), LT_EOS); /* the open transaction */
    CU_ASSERT_EQUAL(store_reader_next(r, &err), LT_EOS);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err),
                    0); /* cut short by the file's end: served */
    CU_ASSERT_EQUAL(n, g.len - boundary);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err), LT_EOS);
    CU_ASSERT_TRUE(sealed);
    CU_ASSERT_EQUAL(store_lineage_begin(s, "other", &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
    CU_ASSERT_EQUAL(store_reader_next(r, &err), 0);
    CU_ASSERT_EQUAL(store_reader_next(r, &err), 0); /* into the next lineage */
    CU_ASSERT_EQUAL(store_reader_next(r, &err), LT_EOS);
    CU_ASSERT_EQUAL(store_reader_read(r, buf, sizeof buf, &n, &sealed, &err), LT_EOS);
    store_reader_close(r);
    CU_ASSERT_EQUAL(store_reader_open(s, 1, TEST_FILE, g.len + 1, &r, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_reader_open(s, 1, TEST_FILE, 3, &r, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(store_reader_open(s, 3, TEST_FILE, 4, &r, &err), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(store_reader_open(s, 1, "mysql-bin.000003", 4, &r, &err), LT_ENOTFOUND);
    vfs_sim_remove(sim, TEST_LINEAGE "/" TEST_FILE);
    CU_ASSERT_EQUAL(store_reader_open(s, 1, TEST_FILE, 4, &r, &err), LT_ENOTFOUND);
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void busy_view_keeps_the_news(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store_view v;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    gen_init(&g, true, true);
    gen_file(&g, true);
    gen_txn(&g, 10);
    (void)pthread_mutex_lock(&s->view_mutex); /* a status reader that holds it for ever */
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    size_t synced = g.len;
    gen_txn(&g, 10);
    CU_ASSERT_TRUE(test_feed(s, &g, synced, g.len));
    CU_ASSERT_FALSE(store_publish_pending(s));
    (void)pthread_mutex_unlock(&s->view_mutex);
    CU_ASSERT_TRUE(store_publish_pending(s));
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, synced);
    CU_ASSERT_EQUAL(v.gtid_executed.states[0].seq, 1); /* the second is appended, not durable */
    store_view_fini(&v);
    store_close(s);
    gen_fini(&g);
    vfs_sim_free(sim);
}

/* --- a writer and two readers on a real file system */

#define ROUNDS 400

struct shared {
    struct store *s;
    struct binlog_gen g; /* made before the threads start */
    atomic_bool done;
    atomic_uint bad;
    atomic_uint wakes;
};

static void on_watermark(void *arg)
{
    struct shared *sh = arg;

    atomic_fetch_add(&sh->wakes, 1);
}

static void *tail(void *arg)
{
    struct shared *sh = arg;
    struct store_reader *r;
    struct lt_err err;
    uint8_t buf[3000];
    uint64_t at = 4;

    if (store_reader_open(sh->s, 1, TEST_FILE, 4, &r, &err) < 0) {
        atomic_fetch_add(&sh->bad, 1);
        return NULL;
    }
    while (at < sh->g.len) {
        size_t n;
        bool sealed;
        int rc = store_reader_read(r, buf, sizeof buf, &n, &sealed, &err);
        if (rc == LT_EOS) {
            (void)sched_yield();
            continue;
        }
        if (rc < 0 || memcmp(buf, sh->g.data + at, n) != 0) {
            atomic_fetch_add(&sh->bad, 1);
            break;
        }
        at += n;
    }
    store_reader_close(r);
    return NULL;
}

static void *status(void *arg)
{
    struct shared *sh = arg;
    uint64_t before = 0;

    while (!atomic_load(&sh->done)) {
        struct store_view v;
        struct store_segment_info *list;
        size_t n;
        if (store_view_get(sh->s, &v) < 0 || store_list(sh->s, &list, &n) < 0)
            abort();
        /* one consistent picture: the set belongs to the watermark */
        bool ok = v.watermark >= before && v.watermark <= v.durable && (v.last_end == 0 || v.last_end == v.watermark) &&
                  gtid_set_count(&v.gtid_executed) == v.last_gtid.seq && n == 1;
        if (!ok)
            atomic_fetch_add(&sh->bad, 1);
        before = v.watermark;
        free(list);
        store_view_fini(&v);
        (void)store_stat_busy_since(sh->s);
    }
    return NULL;
}

static size_t load_event_len(const uint8_t *event)
{
    struct event_header h;

    if (event_header_parse(event, EVENT_HEADER_LEN, &h) < 0)
        abort();
    return h.length;
}

static void threads(void)
{
    struct shared sh = {0};
    struct lt_err err;
    pthread_t t[2];
    char dir[] = "store_reader_XXXXXX";
    char cmd[64];

    if (mkdtemp(dir) == NULL)
        abort();
    struct store_options opt = {.dir = dir, .allow_unsafe_fs = true, .prewrite = true};
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &sh.s, &err), 0);
    struct shared second = {0};
    struct shared gone = {0};
    store_on_watermark(sh.s, on_watermark, &gone);
    store_on_watermark(sh.s, on_watermark, &sh);
    store_on_watermark(sh.s, on_watermark, &second);
    store_off_watermark(sh.s, &gone);
    CU_ASSERT_EQUAL(store_lineage_begin(sh.s, TEST_SOURCE, &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(sh.s, TEST_FILE, &err), 0);
    gen_init(&sh.g, false, true);
    gen_file(&sh.g, true);
    for (unsigned i = 0; i < ROUNDS; i++)
        gen_txn(&sh.g, i * 7 % 2000);
    (void)pthread_create(&t[0], NULL, tail, &sh);
    (void)pthread_create(&t[1], NULL, status, &sh);
    size_t at = 4;
    while (at < sh.g.len) {
        for (unsigned i = 0; i < 7 && at < sh.g.len; i++)
            CU_ASSERT_EQUAL(gen_feed(sh.s, sh.g.data, at + load_event_len(sh.g.data + at), at, 1000, false, &at), 0);
        CU_ASSERT_EQUAL(store_sync(sh.s, &err), 0);
        (void)store_idle(sh.s);
    }
    (void)pthread_join(t[0], NULL);
    atomic_store(&sh.done, true);
    (void)pthread_join(t[1], NULL);
    CU_ASSERT_EQUAL(atomic_load(&sh.bad), 0);
    CU_ASSERT_TRUE(atomic_load(&sh.wakes) > 10);
    CU_ASSERT_EQUAL(atomic_load(&second.wakes), atomic_load(&sh.wakes));
    CU_ASSERT_EQUAL(atomic_load(&gone.wakes), 0);
    store_close(sh.s);
    gen_fini(&sh.g);
    (void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    CU_ASSERT_EQUAL(system(cmd), 0); // NOLINT(cert-env33-c,concurrency-mt-unsafe): the threads are gone
}

static const struct test_case cases[] = {
    {"up to the watermark, across files and lineages", reads_up_to_the_watermark},
    {"a busy view keeps the news for later", busy_view_keeps_the_news},
    {"a writer, a tailing reader and a status reader", threads},
};

int main(void)
{
    return cunit_run("store reader", cases, sizeof cases / sizeof cases[0]);
}
