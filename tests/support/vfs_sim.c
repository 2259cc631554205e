/*
 * The simulated file system's calls, and its fault plan.
 *
 * - Every call passes enter(): counted, the hook called, the planned fault found.
 * - Files grow as they are written; pages written are dirty until a sync.
 */
#include "vfs_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs_sim_internal.h"

static const char *const op_names[] = {"open",       "close",     "pread", "pwrite",     "fdatasync", "fsync",
                                       "write_back", "ftruncate", "size",  "drop_cache", "mkdir",     "unlink",
                                       "rename",     "list",      "lock",  "fs_info",    "any"};

const char *vfs_op_name(enum vfs_op op)
{
    return op_names[op];
}

/* 0, or the error the call must give; *ret_kind says how. Takes the mutex. */
static int enter(struct vfs_sim *sim, enum vfs_op op, enum vfs_fault_kind *ret_kind)
{
    if (sim->on_call != NULL)
        sim->on_call(op, sim->on_call_arg);
    (void)pthread_mutex_lock(&sim->mutex);
    sim->calls[op]++;
    sim->calls[VFS_OP_ANY]++;
    *ret_kind = VFS_FAULT_ERROR;
    if (sim->off)
        return -EIO;
    if (sim->fail_in == 0 || (sim->fail_op != op && sim->fail_op != VFS_OP_ANY))
        return 0;
    if (sim->fail_in > 1) {
        sim->fail_in--;
        return 0;
    }
    if (!sim->fail_forever)
        sim->fail_in = 0;
    sim->failed = true;
    *ret_kind = sim->fail_kind;
    return -sim->fail_error;
}

static int leave(struct vfs_sim *sim, int rc)
{
    (void)pthread_mutex_unlock(&sim->mutex);
    return rc;
}

static struct sim_fd *get_fd(struct vfs_sim *sim, int fd)
{
    if (fd < SIM_FD0 || fd >= SIM_FD0 + SIM_FDS || sim->fds[fd - SIM_FD0].node == NULL)
        return NULL;
    return &sim->fds[fd - SIM_FD0];
}

static int open_node(struct vfs_sim *sim, const char *path, int flags, struct sim_node **ret)
{
    struct sim_node *node = sim_find(&sim->live, path);

    if (node != NULL && (flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (node == NULL) {
        char parent[4096];
        (void)snprintf(parent, sizeof parent, "%s", path);
        char *slash = strrchr(parent, '/');
        *(slash == parent ? slash + 1 : slash) = '\0';
        if (!(flags & O_CREAT) || sim_find(&sim->live, parent) == NULL)
            return -ENOENT;
        node = sim_node_new(sim, false);
        sim_set(&sim->live, path, node);
        sim_note_dir_change(sim, NULL, path, node);
    }
    if ((flags & O_DIRECTORY) && !node->is_dir)
        return -ENOTDIR;
    if ((flags & O_DIRECT) && !sim->direct_io)
        return -EINVAL;
    if ((flags & O_TRUNC) && !node->is_dir)
        sim_resize(node, 0, true);
    *ret = node;
    return 0;
}

static int sim_open(void *ctx, const char *path, int flags, unsigned mode)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    struct sim_node *node;
    int rc = enter(sim, VFS_OP_OPEN, &kind);

    (void)mode;
    if (rc == 0)
        rc = open_node(sim, path, flags, &node);
    if (rc < 0)
        return leave(sim, rc);
    for (int i = 0; i < SIM_FDS; i++) {
        if (sim->fds[i].node != NULL)
            continue;
        sim->fds[i] = (struct sim_fd){node, flags, strdup(path)};
        return leave(sim, SIM_FD0 + i);
    }
    return leave(sim, -EMFILE);
}

static void close_fd(struct vfs_sim *sim, int i)
{
    if (sim->fds[i].node != NULL && sim->fds[i].node->lock_fd == SIM_FD0 + i)
        sim->fds[i].node->lock_fd = 0;
    free(sim->fds[i].path);
    sim->fds[i] = (struct sim_fd){0};
}

static int sim_close(void *ctx, int fd)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_CLOSE, &kind);

    if (get_fd(sim, fd) == NULL)
        return leave(sim, -EBADF);
    close_fd(sim, fd - SIM_FD0); /* Linux closes it even when it says EIO */
    return leave(sim, rc);
}

