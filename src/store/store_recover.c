/*
 * From what a crash left to a store that can go on.
 *
 * - The directories are listed; older files are taken as they are, the newest is looked at.
 * - What the kernel still holds of it is synced and dropped from the cache, so that the disk is read and not a stale page.
 * - Its events are walked. Behind the last whole, valid event the file is cut; whole events of an unfinished transaction stay, beyond the
 *   watermark. A file without a whole FDE is removed and the one before looked at in its place.
 * - File and directory are synced even when nothing was cut: what was read may have been in the cache only.
 * - The executed set: the file's list event plus its transactions; without a list event, that of the files before.
 *
 * Why the first invalid event is where to cut, though valid ones may follow: in a file with checksums nothing says how far syncs
 *   came, and after a crash any subset of the unsynced pages may be there. The bytes at fault were never covered by a sync that returned
 *   0, or that sync was a lie, or the medium rotted. The append path never leaves more than STORE_UNSYNCED_MAX unsynced; so with more data
 *   than twice that behind the fault it is damage for certain, and the file is not touched (LT_ECORRUPT). Below that, cutting is safe for history: the
 *   next connection fetches the bytes again from the source, or says that it cannot.
 * Files without checksums are proved by their sidecar: what a record covers was synced, so a contradiction is LT_ECORRUPT.
 *
 * Failure: LT_ESYS and LT_ESYNC leave the files as they are or cut; opening again is safe. Damage in sealed files is reported, never cut,
 *   but for zeros behind the last-but-one file's end while the newest holds no transaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/scan.h"
#include "store/store_recover.h"

#define DAMAGE_MIN (2ULL * STORE_UNSYNCED_MAX)

static int open_file(struct store *s, const struct found *f, int flags, uint64_t *ret_size, struct lt_err *err)
{
    char *path = store_path(f->lineage->path, f->file, "");
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "%s", f->file);
    int fd = s->vfs->open(s->vfs->ctx, path, flags, 0);
    int rc = fd;
    if (fd >= 0)
        rc = s->vfs->size(s->vfs->ctx, fd, ret_size);
    if (rc < 0) {
        fd = fd >= 0 ? (s->vfs->close(s->vfs->ctx, fd), -1) : -1;
        rc = store_sys_err(err, rc, "open %s", path);
    }
    free(path);
    return rc < 0 ? rc : fd;
}

static void note_damage(struct store *s, const struct found *f, const char *what, uint64_t off)
{
    if (s->recovery.sealed_damage)
        return;
    s->recovery.sealed_damage = true;
    (void)snprintf(s->recovery.damage, sizeof s->recovery.damage, "%.180s: %s at offset %llu", f->file, what,
                   (unsigned long long)off);
}

/* The sidecar's records against the data: how far the file is proved. */
static int prove_by_sidecar(struct store *s, const struct found *f, int fd, uint64_t *ret_covered, struct lt_err *err)
{
    struct sidecar_record *recs = NULL;
    size_t count = 0;
    uint64_t at = BINLOG_MAGIC_LEN;
    uint32_t crc = 0;
    int rc = sidecar_load(s->vfs, f->lineage, f->file, &recs, &count, err);
    if (rc == LT_ENOTFOUND)
        rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = scan_crc(s->vfs, fd, at, recs[i].end, &crc, err);
        if (rc < 0) {
            (void)lt_err_wrap(err, "%s: synced bytes, proved by the sidecar", f->file);
        } else if (crc != recs[i].crc) {
            rc = lt_err_set(err, LT_ECORRUPT, "%s: bytes %llu to %llu were synced and are not what they were", f->file,
                            (unsigned long long)at, (unsigned long long)recs[i].end);
        } else {
            at = recs[i].end;
        }
    }
    free(recs);
    if (rc == 0)
        *ret_covered = at;
    return rc;
}

