/* Serving, from configuration to the serve layer. Layer: daemon. Thread: main. Errors: as serve.h. */
#ifndef LT_DAEMON_DAEMON_SERVE_H
#define LT_DAEMON_DAEMON_SERVE_H

#include "daemon/conf.h"
#include "ingest/ingest.h"
#include "serve/serve.h"

/* *ret stays NULL with tail.listen = off. Before ingest starts. */
int daemon_serve_start(const struct conf *conf, struct store *store, struct serve **ret,
                       struct lt_err *err) LT_MUST_CHECK;
/* s may be NULL. */
int daemon_serve_reload(struct serve *s, const struct conf *fresh, struct lt_err *err) LT_MUST_CHECK;
/* About every 100 ms: the source's clock, for consumers' heartbeats. s may be NULL. */
void daemon_serve_tick(struct serve *s, struct ingest *ingest);

#endif
