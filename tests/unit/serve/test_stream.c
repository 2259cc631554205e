/* What a consumer gets: every byte of the segments up to the watermark, whole transactions, over files and lineages, and nothing else. */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>

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

static const struct test_case cases[] = {
    {"earliest, then as it comes", earliest_and_follow},
};

int main(void)
{
    return cunit_run("serve stream", cases, sizeof cases / sizeof cases[0]);
}
