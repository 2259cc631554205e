/*
 * From packets to stored bytes.
 * - The first packet, an artificial Rotate, decides whether packets carry the semi-sync header.
 * - Each event: length against its packet, CRC, then the replica machine says what it is; then compare or append.
 * - Events larger than STREAM_WHOLE_BYTES go through in pieces: the CRC is known at the end, and a bad one takes the bytes out again.
 *   Not so a list of GTIDs: it is gathered, and then handled as any whole event is.
 * Failure modes: a wrong checksum or length is FAULT_CORRUPT and names the place (the caller counts repeats there); a difference from what
 * is stored is FAULT_DIVERGED, or FAULT_HISTORY_RESET where the file itself is another one. Nothing is overwritten.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/crc32.h"
#include "ingest/continuity.h"
#include "ingest/stream.h"
#include "ingest/torn.h"

#define LIST_FIRST_BYTES (4u * 1024u * 1024u)

static unsigned long long ull(uint64_t v)
{
    return (unsigned long long)v;
}

static int corrupt(const struct stream *st, const char *what, struct fault *f)
{
    (void)fault_set(f, FAULT_CORRUPT, "%s at %llu: %s", st->replica.file, ull(st->replica.offset), what);
    return LT_ECHECKSUM;
}

/* Events that a CRC is demanded of: everything of a checksummed file. Heartbeats and Rotates are made up by the source and harmless or self-checking. */
static bool must_have_crc(const struct stream *st, const struct event_header *h, const uint8_t *event, size_t len)
{
    /* Sent again for a dump from the middle of a file without checksums, it is changed and keeps its old CRC. */
    if (h->type == EVENT_FORMAT_DESCRIPTION)
        return h->log_pos != 0 || (len > EVENT_CRC_LEN && event[len - EVENT_CRC_LEN - 1] == CHECKSUM_CRC32);
    if (h->type == EVENT_HEARTBEAT || h->type == EVENT_HEARTBEAT_V2)
        return false;
    if (h->type == EVENT_ROTATE && event_is_artificial(h, st->replica.offset))
        return false;
    return st->replica.checksum == CHECKSUM_CRC32 &&
           (st->replica.state == REPLICA_EVENTS || st->replica.state == REPLICA_FILE_ENDED);
}

static void note_flag(struct stream *st, bool flagged)
{
    if (!flagged)
        return;
    st->flags_seen++;
    if (!st->ack_due)
        st->ack_at_us = st->read_at_us;
    st->ack_due = true;
    if (strcmp(st->ack.file, st->replica.file) != 0)
        memcpy(st->ack.file, st->replica.file, sizeof st->ack.file);
    st->ack.offset = st->replica.offset;
}

/*
 * A flag on bytes that are held: it may be all that says that a transaction ends there, and what is acknowledged must be held as ended. Where more is held
 * behind an end that nobody told, it cannot be made one any more: the flag of a later end covers it.
 */
static int heed_late_flag(struct stream *st, bool flagged, struct fault *f)
{
    struct store_resume held;
    struct lt_err err;
    bool forced = false;
    if (!flagged)
        return LT_OK;
    store_resume_point(st->opt.store, &held);
    if (st->replica.offset <= held.watermark) {
        note_flag(st, true);
        return LT_OK;
    }
    if (st->replica.offset < held.end)
        return LT_OK;
    int rc = store_force_boundary(st->opt.store, &forced, &err);
    if (rc != 0)
        return stream_store_fault(f, rc, &err);
    st->boundary_mismatches += forced;
    note_flag(st, true);
    return LT_OK;
}

static int differs(const struct stream *st, const struct event_header *h, uint64_t event_offset, uint64_t diff_offset,
                   struct fault *f)
{
    if (h->type == EVENT_FORMAT_DESCRIPTION)
        (void)fault_set(
            f, FAULT_HISTORY_RESET,
            "%s on the source is another file than the %s stored here (they differ at %llu, in the format description)",
            st->replica.file, st->replica.file, ull(diff_offset));
    else
        (void)fault_set(
            f, FAULT_DIVERGED,
            "%s: the source's %s event at %llu (server_id %u, time %u) differs from the stored bytes at %llu",
            st->replica.file, event_type_name(h->type), ull(event_offset), h->server_id, h->timestamp,
            ull(diff_offset));
    return LT_EDIVERGED;
}

