/*
 * Read the newest file back for the writer: what comes again from a source is compared with what is stored.
 *
 * - Bytes that were written are read through the page cache, those still in the append buffer are taken from there.
 * Failure: LT_EINVAL for a range that is not stored, LT_ECORRUPT when the file is shorter than what was written to it.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

/* [off, off + len), all of it below appended. */
static int read_stored(struct store *s, uint64_t off, uint8_t *buf, size_t len, struct lt_err *err)
{
    struct segment *seg = &s->seg;
    size_t from_file = 0;

    if (off < seg->written) {
        from_file = seg->written - off < len ? (size_t)(seg->written - off) : len;
        ssize_t n = vfs_pread_full(s->vfs, seg->fd, buf, from_file, off);
        if (n < 0)
            return store_sys_err(err, (int)n, "read %s", seg->path);
        if ((size_t)n != from_file)
            return lt_err_set(err, LT_ECORRUPT, "%s ends before offset %llu", seg->path,
                              (unsigned long long)(off + from_file));
    }
    if (from_file < len)
        memcpy(buf + from_file, s->buf + (off + from_file - seg->written), len - from_file);
    return 0;
}

int store_compare(struct store *s, uint64_t off, const void *data, size_t len, uint64_t *ret_diff_off,
                  struct lt_err *err)
{
    const uint8_t *want = data;
    uint8_t have[16 * 1024];
    uint64_t end = s->seg.appended;

    if (s->seg.node == NULL || off < BINLOG_MAGIC_LEN || off > end || len > end - off)
        return lt_err_set(err, LT_EINVAL, "nothing stored to compare with at offset %llu", (unsigned long long)off);
    while (len > 0) {
        size_t n = len < sizeof have ? len : sizeof have;
        int rc = read_stored(s, off, have, n, err);
        if (rc < 0)
            return rc;
        if (memcmp(have, want, n) != 0) {
            size_t i = 0;
            while (have[i] == want[i])
                i++;
            *ret_diff_off = off + i;
            return lt_err_set(err, LT_EDIVERGED, "%s differs from the source's at offset %llu", s->seg.node->file,
                              (unsigned long long)(off + i));
        }
        off += n;
        want += n;
        len -= n;
    }
    return 0;
}

int store_event_at(struct store *s, uint64_t off, struct event_header *ret, struct lt_err *err)
{
    uint8_t head[EVENT_HEADER_LEN];
    uint64_t end = s->now.trk.offset;

    if (s->seg.node == NULL || off < BINLOG_MAGIC_LEN || off > end || end - off < sizeof head)
        return lt_err_set(err, LT_EINVAL, "no event stored at offset %llu", (unsigned long long)off);
    int rc = read_stored(s, off, head, sizeof head, err);
    if (rc < 0)
        return rc;
    if (event_header_parse(head, sizeof head, ret) < 0 || ret->length > end - off)
        return lt_err_set(err, LT_EINVAL, "no whole event stored at offset %llu", (unsigned long long)off);
    return 0;
}

int store_read_fde(struct store *s, uint8_t **ret_event, size_t *ret_len, struct lt_err *err)
{
    uint8_t head[EVENT_HEADER_LEN];
    struct event_header h;

    if (s->seg.node == NULL || !s->now.trk.have_fde)
        return lt_err_set(err, LT_ENOTFOUND, "no format description event stored yet");
    int rc = read_stored(s, BINLOG_MAGIC_LEN, head, sizeof head, err);
    if (rc < 0)
        return rc;
    if (event_header_parse(head, sizeof head, &h) < 0 || h.length > s->now.trk.offset - BINLOG_MAGIC_LEN)
        return lt_err_set(err, LT_ECORRUPT, "%s: the first event is damaged", s->seg.path);
    uint8_t *event = malloc(h.length);
    if (event == NULL)
        return lt_err_set(err, LT_ENOMEM, "format description event");
    rc = read_stored(s, BINLOG_MAGIC_LEN, event, h.length, err);
    if (rc < 0) {
        free(event);
        return rc;
    }
    *ret_event = event;
    *ret_len = h.length;
    return 0;
}
