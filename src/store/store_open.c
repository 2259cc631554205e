/*
 * Open and close a store directory.
 *
 * - Make DIR where it is missing, lock it, look at the file system and at the format, make the folders, recover the newest file, publish.
 * - Close cuts the newest file to its durable end and lets the lock go.
 * Failure: every error of open releases what was taken; nothing on disk was changed before the lock is held and the format understood, but
 *   for DIR itself and DIR/lock. Close of a broken store touches no file: recovery does it better.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "store/store_internal.h"

static int take_lock(struct store *s, struct lt_err *err)
{
    char *path = store_path(s->dir, "lock", "");
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "open %s", s->dir);
    s->lock_fd = s->vfs->open(s->vfs->ctx, path, O_RDWR | O_CREAT, 0640);
    int rc = s->lock_fd < 0 ? s->lock_fd : s->vfs->lock(s->vfs->ctx, s->lock_fd);
    if (rc == -EWOULDBLOCK)
        rc = lt_err_set(err, LT_EBUSY, "%s is in use by another process (it holds the lock on %s)", s->dir, path);
    else if (rc < 0)
        rc = store_sys_err(err, rc, "lock %s", path);
    free(path);
    return rc < 0 ? rc : 0;
}

static int check_fs(struct store *s, struct lt_err *err)
{
    struct vfs_fs_info info;
    int rc = s->vfs->fs_info(s->vfs->ctx, s->dir, &info);
    if (rc < 0)
        return store_sys_err(err, rc, "statfs %s", s->dir);
    if (info.unsafe && !s->opt.allow_unsafe_fs)
        return lt_err_set(err, LT_EUNSUPPORTED,
                          "%s is on %s, where a sync proves nothing; set allow_unsafe_fs to use it all the same",
                          s->dir, info.type);
    return 0;
}

static int check_format(struct store *s, struct lt_err *err)
{
    char *text = NULL;
    size_t len;
    uint64_t version;
    int rc = statefile_read(s->vfs, s->dir, "format", 64, &text, &len, err);
    if (rc == LT_ENOTFOUND) {
        char line[16];
        int n = snprintf(line, sizeof line, "%d\n", STORE_FORMAT_VERSION);
        return statefile_write(s->vfs, s->dir, "format", line, (size_t)n, err);
    }
    if (rc < 0)
        return rc;
    text[strcspn(text, "\n")] = '\0';
    if (units_parse_u64(text, UINT32_MAX, &version) < 0 || version == 0)
        rc = lt_err_set(err, LT_ECORRUPT, "%s/format does not hold a version", s->dir);
    else if (version > STORE_FORMAT_VERSION)
        rc = lt_err_set(err, LT_EUNSUPPORTED,
                        "%s has format %u, made by a newer program; this one knows format %d and older", s->dir,
                        (unsigned)version, STORE_FORMAT_VERSION);
    free(text);
    return rc;
}

/* The entry of DIR itself. Where the parent may not be opened only a directory made just now is a reason to stop. */
static int sync_parent(struct store *s, bool made, struct lt_err *err)
{
    char *copy = strdup(s->dir);
    if (copy == NULL)
        return lt_err_set(err, LT_ENOMEM, "open %s", s->dir);
    struct lt_err local = {0};
    int rc =
        store_fsync_dir(s->vfs, dirname(copy), &local); // NOLINT(concurrency-mt-unsafe): glibc's works on its argument
    free(copy);
    if (rc < 0 && !made && local.sys_errno == EACCES)
        return 0;
    if (rc < 0 && err != NULL)
        *err = local;
    return rc;
}

static int make_dirs(struct store *s, struct lt_err *err)
{
    char *consumers = store_path(s->dir, "consumers", "");
    int rc = consumers == NULL ? lt_err_set(err, LT_ENOMEM, "open %s", s->dir) : store_mkdir(s->vfs, consumers, err);
    if (rc == 0)
        rc = store_mkdir(s->vfs, s->lineages_dir, err);
    if (rc == 0)
        rc = store_fsync_dir(s->vfs, s->dir, err);
    if (rc == 0) /* a lineage made just before a crash */
        rc = store_fsync_dir(s->vfs, s->lineages_dir, err);
    free(consumers);
    return rc;
}

