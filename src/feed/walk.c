/*
 * - Headers and the bodies that decide about transactions are read through a window; of row data only what the window brings along.
 * - Without a filter only lengths count until the batch ends: the tracker is taken along again from the last event that opened a transaction, because
 *   nothing before it matters to what it says there.
 * - With a filter, the event that opens a transaction decides: held, and the batch ends before it; with nothing to send it is walked over.
 * - At the readable end of the newest file no transaction is open, whatever the tracker thinks: the store's word counts (a source may have
 *   flagged an end that the tracker cannot see).
 * Failure: an event that does not fit below the readable end is damage.
 */
#include "feed/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

#define LAZY_MAX 32768u /* a transaction that is longer is followed event by event */

int window_init(struct window *w, struct lt_err *err)
{
    *w = (struct window){.buf = malloc(WINDOW_BYTES)};
    return w->buf != NULL ? 0 : lt_err_set(err, LT_ENOMEM, "window");
}

void window_fini(struct window *w)
{
    free(w->buf);
    w->buf = NULL;
}

const uint8_t *window_peek(const struct window *w, const struct feed_file *f, uint64_t off, size_t len)
{
    if (w->file_id != f->id || off < w->off || off + len > w->off + w->len)
        return NULL;
    return w->buf + (off - w->off);
}

static int window_look(struct window *w, struct feed_file *f, uint64_t off, size_t len, uint64_t end,
                       const uint8_t **ret, struct lt_err *err)
{
    *ret = window_peek(w, f, off, len);
    if (*ret != NULL)
        return 0;
    uint64_t left = end - off;
    size_t want = len + WINDOW_READ < left ? len + WINDOW_READ : (size_t)left;
    if (want > WINDOW_BYTES)
        want = WINDOW_BYTES;
    w->file_id = 0;
    int rc = store_reader_pread(f->reader, w->buf, want, off, err);
    if (rc != 0)
        return rc;
    w->file_id = f->id;
    w->off = off;
    w->len = want;
    *ret = w->buf;
    return 0;
}

void walk_filter_fini(struct walk_filter *flt)
{
    gtid_set_fini(&flt->held);
    gtid_set_fini(&flt->sent);
    gtid_set_fini(&flt->state);
    free(flt->after);
    flt->after = NULL;
    flt->after_count = 0;
    free(flt->until.list);
    flt->until = (struct walk_until){0};
}

static bool until_is_over(const struct walk_until *u)
{
    for (size_t i = 0; i < u->count; i++) {
        if (!u->list[i].reached)
            return false;
    }
    return u->on;
}

int walk_filter_begin_file(struct walk_filter *flt, const struct gtid_set *list)
{
    struct walk_until *u = &flt->until;
    if (!u->on)
        return 0;
    for (size_t i = 0; i < u->count; i++)
        u->list[i].reached = u->list[i].reached || gtid_set_contains(list, &u->list[i].gtid);
    u->last = until_is_over(u);
    gtid_set_fini(&flt->state);
    return gtid_set_copy(&flt->state, list);
}

int walk_filter_new_lineage(struct walk_filter *flt)
{
    int rc = gtid_set_union(&flt->held, &flt->sent);
    gtid_set_clear(&flt->sent);
    flt->skipping = false;
    return rc == LT_EINVAL ? 0 : rc; /* another flavour than before: its transactions are none of those */
}

int walk_seed(struct feed_file *f, uint64_t off, struct txn_tracker *ret, struct lt_err *err)
{
    const uint8_t *fde;
    size_t len;
    struct event_fde parsed;

    txn_reset(ret);
    if (off == BINLOG_MAGIC_LEN)
        return 0;
    int rc = file_fde(f, &fde, &len, &parsed, err);
    if (rc != 0)
        return rc;
    ret->have_fde = true;
    ret->is_mariadb = parsed.is_mariadb;
    ret->checksum = parsed.checksum;
    ret->offset = ret->boundary = off;
    return 0;
}