static int check_magic(struct store *s, const struct found *f, int fd, uint64_t size, bool *ret_ok, struct lt_err *err)
{
    uint8_t magic[BINLOG_MAGIC_LEN] = {0};
    ssize_t n = vfs_pread_full(s->vfs, fd, magic, sizeof magic, 0);
    if (n < 0)
        return store_sys_err(err, (int)n, "read %s", f->file);
    *ret_ok = n == BINLOG_MAGIC_LEN && memcmp(magic, binlog_magic, BINLOG_MAGIC_LEN) == 0;
    /* It was synced before anything was appended, so data behind a bad one is damage. */
    uint64_t data_end = BINLOG_MAGIC_LEN;
    int rc = 0;
    if (!*ret_ok && size > BINLOG_MAGIC_LEN)
        rc = scan_data_end(s->vfs, fd, BINLOG_MAGIC_LEN, size, &data_end, err);
    if (rc == 0 && data_end > BINLOG_MAGIC_LEN)
        rc = lt_err_set(err, LT_ECORRUPT, "%s does not begin as a binlog file", f->file);
    return rc;
}

static int walk_newest(struct store *s, const struct found *f, struct scan *sc, uint64_t size, struct lt_err *err)
{
    bool magic_ok = false;
    int rc = check_magic(s, f, sc->fd, size, &magic_ok, err);
    if (rc < 0 || !magic_ok)
        return rc;
    rc = scan_step(sc, err);
    if (rc == 0 && sc->now.trk.have_fde && !tail_has_crc(&sc->now)) {
        rc = prove_by_sidecar(s, f, sc->fd, &sc->limit, err);
        if (rc == 0 && sc->limit < sc->now.trk.offset)
            sc->limit = sc->now.trk.offset;
    }
    return rc == 0 ? scan_all(sc, err) : rc;
}

/* What is behind the last valid event, and whether it may be cut. */
static int judge_tail(struct store *s, const struct found *f, const struct scan *sc, uint64_t size, struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    uint64_t data_end = end;
    int rc = size > end ? scan_data_end(s->vfs, sc->fd, end, size, &data_end, err) : 0;
    if (rc < 0)
        return rc;
    if (data_end - end > DAMAGE_MIN)
        return lt_err_set(err, LT_ECORRUPT, "%s: damaged at offset %llu with %llu bytes of data behind it; not cut",
                          f->file, (unsigned long long)end, (unsigned long long)(data_end - end));
    s->recovery.cut_bytes += data_end - end;
    return 0;
}

static int remove_file(struct store *s, const struct found *f, struct lt_err *err)
{
    static const char *const suffixes[] = {SIDECAR_SUFFIX, ""};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *path = store_path(f->lineage->path, f->file, suffixes[i]);
        if (path == NULL)
            return lt_err_set(err, LT_ENOMEM, "%s", f->file);
        int rc = s->vfs->unlink(s->vfs->ctx, path);
        free(path);
        if (rc < 0 && rc != -ENOENT)
            return store_sys_err(err, rc, "remove %s", f->file);
    }
    s->recovery.removed_files++;
    return store_fsync_dir(s->vfs, f->lineage->path, err);
}

/* Cut and sync. The sidecar first: it must never speak of bytes that are cut. */
static int settle_file(struct store *s, const struct found *f, const struct scan *sc, uint64_t size, struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    int rc = 0;

    if (!tail_has_crc(&sc->now))
        rc = sidecar_rebuild(s->vfs, f->lineage, f->file, end, sc->now.crc, &s->seg.side, err);
    if (rc == 0 && size > end) {
        rc = s->vfs->ftruncate(s->vfs->ctx, sc->fd, end);
        if (rc < 0)
            return store_sys_err(err, rc, "cut %s", f->file);
    }
    if (rc < 0)
        return rc;
    rc = s->vfs->fsync(s->vfs->ctx, sc->fd);
    if (rc < 0) {
        (void)store_sys_err(err, rc, "fsync %s", f->file);
        return LT_ESYNC;
    }
    return store_fsync_dir(s->vfs, f->lineage->path, err);
}

static int adopt(struct store *s, const struct found *f, const struct scan *sc, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    uint64_t end = sc->now.trk.offset;

    seg->path = store_path(f->lineage->path, f->file, "");
    struct seg_node *node = store_add_node(s, f->lineage, f->file, sc->bound.trk.boundary, false);
    if (seg->path == NULL || node == NULL) {
        free(node);
        return lt_err_set(err, LT_ENOMEM, "%s", f->file);
    }
    seg->node = node;
    seg->size = seg->written = seg->appended = seg->durable = end;
    seg->crc_run = sc->now.crc;
    s->now = sc->now;
    s->bound = sc->bound;
    s->wm = sc->bound;
    store_link_node(s, node);
    int rc = page_load(s->vfs, seg->fd, end, &seg->page);
    if (rc == 0)
        rc = page_load(s->vfs, seg->fd, s->wm.trk.boundary, &seg->at_wm);
    seg->at_bound = seg->at_wm;
    return rc < 0 ? store_sys_err(err, rc, "read %s", f->file) : 0;
}

