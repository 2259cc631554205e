/*
 * Where a time is in the log: the last file that begins before it.
 *
 * Layer: client (program). Thread: main. Blocks: it connects some times, one after the other; stop ends it. Errors: an exit code, told on stderr.
 */
#ifndef LT_CLIENT_BEGIN_AT_H
#define LT_CLIENT_BEGIN_AT_H

#include "client/binlogtail_opts.h"

/* -1: go on at ret_token (of BINLOGTAIL_TOKEN_MAX bytes), "": at the earliest; else the exit code. */
int begin_at_time(const struct opts *opts, bool (*stop)(void), char *ret_token);

#endif
