/*
 * What may be cut off behind the last whole, valid event, and what is damage and stays.
 *
 * Bytes are appended in order, and a sync covers all that was appended before it. Let D be the end of the last sync that returned 0: nothing
 *   below D can be torn by a crash, any subset of the pages behind D may be there, and D may lie inside an event, because a large one is
 *   synced in its middle (unsynced_max). At most unsynced_max and one piece are ever written behind D; damage_min is twice unsynced_max.
 *
 * Files with checksums: nothing says where D is. The walk ended at `end`, in front of an event that is not whole or not valid.
 * - D <= end, or D inside the header at `end`: less than damage_min follows `end`.
 * - D inside the event at `end`: its header is as it was written, so its length L is right, D < end + L, and less than damage_min follows
 *   end + L. How much of the event itself is there says nothing: 160 MiB of 400 are what a crash leaves of one large row.
 * - Otherwise D is behind the event: it was synced whole, and is not what it was.
 * So what counts is what follows end + L where the header can be believed, and what follows `end` where it cannot: more than damage_min is
 *   damage. Less is cut, also where it is damage in truth: the next connection fetches those bytes again or says that it cannot.
 * A header is believed when the end of the event that it names is the end that it reaches (log_pos; one flipped bit makes them differ). MariaDB
 *   11.8 writes no log_pos inside transactions; there the claimed body must hold no whole event that stands at its own place, which the
 *   body of an event does not and a transaction behind a rotten length does.
 *
 * Files without checksums: the sidecar says where D is. Below it only an event that reaches past it may be cut. Behind it stands what no
 *   sync covered, or what was to be cut: a repair and an event given up shorten the sidecar first, and the power may go before the
 *   cut is on the disk, so that any amount may be there. Only where records are missing (no sidecar, or a bad record before others) is more
 *   than damage_min behind the last good one damage.
 *
 * Failure: LT_ECORRUPT with the place; nothing is touched. Read errors.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "binlog/event.h"
#include "store/store_recover.h"

#define WINDOW_BYTES (1024u * 1024u)

static int read_header(const struct scan *sc, uint64_t off, uint64_t limit, struct event_header *ret, bool *ret_ok,
                       struct lt_err *err)
{
    uint8_t buf[EVENT_HEADER_LEN];

    *ret_ok = false;
    if (limit < off || limit - off < sizeof buf)
        return 0;
    ssize_t n = vfs_pread_full(sc->vfs, sc->fd, buf, sizeof buf, off);
    if (n < 0)
        return store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)off);
    *ret_ok = n == (ssize_t)sizeof buf && event_header_parse(buf, sizeof buf, ret) == 0 &&
              ret->length <= EVENT_LENGTH_MAX && ret->type != EVENT_FORMAT_DESCRIPTION;
    return 0;
}

/* Whether the event that a header at off claims is whole and valid. */
static int stands_here(const struct scan *sc, const struct event_header *h, uint64_t off, bool *ret, struct lt_err *err)
{
    uint8_t stored[EVENT_CRC_LEN];
    uint64_t end = off + h->length - EVENT_CRC_LEN;
    uint32_t crc = 0;
    int rc = scan_crc(sc->vfs, sc->fd, off, end, &crc, err);
    if (rc < 0)
        return rc;
    ssize_t n = vfs_pread_full(sc->vfs, sc->fd, stored, sizeof stored, end);
    if (n < 0)
        return store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)end);
    *ret = n == (ssize_t)sizeof stored && load_u32(stored) == crc;
    return 0;
}

/* One window's worth of places. */
static int look_for_event(const struct scan *sc, const uint8_t *buf, size_t len, uint64_t at, uint64_t to, bool *ret,
                          struct lt_err *err)
{
    for (size_t i = 0; i + EVENT_HEADER_LEN <= len; i++) {
        uint32_t length = load_u32(buf + i + 9);
        uint32_t log_pos = load_u32(buf + i + 13);
        struct event_header h;
        if (log_pos == 0 || log_pos != (uint32_t)(at + i + length) || length > to - (at + i) ||
            length < EVENT_HEADER_LEN + EVENT_CRC_LEN)
            continue;
        if (event_header_parse(buf + i, EVENT_HEADER_LEN, &h) < 0)
            continue;
        int rc = stands_here(sc, &h, at + i, ret, err);
        if (rc < 0 || *ret)
            return rc;
    }
    return 0;
}

