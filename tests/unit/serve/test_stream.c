/* What a consumer gets: every byte of the segments up to the watermark, whole transactions, over files and lineages, and nothing else. */
#include "serve_rig.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

static void earliest_and_follow(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 20, 300);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 3, 100000);
    struct tail_raw *t = serve_rig_subscribe(&r, &RIG_EARLIEST);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE2, r.gen.len, RIG_WAIT_MS));
    CU_ASSERT_TRUE(c.boundary);
    for (int i = 0; i < 20; i++) {
        serve_rig_txns(&r, 1, (size_t)i * 50);
        CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE2, r.gen.len, RIG_WAIT_MS));
    }
    /* half a transaction is durable: it is not shown */
    size_t whole = r.gen.len;
    gen_gtid(&r.gen);
    gen_query(&r.gen, "BEGIN");
    serve_rig_sync(&r);
    CU_ASSERT_FALSE(tail_copy_until(&c, t, RIG_FILE2, whole + 1, 300));
    gen_xid(&r.gen);
    serve_rig_sync(&r);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE2, r.gen.len, RIG_WAIT_MS));
    CU_ASSERT_FALSE(c.wrong);
    CU_ASSERT_EQUAL(c.count, 2);
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void latest(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    struct tail_frame f;
    serve_rig_start(&r, true, NULL);
    serve_rig_txns(&r, 5, 300);
    size_t before = r.gen.len;
    struct tail_raw *t = serve_rig_subscribe(&r, &(struct tail_start){.start = 0});
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_FILE_BEGIN, &f, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(f.begin->position->offset, before);
    CU_ASSERT_STRING_EQUAL(f.begin->flavor, "mariadb");
    CU_ASSERT_STRING_EQUAL(f.begin->position->source_id, RIG_SOURCE);
    tail_copy_take(&c, &f);
    tail_frame_fini(&f);
    serve_rig_txns(&r, 2, 10);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(c.files[0].from, before);
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void until_end(void)
{
    struct serve_rig r;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 5, 300);
    for (int i = 0; i < 2; i++) {
        struct tail_copy c = {0};
        struct tail_start start = RIG_EARLIEST;
        start.until_end = true;
        size_t end = r.gen.len;
        struct tail_raw *t = serve_rig_subscribe(&r, &start);
        CU_ASSERT_EQUAL(tail_copy_run(&c, t, RIG_WAIT_MS), TAIL_FRAME);
        CU_ASSERT_TRUE(c.ended && !c.wrong);
        CU_ASSERT_EQUAL(c.resume.offset, end);
        CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
        tail_copy_fini(&c);
        tail_raw_free(t);
        serve_rig_rotate(&r);
    }
    /* from the end there is nothing but the end */
    struct tail_copy c = {0};
    struct tail_raw *t = serve_rig_subscribe(&r, &(struct tail_start){.start = 0, .until_end = true});
    CU_ASSERT_EQUAL(tail_copy_run(&c, t, RIG_WAIT_MS), TAIL_FRAME);
    CU_ASSERT_TRUE(c.ended && c.batches == 0);
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

/* Cut after every few frames, gone on from the position: no gap, no repeat. */
static void resume_anywhere(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    serve_rig_start(&r, false, NULL);
    for (int i = 0; i < 3; i++) {
        serve_rig_txns(&r, 60, 700);
        serve_rig_rotate(&r);
    }
    serve_rig_txns(&r, 1, 700000); /* several index blocks, and an event larger than a batch */
    serve_rig_txns(&r, 30, 9000);
    unsigned connections = 0;
    c.resume = RIG_EARLIEST;
    while (!c.ended && !c.wrong && connections < 2000) {
        struct tail_frame f;
        c.resume.until_end = true;
        c.resume.max_batch = 4096;
        struct tail_raw *t = serve_rig_subscribe(&r, &c.resume);
        c.begun = false;
        for (unsigned i = 0; i < 2 + connections % 3 && !c.ended; i++) {
            if (tail_raw_next_word(t, &f, RIG_WAIT_MS) != TAIL_FRAME)
                break;
            CU_ASSERT_NOT_EQUAL(f.type, FRAME_ERROR);
            tail_copy_take(&c, &f);
            tail_frame_fini(&f);
        }
        tail_raw_free(t);
        connections++;
    }
    CU_ASSERT_TRUE(c.ended);
    CU_ASSERT(connections > 20);
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    CU_ASSERT_EQUAL(c.count, 4);
    tail_copy_fini(&c);
    serve_rig_end(&r);
}

static void lineages(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 5, 100);
    gen_gtid(&r.gen); /* what the source never finished */
    serve_rig_sync(&r);
    struct tail_raw *t = serve_rig_subscribe(&r, &RIG_EARLIEST);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len - 65, RIG_WAIT_MS)); /* up to the unfinished one */
    CU_ASSERT_EQUAL(c.aborted, 0);
    serve_rig_lineage(&r, "source-2");
    serve_rig_txns(&r, 5, 100);
    while (c.lineage != 2 && !c.wrong) {
        struct tail_frame f;
        CU_ASSERT_EQUAL(tail_raw_next(t, &f, RIG_WAIT_MS), TAIL_FRAME);
        tail_copy_take(&c, &f);
        tail_frame_fini(&f);
    }
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(c.aborted, 1);
    CU_ASSERT_EQUAL(c.lineage_switches, 1);
    CU_ASSERT_EQUAL(c.count, 2);
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void large_events(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 1, 24u << 20);
    serve_rig_txns(&r, 3, 65536 + 7);
    struct tail_start start = RIG_EARLIEST;
    start.max_batch = 1; /* as small as it goes */
    struct tail_raw *t = serve_rig_subscribe(&r, &start);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    CU_ASSERT(c.batches > 5);
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void heartbeats(void)
{
    struct serve_rig r;
    struct tail_frame f;
    serve_rig_start(&r, false, &(struct serve_options){.heartbeat_us = 50000});
    serve_rig_txns(&r, 1, 10);
    serve_set_source_time(r.serve, 1234567);
    struct tail_raw *t = serve_rig_subscribe(&r, &(struct tail_start){.start = 0});
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_FILE_BEGIN, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
    uint64_t began = proc_now_ms();
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(tail_raw_next(t, &f, RIG_WAIT_MS), TAIL_FRAME);
        CU_ASSERT_EQUAL(f.type, FRAME_HEARTBEAT);
        if (f.type == FRAME_HEARTBEAT && f.heartbeat->durable != NULL) {
            CU_ASSERT_EQUAL(f.heartbeat->durable->offset, r.gen.len);
            CU_ASSERT_EQUAL(f.heartbeat->source_time_us, 1234567);
            CU_ASSERT(f.heartbeat->server_time_us > 1600000000ull * 1000000);
        }
        tail_frame_fini(&f);
    }
    CU_ASSERT(proc_now_ms() - began >= 150);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void empty_store(void)
{
    struct serve_rig r;
    struct tail_frame f;
    serve_rig_store(&r, false);
    CU_ASSERT_TRUE(serve_rig_serve(&r, NULL));
    struct tail_raw *t = tail_raw_connect(serve_port(r.serve));
    CU_ASSERT_TRUE(tail_raw_hello(t, NULL, NULL, &f));
    CU_ASSERT_STRING_EQUAL(f.hello->flavor, "");
    CU_ASSERT_PTR_NULL(f.hello->earliest);
    CU_ASSERT_PTR_NULL(f.hello->durable);
    CU_ASSERT_EQUAL(f.hello->heartbeat_ms, 1000);
    tail_frame_fini(&f);
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST));
    CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(EMPTY), RIG_WAIT_MS));
    tail_raw_free(t);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_txns(&r, 1, 10);
    t = tail_raw_connect(serve_port(r.serve));
    CU_ASSERT_TRUE(tail_raw_hello(t, NULL, NULL, &f));
    CU_ASSERT_STRING_EQUAL(f.hello->flavor, "mysql");
    CU_ASSERT_TRUE(f.hello->earliest != NULL && f.hello->earliest->offset == 4 && f.hello->earliest->lineage == 1);
    tail_frame_fini(&f);
    tail_raw_free(t);
    serve_rig_end(&r);
}