static ssize_t sim_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_PREAD, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (rc == 0 && f == NULL)
        rc = -EBADF;
    if (rc < 0)
        return leave(sim, rc);
    struct sim_node *node = f->node;
    if ((f->flags & O_DIRECT) && ((uintptr_t)buf % 512 != 0 || off % 512 != 0 || len % 512 != 0))
        return leave(sim, -EINVAL);
    size_t n = off >= node->live_size ? 0 : (size_t)(node->live_size - off);
    if (n > len)
        n = len;
    for (size_t i = 0; i < n;) {
        size_t page = (size_t)(off + i) / SIM_PAGE;
        size_t stop = (page + 1) * SIM_PAGE - (size_t)off;
        size_t part = (stop < n ? stop : n) - i;
        /* O_DIRECT writes dirty pages back first, and reads the device */
        if ((f->flags & O_DIRECT) && node->dirty[page])
            sim_flush_page(node, page);
        memcpy((uint8_t *)buf + i, ((f->flags & O_DIRECT) ? node->durable : node->live) + off + i, part);
        i += part;
    }
    (void)leave(sim, 0);
    return (ssize_t)n;
}

static size_t take_space(struct vfs_sim *sim, const struct sim_node *node, size_t len, uint64_t off)
{
    uint64_t grow = off + len > node->live_size ? off + len - node->live_size : 0;

    if (sim->used > sim->space)
        return 0;
    if (grow > sim->space - sim->used) {
        uint64_t lack = grow - (sim->space - sim->used);
        len = lack < len ? len - (size_t)lack : 0;
        grow = sim->space - sim->used;
    }
    sim->used += grow;
    return len;
}

static void write_bytes(struct vfs_sim *sim, struct sim_node *node, const void *buf, size_t len, uint64_t off)
{
    if (len == 0)
        return;
    sim_grow(node, off + len);
    memcpy(node->live + off, buf, len);
    for (size_t page = (size_t)off / SIM_PAGE; page <= (size_t)(off + len - 1) / SIM_PAGE; page++)
        node->dirty[page] = 1;
    if (off + len > node->live_size)
        sim_resize(node, off + len, false);
    /* the kernel writes back when it likes; the page stays dirty here because its size or neighbours may not be there */
    if (sim_random(sim) % 16 == 0)
        sim_flush_page(node, (size_t)off / SIM_PAGE);
}

static ssize_t sim_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_PWRITE, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (f == NULL)
        return leave(sim, -EBADF);
    if (rc < 0 && (kind == VFS_FAULT_ERROR || kind >= VFS_FAULT_DROP_SYNC || sim->off))
        return leave(sim, rc);
    size_t want = rc < 0 ? len / 2 : len;
    size_t n = take_space(sim, f->node, want, off);
    write_bytes(sim, f->node, buf, n, off);
    if (rc < 0 && kind == VFS_FAULT_TORN)
        return leave(sim, rc);
    (void)leave(sim, 0);
    return n == 0 && want > 0 ? -ENOSPC : (ssize_t)n;
}

static void lose_pages(struct sim_node *node, enum vfs_fault_kind kind, size_t page, size_t end)
{
    if (kind != VFS_FAULT_DROP_SYNC && kind != VFS_FAULT_SPOIL_SYNC)
        return;
    for (; page < end; page++) {
        if (node->dirty[page] && kind == VFS_FAULT_SPOIL_SYNC)
            memset(node->durable + page * SIM_PAGE, 0xaa, SIM_PAGE);
        node->dirty[page] = 0;
    }
}

