/* The parts of the status answer, each in the file of its subject. Layer: ops/status. Thread: main. Each returns a new value. */
#ifndef LT_OPS_STATUS_INTERNAL_H
#define LT_OPS_STATUS_INTERNAL_H

#include "ops/common/json_put.h"
#include "ops/parts/parts.h"
#include "ops/status/snapshot.h"

/* upstream.c */
void status_tell_replicas(const struct ops *ops, const struct snapshot *s);
/* status_source.c */
json_t *status_last_error(const struct snapshot *s);
json_t *status_source(const struct ops *ops, const struct snapshot *s);
json_t *status_monitor(const struct snapshot *s);
/* status_lag.c */
json_t *status_lag(const struct snapshot *s);
/* status_judgement.c */
json_t *status_failover_safe(const struct ops *ops, const struct snapshot *s);
json_t *status_warnings(const struct ops *ops);
json_t *status_protection(const struct ops *ops);

#endif
