/* Batches cut by lengths alone say the same of transactions as a tracker that sees every event; the index leads to the same places. */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "feed/walk.h"

static struct serve_rig r;
static struct feed_files files;
static struct feed_file *file;
static struct window window;

/* Everything that may stand in a file: small, large, without GTID, unfinished. */
static void begin(bool mariadb)
{
    struct lt_err err;
    serve_rig_store(&r, mariadb);
    serve_rig_lineage(&r, RIG_SOURCE);
    for (unsigned i = 0; i < 60; i++) {
        gen_txn(&r.gen, i * 97 % 3000);
        if (i % 7 == 0)
            gen_query(&r.gen, "CREATE TABLE no_gtid (i INT)");
        if (i % 9 == 0) {
            gen_query(&r.gen, "BEGIN");
            gen_rows(&r.gen, 500);
            gen_query(&r.gen, "COMMIT");
        }
        if (i % 20 == 5) { /* many events, more than a window */
            gen_gtid(&r.gen);
            gen_query(&r.gen, "BEGIN");
            for (int k = 0; k < 40; k++)
                gen_rows(&r.gen, 9000);
            gen_xid(&r.gen);
        }
        if (i % 20 == 15)
            gen_txn(&r.gen, 400000);
        if (i == 33) /* begun and never ended; another follows */
            gen_gtid(&r.gen);
    }
    serve_rig_sync(&r);
    files_init(&files, r.store);
    CU_ASSERT_EQUAL(files_get(&files, 1, RIG_FILE, FILES_IF_ROOM, &file, &err), 0);
    CU_ASSERT_EQUAL(window_init(&window, &err), 0);
}

static void end(void)
{
    files_put(file);
    window_fini(&window);
    files_fini(&files);
    serve_rig_end(&r);
}

/* The tracker as the store keeps it, at an offset. */
static void reference(uint64_t to, struct txn_tracker *t, uint32_t *ret_events)
{
    *ret_events = 0;
    txn_reset(t);
    while (t->offset < to) {
        struct event_header h = {0};
        struct txn_step step;
        CU_ASSERT_EQUAL(event_header_parse(r.gen.data + t->offset, EVENT_HEADER_LEN, &h), 0);
        if (h.length == 0)
            return;
        txn_feed(t, &h, r.gen.data + t->offset, h.length, &step);
        ++*ret_events;
    }
}

static void walk_with(uint64_t max_bytes)
{
    struct txn_tracker t;
    struct lt_err err;
    struct walk_limits limits = {.max_bytes = max_bytes, .end = UINT64_MAX};
    uint32_t events = 0;
    CU_ASSERT_EQUAL(walk_seed(file, BINLOG_MAGIC_LEN, &t, &err), 0);
    for (;;) {
        struct walk_batch b;
        struct txn_tracker want;
        uint32_t want_events;
        int rc = walk_batch(&window, file, &t, &limits, NULL, &b, &err);
        CU_ASSERT_EQUAL(rc, 0);
        if (rc != 0 || b.count == 0)
            break;
        events += b.count;
        reference(b.to, &want, &want_events);
        CU_ASSERT_EQUAL(events, want_events);
        CU_ASSERT_TRUE(t.offset == b.to && t.open == want.open && b.boundary == !want.open);
        CU_ASSERT_TRUE(!t.open || (t.open_start == want.open_start && t.open_end == want.open_end));
        CU_ASSERT_TRUE(b.count == 1 || b.to - b.from <= max_bytes);
    }
    CU_ASSERT_EQUAL(t.offset, r.gen.len);
}

static void same_as_the_tracker(void)
{
    for (int flavor = 0; flavor < 2; flavor++) {
        begin(flavor == 1);
        for (uint64_t max = 1; max < 3u << 20; max = max * 3 / 2 + 7)
            walk_with(max);
        end();
    }
}

static void index_leads_anywhere(void)
{
    struct lt_err err;
    begin(false);
    /* in descending order the first walk indexes everything */
    for (int round = 0; round < 2; round++) {
        for (uint64_t target = r.gen.len; target > 4; target -= target > 5003 ? 4999 : 1) {
            struct txn_tracker t;
            uint64_t near = 0;
            int rc;
            CU_ASSERT_EQUAL(walk_seed(file, BINLOG_MAGIC_LEN, &t, &err), 0);
            do
                rc = walk_to(&window, file, &t, target, &near, &err);
            while (rc == LT_EAGAIN);
            struct txn_tracker want;
            uint32_t n;
            reference(target, &want, &n); /* stands at the first start at or behind target */
            CU_ASSERT_EQUAL(rc, want.offset == target ? 0 : LT_EINVAL);
            if (rc == 0)
                CU_ASSERT_TRUE(t.offset == target && t.open == want.open)
            else
                CU_ASSERT_TRUE(near < target && near + load_u32(r.gen.data + near + 9) > target);
        }
    }
    CU_ASSERT(file_boundary_before(file, r.gen.len) > r.gen.len / 2);
    end();
}

static void files_come_and_go(void)
{
    struct lt_err err;
    struct feed_file *again = NULL;
    begin(false);
    CU_ASSERT_EQUAL(files_get(&files, 1, RIG_FILE, FILES_IF_ROOM, &again, &err), 0);
    CU_ASSERT_PTR_EQUAL(again, file);
    files_put(again);
    uint64_t id = file->id;
    files_put(file);
    files_trim(&files, clock_mono_us());
    CU_ASSERT_EQUAL(files_get(&files, 1, RIG_FILE, FILES_IF_ROOM, &file, &err), 0);
    CU_ASSERT_EQUAL(file->id, id); /* kept for a while */
    files_put(file);
    files_trim(&files, clock_mono_us() + FILES_KEEP_US + 1);
    CU_ASSERT_EQUAL(files_get(&files, 1, RIG_FILE, FILES_IF_ROOM, &file, &err), 0);
    CU_ASSERT_NOT_EQUAL(file->id, id);
    CU_ASSERT_EQUAL(files_get(&files, 2, RIG_FILE, FILES_IF_ROOM, &again, &err), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(files_get(&files, 1, "mysql-bin.000009", FILES_IF_ROOM, &again, &err), LT_ENOTFOUND);
    end();
}

static const struct test_case cases[] = {
    {"the same as a tracker that sees every event", same_as_the_tracker},
    {"the index leads to any place", index_leads_anywhere},
    {"files are shared, kept a while, and go", files_come_and_go},
};

int main(void)
{
    return cunit_run("feed walk", cases, sizeof cases / sizeof cases[0]);
}