static int compare_bytes(struct stream *st, const struct event_header *h, uint64_t event_offset, uint64_t at,
                         const uint8_t *data, size_t len, struct fault *f)
{
    struct lt_err err;
    uint64_t diff = 0;
    int rc = store_compare(st->opt.store, at, data, len, &diff, &err);
    if (rc == LT_EDIVERGED)
        return differs(st, h, event_offset, diff, f);
    return rc == 0 ? LT_OK : stream_store_fault(f, rc, &err);
}

static int check_fde_again(struct stream *st, const uint8_t *event, size_t len, struct fault *f)
{
    struct lt_err err;
    uint8_t *stored = NULL;
    size_t stored_len = 0;
    int rc = store_read_fde(st->opt.store, &stored, &stored_len, &err);
    if (rc != 0)
        return stream_store_fault(f, rc, &err);
    bool same = event_fde_same_file(stored, stored_len, event, len);
    free(stored);
    if (same)
        return LT_OK;
    (void)fault_set(f, FAULT_HISTORY_RESET,
                    "%s on the source is another file than the %s stored here: their format descriptions differ",
                    st->replica.file, st->replica.file);
    return LT_EDIVERGED;
}

/*
 * Must the list of the present file name exactly what is held? Where nothing else proves the file: it was begun at a place of which nothing could be
 * compared, or only its format description was stored before, which says nothing about the history.
 */
static bool wants_exact_list(const struct stream *st)
{
    const struct replica *r = &st->replica;
    /* Asked for from its start, that file's own list; from inside of it, the list of the first file that comes after it. */
    bool first = strcmp(r->file, r->start.file) == 0;
    bool asked = r->start.exact_list && !st->list_seen && first == (r->start.pos == BINLOG_MAGIC_LEN);
    bool bare = !r->file_is_new && !r->resumed && !st->start_seen;
    return asked || (bare && !gtid_set_is_empty(store_gtid_appended(st->opt.store)));
}

/* What the list at this file's start must be exactly, because nothing else proves that nothing lies before it; NULL: any that continues. */
static const struct gtid_set *demanded_list(const struct stream *st)
{
    const struct replica *r = &st->replica;
    const struct store_seam *seam = store_seam(st->opt.store);
    if (seam != NULL && !r->resumed && strcmp(r->file, seam->file) == 0)
        return &seam->list;
    return wants_exact_list(st) ? store_gtid_appended(st->opt.store) : NULL;
}

static int check_continuity(struct stream *st, const struct event_header *h, const uint8_t *event, struct fault *f)
{
    const struct replica *r = &st->replica;
    const struct gtid_set *demanded = demanded_list(st);
    if (!event_is_gtid_list(h->type)) {
        bool before = h->type == EVENT_FORMAT_DESCRIPTION || h->type == EVENT_MARIADB_START_ENCRYPTION;
        return before || demanded == NULL || st->list_seen
                   ? LT_OK
                   : fault_set(f, FAULT_GAP, "%s does not begin with a list of GTIDs", r->file);
    }
    const struct gtid_set *ours = store_gtid_appended(st->opt.store);
    st->list_seen = true;
    if (demanded != NULL)
        return continuity_check_exact(r->file, event, h, r->checksum == CHECKSUM_CRC32, demanded, f);
    return continuity_check(r->file, event, h, r->checksum == CHECKSUM_CRC32, ours, &st->last_before, f);
}

static int append_whole(struct stream *st, const struct event_header *h, const uint8_t *event, bool flagged,
                        bool begin_file, struct fault *f)
{
    struct lt_err err;
    struct store *store = st->opt.store;
    struct txn_step step;
    struct store_resume before;
    if (begin_file) {
        store_resume_point(store, &before);
        st->last_before = before.last_gtid;
    }
    int rc = begin_file ? store_segment_begin(store, st->replica.file, &err) : LT_OK;
    if (rc == 0 && begin_file)
        memcpy(st->stored_file, st->replica.file, sizeof st->stored_file);
    if (rc == 0) {
        if (store_unsynced(store) == 0)
            st->unsynced_at_us = st->read_at_us;
        rc = store_event_begin(store, h, &err);
    }
    if (rc == 0)
        rc = store_event_bytes(store, event, h->length, &err);
    if (rc == 0)
        rc = store_event_end(store, event, h->length, flagged, &step, &err);
    if (rc != 0)
        return stream_store_fault(f, rc, &err);
    st->boundary_mismatches += step.forced;
    return LT_OK;
}

