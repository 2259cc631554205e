/*
 * - Values of the configuration into the layer's options, at start and at a reload.
 * - Towards replicas we are who we are towards the source: one server of a topology, under one uuid.
 */
#include "daemon/daemon_replicas.h"

#include <string.h>

#include "daemon/daemon_serve.h"
#include "store/identity.h"

static struct replicas_options options(const struct conf *c, struct store *store)
{
    return (struct replicas_options){
        .store = store,
        .host = c->replicas.listen.host,
        .port = c->replicas.listen.port,
        .users_file = c->replicas.users_file,
        .ssl_cert = c->replicas.ssl_cert,
        .ssl_key = c->replicas.ssl_key,
        .ssl_ca = c->replicas.ssl_ca,
        .anonymous = daemon_anonymous(c->replicas.allow_anonymous),
        .max_replicas = c->replicas.max_replicas,
        .max_lag = c->replicas.max_lag_bytes,
        .send_timeout_us = c->replicas.send_timeout_us,
    };
}

int daemon_replicas_start(const struct conf *conf, struct store *store, struct replicas **ret, struct lt_err *err)
{
    struct identity id;
    if (!conf->replicas.listen.on)
        return LT_OK;
    struct replicas_options opt = options(conf, store);
    int rc = identity_load(store, conf->source.server_id, &id, err);
    if (rc != 0)
        return rc;
    memcpy(opt.server_uuid, id.server_uuid, sizeof opt.server_uuid);
    opt.server_id = conf->replicas.server_id != 0 ? conf->replicas.server_id : id.server_id;
    return replicas_start(&opt, ret, err);
}

int daemon_replicas_prepare(const struct replicas *r, const struct conf *next, struct replicas_policy **ret,
                            struct lt_err *err)
{
    if (r == NULL)
        return LT_OK;
    struct replicas_options opt = options(next, NULL);
    return replicas_prepare(r, &opt, ret, err);
}
