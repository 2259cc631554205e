/*
 * From what a crash left to a store that can go on.
 *
 * - The directories are listed; of older files the last of each lineage and the last but one are checked (store_sealed.c), the others taken as
 *   they are; the newest is looked at.
 * - What the kernel still holds of it is synced and dropped from the cache, so that the disk is read and not a stale page.
 * - Its events are walked. Behind the last whole, valid event the file is cut; whole events of an unfinished transaction stay, beyond the
 *   watermark. A file without a whole FDE is removed and the one before looked at in its place.
 * - File and directory are synced even when nothing was cut: what was read may have been in the cache only.
 * - The executed set: the file's list event plus its transactions; without a list event, that of the files before.
 *
 * Why the first invalid event is where to cut, though valid ones may follow: in a file with checksums nothing says how far syncs
 *   came, and after a crash any subset of the unsynced pages may be there. The bytes at fault were never covered by a sync that returned
 *   0, or that sync was a lie, or the medium rotted. store_judge.c tells what cannot come from a crash; such a file is not touched (LT_ECORRUPT).
 *   Cutting the rest is safe for history: the next connection fetches the bytes again from the source, or says that it cannot.
 * Files without checksums are proved by their sidecar: what a record covers was synced, so a contradiction is LT_ECORRUPT.
 * Ends of transactions that only an ACK flag told are read from NAME.ends, so that the watermark is not below what was acknowledged.
 * One window of 1 MiB is all the memory that events take, whatever their size, and each byte is read once (twice without checksums).
 *
 * A full disk: cutting needs no room, and comes first. Where the sidecar cannot be written the store opens broken, readable up to its
 *   watermark, and store_repair() tries again until there is room.
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

int found_open(struct store *s, const struct found *f, int flags, uint64_t *ret_size, struct lt_err *err)
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

static int remove_file(struct store *s, const struct found *f, struct lt_err *err)
{
    static const char *const suffixes[] = {SIDECAR_SUFFIX, ENDS_SUFFIX, ""};

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

static int cut_at(struct store *s, const struct found *f, int fd, uint64_t *size, uint64_t end, struct lt_err *err)
{
    if (*size <= end)
        return 0;
    int rc = s->vfs->ftruncate(s->vfs->ctx, fd, end);
    if (rc < 0)
        return store_sys_err(err, rc, "cut %s", f->file);
    *size = end;
    return 0;
}

/* The sidecar must never speak of bytes that are cut. On a full disk it cannot be written anew: what it does not cover is given back first. */
static int settle_sidecar(struct store *s, const struct found *f, const struct scan *sc, const struct proof *p,
                          uint64_t *size, struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    struct sidecar *side = &s->seg.side;

    side->covered = p->covered;
    int rc = cut_at(s, f, sc->fd, size, p->covered > end ? p->covered : end, err);
    if (rc == 0 && p->covered == end && p->records > 0)
        return sidecar_reuse(s->vfs, f->lineage, f->file, p->records, end, side, err);
    return rc == 0 ? sidecar_rebuild(s->vfs, f->lineage, f->file, end, sc->now.crc, side, err) : rc;
}

/* Cut and sync. */
static int settle_file(struct store *s, const struct found *f, const struct scan *sc, const struct proof *p,
                       uint64_t *size, struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    int rc = tail_has_crc(&sc->now) ? 0 : settle_sidecar(s, f, sc, p, size, err);

    if (rc == 0)
        rc = forced_ends_cut(s->vfs, f->lineage, f->file, &s->seg.ends, end, err);
    if (rc == 0)
        rc = cut_at(s, f, sc->fd, size, end, err);
    if (rc < 0)
        return rc;
    rc = s->vfs->fsync(s->vfs->ctx, sc->fd);
    if (rc < 0)
        return store_sync_err(err, rc, "fsync %s", f->file);
    return store_fsync_dir(s->vfs, f->lineage->path, err);
}

static int adopt(struct store *s, const struct found *f, const struct scan *sc, uint64_t size, struct lt_err *err)
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
    seg->written = seg->appended = seg->durable = end;
    seg->size = size;
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

