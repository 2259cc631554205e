/* Commands that main carries out: stop, reload, config, log. */
#include "ops/commands/families.h"
#include "ops/parts/parts.h"

static int run_stop(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    int rc = admin_no_arguments(argc, argv, err);
    if (rc != 0)
        return rc;
    *ret_answer = json_pack("{s:b}", "stopping", 1);
    if (*ret_answer == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    ops->opt.callbacks.stop(ops->opt.callbacks.arg);
    return LT_OK;
}

static int run_config(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    int rc = admin_no_arguments(argc, argv, err);
    if (rc != 0)
        return rc;
    return ops->opt.callbacks.config(ops->opt.callbacks.arg, ret_answer, err);
}

static int run_reload(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    int rc = admin_no_arguments(argc, argv, err);
    if (rc != 0)
        return rc;
    return ops->opt.callbacks.reload(ops->opt.callbacks.arg, ret_answer, err);
}

static int run_log(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    (void)ret_answer;
    if (argc != 2)
        return lt_err_set(err, LT_EINVAL, "log takes one argument: error, warn, notice, info or debug");
    return ops->opt.callbacks.set_log_level(ops->opt.callbacks.arg, argv[1], err);
}

static const struct admin_command commands[] = {
    {"config", "the configuration in force, row by row", run_config},
    {"reload", "read the configuration anew; a bad file changes nothing", run_reload},
    {"log", "LEVEL: error, warn, notice, info or debug, until the next start or reload", run_log},
    {"stop", "stop in order", run_stop},
};

const struct command_family commands_daemon = {commands, sizeof commands / sizeof commands[0]};
