/*
 * Preloaded into a program under test: its wall clock is LT_CLOCK_SHIFT_S seconds from the machine's; with LT_CLOCK_SHIFT_WHILE only while a
 * file of that name is there. The monotonic clock is left alone.
 * Layer: tests/support. Thread: any.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static time_t shift_s(void)
{
    const char *text = getenv("LT_CLOCK_SHIFT_S");          // NOLINT(concurrency-mt-unsafe): nobody changes it
    const char *condition = getenv("LT_CLOCK_SHIFT_WHILE"); // NOLINT(concurrency-mt-unsafe): nobody changes it
    int saved = errno;                                      /* the program may ask for the time before it looks at it */
    bool on = condition == NULL || access(condition, F_OK) == 0;
    errno = saved;
    if (!on)
        return 0;
    return text != NULL ? (time_t)strtol(text, NULL, 10) : 0;
}

EXPORTED int clock_gettime(clockid_t id, struct timespec *ts)
{
    long rc = syscall(SYS_clock_gettime, id, ts);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        ts->tv_sec += shift_s();
    return (int)rc;
}

EXPORTED time_t time(time_t *ret)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    if (ret != NULL)
        *ret = ts.tv_sec;
    return ts.tv_sec;
}

EXPORTED int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts = {0};
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