/* What is kept of a START_ENCRYPTION event, whose clear-text file must not look encrypted to readers. */
static const uint8_t *as_stored(const struct stream *st, struct event_header *h, const uint8_t *event, uint8_t *copy)
{
    if (h->type != EVENT_MARIADB_START_ENCRYPTION)
        return event;
    memcpy(copy, event, h->length);
    event_make_encryption_stand_in(copy, h->length, st->replica.checksum == CHECKSUM_CRC32);
    h->type = EVENT_IGNORABLE;
    h->flags |= EVENT_FLAG_IGNORABLE;
    return copy;
}

static void note_time(struct stream *st, const struct event_header *h, const uint8_t *event)
{
    struct event_gtid g;
    st->last_event_s = h->timestamp;
    bool begins = h->type == EVENT_ANONYMOUS_GTID || h->type == EVENT_GTID || h->type == EVENT_GTID_TAGGED;
    if (begins && event_gtid_parse(event, h->length, st->replica.checksum == CHECKSUM_CRC32, &g) == 0)
        st->committed_us = g.immediate_commit_us;
}

static void note_incident(struct stream *st, uint64_t offset)
{
    st->incidents++;
    st->incident_start = offset;
    memcpy(st->incident_file, st->replica.file, sizeof st->incident_file);
}

static int act(struct stream *st, const struct event_header *sent, const uint8_t *event, bool flagged,
               const struct replica_verdict *v, struct fault *f)
{
    uint8_t copy[EVENT_START_ENCRYPTION_MAX];
    struct event_header h = *sent;
    int rc = LT_OK;
    st->heartbeat = v->action == REPLICA_HEARTBEAT;
    switch (v->action) {
    case REPLICA_SKIP:
    case REPLICA_HEARTBEAT:
        return LT_OK;
    case REPLICA_CHECK_FDE:
        st->began = true;
        return check_fde_again(st, event, h.length, f);
    case REPLICA_COMPARE:
        st->list_seen = st->list_seen || event_is_gtid_list(h.type);
        event = as_stored(st, &h, event, copy);
        rc = compare_bytes(st, &h, v->offset, v->offset, event, h.length, f);
        break;
    case REPLICA_APPEND:
    case REPLICA_BEGIN_FILE:
        rc = check_continuity(st, &h, event, f);
        if (rc != 0)
            return rc;
        event = as_stored(st, &h, event, copy);
        rc = append_whole(st, &h, event, flagged, v->action == REPLICA_BEGIN_FILE, f);
        break;
    }
    if (rc != 0)
        return rc;
    if (h.type == EVENT_INCIDENT && v->action == REPLICA_APPEND)
        note_incident(st, v->offset);
    st->began = true;
    st->start_seen = st->start_seen || h.type != EVENT_FORMAT_DESCRIPTION;
    note_time(st, &h, event);
    if (v->action == REPLICA_COMPARE)
        return heed_late_flag(st, flagged, f);
    note_flag(st, flagged);
    return LT_OK;
}

/* What is decided about an event needs all of it, or its head: where that cannot be had, it is refused, never passed over. */
static int check_length(const struct stream *st, const struct event_header *h, struct fault *f)
{
    if (h->length <= event_length_max(h->type))
        return LT_OK;
    return fault_set(f, FAULT_TOO_LARGE, "%s at %llu: a %s event of %u bytes; at most %u are taken", st->replica.file,
                     ull(st->replica.offset), event_type_name(h->type), h->length, event_length_max(h->type));
}

static int whole_event(struct stream *st, const uint8_t *event, size_t len, bool flagged, struct fault *f)
{
    struct event_header h;
    if (event_header_parse(event, len, &h) != 0 || h.length != len)
        return corrupt(st, "an event's length does not match its packet", f);
    if (check_length(st, &h, f) != 0)
        return LT_EPROTO;
    if (must_have_crc(st, &h, event, len) && !event_crc_ok(event, len))
        return corrupt(st, "an event's checksum is wrong", f);
    struct replica_verdict v;
    int rc = replica_step(&st->replica, &h, event, len, &v, f);
    if (rc != 0)
        return rc;
    if (v.action == REPLICA_BEGIN_FILE)
        st->start_seen = false;
    st->events++;
    return act(st, &h, event, flagged, &v, f);
}

