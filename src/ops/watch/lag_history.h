/*
 * When the source was seen to have how much, by our own monotonic clock: since when has it had something that is not here? No time that an event
 * carries is asked, because any client sets those. Pure: no clock, no I/O.
 *
 * Layer: ops/watch. Thread: one at a time. Owns: nothing. Errors: none. Units: microseconds (monotonic).
 * Invariant: samples of one history, ascending in time and in what the source had.
 */
#ifndef LT_OPS_LAG_HISTORY_H
#define LT_OPS_LAG_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#define LAG_SAMPLES 512

/* How much there is: a place in the binlog, or a count of transactions (number 0). */
struct lag_mark {
    uint64_t number; /* of the file */
    uint64_t amount; /* offset in it, or transactions */
};

struct lag_sample {
    uint64_t asked_us; /* the source had no more when it was asked, */
    uint64_t at_us;    /* and no less when the answer was there */
    struct lag_mark had;
};

struct lag_history {
    unsigned count;
    bool by_place; /* as told by its newest sample; a history never mixes the two */
    struct lag_sample sample[LAG_SAMPLES];
};

/* A source that has less than before began anew, and so does its history. A full one is thinned out where it is old. */
void lag_history_note(struct lag_history *h, bool by_place, const struct lag_sample *s);

/* For how long the source has had more than `held`. */
struct lag_since {
    bool more;         /* it was seen to have more, */
    uint64_t least_us; /* at least so long ago */
    bool most_known;   /* it was seen not to have more, */
    uint64_t most_us;  /* not longer ago */
};
void lag_history_since(const struct lag_history *h, const struct lag_mark *held, uint64_t now_us,
                       struct lag_since *ret);

#endif
