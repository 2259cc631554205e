/*
 * A disk that a test can fill, freeze and break under a running daemon: a small ext4 file system on a loop device, where the kernel lets us
 * mount one, and a library (disk_shim.c) between the daemon and its file calls for what a real disk does not do on request.
 *
 * Layer: tests/support. Thread: one at a time. Call disk_private_mounts first in main, before threads and children.
 * Owns: the image, the mount (in a mount namespace of the test's own, so that it goes with the test), a child that thaws the file system
 *   when the test dies.
 * Errors: what a test cannot go on without ends it. Without the right to mount, full and frozen are the library's too: the tests run
 *   either way.
 */
#ifndef LT_SUPPORT_DISK_H
#define LT_SUPPORT_DISK_H

#include "proc.h"

struct disk;

/* True when disks will be real file systems. */
bool disk_private_mounts(void);

struct disk *disk_new(unsigned mib);
/* Undoes every fault. The daemon on it must have ended. NULL is fine. */
void disk_free(struct disk *d);

/* A file system of its own: what is removed from it makes room. The library alone knows only full or not. */
bool disk_is_real(const struct disk *d);
/* The folder for a store. */
const char *disk_dir(const struct disk *d);
/* For daemon_options.wrapper: puts the library before the daemon. */
char *const *disk_wrapper(const struct disk *d);

/* Leave room for about so many MiB of the disk; then take so many MiB of the filling away, or all of it. */
void disk_fill(struct disk *d, unsigned leave_mib);
void disk_make_some_room(struct disk *d, unsigned mib);
void disk_make_room(struct disk *d);
/* Writes and syncs hang until the thaw. */
void disk_freeze(struct disk *d);
void disk_thaw(struct disk *d);
/*
 * The power goes: the file system is shut down on the spot, its journal not flushed, what was not synced is lost. Every call fails from then on.
 * disk_power_back, once the daemon is dead, unmounts it and mounts it again, which replays the journal. The library alone lets every write and
 * sync fail in between; what was written stays there.
 * Stop the daemon (SIGSTOP) before, as the power would: a sync that is under way when an ext4 is shut down may return 0 and be lost (a file that
 * grows: its end in the journal is given up in silence), and nothing may leave the machine after that.
 */
void disk_cut_power(struct disk *d);
void disk_power_back(struct disk *d);
/* The next `times` syncs fail with EIO, without syncing (0: none any more). */
void disk_fail_syncs(struct disk *d, unsigned times);
/* Confirm syncs without doing them, as a cache that loses its content with the power does. */
void disk_lie(struct disk *d, bool lie);
/* Honest syncs take at least so long: a file system in memory needs no time at all. */
void disk_sync_takes(struct disk *d, unsigned us);
/* How many failed so far. */
unsigned disk_failed_syncs(const struct disk *d);

#endif
