/*
 * What disk.c and the library in the daemon share: a page in memory, by the file named in LT_DISK_SHIM.
 * Layer: tests/support.
 */
#ifndef LT_SUPPORT_DISK_SHIM_H
#define LT_SUPPORT_DISK_SHIM_H

#include <stdatomic.h>

struct disk_shim {
    atomic_uint fail_syncs;   /* so many syncs fail */
    atomic_uint failed_syncs; /* have failed */
    atomic_uint full;         /* writes that make a file longer fail with ENOSPC */
    atomic_uint frozen;       /* writes and syncs wait */
    atomic_uint lying;        /* syncs are confirmed and not done */
    atomic_uint sync_us;      /* others take at least so long */
    atomic_uint off;          /* writes and syncs fail with EIO */
};

#endif
