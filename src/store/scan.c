/*
 * Walk of a stored file.
 *
 * - Through a window: header and head of each event in place, the rest of large events streamed through the CRC.
 * - An event counts when its length is sane, it lies below the limit, an FDE is the first event and only that, and its CRC is right where
 *   the file has CRCs (an FDE always has one). Zeros have length 0 and end the walk by themselves.
 * - Files without checksums: the caller has proved everything below the limit by the sidecar.
 *
 * Failure: read errors and lack of memory are returned; everything wrong with the bytes is the end of the walk.
 */
#include "store/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/crc32.h"

#define WINDOW_BYTES (1024u * 1024u)

int scan_init(struct scan *sc, const struct vfs *vfs, int fd, uint64_t limit, struct gtid_set *gtids,
              struct lt_err *err)
{
    memset(sc, 0, sizeof *sc);
    sc->vfs = vfs;
    sc->fd = fd;
    sc->limit = limit;
    sc->gtids = gtids;
    txn_reset(&sc->now.trk);
    sc->bound = sc->now;
    sc->window = malloc(WINDOW_BYTES);
    return sc->window == NULL ? lt_err_set(err, LT_ENOMEM, "recovery window") : 0;
}

void scan_fini(struct scan *sc)
{
    free(sc->window);
    sc->window = NULL;
}

/* len bytes at off (len <= WINDOW_BYTES, below the limit), or NULL with *rc the error, 0 for a file that is shorter. */
static const uint8_t *look(struct scan *sc, uint64_t off, size_t len, int *rc, struct lt_err *err)
{
    *rc = 0;
    if (off < sc->window_off || off + len > sc->window_off + sc->window_len) {
        uint64_t left = sc->limit - off;
        ssize_t n = vfs_pread_full(sc->vfs, sc->fd, sc->window, left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES, off);
        if (n < 0) {
            *rc = store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)off);
            return NULL;
        }
        sc->window_off = off;
        sc->window_len = (size_t)n;
        if (len > sc->window_len)
            return NULL;
    }
    return sc->window + (off - sc->window_off);
}

int scan_crc(const struct vfs *vfs, int fd, uint64_t from, uint64_t to, uint32_t *crc, struct lt_err *err)
{
    uint8_t *buf = malloc(WINDOW_BYTES);
    int ret = 0;

    if (buf == NULL)
        return lt_err_set(err, LT_ENOMEM, "recovery window");
    while (from < to) {
        size_t len = to - from < WINDOW_BYTES ? (size_t)(to - from) : WINDOW_BYTES;
        ssize_t n = vfs_pread_full(vfs, fd, buf, len, from);
        if (n < 0) {
            ret = store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)from);
            break;
        }
        if ((size_t)n != len) {
            ret = lt_err_set(err, LT_ECORRUPT, "ends before offset %llu", (unsigned long long)(from + len));
            break;
        }
        *crc = crc32_update(*crc, buf, len);
        from += len;
    }
    free(buf);
    return ret;
}

static bool fde_ok(const uint8_t *event, size_t len)
{
    struct event_fde fde;

    return event_crc_ok(event, len) && event_fde_parse(event, len, &fde) == 0;
}

/* The CRC of an event larger than the head, streamed. */
static int large_crc_ok(struct scan *sc, uint64_t off, uint32_t length, bool *ret, struct lt_err *err)
{
    uint32_t crc = 0;
    uint8_t stored[EVENT_CRC_LEN];
    uint64_t end = off + length - EVENT_CRC_LEN;
    int rc = scan_crc(sc->vfs, sc->fd, off, end, &crc, err);
    if (rc < 0)
        return rc;
    ssize_t n = vfs_pread_full(sc->vfs, sc->fd, stored, sizeof stored, end);
    if (n < 0)
        return store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)end);
    *ret = n == (ssize_t)sizeof stored && load_u32(stored) == crc;
    return 0;
}

static int event_ok(struct scan *sc, const struct event_header *h, const uint8_t *head, bool *ret, struct lt_err *err)
{
    *ret = false;
    if (!sc->now.trk.have_fde) {
        *ret = h->type == EVENT_FORMAT_DESCRIPTION && h->length <= STORE_HEAD_BYTES && fde_ok(head, h->length);
        return 0;
    }
    if (h->type == EVENT_FORMAT_DESCRIPTION)
        return 0;
    if (sc->now.trk.checksum == CHECKSUM_NONE) {
        *ret = true;
        return 0;
    }
    if (h->length < EVENT_HEADER_LEN + EVENT_CRC_LEN)
        return 0;
    if (h->length > STORE_HEAD_BYTES)
        return large_crc_ok(sc, sc->now.trk.offset, h->length, ret, err);
    *ret = event_crc_ok(head, h->length);
    return 0;
}

