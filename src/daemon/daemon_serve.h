/* Serving, from configuration to the serve layer. Layer: daemon. Thread: main. Errors: as serve.h. */
#ifndef LT_DAEMON_DAEMON_SERVE_H
#define LT_DAEMON_DAEMON_SERVE_H

#include "daemon/conf.h"
#include "ingest/ingest.h"
#include "serve/serve.h"

/* An enum conf_anonymous; for HTTP too. */
enum anonymous daemon_anonymous(int value);
/* *ret stays NULL with tail.listen = off. Before ingest starts. fd_others: descriptors that other listeners may take. */
int daemon_serve_start(const struct conf *conf, struct store *store, uint64_t fd_others, struct serve **ret,
                       struct lt_err *err) LT_MUST_CHECK;
/* What serve_adopt takes over; s may be NULL, *ret is left alone then. next: what will be in force, not what a file says. */
int daemon_serve_prepare(const struct serve *s, const struct conf *next, struct serve_policy **ret,
                         struct lt_err *err) LT_MUST_CHECK;
/* About every 100 ms: the source's clock, for consumers' heartbeats. s may be NULL. */
void daemon_serve_tick(struct serve *s, struct ingest *ingest);

#endif