/* ---- a writer and many readers at once */

#define READERS 24
#define WRITES  300

struct reader {
    pthread_t thread;
    uint16_t port;
    atomic_bool *done;
    struct tail_copy copy;
    bool ok;
};

static void *read_on(void *arg)
{
    struct reader *rd = arg;
    struct tail_raw *t = tail_raw_connect(rd->port);
    rd->ok = t != NULL && tail_raw_hello(t, NULL, NULL, NULL) && tail_raw_subscribe(t, &RIG_EARLIEST);
    while (rd->ok) {
        struct tail_frame f;
        enum tail_result res = tail_raw_next(t, &f, RIG_WAIT_MS);
        rd->ok = res == TAIL_FRAME && f.type != FRAME_ERROR;
        bool idle = rd->ok && f.type == FRAME_HEARTBEAT;
        tail_copy_take(&rd->copy, &f);
        tail_frame_fini(&f);
        if (idle && atomic_load(rd->done))
            break;
    }
    tail_raw_free(t);
    return NULL;
}

static void writer_and_readers(void)
{
    struct serve_rig r;
    struct reader rd[READERS] = {0};
    atomic_bool done = false;
    serve_rig_start(&r, false, &(struct serve_options){.heartbeat_us = 100000, .threads = 3});
    for (size_t i = 0; i < READERS; i++) {
        rd[i].port = serve_port(r.serve);
        rd[i].done = &done;
        (void)pthread_create(&rd[i].thread, NULL, read_on, &rd[i]);
    }
    for (unsigned i = 0; i < WRITES; i++) {
        if (i % 100 == 99)
            serve_rig_rotate(&r);
        serve_rig_txns(&r, 1 + i % 3, i * 31 % 3000);
        struct serve_consumer *list = NULL;
        size_t n = 0;
        CU_ASSERT_EQUAL(serve_list(r.serve, &list, &n), 0);
        free(list);
    }
    atomic_store(&done, true);
    for (size_t i = 0; i < READERS; i++) {
        (void)pthread_join(rd[i].thread, NULL);
        CU_ASSERT_TRUE(rd[i].ok && !rd[i].copy.wrong);
        CU_ASSERT_EQUAL(rd[i].copy.resume.offset, r.gen.len);
        CU_ASSERT_EQUAL(rd[i].copy.count, WRITES / 100 + 1);
        CU_ASSERT_TRUE(tail_copy_equals(&rd[i].copy, r.dir));
        tail_copy_fini(&rd[i].copy);
    }
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"earliest, then as it comes", earliest_and_follow},
    {"latest", latest},
    {"until the end as of the subscription", until_end},
    {"resumed anywhere without a gap or a repeat", resume_anywhere},
    {"another history, after an unfinished transaction", lineages},
    {"events larger than any batch", large_events},
    {"heartbeats when idle", heartbeats},
    {"an empty store", empty_store},
    {"a writer and many readers", writer_and_readers},
};

int main(void)
{
    return cunit_run("serve stream", cases, sizeof cases / sizeof cases[0]);
}
