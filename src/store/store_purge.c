/*
 * Removal of the oldest segments.
 *
 * - One at a time, the oldest first: unlink the file, sync the folder, unlink its sidecar, then take it off the list. A crash leaves a
 *   run of the newest, and at worst a sidecar without its file, which everybody passes over.
 * - Off the list is: the head moves on. The node stays while a reader stands on it or on one before it, since readers go from node to node.
 * - The writer appends behind the tail and never looks at the head again; the newest two are never taken, so the two never meet.
 *
 * Age: which segments are old enough is the ledger's to say (age.h); no time in a binlog or of a file is looked at.
 * Failure: the walk stops where a call failed; what is on the list is on the disk.
 */
#include "store/purge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

int store_place_compare(const struct store_place *a, const struct store_place *b)
{
    if (a->lineage != b->lineage)
        return a->lineage < b->lineage ? -1 : 1;
    uint64_t x = binlog_name_number(a->file);
    uint64_t y = binlog_name_number(b->file);
    return x == y ? 0 : x < y ? -1 : 1;
}

static struct store_place place_of(const struct store_segment_info *info)
{
    struct store_place p = {.lineage = info->lineage};
    memcpy(p.file, info->file, sizeof p.file);
    return p;
}

static int unlink_at(struct store *s, const struct seg_node *node, const char *suffix, struct lt_err *err)
{
    char *path = store_path(node->lineage->path, node->file, suffix);
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "remove %s", node->file);
    int rc = s->vfs->unlink(s->vfs->ctx, path);
    rc = rc < 0 && rc != -ENOENT ? store_sys_err(err, rc, "remove %s", path) : 0;
    free(path);
    return rc;
}

/* With the list's mutex held: the run of unlisted nodes that nobody stands on. */
static void free_unlisted(struct store *s)
{
    struct seg_node *head = atomic_load_explicit(&s->head, memory_order_acquire);
    struct seg_node *node = atomic_load_explicit(&s->first, memory_order_acquire);
    while (node != head && node->refs == 0) {
        struct seg_node *next = atomic_load_explicit(&node->next, memory_order_acquire);
        free(node);
        node = next;
    }
    atomic_store_explicit(&s->first, node, memory_order_release);
}

static int remove_oldest(struct store *s, struct lt_err *err)
{
    struct seg_node *node = atomic_load_explicit(&s->head, memory_order_acquire);
    int rc = unlink_at(s, node, "", err);
    if (rc == 0)
        rc = store_fsync_dir(s->vfs, node->lineage->path, err);
    if (rc == 0)
        rc = unlink_at(s, node, SIDECAR_SUFFIX, err);
    if (rc == 0)
        rc = unlink_at(s, node, ENDS_SUFFIX, err);
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&s->view_mutex); /* both or neither, for who looks; the writer only ever tries it */
    atomic_fetch_add_explicit(&s->removed_segments, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->removed_bytes, atomic_load_explicit(&node->readable, memory_order_acquire),
                              memory_order_relaxed);
    (void)pthread_mutex_unlock(&s->view_mutex);
    (void)pthread_mutex_lock(&s->list_mutex);
    atomic_store_explicit(&s->head, atomic_load_explicit(&node->next, memory_order_acquire), memory_order_release);
    free_unlisted(s);
    (void)pthread_mutex_unlock(&s->list_mutex);
    return 0;
}

static void note_removed(struct store_purged *p, const struct store_segment_info *info)
{
    if (p->segments++ == 0)
        p->first = place_of(info);
    p->last = place_of(info);
    p->bytes += info->bytes;
}

static int remove_run(struct store *s, const struct store_purge_options *opt, const struct store_segment_info *list,
                      size_t n, struct store_purged *done, struct lt_err *err)
{
    for (size_t i = 0; i < n; i++) {
        int rc = LT_OK;
        if (opt->cancel != NULL && atomic_load(opt->cancel))
            rc = lt_err_set(err, LT_ESTOPPED, "stopped before %s", list[i].file);
        else if (!opt->dry_run)
            rc = remove_oldest(s, err);
        if (rc < 0)
            return rc;
        note_removed(done, &list[i]);
    }
    return LT_OK;
}

int store_purge(struct store *s, const struct store_purge_options *opt, struct store_purged *ret, struct lt_err *err)
{
    struct store_segment_info *list = NULL;
    size_t count = 0;
    size_t at = 0;
    const struct store_place *keep = &opt->keep;
    *ret = (struct store_purged){0};
    if (store_list(s, &list, &count) < 0)
        return lt_err_set(err, LT_ENOMEM, "list of segments");
    while (at < count && (list[at].lineage != keep->lineage || strcmp(list[at].file, keep->file) != 0))
        at++;
    int rc = LT_OK;
    if (at == count)
        rc = lt_err_set(err, LT_ENOTFOUND, "no segment %s in lineage %u", keep->file, keep->lineage);
    else if (at > 0 && count - at < STORE_KEEP_SEGMENTS)
        rc = lt_err_set(err, LT_EINVAL, "the newest %d segments are always kept", STORE_KEEP_SEGMENTS);
    else
        rc = remove_run(s, opt, list, at, ret, err);
    free(list);
    return rc;
}

/* How many of the oldest are not behind that one. */
static size_t count_aged(const struct store_retention *r, const struct store_segment_info *list, size_t most)
{
    size_t n = 0;
    while (r->aged.lineage != 0 && n < most) {
        struct store_place p = place_of(&list[n]);
        if (store_place_compare(&p, &r->aged) > 0)
            break;
        n++;
    }
    return n;
}

static size_t count_large(const struct store_retention *r, const struct store_segment_info *list, size_t count,
                          size_t most)
{
    uint64_t total = 0;
    size_t n = 0;
    if (r->bytes == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        total += list[i].bytes;
    while (n < most && total > r->bytes)
        total -= list[n++].bytes;
    return n;
}

int store_retention_plan(struct store *s, const struct store_retention *r, struct store_plan *ret, struct lt_err *err)
{
    struct store_segment_info *list = NULL;
    size_t count = 0;
    *ret = (struct store_plan){0};
    if (store_list(s, &list, &count) < 0)
        return lt_err_set(err, LT_ENOMEM, "list of segments");
    size_t most = count > STORE_KEEP_SEGMENTS ? count - STORE_KEEP_SEGMENTS : 0;
    size_t aged = count_aged(r, list, most);
    size_t large = count_large(r, list, count, most);
    ret->due = aged > large ? aged : large;
    for (ret->going = 0; ret->going < ret->due; ret->going++) {
        struct store_place p = place_of(&list[ret->going]);
        if (r->needed.lineage != 0 && store_place_compare(&p, &r->needed) >= 0)
            break;
    }
    if (ret->going > 0)
        ret->keep = place_of(&list[ret->going]);
    free(list);
    return LT_OK;
}
