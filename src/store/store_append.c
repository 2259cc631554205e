/*
 * Append events to the newest file.
 *
 * - Bytes are copied into one buffer; a full buffer, and a piece as large as a quarter of it, goes out up to a block's border.
 * - What was written of a large batch is sent on to the disk every write_back_bytes, so that the sync at its end finds little to do.
 *   That changes nothing in what a sync means: it still covers all that was appended, and reports what was lost on the way.
 * - At the end of an event the tracker says whether a transaction is open; at a boundary the state is remembered as `bound`, which the next
 *   sync makes the watermark. Completed GTIDs collect in `fresh` until then.
 * - A boundary that only the source's ACK flag shows is noted: the sync that covers it writes it down first (forced_ends.c).
 * - A Previous_gtids or Gtid_list event is kept whole in memory while it comes in, because it replaces the executed set: so the
 *   live set and the one a recovery would build are the same.
 * - More than unsynced_max is never left unsynced, in the middle of an event either: recovery concludes from it that damage further from the
 *   end is damage. The sync comes before the piece that would be too much, never behind an event's last: so at an event's end there is always something
 *   to sync, and the sync that covers the end of a transaction is the one that makes it the watermark.
 *
 * Failure: a failed write leaves the file's end unknown: the store is broken until store_repair. Refused events (no file, not an FDE first)
 *   change nothing. An event given up is cut away before others are written in its place, so that none of its bytes can ever be taken for events.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/crc32.h"
#include "store/store_internal.h"

/* Files without checksums, and files of which nothing is known yet, have a running CRC. */
static bool wants_crc(const struct store *s)
{
    return !s->now.trk.have_fde || s->now.trk.checksum == CHECKSUM_NONE;
}

bool tail_has_crc(const struct tail_state *t)
{
    return t->trk.have_fde && t->trk.checksum == CHECKSUM_CRC32;
}

static int write_out(struct store *s, const void *data, size_t len, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    if (len == 0)
        return 0;
    int rc = vfs_pwrite_full(s->vfs, seg->fd, data, len, seg->written);
    if (rc < 0) {
        (void)store_sys_err(err, rc, "write %s", seg->path);
        return store_fail(s, store_sys_code(rc));
    }
    seg->written += len;
    if (seg->size < seg->written)
        seg->size = seg->written;
    return 0;
}

int store_flush(struct store *s, struct lt_err *err)
{
    if (s->buf_len == 0)
        return 0;
    int rc = write_out(s, s->buf, s->buf_len, err);
    if (rc == 0)
        s->buf_len = 0;
    return rc;
}

static bool is_list(const struct event_header *h)
{
    return h->type == EVENT_PREVIOUS_GTIDS || h->type == EVENT_MARIADB_GTID_LIST;
}

int store_event_begin(struct store *s, const struct event_header *h, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    if (seg->node == NULL || seg->in_event)
        return lt_err_set(err, LT_EINVAL, seg->node == NULL ? "no file to append to" : "the event before is not ended");
    if (h->length < EVENT_HEADER_LEN || h->length > EVENT_LENGTH_MAX)
        return lt_err_set(err, LT_EINVAL, "event length %u", h->length);
    if ((h->type == EVENT_FORMAT_DESCRIPTION) == s->now.trk.have_fde)
        return lt_err_set(err, LT_EINVAL, "%s: a file has one format description event, and it comes first",
                          seg->node->file);
    if (is_list(h)) {
        if (h->length > STORE_LIST_MAX)
            return lt_err_set(err, LT_ETOOBIG, "GTID list event of %u bytes", h->length);
        s->list_event = malloc(h->length);
        if (s->list_event == NULL)
            return lt_err_set(err, LT_ENOMEM, "GTID list event of %u bytes", h->length);
    }
    seg->in_event = true;
    seg->ev = *h;
    seg->ev_got = 0;
    return 0;
}

/* Let the disk begin with a large batch before the sync asks for it. Not the last page, which is still being filled. */
static void write_back_early(struct store *s)
{
    struct segment *seg = &s->seg;
    uint64_t from = seg->handed_on > seg->durable && seg->handed_on <= seg->written ? seg->handed_on : seg->durable;
    uint64_t end = seg->written / STORE_PAGE * STORE_PAGE;

    if (end < from + s->opt.write_back_bytes)
        return;
    (void)s->vfs->write_back(s->vfs->ctx, seg->fd, from, end - from); /* the sync is told what goes wrong */
    seg->handed_on = end;
}

