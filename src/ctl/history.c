#include "ctl/history.h"

#include <math.h>
#include <string.h>

#include "base/jpath.h"

static double number_or_nan(const json_t *answer, const char *path)
{
    double number = 0;
    return jpath_number(answer, path, &number) ? number : (double)NAN;
}

/* The cumulative counts of acks; 0 when they are not there or not to be used. */
static size_t read_counts(const json_t *latency, double counts[HISTORY_BUCKETS])
{
    const json_t *list = jpath(latency, "acks.cumulative");
    size_t n = json_array_size(list);
    if (n > HISTORY_BUCKETS || n != json_array_size(jpath(latency, "le_us")))
        return 0;
    for (size_t i = 0; i < n; i++)
        counts[i] = json_number_value(json_array_get(list, i));
    return n;
}

/* Upper bound of the bucket in which 99 % of what came since the last answer ends. */
static double interval_p99(const struct history *h, const json_t *latency, const double *counts, size_t n)
{
    double total = number_or_nan(latency, "acks.count");
    if (n == 0 || n != h->last_n)
        return (double)NAN;
    double came = total - h->last_total;
    if (isnan(came) || came <= 0)
        return (double)NAN;
    const json_t *bounds = jpath(latency, "le_us");
    for (size_t i = 0; i < n; i++) {
        if (counts[i] - h->last_counts[i] >= 0.99 * came)
            return json_number_value(json_array_get(bounds, i));
    }
    return json_number_value(json_array_get(bounds, n - 1));
}

static void make_room(struct history *h)
{
    if (h->n < HISTORY_SAMPLES)
        return;
    memmove(h->lag_bytes, h->lag_bytes + 1, sizeof h->lag_bytes - sizeof h->lag_bytes[0]);
    memmove(h->acks_per_second, h->acks_per_second + 1, sizeof h->acks_per_second - sizeof h->acks_per_second[0]);
    memmove(h->ack_p99_us, h->ack_p99_us + 1, sizeof h->ack_p99_us - sizeof h->ack_p99_us[0]);
    h->n--;
}

void history_add(struct history *h, const json_t *status, const json_t *latency, uint64_t now_us)
{
    double counts[HISTORY_BUCKETS] = {0};
    double sent = number_or_nan(status, "acks.sent");
    double rate = (double)NAN;
    if (h->last_us != 0 && now_us > h->last_us && sent >= h->last_sent) /* false for NAN, and after a restart */
        rate = (sent - h->last_sent) * 1e6 / (double)(now_us - h->last_us);
    size_t n = read_counts(latency, counts);
    make_room(h);
    h->lag_bytes[h->n] = number_or_nan(status, "lag.source_bytes");
    h->acks_per_second[h->n] = rate;
    h->ack_p99_us[h->n] = interval_p99(h, latency, counts, n);
    h->n++;
    h->last_us = now_us;
    h->last_sent = sent;
    memcpy(h->last_counts, counts, sizeof counts);
    h->last_n = n;
    h->last_total = number_or_nan(latency, "acks.count");
}