/* One candidate. *ret_done false: it was removed. */
static int recover_file(struct store *s, const struct found *f, struct scan *sc, bool *ret_done, struct lt_err *err)
{
    uint64_t size = 0;
    int fd = open_file(s, f, O_RDWR, &size, err);
    if (fd < 0)
        return fd;
    s->seg.fd = fd; /* released by store_close on every path */
    *ret_done = false;
    int rc = s->vfs->fdatasync(s->vfs->ctx, fd);
    if (rc < 0) {
        (void)store_sys_err(err, rc, "fdatasync %s", f->file);
        return LT_ESYNC;
    }
    rc = s->vfs->drop_cache(s->vfs->ctx, fd);
    if (rc < 0)
        return store_sys_err(err, rc, "drop cache of %s", f->file);
    gtid_set_clear(&s->gtids);
    rc = scan_init(sc, s->vfs, fd, size, &s->gtids, err);
    if (rc == 0)
        rc = walk_newest(s, f, sc, size, err);
    if (rc == 0)
        rc = judge_tail(s, f, sc, size, err);
    if (rc < 0)
        return rc;
    s->recovery.scanned_bytes += size;
    memcpy(s->recovery.file, f->file, sizeof s->recovery.file);
    if (!sc->now.trk.have_fde) {
        segment_release(s);
        return remove_file(s, f, err);
    }
    *ret_done = true;
    rc = settle_file(s, f, sc, size, err);
    return rc == 0 ? adopt(s, f, sc, err) : rc;
}

/* A sealed file, walked from its start; what is wrong with it is noted. */
static int walk_sealed(struct store *s, const struct found *f, struct gtid_set *gtids, bool to_list_only,
                       bool *ret_list, struct lt_err *err)
{
    struct scan sc;
    uint64_t size = 0;
    int fd = open_file(s, f, O_RDONLY, &size, err);
    if (fd < 0)
        return fd;
    int rc = scan_init(&sc, s->vfs, fd, size, gtids, err);
    while (rc == 0 && !sc.ended && !(to_list_only && (sc.list_seen || sc.now.trk.open || sc.completed > 0)))
        rc = scan_step(&sc, err);
    *ret_list = rc == 0 && sc.list_seen;
    if (rc == 0 && !to_list_only) {
        s->recovery.scanned_bytes += size;
        if (sc.now.trk.offset < size)
            note_damage(s, f, "not a whole, valid event", sc.now.trk.offset);
        if (sc.now.trk.have_last) {
            memcpy(s->last_file, f->file, sizeof s->last_file);
            s->last_start = sc.now.trk.last_start;
            s->last_end = sc.now.trk.last_end;
            s->last_gtid = sc.now.trk.last_gtid;
        }
    }
    scan_fini(&sc);
    (void)s->vfs->close(s->vfs->ctx, fd);
    return rc;
}

/* The newest file (all[n]) has no list event yet: the set comes from the files of its lineage before it. */
static int gtids_from_before(struct store *s, const struct found *all, size_t n, struct lt_err *err)
{
    struct gtid_set base;
    size_t first = n;
    bool list = false;
    int rc = 0;

    gtid_set_init(&base);
    while (rc == 0 && !list && first > 0 && all[first - 1].lineage == all[n].lineage)
        rc = walk_sealed(s, &all[--first], &base, true, &list, err);
    gtid_set_clear(&base);
    for (size_t i = first; rc == 0 && i < n; i++)
        rc = walk_sealed(s, &all[i], &base, false, &list, err);
    if (rc == 0) {
        rc = gtid_set_apply(&base, &s->gtids);
        rc = rc < 0 && rc != LT_EINVAL ? lt_err_set(err, rc, "executed GTID set") : 0;
    }
    if (rc == 0) {
        struct gtid_set old = s->gtids;
        s->gtids = base;
        base = old;
    }
    gtid_set_fini(&base);
    return rc;
}

