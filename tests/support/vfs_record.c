/*
 * Calls passed on and told.
 */
#include "vfs_record.h"

static long long tell(struct vfs_record *r, struct vfs_call call)
{
    r->fn(&call, r->arg);
    return call.result;
}

static int rec_open(void *ctx, const char *path, int flags, unsigned mode)
{
    struct vfs_record *r = ctx;
    int fd = r->inner->open(r->inner->ctx, path, flags, mode);
    return (int)tell(r, (struct vfs_call){VFS_OP_OPEN, path, fd, 0, 0, fd});
}

static int rec_close(void *ctx, int fd)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_CLOSE, NULL, fd, 0, 0, r->inner->close(r->inner->ctx, fd)});
}

static ssize_t rec_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
    struct vfs_record *r = ctx;
    return tell(r,
                (struct vfs_call){VFS_OP_PREAD, NULL, fd, off, len, r->inner->pread(r->inner->ctx, fd, buf, len, off)});
}

static ssize_t rec_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
    struct vfs_record *r = ctx;
    return tell(
        r, (struct vfs_call){VFS_OP_PWRITE, NULL, fd, off, len, r->inner->pwrite(r->inner->ctx, fd, buf, len, off)});
}

static int rec_fdatasync(void *ctx, int fd)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_FDATASYNC, NULL, fd, 0, 0, r->inner->fdatasync(r->inner->ctx, fd)});
}

static int rec_fsync(void *ctx, int fd)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_FSYNC, NULL, fd, 0, 0, r->inner->fsync(r->inner->ctx, fd)});
}

static int rec_write_back(void *ctx, int fd, uint64_t off, uint64_t len)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_WRITE_BACK, NULL, fd, off, (size_t)len,
                                          r->inner->write_back(r->inner->ctx, fd, off, len)});
}

static int rec_ftruncate(void *ctx, int fd, uint64_t size)
{
    struct vfs_record *r = ctx;
    return (int)tell(
        r, (struct vfs_call){VFS_OP_FTRUNCATE, NULL, fd, size, 0, r->inner->ftruncate(r->inner->ctx, fd, size)});
}

static int rec_size(void *ctx, int fd, uint64_t *ret_size)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_SIZE, NULL, fd, 0, 0, r->inner->size(r->inner->ctx, fd, ret_size)});
}

static int rec_drop_cache(void *ctx, int fd)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_DROP_CACHE, NULL, fd, 0, 0, r->inner->drop_cache(r->inner->ctx, fd)});
}

static int rec_mkdir(void *ctx, const char *path, unsigned mode)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_MKDIR, path, -1, 0, 0, r->inner->mkdir(r->inner->ctx, path, mode)});
}

static int rec_unlink(void *ctx, const char *path)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_UNLINK, path, -1, 0, 0, r->inner->unlink(r->inner->ctx, path)});
}

static int rec_rename(void *ctx, const char *from, const char *to)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_RENAME, to, -1, 0, 0, r->inner->rename(r->inner->ctx, from, to)});
}

static int rec_list(void *ctx, const char *dir, vfs_list_fn fn, void *arg)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_LIST, dir, -1, 0, 0, r->inner->list(r->inner->ctx, dir, fn, arg)});
}

static int rec_lock(void *ctx, int fd)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_LOCK, NULL, fd, 0, 0, r->inner->lock(r->inner->ctx, fd)});
}

static int rec_fs_info(void *ctx, const char *path, struct vfs_fs_info *ret)
{
    struct vfs_record *r = ctx;
    return (int)tell(r, (struct vfs_call){VFS_OP_FS_INFO, path, -1, 0, 0, r->inner->fs_info(r->inner->ctx, path, ret)});
}

void vfs_record_init(struct vfs_record *rec, const struct vfs *inner, vfs_record_fn fn, void *arg)
{
    *rec = (struct vfs_record){
        .vfs =
            {
                .ctx = rec,
                .open = rec_open,
                .close = rec_close,
                .pread = rec_pread,
                .pwrite = rec_pwrite,
                .fdatasync = rec_fdatasync,
                .fsync = rec_fsync,
                .write_back = rec_write_back,
                .ftruncate = rec_ftruncate,
                .size = rec_size,
                .drop_cache = rec_drop_cache,
                .mkdir = rec_mkdir,
                .unlink = rec_unlink,
                .rename = rec_rename,
                .list = rec_list,
                .lock = rec_lock,
                .fs_info = rec_fs_info,
            },
        .inner = inner,
        .fn = fn,
        .arg = arg,
    };
}
