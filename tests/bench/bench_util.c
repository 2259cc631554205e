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

static const char *spread(const struct bench_series *s, int decimals, double low_q, double high_q, const char *form)
{
    static char buffers[8][64];
    static unsigned next;
    char *buf = buffers[next++ % 8];
    struct bench_series copy = *s;
    double low = bench_quantile(copy.v, copy.n, low_q);
    double high = bench_quantile(copy.v, copy.n, high_q);
    (void)snprintf(buf, sizeof buffers[0], "%.*f %c%.*f-%.*f%c", decimals, bench_median(s), form[0], decimals, low,
                   decimals, high, form[1]);
    return buf;
}

const char *bench_text(const struct bench_series *s, int decimals)
{
    return spread(s, decimals, 0, 1, "[]");
}

const char *bench_quartiles(const struct bench_series *s, int decimals)
{
    return spread(s, decimals, 0.25, 0.75, "()");
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
