/* The histograms of ACKs and syncs. */
#include "ops/commands/families.h"
#include "ops/parts/parts.h"
#include "ops/status/latency.h"

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
