/*
 * Back to the watermark after a failed write or sync.
 *
 * - Forget what was appended after the watermark. Remove a file half made.
 * - Open the newest file anew (a fresh descriptor does not report the old error again), cut what the sidecar does not cover, replace the
 *   sidecar by one that ends at the watermark, write the page that holds the watermark from memory, cut there, sync file and directory.
 * - Read that page back from the device (O_DIRECT; where the file system has none: after the cache was dropped) and compare.
 * - Only then is the store writable again.
 *
 * Why that page and no other: pages before it were clean when the failed sync began, so nothing of them was in flight; pages after it
 *   are cut away. Only this one was dirty and holds durable bytes: the kernel may have dropped it, or torn it on its way.
 * A full disk: what can be cut without writing anything is cut first. Where room still lacks, LT_EFULL: the store stays broken, nothing of its memory
 *   has changed, and the whole repair may be tried again, which writes the page anew and reads it back: no sync is believed that followed a
 *   failed one over the same pages. Descriptors (LT_ENOFILES) and memory (LT_ENOMEM) that lack are waited for in the same way.
 * Failure: durability is in doubt; the caller ends the process. Nothing here is tried twice but for lack of something.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

static int remove_half_made(struct store *s, struct lt_err *err)
{
    if (s->creating == NULL)
        return 0;
    int rc = s->vfs->unlink(s->vfs->ctx, s->creating);
    if (rc < 0 && rc != -ENOENT)
        return store_sys_err(err, rc, "remove %s", s->creating);
    rc = store_fsync_dir(s->vfs, s->lineage->path, err);
    if (rc < 0)
        return rc;
    free(s->creating);
    s->creating = NULL;
    return 0;
}

static int reopen(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;

    if (seg->fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, seg->fd);
    seg->fd = s->vfs->open(s->vfs->ctx, seg->path, O_RDWR, 0);
    return seg->fd < 0 ? store_sys_err(err, seg->fd, "open %s", seg->path) : 0;
}

static int rewrite_end(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    const struct page_image *page = &seg->at_wm;
    uint64_t end = s->wm.trk.boundary;
    const char *what = "write";

    lt_assert(page->off + page->len == end);
    int rc = vfs_pwrite_full(s->vfs, seg->fd, page->bytes, page->len, page->off);
    if (rc == 0) {
        what = "cut";
        rc = s->vfs->ftruncate(s->vfs->ctx, seg->fd, end);
    }
    if (rc == 0) {
        what = "fsync";
        rc = s->vfs->fsync(s->vfs->ctx, seg->fd);
    }
    if (rc < 0)
        return store_sys_err(err, rc, "%s %s", what, seg->path);
    return store_fsync_dir(s->vfs, seg->node->lineage->path, err);
}

/* The page as the device has it. -EINVAL where the file system knows no O_DIRECT. */
static ssize_t read_direct(struct store *s, uint8_t *buf, uint64_t off)
{
    int fd = s->vfs->open(s->vfs->ctx, s->seg.path, O_RDONLY | O_DIRECT, 0);
    if (fd < 0)
        return fd;
    ssize_t n = s->vfs->pread(s->vfs->ctx, fd, buf, STORE_PAGE, off);
    (void)s->vfs->close(s->vfs->ctx, fd);
    return n;
}

static ssize_t read_uncached(struct store *s, uint8_t *buf, uint64_t off)
{
    int rc = s->vfs->drop_cache(s->vfs->ctx, s->seg.fd);
    return rc < 0 ? rc : vfs_pread_full(s->vfs, s->seg.fd, buf, STORE_PAGE, off);
}

static int verify_end(struct store *s, struct lt_err *err)
{
    const struct page_image *page = &s->seg.at_wm;
    uint8_t *buf = aligned_alloc(STORE_PAGE, STORE_PAGE);
    int ret = 0;

    if (buf == NULL)
        return lt_err_set(err, LT_ENOMEM, "read back %s", s->seg.path);
    ssize_t n = read_direct(s, buf, page->off);
    if (n == -EINVAL)
        n = read_uncached(s, buf, page->off);
    if (n < 0)
        ret = store_sys_err(err, (int)n, "read back %s", s->seg.path);
    else if (n != (ssize_t)page->len || memcmp(buf, page->bytes, page->len) != 0)
        ret = lt_err_set(err, LT_ECORRUPT, "%s does not read back as it was written", s->seg.path);
    free(buf);
    return ret;
}

