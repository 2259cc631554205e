#include "bench_util.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_add(struct bench_series *s, double v)
{
    if (s->n < BENCH_ROUNDS_MAX)
        s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(double *v, size_t n, double q)
{
    if (n == 0)
        return NAN;
    qsort(v, n, sizeof *v, compare);
    size_t at = (size_t)(q * (double)n);
    return v[at < n ? at : n - 1];
}

double bench_median(const struct bench_series *s)
{
    struct bench_series copy = *s;
    double high = bench_quantile(copy.v, copy.n, 0.5);
    return copy.n % 2 || copy.n == 0 ? high : (high + copy.v[copy.n / 2 - 1]) / 2;
}

const char *bench_text(const struct bench_series *s, int decimals)
{
    static char buffers[8][64];
    static unsigned next;
    char *buf = buffers[next++ % 8];
    struct bench_series copy = *s;
    double low = bench_quantile(copy.v, copy.n, 0);
    double high = bench_quantile(copy.v, copy.n, 1);
    (void)snprintf(buf, sizeof buffers[0], "%.*f [%.*f-%.*f]", decimals, bench_median(s), decimals, low, decimals,
                   high);
    return buf;
}

struct bench_series bench_ratio(const struct bench_series *a, const struct bench_series *b)
{
    struct bench_series r = {0};
    for (size_t i = 0; i < a->n && i < b->n; i++)
        bench_add(&r, a->v[i] / b->v[i]);
    return r;
}

unsigned bench_env(const char *name, unsigned otherwise)
{
    const char *text = secure_getenv(name);
    unsigned long n = text ? strtoul(text, NULL, 10) : 0;
    return n ? (unsigned)n : otherwise;
}
