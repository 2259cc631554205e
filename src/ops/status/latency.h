/*
 * The latency histograms as an answer: cumulative counts at fixed bounds, for `latency`, /metrics and the status page.
 *
 * Layer: ops/status. Thread: any (the histograms are atomics). Errors: NULL when out of memory.
 * Units: microseconds. Invariant: counts never fall from one bound to the next, and the last is at most count.
 */
#ifndef LT_OPS_LATENCY_H
#define LT_OPS_LATENCY_H

#include <jansson.h>

#include "base/hist.h"

/*
 * {"le_us": [50, ...], "acks": {"count", "sum_us", "cumulative": [...]}, "syncs": {...}}. A bound takes in values up to 6 % above it
 * (the histogram's buckets). count is that of the buckets, so that it fits the others while values come in.
 */
json_t *latency_answer(const struct hist *acks, const struct hist *syncs);

#endif
