/*
 * Files and lineages: begin, seal, cut.
 *
 * - The file before is synced and cut to its size. A cut made earlier (an event given up) is synced here too, though nothing was appended
 *   since: what a power cut brought back behind a sealed file's end would be served.
 * - The new one is created, its magic written, file and directory synced.
 * - Only then do readers learn that the old one is sealed and that there is a next one.
 *
 * Failure: the store is broken and the old file stays the newest; store_repair removes what was half made. A crash in between leaves a
 *   file shorter than its first event, which recovery removes. A lineage directory left over is empty and does no harm; its number
 *   is used again only for the same source.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

void segment_init(struct segment *seg)
{
    memset(seg, 0, sizeof *seg);
    seg->fd = -1;
    seg->side.fd = -1;
    seg->ends.fd = -1;
}

void segment_release(struct store *s)
{
    struct segment *seg = &s->seg;

    if (seg->fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, seg->fd);
    if (seg->side.fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, seg->side.fd);
    forced_ends_fini(s->vfs, &seg->ends);
    free(seg->path);
    segment_init(seg);
    s->buf_len = 0;
    free(s->list_event);
    s->list_event = NULL;
}

int segment_cut(struct store *s, uint64_t size, struct lt_err *err)
{
    if (s->seg.size <= size)
        return 0;
    int rc = s->vfs->ftruncate(s->vfs->ctx, s->seg.fd, size);
    if (rc < 0)
        return store_fail(s, store_sys_err(err, rc, "cut %s", s->seg.path));
    s->seg.size = size;
    s->seg.cut_unsynced = true;
    return 0;
}

struct lineage *store_add_lineage(struct store *s, unsigned number, const char *source_id)
{
    char name[STORE_SOURCE_ID_MAX + 16];
    struct lineage **grown = reallocarray(s->lineages, s->lineage_count + 1, sizeof *grown);
    if (grown == NULL)
        return NULL;
    s->lineages = grown;
    struct lineage *lin = calloc(1, sizeof *lin);
    if (lin == NULL)
        return NULL;
    lin->number = number;
    (void)snprintf(lin->source_id, sizeof lin->source_id, "%s", source_id);
    (void)snprintf(name, sizeof name, "%04u-%s", number, lin->source_id);
    lin->path = store_path(s->lineages_dir, name, "");
    if (lin->path == NULL) {
        free(lin);
        return NULL;
    }
    s->lineages[s->lineage_count++] = lin;
    if (s->lineage_top < number)
        s->lineage_top = number;
    return lin;
}

struct seg_node *store_add_node(struct store *s, const struct lineage *lin, const char *file, uint64_t bytes,
                                bool sealed)
{
    struct seg_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->lineage = lin;
    (void)snprintf(node->file, sizeof node->file, "%s", file);
    atomic_init(&node->readable, bytes);
    atomic_init(&node->sealed, sealed);
    if (sealed)
        store_link_node(s, node);
    return node;
}

void store_link_node(struct store *s, struct seg_node *node)
{
    if (s->tail == NULL)
        atomic_store_explicit(&s->first, node, memory_order_release);
    atomic_store_explicit(s->tail != NULL ? &s->tail->next : &s->head, node, memory_order_release);
    s->tail = node;
    s->segments++;
}

/* The disk half of sealing. */
static int settle_newest(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;

    if (seg->node == NULL)
        return 0;
    int rc = store_sync_data(s, err);
    if (rc == 0)
        rc = segment_cut(s, seg->appended, err);
    if (rc < 0 || !seg->cut_unsynced)
        return rc;
    rc = s->vfs->fdatasync(s->vfs->ctx, seg->fd);
    if (rc < 0)
        return store_fail(s, store_sync_err(err, rc, "fdatasync %s", seg->path));
    seg->cut_unsynced = false;
    return 0;
}

/* The memory half: readers see all of the file, and that it is whole. */
static void seal_newest(struct store *s)
{
    struct segment *seg = &s->seg;
    struct seg_node *node = seg->node;

    if (node == NULL)
        return;
    if (s->wm.trk.boundary < seg->appended) {
        s->aborted++;
        atomic_store_explicit(&node->aborted_tail, true, memory_order_relaxed);
    }
    if (s->wm.trk.have_last) {
        memcpy(s->last_file, node->file, sizeof s->last_file);
        s->last_start = s->wm.trk.last_start;
        s->last_end = s->wm.trk.last_end;
        s->last_gtid = s->wm.trk.last_gtid;
    }
    s->sealed_bytes += seg->appended;
    atomic_store_explicit(&node->readable, seg->appended, memory_order_release);
    atomic_store_explicit(&node->sealed, true, memory_order_release);
    segment_release(s);
}

