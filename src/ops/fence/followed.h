/*
 * The monitor watches the source that is followed: the configured one, or the one that a repoint led to.
 * Layer: ops/fence. Thread: main. Errors: none; out of memory leaves the source before, and is logged.
 */
#ifndef LT_OPS_FOLLOWED_H
#define LT_OPS_FOLLOWED_H

#include "ops/parts/parts.h"

/* The configured account at the source that is followed. Borrows what `configured` and the fence hold. */
struct monitor_options followed_options(const struct ops *ops, const struct monitor_options *configured);
/* For the alarm that the followed source is not the configured one. */
void followed_note(struct ops *ops);
/* After a repoint. */
void followed_changed(struct ops *ops);

#endif
