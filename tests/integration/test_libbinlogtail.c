/* libbinlogtail beside logtailerd and a real primary: equal bytes however it is cut, large events, nothing twice. */
#include "consumer.h"

#include <inttypes.h>

#include "binlogtail/binlogtail.h"

/* ---- the library, cut at random ---- */

struct walk {
    FILE *out; /* of the file at hand */
    char *dir;
    char file[256];
    uint64_t next;
    unsigned wrong;
    unsigned events;
    unsigned transactions;
    unsigned disconnects;
    bool inside;
};

static void walk_event(struct walk *w, const struct binlogtail_event *ev)
{
    if (strcmp(w->file, ev->position.file) != 0) {
        if (w->out != NULL)
            (void)fclose(w->out);
        snprintf(w->file, sizeof w->file, "%s", ev->position.file);
        char *path = proc_fmt("%s/%s", w->dir, w->file);
        w->out = fopen(path, "we");
        free(path);
        if (w->out == NULL)
            proc_die_errno("%s", w->file);
        (void)fwrite("\xfe"
                     "bin",
                     1, 4, w->out);
        w->next = 4;
    }
    w->wrong += ev->position.offset != w->next;
    w->wrong += ((ev->marks & BINLOGTAIL_TXN_BEGIN) != 0) == w->inside && (ev->marks & BINLOGTAIL_TXN_PART);
    w->inside = (ev->marks & BINLOGTAIL_TXN_PART) && !(ev->marks & BINLOGTAIL_TXN_END);
    w->wrong += fwrite(ev->data, 1, ev->length, w->out) != ev->length;
    w->next = ev->end_offset;
    w->events++;
    w->transactions += (ev->marks & BINLOGTAIL_TXN_END) != 0;
}

/* Until END, or, without until_end, this place. */
static int walk_until(struct walk *w, struct binlogtail *bt, struct proxy *px, unsigned cut_every)
{
    const struct binlogtail_event *ev;
    unsigned seed = 7;
    unsigned left = cut_every;
    int rc;
    while ((rc = binlogtail_wait_event(bt, WAIT_MS, &ev)) == 1 && ev->kind != BINLOGTAIL_END) {
        if (ev->kind == BINLOGTAIL_DISCONNECTED)
            w->disconnects++;
        if (ev->kind != BINLOGTAIL_EVENT)
            continue;
        walk_event(w, ev);
        if (cut_every > 0 && --left == 0) {
            seed = seed * 1103515245u + 12345u;
            left = 1 + (seed >> 8) % (2 * cut_every);
            proxy_cut(px, seed & 64 ? PROXY_CUT_RST : PROXY_CUT_FIN);
        }
    }
    return rc;
}

static void check_walk(struct rig *r, const struct walk *w)
{
    char file[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    CU_ASSERT_STRING_EQUAL(w->file, file);
    CU_ASSERT_EQUAL(w->next, offset);
    struct sql_rows *rows = sql_rows(r->root, "SHOW BINARY LOGS");
    for (size_t i = 0; i < rows->rows; i++) {
        const char *name = rows->cells[i * rows->columns];
        char *ours = proc_fmt("%s/%s", w->dir, name);
        char *theirs = proc_fmt("%s/%s", r->srv->datadir, name);
        CU_ASSERT_TRUE(binlogs_same(ours, theirs, strcmp(name, file) == 0 ? offset : UINT64_MAX));
        free(ours);
        free(theirs);
    }
    sql_rows_free(rows);
}

static struct binlogtail *open_at(uint16_t port, bool until_end)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.port = port;
    o.start = BINLOGTAIL_START_EARLIEST;
    o.until_end = until_end;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 8;
    o.max_batch_bytes = 4096;
    struct binlogtail *bt = binlogtail_open(&o, NULL);
    if (bt == NULL)
        proc_die("binlogtail_open failed");
    return bt;
}

static void test_random_cuts(void)
{
    struct rig r;
    unsigned cuts = rig_rounds(60, 1000);
    struct walk w = {.dir = proc_tempdir()};
    rig_start(&r, NULL, false, NULL);
    consumer_history(&r, 400);
    struct proxy *px = proxy_start(r.dm->tail_port);
    struct binlogtail *bt = open_at(proxy_port(px), true);
    /* Slowly and in pieces, so that a cut finds something on its way. */
    proxy_split(px, 4096);
    proxy_delay(px, PROXY_TO_CLIENT, 1);
    uint64_t end = proc_now_ms() + 10 * WAIT_MS;
    while (w.disconnects < cuts && proc_now_ms() < end) { /* a whole pass is some dozens of cuts */
        CU_ASSERT_EQUAL(walk_until(&w, bt, px, 30), 1);
        CU_ASSERT_EQUAL(w.wrong, 0);
        if (w.out != NULL)
            (void)fflush(w.out);
        check_walk(&r, &w);
        binlogtail_close(bt);
        bt = open_at(proxy_port(px), true);
        w.file[0] = '\0';
    }
    CU_ASSERT(w.disconnects >= cuts);
    printf("\n  %u cuts, %u events ", w.disconnects, w.events);
    binlogtail_close(bt);
    if (w.out != NULL)
        (void)fclose(w.out);
    proxy_free(px);
    free(w.dir);
    rig_end(&r);
}