static void tail_reset(struct store *s)
{
    memset(&s->now, 0, sizeof s->now);
    txn_reset(&s->now.trk);
    s->bound = s->now;
    s->wm = s->now;
}

static int check_name(const struct store *s, const char *name, struct lt_err *err)
{
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    if (!binlog_name_ok(name))
        return lt_err_set(err, LT_EINVAL, "not a binlog file name");
    if (s->lineage == NULL || s->seg.in_event)
        return lt_err_set(err, LT_EINVAL, s->lineage == NULL ? "no lineage" : "file change inside an event");
    if (s->seg.node != NULL && binlog_name_number(name) <= binlog_name_number(s->seg.node->file))
        return lt_err_set(err, LT_EGAP, "%s does not come after %s", name, s->seg.node->file);
    return 0;
}

/* Create the file at s->creating; its descriptor or an error. */
static int create_file(struct store *s, struct lt_err *err)
{
    const char *path = s->creating;
    int fd = s->vfs->open(s->vfs->ctx, path, O_RDWR | O_CREAT | O_EXCL, 0640);
    if (fd < 0)
        return store_sys_err(err, fd, "create %s", path);
    int rc = vfs_pwrite_full(s->vfs, fd, binlog_magic, BINLOG_MAGIC_LEN, 0);
    if (rc < 0)
        rc = store_sys_err(err, rc, "create %s", path);
    else if ((rc = s->vfs->fsync(s->vfs->ctx, fd)) < 0)
        rc = store_sync_err(err, rc, "fsync %s", path);
    else
        rc = store_fsync_dir(s->vfs, s->lineage->path, err);
    if (rc < 0) {
        (void)s->vfs->close(s->vfs->ctx, fd);
        return rc;
    }
    return fd;
}

static void adopt_file(struct store *s, struct seg_node *node, int fd)
{
    struct segment *seg = &s->seg;

    seal_newest(s);
    seg->node = node;
    seg->path = s->creating;
    s->creating = NULL;
    seg->fd = fd;
    seg->size = seg->written = seg->appended = seg->durable = BINLOG_MAGIC_LEN;
    seg->page.len = BINLOG_MAGIC_LEN;
    memcpy(seg->page.bytes, binlog_magic, BINLOG_MAGIC_LEN);
    seg->at_wm = seg->page;
    tail_reset(s);
    store_link_node(s, node);
}

static int begin_file(struct store *s, const char *name, struct lt_err *err)
{
    int rc = settle_newest(s, err);
    if (rc < 0)
        return rc;
    struct seg_node *node = store_add_node(s, s->lineage, name, BINLOG_MAGIC_LEN, false);
    s->creating = store_path(s->lineage->path, name, "");
    int fd = node == NULL || s->creating == NULL ? lt_err_set(err, LT_ENOMEM, "create %s", name) : create_file(s, err);
    if (fd < 0) {
        free(node);
        if (err != NULL && err->sys_errno == EEXIST) { /* not ours to remove */
            free(s->creating);
            s->creating = NULL;
            return lt_err_set(err, LT_EGAP, "%s exists already in %s", name, s->lineage->path);
        }
        return store_fail(s, fd);
    }
    adopt_file(s, node, fd);
    return 0;
}

int store_segment_begin(struct store *s, const char *name, struct lt_err *err)
{
    struct lt_err local = {0};
    int rc = check_name(s, name, &local);

    if (rc == 0) {
        rc = begin_file(s, name, &local);
        if (rc == 0)
            store_publish(s);
    }
    if (err != NULL && rc < 0)
        *err = local;
    return rc;
}

static bool source_id_ok(const char *id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(id);

    return len > 0 && len <= STORE_SOURCE_ID_MAX && strspn(id, allowed) == len;
}

