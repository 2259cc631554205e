/*
 * What can be asked of the store: by the writer without locks, by others through the view, the list and the counters.
 *
 * - The view is copied under its mutex, which the writer never waits for.
 * - The list of files is walked under its mutex, which the writer does not know: store_purge may free nodes.
 * Failure: LT_ENOMEM, and then nothing is returned.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

const struct store_recovery *store_recovered(const struct store *s)
{
    return &s->recovery;
}

void store_resume_point(const struct store *s, struct store_resume *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->empty = s->seg.node == NULL;
    ret->offset = ret->end = ret->watermark = BINLOG_MAGIC_LEN;
    if (s->lineage == NULL)
        return;
    ret->have_lineage = true;
    ret->lineage = s->lineage->number;
    memcpy(ret->source_id, s->lineage->source_id, sizeof ret->source_id);
    if (s->seg.node == NULL)
        return;
    memcpy(ret->file, s->seg.node->file, sizeof ret->file);
    ret->ended = s->now.rotated;
    memcpy(ret->next_file, s->now.next_file, sizeof ret->next_file);
    ret->end = s->now.trk.offset;
    ret->watermark = s->wm.trk.boundary;
    if (s->now.trk.have_last) {
        ret->offset = s->now.trk.last_start;
        ret->last_gtid = s->now.trk.last_gtid;
    }
}

uint64_t store_appended(const struct store *s)
{
    return s->seg.appended;
}

const struct txn_tracker *store_tracker(const struct store *s)
{
    return &s->now.trk;
}

uint64_t store_unsynced(const struct store *s)
{
    return s->seg.appended - s->seg.durable;
}

uint64_t store_durable(const struct store *s)
{
    return s->seg.durable;
}

const struct gtid_set *store_gtid_appended(const struct store *s)
{
    return &s->gtids;
}

bool store_is_broken(const struct store *s)
{
    return s->broken;
}

/* The view may be older than the removal. */
static uint64_t left_of(uint64_t all, const _Atomic uint64_t *removed)
{
    uint64_t gone = atomic_load_explicit(removed, memory_order_relaxed);
    return all > gone ? all - gone : 0;
}

int store_view_get(struct store *s, struct store_view *ret)
{
    struct gtid_set set;
    struct gtid_set held;

    gtid_set_init(&set);
    gtid_set_init(&held);
    (void)pthread_mutex_lock(&s->view_mutex);
    int rc = gtid_set_copy(&set, &s->view.gtid_executed);
    if (rc == 0)
        rc = gtid_set_copy(&held, &s->view.gtid_held);
    if (rc == 0) {
        *ret = s->view;
        ret->segments = left_of(ret->segments, &s->removed_segments);
        ret->bytes = left_of(ret->bytes, &s->removed_bytes);
    }
    (void)pthread_mutex_unlock(&s->view_mutex);
    if (rc == 0)
        rc = store_held_union(&held, &set);
    if (rc < 0) {
        gtid_set_fini(&set);
        gtid_set_fini(&held);
        return rc;
    }
    ret->gtid_executed = set;
    ret->gtid_held = held;
    return 0;
}

bool store_view_is_current(const struct store *s)
{
    return !atomic_load_explicit(&s->view_pending, memory_order_acquire);
}

void store_view_fini(struct store_view *v)
{
    gtid_set_fini(&v->gtid_executed);
    gtid_set_fini(&v->gtid_held);
}

uint64_t store_stat_received(const struct store *s)
{
    return atomic_load_explicit(&s->stat_received, memory_order_relaxed);
}

uint64_t store_stat_synced(const struct store *s)
{
    return atomic_load_explicit(&s->stat_synced, memory_order_acquire);
}

const struct hist *store_stat_sync_us(const struct store *s)
{
    return &s->stat_sync_us;
}

uint64_t store_stat_busy_since(const struct store *s)
{
    return atomic_load_explicit(&s->watch.since, memory_order_relaxed);
}

uint64_t store_stat_slow(const struct store *s)
{
    return atomic_load_explicit(&s->watch.slow, memory_order_relaxed);
}

void store_writer_is_here(struct store *s)
{
    vfs_watch_writer(&s->watch);
}

int store_fs_info(struct store *s, struct vfs_fs_info *ret)
{
    struct lt_err err;
    int rc = s->vfs->fs_info(s->vfs->ctx, s->dir, ret);

    return rc < 0 ? store_sys_err(&err, rc, "statfs") : 0;
}

bool store_has_room(struct store *s)
{
    struct vfs_fs_info info;

    return store_fs_info(s, &info) == 0 && info.free_bytes >= STORE_ROOM_BYTES;
}

void store_on_watermark(struct store *s, store_watermark_fn fn, void *arg)
{
    lt_assert(s->n_on_watermark < STORE_WATERMARK_MAX);
    s->on_watermark[s->n_on_watermark].fn = fn;
    s->on_watermark[s->n_on_watermark++].arg = arg;
}

void store_off_watermark(struct store *s, const void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < s->n_on_watermark; i++) {
        if (s->on_watermark[i].arg != arg)
            s->on_watermark[kept++] = s->on_watermark[i];
    }
    s->n_on_watermark = kept;
}

void store_node_info(const struct seg_node *node, struct store_segment_info *ret)
{
    ret->lineage = node->lineage->number;
    memcpy(ret->source_id, node->lineage->source_id, sizeof ret->source_id);
    memcpy(ret->file, node->file, sizeof ret->file);
    ret->sealed = atomic_load_explicit(&node->sealed, memory_order_acquire);
    ret->bytes = atomic_load_explicit(&node->readable, memory_order_acquire);
    ret->aborted_tail = atomic_load_explicit(&node->aborted_tail, memory_order_relaxed);
}

int store_list(struct store *s, struct store_segment_info **ret, size_t *ret_count)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    size_t cap = 0;
    int rc = 0;

    (void)pthread_mutex_lock(&s->list_mutex);
    for (struct seg_node *node = atomic_load_explicit(&s->head, memory_order_acquire); node != NULL;
         node = atomic_load_explicit(&node->next, memory_order_acquire)) {
        if (n == cap) {
            cap = cap > 0 ? cap * 2 : 16;
            struct store_segment_info *grown = reallocarray(list, cap, sizeof *grown);
            if (grown == NULL) {
                rc = LT_ENOMEM;
                break;
            }
            list = grown;
        }
        store_node_info(node, &list[n++]);
    }
    (void)pthread_mutex_unlock(&s->list_mutex);
    if (rc < 0) {
        free(list);
        return rc;
    }
    *ret = list;
    *ret_count = n;
    return 0;
}

int store_oldest(struct store *s, struct store_segment_info *ret)
{
    (void)pthread_mutex_lock(&s->list_mutex); /* the head is the node that is freed next */
    const struct seg_node *node = atomic_load_explicit(&s->head, memory_order_acquire);
    if (node != NULL)
        store_node_info(node, ret);
    (void)pthread_mutex_unlock(&s->list_mutex);
    return node != NULL ? LT_OK : LT_ENOTFOUND;
}
