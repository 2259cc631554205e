/*
 * Answers that wait until the durable transactions contain a set (wait-gtid).
 * Layer: ops/commands. Thread: main. Owns: its waiters. Errors: waits_add: none; out of memory is an answer.
 */
#ifndef LT_OPS_WAITS_H
#define LT_OPS_WAITS_H

#include "ops/parts/parts.h"

#define WAITS_MAX 32 /* half of the admin socket's connections: those that wait for long never fill it */

struct admin_reply;
struct waits;

struct waits *waits_new(struct ops *ops); /* NULL: out of memory */
/* Open answers become errors. NULL is fine. */
void waits_free(struct waits *w);
void waits_tick(struct waits *w);
/* Takes the reply and the set (moved). */
void waits_add(struct waits *w, struct gtid_set *set, uint64_t timeout_us, struct admin_reply *reply);

/* All that is held and durable: the present history, and the one before a repoint while that is not covered. ret: initialised. */
int waits_held(struct ops *ops, struct gtid_set *ret) LT_MUST_CHECK;
/*
 * The same without what an operator gave up (repoint --new-history): no server has to have it, and where that came of a reset its names are used
 * anew, so that nobody may wait for it either.
 */
int waits_held_for_good(struct ops *ops, struct gtid_set *ret) LT_MUST_CHECK;

#endif
