/*
 * Latency histogram: log-linear buckets (16 per power of two, so at most 6 % error), fixed size, no allocation.
 *
 * Layer: base. Thread: one writer, any readers (relaxed atomics; a reader sees a recent mix). Units: microseconds.
 */
#ifndef LT_BASE_HIST_H
#define LT_BASE_HIST_H

#include <stdatomic.h>
#include <stdint.h>

#define HIST_BUCKETS 640

struct hist {
    _Atomic uint64_t count;
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
    _Atomic uint64_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t us);
uint64_t hist_count(const struct hist *h);
uint64_t hist_max(const struct hist *h);
uint64_t hist_sum(const struct hist *h);
/* Upper bound of the bucket that holds quantile q (0..1); 0 when empty; never above the maximum. */
uint64_t hist_quantile(const struct hist *h, double q);
/* How many values are <= us (to bucket accuracy); for cumulative exposition formats. */
uint64_t hist_count_le(const struct hist *h, uint64_t us);

#endif
