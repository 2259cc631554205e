/*
 * A table of file calls around another one that knows since when its writer has been inside one: a disk that hangs in any call is seen,
 * also in one that is added later.
 *
 * Layer: store. Thread: the calls from any; only those of the writer count. One thread is the writer at a time; since and slow are for any.
 * Owns: nothing. Borrows: the inner table. Errors: those of the inner table.
 * Units: microseconds of clock_mono_us().
 */
#ifndef LT_STORE_VFS_WATCH_H
#define LT_STORE_VFS_WATCH_H

#include <stdatomic.h>

#include "store/vfs.h"

struct vfs_watch {
    struct vfs vfs; /* what is called */
    const struct vfs *inner;
    _Atomic uintptr_t writer; /* names a thread */
    unsigned depth;           /* the writer's: operations and calls it is inside of */
    _Atomic uint64_t since;   /* when the outermost began; 0: it is in none */
    _Atomic uint64_t slow;    /* that took longer than slow_us */
    uint64_t slow_us;
    _Atomic uint64_t *progress; /* NULL, or counts the calls of all threads that have returned */
};

/* The calling thread is the writer until another one says so. */
void vfs_watch_init(struct vfs_watch *w, const struct vfs *inner, uint64_t slow_us, _Atomic uint64_t *progress);
void vfs_watch_writer(struct vfs_watch *w);

/* An operation of several calls, measured as one. Not the writer: nothing. */
void vfs_watch_begin(struct vfs_watch *w);
void vfs_watch_end(struct vfs_watch *w);

#endif
