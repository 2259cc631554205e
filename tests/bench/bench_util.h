/*
 * Numbers for the benchmarks: percentiles, medians with their spread, settings from the environment.
 * Layer: tests. Thread: any.
 */
#ifndef LT_TESTS_BENCH_UTIL_H
#define LT_TESTS_BENCH_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS_MAX 50

/* One figure of each round. */
struct bench_series {
    double v[BENCH_ROUNDS_MAX];
    size_t n;
};
void bench_add(struct bench_series *s, double v);
double bench_median(const struct bench_series *s);
/* "123.4 [120.0-130.1]" with so many decimals; into one of a few static buffers, good until some calls later. One thread. */
const char *bench_text(const struct bench_series *s, int decimals);
/* The same with the middle half of the rounds: "123.4 (121.0-126.1)". */
const char *bench_quartiles(const struct bench_series *s, int decimals);
/* Of each round's figures. */
struct bench_series bench_ratio(const struct bench_series *a, const struct bench_series *b);

/* q in 0..1; sorts v. */
double bench_quantile(double *v, size_t n, double q);
/* A number from the environment, at least 1. */
unsigned bench_env(const char *name, unsigned otherwise);

#endif
