/* Commands that look and change nothing. */
#include "ops/ops_internal.h"
#include "ops/status.h"

static int result(int rc, struct lt_err *err)
{
    return rc == 0 ? LT_OK : lt_err_set(err, rc, "out of memory");
}

static int run_status(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    return result(status_answer(arg, ret_answer), err);
}

static int run_lag(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    return result(lag_answer(arg, ret_answer), err);
}

static int run_position(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    return result(position_answer(arg, ret_answer), err);
}

static int run_preflight(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    return result(preflight_answer(arg, ret_answer), err);
}

static int run_segments(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)argc;
    (void)argv;
    return result(segments_answer(arg, ret_answer), err);
}

static const struct admin_command commands[] = {
    {"status", "everything: state, positions, lags, latencies, warnings, last error", run_status},
    {"lag", "the three lags: behind the source, not yet durable, consumers", run_lag},
    {"position", "the durable end: file, offset, executed GTIDs, last transaction", run_position},
    {"preflight", "is the source set up so that no confirmed commit is lost: GO or NO-GO, with every reason",
     run_preflight},
    {"segments", "the stored files, oldest first", run_segments},
};

const struct command_family commands_show = {commands, sizeof commands / sizeof commands[0]};