static struct store *new_store(const struct store_options *opt, const struct vfs *vfs)
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    vfs_watch_init(&s->watch, vfs, STORE_SLOW_US, opt->progress);
    s->vfs = &s->watch.vfs;
    s->opt = *opt;
    s->lock_fd = -1;
    segment_init(&s->seg);
    (void)pthread_mutex_init(&s->view_mutex, NULL);
    (void)pthread_mutex_init(&s->list_mutex, NULL);
    s->dir = strdup(opt->dir);
    s->lineages_dir = store_path(opt->dir, "lineages", "");
    s->buf = malloc(STORE_BUF_BYTES + STORE_WRITE_BLOCK);
    s->opt.dir = s->dir;
    if (s->opt.prewrite_bytes == 0)
        s->opt.prewrite_bytes = STORE_PREWRITE_BYTES;
    if (s->opt.write_back_bytes == 0)
        s->opt.write_back_bytes = STORE_WRITE_BACK_BYTES;
    if (s->opt.unsynced_max == 0)
        s->opt.unsynced_max = STORE_UNSYNCED_MAX;
    if (s->dir == NULL || s->lineages_dir == NULL || s->buf == NULL) {
        store_close(s);
        return NULL;
    }
    return s;
}

static int open_dir(struct store *s, struct lt_err *err)
{
    int rc = s->vfs->mkdir(s->vfs->ctx, s->dir, 0750);
    if (rc < 0 && rc != -EEXIST)
        return store_sys_err(err, rc, "make directory %s", s->dir);
    bool made = rc == 0;
    rc = take_lock(s, err);
    if (rc == 0)
        rc = check_fs(s, err);
    if (rc == 0)
        rc = sync_parent(s, made, err);
    if (rc == 0)
        rc = check_format(s, err);
    if (rc == 0)
        rc = make_dirs(s, err);
    return rc;
}

int store_open(const struct store_options *opt, const struct vfs *vfs, struct store **ret, struct lt_err *err)
{
    struct store *s = new_store(opt, vfs);
    if (s == NULL)
        return lt_err_set(err, LT_ENOMEM, "open %s", opt->dir);
    int rc = open_dir(s, err);
    if (rc == 0)
        rc = store_recover(s, err);
    if (rc == 0)
        rc = store_held_load(s, err);
    if (rc == 0)
        rc = store_unlogged_load(s, err);
    if (rc < 0) {
        s->broken = true; /* close must not touch files */
        store_close(s);
        return rc;
    }
    store_publish(s);
    *ret = s;
    return 0;
}

static void free_lists(struct store *s)
{
    struct seg_node *node = atomic_load_explicit(&s->first, memory_order_relaxed);

    while (node != NULL) {
        struct seg_node *next = atomic_load_explicit(&node->next, memory_order_relaxed);
        free(node);
        node = next;
    }
    for (size_t i = 0; i < s->lineage_count; i++) {
        free(s->lineages[i]->path);
        free(s->lineages[i]);
    }
    free(s->lineages);
}

/* Best effort: what fails here is done by the next recovery; but a page that a failed sync spoilt is written again while it is known. */
static void cut_to_durable(struct store *s)
{
    if (segment_cut(s, s->seg.durable, NULL) < 0)
        return;
    if (s->vfs->fdatasync(s->vfs->ctx, s->seg.fd) < 0) {
        (void)store_fail(s, LT_ESYNC);
        int rc = store_repair(s, NULL);
        (void)rc;
    }
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    if (!s->broken && s->seg.node != NULL && (s->seg.size > s->seg.durable || s->seg.cut_unsynced))
        cut_to_durable(s);
    segment_release(s);
    if (s->lock_fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, s->lock_fd);
    free_lists(s);
    store_held_fini(&s->before);
    gtid_set_fini(&s->unlogged);
    gtid_set_fini(&s->view.gtid_held);
    gtid_set_fini(&s->gtids);
    gtid_set_fini(&s->fresh.set);
    gtid_set_fini(&s->synced.set);
    gtid_set_fini(&s->view.gtid_executed);
    (void)pthread_mutex_destroy(&s->view_mutex);
    (void)pthread_mutex_destroy(&s->list_mutex);
    free(s->creating);
    free(s->buf);
    free(s->lineages_dir);
    free(s->dir);
    free(s);
}
