/* GTID subscriptions of both flavours: the right place to begin, whole transactions left out, nothing twice over lineages. */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>

#include "fake_events.h"
#include "proc.h"

#define MYSQL_UUID "68b1e7ed-0102-0304-0506-0708090a0b0c"

/* The GTIDs in a copy, and that no transaction is there in halves. */
static struct gtid_set transactions(const struct tail_copy *c, bool *ret_twice)
{
    struct gtid_set seen;
    gtid_set_init(&seen);
    *ret_twice = false;
    for (size_t i = 0; i < c->count; i++) {
        struct txn_tracker t;
        const struct tail_file *f = &c->files[i];
        txn_reset(&t);
        for (size_t at = 0; at < f->len;) {
            struct event_header h;
            struct txn_step step;
            if (event_header_parse(f->bytes + at, f->len - at, &h) != 0)
                break;
            bool begins = h.type == EVENT_GTID || h.type == EVENT_MARIADB_GTID || h.type == EVENT_GTID_TAGGED;
            CU_ASSERT_FALSE(begins && t.open); /* the one before was whole */
            t.open_end = 0;                    /* offsets moved by what was left out */
            txn_feed(&t, &h, f->bytes + at, h.length, &step);
            if (step.completed) {
                *ret_twice = *ret_twice || gtid_set_contains(&seen, &step.gtid);
                CU_ASSERT_EQUAL(gtid_set_add(&seen, &step.gtid), 0);
            }
            at += h.length;
        }
        CU_ASSERT_FALSE(t.open);
    }
    return seen;
}

static void take(struct serve_rig *r, const char *held, struct tail_copy *c, const char *want)
{
    bool twice;
    struct tail_start start = {.start = LOGTAILER__TAIL__START_KIND__START_GTIDS, .gtids = held, .until_end = true};
    struct tail_raw *t = serve_rig_subscribe(r, &start);
    memset(c, 0, sizeof *c);
    CU_ASSERT_EQUAL(tail_copy_run(c, t, RIG_WAIT_MS), TAIL_FRAME);
    CU_ASSERT_TRUE(c->ended && !c->wrong);
    struct gtid_set seen = transactions(c, &twice);
    CU_ASSERT_FALSE(twice && seen.kind == GTID_MYSQL);
    char *text = gtid_set_format(&seen);
    CU_ASSERT_STRING_EQUAL(text, want);
    if (strcmp(text, want) != 0)
        (void)fprintf(stderr, "got %s, want %s\n", text, want);
    free(text);
    gtid_set_fini(&seen);
    tail_raw_free(t);
}

static void mysql_sets(void)
{
    struct serve_rig r;
    struct tail_copy c;
    serve_rig_start(&r, false, NULL);
    for (int i = 0; i < 5; i++) {
        serve_rig_txns(&r, 10, 200); /* 1 to 10 in the first, ... 41 to 50 in the fifth */
        serve_rig_rotate(&r);
    }
    serve_rig_txns(&r, 3, 200);
    take(&r, "", &c, MYSQL_UUID ":1-53");
    CU_ASSERT_EQUAL(c.count, 6);
    tail_copy_fini(&c);
    take(&r, MYSQL_UUID ":1-25", &c, MYSQL_UUID ":26-53");
    CU_ASSERT_EQUAL(c.count, 4); /* from the third file on */
    tail_copy_fini(&c);
    take(&r, MYSQL_UUID ":1-20", &c, MYSQL_UUID ":21-53");
    CU_ASSERT_EQUAL(c.count, 4);
    tail_copy_fini(&c);
    take(&r, MYSQL_UUID ":1-5:8-20:22:24-49:53", &c, MYSQL_UUID ":6-7:21:23:50-52");
    CU_ASSERT_EQUAL(c.count, 6);
    tail_copy_fini(&c);
    take(&r, MYSQL_UUID ":1-53", &c, "");
    CU_ASSERT_EQUAL(c.count, 1);
    tail_copy_fini(&c);
    take(&r, MYSQL_UUID ":1-9000000,00000000-0000-0000-0000-000000000001:5", &c, "");
    tail_copy_fini(&c);
    /* with another start the set leaves out as well */
    struct tail_start start = {.start = 1, .gtids = MYSQL_UUID ":2-52", .until_end = true};
    struct tail_raw *t = serve_rig_subscribe(&r, &start);
    bool twice;
    memset(&c, 0, sizeof c);
    CU_ASSERT_EQUAL(tail_copy_run(&c, t, RIG_WAIT_MS), TAIL_FRAME);
    struct gtid_set seen = transactions(&c, &twice);
    char *text = gtid_set_format(&seen);
    CU_ASSERT_STRING_EQUAL(text, MYSQL_UUID ":1:53");
    free(text);
    gtid_set_fini(&seen);
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void mariadb_sets(void)
{
    struct serve_rig r;
    struct tail_copy c;
    serve_rig_start(&r, true, NULL);
    for (int i = 0; i < 5; i++) {
        serve_rig_txns(&r, 10, 200);
        serve_rig_rotate(&r);
    }
    serve_rig_txns(&r, 3, 200);
    take(&r, "", &c, "0-7-53");
    CU_ASSERT_EQUAL(c.count, 6);
    tail_copy_fini(&c);
    take(&r, "0-7-25", &c, "0-7-53");
    CU_ASSERT_EQUAL(c.count, 4);
    bool twice;
    struct gtid_set seen = transactions(&c, &twice);
    CU_ASSERT_FALSE(gtid_set_is_empty(&seen));
    gtid_set_fini(&seen);
    tail_copy_fini(&c);
    take(&r, "0-7-53", &c, "");
    tail_copy_fini(&c);
    take(&r, "0-7-52,5-1-9", &c, "0-7-53");
    tail_copy_fini(&c);
    serve_rig_end(&r);
}

/* A subscription that stays: what comes later is sent, what it held and gets again in another history is not. */
static void new_history(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    bool twice;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 10, 100);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 10, 100);
    struct tail_start start = {.start = LOGTAILER__TAIL__START_KIND__START_GTIDS, .gtids = MYSQL_UUID ":1-15"};
    struct tail_raw *t = serve_rig_subscribe(&r, &start);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE2, r.gen.len, RIG_WAIT_MS));
    /* The new source has 8 to 26 in its oldest files. */
    r.gen.seq = 7;
    serve_rig_lineage(&r, "source-2");
    serve_rig_txns(&r, 5, 100);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 8, 100); /* up to 20 */
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 6, 100);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, "mysql-bin.000003", r.gen.len, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(c.lineage_switches, 1);
    struct gtid_set seen = transactions(&c, &twice);
    CU_ASSERT_FALSE(twice);
    char *text = gtid_set_format(&seen);
    CU_ASSERT_STRING_EQUAL(text, MYSQL_UUID ":16-26");
    free(text);
    gtid_set_fini(&seen);
    tail_copy_fini(&c);
    tail_raw_free(t);
    /* who comes now and lacks something of the old history gets it from there */
    take(&r, MYSQL_UUID ":1-17", &c, MYSQL_UUID ":18-26");
    CU_ASSERT_PTR_NOT_NULL(tail_copy_file(&c, 1, RIG_FILE2));
    CU_ASSERT_PTR_NULL(tail_copy_file(&c, 1, RIG_FILE));  /* held before */
    CU_ASSERT_PTR_NULL(tail_copy_file(&c, 2, RIG_FILE2)); /* held by then */
    CU_ASSERT_PTR_NOT_NULL(tail_copy_file(&c, 2, "mysql-bin.000003"));
    tail_copy_fini(&c);
    serve_rig_end(&r);
}

