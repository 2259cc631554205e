/*
 * The answers of the admin socket that show where we are, from snapshots, never waiting for disk, source or consumers.
 * Their fields are described in src/ops/README.md, which a test holds against the answers.
 * Layer: ops/status. Thread: main. Errors: LT_ENOMEM.
 */
#ifndef LT_OPS_STATUS_H
#define LT_OPS_STATUS_H

#include <jansson.h>

#include "ops/parts/parts.h"

int status_answer(struct ops *ops, json_t **ret_answer) LT_MUST_CHECK;
int lag_answer(struct ops *ops, json_t **ret_answer) LT_MUST_CHECK;
/* answered: the monitor has asked since the question came. */
int preflight_answer(struct ops *ops, bool answered, json_t **ret_answer) LT_MUST_CHECK;
int segments_answer(const struct ops *ops, json_t **ret_answer) LT_MUST_CHECK;

#endif
