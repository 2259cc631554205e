/*
 * Whole reads and writes over the short ones a file system may do.
 *
 * - Write or read what is left until all is done.
 * Failure: the first error is returned as it came; a write that takes no byte is -EIO, because it would loop for ever.
 */
#include "store/vfs.h"

#include <errno.h>

int vfs_pwrite_full(const struct vfs *vfs, int fd, const void *buf, size_t len, uint64_t off)
{
    const uint8_t *p = buf;

    while (len > 0) {
        ssize_t n = vfs->pwrite(vfs->ctx, fd, p, len, off);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO;
        p += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t vfs_pread_full(const struct vfs *vfs, int fd, void *buf, size_t len, uint64_t off)
{
    uint8_t *p = buf;
    size_t done = 0;

    while (done < len) {
        ssize_t n = vfs->pread(vfs->ctx, fd, p + done, len - done, off + done);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}
