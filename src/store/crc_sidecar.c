/*
 * NAME.crc: what proves the bytes of a file whose events carry no checksum.
 *
 *   record, 24 bytes, little-endian:  offset:8 (always 4) | length:8 | CRC-32 of [offset, offset + length):4 | CRC-32 of the 20 bytes before:4
 *
 * - Each sync of such a file appends one record for all of [4, end), after the data's sync and before anything counts as durable.
 *   Ranges that all begin at 4 need one running CRC, and any end can be proved again by one new record.
 * - A record therefore says: a sync of these bytes returned 0. Data that contradict it are damage, not a torn tail.
 * - Where the data is cut below the last record, the sidecar is first replaced as a whole (temporary file, rename), so that
 *   no record ever speaks of bytes that were cut on purpose.
 *
 * - `covered` in memory is never less than what a record on the disk may speak of: after a failure too, so that a repair knows what it may cut
 *   before it has replaced the sidecar. A disk without room for that still has room for nothing else than cutting.
 *
 * Failure: as any sync: nothing advances. A torn last record is no record.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/crc32.h"
#include "store/store_internal.h"

#define RECORD_LEN 24

static void record_encode(uint8_t rec[RECORD_LEN], uint64_t end, uint32_t crc)
{
    store_u64(rec, BINLOG_MAGIC_LEN);
    store_u64(rec + 8, end - BINLOG_MAGIC_LEN);
    store_u32(rec + 16, crc);
    store_u32(rec + 20, crc32_update(0, rec, 20));
}

static bool record_decode(const uint8_t rec[RECORD_LEN], struct sidecar_record *ret)
{
    uint64_t length = load_u64(rec + 8);

    if (load_u32(rec + 20) != crc32_update(0, rec, 20) || load_u64(rec) != BINLOG_MAGIC_LEN || length > INT64_MAX)
        return false;
    ret->end = BINLOG_MAGIC_LEN + length;
    ret->crc = load_u32(rec + 16);
    return true;
}

/* Write the new content to a temporary file; its descriptor, good for the renamed file as well. */
static int write_tmp(const struct vfs *vfs, const char *tmp, uint64_t end, uint32_t crc, uint64_t *ret_len,
                     struct lt_err *err)
{
    uint8_t rec[RECORD_LEN];
    int rc = 0;
    int fd = vfs->open(vfs->ctx, tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
    if (fd < 0)
        return store_sys_err(err, fd, "create %s", tmp);
    *ret_len = 0;
    if (end > BINLOG_MAGIC_LEN) {
        record_encode(rec, end, crc);
        rc = vfs_pwrite_full(vfs, fd, rec, sizeof rec, 0);
        *ret_len = sizeof rec;
    }
    if (rc < 0)
        rc = store_sys_err(err, rc, "write %s", tmp);
    else if ((rc = vfs->fsync(vfs->ctx, fd)) < 0)
        rc = store_sync_err(err, rc, "fsync %s", tmp);
    if (rc < 0) {
        (void)vfs->close(vfs->ctx, fd);
        (void)vfs->unlink(vfs->ctx, tmp); /* a full disk wants its block back */
    }
    return rc < 0 ? rc : fd;
}

int sidecar_rebuild(const struct vfs *vfs, const struct lineage *lin, const char *file, uint64_t end, uint32_t crc,
                    struct sidecar *side, struct lt_err *err)
{
    char *path = store_path(lin->path, file, SIDECAR_SUFFIX);
    char *tmp = store_path(lin->path, file, SIDECAR_SUFFIX ".tmp");
    uint64_t len = 0;
    int ret;

    if (path == NULL || tmp == NULL) {
        ret = lt_err_set(err, LT_ENOMEM, "sidecar of %s", file);
        goto out;
    }
    int fd = write_tmp(vfs, tmp, end, crc, &len, err);
    if (fd < 0) {
        ret = fd;
        goto out;
    }
    if (side->covered < end)
        side->covered = end; /* the name may have changed even where the call fails */
    ret = vfs->rename(vfs->ctx, tmp, path);
    ret = ret < 0 ? store_sys_err(err, ret, "rename %s", tmp) : store_fsync_dir(vfs, lin->path, err);
    if (ret < 0) {
        (void)vfs->close(vfs->ctx, fd);
        goto out;
    }
    if (side->fd >= 0)
        (void)vfs->close(vfs->ctx, side->fd);
    side->fd = fd;
    side->len = len;
    side->covered = end;
out:
    free(path);
    free(tmp);
    return ret;
}

int sidecar_reuse(const struct vfs *vfs, const struct lineage *lin, const char *file, size_t records, uint64_t end,
                  struct sidecar *side, struct lt_err *err)
{
    char *path = store_path(lin->path, file, SIDECAR_SUFFIX);
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "sidecar of %s", file);
    int fd = vfs->open(vfs->ctx, path, O_RDWR, 0);
    int rc = fd < 0 ? fd : vfs->ftruncate(vfs->ctx, fd, records * RECORD_LEN);
    if (rc < 0)
        rc = store_sys_err(err, rc, "cut %s", path);
    else if ((rc = vfs->fdatasync(vfs->ctx, fd)) < 0)
        rc = store_sync_err(err, rc, "fdatasync %s", path);
    else
        *side = (struct sidecar){.fd = fd, .len = records * RECORD_LEN, .covered = end};
    if (rc < 0 && fd >= 0)
        (void)vfs->close(vfs->ctx, fd);
    free(path);
    return rc;
}