/* Whether txn_feed looks into the body. */
static bool wants_body(uint8_t type)
{
    switch (type) {
    case EVENT_GTID:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_GTID_TAGGED:
    case EVENT_MARIADB_GTID:
    case EVENT_FORMAT_DESCRIPTION:
    case EVENT_QUERY:
        return true;
    default:
        return false;
    }
}

static int read_header(struct window *w, struct feed_file *f, uint64_t off, uint64_t end, struct event_header *ret,
                       struct lt_err *err)
{
    const uint8_t *p = NULL;
    if (end - off < EVENT_HEADER_LEN)
        return lt_err_set(err, LT_ECORRUPT, "no whole event at offset %llu of %s", (unsigned long long)off,
                          f->info.file);
    int rc = window_look(w, f, off, EVENT_HEADER_LEN, end, &p, err);
    if (rc != 0)
        return rc;
    if (event_header_parse(p, EVENT_HEADER_LEN, ret) != 0 || ret->length > end - off)
        return lt_err_set(err, LT_ECORRUPT, "no whole event at offset %llu of %s", (unsigned long long)off,
                          f->info.file);
    return 0;
}

/* off is a boundary, and the one before it was in another block. */
static void note_block(struct feed_file *f, uint64_t before, uint64_t off)
{
    if (before >> FILES_BLOCK_SHIFT != off >> FILES_BLOCK_SHIFT)
        file_note_boundary(f, off);
}

static int feed(struct window *w, struct feed_file *f, struct txn_tracker *t, const struct event_header *h,
                uint64_t end, struct txn_step *ret, struct lt_err *err)
{
    const uint8_t *head = NULL;
    size_t len = EVENT_HEADER_LEN;
    if (wants_body(h->type))
        len = h->length < TXN_HEAD_BYTES ? h->length : TXN_HEAD_BYTES;
    int rc = window_look(w, f, t->offset, len, end, &head, err);
    if (rc != 0)
        return rc;
    uint64_t before = t->boundary;
    txn_feed(t, h, head, len, ret);
    note_block(f, before, t->boundary);
    return 0;
}

static int note_sent(struct walk_filter *flt, const struct txn_step *step)
{
    if (flt == NULL || !step->completed || step->gtid.kind == GTID_NONE)
        return 0;
    int rc = gtid_set_add(&flt->sent, &step->gtid);
    return rc == LT_EINVAL ? 0 : rc;
}

/*
 * Is it at or before the place that was named in its domain? As MariaDB does it: the place is reached by its very GTID, or by a later number of the same
 * server; all of the domain before that is left out. reach: it is being left out or sent now, not only looked at.
 */
static bool is_before_place(struct walk_filter *flt, const struct gtid *g, bool reach)
{
    for (size_t i = 0; i < flt->after_count; i++) {
        struct walk_after *a = &flt->after[i];
        if (a->reached || g->kind != GTID_MARIADB || a->gtid.domain_id != g->domain_id)
            continue;
        bool other = a->gtid.server_id != g->server_id;
        if (reach && !other && g->seq >= a->gtid.seq)
            a->reached = flt->tells = true;
        return other || g->seq <= a->gtid.seq;
    }
    return false;
}

/* The place in its domain that it lies behind without having come by; NULL: none. */
static const struct gtid *hole_before(const struct walk_filter *flt, const struct gtid *g)
{
    for (size_t i = 0; flt->strict && g->kind == GTID_MARIADB && i < flt->after_count; i++) {
        const struct walk_after *a = &flt->after[i];
        if (!a->reached && a->gtid.domain_id == g->domain_id)
            return a->gtid.server_id == g->server_id && g->seq > a->gtid.seq ? &a->gtid : NULL;
    }
    return NULL;
}