static int walk_newest(struct store *s, const struct found *f, struct scan *sc, uint64_t size, struct proof *ret,
                       struct lt_err *err)
{
    bool magic_ok = false;
    int rc = check_magic(s, f, sc->fd, size, &magic_ok, err);
    if (rc < 0 || !magic_ok)
        return rc;
    rc = scan_step(sc, err);
    if (rc == 0 && sc->now.trk.have_fde && !tail_has_crc(&sc->now)) {
        rc = prove_by_sidecar(s, f, sc->fd, ret, err);
        sc->limit = ret->covered > sc->now.trk.offset ? ret->covered : sc->now.trk.offset;
    }
    return rc == 0 ? scan_all(sc, err) : rc;
}

/* The file at s->seg.fd as the disk has it, walked and judged. */
static int read_newest(struct store *s, const struct found *f, struct scan *sc, uint64_t size, struct proof *ret,
                       struct lt_err *err)
{
    uint64_t cut = 0;
    int rc = s->vfs->fdatasync(s->vfs->ctx, s->seg.fd);
    if (rc < 0)
        return store_sync_err(err, rc, "fdatasync %s", f->file);
    rc = s->vfs->drop_cache(s->vfs->ctx, s->seg.fd);
    if (rc < 0)
        return store_sys_err(err, rc, "drop cache of %s", f->file);
    gtid_set_clear(&s->gtids);
    rc = forced_ends_load(s->vfs, f->lineage, f->file, true, &s->seg.ends, err);
    if (rc == 0)
        rc = scan_init(sc, s->vfs, s->seg.fd, size, &s->gtids, err);
    sc->ends = &s->seg.ends;
    if (rc == 0)
        rc = walk_newest(s, f, sc, size, ret, err);
    if (rc == 0)
        rc = judge_tail(s, f, sc, ret, size, &cut, err);
    s->recovery.cut_bytes += cut;
    return rc;
}

/* One candidate. *ret_done false: it was removed. */
static int recover_file(struct store *s, const struct found *f, struct scan *sc, bool *ret_done, struct lt_err *err)
{
    struct proof proof = {.covered = BINLOG_MAGIC_LEN};
    uint64_t size = 0;
    int fd = found_open(s, f, O_RDWR, &size, err);
    if (fd < 0)
        return fd;
    s->seg.fd = fd; /* released by store_close on every path */
    *ret_done = false;
    int rc = read_newest(s, f, sc, size, &proof, err);
    if (rc < 0)
        return rc;
    s->recovery.scanned_bytes += size;
    memcpy(s->recovery.file, f->file, sizeof s->recovery.file);
    if (!sc->now.trk.have_fde) {
        segment_release(s);
        return remove_file(s, f, err);
    }
    *ret_done = true;
    rc = settle_file(s, f, sc, &proof, &size, err);
    if (rc == LT_EFULL) { /* known, and readable up to its watermark; store_repair cuts it when there is room */
        s->broken = true;
        rc = 0;
    }
    return rc == 0 ? adopt(s, f, sc, size, err) : rc;
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

/* The last file of each lineage but the newest file, and the one before that. */
static int check_sealed(struct store *s, struct found *all, size_t older, bool newest_is_empty, struct lt_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < older; i++) {
        if (i + 1 == older || all[i].lineage != all[i + 1].lineage)
            rc = sealed_check(s, &all[i], newest_is_empty && i + 1 == older, err);
    }
    return rc;
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
    rc = check_sealed(s, all, older, empty, err);
    int add_rc = add_older(s, all, older, rc == 0 ? err : NULL);
    if (active)
        store_link_node(s, newest);
    if (rc == 0)
        rc = add_rc;
    if (rc == 0 && active && !list)
        rc = sealed_gtids(s, all, older, err);
    if (rc == 0)
        rc = gtid_set_copy(&s->synced.set, &s->gtids);
    s->synced.replace = true;
out:
    free(all);
    return rc;
}
