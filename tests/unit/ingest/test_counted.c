/* When the source counted us among those who acknowledge, as others are told: also of a connection that the watchdog shut while its thread hangs. */
#include <stdlib.h>

#include "cunit_main.h"
#include "ingest/ingest_internal.h"

static void moments(void)
{
    struct ingest_view v = {0};
    CU_ASSERT_FALSE(ingest_was_counted(&v, 0));
    CU_ASSERT_FALSE(ingest_was_counted(&v, 5));
    v.counted_from_us = 10;
    CU_ASSERT_FALSE(ingest_was_counted(&v, 9));
    CU_ASSERT_TRUE(ingest_was_counted(&v, 10));
    CU_ASSERT_TRUE(ingest_was_counted(&v, 1000));
    v.counted_until_us = 20;
    CU_ASSERT_TRUE(ingest_was_counted(&v, 20));
    CU_ASSERT_FALSE(ingest_was_counted(&v, 21));
}

static void while_the_disk_hangs(void)
{
    struct ingest_view v;
    struct ingest *ing = calloc(1, sizeof *ing);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ing);
    ing->shared.counted_from_us = 10;
    ing->stalled_us = 30;
    ingest_view(ing, &v);
    CU_ASSERT_TRUE(ingest_was_counted(&v, 31));
    ing->stalled = true;
    ingest_view(ing, &v);
    CU_ASSERT_TRUE(ingest_was_counted(&v, 30));
    CU_ASSERT_FALSE(ingest_was_counted(&v, 31)); /* a look from then on has somebody else in it */
    ing->shared.counted_until_us = 20;           /* it had ended before */
    ingest_view(ing, &v);
    CU_ASSERT_FALSE(ingest_was_counted(&v, 21));
    free(ing);
}

/* The thread wakes up and says so late. */
static void when_it_wakes(void)
{
    struct ingest *ing = calloc(1, sizeof *ing);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ing);
    ing->view.semi_sync_active = true;
    ing->view.counted_from_us = 10;
    ing->stalled_us = 30;
    ing->stalled = true;
    ingest_forget_connection(ing);
    CU_ASSERT_EQUAL(ing->view.counted_until_us, 30);
    ingest_forget_connection(ing);
    CU_ASSERT_EQUAL(ing->view.counted_until_us, 30);
    free(ing);
}

static const struct test_case cases[] = {
    {"moments", moments},
    {"while the disk hangs", while_the_disk_hangs},
    {"when it wakes", when_it_wakes},
};

int main(void)
{
    return cunit_run("counted", cases, sizeof cases / sizeof cases[0]);
}
