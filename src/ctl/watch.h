/*
 * `status --watch` and `lag --watch`: asks again and again. On a terminal a screen that refreshes, elsewhere one plain line for each answer.
 *
 * Layer: ctl. Thread: main. Owns: the terminal's alternate screen while it runs; it is given back on every way out but SIGKILL.
 * Errors: a daemon that is not there is shown, and asked again; the end of the output ends the watch.
 */
#ifndef LT_CTL_WATCH_H
#define LT_CTL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch_options {
    const char *socket;
    uint64_t interval_us;
    uint64_t timeout_us;
    bool whole_status; /* else the lags and the graphs only */
};

/* Until SIGINT, SIGTERM or SIGHUP; returns the exit code. */
int watch_run(const struct watch_options *opt);

#endif
