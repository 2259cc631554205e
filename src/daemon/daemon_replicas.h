/* Replicas, from configuration to the replicas layer. Layer: daemon. Thread: main. Errors: as replicas.h. */
#ifndef LT_DAEMON_DAEMON_REPLICAS_H
#define LT_DAEMON_DAEMON_REPLICAS_H

#include "daemon/conf.h"
#include "replicas/replicas.h"

/* *ret stays NULL with replicas.listen = off. Before ingest starts. */
int daemon_replicas_start(const struct conf *conf, struct store *store, struct replicas **ret,
                          struct lt_err *err) LT_MUST_CHECK;
/* What replicas_adopt takes over; r may be NULL, *ret is left alone then. */
int daemon_replicas_prepare(const struct replicas *r, const struct conf *next, struct replicas_policy **ret,
                            struct lt_err *err) LT_MUST_CHECK;

#endif