/* Write all that ends at a block's border: the buffer, filled up to the next one, then whole blocks of data straight from where they are. */
static int write_blocks(struct store *s, const uint8_t **data, size_t *len, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    uint64_t at = seg->written + s->buf_len;
    uint64_t cut = (at + *len) / STORE_WRITE_BLOCK * STORE_WRITE_BLOCK;
    size_t fill = at < cut ? (size_t)((STORE_WRITE_BLOCK - at % STORE_WRITE_BLOCK) % STORE_WRITE_BLOCK) : 0;

    memcpy(s->buf + s->buf_len, *data, fill);
    s->buf_len += fill;
    size_t n = s->buf_len < cut - seg->written ? s->buf_len : (size_t)(cut - seg->written);
    int rc = write_out(s, s->buf, n, err);
    if (rc < 0)
        return rc;
    s->buf_len -= n;
    memmove(s->buf, s->buf + n, s->buf_len);
    n = (size_t)(cut - seg->written);
    rc = write_out(s, *data + fill, n, err);
    *data += fill + n;
    *len -= fill + n;
    return rc;
}

static int buffer_bytes(struct store *s, const uint8_t *data, size_t len, struct lt_err *err)
{
    if (len > STORE_BUF_BYTES - s->buf_len || len >= STORE_BUF_BYTES / 4) {
        int rc = write_blocks(s, &data, &len, err);
        if (rc < 0)
            return rc;
        write_back_early(s);
    }
    memcpy(s->buf + s->buf_len, data, len);
    s->buf_len += len;
    return 0;
}

static int append_piece(struct store *s, const uint8_t *data, size_t len, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    int rc = 0;
    if (seg->appended - seg->durable + len > s->opt.unsynced_max)
        rc = store_sync(s, err);
    if (rc == 0)
        rc = buffer_bytes(s, data, len, err);
    if (rc < 0)
        return rc;
    if (s->list_event != NULL)
        memcpy(s->list_event + seg->ev_got, data, len);
    if (wants_crc(s))
        seg->crc_run = crc32_update(seg->crc_run, data, len);
    page_append(&seg->page, seg->appended, data, len, s->bound.trk.boundary, &seg->at_bound);
    seg->appended += len;
    seg->ev_got += len;
    atomic_fetch_add_explicit(&s->stat_received, len, memory_order_relaxed);
    return 0;
}

/* In pieces of at most unsynced_max: with nothing unsynced before it, no piece is too much. */
int store_event_bytes(struct store *s, const void *data, size_t len, struct lt_err *err)
{
    const uint8_t *from = data;
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    if (!s->seg.in_event || len > s->seg.ev.length - s->seg.ev_got)
        return lt_err_set(err, LT_EINVAL, "more bytes than the event has");
    while (rc == 0 && len > 0) {
        size_t n = len < s->opt.unsynced_max ? len : (size_t)s->opt.unsynced_max;
        rc = append_piece(s, from, n, err);
        from += n;
        len -= n;
    }
    return rc;
}

void tail_note_event(struct tail_state *t, const struct event_header *h, const uint8_t *head, size_t head_len)
{
    struct event_rotate rotate;

    t->rotated = false;
    if (h->type != EVENT_ROTATE || head_len != h->length)
        return;
    /* Its own position is the file's length: a file that lacks a piece is asked for once more, not taken for ended. */
    if (h->log_pos != 0 && h->log_pos != (uint32_t)t->trk.offset)
        return;
    if (event_rotate_parse(head, head_len, t->trk.checksum == CHECKSUM_CRC32, &rotate) < 0)
        return;
    t->rotated = true;
    memcpy(t->next_file, rotate.name, sizeof t->next_file);
}

/* A list that does not parse is kept as bytes and changes nothing: the set then follows the transactions alone. */
static int take_list(struct store *s)
{
    bool crc = s->now.trk.checksum == CHECKSUM_CRC32;
    struct gtid_set set;

    gtid_set_init(&set);
    int rc = s->seg.ev.type == EVENT_PREVIOUS_GTIDS
                 ? gtid_set_from_previous_gtids(s->list_event, s->seg.ev.length, crc, &set)
                 : gtid_set_from_gtid_list(s->list_event, s->seg.ev.length, crc, &set);
    free(s->list_event);
    s->list_event = NULL;
    if (rc < 0) {
        gtid_set_fini(&set);
        return rc == LT_ENOMEM ? rc : 0;
    }
    rc = gtid_set_copy(&s->gtids, &set);
    gtid_set_fini(&s->fresh.set);
    s->fresh.set = set;
    s->fresh.replace = true;
    return rc;
}

