/* purge and drain: words in, keep.h and drain.h do the rest. */
#include <string.h>

#include "ops/commands/drain.h"
#include "ops/commands/families.h"
#include "ops/retention/keep.h"

static int later(struct ops *ops, struct admin_reply **ret, struct lt_err *err)
{
    *ret = admin_reply_later(ops->admin);
    return *ret != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static int run_purge(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    struct admin_reply *reply = NULL;
    const char *file = NULL;
    bool dry_run = false;
    bool ok = true;
    (void)ret_answer;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dry-run") == 0)
            dry_run = true;
        else if (file == NULL && argv[i][0] != '-')
            file = argv[i];
        else
            ok = false;
    }
    if (!ok || file == NULL)
        return lt_err_set(err, LT_EINVAL, "usage: purge FILE [--dry-run]");
    int rc = later(ops, &reply, err);
    if (rc == 0)
        keep_purge(ops->keep, file, dry_run, reply);
    return rc;
}

static int run_drain(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    struct admin_reply *reply = NULL;
    bool force = argc == 2 && strcmp(argv[1], "--force") == 0;
    (void)ret_answer;
    if (argc != 1 && !force)
        return lt_err_set(err, LT_EINVAL, "usage: drain [--force]");
    int rc = later(ops, &reply, err);
    if (rc == 0)
        drain_run(ops, force, reply);
    return rc;
}

static const struct admin_command commands[] = {
    {"purge", "FILE [--dry-run]: remove all segments before FILE", run_purge},
    {"drain", "[--force]: stop in order, unless the source would be left short of acknowledgers", run_drain},
};

const struct command_family commands_keep = {commands, sizeof commands / sizeof commands[0]};
