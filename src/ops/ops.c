/*
 * - ops_open copies the settings, puts the families of commands into one table and opens the admin socket.
 * - HTTP gets its pictures at a tick, when it wants one.
 * - A command's run gets the struct ops; what it needs of other threads it takes as snapshots.
 */
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/commands/families.h"
#include "ops/commands/fresh.h"
#include "ops/commands/waits.h"
#include "ops/fence/fence.h"
#include "ops/fence/followed.h"
#include "ops/http/http.h"
#include "ops/http/http_access.h"
#include "ops/parts/parts.h"
#include "ops/retention/keep.h"
#include "ops/status/latency.h"
#include "ops/status/status.h"
#include "ops/status/watch_round.h"

static const struct command_family *const families[] = {&commands_show,    &commands_consumers, &commands_replicas,
                                                        &commands_latency, &commands_daemon,    &commands_fence,
                                                        &commands_gtid,    &commands_keep};

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

static void take_picture(void *arg, json_t **ret_status, json_t **ret_latency)
{
    struct ops *ops = arg;
    if (status_answer(ops, ret_status) != LT_OK)
        *ret_status = NULL;
    *ret_latency = latency_answer(ingest_ack_us(ops->ingest), store_stat_sync_us(ops->opt.store));
}

void ops_name_source(struct ops *ops, const char *host, uint32_t port, const char *socket)
{
    bool nameable = socket == NULL && host != NULL && strlen(host) < sizeof ops->named_host;
    (void)snprintf(ops->named_host, sizeof ops->named_host, "%s", nameable ? host : "");
    ops->named_port = port;
    if (ops->fence != NULL)
        followed_note(ops);
}

static int open_parts(struct ops *ops, struct lt_err *err)
{
    const struct ops_settings *s = &ops->opt.settings;
    ops_name_source(ops, s->source_host, s->source_port, s->source_socket);
    int rc = fence_open(ops, &ops->fence, err);
    if (rc == 0)
        rc = keep_open(ops, &ops->keep, err);
    if (rc != 0)
        return rc;
    ops->waits = waits_new(ops);
    ops->fresh = fresh_new(ops);
    if (ops->waits == NULL || ops->fresh == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    struct monitor_options mo = followed_options(ops, &ops->opt.monitor);
    followed_note(ops);
    return watch_open(&ops->watch, s->store_dir, &mo, err);
}

static int make_access(const struct ops *ops, const struct ops_http_access *from, struct http_access **ret,
                       struct lt_err *err)
{
    return http_access_make(&(struct http_access_options){.users_file = from->users_file,
                                                          .ssl_cert = from->ssl_cert,
                                                          .ssl_key = from->ssl_key,
                                                          .names = from->names,
                                                          .anonymous = from->anonymous},
                            ops->opt.http_host, ret, err);
}

static int open_http(struct ops *ops, struct lt_err *err)
{
    struct http_access *access = NULL;
    int rc = make_access(ops, &ops->opt.http_access, &access, err);
    if (rc == 0)
        rc = http_open(ops->opt.http_host, ops->opt.http_port, access, take_picture, ops, &ops->http, err);
    return rc;
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
        rc = open_parts(ops, err);
    if (rc == 0)
        rc = admin_open(opt->base, opt->socket_path, opt->socket_mode, opt->socket_group, ops->commands, n, ops,
                        &ops->admin, err);
    if (rc == 0 && opt->http_host != NULL)
        rc = open_http(ops, err);
    if (rc != 0) {
        ops_close(ops);
        return rc;
    }
    *ret = ops;
    return LT_OK;
}

const struct follow *ops_follow(const struct ops *ops)
{
    return fence_follow(ops->fence);
}

void ops_attach(struct ops *ops, struct ingest *ingest)
{
    ops->ingest = ingest;
}

void ops_attach_serve(struct ops *ops, struct serve *serve)
{
    ops->serve = serve;
}

void ops_attach_replicas(struct ops *ops, struct replicas *replicas)
{
    ops->replicas = replicas;
}

void ops_tick(struct ops *ops)
{
    ingest_check_stall(ops->ingest);
    fence_tick(ops->fence);
    waits_tick(ops->waits);
    fresh_tick(ops->fresh);
    keep_tick(ops->keep);
    watch_tick(ops);
    http_tick(ops->http);
}

/* What a reload will take over. */
struct ops_prepared {
    struct monitor_settings *monitor;
    struct http_access *access; /* NULL: no HTTP */
};

int ops_prepare(struct ops *ops, const struct ops_options *opt, struct ops_prepared **ret, struct lt_err *err)
{
    struct monitor_options mo = followed_options(ops, &opt->monitor);
    struct ops_prepared *p = calloc(1, sizeof *p);
    if (p == NULL || monitor_prepare(&mo, &p->monitor) != 0) {
        ops_discard(p);
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    }
    int rc = ops->http != NULL ? make_access(ops, &opt->http_access, &p->access, err) : LT_OK;
    if (rc != 0)
        ops_discard(p);
    else
        *ret = p;
    return rc;
}

void ops_adopt(struct ops *ops, const struct ops_options *opt, struct ops_prepared *prepared)
{
    monitor_adopt(ops->watch.monitor, prepared->monitor);
    prepared->monitor = NULL;
    http_adopt(ops->http, prepared->access);
    prepared->access = NULL;
    ops->opt.monitor = opt->monitor;
    ops->opt.settings.heartbeat_us = opt->settings.heartbeat_us;
    ops->opt.settings.min_free_bytes = opt->settings.min_free_bytes;
    keep_set_rules(ops->keep, &opt->retention);
    ops_discard(prepared);
}

void ops_discard(struct ops_prepared *prepared)
{
    if (prepared == NULL)
        return;
    monitor_discard(prepared->monitor);
    http_access_free(prepared->access);
    free(prepared);
}

void ops_close(struct ops *ops)
{
    if (ops == NULL)
        return;
    http_close(ops->http);
    /* Their open answers leave through the admin socket. */
    waits_free(ops->waits);
    fresh_free(ops->fresh);
    keep_close(ops->keep);
    fence_close(ops->fence);
    admin_close(ops->admin);
    watch_close(&ops->watch);
    free(ops->commands);
    free(ops->source_host);
    free(ops->source_socket);
    free(ops->store_dir);
    free(ops);
}