/* The sidecar anew, ended at the watermark. On a full disk there is room for it only once what no record speaks of was given back. */
static int repair_sidecar(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    uint64_t end = s->wm.trk.boundary;
    uint64_t keep = seg->side.covered > end ? seg->side.covered : end;
    uint64_t size = 0;
    int rc = s->vfs->size(s->vfs->ctx, seg->fd, &size);

    if (rc == 0 && size > keep)
        rc = s->vfs->ftruncate(s->vfs->ctx, seg->fd, keep);
    if (rc < 0)
        return store_sys_err(err, rc, "cut %s", seg->path);
    if (s->wm.trk.have_fde)
        return sidecar_rebuild(s->vfs, seg->node->lineage, seg->node->file, end, s->wm.crc, &seg->side, err);
    if (seg->side.covered == 0)
        return 0; /* none was begun */
    rc = sidecar_remove(s->vfs, seg->node->lineage, seg->node->file, err);
    if (rc == 0) {
        if (seg->side.fd >= 0)
            (void)s->vfs->close(s->vfs->ctx, seg->side.fd);
        seg->side = (struct sidecar){.fd = -1};
    }
    return rc;
}

static int repair_file(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    int rc = reopen(s, err);

    if (rc == 0 && (!s->wm.trk.have_fde || !tail_has_crc(&s->wm)))
        rc = repair_sidecar(s, err);
    if (rc == 0)
        rc = forced_ends_cut(s->vfs, seg->node->lineage, seg->node->file, &seg->ends, s->wm.trk.boundary, err);
    if (rc == 0)
        rc = rewrite_end(s, err);
    return rc == 0 ? verify_end(s, err) : rc;
}

/* The executed set at the watermark: what is published and what waits for it. */
static int restore_gtids(struct store *s)
{
    int rc;

    gtid_delta_clear(&s->fresh);
    if (s->synced.replace)
        return gtid_set_copy(&s->gtids, &s->synced.set);
    rc = gtid_set_copy(&s->gtids, &s->view.gtid_executed); /* only the writer changes it, so reading needs no lock */
    if (rc == 0)
        rc = gtid_set_apply(&s->gtids, &s->synced.set);
    return rc == LT_EINVAL ? 0 : rc;
}

static int restore_memory(struct store *s)
{
    struct segment *seg = &s->seg;
    uint64_t end = s->wm.trk.boundary;

    free(s->list_event);
    s->list_event = NULL;
    s->buf_len = 0;
    seg->in_event = false;
    if (seg->node != NULL) {
        seg->size = seg->written = seg->appended = seg->durable = end;
        seg->page = seg->at_wm;
        seg->at_bound = seg->at_wm;
        seg->crc_run = s->wm.crc;
        seg->cut_unsynced = false;
    }
    atomic_store_explicit(&s->stat_received, store_stat_synced(s), memory_order_relaxed);
    s->now = s->wm;
    s->bound = s->wm;
    return restore_gtids(s);
}

int store_repair(struct store *s, struct lt_err *err)
{
    struct lt_err local = {0};

    if (!s->broken)
        return 0;
    if (s->fatal)
        return lt_err_set(err, LT_ESYNC, "the store can only be repaired by a restart");
    s->fatal = true; /* until all went well */
    store_busy_begin(s);
    int rc = remove_half_made(s, &local);
    if (rc == 0 && s->seg.node != NULL)
        rc = repair_file(s, &local);
    store_busy_end(s);
    if (rc == 0)
        rc = restore_memory(s);
    if (rc < 0) {
        if (err != NULL)
            *err = local;
        s->fatal = !store_only_lacks(rc);
        (void)lt_err_wrap(err, s->fatal ? "repair failed, durability is in doubt" : "the store cannot be repaired yet");
        return s->fatal ? LT_ESYNC : rc;
    }
    s->fatal = false;
    s->broken = false;
    store_publish(s);
    return 0;
}
