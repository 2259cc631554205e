/*
 * Many consumers in one process of their own, for bench_fanout: some take everything, some hold everything already (a GTID set) and get heartbeats.
 * Layer: tests/bench. Thread: the caller's; the consumers are a child process of low priority. Owns: the child and the shared samples.
 */
#ifndef LT_BENCH_FANOUT_CONSUMERS_H
#define LT_BENCH_FANOUT_CONSUMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fanout_sample { /* an active consumer has everything before this offset */
    uint32_t consumer;
    uint64_t next_offset;
    uint64_t at_us;
};

struct fanout;
/* held: the set that idle ones have. Returns when each has its first FileBegin, or ends the program. */
struct fanout *fanout_start(uint16_t port, unsigned idle, unsigned active, const char *held);
/* Until all active ones have this offset. */
bool fanout_wait(struct fanout *f, uint64_t offset, unsigned ms);
/* Valid until fanout_stop. */
const struct fanout_sample *fanout_samples(struct fanout *f, size_t *ret_count);
void fanout_reset(struct fanout *f); /* forget the samples */
void fanout_stop(struct fanout *f);

#endif