/* The domain of a place that was unknown here has come to be: now the place must be one. */
static int look_again(struct feed_file *f, struct walk_after *a, struct lt_err *err)
{
    struct store_view v;
    char text[AFTER_TEXT_MAX];
    uint64_t last;
    if (store_view_get(f->home->store, &v) != 0)
        return lt_err_set(err, LT_ENOMEM, "GTID set");
    enum after_found found = after_look_up(&v.gtid_held, &a->gtid, &last);
    store_view_fini(&v);
    a->unseen = false;
    if (found == AFTER_HELD)
        return 0;
    after_refusal(found, &a->gtid, text);
    return lt_err_set(err, LT_EGAP, "%s", text);
}

/* Are the places of its domain such as there are? */
static int judge_places(struct feed_file *f, struct walk_filter *flt, const struct gtid *g, struct lt_err *err)
{
    char text[AFTER_TEXT_MAX];
    int rc = 0;
    for (size_t i = 0; rc == 0 && g->kind == GTID_MARIADB && i < flt->after_count; i++) {
        struct walk_after *a = &flt->after[i];
        if (!a->reached && a->unseen && a->gtid.domain_id == g->domain_id)
            rc = look_again(f, a, err);
    }
    const struct gtid *hole = rc == 0 ? hole_before(flt, g) : NULL;
    if (hole != NULL) {
        after_hole(hole, text);
        return lt_err_set(err, LT_EGAP, "%s", text);
    }
    return rc;
}

/* May the stream end before it, or something have to be told behind it? */
static bool decides(const struct walk_filter *flt, const struct gtid *g)
{
    for (size_t i = 0; g->kind == GTID_MARIADB && i < flt->after_count; i++) {
        if (!flt->after[i].reached && flt->after[i].gtid.domain_id == g->domain_id)
            return true;
    }
    return false;
}

/* Is it behind the place that was named as the end of its domain, or of a domain that was not named? */
static bool is_behind_end(struct walk_until *u, const struct gtid *g, bool reach)
{
    for (size_t i = 0; u->on && g->kind == GTID_MARIADB && i < u->count; i++) {
        struct walk_after *a = &u->list[i];
        if (a->reached || a->gtid.domain_id != g->domain_id)
            continue;
        if (a->gtid.server_id != g->server_id || g->seq < a->gtid.seq)
            return false;
        a->reached = reach;
        u->last = u->last || (reach && until_is_over(u));
        return g->seq > a->gtid.seq;
    }
    return u->on;
}

static bool is_left_out(struct walk_filter *flt, const struct gtid *g, bool reach)
{
    bool before = is_before_place(flt, g, reach);
    bool behind = is_behind_end(&flt->until, g, reach);
    return before || behind || gtid_set_contains(&flt->held, g);
}

/* It is left out or sent now. */
static int pass(struct walk_filter *flt, const struct gtid *g)
{
    (void)is_left_out(flt, g, true);
    int rc = flt->keeps_state && g->kind == GTID_MARIADB ? gtid_set_add(&flt->state, g) : 0;
    return rc == LT_EINVAL ? 0 : rc;
}

/* What a file begins with belongs to no transaction, and ends none. */
static bool ends_walk(const struct walk_filter *flt, const struct txn_tracker *t, uint8_t type)
{
    return flt->until.last && !t->open && type != EVENT_FORMAT_DESCRIPTION && type != EVENT_MARIADB_START_ENCRYPTION;
}

/* Does the event just fed begin a transaction, which one? */
static const struct gtid *begun(const struct txn_tracker *before, const struct txn_tracker *t,
                                const struct txn_step *step)
{
    if (t->open && (!before->open || t->open_start == before->offset))
        return &t->open_gtid;
    return step->completed && step->start == before->offset ? &step->gtid : NULL;
}

struct batching {
    struct window *w;
    struct feed_file *f;
    struct txn_tracker *t;
    struct walk_filter *flt;
    uint64_t end;
    struct walk_batch *b;
};

/* A place was reached: behind what is left out, or behind the very event that said so, the batch ends for it to be told. */
static void note_tell(struct batching *bt, bool *ret_stop)
{
    struct walk_filter *flt = bt->flt;
    if (!flt->tells || flt->skipping)
        return;
    flt->tells = false;
    flt->tell_at = bt->t->offset;
    bt->b->more = bt->b->count == 0;
    *ret_stop = true;
}

