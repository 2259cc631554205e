/*
 * Splits a command line into words, in place. Blanks separate; double quotes group, inside them \" and \\ stand for themselves.
 *
 * Layer: ops/admin. Thread: any. Errors: LT_EINVAL with a text for an open quote or too many words; the line is spoiled then.
 */
#ifndef LT_OPS_ADMIN_WORDS_H
#define LT_OPS_ADMIN_WORDS_H

#include "base/err.h"

#define ADMIN_WORDS_MAX 34 /* 32 of a command, and "order ID" before them */

/* The words point into line; argv gets a NULL after the last. *ret_argc may be 0. */
int admin_split_words(char *line, char *argv[ADMIN_WORDS_MAX + 1], int *ret_argc, struct lt_err *err) LT_MUST_CHECK;

#endif
