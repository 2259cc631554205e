/*
 * A file system in memory that forgets: what was not synced may be lost in a power cut, any part of it, in any order.
 *
 * Layer: tests/support. Thread: any (one mutex). Owns: everything; paths are copied.
 * Model: a file has a live image and a durable one, in pages of 4 KiB. A write changes the live image. fdatasync and fsync copy the dirty pages
 *   and the size. A directory's entries are durable after fsync of the directory. A power cut keeps any subset of the dirty pages (some
 *   torn at a sector), a prefix of the size changes and any subset of the directory changes; a rename is kept or lost as one.
 * Errors: as vfs.h; calls in the dark (after vfs_sim_power_off) return -EIO.
 */
#ifndef LT_SUPPORT_VFS_SIM_H
#define LT_SUPPORT_VFS_SIM_H

#include "store/vfs.h"

enum vfs_op {
    VFS_OP_OPEN,
    VFS_OP_CLOSE,
    VFS_OP_PREAD,
    VFS_OP_PWRITE,
    VFS_OP_FDATASYNC,
    VFS_OP_FSYNC,
    VFS_OP_WRITE_BACK,
    VFS_OP_FTRUNCATE,
    VFS_OP_SIZE,
    VFS_OP_DROP_CACHE,
    VFS_OP_MKDIR,
    VFS_OP_UNLINK,
    VFS_OP_RENAME,
    VFS_OP_LIST,
    VFS_OP_LOCK,
    VFS_OP_FS_INFO,
    VFS_OP_COUNT,
};
#define VFS_OP_ANY VFS_OP_COUNT
const char *vfs_op_name(enum vfs_op op);

struct vfs_sim;
struct vfs_sim *vfs_sim_new(uint64_t seed);
void vfs_sim_free(struct vfs_sim *sim);
const struct vfs *vfs_sim_vfs(struct vfs_sim *sim);

/* From now on every call fails with EIO: what a process that is about to be dead would see. Then cut: choose what is left by the
 * sim's random numbers; descriptors and locks are gone, and the sim goes on from there. */
void vfs_sim_power_off(struct vfs_sim *sim);
void vfs_sim_power_cut(struct vfs_sim *sim);
/* The process died, the kernel did not: descriptors and locks are gone, the page cache stays. */
void vfs_sim_process_death(struct vfs_sim *sim);

enum vfs_fault_kind {
    VFS_FAULT_ERROR, /* nothing is done */
    VFS_FAULT_SHORT, /* pwrite: half of the bytes are written and that is what it returns; once more it may go well */
    VFS_FAULT_TORN,  /* pwrite: half of the bytes are written, and an error returned */
    VFS_FAULT_DROP_SYNC,  /* fdatasync, fsync: an error, and the dirty pages are clean but not on the disk */
    VFS_FAULT_SPOIL_SYNC, /* the same, and what is on the disk in their place is spoilt */
    /* Of write_back, DROP_SYNC and SPOIL_SYNC are kept quiet: the pages are lost, and the file's next sync is told. */
};
/* Fail the nth (from 1) call of op (or of any) from now on. */
void vfs_sim_fail(struct vfs_sim *sim, enum vfs_op op, uint64_t nth, enum vfs_fault_kind kind, int error, bool forever);
void vfs_sim_heal(struct vfs_sim *sim);
/* Calls of op (or of any) so far; whether the planned fault was met. */
uint64_t vfs_sim_calls(struct vfs_sim *sim, enum vfs_op op);
bool vfs_sim_failed(struct vfs_sim *sim);
/* Writes past this many bytes of file data in all fail with ENOSPC; UINT64_MAX: no limit. */
void vfs_sim_set_space(struct vfs_sim *sim, uint64_t bytes);
/* Called before each call, outside the mutex; may sleep. */
void vfs_sim_on_call(struct vfs_sim *sim, void (*fn)(enum vfs_op op, void *arg), void *arg);
void vfs_sim_set_fs(struct vfs_sim *sim, const char *type, bool unsafe, bool direct_io);

unsigned vfs_sim_open_fds(struct vfs_sim *sim);
/* For tests that damage or look: the live bytes and the size, both images; set replaces both. Paths as the store uses them. */
bool vfs_sim_get(struct vfs_sim *sim, const char *path, const uint8_t **ret_data, size_t *ret_len);
bool vfs_sim_get_durable(struct vfs_sim *sim, const char *path, const uint8_t **ret_data, size_t *ret_len);
void vfs_sim_put(struct vfs_sim *sim, const char *path, const void *data, size_t len); /* makes folders as needed */
void vfs_sim_remove(struct vfs_sim *sim, const char *path);

#endif
