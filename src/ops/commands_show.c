/* Commands that look and change nothing. */
#include "ops/ops_internal.h"
#include "ops/status.h"

static int run_status(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    int rc = status_answer(arg, ret_answer);
    return rc == 0 ? LT_OK : lt_err_set(err, rc, "out of memory");
}

static int run_position(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    int rc = position_answer(arg, ret_answer);
    return rc == 0 ? LT_OK : lt_err_set(err, rc, "out of memory");
}

static const struct admin_command commands[] = {
    {"status", "everything: state, positions, lags, latencies, last error", run_status},
    {"position", "the durable end: file, offset, executed GTIDs, last transaction", run_position},
};

const struct command_family commands_show = {commands, sizeof commands / sizeof commands[0]};
