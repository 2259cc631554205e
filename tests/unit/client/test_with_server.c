/* The library against the real server over a real store, in one process: histories, GTID sets, goodbyes, names. */
#include "serve_rig.h"

#include "taken.h"

static struct binlogtail_options options(const struct serve_rig *r)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.port = serve_port(r->serve);
    o.start = BINLOGTAIL_START_EARLIEST;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 4;
    return o;
}

static void two_histories(bool mariadb)
{
    struct serve_rig r;
    struct taken t = {0};
    serve_rig_start(&r, mariadb, NULL);
    serve_rig_txns(&r, 10, 100);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 5, 100);
    struct binlogtail_options o = options(&r);
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_CAUGHT_UP));
    CU_ASSERT_EQUAL(t.transactions, 15);
    serve_rig_lineage(&r, "source-2"); /* while it follows */
    serve_rig_txns(&r, 4, 100);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_LINEAGE));
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_FILE_END], 2);
    while (t.transactions < 19 && taken_until(&t, bt, BINLOGTAIL_EVENT)) {
    }
    CU_ASSERT_EQUAL(t.transactions, 19);
    CU_ASSERT_EQUAL(t.count, 3);
    CU_ASSERT_EQUAL(t.files[2].lineage, 2);
    CU_ASSERT_EQUAL(t.holes + t.halves, 0);
    char token[BINLOGTAIL_TOKEN_MAX];
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token), 0);
    CU_ASSERT_EQUAL(strncmp(token, "2/mysql-bin.000001:", 19), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(token, "@source-2"));
    binlogtail_close(bt);
    taken_fini(&t);
    serve_rig_end(&r);
}

static void lineages(void)
{
    two_histories(false);
    two_histories(true);
}

/* The second history has the transactions of the first again, and more: a GTID subscription gets each once, also over reconnects. */
static void gtids_once(bool mariadb)
{
    struct serve_rig r;
    struct taken t = {0};
    serve_rig_start(&r, mariadb, NULL);
    serve_rig_txns(&r, 10, 100);
    uint64_t seq = r.gen.seq;
    struct binlogtail_options o = options(&r);
    o.start = BINLOGTAIL_START_GTIDS;
    o.gtid_set = mariadb ? "0-7-3" : "68b1e7ed-0102-0304-0506-0708090a0b0c:1-3";
    struct binlogtail *bt = taken_open(&o);
    while (t.transactions < 7 && taken_until(&t, bt, BINLOGTAIL_EVENT)) {
    }
    CU_ASSERT_EQUAL(t.transactions, 7);
    uint16_t port = serve_port(r.serve);
    serve_stop(r.serve); /* a goodbye; the server comes back with another history */
    r.gen.seq = 0;
    serve_rig_lineage(&r, "source-2");
    serve_rig_txns(&r, 14, 100);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.port = port}));
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_LINEAGE));
    CU_ASSERT(t.kinds[BINLOGTAIL_DISCONNECTED] >= 1);
    while (t.transactions < 11 && taken_until(&t, bt, BINLOGTAIL_EVENT)) {
    }
    CU_ASSERT_EQUAL(t.transactions, 11);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_HEARTBEAT));
    CU_ASSERT_EQUAL(t.transactions, 11); /* 4 to 10, then 11 to 14 */
    CU_ASSERT_EQUAL(t.halves, 0);
    char *set = binlogtail_gtid_set(bt);
    CU_ASSERT_STRING_EQUAL(set, mariadb ? "0-7-14" : "68b1e7ed-0102-0304-0506-0708090a0b0c:1-14");
    free(set);
    CU_ASSERT_EQUAL(seq, 10);
    binlogtail_close(bt);
    taken_fini(&t);
    serve_rig_end(&r);
}

static void gtids(void)
{
    gtids_once(false);
    gtids_once(true);
}

