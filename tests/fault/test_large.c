/*
 * Power cuts and deaths while an event of hundreds of MiB is stored, with the limits that the daemon has: the store always opens, holds what it reported, and
 * the event then goes in whole. With and without checksums, in a second lineage.
 *
 * The plain run takes one event that is synced in its middle, at a few places; LT_FULL=1 sizes up to 1 GiB, the smallest at every call.
 */
#include "cunit_main.h"
#include "script.h"

#define MIB   (1024u * 1024u)
#define PIECE MIB

struct large {
    struct binlog_gen gen;
    struct vfs_sim *sim;
    enum vfs_op op;
    uint64_t in;      /* such calls until the power goes */
    uint64_t durable; /* boundary that the store reported */
    unsigned cuts;
};

static void on_call(enum vfs_op op, void *arg)
{
    struct large *l = arg;

    if ((l->op == VFS_OP_ANY || l->op == op) && l->in > 0 && --l->in == 0)
        vfs_sim_power_off(l->sim);
}

static void make_stream(struct large *l, bool crc, unsigned mib)
{
    gen_init(&l->gen, false, crc);
    struct fake_bytes *out = &l->gen.events.out; /* at once, and no more than it takes */
    out->cap = (size_t)(mib + 1) * MIB;
    out->p = malloc(out->cap);
    if (out->p == NULL)
        abort();
    gen_file(&l->gen, true);
    gen_txn(&l->gen, 100);
    gen_gtid(&l->gen);
    size_t start = l->gen.len;
    gen_rows(&l->gen, (size_t)mib * MIB);
    size_t end = l->gen.len - (crc ? EVENT_CRC_LEN : 0);
    for (size_t i = start + EVENT_HEADER_LEN; i < end; i++)
        l->gen.data[i] = (uint8_t)(i * 2654435761U >> 24 | 1);
    if (crc)
        event_crc_set(l->gen.data + start, l->gen.len - start);
    gen_xid(&l->gen);
    gen_txn(&l->gen, 100);
}

/* A first lineage with a file of its own, then the one the event goes to. */
static int begin_lineages(struct store *s, struct lt_err *err)
{
    struct binlog_gen small;
    int rc = store_lineage_begin(s, TEST_SOURCE, err);
    if (rc == 0)
        rc = store_segment_begin(s, TEST_FILE, err);
    gen_init(&small, false, true);
    gen_file(&small, true);
    gen_txn(&small, 100);
    size_t end;
    if (rc == 0)
        rc = gen_feed(s, small.data, small.len, BINLOG_MAGIC_LEN, 4096, false, &end);
    gen_fini(&small);
    if (rc == 0)
        rc = store_lineage_begin(s, "source-2", err);
    return rc;
}

/* From where the store stands to the end of the stream, or until the power goes. */
static int feed(struct large *l, struct store *s, struct lt_err *err)
{
    struct store_resume r;
    int rc = 0;

    store_resume_point(s, &r);
    if (!r.have_lineage || r.lineage < 2)
        rc = begin_lineages(s, err);
    store_resume_point(s, &r);
    if (rc == 0 && r.empty)
        rc = store_segment_begin(s, TEST_FILE2, err);
    while (rc == 0 && store_appended(s) < l->gen.len) {
        rc = gen_feed_event(s, l->gen.data + store_appended(s), PIECE, false, NULL);
        if (rc == 0 &&
            l->gen.len - store_appended(s) < 400) /* not before: the large one is synced by the store alone */
            rc = store_sync(s, err);
        if (rc == 0)
            l->durable = store_tracker(s)->boundary < store_durable(s) ? store_tracker(s)->boundary : l->durable;
    }
    if (rc == 0)
        rc = store_sync(s, err);
    return rc;
}

static bool holds(struct large *l, struct store *s)
{
    struct store_resume r;
    uint64_t diff;

    store_resume_point(s, &r);
    if (r.lineage < 2 || r.empty)
        return l->durable == 0;
    return r.watermark >= l->durable && r.end <= l->gen.len &&
           store_compare(s, BINLOG_MAGIC_LEN, l->gen.data + BINLOG_MAGIC_LEN, r.end - BINLOG_MAGIC_LEN, &diff, NULL) ==
               0;
}

/* The power goes, or the process dies, at call n. False: it was through before. */
static bool cut_at(struct large *l, uint64_t n, bool *ret_ok)
{
    struct store *s;
    struct lt_err err;

    l->sim = vfs_sim_new(n);
    l->in = n;
    l->durable = 0;
    vfs_sim_on_call(l->sim, on_call, l);
    if (test_open(vfs_sim_vfs(l->sim), true, &s, &err) == 0) {
        (void)feed(l, s, &err);
        vfs_sim_power_off(l->sim);
        store_close(s);
    }
    bool met = l->in == 0;
    l->in = 0;
    if (n % 3 == 0)
        vfs_sim_process_death(l->sim);
    else
        vfs_sim_power_cut(l->sim);
    int rc = test_open(vfs_sim_vfs(l->sim), true, &s, &err);
    *ret_ok = rc == 0 && holds(l, s) && feed(l, s, &err) == 0 && holds(l, s) && store_appended(s) == l->gen.len;
    if (!*ret_ok)
        (void)fprintf(stderr, "cut at call %llu: %s\n", (unsigned long long)n, err.text);
    store_close(s);
    vfs_sim_free(l->sim);
    l->cuts++;
    return met;
}

static unsigned series(unsigned mib, bool crc, enum vfs_op op, uint64_t from, uint64_t to, uint64_t step)
{
    struct large l = {.op = op};
    bool ok = true;

    make_stream(&l, crc, mib);
    for (uint64_t n = from; ok && n < to && cut_at(&l, n, &ok); n += step)
        ;
    CU_ASSERT_TRUE(ok);
    gen_fini(&l.gen);
    return l.cuts;
}

static void large_events(void)
{
    const char *full = getenv("LT_FULL"); // NOLINT(concurrency-mt-unsafe): one thread
    unsigned cuts = 0;

    if (full == NULL || strcmp(full, "1") != 0) {
        /* the writes are of about 1 MiB: more than 128 are there */
        cuts = series(160, true, VFS_OP_PWRITE, 150, 151, 1) + series(160, false, VFS_OP_PWRITE, 152, 153, 1);
    } else {
        for (int crc = 0; crc < 2; crc++)
            cuts += series(64, crc, VFS_OP_ANY, 1, UINT64_MAX, 1) + series(256, crc, VFS_OP_ANY, 7, UINT64_MAX, 29) +
                    series(1024, crc, VFS_OP_ANY, 501, UINT64_MAX, 317);
    }
    (void)printf("%u cuts ", cuts);
}

static const struct test_case cases[] = {
    {"events of 64 MiB to 1 GiB, cut anywhere", large_events},
};

int main(void)
{
    return cunit_run("large events", cases, sizeof cases / sizeof cases[0]);
}
