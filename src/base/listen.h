/*
 * A listening TCP socket on the first address of a name that can be had.
 *
 * Layer: base. Thread: any; may wait for the resolver. Owns: nothing; the descriptor is the caller's.
 * Errors: LT_EINVAL when only another setting can help (a port that this user may not have); anything else may be over in a moment: LT_EBUSY
 *   (another process listens there), LT_ENOTFOUND (the name), LT_ESYS (the address is not up, no descriptor). The text names key and address.
 */
#ifndef LT_BASE_LISTEN_H
#define LT_BASE_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LISTEN_RETRY_US 1000000u /* a listener that could not be had is tried for again this often */

/* port 0: the kernel chooses. Non-blocking, close-on-exec. */
int listen_tcp(const char *key, const char *host, uint16_t port, int backlog, int *ret_fd, uint16_t *ret_port,
               struct lt_err *err) LT_MUST_CHECK;

/* Errors of a path or an address that a restart does not heal and another setting may: not there, not permitted, not a folder. */
bool lt_errno_is_setting(int sys_errno);

#endif
