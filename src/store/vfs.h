/*
 * The file calls the store makes, as a table, so that tests can fail, tear, stall and forget them.
 *
 * Layer: store. Thread: any (the table is read-only; ctx answers for itself).
 * Errors: every call returns >= 0 or -errno. The real table starts again what a signal interrupted, but for syncs, whose EINTR is a failure.
 * Paths are absolute or relative to the process; the store passes what it was given.
 */
#ifndef LT_STORE_VFS_H
#define LT_STORE_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vfs_fs_info {
    bool unsafe; /* tmpfs, ramfs, overlay: a sync there proves nothing */
    char type[24];
    uint64_t free_bytes; /* for an unprivileged user */
    uint64_t total_bytes;
};

typedef int (*vfs_list_fn)(const char *name, bool is_dir, void *arg); /* non-zero stops the walk and is returned */

struct vfs {
    void *ctx;
    int (*open)(void *ctx, const char *path, int flags,
                unsigned mode); /* flags as open(2), O_CLOEXEC added; O_DIRECT may be asked */
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *buf, size_t len, uint64_t off);
    ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t len, uint64_t off); /* may be short */
    int (*fdatasync)(void *ctx, int fd);
    int (*fsync)(void *ctx, int fd); /* also on directories */
    /* Start writing [off, off + len) to the disk and do not wait. A hint: proves nothing, and what goes wrong with those pages
     * is reported by this descriptor's next fdatasync. */
    int (*write_back)(void *ctx, int fd, uint64_t off, uint64_t len);
    int (*ftruncate)(void *ctx, int fd, uint64_t size);
    int (*size)(void *ctx, int fd, uint64_t *ret_size);
    int (*drop_cache)(void *ctx, int fd); /* posix_fadvise DONTNEED over the whole file */
    int (*mkdir)(void *ctx, const char *path, unsigned mode);
    int (*unlink)(void *ctx, const char *path);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*list)(void *ctx, const char *dir, vfs_list_fn fn, void *arg); /* no "." and ".."; any order */
    int (*lock)(void *ctx, int fd); /* exclusive flock without waiting; -EWOULDBLOCK when held */
    int (*fs_info)(void *ctx, const char *path, struct vfs_fs_info *ret);
};

/* The real one. */
extern const struct vfs vfs_posix;

/* Whole writes and reads over short ones; 0 or -errno (-EIO for a write of 0; pread_full: number of bytes, less at the end). */
int vfs_pwrite_full(const struct vfs *vfs, int fd, const void *buf, size_t len, uint64_t off);
ssize_t vfs_pread_full(const struct vfs *vfs, int fd, void *buf, size_t len, uint64_t off);

#endif