static int sync_fd(struct vfs_sim *sim, enum vfs_op op, int fd)
{
    enum vfs_fault_kind kind;
    int rc = enter(sim, op, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (f == NULL)
        return leave(sim, -EBADF);
    if (rc < 0 && !f->node->is_dir)
        lose_pages(f->node, kind, 0, f->node->cap / SIM_PAGE);
    if (rc == 0) {
        rc = -f->node->late_error;
        f->node->late_error = 0;
    }
    if (rc < 0)
        return leave(sim, rc);
    if (f->node->is_dir)
        sim_sync_dir(sim, f->path);
    else
        sim_sync_node(f->node);
    return leave(sim, 0);
}

static int sim_fdatasync(void *ctx, int fd)
{
    return sync_fd(ctx, VFS_OP_FDATASYNC, fd);
}

static int sim_fsync(void *ctx, int fd)
{
    return sync_fd(ctx, VFS_OP_FSYNC, fd);
}

/* Some of the pages get to the disk before the call returns, the others some time. */
static int sim_write_back(void *ctx, int fd, uint64_t off, uint64_t len)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_WRITE_BACK, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (rc == 0 && f == NULL)
        rc = -EBADF;
    if (f == NULL || sim->off || (rc < 0 && kind == VFS_FAULT_ERROR))
        return leave(sim, rc);
    size_t end = (size_t)((off + len + SIM_PAGE - 1) / SIM_PAGE);
    if (end > f->node->cap / SIM_PAGE)
        end = f->node->cap / SIM_PAGE;
    if (rc < 0) {
        lose_pages(f->node, kind, (size_t)off / SIM_PAGE, end);
        f->node->late_error = -rc;
        return leave(sim, 0);
    }
    for (size_t page = (size_t)off / SIM_PAGE; page < end; page++) {
        if (f->node->dirty[page] && sim_random(sim) % 2 == 0)
            sim_flush_page(f->node, page);
    }
    return leave(sim, 0);
}

static int sim_ftruncate(void *ctx, int fd, uint64_t size)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_FTRUNCATE, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (rc == 0 && f == NULL)
        rc = -EBADF;
    if (rc == 0) {
        uint64_t freed = size < f->node->live_size ? f->node->live_size - size : 0;
        sim->used -= freed < sim->used ? freed : sim->used; /* files put there by the test were not counted */
        sim_resize(f->node, size, true);
        /* the page that holds the new end is zeroed behind it, which dirties it */
        if (size % SIM_PAGE != 0)
            f->node->dirty[size / SIM_PAGE] = 1;
    }
    return leave(sim, rc);
}

static int sim_size(void *ctx, int fd, uint64_t *ret_size)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_SIZE, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (rc == 0 && f == NULL)
        rc = -EBADF;
    if (rc == 0)
        *ret_size = f->node->live_size;
    return leave(sim, rc);
}

static int sim_drop_cache(void *ctx, int fd)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_DROP_CACHE, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (rc == 0 && f == NULL)
        rc = -EBADF;
    if (rc == 0) {
        for (size_t page = 0; page < f->node->cap / SIM_PAGE; page++) {
            if (!f->node->dirty[page])
                memcpy(f->node->live + page * SIM_PAGE, f->node->durable + page * SIM_PAGE, SIM_PAGE);
        }
    }
    return leave(sim, rc);
}

static int sim_mkdir(void *ctx, const char *path, unsigned mode)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_MKDIR, &kind);

    (void)mode;
    if (rc == 0 && sim_find(&sim->live, path) != NULL)
        rc = -EEXIST;
    if (rc == 0) {
        struct sim_node *node = sim_node_new(sim, true);
        sim_set(&sim->live, path, node);
        sim_note_dir_change(sim, NULL, path, node);
    }
    return leave(sim, rc);
}

/* Its name goes. (A descriptor that is still open would keep the space on a real disk; nothing here waits for that.) */
static void give_back(struct vfs_sim *sim, const struct sim_node *node)
{
    uint64_t freed = node != NULL ? node->live_size : 0;
    sim->used -= freed < sim->used ? freed : sim->used;
}

static int sim_unlink(void *ctx, const char *path)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_UNLINK, &kind);

    if (rc == 0 && sim_find(&sim->live, path) == NULL)
        rc = -ENOENT;
    if (rc == 0) {
        give_back(sim, sim_find(&sim->live, path));
        sim_set(&sim->live, path, NULL);
        sim_note_dir_change(sim, path, NULL, NULL);
    }
    return leave(sim, rc);
}

