/*
 * A strict reader of the Prometheus text format (0.0.4), stricter than the format where our own rules are: every family has HELP and TYPE, once,
 * next to each other and before its samples; counters end in _total and nothing else does; base units only; no series twice; histograms are
 * complete, cumulative, and their +Inf bucket is their count.
 *
 * Layer: tests/support. Thread: any. Errors: false, with the line and the rule in why.
 */
#ifndef LT_SUPPORT_PROM_CHECK_H
#define LT_SUPPORT_PROM_CHECK_H

#include <stdbool.h>
#include <stddef.h>

bool prom_check(const char *text, char *why, size_t cap);
/* The value of exactly this series, as written: name{label="value"}. */
bool prom_sample(const char *text, const char *series, double *ret_value);
/* Whether a family or a sample (…_bucket) of this name is there. */
bool prom_has_name(const char *text, const char *name);

#endif
