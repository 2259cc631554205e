/*
 * The answers of the admin socket that show where we are: status and position, from snapshots, never waiting for disk or source.
 * Layer: ops. Thread: main. Errors: LT_ENOMEM.
 */
#ifndef LT_OPS_STATUS_H
#define LT_OPS_STATUS_H

#include <jansson.h>

#include "ops/ops.h"

int status_answer(const struct ops *ops, json_t **ret_answer) LT_MUST_CHECK;
int position_answer(const struct ops *ops, json_t **ret_answer) LT_MUST_CHECK;

#endif
