/*
 * - ops_open copies the settings, puts the families of commands into one table and opens the admin socket.
 * - A command's run gets the struct ops; what it needs of other threads it takes as snapshots.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ops/ops_internal.h"

static const struct command_family *const families[] = {&commands_show, &commands_consumers, &commands_daemon};

static int copy_text(const char **field, char **ret_copy, struct lt_err *err)
{
    if (*field == NULL)
        return LT_OK;
    *ret_copy = strdup(*field);
    if (*ret_copy == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    *field = *ret_copy;
    return LT_OK;
}

static int copy_settings(struct ops *ops, struct lt_err *err)
{
    struct ops_settings *s = &ops->opt.settings;
    int rc = copy_text(&s->source_host, &ops->source_host, err);
    if (rc == 0)
        rc = copy_text(&s->source_socket, &ops->source_socket, err);
    if (rc == 0)
        rc = copy_text(&s->store_dir, &ops->store_dir, err);
    return rc;
}

static int gather_commands(struct ops *ops, size_t *ret_count, struct lt_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        n += families[i]->count;
    ops->commands = calloc(n, sizeof *ops->commands);
    if (ops->commands == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    size_t at = 0;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        memcpy(ops->commands + at, families[i]->commands, families[i]->count * sizeof *ops->commands);
        at += families[i]->count;
    }
    *ret_count = n;
    return LT_OK;
}

int ops_open(const struct ops_options *opt, struct ops **ret, struct lt_err *err)
{
    struct ops *ops = calloc(1, sizeof *ops);
    if (ops == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    size_t n = 0;
    ops->opt = *opt;
    ops->started_us = clock_wall_us();
    int rc = copy_settings(ops, err);
    if (rc == 0)
        rc = gather_commands(ops, &n, err);
    if (rc == 0)
        rc = admin_open(opt->base, opt->socket_path, opt->socket_mode, opt->socket_group, ops->commands, n, ops,
                        &ops->admin, err);
    if (rc != 0) {
        ops_close(ops);
        return rc;
    }
    *ret = ops;
    return LT_OK;
}

void ops_attach(struct ops *ops, struct ingest *ingest)
{
    ops->ingest = ingest;
}

void ops_attach_serve(struct ops *ops, struct serve *serve)
{
    ops->serve = serve;
}

void ops_tick(struct ops *ops)
{
    ingest_check_stall(ops->ingest);
}

void ops_close(struct ops *ops)
{
    if (ops == NULL)
        return;
    admin_close(ops->admin);
    free(ops->commands);
    free(ops->source_host);
    free(ops->source_socket);
    free(ops->store_dir);
    free(ops);
}
