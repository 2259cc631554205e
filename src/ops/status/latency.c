#include "ops/status/latency.h"

#include <stddef.h>

static const uint64_t bounds_us[] = {50,    100,   250,    500,    1000,   2500,    5000,    10000,
                                     25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000};

#define N_BOUNDS (sizeof bounds_us / sizeof bounds_us[0])

/* From the lowest bound to the highest: what comes in meanwhile can only make later counts larger. */
static json_t *histogram(const struct hist *h)
{
    json_t *cumulative = json_array();
    for (size_t i = 0; i < N_BOUNDS; i++)
        (void)json_array_append_new(cumulative, json_integer((json_int_t)hist_count_le(h, bounds_us[i])));
    return json_pack("{s:I, s:I, s:o}", "count", (json_int_t)hist_count_le(h, UINT64_MAX), "sum_us",
                     (json_int_t)hist_sum(h), "cumulative", cumulative);
}

json_t *latency_answer(const struct hist *acks, const struct hist *syncs)
{
    json_t *le = json_array();
    for (size_t i = 0; i < N_BOUNDS; i++)
        (void)json_array_append_new(le, json_integer((json_int_t)bounds_us[i]));
    return json_pack("{s:o, s:o, s:o}", "le_us", le, "acks", histogram(acks), "syncs", histogram(syncs));
}
