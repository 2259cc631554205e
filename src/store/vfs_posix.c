/*
 * The real file calls.
 *
 * - Each entry is one system call; errors come back as -errno.
 * - What a signal interrupted starts again, but for a sync: a second one may report success for pages that the first one lost, so an
 *   interrupted sync is a failed one. A close that was interrupted has closed.
 * Failure: reported, never handled here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/vfs.h"

static int neg_errno(int rc)
{
    return rc < 0 ? -errno : rc;
}

static int posix_open(void *ctx, const char *path, int flags, unsigned mode)
{
    int fd;

    (void)ctx;
    do
        fd = neg_errno(open(path, flags | O_CLOEXEC, (mode_t)mode));
    while (fd == -EINTR);
    return fd;
}

static int posix_close(void *ctx, int fd)
{
    (void)ctx;
    int rc = neg_errno(close(fd));
    return rc == -EINTR ? 0 : rc;
}

static ssize_t posix_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
    (void)ctx;
    for (;;) {
        ssize_t n = pread(fd, buf, len, (off_t)off);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

static ssize_t posix_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
    (void)ctx;
    for (;;) {
        ssize_t n = pwrite(fd, buf, len, (off_t)off);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

static int posix_fdatasync(void *ctx, int fd)
{
    (void)ctx;
    return neg_errno(fdatasync(fd));
}

static int posix_fsync(void *ctx, int fd)
{
    (void)ctx;
    return neg_errno(fsync(fd));
}

static int posix_write_back(void *ctx, int fd, uint64_t off, uint64_t len)
{
    (void)ctx;
    return neg_errno(sync_file_range(fd, (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE));
}

static int posix_ftruncate(void *ctx, int fd, uint64_t size)
{
    int rc;

    (void)ctx;
    do
        rc = neg_errno(ftruncate(fd, (off_t)size));
    while (rc == -EINTR);
    return rc;
}

static int posix_size(void *ctx, int fd, uint64_t *ret_size)
{
    struct stat st;

    (void)ctx;
    if (fstat(fd, &st) < 0)
        return -errno;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int posix_drop_cache(void *ctx, int fd)
{
    (void)ctx;
    return -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int posix_mkdir(void *ctx, const char *path, unsigned mode)
{
    (void)ctx;
    return neg_errno(mkdir(path, (mode_t)mode));
}

static int posix_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return neg_errno(unlink(path));
}

static int posix_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return neg_errno(rename(from, to));
}

static bool entry_is_dir(DIR *d, const struct dirent *e)
{
    struct stat st;

    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int posix_list(void *ctx, const char *dir, vfs_list_fn fn, void *arg)
{
    DIR *d = opendir(dir);
    int ret = 0;

    (void)ctx;
    if (d == NULL)
        return -errno;
    for (;;) {
        errno = 0;
        struct dirent *e =
            readdir(d); // NOLINT(concurrency-mt-unsafe): glibc locks per stream, and this one is ours alone
        if (e == NULL) {
            ret = -errno;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        ret = fn(e->d_name, entry_is_dir(d, e), arg);
        if (ret != 0)
            break;
    }
    (void)closedir(d);
    return ret;
}

static int posix_lock(void *ctx, int fd)
{
    int rc;

    (void)ctx;
    do
        rc = neg_errno(flock(fd, LOCK_EX | LOCK_NB));
    while (rc == -EINTR);
    return rc;
}

static const struct {
    unsigned long magic;
    const char *name;
    bool unsafe;
} fs_types[] = {
    {TMPFS_MAGIC, "tmpfs", true},         {RAMFS_MAGIC, "ramfs", true},      {OVERLAYFS_SUPER_MAGIC, "overlay", true},
    {EXT4_SUPER_MAGIC, "ext4", false},    {XFS_SUPER_MAGIC, "xfs", false},   {BTRFS_SUPER_MAGIC, "btrfs", false},
    {NFS_SUPER_MAGIC, "nfs", false},      {F2FS_SUPER_MAGIC, "f2fs", false}, {FUSE_SUPER_MAGIC, "fuse", false},
    {0x2fc12fc1 /* zfs */, "zfs", false},
};

static int posix_fs_info(void *ctx, const char *path, struct vfs_fs_info *ret)
{
    struct statfs sf;

    int rc;

    (void)ctx;
    do
        rc = neg_errno(statfs(path, &sf));
    while (rc == -EINTR);
    if (rc < 0)
        return rc;
    memset(ret, 0, sizeof *ret);
    unsigned long type = (unsigned long)sf.f_type & 0xffffffffUL;
    (void)snprintf(ret->type, sizeof ret->type, "0x%lx", type);
    for (size_t i = 0; i < sizeof fs_types / sizeof fs_types[0]; i++) {
        if (fs_types[i].magic != type)
            continue;
        (void)snprintf(ret->type, sizeof ret->type, "%s", fs_types[i].name);
        ret->unsafe = fs_types[i].unsafe;
    }
    ret->free_bytes = (uint64_t)sf.f_bavail * (uint64_t)sf.f_bsize;
    ret->total_bytes = (uint64_t)sf.f_blocks * (uint64_t)sf.f_bsize;
    return 0;
}

const struct vfs vfs_posix = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwrite = posix_pwrite,
    .fdatasync = posix_fdatasync,
    .fsync = posix_fsync,
    .write_back = posix_write_back,
    .ftruncate = posix_ftruncate,
    .size = posix_size,
    .drop_cache = posix_drop_cache,
    .mkdir = posix_mkdir,
    .unlink = posix_unlink,
    .rename = posix_rename,
    .list = posix_list,
    .lock = posix_lock,
    .fs_info = posix_fs_info,
};