/* One event in or out of the batch. *ret_stop: the batch ends before it. */
static int take_event(struct batching *bt, const struct event_header *h, bool *ret_stop, struct lt_err *err)
{
    struct walk_filter *flt = bt->flt;
    struct txn_tracker before = *bt->t;
    struct txn_step step;
    int rc = feed(bt->w, bt->f, bt->t, h, bt->end, &step, err);
    if (rc != 0)
        return rc;
    if (flt->skipping && before.open && bt->t->open && bt->t->open_start == before.offset)
        flt->skipping = false; /* a new one began though the one before did not end */
    const struct gtid *g = flt->skipping ? NULL : begun(&before, bt->t, &step);
    bool out = g != NULL && is_left_out(flt, g, false);
    if (bt->b->count > 0 && (out || (g != NULL && decides(flt, g)))) {
        *bt->t = before;
        *ret_stop = true;
        return 0;
    }
    if (g != NULL)
        rc = judge_places(bt->f, flt, g, err);
    if (rc != 0)
        return rc;
    flt->skipping = flt->skipping || out;
    if (g != NULL && pass(flt, g) != 0)
        return lt_err_set(err, LT_ENOMEM, "GTID set");
    flt->until.ended = ends_walk(flt, bt->t, h->type);
    if (flt->skipping) {
        bt->b->from = bt->b->to = bt->t->offset;
        flt->skipping = bt->t->open;
        note_tell(bt, ret_stop);
        return 0;
    }
    bt->b->count++;
    bt->b->to = bt->t->offset;
    note_tell(bt, ret_stop);
    return note_sent(flt, &step);
}

/* At the readable end: is it a boundary that the tracker did not see? A file that ends in an unfinished transaction says so. */
static int close_at_end(const struct feed_file *f, struct txn_tracker *t, struct walk_filter *flt)
{
    struct txn_step step;
    struct store_segment_info info;
    if (!t->open)
        return 0;
    store_reader_info(f->reader, &info);
    if (info.aborted_tail || info.bytes != t->offset)
        return 0;
    (void)txn_force_boundary(t, &step);
    if (flt != NULL && flt->skipping) {
        flt->skipping = false;
        return 0;
    }
    return note_sent(flt, &step);
}

/* Opens a transaction, whatever came before. */
static bool opens(uint8_t type)
{
    return type == EVENT_GTID || type == EVENT_ANONYMOUS_GTID || type == EVENT_GTID_TAGGED ||
           type == EVENT_MARIADB_GTID;
}

