/*
 * Make what was appended durable, and say so.
 *
 * - Write the buffer, fdatasync; for a file without checksums then the sidecar's record, synced too, and so the ends that only an ACK
 *   flag told.
 * - The last boundary becomes the watermark; the page it ends in is remembered for a repair.
 * - Readers get the watermark through one atomic store; the view gets it, and the GTIDs since the last time, under a mutex that
 *   the writer only ever tries. When a status reader holds it, the news wait for the next sync or store_publish_pending().
 *
 * Failure: any error of a write or a sync: nothing advances, the store is broken, the pages are not synced again (the kernel may have
 *   dropped them and would report success). Out of memory for the GTIDs after the sync: the same, nothing is taken for durable.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"

int gtid_set_apply(struct gtid_set *dst, const struct gtid_set *delta)
{
    if (delta->kind != GTID_MARIADB)
        return gtid_set_union(dst, delta);
    /* One by one, each domain's last server last: a union would keep the higher number, but the later one counts. */
    for (int last = 0; last < 2; last++) {
        for (size_t i = 0; i < delta->state_count; i++) {
            const struct gtid_state *st = &delta->states[i];
            if (st->last_in_domain != (last == 1))
                continue;
            struct gtid g = {
                .kind = GTID_MARIADB, .domain_id = st->domain_id, .server_id = st->server_id, .seq = st->seq};
            int rc = gtid_set_add(dst, &g);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

void gtid_delta_clear(struct gtid_delta *d)
{
    gtid_set_clear(&d->set);
    d->replace = false;
}

static void swap_sets(struct gtid_set *a, struct gtid_set *b)
{
    struct gtid_set t = *a;

    *a = *b;
    *b = t;
}

/* All of it or, without memory, nothing: a repair goes back to what is in `synced`, which must not name what it cuts. */
static int add_fresh(struct store *s)
{
    struct gtid_set merged;
    gtid_set_init(&merged);
    int rc = gtid_set_copy(&merged, &s->synced.set); /* nearly always empty: it is published after each sync */
    if (rc == 0)
        rc = gtid_set_apply(&merged, &s->fresh.set);
    if (rc == 0 || rc == LT_EINVAL) {
        swap_sets(&s->synced.set, &merged);
        rc = 0;
    }
    gtid_set_fini(&merged);
    return rc;
}

/* What was fresh is durable now. */
static int settle_gtids(struct store *s)
{
    if (s->fresh.replace) {
        swap_sets(&s->synced.set, &s->fresh.set);
        s->synced.replace = true;
    } else {
        int rc = add_fresh(s);
        if (rc < 0)
            return rc;
    }
    gtid_delta_clear(&s->fresh);
    return 0;
}

static int publish_gtids(struct store *s)
{
    if (s->before_fresh) {
        int rc = gtid_set_copy(&s->view.gtid_held, &s->before.gtids);
        if (rc < 0)
            return rc;
        s->before_fresh = false;
    }
    if (s->synced.replace) {
        swap_sets(&s->view.gtid_executed, &s->synced.set);
    } else {
        int rc = gtid_set_apply(&s->view.gtid_executed, &s->synced.set);
        if (rc < 0 && rc != LT_EINVAL)
            return rc;
    }
    gtid_delta_clear(&s->synced);
    return 0;
}

static void publish_last(const struct store *s, struct store_view *v)
{
    bool here = s->seg.node != NULL && s->wm.trk.have_last;

    v->last_gtid = here ? s->wm.trk.last_gtid : s->last_gtid;
    v->last_start = here ? s->wm.trk.last_start : s->last_start;
    v->last_end = here ? s->wm.trk.last_end : s->last_end;
    memcpy(v->last_file, here ? s->seg.node->file : s->last_file, sizeof v->last_file);
}

static void publish_held(const struct store *s, struct store_view *v)
{
    struct store_end *e = &v->held;

    *e = s->before.end;
    if (v->file[0] == '\0')
        return;
    e->lineage = v->lineage;
    memcpy(e->source_id, v->source_id, sizeof e->source_id);
    memcpy(e->file, v->file, sizeof e->file);
    e->offset = v->watermark;
    if (v->last_file[0] == '\0')
        return;
    e->last_lineage = v->lineage;
    memcpy(e->last_file, v->last_file, sizeof e->last_file);
    e->last_start = v->last_start;
    e->last_end = v->last_end;
    e->last_gtid = v->last_gtid;
}

static void publish_locked(struct store *s)
{
    struct store_view *v = &s->view;

    if (publish_gtids(s) < 0)
        return; /* out of memory: the old picture stays whole, the next publication tries again */
    v->lineage = s->lineage != NULL ? s->lineage->number : 0;
    v->continues = store_seam(s) != NULL;
    memset(v->source_id, 0, sizeof v->source_id);
    if (s->lineage != NULL)
        memcpy(v->source_id, s->lineage->source_id, sizeof v->source_id);
    memset(v->file, 0, sizeof v->file);
    if (s->seg.node != NULL)
        memcpy(v->file, s->seg.node->file, sizeof v->file);
    v->watermark = s->seg.node != NULL ? s->wm.trk.boundary : 0;
    v->durable = s->seg.node != NULL ? s->seg.durable : 0;
    publish_last(s, v);
    publish_held(s, v);
    v->segments = s->segments;
    v->bytes = s->sealed_bytes + v->durable;
    v->aborted = s->aborted;
    atomic_store_explicit(&s->view_pending, false, memory_order_release);
}

void store_publish(struct store *s)
{
    atomic_store_explicit(&s->view_pending, true, memory_order_release);
    if (pthread_mutex_trylock(&s->view_mutex) == 0) {
        publish_locked(s);
        (void)pthread_mutex_unlock(&s->view_mutex);
    }
    for (unsigned i = 0; i < s->n_on_watermark; i++)
        s->on_watermark[i].fn(s->on_watermark[i].arg);
}

bool store_publish_pending(struct store *s)
{
    if (!store_view_is_current(s))
        store_publish(s);
    return store_view_is_current(s);
}

static int sync_data(struct store *s, struct lt_err *err)
{
    int rc = store_flush(s, err);
    if (rc < 0)
        return rc;
    rc = s->vfs->fdatasync(s->vfs->ctx, s->seg.fd);
    if (rc < 0) {
        rc = store_sys_err(err, rc, "fdatasync %s", s->seg.path);
        return store_fail(s, store_only_lacks(rc) ? rc : LT_ESYNC);
    }
    s->seg.cut_unsynced = false;
    if (s->now.trk.have_fde && !tail_has_crc(&s->now)) {
        rc = sidecar_sync(s, err);
        if (rc < 0)
            return store_fail(s, rc);
    }
    rc = forced_ends_sync(s->vfs, s->seg.node->lineage, s->seg.node->file, &s->seg.ends, err);
    return rc < 0 ? store_fail(s, rc) : 0;
}

static void advance(struct store *s)
{
    struct segment *seg = &s->seg;

    /* In this order: whoever sees that all is synced sees as well that the view is yet to come. */
    atomic_store_explicit(&s->view_pending, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->stat_synced, seg->appended - seg->durable, memory_order_release);
    seg->sync_batch = seg->appended - seg->durable;
    seg->durable = seg->appended;
    if (s->bound.trk.boundary == s->wm.trk.boundary)
        return;
    const struct page_image *page = page_holds_end(&seg->page, s->bound.trk.boundary) ? &seg->page : &seg->at_bound;
    page_copy_to(&seg->at_wm, page, s->bound.trk.boundary);
    s->wm = s->bound;
    atomic_store_explicit(&seg->node->readable, s->wm.trk.boundary, memory_order_release);
}

/* A boundary that was forced on bytes that were synced before is news too. */
static bool has_news(const struct store *s)
{
    return s->seg.node != NULL && (s->seg.appended != s->seg.durable || s->bound.trk.boundary != s->wm.trk.boundary);
}

int store_sync_data(struct store *s, struct lt_err *err)
{
    if (!has_news(s))
        return 0;
    uint64_t began = clock_mono_us();
    store_busy_begin(s);
    int rc = sync_data(s, err);
    store_busy_end(s);
    if (rc < 0)
        return rc;
    hist_add(&s->stat_sync_us, clock_mono_us() - began);
    rc = settle_gtids(s);
    if (rc < 0)
        return store_fail(s, lt_err_set(err, rc, "executed GTID set"));
    advance(s);
    return 0;
}

int store_sync_unpublished(struct store *s, struct lt_err *err)
{
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    return store_sync_data(s, err);
}

int store_sync(struct store *s, struct lt_err *err)
{
    int rc = store_sync_unpublished(s, err);
    if (rc == 0)
        (void)store_publish_pending(s); /* a busy view is told with the next publication */
    return rc;
}
