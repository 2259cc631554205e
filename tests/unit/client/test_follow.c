/* The library against a server that does as it should, or is cut off: exact bytes, resuming, marks. */
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "taken.h"

#define FILE1 "mysql-bin.000001"
#define FILE2 "mysql-bin.000002"
#define FILE3 "mysql-bin.000003"
#define SRC   "source-1"

static void three_files(struct fake_source *s, bool mariadb)
{
    fake_source_init(s, mariadb);
    (void)fake_source_add(s, 1, SRC, FILE1, 40, 300);
    (void)fake_source_add(s, 1, SRC, FILE2, 1, 100000);
    (void)fake_source_add(s, 1, SRC, FILE3, 25, 900);
}

static void take_all(bool mariadb)
{
    struct fake_source s;
    struct taken t = {0};
    three_files(&s, mariadb);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_TRUE(taken_equals(&t, &s));
    CU_ASSERT_EQUAL(t.transactions, 66);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_FILE_BEGIN], 3);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_FILE_END], 2);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_CONNECTED], 1);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_CAUGHT_UP], 1);
    CU_ASSERT_EQUAL(t.cuts, 0);
    CU_ASSERT_STRING_EQUAL(t.server, "fake_tail");
    CU_ASSERT_STRING_EQUAL(t.last_gtid, mariadb ? "0-7-66" : "68b1e7ed-0102-0304-0506-0708090a0b0c:66");
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ESTATE);
    CU_ASSERT_EQUAL(binlogtail_wanted(bt), 0);
    CU_ASSERT_EQUAL(binlogtail_process(bt), 0);
    CU_ASSERT_EQUAL(binlogtail_last_error(bt)->code, BINLOGTAIL_OK);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&s);
}

static void exact_bytes(void)
{
    take_all(false);
    take_all(true);
}

/* ---- cuts ---- */

struct cutter {
    struct fake_source s;
    unsigned cuts; /* connections that are cut; the next one is whole */
    uint64_t most;
    uint32_t seed;
};

static void script_cut(struct fake_conn *c, unsigned n, void *arg)
{
    struct cutter *k = arg;
    k->seed = k->seed * 1103515245u + 12345u;
    if (n < k->cuts)
        fake_cut_after(c, (k->seed >> 4) % k->most);
    fake_source_serve(&k->s, c);
}

static void no_gap_and_no_repeat(bool mariadb, unsigned cuts)
{
    struct cutter k = {.cuts = cuts, .most = 60000, .seed = mariadb ? 3 : 5};
    struct taken t = {0};
    three_files(&k.s, mariadb);
    struct fake_tail *ft = fake_tail_start(script_cut, &k);
    struct binlogtail_options o = taken_options(ft);
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_TRUE(taken_equals(&t, &k.s));
    CU_ASSERT_EQUAL(t.transactions, 66);
    CU_ASSERT_EQUAL(t.cuts, 0);
    CU_ASSERT(fake_tail_connections(ft) > 1);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_DISCONNECTED], fake_tail_connections(ft) - 1);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

static void random_cuts(void)
{
    const char *full = getenv("LT_FULL");
    unsigned rounds = full != NULL && strcmp(full, "1") == 0 ? 250 : 10;
    for (unsigned i = 0; i < rounds; i++) {
        no_gap_and_no_repeat(false, 2 + i % 5);
        no_gap_and_no_repeat(true, 2 + i % 5);
    }
}

/* Another process goes on with a token of this one, after every single event. */
static void tokens_resume(void)
{
    struct fake_source s;
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 5, 50);
    (void)fake_source_add(&s, 1, SRC, FILE2, 3, 50);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    char boundary[BINLOGTAIL_TOKEN_MAX];
    char exact[BINLOGTAIL_TOKEN_MAX];
    o.until_end = true;
    for (unsigned n = 1; n < 36; n++) {
        struct taken t = {0};
        o.start = BINLOGTAIL_START_EARLIEST;
        struct binlogtail *bt = taken_open(&o);
        CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_EXACT, exact, sizeof exact), BINLOGTAIL_ESTATE);
        CU_ASSERT_TRUE(taken_events(&t, bt, n));
        CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_EXACT, exact, sizeof exact), 0);
        CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, boundary, sizeof boundary), 0);
        CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, boundary, 5), BINLOGTAIL_EINVAL);
        bool inside = t.inside;
        binlogtail_close(bt);
        CU_ASSERT_EQUAL(strchr(exact, '+') != NULL, inside);

        o.start = BINLOGTAIL_START_POSITION;
        o.position = exact;
        bt = taken_open(&o);
        CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
        CU_ASSERT_TRUE(taken_equals(&t, &s)); /* both halves together are the whole */
        CU_ASSERT_EQUAL(t.transactions, 8);
        binlogtail_close(bt);
        taken_fini(&t);
    }
    fake_tail_free(ft);
    fake_source_fini(&s);
}

