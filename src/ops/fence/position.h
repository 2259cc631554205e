/*
 * The durable end as an answer, of `position` and within that of `fence`: file, offset, executed GTIDs, last transaction.
 * Its fields are described in src/ops/README.md, which a test holds against the answers.
 * Layer: ops/fence. Thread: main. Errors: LT_ENOMEM.
 */
#ifndef LT_OPS_POSITION_H
#define LT_OPS_POSITION_H

#include <jansson.h>

#include "ops/parts/parts.h"

int position_answer(const struct ops *ops, json_t **ret_answer) LT_MUST_CHECK;

#endif