/* The last-but-one: cheap looks, and a zero tail is cut while nothing depends on it. */
static int check_neighbour(struct store *s, struct found *f, bool newest_is_empty, struct lt_err *err)
{
    uint8_t tail[EVENT_HEADER_LEN];
    struct scan sc;
    uint64_t size = 0;
    uint64_t data_end = 0;
    int fd = open_file(s, f, O_RDWR, &size, err);
    if (fd < 0)
        return fd;
    ssize_t n = size >= sizeof tail ? vfs_pread_full(s->vfs, fd, tail, sizeof tail, size - sizeof tail) : 0;
    int rc = n < 0 ? store_sys_err(err, (int)n, "read %s", f->file) : scan_init(&sc, s->vfs, fd, size, NULL, err);
    if (rc < 0)
        goto out;
    static const uint8_t zeros[sizeof tail];
    if (n == 0 || memcmp(tail, zeros, sizeof tail) == 0) {
        rc = scan_all(&sc, err);
        if (rc == 0)
            rc = scan_data_end(s->vfs, fd, sc.now.trk.offset, size, &data_end, err);
        uint64_t end = sc.now.trk.offset;
        if (rc == 0 && end < size && data_end == end && newest_is_empty && sc.now.trk.have_fde) {
            rc = s->vfs->ftruncate(s->vfs->ctx, fd, end);
            if (rc == 0)
                rc = s->vfs->fsync(s->vfs->ctx, fd);
            if (rc < 0)
                rc = store_sys_err(err, rc, "cut %s", f->file);
            f->size = end;
        } else if (rc == 0 && end != size) {
            note_damage(s, f, "not a whole, valid event", end);
        }
    }
    scan_fini(&sc);
out:
    (void)s->vfs->close(s->vfs->ctx, fd);
    return rc;
}

static int add_older(struct store *s, const struct found *all, size_t n, struct lt_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (store_add_node(s, all[i].lineage, all[i].file, all[i].size, true) == NULL)
            return lt_err_set(err, LT_ENOMEM, "list of files");
        s->sealed_bytes += all[i].size;
    }
    return 0;
}

/* Newest first until one has an FDE. *ret_count: how many files are left; *ret_active: the last of them is the newest file. */
static int find_newest(struct store *s, const struct found *all, size_t *ret_count, bool *ret_active, bool *ret_empty,
                       bool *ret_list, struct lt_err *err)
{
    size_t n = *ret_count;

    *ret_active = false;
    while (n > 0 && all[n - 1].lineage == s->lineage && !*ret_active) {
        struct scan sc = {0};
        int rc = recover_file(s, &all[n - 1], &sc, ret_active, err);
        *ret_empty = !sc.now.trk.have_last && !sc.now.trk.open;
        *ret_list = sc.list_seen;
        scan_fini(&sc);
        if (rc < 0)
            return rc;
        if (!*ret_active)
            n--;
    }
    *ret_count = n;
    return 0;
}

int store_recover(struct store *s, struct lt_err *err)
{
    struct found *all = NULL;
    size_t count = 0;
    bool active = false;
    bool empty = true;
    bool list = false;
    int rc = store_find_files(s, &all, &count, err);
    if (rc == 0)
        rc = find_newest(s, all, &count, &active, &empty, &list, err);
    if (rc < 0)
        goto out;
    size_t older = active ? count - 1 : count;
    struct seg_node *newest = s->tail; /* linked by adopt: it must come last */
    if (active) {
        atomic_store_explicit(&s->head, NULL, memory_order_relaxed);
        s->tail = NULL;
        s->segments = 0;
    }
    if (older > 0)
        rc = check_neighbour(s, &all[older - 1], empty, err);
    int add_rc = add_older(s, all, older, rc == 0 ? err : NULL);
    if (active)
        store_link_node(s, newest);
    if (rc == 0)
        rc = add_rc;
    if (rc == 0 && active && !list)
        rc = gtids_from_before(s, all, older, err);
    if (rc == 0)
        rc = gtid_set_copy(&s->synced.set, &s->gtids);
    s->synced.replace = true;
out:
    free(all);
    return rc;
}