static int make_lineage(struct store *s, const char *source_id, struct lineage **ret, struct lt_err *err)
{
    /* One that failed half way before is taken up again. */
    struct lineage *lin = s->lineage_count > 0 ? s->lineages[s->lineage_count - 1] : NULL;
    if (lin == NULL || lin == s->lineage || strcmp(lin->source_id, source_id) != 0)
        lin = store_add_lineage(s, s->lineage_top + 1, source_id);
    if (lin == NULL)
        return lt_err_set(err, LT_ENOMEM, "lineage %s", source_id);
    int rc = store_mkdir(s->vfs, lin->path, err);
    if (rc == 0)
        rc = store_fsync_dir(s->vfs, s->lineages_dir, err);
    if (rc == 0)
        *ret = lin;
    return rc;
}

/* Its folder, and in it what is held without it. */
static int prepare_lineage(struct store *s, const char *source_id, struct lineage **ret, struct store_held *ret_held,
                           struct lt_err *err)
{
    int rc = settle_newest(s, err);
    if (rc == 0)
        rc = make_lineage(s, source_id, ret, err);
    if (rc == 0 && s->lineage != NULL && store_held_now(s, ret_held) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "lineage %s", source_id);
    if (rc == 0 && s->lineage != NULL)
        rc = store_held_write(s, *ret, ret_held, err);
    return rc == 0 ? store_unlogged_carry(s, *ret, err) : rc;
}

static void enter_lineage(struct store *s, struct lineage *lin, struct store_held *held)
{
    seal_newest(s);
    store_held_fini(&s->before);
    s->before = *held;
    s->before_fresh = true;
    s->lineage = lin;
    tail_reset(s);
    gtid_set_clear(&s->gtids);
    gtid_delta_clear(&s->fresh);
    gtid_delta_clear(&s->synced);
    s->synced.replace = true;
    s->last_file[0] = '\0';
    s->last_start = s->last_end = 0;
    memset(&s->last_gtid, 0, sizeof s->last_gtid);
}

/* held: with its seam, from here on the store's. */
static int begin_lineage(struct store *s, const char *source_id, struct store_held held, struct lt_err *err)
{
    struct lineage *lin = NULL;
    int rc = store_check_usable(s, err);
    bool usable = rc == 0;
    if (usable && (!source_id_ok(source_id) || s->seg.in_event)) {
        usable = false;
        rc = lt_err_set(err, LT_EINVAL, "lineage %s", source_id);
    }
    if (usable)
        rc = prepare_lineage(s, source_id, &lin, &held, err);
    if (rc < 0) {
        store_held_fini(&held);
        return usable ? store_fail(s, rc) : rc;
    }
    enter_lineage(s, lin, &held);
    store_publish(s);
    return 0;
}

int store_lineage_begin(struct store *s, const char *source_id, struct lt_err *err)
{
    return begin_lineage(s, source_id, (struct store_held){0}, err);
}

static void swap_seams(struct store_seam *a, struct store_seam *b)
{
    struct store_seam c = *a;
    *a = *b;
    *b = c;
}

/* The lineage is there and empty: only what its first file must be is another. */
static int change_seam(struct store *s, struct store_seam *seam, struct lt_err *err)
{
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    swap_seams(&s->before.seam, seam);
    rc = store_held_write(s, s->lineage, &s->before, err);
    if (rc < 0) {
        swap_seams(&s->before.seam, seam);
        return store_fail(s, rc);
    }
    store_publish(s);
    return 0;
}

int store_lineage_continue(struct store *s, const char *source_id, const char *file, const struct gtid_set *list,
                           struct lt_err *err)
{
    struct store_held held = {0};
    if (strlen(file) >= sizeof held.seam.file)
        return lt_err_set(err, LT_EINVAL, "first file of lineage %s", source_id);
    memcpy(held.seam.file, file, strlen(file) + 1);
    if (gtid_set_copy(&held.seam.list, list) != 0)
        return lt_err_set(err, LT_ENOMEM, "lineage %s", source_id);
    if (s->lineage == NULL || s->seg.node != NULL)
        return begin_lineage(s, source_id, held, err);
    int rc = change_seam(s, &held.seam, err);
    store_held_fini(&held);
    return rc;
}

const struct store_seam *store_seam(const struct store *s)
{
    return s->before.seam.file[0] != '\0' ? &s->before.seam : NULL;
}
