#include "base/hist.h"

#include <stddef.h>

/*
 * Values below 16 have a bucket each. From there on bucket i = 16 * (e - 3) + m, where e is the place of the value's
 * highest bit and m the four bits after it. The last bucket (2^43 us is a hundred days) takes what is larger.
 */
#define SUB_BITS 4
#define SUB      (1U << SUB_BITS)

static size_t bucket_of(uint64_t us)
{
    if (us < SUB)
        return (size_t)us;
    unsigned shift = 63U - (unsigned)__builtin_clzll(us) - SUB_BITS;
    size_t i = (size_t)(shift + 1) * SUB + (size_t)((us >> shift) & (SUB - 1));
    return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

static uint64_t bucket_upper(size_t i)
{
    if (i < SUB)
        return i;
    if (i == HIST_BUCKETS - 1)
        return UINT64_MAX;
    size_t shift = i / SUB - 1;
    uint64_t low = (uint64_t)(SUB + i % SUB) << shift;
    return low + ((uint64_t)1 << shift) - 1;
}

static uint64_t get(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

void hist_add(struct hist *h, uint64_t us)
{
    atomic_fetch_add_explicit(&h->buckets[bucket_of(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, us, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
    if (us > get(&h->max))
        atomic_store_explicit(&h->max, us, memory_order_relaxed);
}

uint64_t hist_count(const struct hist *h)
{
    return get(&h->count);
}

uint64_t hist_max(const struct hist *h)
{
    return get(&h->max);
}

uint64_t hist_sum(const struct hist *h)
{
    return get(&h->sum);
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    /* The buckets' own total, not count: a writer may be between the two. */
    uint64_t total = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        total += get(&h->buckets[i]);
    if (total == 0)
        return 0;
    double want = q * (double)total;
    uint64_t rank = 1;
    if (want >= (double)total)
        rank = total;
    else if (want > 1)
        rank = (uint64_t)want + ((double)(uint64_t)want < want ? 1 : 0);
    uint64_t max = get(&h->max);
    uint64_t seen = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        seen += get(&h->buckets[i]);
        if (seen >= rank)
            return bucket_upper(i) < max ? bucket_upper(i) : max;
    }
    return max;
}

uint64_t hist_count_le(const struct hist *h, uint64_t us)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= bucket_of(us); i++)
        n += get(&h->buckets[i]);
    return n;
}
