/*
 * Sealed files at a start: what they are worth.
 *
 * - The last file of each lineage and the one before the newest are walked as a whole: these are the ones that a crash, or a fault of ours, can have
 *   left with something behind the last event. Files without checksums are held against their sidecar.
 * - Zeros behind the end of the last but one are cut where the newest holds no transaction; nothing else is ever cut here.
 * - What follows the last whole event and is no whole event itself (half of one that was given up, zeros) is not shown to readers: nobody
 *   can use it, and it would end their walk. A whole event that is invalid is damage within the history; readers are to run into it.
 *
 * Failure: read errors and lack of memory. Damage is noted, for the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/scan.h"
#include "store/store_recover.h"

static void note_damage(struct store *s, const struct found *f, const char *what, uint64_t off)
{
    if (s->recovery.sealed_damage)
        return;
    s->recovery.sealed_damage = true;
    (void)snprintf(s->recovery.damage, sizeof s->recovery.damage, "%.180s: %s at offset %llu", f->file, what,
                   (unsigned long long)off);
}

/* The sidecar's records against the data: how far the file is proved. */
int prove_by_sidecar(struct store *s, const struct found *f, int fd, struct proof *ret, struct lt_err *err)
{
    struct sidecar_record *recs = NULL;
    size_t count = 0;
    uint64_t at = BINLOG_MAGIC_LEN;
    uint32_t crc = 0;
    int rc = sidecar_load(s->vfs, f->lineage, f->file, &recs, &count, &ret->whole, err);
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
    ret->covered = at;
    ret->records = count;
    return rc;
}

int scan_with_ends(struct store *s, const struct lineage *lin, const char *file, int fd, bool to_list_only,
                   struct gtid_set *gtids, struct scan *sc, struct lt_err *err)
{
    struct forced_ends ends;
    uint64_t size = 0;
    int rc = forced_ends_load(s->vfs, lin, file, false, &ends, err);
    int sys = rc == 0 ? s->vfs->size(s->vfs->ctx, fd, &size) : 0;
    if (sys < 0)
        rc = store_sys_err(err, sys, "stat %s", file);
    if (rc == 0)
        rc = scan_init(sc, s->vfs, fd, size, gtids, err);
    sc->ends = &ends;
    while (rc == 0 && !sc->ended && !(to_list_only && (sc->list_seen || sc->now.trk.open || sc->completed > 0)))
        rc = scan_step(sc, err);
    scan_fini(sc);
    sc->ends = NULL;
    forced_ends_fini(s->vfs, &ends);
    return rc;
}

/* A sealed file, walked from its start; what is wrong with it is noted. */
static int walk_sealed(struct store *s, const struct found *f, struct gtid_set *gtids, bool to_list_only,
                       bool *ret_list, struct lt_err *err)
{
    struct scan sc = {0};
    uint64_t size = 0;
    int fd = found_open(s, f, O_RDONLY, &size, err);
    if (fd < 0)
        return fd;
    int rc = scan_with_ends(s, f->lineage, f->file, fd, to_list_only, gtids, &sc, err);
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
    (void)s->vfs->close(s->vfs->ctx, fd);
    return rc;
}

/* The newest file (all[n]) has no list event yet: the set comes from the files of its lineage before it. */
int sealed_gtids(struct store *s, const struct found *all, size_t n, struct lt_err *err)
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

/* Zeros behind the end, and nothing that depends on where it is. */
static int cut_zeros(struct store *s, struct found *f, int fd, uint64_t end, struct lt_err *err)
{
    int rc = s->vfs->ftruncate(s->vfs->ctx, fd, end);
    if (rc < 0)
        return store_sys_err(err, rc, "cut %s", f->file);
    rc = s->vfs->fsync(s->vfs->ctx, fd);
    if (rc < 0)
        return store_sync_err(err, rc, "fsync %s", f->file);
    f->size = end;
    return 0;
}

/* Something follows the last whole, valid event. */
static int judge_rest(struct store *s, struct found *f, const struct scan *sc, uint64_t size, bool newest_is_empty,
                      struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    uint64_t data_end = end;
    uint64_t event_end = end;
    int rc = scan_data_end(s->vfs, sc->fd, end, size, &data_end, err);
    if (rc == 0 && data_end == end && newest_is_empty && sc->now.trk.have_fde)
        return cut_zeros(s, f, sc->fd, end, err);
    if (rc == 0)
        rc = judge_event_end(sc, data_end, &event_end, err);
    if (rc < 0)
        return rc;
    bool unfinished = data_end - end < EVENT_HEADER_LEN || event_end > size;
    if (sc->now.trk.have_fde && unfinished)
        f->size = end;
    note_damage(s, f,
                data_end == end ? "zeros behind the last event"
                : unfinished    ? "half an event behind the last whole one"
                                : "not a whole, valid event",
                end);
    return 0;
}

static int check_proof(struct store *s, struct found *f, const struct scan *sc, struct lt_err *err)
{
    struct lt_err why = {0};
    struct proof proof = {0};

    if (!sc->now.trk.have_fde || tail_has_crc(&sc->now))
        return 0;
    int rc = prove_by_sidecar(s, f, sc->fd, &proof, &why);
    if (rc == LT_ECORRUPT) {
        note_damage(s, f, "other bytes than were synced", proof.covered);
        return 0;
    }
    if (rc < 0 && err != NULL)
        *err = why;
    return rc;
}

int sealed_check(struct store *s, struct found *f, bool newest_is_empty, struct lt_err *err)
{
    struct scan sc;
    uint64_t size = 0;
    int fd = found_open(s, f, newest_is_empty ? O_RDWR : O_RDONLY, &size, err);
    if (fd < 0)
        return fd;
    int rc = scan_init(&sc, s->vfs, fd, size, NULL, err);
    if (rc == 0)
        rc = scan_all(&sc, err);
    if (rc == 0)
        rc = check_proof(s, f, &sc, err);
    s->recovery.scanned_bytes += size;
    if (rc == 0 && sc.now.trk.offset < size)
        rc = judge_rest(s, f, &sc, size, newest_is_empty, err);
    scan_fini(&sc);
    (void)s->vfs->close(s->vfs->ctx, fd);
    return rc;
}
