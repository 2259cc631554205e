/*
 * The answers of `status` and `latency` as Prometheus text (format 0.0.4), and the process' own figures. A figure that is not known has no sample: never 0.
 *
 * Layer: ops/http. Thread: any. Borrows: the answers. Errors: NULL when out of memory. Units: base units: seconds, bytes.
 */
#ifndef LT_OPS_METRICS_H
#define LT_OPS_METRICS_H

#include <jansson.h>

/* The caller frees. */
char *metrics_text(const json_t *status, const json_t *latency);

#endif