/* The tracker, from the start of a transaction to `to`. */
static int catch_up(struct batching *bt, uint64_t from, uint64_t to, struct lt_err *err)
{
    struct txn_tracker *t = bt->t;
    t->offset = t->boundary = from;
    t->open = false;
    while (t->offset < to) {
        struct event_header h = {0};
        struct txn_step step;
        int rc = read_header(bt->w, bt->f, t->offset, bt->end, &h, err);
        if (rc == 0)
            rc = feed(bt->w, bt->f, t, &h, bt->end, &step, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/*
 * Over headers that the window holds, as long as there is nothing to decide: what is left to the caller is the end of the window or the batch, a
 * transaction that has become long, and whatever is wrong. *from: where the last transaction opened.
 */
static void skim(struct batching *bt, uint64_t max_bytes, uint64_t *from)
{
    const struct window *w = bt->w;
    struct walk_batch *b = bt->b;
    if (w->file_id != bt->f->id || b->to < w->off)
        return;
    while (b->to + EVENT_HEADER_LEN <= w->off + w->len && b->to - *from <= LAZY_MAX) {
        const uint8_t *p = w->buf + (b->to - w->off);
        uint32_t length = load_u32(p + 9);
        if (length < EVENT_HEADER_LEN || length > EVENT_LENGTH_MAX || length > bt->end - b->to ||
            b->to + length - b->from > max_bytes)
            return;
        if (opens(p[4])) {
            note_block(bt->f, *from, b->to);
            *from = b->to;
        }
        b->to += length;
        b->count++;
    }
}

/* A batch that leaves nothing out. */
static int cut_all(struct batching *bt, uint64_t max_bytes, struct lt_err *err)
{
    struct walk_batch *b = bt->b;
    bool lazy = false; /* the tracker stands still, to be taken along from `from` */
    uint64_t from = 0;
    while (b->to < bt->end) {
        struct event_header h = {0};
        struct txn_step step;
        int rc = read_header(bt->w, bt->f, b->to, bt->end, &h, err);
        if (rc != 0)
            return rc;
        if (b->count > 0 && b->to + h.length - b->from > max_bytes)
            break;
        if (opens(h.type)) {
            note_block(bt->f, lazy ? from : bt->t->boundary, b->to);
            lazy = true;
            from = b->to;
        } else if (lazy && b->to - from > LAZY_MAX) {
            lazy = false;
            rc = catch_up(bt, from, b->to, err);
        }
        if (rc == 0 && !lazy)
            rc = feed(bt->w, bt->f, bt->t, &h, bt->end, &step, err);
        if (rc != 0)
            return rc;
        b->to += h.length;
        b->count++;
        if (lazy)
            skim(bt, max_bytes, &from);
    }
    return lazy ? catch_up(bt, from, b->to, err) : 0;
}

static int cut_filtered(struct batching *bt, uint64_t max_bytes, struct lt_err *err)
{
    uint64_t start = bt->t->offset;
    bool stop = false;
    int rc = 0;
    while (rc == 0 && !stop && !bt->flt->until.ended && bt->t->offset < bt->end) {
        struct event_header h = {0};
        rc = read_header(bt->w, bt->f, bt->t->offset, bt->end, &h, err);
        if (rc != 0)
            break;
        if (bt->b->count > 0 && bt->t->offset + h.length - bt->b->from > max_bytes)
            break;
        if (bt->b->count == 0 && bt->t->offset - start > WALK_TURN_MAX) {
            bt->b->more = true;
            break;
        }
        rc = take_event(bt, &h, &stop, err);
    }
    return rc;
}

int walk_batch(struct window *w, struct feed_file *f, struct txn_tracker *t, const struct walk_limits *limits,
               struct walk_filter *filter, struct walk_batch *ret, struct lt_err *err)
{
    bool sealed;
    struct batching bt = {.w = w, .f = f, .t = t, .flt = filter, .end = file_end(f, &sealed), .b = ret};

    *ret = (struct walk_batch){.from = t->offset, .to = t->offset};
    if (limits->end < bt.end)
        bt.end = limits->end;
    int rc = filter != NULL ? cut_filtered(&bt, limits->max_bytes, err) : cut_all(&bt, limits->max_bytes, err);
    if (rc == 0 && t->offset == bt.end)
        rc = close_at_end(f, t, filter);
    ret->boundary = !t->open;
    return rc;
}

int walk_to(struct window *w, struct feed_file *f, struct txn_tracker *t, uint64_t target, uint64_t *ret_near,
            struct lt_err *err)
{
    bool sealed;
    uint64_t end = file_end(f, &sealed);
    uint64_t known = file_boundary_before(f, target);
    int rc = 0;

    if (known > t->offset)
        rc = walk_seed(f, known, t, err);
    uint64_t start = t->offset;
    while (rc == 0 && t->offset < target) {
        struct event_header h = {0};
        struct txn_step step;
        if (t->offset - start > WALK_TURN_MAX)
            return LT_EAGAIN;
        *ret_near = t->offset;
        rc = read_header(w, f, t->offset, end, &h, err);
        if (rc == 0 && t->offset + h.length > target)
            return LT_EINVAL;
        if (rc == 0)
            rc = feed(w, f, t, &h, end, &step, err);
    }
    if (rc == 0 && target == end)
        rc = close_at_end(f, t, NULL);
    return rc;
}