static int large_begin(struct stream *st, const struct event_header *h, const uint8_t *event, size_t len, bool flagged,
                       struct fault *f)
{
    struct stream_large *lg = &st->large;
    struct replica_verdict v;
    struct lt_err err;
    *lg = (struct stream_large){.header = *h, .flagged = flagged};
    lg->checksummed = must_have_crc(st, &lg->header, event, len);
    int rc = replica_step(&st->replica, &lg->header, event, len, &v, f);
    if (rc != 0)
        return rc;
    lg->action = v.action;
    lg->offset = v.offset;
    st->heartbeat = false;
    st->events++;
    if (v.action != REPLICA_SKIP && v.action != REPLICA_COMPARE && v.action != REPLICA_APPEND)
        return corrupt(st, "an event of this kind cannot be so large", f);
    if (v.action == REPLICA_APPEND) {
        rc = check_continuity(st, h, event, f);
        if (rc != 0)
            return rc;
        if (store_unsynced(st->opt.store) == 0)
            st->unsynced_at_us = st->read_at_us;
        rc = store_event_begin(st->opt.store, &lg->header, &err);
        if (rc != 0)
            return stream_store_fault(f, rc, &err);
    }
    lg->active = true;
    return LT_OK;
}

/* The CRC covers all but the last four bytes, which are the CRC; both may be cut by a piece. */
static void large_checksum(struct stream_large *lg, const uint8_t *data, size_t len)
{
    uint64_t body = lg->header.length - EVENT_CRC_LEN;
    size_t n = lg->done >= body ? 0 : (size_t)(body - lg->done < len ? body - lg->done : len);
    lg->crc = crc32_update(lg->crc, data, n);
    for (size_t i = n; i < len; i++)
        lg->crc_stored[lg->done + i - body] = data[i];
}

static int large_finish(struct stream *st, struct fault *f)
{
    struct stream_large *lg = &st->large;
    struct lt_err err;
    uint32_t stored = load_u32(lg->crc_stored);
    bool bad = lg->done != lg->header.length || (lg->checksummed && stored != lg->crc);
    lg->active = false;
    if (bad) {
        if (lg->action == REPLICA_APPEND && store_event_abort(st->opt.store, &err) != 0)
            return stream_store_fault(f, LT_ESYS, &err);
        st->replica.offset = lg->offset;
        return corrupt(st, "a large event's checksum or length is wrong", f);
    }
    if (lg->action == REPLICA_SKIP)
        return LT_OK;
    if (lg->action == REPLICA_APPEND) {
        struct txn_step step;
        int rc = store_event_end(st->opt.store, st->head, lg->head_len, lg->flagged, &step, &err);
        if (rc != 0)
            return stream_store_fault(f, rc, &err);
        st->boundary_mismatches += step.forced;
        if (lg->header.type == EVENT_INCIDENT)
            note_incident(st, lg->offset);
    }
    st->start_seen = true;
    st->last_event_s = lg->header.timestamp;
    if (lg->action == REPLICA_COMPARE)
        return heed_late_flag(st, lg->flagged, f);
    note_flag(st, lg->flagged);
    return LT_OK;
}

static int large_more(struct stream *st, const uint8_t *data, size_t len, bool last, struct fault *f)
{
    struct stream_large *lg = &st->large;
    struct lt_err err;
    int rc = LT_OK;
    if (len > lg->header.length - lg->done)
        return corrupt(st, "a large event is longer than it says", f);
    if (lg->head_len < STREAM_HEAD_BYTES && lg->done == lg->head_len) {
        size_t n = STREAM_HEAD_BYTES - lg->head_len < len ? STREAM_HEAD_BYTES - lg->head_len : len;
        memcpy(st->head + lg->head_len, data, n);
        lg->head_len += n;
    }
    large_checksum(lg, data, len);
    if (lg->action == REPLICA_APPEND) {
        rc = store_event_bytes(st->opt.store, data, len, &err);
        if (rc != 0)
            return stream_store_fault(f, rc, &err);
    } else if (lg->action == REPLICA_COMPARE) {
        rc = compare_bytes(st, &lg->header, lg->offset, lg->offset + lg->done, data, len, f);
        if (rc != 0)
            return rc;
    }
    lg->done += len;
    return last ? large_finish(st, f) : LT_OK;
}

