/*
 * Small files that are replaced as a whole: DIR/format, DIR/identity.
 *
 * - write: NAME.tmp written, synced, renamed over NAME, directory synced. A crash leaves the old one or the new one.
 * - read: all of it, with a NUL behind.
 * Failure: the old file stays; a left-over NAME.tmp is overwritten by the next write and read by nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

static int write_tmp(const struct vfs *vfs, const char *path, const void *data, size_t len, struct lt_err *err)
{
    int fd = vfs->open(vfs->ctx, path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    if (fd < 0)
        return store_sys_err(err, fd, "create %s", path);
    int rc = vfs_pwrite_full(vfs, fd, data, len, 0);
    int sync_rc = rc == 0 ? vfs->fsync(vfs->ctx, fd) : 0;
    int close_rc = vfs->close(vfs->ctx, fd);
    if (sync_rc < 0)
        return store_sync_err(err, sync_rc, "fsync %s", path);
    if (rc == 0)
        rc = close_rc;
    return rc < 0 ? store_sys_err(err, rc, "write %s", path) : 0;
}

int statefile_write(const struct vfs *vfs, const char *dir, const char *name, const void *data, size_t len,
                    struct lt_err *err)
{
    char *path = store_path(dir, name, "");
    char *tmp = store_path(dir, name, ".tmp");
    int ret;

    if (path == NULL || tmp == NULL) {
        ret = lt_err_set(err, LT_ENOMEM, "write %s/%s", dir, name);
        goto out;
    }
    ret = write_tmp(vfs, tmp, data, len, err);
    if (ret < 0)
        goto out;
    int rc = vfs->rename(vfs->ctx, tmp, path);
    ret = rc < 0 ? store_sys_err(err, rc, "rename %s", tmp) : store_fsync_dir(vfs, dir, err);
out:
    free(path);
    free(tmp);
    return ret;
}

static int read_fd(const struct vfs *vfs, int fd, const char *path, size_t max, char **ret_data, size_t *ret_len,
                   struct lt_err *err)
{
    uint64_t size;
    int rc = vfs->size(vfs->ctx, fd, &size);
    if (rc < 0)
        return store_sys_err(err, rc, "stat %s", path);
    if (size > max)
        return lt_err_set(err, LT_ECORRUPT, "%s is %llu bytes long, which cannot be", path, (unsigned long long)size);
    char *data = malloc((size_t)size + 1);
    if (data == NULL)
        return lt_err_set(err, LT_ENOMEM, "read %s", path);
    ssize_t n = vfs_pread_full(vfs, fd, data, (size_t)size, 0);
    if (n < 0) {
        free(data);
        return store_sys_err(err, (int)n, "read %s", path);
    }
    data[n] = '\0';
    *ret_data = data;
    *ret_len = (size_t)n;
    return 0;
}

int statefile_read(const struct vfs *vfs, const char *dir, const char *name, size_t max, char **ret_data,
                   size_t *ret_len, struct lt_err *err)
{
    char *path = store_path(dir, name, "");
    int ret;

    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "read %s/%s", dir, name);
    int fd = vfs->open(vfs->ctx, path, O_RDONLY, 0);
    if (fd == -ENOENT)
        ret = lt_err_set(err, LT_ENOTFOUND, "%s does not exist", path);
    else if (fd < 0)
        ret = store_sys_err(err, fd, "open %s", path);
    else
        ret = read_fd(vfs, fd, path, max, ret_data, ret_len, err);
    if (fd >= 0)
        (void)vfs->close(vfs->ctx, fd);
    free(path);
    return ret;
}