static int note_gtids(struct store *s, const struct txn_step *step)
{
    int rc = 0;

    if (s->list_event != NULL)
        rc = take_list(s);
    if (rc == 0 && step->completed && step->gtid.kind != GTID_NONE) {
        rc = gtid_set_add(&s->gtids, &step->gtid);
        if (rc == 0)
            rc = gtid_set_add(&s->fresh.set, &step->gtid);
        /* A source of the other flavour in mid-history is for ingest to notice; the bytes are its bytes all the same. */
        if (rc == LT_EINVAL)
            rc = 0;
    }
    return rc;
}

int store_event_end(struct store *s, const uint8_t *head, size_t head_len, bool flagged, struct txn_step *ret_step,
                    struct lt_err *err)
{
    struct segment *seg = &s->seg;
    struct txn_step step;
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    if (!seg->in_event || seg->ev_got != seg->ev.length)
        return lt_err_set(err, LT_EINVAL, "the event is not complete");
    seg->in_event = false;
    txn_feed(&s->now.trk, &seg->ev, head, head_len, &step);
    lt_assert(s->now.trk.offset == seg->appended);
    if (flagged && !step.boundary && txn_force_boundary(&s->now.trk, &step))
        rc = forced_ends_note(&seg->ends, seg->appended);
    tail_note_event(&s->now, &seg->ev, head, head_len);
    s->now.crc = seg->crc_run;
    if (rc == 0)
        rc = note_gtids(s, &step);
    if (rc < 0)
        return store_fail(s, lt_err_set(err, rc, "executed GTID set"));
    if (s->now.trk.boundary == seg->appended)
        s->bound = s->now;
    if (ret_step != NULL)
        *ret_step = step;
    return 0;
}

int store_force_boundary(struct store *s, bool *ret_forced, struct lt_err *err)
{
    struct txn_step step;
    int rc = store_check_usable(s, err);
    if (rc < 0)
        return rc;
    if (s->seg.node == NULL || s->seg.in_event)
        return lt_err_set(err, LT_EINVAL, "no transaction can end here");
    *ret_forced = txn_force_boundary(&s->now.trk, &step);
    if (!*ret_forced)
        return 0;
    rc = forced_ends_note(&s->seg.ends, s->seg.appended);
    if (rc == 0)
        rc = note_gtids(s, &step);
    if (rc < 0)
        return store_fail(s, lt_err_set(err, rc, "executed GTID set"));
    s->bound = s->now;
    return store_sync(s, err);
}

/* The page being filled as it was when the event began. */
static int reload_page(struct store *s, uint64_t end)
{
    struct segment *seg = &s->seg;
    uint64_t off = (end - 1) / STORE_PAGE * STORE_PAGE;
    size_t from_file = seg->written > off ? (size_t)(seg->written - off) : 0;
    size_t len = (size_t)(end - off);

    if (from_file > len)
        from_file = len;
    ssize_t n = vfs_pread_full(s->vfs, seg->fd, seg->page.bytes, from_file, off);
    if (n < 0)
        return (int)n;
    if ((size_t)n != from_file)
        return -EIO;
    if (from_file < len)
        memcpy(seg->page.bytes + from_file, s->buf + (off + from_file - seg->written), len - from_file);
    seg->page.off = off;
    seg->page.len = (uint32_t)len;
    return 0;
}

int store_event_abort(struct store *s, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    int rc = store_check_usable(s, err);
    if (rc < 0 || !seg->in_event)
        return rc;
    uint64_t start = s->now.trk.offset;

    seg->in_event = false;
    free(s->list_event);
    s->list_event = NULL;
    s->buf_len = start > seg->written ? (size_t)(start - seg->written) : 0;
    rc = reload_page(s, start);
    if (rc < 0)
        return store_fail(s, store_sys_err(err, rc, "read %s", seg->path));
    uint64_t kept = seg->durable > start ? seg->durable : start;
    atomic_fetch_sub_explicit(&s->stat_received, seg->appended - kept, memory_order_relaxed);
    seg->appended = start;
    seg->crc_run = s->now.crc;
    if (seg->written <= start)
        return 0;
    if (seg->side.fd >= 0 && seg->side.covered > start) {
        rc = sidecar_rebuild(s->vfs, seg->node->lineage, seg->node->file, start, s->now.crc, &seg->side, err);
        if (rc < 0)
            return store_fail(s, rc);
    }
    seg->written = start;
    if (seg->durable > start)
        seg->durable = start;
    return segment_cut(s, start, err);
}
