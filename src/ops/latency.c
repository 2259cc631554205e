#include "ops/latency.h"

#include <stddef.h>

#include "ops/ops_internal.h"

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

static int run_latency(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    int rc = admin_no_arguments(argc, argv, err);
    if (rc != 0)
        return rc;
    *ret_answer = latency_answer(ingest_ack_us(ops->ingest), store_stat_sync_us(ops->opt.store));
    return *ret_answer != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static const struct admin_command commands[] = {
    {"latency", "histograms of ACKs and syncs: cumulative counts at bounds in microseconds", run_latency},
};

const struct command_family commands_latency = {commands, sizeof commands / sizeof commands[0]};
