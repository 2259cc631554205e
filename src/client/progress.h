/*
 * A line on the terminal while a long catch-up runs: file, bar, bytes, rate, time left.
 * Layer: client (program). Thread: main. Draws only on a terminal, after a second, until caught up. Sizes of files to come are not known: they are taken
 * to be as large as those that were seen.
 */
#ifndef LT_CLIENT_PROGRESS_H
#define LT_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "binlogtail/binlogtail.h"

struct progress {
    bool on;
    bool drawn;
    uint64_t begun_us; /* 0: not catching up */
    uint64_t drawn_us;
    uint64_t bytes;
    uint64_t files_ended;
    uint64_t ended_bytes;
    uint64_t first_number; /* of the file it began in */
    uint64_t first_offset;
    uint64_t number;
    uint64_t offset;
    char file[256];
    uint64_t last_number; /* the durable end */
    uint64_t last_offset;
};

void progress_event(struct progress *p, const struct binlogtail_event *ev);
/* Draw it when it is time. */
void progress_tick(struct progress *p);
/* Take it off the screen, before anything else goes to stderr. */
void progress_clear(struct progress *p);

struct progress_view {
    double done; /* 0..1 */
    uint64_t bytes_per_second;
    uint64_t seconds_left;
};
struct progress_view progress_compute(const struct progress *p, uint64_t now_us);

#endif
