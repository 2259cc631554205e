/*
 * Free space of a file system, asked on a thread of its own: a file system that hangs holds that thread and nobody else.
 *
 * Layer: ops/watch. Thread: start, get and stop from one thread. Owns: a copy of the path. Errors: start: LT_ENOMEM, LT_ESYS.
 * stop never waits: a thread that hangs ends by itself when the file system does.
 */
#ifndef LT_OPS_DISK_PROBE_H
#define LT_OPS_DISK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define DISK_PROBE_PERIOD_US 1000000u
#define DISK_PROBE_FRESH_US  5000000u

struct disk_probe;

/* 0 and the free bytes, or -1. May block for ever. */
typedef int (*disk_probe_fn)(const char *path, uint64_t *ret_free_bytes);

/* fn NULL: statvfs(2). */
int disk_probe_start(const char *path, disk_probe_fn fn, struct disk_probe **ret, struct lt_err *err) LT_MUST_CHECK;
void disk_probe_stop(struct disk_probe *p); /* NULL is fine */
/* False when the last answer is older than DISK_PROBE_FRESH_US, or none came. */
bool disk_probe_get(struct disk_probe *p, uint64_t *ret_free_bytes);

#endif