static void add_bytes(struct fake_gen *g, struct binlog_gen *to)
{
    gen_bytes(to, g->out.p, g->out.len);
    fake_gen_clear(g);
}

static void tagged(void)
{
    struct serve_rig r;
    struct tail_copy c;
    struct fake_gen g;
    char uuid[40];
    char want[200];
    char held[300];
    serve_rig_store(&r, false);
    fake_gen_init(&g, FAKE_MYSQL_97, "9.7.4");
    uuid_format(g.uuid, uuid);
    struct lt_err err;
    CU_ASSERT_EQUAL(store_lineage_begin(r.store, RIG_SOURCE, &err), 0);
    for (unsigned file = 1; file <= 2; file++) {
        char name[32];
        char gtids[200] = "";
        (void)snprintf(name, sizeof name, "mysql-bin.%06u", file);
        if (file == 2)
            (void)snprintf(gtids, sizeof gtids, "%s:1-5:app:1-5", uuid);
        CU_ASSERT_EQUAL(store_segment_begin(r.store, name, &err), 0);
        g.pos = 4;
        r.gen.len = 0;
        gen_file(&r.gen, false);
        r.gen.len = 4; /* the magic only */
        fake_gen_file_start(&g, name, gtids, file == 1);
        for (unsigned i = 1; i <= 5; i++) {
            unsigned n = (file - 1) * 5 + i;
            fake_gen_txn(&g, &(struct fake_txn_spec){.kind = FAKE_TXN_ROWS, .seq = n, .blob_len = 100, .rows = 1});
            fake_gen_txn(&g, &(struct fake_txn_spec){.kind = FAKE_TXN_DDL, .seq = n, .tag = "app", .rows = 1});
        }
        if (file == 1)
            fake_gen_rotate(&g, "mysql-bin.000002", 4);
        add_bytes(&g, &r.gen);
        r.fed = 4;
        serve_rig_sync(&r);
    }
    CU_ASSERT_TRUE(serve_rig_serve(&r, NULL));
    (void)snprintf(held, sizeof held, "%s:1-7:app:1-3:9", uuid);
    (void)snprintf(want, sizeof want, "%s:8-10,%s:app:4-8:10", uuid, uuid);
    take(&r, held, &c, want);
    CU_ASSERT_EQUAL(c.count, 2);
    tail_copy_fini(&c);
    (void)snprintf(held, sizeof held, "%s:1-10:app:1-9", uuid);
    (void)snprintf(want, sizeof want, "%s:app:10", uuid);
    take(&r, held, &c, want);
    CU_ASSERT_EQUAL(c.count, 1);
    tail_copy_fini(&c);
    fake_gen_fini(&g);
    serve_rig_end(&r);
}

/* Long stretches that are left out: heartbeats meanwhile, and others have their turns. */
static void long_way(void)
{
    struct serve_rig r;
    struct tail_copy c;
    serve_rig_start(&r, false, &(struct serve_options){.threads = 1, .heartbeat_us = 20000});
    for (int i = 0; i < 20; i++)
        serve_rig_txns(&r, 4, 400000);
    serve_rig_txns(&r, 1, 10);
    take(&r, MYSQL_UUID ":1-80", &c, MYSQL_UUID ":81");
    CU_ASSERT_EQUAL(c.files[0].holes, true);
    tail_copy_fini(&c);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"MySQL sets", mysql_sets},
    {"MariaDB sets", mariadb_sets},
    {"tagged sets", tagged},
    {"another history brings nothing twice", new_history},
    {"a long way to what is lacking", long_way},
};

int main(void)
{
    return cunit_run("serve gtid", cases, sizeof cases / sizeof cases[0]);
}