/* Is there a whole, valid event in [from, to) that says it stands where it does? */
static int holds_event(const struct scan *sc, uint64_t from, uint64_t to, bool *ret, struct lt_err *err)
{
    uint8_t *buf = malloc(WINDOW_BYTES);
    int rc = 0;

    *ret = false;
    if (buf == NULL)
        return lt_err_set(err, LT_ENOMEM, "recovery window");
    while (rc == 0 && !*ret && from < to && to - from >= EVENT_HEADER_LEN) {
        size_t len = to - from < WINDOW_BYTES ? (size_t)(to - from) : WINDOW_BYTES;
        ssize_t n = vfs_pread_full(sc->vfs, sc->fd, buf, len, from);
        if (n < 0)
            rc = store_sys_err(err, (int)n, "read at offset %llu", (unsigned long long)from);
        else if (n != (ssize_t)len)
            break;
        else
            rc = look_for_event(sc, buf, len, from, to, ret, err);
        from += len == WINDOW_BYTES ? len - (EVENT_HEADER_LEN - 1) : len;
    }
    free(buf);
    return rc;
}

int judge_event_end(const struct scan *sc, uint64_t data_end, uint64_t *ret, struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    struct event_header h;
    bool ok;
    bool other = false;

    *ret = end;
    int rc = read_header(sc, end, data_end, &h, &ok, err);
    if (rc < 0 || !ok)
        return rc;
    uint64_t event_end = end + h.length;
    if (h.log_pos == 0 && sc->now.trk.is_mariadb && tail_has_crc(&sc->now))
        rc = holds_event(sc, end + EVENT_HEADER_LEN, data_end < event_end ? data_end : event_end, &other, err);
    else if (tail_has_crc(&sc->now) || h.log_pos != 0)
        other = h.log_pos != (uint32_t)event_end;
    if (rc == 0 && !other)
        *ret = event_end;
    return rc;
}

static int damaged(const struct found *f, uint64_t off, uint64_t bytes, struct lt_err *err)
{
    return lt_err_set(err, LT_ECORRUPT, "%s: damaged at offset %llu with %llu bytes of data behind it; not cut",
                      f->file, (unsigned long long)off, (unsigned long long)bytes);
}

/* What the sidecar covers consists of events, the last of them perhaps unfinished. */
static int check_proved(const struct found *f, const struct scan *sc, struct lt_err *err)
{
    uint64_t end = sc->now.trk.offset;
    struct event_header h;
    bool ok;

    if (end >= sc->limit || sc->limit - end < EVENT_HEADER_LEN)
        return 0;
    int rc = read_header(sc, end, sc->limit, &h, &ok, err);
    if (rc == 0 && (!ok || h.length <= sc->limit - end))
        rc = damaged(f, end, sc->limit - end, err);
    return rc;
}

int judge_tail(const struct store *s, const struct found *f, const struct scan *sc, const struct proof *proof,
               uint64_t size, uint64_t *ret_cut, struct lt_err *err)
{
    uint64_t damage_min = 2 * s->opt.unsynced_max;
    uint64_t end = sc->now.trk.offset;
    uint64_t data_end = end;
    uint64_t from = end; /* damage begins behind it */
    bool without_crc = sc->now.trk.have_fde && !tail_has_crc(&sc->now);
    int rc = size > end ? scan_data_end(sc->vfs, sc->fd, end, size, &data_end, err) : 0;
    if (rc == 0 && without_crc) {
        rc = check_proved(f, sc, err);
        from = proof->whole ? data_end : sc->limit;
    } else if (rc == 0 && sc->now.trk.have_fde && data_end - end > damage_min) {
        rc = judge_event_end(sc, data_end, &from, err);
    }
    if (rc == 0 && data_end > from && data_end - from > damage_min)
        rc = damaged(f, end, data_end - end, err);
    *ret_cut = data_end - end;
    return rc;
}
