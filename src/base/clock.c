#include "base/clock.h"

#include <time.h>

static uint64_t read_clock_us(clockid_t id)
{
    struct timespec ts = {0};
    /* Cannot fail for these ids with a valid pointer. */
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
    return read_clock_us(CLOCK_REALTIME);
}
