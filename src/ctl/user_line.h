/*
 * `user NAME`: the line of a users file for a secret that is typed, read, or made up here. No logtailerd is asked, and no file is written.
 *
 * Layer: ctl, over access. Thread: main. Owns: nothing. Errors: told on standard error; the exit code is the answer.
 */
#ifndef LT_CTL_USER_LINE_H
#define LT_CTL_USER_LINE_H

#include "ctl/arguments.h"

/* The line goes to standard output, a token that was made up to standard error (with --json both to standard output). */
int user_line_run(const struct arguments *args);

#endif