static int take_list(struct scan *sc, const struct event_header *h, const uint8_t *event)
{
    bool crc = sc->now.trk.checksum == CHECKSUM_CRC32;
    struct gtid_set set;

    gtid_set_init(&set);
    int rc = h->type == EVENT_PREVIOUS_GTIDS ? gtid_set_from_previous_gtids(event, h->length, crc, &set)
                                             : gtid_set_from_gtid_list(event, h->length, crc, &set);
    if (rc < 0) {
        gtid_set_fini(&set);
        return rc == LT_ENOMEM ? rc : 0;
    }
    gtid_set_fini(sc->gtids);
    *sc->gtids = set;
    sc->list_seen = true;
    return 0;
}

static int read_list(struct scan *sc, const struct event_header *h, uint64_t off, struct lt_err *err)
{
    if (h->length > STORE_LIST_MAX)
        return 0;
    uint8_t *event = malloc(h->length);
    if (event == NULL)
        return lt_err_set(err, LT_ENOMEM, "GTID list event of %u bytes", h->length);
    ssize_t n = vfs_pread_full(sc->vfs, sc->fd, event, h->length, off);
    int rc = 0;
    if (n < 0)
        rc = store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)off);
    else if (n == (ssize_t)h->length && take_list(sc, h, event) < 0)
        rc = lt_err_set(err, LT_ENOMEM, "executed GTID set");
    free(event);
    return rc;
}

static int note_gtids(struct scan *sc, const struct event_header *h, uint64_t off, const struct txn_step *step,
                      struct lt_err *err)
{
    if (step->completed)
        sc->completed++;
    if (sc->gtids == NULL)
        return 0;
    if (h->type == EVENT_PREVIOUS_GTIDS || h->type == EVENT_MARIADB_GTID_LIST)
        return read_list(sc, h, off, err);
    if (!step->completed || step->gtid.kind == GTID_NONE)
        return 0;
    int rc = gtid_set_add(sc->gtids, &step->gtid);
    return rc < 0 && rc != LT_EINVAL ? lt_err_set(err, rc, "executed GTID set") : 0;
}

static int take_event(struct scan *sc, const struct event_header *h, const uint8_t *head, size_t head_len,
                      struct lt_err *err)
{
    struct txn_step step;
    uint64_t off = sc->now.trk.offset;
    int rc;

    txn_feed(&sc->now.trk, h, head, head_len, &step);
    if (!step.boundary && sc->ends != NULL && forced_ends_has(sc->ends, sc->now.trk.offset))
        (void)txn_force_boundary(&sc->now.trk, &step);
    tail_note_event(&sc->now, h, head, head_len);
    if (!tail_has_crc(&sc->now)) {
        if (head_len == h->length)
            sc->now.crc = crc32_update(sc->now.crc, head, head_len);
        else if ((rc = scan_crc(sc->vfs, sc->fd, off, off + h->length, &sc->now.crc, err)) < 0)
            return rc;
    }
    rc = note_gtids(sc, h, off, &step, err);
    if (rc == 0 && sc->now.trk.boundary == sc->now.trk.offset)
        sc->bound = sc->now;
    return rc;
}

int scan_step(struct scan *sc, struct lt_err *err)
{
    uint64_t off = sc->now.trk.offset;
    struct event_header h;
    bool ok;
    int rc;

    sc->ended = true;
    if (sc->limit < off || sc->limit - off < EVENT_HEADER_LEN)
        return 0;
    const uint8_t *head = look(sc, off, EVENT_HEADER_LEN, &rc, err);
    if (head == NULL || event_header_parse(head, EVENT_HEADER_LEN, &h) < 0 || h.length > sc->limit - off)
        return rc;
    size_t head_len = h.length < STORE_HEAD_BYTES ? h.length : STORE_HEAD_BYTES;
    head = look(sc, off, head_len, &rc, err);
    if (head == NULL)
        return rc;
    rc = event_ok(sc, &h, head, &ok, err);
    if (rc < 0 || !ok)
        return rc;
    sc->ended = false;
    return take_event(sc, &h, head, head_len, err);
}

int scan_all(struct scan *sc, struct lt_err *err)
{
    int rc = 0;

    while (rc == 0 && !sc->ended)
        rc = scan_step(sc, err);
    return rc;
}

int scan_data_end(const struct vfs *vfs, int fd, uint64_t from, uint64_t size, uint64_t *ret, struct lt_err *err)
{
    uint8_t buf[32 * 1024];

    while (size > from) {
        size_t len = size - from < sizeof buf ? (size_t)(size - from) : sizeof buf;
        ssize_t n = vfs_pread_full(vfs, fd, buf, len, size - len);
        if (n < 0)
            return store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)(size - len));
        for (size_t i = (size_t)n; i > 0; i--) {
            if (buf[i - 1] != 0) {
                *ret = size - len + i;
                return 0;
            }
        }
        size -= len;
    }
    *ret = from;
    return 0;
}
