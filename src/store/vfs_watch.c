/*
 * - Each call is handed on between begin and end; the outermost of them stamps the clock, so that a sync counts from its first call on.
 * - A thread is named by the address of a variable of its own.
 * Failure: none of its own. A call that never returns leaves its stamp standing, which is the purpose.
 */
#include "store/vfs_watch.h"

#include "base/clock.h"

static _Thread_local char this_thread;

static bool is_writer(const struct vfs_watch *w)
{
    return atomic_load_explicit(&w->writer, memory_order_relaxed) == (uintptr_t)&this_thread;
}

void vfs_watch_writer(struct vfs_watch *w)
{
    atomic_store_explicit(&w->writer, (uintptr_t)&this_thread, memory_order_relaxed);
}

void vfs_watch_begin(struct vfs_watch *w)
{
    if (is_writer(w) && w->depth++ == 0)
        atomic_store_explicit(&w->since, clock_mono_us(), memory_order_relaxed);
}

void vfs_watch_end(struct vfs_watch *w)
{
    if (!is_writer(w) || --w->depth > 0)
        return;
    uint64_t since = atomic_exchange_explicit(&w->since, 0, memory_order_relaxed);
    uint64_t now = clock_mono_us();
    if (now > since && now - since > w->slow_us)
        atomic_fetch_add_explicit(&w->slow, 1, memory_order_relaxed);
}

static void call_end(struct vfs_watch *w)
{
    vfs_watch_end(w);
    if (w->progress != NULL)
        atomic_fetch_add_explicit(w->progress, 1, memory_order_relaxed);
}

/* One function for each call: begin, the inner call, end. */
#define WATCHED(type, name, params, ...)                                                                               \
    static type watched_##name params                                                                                  \
    {                                                                                                                  \
        struct vfs_watch *w = ctx;                                                                                     \
        vfs_watch_begin(w);                                                                                            \
        type rc = w->inner->name(w->inner->ctx __VA_OPT__(, ) __VA_ARGS__);                                            \
        call_end(w);                                                                                                   \
        return rc;                                                                                                     \
    }

WATCHED(int, open, (void *ctx, const char *path, int flags, unsigned mode), path, flags, mode)
WATCHED(int, close, (void *ctx, int fd), fd)
WATCHED(ssize_t, pread, (void *ctx, int fd, void *buf, size_t len, uint64_t off), fd, buf, len, off)
WATCHED(ssize_t, pwrite, (void *ctx, int fd, const void *buf, size_t len, uint64_t off), fd, buf, len, off)
WATCHED(int, fdatasync, (void *ctx, int fd), fd)
WATCHED(int, fsync, (void *ctx, int fd), fd)
WATCHED(int, write_back, (void *ctx, int fd, uint64_t off, uint64_t len), fd, off, len)
WATCHED(int, ftruncate, (void *ctx, int fd, uint64_t size), fd, size)
WATCHED(int, size, (void *ctx, int fd, uint64_t *ret_size), fd, ret_size)
WATCHED(int, drop_cache, (void *ctx, int fd), fd)
WATCHED(int, mkdir, (void *ctx, const char *path, unsigned mode), path, mode)
WATCHED(int, unlink, (void *ctx, const char *path), path)
WATCHED(int, rename, (void *ctx, const char *from, const char *to), from, to)
WATCHED(int, list, (void *ctx, const char *dir, vfs_list_fn fn, void *arg), dir, fn, arg)
WATCHED(int, lock, (void *ctx, int fd), fd)
WATCHED(int, fs_info, (void *ctx, const char *path, struct vfs_fs_info *ret), path, ret)

void vfs_watch_init(struct vfs_watch *w, const struct vfs *inner, uint64_t slow_us, _Atomic uint64_t *progress)
{
    static const struct vfs calls = {
        .open = watched_open,
        .close = watched_close,
        .pread = watched_pread,
        .pwrite = watched_pwrite,
        .fdatasync = watched_fdatasync,
        .fsync = watched_fsync,
        .write_back = watched_write_back,
        .ftruncate = watched_ftruncate,
        .size = watched_size,
        .drop_cache = watched_drop_cache,
        .mkdir = watched_mkdir,
        .unlink = watched_unlink,
        .rename = watched_rename,
        .list = watched_list,
        .lock = watched_lock,
        .fs_info = watched_fs_info,
    };
    w->vfs = calls;
    w->vfs.ctx = w;
    w->inner = inner;
    w->depth = 0;
    atomic_init(&w->since, 0);
    atomic_init(&w->slow, 0);
    w->slow_us = slow_us;
    w->progress = progress;
    vfs_watch_writer(w);
}