/* A large transaction in many batches: begun, middle and end are marked, tokens lead back into it. */
static void large_transaction(void)
{
    struct serve_rig r;
    struct taken t = {0};
    serve_rig_start(&r, false, NULL);
    gen_gtid(&r.gen);
    gen_query(&r.gen, "BEGIN");
    for (unsigned i = 0; i < 200; i++)
        gen_rows(&r.gen, 9000);
    gen_xid(&r.gen);
    serve_rig_sync(&r);
    serve_rig_txns(&r, 3, 100);
    struct binlogtail_options o = options(&r);
    o.max_batch_bytes = 20000;
    o.until_end = true;
    char boundary[BINLOGTAIL_TOKEN_MAX];
    char exact[BINLOGTAIL_TOKEN_MAX];
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_events(&t, bt, 100));
    CU_ASSERT_TRUE(t.inside);
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, boundary, sizeof boundary), 0);
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_EXACT, exact, sizeof exact), 0);
    CU_ASSERT_PTR_NOT_NULL(strchr(exact, '+'));
    binlogtail_close(bt);
    o.start = BINLOGTAIL_START_POSITION;
    o.position = exact;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(t.transactions, 4);
    CU_ASSERT_EQUAL(t.holes + t.halves, 0);
    CU_ASSERT_EQUAL(t.files[0].len, r.gen.len - 4);
    CU_ASSERT_EQUAL(memcmp(t.files[0].bytes, r.gen.data + 4, t.files[0].len), 0);
    binlogtail_close(bt);
    taken_fini(&t);
    o.position = boundary;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(t.transactions, 4);
    CU_ASSERT_EQUAL(t.halves, 0);
    binlogtail_close(bt);
    taken_fini(&t);
    /* A bare offset inside: the rest is handed out, and the first boundary is only where the transaction ended. */
    char *plus = strchr(exact, '+');
    uint64_t inside = strtoull(strchr(exact, ':') + 1, NULL, 10) + strtoull(plus + 1, NULL, 10);
    char bare[64];
    snprintf(bare, sizeof bare, "mysql-bin.000001:%llu", (unsigned long long)inside);
    o.position = bare;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_events(&t, bt, 5));
    char token[BINLOGTAIL_TOKEN_MAX];
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(token, bare));
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(t.transactions, 3);
    binlogtail_close(bt);
    taken_fini(&t);
    serve_rig_end(&r);
}

static void names(void)
{
    struct serve_rig r;
    struct taken t = {0};
    serve_rig_start(&r, true, NULL);
    serve_rig_txns(&r, 5, 100);
    struct binlogtail_options o = options(&r);
    o.name = "worker";
    o.resume_committed = true;
    o.until_end = true;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), 0);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_COMMITTED));
    binlogtail_close(bt);
    taken_fini(&t);
    serve_rig_txns(&r, 3, 100);
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(t.transactions, 3);
    binlogtail_close(bt);
    taken_fini(&t);
    /* The newer connection has the name; the older one is told and does not fight for it. */
    o.until_end = false;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_CONNECTED));
    struct binlogtail *newer = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, newer, BINLOGTAIL_CONNECTED));
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ESERVER);
    CU_ASSERT_EQUAL(binlogtail_last_error(bt)->server_code, BINLOGTAIL_SERVER_NAME_IN_USE);
    binlogtail_close(bt);
    binlogtail_close(newer);
    taken_fini(&t);
    serve_rig_end(&r);
}

static void refused(const struct serve_rig *r, const char *position, int code)
{
    struct binlogtail_options o = options(r);
    struct taken t = {0};
    o.start = BINLOGTAIL_START_POSITION;
    o.position = position;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    const struct binlogtail_error *e = binlogtail_last_error(bt);
    CU_ASSERT_EQUAL(e->server_code, code);
    CU_ASSERT(e->message[0] != '\0' && e->cure[0] != '\0');
    if (code == BINLOGTAIL_SERVER_AHEAD)
        CU_ASSERT_EQUAL(binlogtail_token_check(e->durable), 0);
    if (code == BINLOGTAIL_SERVER_PURGED || code == BINLOGTAIL_SERVER_NOT_FOUND)
        CU_ASSERT_EQUAL(binlogtail_token_check(e->earliest), 0);
    binlogtail_close(bt);
    taken_fini(&t);
}

static void positions_refused(void)
{
    struct serve_rig r;
    serve_rig_start(&r, false, NULL);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 3, 100);
    refused(&r, "mysql-bin.000001:5", BINLOGTAIL_SERVER_BAD_POSITION);
    refused(&r, "mysql-bin.000002:100000", BINLOGTAIL_SERVER_AHEAD);
    refused(&r, "mysql-bin.000009:4", BINLOGTAIL_SERVER_AHEAD);
    refused(&r, "1/mysql-bin.000000:4", BINLOGTAIL_SERVER_PURGED);
    refused(&r, "7/mysql-bin.000001:4", BINLOGTAIL_SERVER_NOT_FOUND);
    refused(&r, "1/mysql-bin.000001:4@other", BINLOGTAIL_SERVER_WRONG_LINEAGE);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"another history, while following", lineages},
    {"a GTID subscription gets each transaction once", gtids},
    {"a large transaction, and tokens in it", large_transaction},
    {"names", names},
    {"positions that cannot be", positions_refused},
};

int main(void)
{
    return cunit_run("with_server", cases, sizeof cases / sizeof cases[0]);
}