static int list_more(struct stream *st, const uint8_t *data, size_t len, bool last, struct fault *f)
{
    struct stream_list *ls = &st->list;
    if (len > ls->length - ls->got)
        return corrupt(st, "a list of GTIDs is longer than it says", f);
    if (ls->got + len > ls->cap) {
        size_t cap = ls->cap * 2 < ls->length ? ls->cap * 2 : ls->length;
        uint8_t *bigger = realloc(ls->event, cap);
        if (bigger == NULL)
            return fault_set(f, FAULT_CONNECT, "out of memory for a list of GTIDs of %zu bytes", ls->length);
        ls->event = bigger;
        ls->cap = cap;
    }
    memcpy(ls->event + ls->got, data, len);
    ls->got += len;
    if (!last)
        return LT_OK;
    int rc = whole_event(st, ls->event, ls->got, ls->flagged, f);
    free(ls->event);
    ls->event = NULL;
    return rc;
}

/* Room for two pieces at least: a first piece is never longer than the buffer. */
static int list_begin(struct stream *st, const struct event_header *h, bool flagged, struct fault *f)
{
    st->list = (struct stream_list){.length = h->length, .cap = LIST_FIRST_BYTES, .flagged = flagged};
    st->list.event = malloc(st->list.cap);
    if (st->list.event == NULL)
        return fault_set(f, FAULT_CONNECT, "out of memory for a list of GTIDs of %u bytes", h->length);
    return LT_OK;
}

static int first_piece(struct stream *st, const uint8_t *event, size_t len, bool flagged, struct fault *f)
{
    struct event_header h;
    if (event_header_parse(event, len, &h) != 0)
        return corrupt(st, "a large event's header is malformed", f);
    if (check_length(st, &h, f) != 0)
        return LT_EPROTO;
    if (event_is_gtid_list(h.type)) {
        int rc = list_begin(st, &h, flagged, f);
        return rc != 0 ? rc : list_more(st, event, len, false, f);
    }
    int rc = large_begin(st, &h, event, len, flagged, f);
    return rc != 0 ? rc : large_more(st, event, len, false, f);
}

static int server_error(struct stream *st, const struct packet_first *first, struct fault *f)
{
    enum fault_code code = fault_of_server_error(first->err_code, first->err_text);
    st->unreadable = torn_is_told_by(first->err_code, first->err_text);
    (void)fault_set(f, code, "the source ended the dump: error %u: %s", first->err_code, first->err_text);
    return LT_ECLOSED;
}

static int first_span(struct stream *st, const struct packet_span *span, struct fault *f)
{
    struct packet_first first;
    if (st->semi_sync == SEMI_SYNC_HEADER_UNKNOWN && span->len > 0 && span->data[0] == 0) {
        if (!span->last || packet_detect_semi_sync(span->data, span->len, &st->semi_sync) != 0)
            return fault_set(f, FAULT_PROTOCOL, "the source's stream does not begin with a Rotate event");
    }
    if (packet_parse_first(span->data, span->len, span->last, st->semi_sync, &first) != 0)
        return fault_set(f, FAULT_PROTOCOL, "%s at %llu: malformed packet from the source", st->replica.file,
                         ull(st->replica.offset));
    if (first.kind == PACKET_ERR)
        return server_error(st, &first, f);
    if (first.kind == PACKET_EOF) {
        (void)fault_set(f, FAULT_CONNECT, "the source ended the dump (it is shutting down)");
        return LT_ECLOSED;
    }
    const uint8_t *event = span->data + first.prefix_len;
    size_t len = span->len - first.prefix_len;
    if (span->last)
        return whole_event(st, event, len, first.ack_wanted, f);
    return first_piece(st, event, len, first.ack_wanted, f);
}

int stream_consume(struct stream *st, struct fault *ret_fault)
{
    while (!stream_batch_full(st)) {
        struct packet_span span;
        size_t used = 0;
        int rc = packet_next(&st->framer, st->buf + st->used, st->len - st->used, STREAM_WHOLE_BYTES, &span, &used);
        if (rc == LT_EAGAIN)
            return LT_OK;
        if (rc != 0)
            return fault_set(ret_fault, FAULT_PROTOCOL, "malformed packet from the source");
        st->used += used;
        if (span.first)
            rc = first_span(st, &span, ret_fault);
        else if (st->list.event != NULL)
            rc = list_more(st, span.data, span.len, span.last, ret_fault);
        else if (st->large.active)
            rc = large_more(st, span.data, span.len, span.last, ret_fault);
        else
            rc = corrupt(st, "a packet goes on that did not begin", ret_fault);
        if (rc != 0)
            return rc;
    }
    return LT_OK;
}
