/* Who is connected to the listener that speaks MySQL's own protocol: list them, end one. */
#include <stdlib.h>
#include <string.h>

#include "ops/commands/families.h"
#include "ops/common/json_put.h"
#include "ops/parts/parts.h"
#include "replicas/replicas.h"

static json_t *position(const struct replicas_client *c)
{
    json_t *o = file_offset(c->file, c->offset);
    if (json_is_object(o))
        put(o, "lineage", count(c->lineage));
    return o;
}

static json_t *row(const struct replicas_client *c)
{
    json_t *o = json_object();
    put(o, "address", json_string(c->address));
    put(o, "user", text_or_null(c->user));
    put(o, "kind", json_string(c->kind));
    put(o, "state", json_string(c->state));
    put(o, "tls", json_boolean(c->tls));
    put(o, "by_gtid", json_boolean(c->by_gtid));
    put(o, "server_id", c->server_id != 0 ? count(c->server_id) : json_null());
    put(o, "uuid", text_or_null(c->uuid));
    put(o, "host", text_or_null(c->host));
    put(o, "port", c->port != 0 ? count(c->port) : json_null());
    put(o, "position", position(c));
    put(o, "lag_bytes", c->file[0] != '\0' ? count(c->lag_bytes) : json_null());
    put(o, "connected_since", wall_time(c->connected_us));
    put(o, "sent_bytes", count(c->sent_bytes));
    return o;
}

static int list(struct replicas *r, json_t *array, struct lt_err *err)
{
    struct replicas_client *rows = NULL;
    size_t n = 0;
    int rc = replicas_list(r, &rows, &n);
    if (rc != 0)
        return lt_err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++)
        put_item(array, row(&rows[i]));
    free(rows);
    return LT_OK;
}

static int end(struct ops *ops, const char *who, json_t **ret_answer, struct lt_err *err)
{
    size_t n = ops->replicas != NULL ? replicas_end(ops->replicas, who) : 0;
    if (n == 0)
        return lt_err_set(err, LT_ENOTFOUND, "no replica of that address, server id or uuid is connected");
    *ret_answer = json_pack("{s:I}", "ended", (json_int_t)n);
    return *ret_answer != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static int run_replicas(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    if (argc == 3 && strcmp(argv[1], "end") == 0)
        return end(ops, argv[2], ret_answer, err);
    if (argc != 1)
        return lt_err_set(err, LT_EINVAL, "usage: replicas [end ADDRESS:PORT|SERVER-ID|UUID]");
    json_t *array = json_array();
    int rc = ops->replicas != NULL ? list(ops->replicas, array, err) : LT_OK;
    if (rc != 0) {
        json_decref(array);
        return rc;
    }
    uint16_t port = ops->replicas != NULL ? replicas_port(ops->replicas) : 0;
    *ret_answer = json_pack("{s:b,s:i,s:o}", "listening", port != 0, "port", port, "replicas", array);
    return *ret_answer != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static const struct admin_command commands[] = {
    {"replicas",
     "[end ADDRESS:PORT|SERVER-ID|UUID]: who speaks MySQL's own protocol: kind, user, address, server id, position, "
     "lag; "
     "or end a connection",
     run_replicas},
};

const struct command_family commands_replicas = {commands, sizeof commands / sizeof commands[0]};