int sidecar_remove(const struct vfs *vfs, const struct lineage *lin, const char *file, struct lt_err *err)
{
    char *path = store_path(lin->path, file, SIDECAR_SUFFIX);
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "sidecar of %s", file);
    int rc = vfs->unlink(vfs->ctx, path);
    if (rc == 0)
        rc = store_fsync_dir(vfs, lin->path, err);
    else
        rc = rc == -ENOENT ? 0 : store_sys_err(err, rc, "remove %s", path);
    free(path);
    return rc;
}

int sidecar_sync(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    uint8_t rec[RECORD_LEN];
    int rc;

    if (seg->side.fd < 0)
        return sidecar_rebuild(s->vfs, seg->node->lineage, seg->node->file, seg->appended, seg->crc_run, &seg->side,
                               err);
    record_encode(rec, seg->appended, seg->crc_run);
    rc = vfs_pwrite_full(s->vfs, seg->side.fd, rec, sizeof rec, seg->side.len);
    if (rc == 0) {
        seg->side.covered = seg->appended;
        rc = s->vfs->fdatasync(s->vfs->ctx, seg->side.fd);
    }
    if (rc < 0) {
        rc = store_sys_err(err, rc, "write %s" SIDECAR_SUFFIX, seg->path);
        return store_only_lacks(rc) ? rc : LT_ESYNC;
    }
    seg->side.len += sizeof rec;
    return 0;
}

static int load_fd(const struct vfs *vfs, int fd, struct sidecar_record **ret, size_t *ret_count, bool *ret_whole,
                   struct lt_err *err)
{
    uint64_t size = 0;
    int rc = vfs->fdatasync(vfs->ctx, fd); /* what is read here is believed at once: the disk must have it */
    if (rc < 0)
        return store_sync_err(err, rc, "fdatasync sidecar");
    rc = vfs->drop_cache(vfs->ctx, fd);
    if (rc == 0)
        rc = vfs->size(vfs->ctx, fd, &size);
    if (rc < 0)
        return store_sys_err(err, rc, "sidecar");
    size_t max = (size_t)(size / RECORD_LEN);
    struct sidecar_record *recs = calloc(max + 1, sizeof *recs);
    size_t n = 0;
    if (recs == NULL)
        return lt_err_set(err, LT_ENOMEM, "sidecar of %zu records", max);
    for (; n < max; n++) {
        uint8_t rec[RECORD_LEN];
        ssize_t got = vfs_pread_full(vfs, fd, rec, sizeof rec, (uint64_t)n * RECORD_LEN);
        if (got < 0) {
            free(recs);
            return store_sys_err(err, (int)got, "read sidecar");
        }
        if (got != RECORD_LEN || !record_decode(rec, &recs[n]) || (n > 0 && recs[n].end < recs[n - 1].end))
            break;
    }
    *ret = recs;
    *ret_count = n;
    *ret_whole = size <= (n + 1) * RECORD_LEN;
    return 0;
}

int sidecar_load(const struct vfs *vfs, const struct lineage *lin, const char *file, struct sidecar_record **ret,
                 size_t *ret_count, bool *ret_whole, struct lt_err *err)
{
    char *path = store_path(lin->path, file, SIDECAR_SUFFIX);
    int rc;

    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "sidecar of %s", file);
    int fd = vfs->open(vfs->ctx, path, O_RDONLY, 0);
    if (fd == -ENOENT)
        rc = LT_ENOTFOUND;
    else if (fd < 0)
        rc = store_sys_err(err, fd, "open %s", path);
    else {
        rc = load_fd(vfs, fd, ret, ret_count, ret_whole, err);
        (void)vfs->close(vfs->ctx, fd);
    }
    free(path);
    return rc;
}