/* A boundary token never begins inside a transaction. */
static void boundary_tokens(void)
{
    struct fake_source s;
    fake_source_init(&s, true);
    (void)fake_source_add(&s, 1, SRC, FILE1, 4, 50);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    char token[BINLOGTAIL_TOKEN_MAX];
    for (unsigned n = 1; n < 14; n++) {
        struct taken first = {0};
        struct taken second = {0};
        o.start = BINLOGTAIL_START_EARLIEST;
        struct binlogtail *bt = taken_open(&o);
        CU_ASSERT_TRUE(taken_events(&first, bt, n));
        CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token), 0);
        binlogtail_close(bt);
        o.start = BINLOGTAIL_START_POSITION;
        o.position = token;
        o.until_end = true;
        bt = taken_open(&o);
        CU_ASSERT_TRUE(taken_until(&second, bt, BINLOGTAIL_END));
        o.until_end = false;
        CU_ASSERT_EQUAL(second.transactions + first.transactions, 4);
        CU_ASSERT_EQUAL(second.halves, 0);
        binlogtail_close(bt);
        taken_fini(&first);
        taken_fini(&second);
    }
    fake_tail_free(ft);
    fake_source_fini(&s);
}

/* ---- histories ---- */

static void lineage_is_marked(void)
{
    struct fake_source s;
    struct taken t = {0};
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE2, 5, 50);
    (void)fake_source_add(&s, 2, "source-2", FILE1, 6, 50);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_LINEAGE));
    const struct binlogtail_event *ev = NULL;
    CU_ASSERT_EQUAL(t.transactions, 5);
    CU_ASSERT_EQUAL_FATAL(binlogtail_wait_event(bt, TAKEN_WAIT_MS, &ev), 1);
    CU_ASSERT_EQUAL(ev->kind, BINLOGTAIL_FILE_BEGIN);
    CU_ASSERT_EQUAL(ev->position.lineage, 2);
    CU_ASSERT_STRING_EQUAL(ev->position.source_id, "source-2");
    CU_ASSERT(ev->length > 0 && ev->data[4] == 15);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_TRUE(taken_equals(&t, &s));
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_LINEAGE], 1);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&s);
}

/* ---- GTID sets ---- */

struct gtid_script {
    struct fake_source s;
    char sets[4][200];
    int starts[4];
    int refuse; /* error code of the second connection; 0 none */
};

static void script_gtids(struct fake_conn *c, unsigned n, void *arg)
{
    struct gtid_script *g = arg;
    Logtailer__Tail__Position end = fake_source_end(&g->s);
    if (n >= 4 || !fake_hello(c, 20000, &end))
        return;
    Logtailer__Tail__Subscribe *sub = (Logtailer__Tail__Subscribe *)(void *)fake_read(c, FRAME_SUBSCRIBE);
    if (sub == NULL)
        return;
    snprintf(g->sets[n], sizeof g->sets[n], "%s", sub->gtid_set);
    g->starts[n] = (int)sub->start;
    if (n == 0)
        fake_end_after(c, 5000);
    if (n == 1 && g->refuse != 0)
        (void)fake_error(c, g->refuse, "gone", "", 0);
    else
        fake_source_stream(&g->s, c, sub);
    protobuf_c_message_free_unpacked(&sub->base, NULL);
}

static void gtid_set_grows(void)
{
    struct gtid_script g = {0};
    struct taken t = {0};
    fake_source_init(&g.s, true);
    (void)fake_source_add(&g.s, 1, SRC, FILE1, 60, 100);
    struct fake_tail *ft = fake_tail_start(script_gtids, &g);
    struct binlogtail_options o = taken_options(ft);
    o.start = BINLOGTAIL_START_GTIDS;
    o.gtid_set = "1-5-9";
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_DISCONNECTED));
    unsigned before = t.transactions;
    CU_ASSERT(before > 5 && before < 60);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    char expect[64];
    snprintf(expect, sizeof expect, "0-7-%u,1-5-9", before);
    CU_ASSERT_STRING_EQUAL(g.sets[0], "1-5-9");
    CU_ASSERT_STRING_EQUAL(g.sets[1], expect);
    CU_ASSERT_EQUAL(g.starts[0], LOGTAILER__TAIL__START_KIND__START_GTIDS);
    CU_ASSERT_EQUAL(g.starts[1], LOGTAILER__TAIL__START_KIND__START_POSITION);
    CU_ASSERT_TRUE(taken_equals(&t, &g.s));
    char *set = binlogtail_gtid_set(bt);
    CU_ASSERT_STRING_EQUAL(set, "0-7-60,1-5-9");
    free(set);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&g.s);
}

