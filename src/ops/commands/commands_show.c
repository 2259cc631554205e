/* Commands that look and change nothing. */
#include "ops/commands/families.h"
#include "ops/commands/fresh.h"
#include "ops/fence/position.h"
#include "ops/parts/parts.h"
#include "ops/status/status.h"

static int result(int rc, struct lt_err *err)
{
    return rc == 0 ? LT_OK : lt_err_set(err, rc, "out of memory");
}

static int run_status(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    int rc = admin_no_arguments(argc, argv, err);
    return rc == 0 ? result(status_answer(arg, ret_answer), err) : rc;
}

static int run_lag(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    int rc = admin_no_arguments(argc, argv, err);
    return rc == 0 ? result(lag_answer(arg, ret_answer), err) : rc;
}

static int run_position(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    int rc = admin_no_arguments(argc, argv, err);
    return rc == 0 ? result(position_answer(arg, ret_answer), err) : rc;
}

static void answer_preflight(struct ops *ops, bool answered, struct admin_reply *reply)
{
    json_t *picture = NULL;
    if (preflight_answer(ops, answered, &picture) == 0)
        admin_reply_send(reply, picture);
    else
        admin_reply_error(reply, "out_of_memory", "out of memory", NULL);
}

static int run_preflight(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    int rc = admin_no_arguments(argc, argv, err);
    (void)ret_answer;
    if (rc != 0)
        return rc;
    struct admin_reply *reply = admin_reply_later(ops->admin);
    if (reply == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    fresh_add(ops->fresh, answer_preflight, reply);
    return LT_OK;
}

static int run_segments(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    int rc = admin_no_arguments(argc, argv, err);
    return rc == 0 ? result(segments_answer(arg, ret_answer), err) : rc;
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
