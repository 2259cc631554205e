/*
 * Does this process protect its source now? What /readyz says: streaming, acknowledging, storage in order, not fenced. Pure.
 *
 * Layer: ops/http. Thread: any. Borrows: the answer of `status`. Errors: what is missing in it is a "no".
 */
#ifndef LT_OPS_READY_H
#define LT_OPS_READY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* A fence is in force for the source that is followed; one for a source that was left by repoint is not. */
bool ready_is_fenced(const json_t *status);

/* False: why (cap bytes) has one reason a line. */
bool ready_judge(const json_t *status, char *why, size_t cap);

#endif