/* The position is of no use any more, at another server perhaps: the set alone says all, and the transaction that was cut comes again whole. */
static void gtid_set_survives_its_position(void)
{
    struct gtid_script g = {.refuse = LOGTAILER__TAIL__ERROR_CODE__ERROR_PURGED};
    struct taken t = {0};
    fake_source_init(&g.s, true);
    (void)fake_source_add(&g.s, 1, SRC, FILE1, 60, 100);
    struct fake_tail *ft = fake_tail_start(script_gtids, &g);
    struct binlogtail_options o = taken_options(ft);
    o.start = BINLOGTAIL_START_GTIDS;
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_DISCONNECTED));
    bool inside = t.inside;
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_DISCONNECTED));
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_FILE_BEGIN));
    CU_ASSERT_EQUAL(g.starts[1], LOGTAILER__TAIL__START_KIND__START_POSITION);
    CU_ASSERT_EQUAL(g.starts[2], LOGTAILER__TAIL__START_KIND__START_GTIDS);
    CU_ASSERT_STRING_NOT_EQUAL(g.sets[2], "");
    CU_ASSERT_STRING_EQUAL(g.sets[2], g.sets[1]);
    CU_ASSERT_EQUAL(t.cuts, inside);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&g.s);
}

/* ---- large events, memory ---- */

static size_t resident_kib(void)
{
    unsigned long size = 0;
    unsigned long resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (f != NULL)
        (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void large_events(void)
{
    struct fake_source s;
    struct taken t = {0};
    const struct binlogtail_event *ev = NULL;
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 1, 40u << 20);
    (void)fake_source_add(&s, 1, SRC, FILE2, 3, 100);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    size_t before = resident_kib();
    size_t largest = 0;
    while (binlogtail_wait_event(bt, TAKEN_WAIT_MS, &ev) == 1 && ev->kind != BINLOGTAIL_FILE_END)
        largest = ev->kind == BINLOGTAIL_EVENT && ev->length > largest ? ev->length : largest;
    CU_ASSERT(largest > 40u << 20);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CU_ASSERT(resident_kib() < before + (8u << 10)); /* given back */
#else
    (void)before;
#endif
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&s);
}

/* ---- the loop ---- */

static void one_descriptor(void)
{
    struct cutter k = {.cuts = 3, .most = 20000, .seed = 9};
    struct taken t = {0};
    three_files(&k.s, false);
    struct fake_tail *ft = fake_tail_start(script_cut, &k);
    struct binlogtail_options o = taken_options(ft);
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    int fd = binlogtail_fd(bt);
    int rc = 0;
    uint64_t end = clock_mono_us() + TAKEN_WAIT_MS * 1000ull;
    CU_ASSERT_EQUAL(binlogtail_wanted(bt), BINLOGTAIL_WANT_READ);
    while (rc == 0 && clock_mono_us() < end) {
        struct pollfd p = {.fd = binlogtail_fd(bt), .events = POLLIN};
        const struct binlogtail_event *ev;
        CU_ASSERT_EQUAL(p.fd, fd);
        CU_ASSERT_EQUAL(poll(&p, 1, TAKEN_WAIT_MS), 1); /* also for a time-out: the timer is behind the descriptor */
        CU_ASSERT_EQUAL(binlogtail_process(bt), 0);
        while ((rc = binlogtail_next(bt, &ev)) == 1)
            taken_take(&t, ev);
        if (rc == 0)
            CU_ASSERT(binlogtail_timeout_ms(bt) >= -1 && binlogtail_timeout_ms(bt) <= 10000);
    }
    CU_ASSERT_EQUAL(rc, BINLOGTAIL_ESTATE);
    CU_ASSERT_TRUE(taken_equals(&t, &k.s));
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&k.s);
}

static void waits_end(void)
{
    struct fake_source s;
    struct taken t = {0};
    const struct binlogtail_event *ev;
    three_files(&s, false);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    o.start = BINLOGTAIL_START_LATEST;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_HEARTBEAT));
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_EVENT], 0);
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_CAUGHT_UP], 1);
    while (binlogtail_next(bt, &ev) == 1)
        taken_take(&t, ev);
    CU_ASSERT_EQUAL(binlogtail_wait_event(bt, 0, &ev), 0);
    char token[BINLOGTAIL_TOKEN_MAX];
    char expect[BINLOGTAIL_TOKEN_MAX];
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token), 0);
    snprintf(expect, sizeof expect, "1/" FILE3 ":%zu@" SRC, s.files[2].gen.len);
    CU_ASSERT_STRING_EQUAL(token, expect);
    binlogtail_close(bt);
    fake_tail_free(ft);
    taken_fini(&t);
    fake_source_fini(&s);
}

static const struct test_case cases[] = {
    {"exactly the server's bytes, both flavours", exact_bytes},
    {"random cuts: no gap, no repeat", random_cuts},
    {"an exact token goes on with the next event", tokens_resume},
    {"a boundary token never begins inside a transaction", boundary_tokens},
    {"another history is marked", lineage_is_marked},
    {"a GTID subscription's set grows and comes along", gtid_set_grows},
    {"a GTID subscription survives its position", gtid_set_survives_its_position},
    {"large events come whole, their memory goes", large_events},
    {"one descriptor over reconnects", one_descriptor},
    {"latest, heartbeats, waits that end", waits_end},
};

int main(void)
{
    return cunit_run("follow", cases, sizeof cases / sizeof cases[0]);
}
