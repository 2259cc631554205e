/*
 * The usual figures of a process, by Prometheus' own names (process_*), of this one.
 *
 * Layer: ops/http. Thread: any; reads /proc, never the disk. Errors: a figure that cannot be had is left out.
 */
#ifndef LT_OPS_METRICS_PROCESS_H
#define LT_OPS_METRICS_PROCESS_H

#include <stdio.h>

void metrics_put_process(FILE *out);

#endif
