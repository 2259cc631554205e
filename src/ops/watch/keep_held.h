/* What the rules of retention would have removed and was not, and why. Layer: ops/watch. A value; who makes it: keep.h, who judges it: alarms.h. */
#ifndef LT_OPS_KEEP_HELD_H
#define LT_OPS_KEEP_HELD_H

#include <stdint.h>

enum keep_held_by { KEEP_HELD_NOTHING, KEEP_HELD_FENCED, KEEP_HELD_UNCOVERED, KEEP_HELD_CONSUMER, KEEP_HELD_FAILED };

struct keep_held {
    enum keep_held_by by;
    uint64_t segments;
    char why[256]; /* who needs it, or what failed; else "" */
};

#endif
