/* Consumers: who they are, one that goes, one that is no more. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/commands/families.h"
#include "ops/parts/parts.h"
#include "ops/retention/keep.h"
#include "serve/serve.h"

static void set(json_t *object, const char *key, json_t *value)
{
    lt_ignore(json_object_set_new(object, key, value)); /* out of memory shows as a missing key */
}

static json_t *count(uint64_t v)
{
    return json_integer((json_int_t)v);
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *place(unsigned lineage, const char *file, uint64_t offset)
{
    if (file[0] == '\0')
        return json_null();
    json_t *o = json_object();
    set(o, "lineage", count(lineage));
    set(o, "file", json_string(file));
    set(o, "offset", count(offset));
    return o;
}

static json_t *seconds(uint64_t us)
{
    return us != 0 ? json_real((double)us / 1e6) : json_null();
}

static json_t *length(uint64_t us)
{
    return json_real((double)us / 1e6);
}

static json_t *row(const struct serve_consumer *c)
{
    json_t *o = json_object();
    set(o, "name", text_or_null(c->name));
    set(o, "user", text_or_null(c->user));
    set(o, "address", text_or_null(c->address));
    set(o, "agent", text_or_null(c->agent));
    set(o, "state", json_string(c->state));
    set(o, "tls", json_boolean(c->tls));
    set(o, "position", place(c->lineage, c->file, c->offset));
    set(o, "lag_bytes", c->file[0] != '\0' || c->has_committed ? count(c->lag_bytes) : json_null());
    set(o, "committed",
        c->has_committed ? place(c->committed.lineage, c->committed.file, c->committed.offset) : json_null());
    set(o, "committed_at_s", c->has_committed ? seconds(c->committed.committed_us) : json_null());
    bool away = strcmp(c->state, "away") == 0;
    set(o, "away_s", away ? length(c->away_us) : json_null());
    set(o, "forgotten_in_s", away && c->expires_us != SERVE_NEVER ? length(c->expires_us) : json_null());
    set(o, "connected_since_s", seconds(c->connected_us));
    set(o, "sent_bytes", count(c->sent_bytes));
    set(o, "sent_batches", count(c->sent_batches));
    return o;
}

static int list(struct serve *s, json_t *array, struct lt_err *err)
{
    struct serve_consumer *rows = NULL;
    size_t n = 0;
    int rc = serve_list(s, &rows, &n);
    if (rc != 0)
        return lt_err_set(err, rc, "out of memory");
    for (size_t i = 0; i < n; i++)
        lt_ignore(json_array_append_new(array, row(&rows[i])));
    free(rows);
    return LT_OK;
}

static int end(struct ops *ops, const char *who, json_t **ret_answer, struct lt_err *err)
{
    size_t n = ops->serve != NULL ? serve_end(ops->serve, who) : 0;
    if (n == 0)
        return lt_err_set(err, LT_ENOTFOUND, "nobody of that name or address is connected");
    *ret_answer = json_pack("{s:I}", "ended", (json_int_t)n);
    return *ret_answer != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static int forget(struct ops *ops, const char *name, struct lt_err *err)
{
    struct admin_reply *reply = admin_reply_later(ops->admin);
    if (reply == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    keep_forget(ops->keep, name, reply);
    return LT_OK;
}

static int run_consumers(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    struct ops *ops = arg;
    int rc = LT_OK;
    if (argc == 3 && strcmp(argv[1], "end") == 0)
        return end(ops, argv[2], ret_answer, err);
    if (argc == 3 && strcmp(argv[1], "forget") == 0)
        return forget(ops, argv[2], err);
    if (argc != 1)
        return lt_err_set(err, LT_EINVAL, "usage: consumers [end NAME|ADDRESS:PORT | forget NAME]");
    json_t *array = json_array();
    rc = ops->serve != NULL ? list(ops->serve, array, err) : LT_OK;
    if (rc != 0) {
        json_decref(array);
        return rc;
    }
    *ret_answer = json_pack("{s:b,s:i,s:o}", "listening", ops->serve != NULL && serve_port(ops->serve) != 0, "port",
                            ops->serve != NULL ? serve_port(ops->serve) : 0, "consumers", array);
    return *ret_answer != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

static const struct admin_command commands[] = {
    {"consumers",
     "[end NAME|ADDRESS:PORT | forget NAME]: who tails: name, user, address, position, lag, committed position, what "
     "was "
     "sent; or end a connection; or forget a named one that is away",
     run_consumers},
};

const struct command_family commands_consumers = {commands, sizeof commands / sizeof commands[0]};
