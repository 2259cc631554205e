/*
 * What names.c and names_age.c share. Not for others.
 * Layer: serve. Thread: any, with the lock of struct names held.
 */
#ifndef LT_SERVE_NAMES_INTERNAL_H
#define LT_SERVE_NAMES_INTERNAL_H

#include "serve/names.h"

/* ---- names.c */
/* It goes if nothing keeps it: e may be no more then. */
void names_drop_if_idle(struct names *n, struct named *e);
/* e was marked dirty while its file was worked on; want: e->want as of before. What was committed meanwhile is written, by the committing thread. */
void names_end_disk(struct names *n, struct named *e, const struct consumer_state *want);
/* Three times as long as the disk was used; without the lock. */
void names_rest(uint64_t took_us);

/* ---- names_age.c */
/* What a file says of how long its consumer was away, unless more than by the wall clock has passed since it committed: then 0. */
uint64_t names_away_believed(const struct consumer_state *state, uint64_t wall_us);
/* Somebody has it now. */
void names_is_here(struct names *n, struct named *e);
/* On the committing thread: the first of the queue, which is not empty. Gives the lock up meanwhile. */
void names_do_chore(struct names *n);

#endif
