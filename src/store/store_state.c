/*
 * State files for the layers above, and the reserve.
 *
 * - A write is statefile_write; when the disk is full, DIR/reserve is removed and the write tried once more.
 * - The reserve is written, not only allocated: a hole would hold nothing back.
 * Failure: a reserve that cannot be made is the caller's to report; a half-made one is removed.
 */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

int store_state_read(struct store *s, const char *name, size_t max, char **ret_data, size_t *ret_len,
                     struct lt_err *err)
{
    return statefile_read(s->vfs, s->dir, name, max, ret_data, ret_len, err);
}

static bool give_up_reserve(struct store *s)
{
    char *path = store_path(s->dir, "reserve", "");
    bool removed = path != NULL && s->vfs->unlink(s->vfs->ctx, path) == 0;
    free(path);
    return removed;
}

int store_state_write(struct store *s, const char *name, const void *data, size_t len, struct lt_err *err)
{
    int rc = statefile_write(s->vfs, s->dir, name, data, len, err);
    if (rc == LT_EFULL && give_up_reserve(s))
        rc = statefile_write(s->vfs, s->dir, name, data, len, err);
    return rc;
}

static int write_reserve(struct store *s, int fd)
{
    static const uint8_t zeros[64 * 1024];
    int rc = 0;
    for (uint64_t off = 0; rc == 0 && off < STORE_RESERVE_BYTES; off += sizeof zeros)
        rc = vfs_pwrite_full(s->vfs, fd, zeros, sizeof zeros, off);
    return rc == 0 ? s->vfs->fsync(s->vfs->ctx, fd) : rc;
}

int store_reserve_fill(struct store *s, struct lt_err *err)
{
    uint64_t size = 0;
    char *path = store_path(s->dir, "reserve", "");
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "DIR/reserve");
    int fd = s->vfs->open(s->vfs->ctx, path, O_RDWR | O_CREAT, 0640);
    int rc = fd < 0 ? fd : s->vfs->size(s->vfs->ctx, fd, &size);
    bool short_one = rc == 0 && size < STORE_RESERVE_BYTES;
    if (short_one)
        rc = write_reserve(s, fd);
    if (fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, fd);
    if (rc < 0) {
        rc = store_sys_err(err, rc, "make %s", path);
        if (fd >= 0)
            (void)s->vfs->unlink(s->vfs->ctx, path);
    } else if (short_one) {
        rc = store_fsync_dir(s->vfs, s->dir, err);
    }
    free(path);
    return rc;
}