static int sim_rename(void *ctx, const char *from, const char *to)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_RENAME, &kind);
    struct sim_node *node = sim_find(&sim->live, from);

    if (rc == 0 && node == NULL)
        rc = -ENOENT;
    if (rc == 0) {
        give_back(sim, sim_find(&sim->live, to));
        sim_set(&sim->live, from, NULL);
        sim_set(&sim->live, to, node);
        sim_note_dir_change(sim, from, to, node);
    }
    return leave(sim, rc);
}

struct sim_name {
    char *name;
    bool is_dir;
};

/* The names in a folder, copied; with the mutex held. */
static struct sim_name *names_in(const struct vfs_sim *sim, const char *dir, size_t *ret_n)
{
    size_t len = strlen(dir);
    struct sim_name *names = calloc(sim->live.count + 1, sizeof *names);
    if (names == NULL)
        abort();
    *ret_n = 0;
    for (size_t i = 0; i < sim->live.count; i++) {
        const struct sim_entry *e = &sim->live.entries[i];
        if (strncmp(e->path, dir, len) != 0 || e->path[len] != '/' || e->path[len + 1] == '\0' ||
            strchr(e->path + len + 1, '/') != NULL)
            continue;
        struct sim_name n = {.name = strdup(e->path + len + 1), .is_dir = e->node->is_dir};
        if (n.name == NULL)
            abort();
        names[(*ret_n)++] = n;
    }
    return names;
}

/* The callbacks may make file calls: they run without the mutex. */
static int sim_list(void *ctx, const char *dir, vfs_list_fn fn, void *arg)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_LIST, &kind);
    size_t n = 0;

    if (rc == 0 && sim_find(&sim->live, dir) == NULL)
        rc = -ENOENT;
    struct sim_name *names = rc == 0 ? names_in(sim, dir, &n) : NULL;
    rc = leave(sim, rc);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            rc = fn(names[i].name, names[i].is_dir, arg);
        free(names[i].name);
    }
    free(names);
    return rc;
}

static int sim_lock(void *ctx, int fd)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_LOCK, &kind);
    struct sim_fd *f = get_fd(sim, fd);

    if (rc == 0 && f == NULL)
        rc = -EBADF;
    if (rc == 0 && f->node->lock_fd != 0 && f->node->lock_fd != fd)
        rc = -EWOULDBLOCK;
    if (rc == 0)
        f->node->lock_fd = fd;
    return leave(sim, rc);
}

static int sim_fs_info(void *ctx, const char *path, struct vfs_fs_info *ret)
{
    struct vfs_sim *sim = ctx;
    enum vfs_fault_kind kind;
    int rc = enter(sim, VFS_OP_FS_INFO, &kind);

    (void)path;
    if (rc == 0) {
        *ret = sim->fs;
        ret->total_bytes = sim->space;
        ret->free_bytes = sim->space > sim->used ? sim->space - sim->used : 0;
    }
    return leave(sim, rc);
}

struct vfs_sim *vfs_sim_new(uint64_t seed)
{
    struct vfs_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        abort();
    sim->vfs = (struct vfs){
        .ctx = sim,
        .open = sim_open,
        .close = sim_close,
        .pread = sim_pread,
        .pwrite = sim_pwrite,
        .fdatasync = sim_fdatasync,
        .fsync = sim_fsync,
        .write_back = sim_write_back,
        .ftruncate = sim_ftruncate,
        .size = sim_size,
        .drop_cache = sim_drop_cache,
        .mkdir = sim_mkdir,
        .unlink = sim_unlink,
        .rename = sim_rename,
        .list = sim_list,
        .lock = sim_lock,
        .fs_info = sim_fs_info,
    };
    (void)pthread_mutex_init(&sim->mutex, NULL);
    sim->rng = seed;
    sim->space = UINT64_MAX;
    sim->direct_io = true;
    vfs_sim_set_fs(sim, "sim", false, true);
    struct sim_node *root = sim_node_new(sim, true);
    sim_set(&sim->live, "/", root);
    sim_set(&sim->durable, "/", root);
    return sim;
}

const struct vfs *vfs_sim_vfs(struct vfs_sim *sim)
{
    return &sim->vfs;
}
