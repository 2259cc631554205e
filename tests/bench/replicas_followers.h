/*
 * Many replicas in one process of their own, for bench_replicas: some read what comes, some only stand at the end.
 * Layer: tests/bench. Thread: the caller's; the replicas are a child process of low priority. Owns: the child and the shared samples.
 */
#ifndef LT_BENCH_REPLICAS_FOLLOWERS_H
#define LT_BENCH_REPLICAS_FOLLOWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLLOWERS_ACTIVE_MAX 16u

struct followers_sample { /* an active replica has the event that ends here */
    uint64_t end;
    uint64_t at_us;
};

struct followers;
/* From that place on. Returns when each has been sent its first events, or ends the program. */
struct followers *followers_start(uint16_t port, const char *file, uint64_t pos, unsigned idle, unsigned active);
/* Until all active ones have everything before this position. */
bool followers_wait(struct followers *f, uint64_t end, unsigned ms);
/* Of one active replica; valid until followers_stop. */
const struct followers_sample *followers_samples(struct followers *f, unsigned which, size_t *ret_count);
void followers_stop(struct followers *f);

#endif
