/*
 * What `--watch` remembers of the last answers: figures per interval, made of counters that only grow.
 *
 * Layer: ctl. Thread: main. Errors: none; not known is NAN. Units: as the names say.
 */
#ifndef LT_CTL_HISTORY_H
#define LT_CTL_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define HISTORY_SAMPLES 512
#define HISTORY_BUCKETS 32

struct history {
    size_t n;
    double lag_bytes[HISTORY_SAMPLES]; /* the newest is at n - 1 */
    double acks_per_second[HISTORY_SAMPLES];
    double ack_p99_us[HISTORY_SAMPLES]; /* of the interval */
    uint64_t last_us;                   /* 0: nothing before */
    double last_sent;
    double last_counts[HISTORY_BUCKETS]; /* cumulative, of the last `latency` */
    size_t last_n;
    double last_total;
};

/* status or latency may be NULL, or an error answer. now_us: monotonic. */
void history_add(struct history *h, const json_t *status, const json_t *latency, uint64_t now_us);

#endif
