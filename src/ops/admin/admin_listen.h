/*
 * Makes the admin socket's file: replaces a stale one, gives it its group and mode before anyone can connect.
 * Private to the admin socket.
 *
 * Layer: ops/admin. Thread: any. Errors: as admin_open.
 */
#ifndef LT_OPS_ADMIN_LISTEN_H
#define LT_OPS_ADMIN_LISTEN_H

#include <sys/stat.h>

#include "base/err.h"

/* A listening, non-blocking descriptor that the caller closes; *ret_st identifies the file. */
int admin_listen(const char *path, unsigned mode, const char *group, int *ret_fd, struct stat *ret_st,
                 struct lt_err *err) LT_MUST_CHECK;

#endif
