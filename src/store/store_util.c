/*
 * Small tools of the store's verbs: error texts from -errno, paths, directories, the stamp of the watchdog.
 *
 * - Every function does one thing that more than one verb needs.
 * Failure: returned; store_fail() latches it, and store_check_usable() is the one reader of the latch at the door of each write call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

int store_sys_err(struct lt_err *err, int rc, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    errno = -rc;
    return lt_err_sys(err, store_sys_code(rc), "%s", text);
}

int store_sync_err(struct lt_err *err, int rc, const char *fmt, ...)
{
    char text[400];
    int code = store_sys_code(rc);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    errno = -rc;
    return lt_err_sys(err, store_only_lacks(code) ? code : LT_ESYNC, "%s", text);
}

/* Without a place for the text the code must still say what lacks. */
int store_sys_code(int rc)
{
    switch (-rc) {
    case ENOSPC:
    case EDQUOT:
        return LT_EFULL;
    case EMFILE:
    case ENFILE:
        return LT_ENOFILES;
    case ENOMEM:
        return LT_ENOMEM;
    default:
        return LT_ESYS;
    }
}

bool store_only_lacks(int rc)
{
    return rc == LT_EFULL || rc == LT_ENOFILES || rc == LT_ENOMEM;
}

int store_fail(struct store *s, int code)
{
    s->broken = true;
    return code;
}

int store_check_usable(const struct store *s, struct lt_err *err)
{
    if (s->broken)
        return lt_err_set(err, LT_ESYNC, "the store is broken by an earlier failure and was not repaired");
    return 0;
}

char *store_path(const char *dir, const char *name, const char *suffix)
{
    char *path;

    return asprintf(&path, "%s/%s%s", dir, name, suffix) < 0 ? NULL : path;
}

int store_fsync_dir(const struct vfs *vfs, const char *dir, struct lt_err *err)
{
    int fd = vfs->open(vfs->ctx, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return store_sys_err(err, fd, "open directory %s", dir);
    int rc = vfs->fsync(vfs->ctx, fd);
    (void)vfs->close(vfs->ctx, fd);
    return rc < 0 ? store_sync_err(err, rc, "fsync directory %s", dir) : 0;
}

int store_mkdir(const struct vfs *vfs, const char *path, struct lt_err *err)
{
    int rc = vfs->mkdir(vfs->ctx, path, 0750);
    if (rc < 0 && rc != -EEXIST)
        return store_sys_err(err, rc, "make directory %s", path);
    return 0;
}

void store_busy_begin(struct store *s)
{
    vfs_watch_begin(&s->watch);
}

void store_busy_end(struct store *s)
{
    vfs_watch_end(&s->watch);
}
