/*
 * Folders and files with rows or secrets in them: for their owner only, and never where somebody else pointed. A link is not followed, what another
 * user owns or may write is refused: in a folder like /tmp it may have been there first.
 *
 * Layer: base. Thread: any. Owns: nothing; the caller closes. Errors: LT_ESYS with errno's text; LT_EINVAL with what is not private, and
 * what to do. `shown` is the path for the texts.
 */
#ifndef LT_BASE_PRIVATE_FILE_H
#define LT_BASE_PRIVATE_FILE_H

#include <stdbool.h>

#include "base/err.h"

/* Makes the folder (0700) when it is not there. at: as for openat, AT_FDCWD. */
int private_folder(int at, const char *name, const char *shown, int *ret_fd, struct lt_err *err) LT_MUST_CHECK;
/* For reading and writing. create: make it (0600) when it is not there. Its only name, owned by us. */
int private_file(int at, const char *name, bool create, const char *shown, int *ret_fd,
                 struct lt_err *err) LT_MUST_CHECK;
/* The file now has this content, as a whole or not at all, durably; its mode is 0600. path.new is used meanwhile. */
int private_file_replace(const char *path, const char *content, struct lt_err *err) LT_MUST_CHECK;

#endif
