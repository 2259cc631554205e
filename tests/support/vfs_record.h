/*
 * Any vfs, with a callback after each call: for tests of the order of calls.
 *
 * Layer: tests/support. Thread: as the inner vfs; the callback runs on the caller's thread.
 */
#ifndef LT_SUPPORT_VFS_RECORD_H
#define LT_SUPPORT_VFS_RECORD_H

#include "vfs_sim.h"

struct vfs_call {
    enum vfs_op op;
    const char *path; /* NULL for calls on descriptors */
    int fd;           /* -1 for calls on paths; the new one for open */
    uint64_t off;     /* of pread and pwrite; the size of ftruncate */
    size_t len;
    long long result;
};
typedef void (*vfs_record_fn)(const struct vfs_call *call, void *arg);

struct vfs_record { /* must outlive what uses its vfs */
    struct vfs vfs;
    const struct vfs *inner;
    vfs_record_fn fn;
    void *arg;
};

/* Fills *rec; use &rec->vfs. */
void vfs_record_init(struct vfs_record *rec, const struct vfs *inner, vfs_record_fn fn, void *arg);

#endif
