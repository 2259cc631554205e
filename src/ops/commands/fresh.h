/*
 * Answers (to preflight, to drain), which wait for a picture of the source that is made after the question: who has just mended a setting asks again at once.
 * Layer: ops/commands. Thread: main. Owns: its waiters. Errors: fresh_add: none; out of memory is an answer.
 */
#ifndef LT_OPS_FRESH_H
#define LT_OPS_FRESH_H

#include "ops/parts/parts.h"

#define FRESH_WAIT_US 1500000u /* then the answer says that the source has not answered */

struct admin_reply;
struct fresh;

struct fresh *fresh_new(struct ops *ops); /* NULL: out of memory */
/* Open answers become errors. NULL is fine. */
void fresh_free(struct fresh *f);
void fresh_tick(struct fresh *f);
/* Answers the reply. answered: the source has said something since the question came. */
typedef void (*fresh_fn)(struct ops *ops, bool answered, struct admin_reply *reply);
/* Takes the reply, and hands it to fn. */
void fresh_add(struct fresh *f, fresh_fn fn, struct admin_reply *reply);

#endif
