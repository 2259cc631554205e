/*
 * With which code logtailerd ends after an error at its start: it says what another start can help. 0 is an orderly stop.
 * Layer: daemon. Pure. Thread: any.
 */
#ifndef LT_DAEMON_EXIT_CODE_H
#define LT_DAEMON_EXIT_CODE_H

#include "base/err.h"

#define EXIT_TRANSIENT  1 /* it may be over soon: the unit starts it again */
#define EXIT_USAGE      2 /* usage or configuration: another start does not help */
#define EXIT_DURABILITY 3 /* durability is in doubt: somebody looks first */

int daemon_exit_code(int rc, const struct lt_err *err);

#endif
