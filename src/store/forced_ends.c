/*
 * NAME.ends: ends of transactions that only the source's ACK flag told.
 *
 *   record, 16 bytes, little-endian:  offset of the end:8 | 0:4 | CRC-32 of the 12 bytes before:4
 *
 * - Where the tracker sees no end and the source asks for an ACK, the store takes the source's word, and the ACK may go out for that
 *   place. The bytes alone do not say so: a recovery would come to a watermark below what was acknowledged. So the place is written
 *   down and synced before the sync that covers it counts.
 * - It costs the sync a second file, in this case only; a source that never contradicts us has no such file.
 * - Records ascend. Those behind the end of a file that is cut are dropped.
 *
 * Failure: as any sync: nothing advances. A torn last record is no record.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "binlog/crc32.h"
#include "store/store_internal.h"

#define RECORD_LEN 16

static void record_encode(uint8_t rec[RECORD_LEN], uint64_t end)
{
    store_u64(rec, end);
    store_u32(rec + 8, 0);
    store_u32(rec + 12, crc32_update(0, rec, 12));
}

int forced_ends_note(struct forced_ends *e, uint64_t end)
{
    if (e->count == e->cap) {
        size_t cap = e->cap > 0 ? 2 * e->cap : 16;
        uint64_t *grown = reallocarray(e->ends, cap, sizeof *grown);
        if (grown == NULL)
            return LT_ENOMEM;
        e->ends = grown;
        e->cap = cap;
    }
    e->ends[e->count++] = end;
    return 0;
}

bool forced_ends_has(const struct forced_ends *e, uint64_t end)
{
    size_t lo = 0;
    size_t hi = e->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (e->ends[mid] < end)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < e->count && e->ends[lo] == end;
}

void forced_ends_fini(const struct vfs *vfs, struct forced_ends *e)
{
    if (e->fd >= 0)
        (void)vfs->close(vfs->ctx, e->fd);
    free(e->ends);
    *e = (struct forced_ends){.fd = -1};
}

static int open_file(const struct vfs *vfs, const struct lineage *lin, const char *file, int flags, int *ret_fd,
                     struct lt_err *err)
{
    char *path = store_path(lin->path, file, ENDS_SUFFIX);
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "%s" ENDS_SUFFIX, file);
    int rc = 0;
    *ret_fd = vfs->open(vfs->ctx, path, flags, 0640);
    if (*ret_fd == -ENOENT && !(flags & O_CREAT))
        rc = LT_ENOTFOUND;
    else if (*ret_fd < 0)
        rc = store_sys_err(err, *ret_fd, "open %s", path);
    free(path);
    return rc;
}

static int write_records(const struct vfs *vfs, struct forced_ends *e, const char *file, struct lt_err *err)
{
    uint8_t rec[RECORD_LEN];
    int rc = 0;

    for (size_t i = e->written; rc == 0 && i < e->count; i++) {
        record_encode(rec, e->ends[i]);
        rc = vfs_pwrite_full(vfs, e->fd, rec, sizeof rec, i * RECORD_LEN);
    }
    if (rc < 0)
        return store_sys_err(err, rc, "write %s" ENDS_SUFFIX, file);
    rc = vfs->fdatasync(vfs->ctx, e->fd);
    if (rc < 0)
        return store_sync_err(err, rc, "fdatasync %s" ENDS_SUFFIX, file);
    e->written = e->count;
    return 0;
}

int forced_ends_sync(const struct vfs *vfs, const struct lineage *lin, const char *file, struct forced_ends *e,
                     struct lt_err *err)
{
    int rc = 0;

    if (e->written == e->count)
        return 0;
    if (e->fd < 0) {
        rc = open_file(vfs, lin, file, O_RDWR | O_CREAT, &e->fd, err);
        e->there = e->there || rc == 0;
        if (rc == 0)
            rc = store_fsync_dir(vfs, lin->path, err);
    }
    return rc == 0 ? write_records(vfs, e, file, err) : rc;
}

static int read_records(const struct vfs *vfs, struct forced_ends *e, const char *file, struct lt_err *err)
{
    uint8_t rec[RECORD_LEN];

    for (uint64_t off = 0;; off += RECORD_LEN) {
        ssize_t n = vfs_pread_full(vfs, e->fd, rec, sizeof rec, off);
        if (n < 0)
            return store_sys_err(err, (int)n, "read %s" ENDS_SUFFIX, file);
        uint64_t end = load_u64(rec);
        if (n != RECORD_LEN || load_u32(rec + 12) != crc32_update(0, rec, 12) ||
            (e->count > 0 && end <= e->ends[e->count - 1]))
            return 0;
        if (forced_ends_note(e, end) < 0)
            return lt_err_set(err, LT_ENOMEM, "%s" ENDS_SUFFIX, file);
    }
    return 0;
}

int forced_ends_load(const struct vfs *vfs, const struct lineage *lin, const char *file, bool for_writing,
                     struct forced_ends *e, struct lt_err *err)
{
    *e = (struct forced_ends){.fd = -1};
    int rc = open_file(vfs, lin, file, for_writing ? O_RDWR : O_RDONLY, &e->fd, err);
    if (rc == LT_ENOTFOUND) {
        e->fd = -1;
        return 0;
    }
    if (rc < 0) {
        e->fd = -1;
        return rc;
    }
    e->there = true;
    int sys = for_writing ? vfs->fdatasync(vfs->ctx, e->fd) : 0; /* what is read here may be served at once */
    if (sys == 0)
        sys = vfs->drop_cache(vfs->ctx, e->fd);
    if (sys < 0) {
        rc = store_sys_err(err, sys, "read %s" ENDS_SUFFIX, file);
        rc = store_only_lacks(rc) || !for_writing ? rc : LT_ESYNC;
    } else {
        rc = read_records(vfs, e, file, err);
        e->written = e->count;
    }
    if (rc < 0 || !for_writing) {
        (void)vfs->close(vfs->ctx, e->fd);
        e->fd = -1;
    }
    return rc;
}

/* All of them anew: a failed sync may have spoilt the page that the older ones are in. */
int forced_ends_cut(const struct vfs *vfs, const struct lineage *lin, const char *file, struct forced_ends *e,
                    uint64_t end, struct lt_err *err)
{
    while (e->count > 0 && e->ends[e->count - 1] > end)
        e->count--;
    if (!e->there) {
        e->written = e->count;
        return 0;
    }
    if (e->fd >= 0) /* it may lack since the try before this one */
        (void)vfs->close(vfs->ctx, e->fd);
    e->written = 0;
    int rc = open_file(vfs, lin, file, O_RDWR | O_CREAT, &e->fd, err);
    if (rc < 0)
        return rc;
    int sys = vfs->ftruncate(vfs->ctx, e->fd, e->count * RECORD_LEN);
    return sys < 0 ? store_sys_err(err, sys, "cut %s" ENDS_SUFFIX, file) : write_records(vfs, e, file, err);
}
