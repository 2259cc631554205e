/*
 * - Values of the configuration into the serve layer's options, at start and at a reload.
 * - Consumers are accepted a little after the start, so that the source's connection comes first when everybody reconnects.
 */
#include "daemon/daemon_serve.h"

#define ACCEPT_AFTER_US 200000

enum anonymous daemon_anonymous(int value)
{
    static const enum anonymous map[] = {
        [CONF_ANONYMOUS_AUTO] = ANONYMOUS_AUTO,
        [CONF_ANONYMOUS_NO] = ANONYMOUS_NO,
        [CONF_ANONYMOUS_LOOPBACK] = ANONYMOUS_LOOPBACK,
        [CONF_ANONYMOUS_YES] = ANONYMOUS_YES,
    };
    return map[value];
}

static struct serve_options options(const struct conf *c, struct store *store)
{
    return (struct serve_options){
        .store = store,
        .agent = "logtailerd " LT_VERSION,
        .host = c->tail.listen.host,
        .port = c->tail.listen.port,
        .accept_after_us = ACCEPT_AFTER_US,
        .beyond_loopback = !c->tail.listen.loopback,
        .users_file = c->tail.users_file,
        .ssl_cert = c->tail.ssl_cert,
        .ssl_key = c->tail.ssl_key,
        .ssl_ca = c->tail.ssl_ca,
        .ssl_crl = c->tail.ssl_crl,
        .anonymous = daemon_anonymous(c->tail.allow_anonymous),
        .max_consumers = c->tail.max_consumers,
        .memory_bytes = c->tail.memory_bytes,
        .max_names = c->tail.max_names,
        .max_names_per_user = c->tail.max_names_per_user,
        .heartbeat_us = c->tail.heartbeat_period_us,
        .send_timeout_us = c->tail.send_timeout_us,
        .consumer_max_lag = c->store.consumer_max_lag_bytes,
        .consumer_max_age_us = c->tail.consumer_max_age_us,
    };
}

int daemon_serve_start(const struct conf *conf, struct store *store, uint64_t fd_others, struct serve **ret,
                       struct lt_err *err)
{
    if (!conf->tail.listen.on)
        return LT_OK;
    struct serve_options opt = options(conf, store);
    opt.fd_others = fd_others;
    return serve_start(&opt, ret, err);
}

int daemon_serve_prepare(const struct serve *s, const struct conf *next, struct serve_policy **ret, struct lt_err *err)
{
    if (s == NULL)
        return LT_OK;
    struct serve_options opt = options(next, NULL);
    return serve_prepare(s, &opt, ret, err);
}

void daemon_serve_tick(struct serve *s, struct ingest *ingest)
{
    struct ingest_view v;
    if (s == NULL)
        return;
    ingest_view(ingest, &v);
    int64_t us = v.heard_us != 0 ? (int64_t)v.heard_us + v.source.clock_mono_us : 0;
    serve_set_source_time(s, us > 0 ? (uint64_t)us : 0);
    serve_tick(s);
}