/* An event larger than 16 MiB, in a transaction of many batches, with the connection cut inside it. */
static void test_large_events(void)
{
    struct rig r;
    struct walk w = {.dir = proc_tempdir()};
    char *args[] = {"--max-allowed-packet=64M", NULL};
    rig_start(&r, &(struct server_options){.args = args}, false, NULL);
    sql_must(r.root, "CREATE TABLE t.big (i INT PRIMARY KEY, b LONGBLOB)");
    sql_must(r.root, "INSERT INTO t.big VALUES (1, REPEAT('q', 20 * 1024 * 1024))");
    sql_must(r.root, "INSERT INTO t.big VALUES (2, 'small')");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    struct proxy *px = proxy_start(r.dm->tail_port);
    struct binlogtail *bt = open_at(proxy_port(px), true);
    CU_ASSERT_EQUAL(walk_until(&w, bt, px, 3), 1);
    CU_ASSERT_EQUAL(w.wrong, 0);
    CU_ASSERT(w.disconnects > 0);
    if (w.out != NULL)
        (void)fclose(w.out);
    check_walk(&r, &w);
    binlogtail_close(bt);
    proxy_free(px);
    free(w.dir);
    rig_end(&r);
}

/* ---- GTIDs ---- */

struct gtids {
    char **seen;
    size_t n;
    unsigned twice;
};

static void see(struct gtids *g, const char *gtid)
{
    for (size_t i = 0; i < g->n; i++)
        g->twice += strcmp(g->seen[i], gtid) == 0;
    g->seen = realloc(g->seen, (g->n + 1) * sizeof *g->seen);
    if (g->seen == NULL)
        proc_die("out of memory");
    g->seen[g->n++] = proc_fmt("%s", gtid);
}

static void test_gtid_subscription(void)
{
    struct rig r;
    struct gtids g = {0};
    const struct binlogtail_event *ev;
    rig_start(&r, NULL, false, NULL);
    consumer_history(&r, 30);
    char *held = sql_value(r.root, flavor == SERVER_MARIADB ? "SELECT @@gtid_binlog_state" : "SELECT @@gtid_executed");
    consumer_history(&r, 150);
    struct proxy *px = proxy_start(r.dm->tail_port);
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.port = proxy_port(px);
    o.start = BINLOGTAIL_START_GTIDS;
    o.gtid_set = held;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 8;
    o.max_batch_bytes = 4096;
    struct binlogtail *bt = binlogtail_open(&o, NULL);
    char *all = sql_value(r.root, flavor == SERVER_MARIADB ? "SELECT @@gtid_binlog_state" : "SELECT @@gtid_executed");
    uint64_t expect = 180; /* 150 rows, 30 orders */
    unsigned cuts = 0;
    uint64_t end = proc_now_ms() + WAIT_MS;
    while (g.n < expect + 3 && proc_now_ms() < end && binlogtail_wait_event(bt, WAIT_MS, &ev) == 1) {
        if (ev->kind == BINLOGTAIL_HEARTBEAT && g.n >= expect)
            break;
        if (ev->kind != BINLOGTAIL_EVENT || !(ev->marks & BINLOGTAIL_TXN_END))
            continue;
        see(&g, ev->gtid);
        if (g.n % 20 == 0 && cuts++ < 8)
            proxy_cut(px, PROXY_CUT_RST);
    }
    /* CREATE … IF NOT EXISTS of make_history are transactions as well. */
    CU_ASSERT(g.n >= expect && g.n <= expect + 3);
    CU_ASSERT_EQUAL(g.twice, 0);
    char *set = binlogtail_gtid_set(bt);
    /* All of the primary's GTIDs are in the set now: what it has beyond the last one is nothing. */
    if (flavor == SERVER_MYSQL) {
        char *missing = sql_value(r.root, "SELECT GTID_SUBTRACT(@@gtid_executed, '%s')", set);
        CU_ASSERT_STRING_EQUAL(missing, "");
        free(missing);
    } else {
        CU_ASSERT_STRING_EQUAL(set, all);
    }
    free(set);
    free(all);
    free(held);
    for (size_t i = 0; i < g.n; i++)
        free(g.seen[i]);
    free(g.seen);
    binlogtail_close(bt);
    proxy_free(px);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"random cuts: no gap, no repeat", test_random_cuts},
    {"events larger than 16 MiB", test_large_events},
    {"a GTID subscription gets nothing twice", test_gtid_subscription},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "libbinlogtail", cases, sizeof cases / sizeof cases[0]);
}
