#include <math.h>

#include "cunit_main.h"

#include "base/hist.h"

static void empty(void)
{
    static struct hist h;
    CU_ASSERT_EQUAL(hist_count(&h), 0);
    CU_ASSERT_EQUAL(hist_quantile(&h, 0.5), 0);
    CU_ASSERT_EQUAL(hist_max(&h), 0);
    CU_ASSERT_EQUAL(hist_count_le(&h, UINT64_MAX), 0);
}

static void small_values_are_exact(void)
{
    static struct hist h;
    for (uint64_t v = 0; v < 16; v++)
        hist_add(&h, v);
    CU_ASSERT_EQUAL(hist_count(&h), 16);
    CU_ASSERT_EQUAL(hist_sum(&h), 120);
    CU_ASSERT_EQUAL(hist_max(&h), 15);
    CU_ASSERT_EQUAL(hist_quantile(&h, 0), 0);
    CU_ASSERT_EQUAL(hist_quantile(&h, 0.5), 7);
    CU_ASSERT_EQUAL(hist_quantile(&h, 1), 15);
    for (uint64_t v = 0; v < 16; v++)
        CU_ASSERT_EQUAL(hist_count_le(&h, v), v + 1);
}

static void error_is_bounded(void)
{
    for (unsigned shift = 0; shift < 43; shift++) {
        static struct hist zero;
        struct hist h = zero;
        uint64_t v = ((uint64_t)1 << shift) + ((uint64_t)1 << shift) / 3;
        hist_add(&h, v);
        hist_add(&h, v * 4); /* so that the maximum does not hide the bucket's bound */
        uint64_t q = hist_quantile(&h, 0.5);
        CU_ASSERT(q >= v);
        CU_ASSERT((double)(q - v) <= 0.0625 * (double)v);
        CU_ASSERT(hist_count_le(&h, v) >= 1);
        CU_ASSERT_EQUAL(hist_count_le(&h, v / 2), 0);
    }
}

static void quantiles_of_many(void)
{
    static struct hist h;
    for (uint64_t v = 1; v <= 10000; v++)
        hist_add(&h, v);
    CU_ASSERT(fabs((double)hist_quantile(&h, 0.5) - 5000) <= 5000 * 0.07);
    CU_ASSERT(fabs((double)hist_quantile(&h, 0.99) - 9900) <= 9900 * 0.07);
    CU_ASSERT_EQUAL(hist_quantile(&h, 1), 10000);
    CU_ASSERT_EQUAL(hist_quantile(&h, 7), 10000);
    CU_ASSERT_EQUAL(hist_count_le(&h, UINT64_MAX), 10000);
}

static void huge_values_saturate(void)
{
    static struct hist h;
    hist_add(&h, UINT64_MAX);
    hist_add(&h, (uint64_t)1 << 50);
    CU_ASSERT_EQUAL(hist_max(&h), UINT64_MAX);
    CU_ASSERT_EQUAL(hist_quantile(&h, 0.1), UINT64_MAX);
    CU_ASSERT_EQUAL(hist_count_le(&h, 1000), 0);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"empty", empty},
        {"small values are exact", small_values_are_exact},
        {"the error is bounded", error_is_bounded},
        {"quantiles of many", quantiles_of_many},
        {"huge values saturate", huge_values_saturate},
    };
    return cunit_run("hist", cases, sizeof cases / sizeof cases[0]);
}
