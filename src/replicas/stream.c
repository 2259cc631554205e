/*
 * What a dump sends, step by step: what the feed says is next, as packets.
 *
 * - At each file: a Rotate that we make up, then the file's own format description, changed where servers change it.
 * - Small events are read in chunks and put into packets; one that the chunk does not hold whole goes straight from the file, in parts of 16 MiB - 1.
 * - Where transactions were left out, a heartbeat (MySQL) or a list of GTIDs (MariaDB) says how far that went.
 * - No event is changed: with checksums or without, as the file has it. Only the first Rotate follows the client's wish. Clients of MariaDB that do not
 *   know all of its events get others in their place (stream_substitute.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "binlog/packet.h"
#include "replicas/internal.h"

#define DUMP_FAILED 1236
#define LARGE_MIN                                                                                                      \
    32768u /* what the chunk does not hold whole goes from the page cache at once, not with the next chunk */
#define BETWEEN_LARGE 4096u /* read behind a large event, in front of the next: mostly they are alone */

static enum stream_step no_memory(struct client *s)
{
    client_close(s, "out of memory");
    return STREAM_END;
}

static enum stream_step built(struct client *s, bool ok)
{
    s->st.sent_us = clock_mono_us();
    return ok ? STREAM_BUILT : no_memory(s);
}

enum stream_step stream_fail(struct client *s, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses va_start when it inlines this function */
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_info("replicas", "%s user=%s: dump ended: %s", s->address, s->user, text);
    if (!packets_err(s, DUMP_FAILED, "HY000", "%s", text))
        return no_memory(s);
    if (s->state != CLIENT_STREAMING)
        client_set_state(s, CLIENT_CLOSING);
    return STREAM_END;
}

void stream_close(struct client *s)
{
    feed_close(&s->st.feed);
    s->pay_left = 0;
    s->pay_file = NULL;
}

void stream_heartbeat(struct client *s)
{
    if (s->st.feed.file != NULL && !s->st.first)
        (void)built(s, say_heartbeat(s, s->st.at));
}

/* ---- a file begins */

static enum stream_step wrong_checksum(struct client *s, size_t fde_len)
{
    const char *file = s->st.feed.file->info.file;
    unsigned long long at = s->st.at;
    unsigned long long end = BINLOG_MAGIC_LEN + fde_len;
    if (s->st.mariadb)
        return stream_fail(s,
                           "Slave can not handle replication events with the checksum that master is configured to "
                           "log; the first event '%s' at %llu, the last event read from '%s' at 4, the last byte read "
                           "from '%s' at %llu.",
                           file, at, file, file, end);
    return stream_fail(s,
                       "Replica can not handle replication events with the checksum that source is configured to log; "
                       "the first event '%s' at %llu, the last event read from '%s' at %llu, the last byte read from "
                       "'%s' at %llu.",
                       file, at, file, end, file, end);
}

/* What stands at a place inside of an event, as a server reads it there: its length is what comes to lie at the place of one. */
static enum stream_step no_event_there(struct client *s)
{
    const struct stream *st = &s->st;
    struct lt_err err = {0};
    bool sealed;
    uint8_t head[EVENT_HEADER_LEN];
    uint64_t left = file_end(st->feed.file, &sealed) - st->asked;
    uint32_t length = 0;
    if (left >= sizeof head) {
        if (store_reader_pread(st->feed.file->reader, head, sizeof head, st->asked, &err) != 0)
            return stream_fail(s, "%s", err.text);
        length = load_u32(head + 9);
    }
    const char *what = "bogus data in log event";
    if (length > EVENT_LENGTH_MAX)
        what = "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source";
    else if (left < sizeof head || length > left)
        what = "binlog truncated in the middle of event; consider out of disk space on source";
    const char *file = st->asked_file;
    return stream_fail(s,
                       "%s; the first event '%s' at %llu, the last event read from '%s' at %llu, the last byte read "
                       "from '%s' at %llu.",
                       what, file, (unsigned long long)st->asked, file, (unsigned long long)st->near, file,
                       (unsigned long long)st->asked);
}

static enum stream_step begin_file(struct client *s, const struct feed_item *item)
{
    struct stream *st = &s->st;
    struct event_fde parsed;
    struct lt_err err = {0};
    const uint8_t *fde;
    size_t len;
    if (file_fde(st->feed.file, &fde, &len, &parsed, &err) != 0)
        return stream_fail(s, "%s", err.text);
    st->at = st->to = st->feed.trk.offset;
    if (!say_rotate(s, st->crc, st->feed.file->info.file, st->at))
        return no_memory(s);
    st->crc = parsed.checksum == CHECKSUM_CRC32;
    st->mariadb = item->mariadb;
    if (st->crc && st->wish == WISH_UNSET)
        return wrong_checksum(s, len);
    bool middle = st->at > BINLOG_MAGIC_LEN;
    bool ok = true;
    if (middle || (st->first && st->clear_created)) {
        ok = say_format(s, item->fde, item->fde_len, middle);
        if (!middle)
            st->at = BINLOG_MAGIC_LEN + item->fde_len;
    }
    st->first = false;
    if (ok && st->bad_place)
        return no_event_there(s);
    return built(s, ok);
}

/* ---- events */

/* The next part of a large event; at the end of one that fills its last part, an empty one. */
static bool next_part(struct client *s)
{
    struct stream *st = &s->st;
    uint32_t len = st->large_left < PACKET_MAX_PART ? (uint32_t)st->large_left : PACKET_MAX_PART;
    s->pay_file = st->feed.file;
    s->pay_off = st->large_off;
    s->pay_left = len;
    st->part_full = len == PACKET_MAX_PART;
    st->large_off += len;
    st->large_left -= len;
    return packets_part(s, len);
}

static bool begin_large(struct client *s, uint32_t length)
{
    static const uint8_t ok = 0;
    struct stream *st = &s->st;
    uint64_t payload = (uint64_t)length + 1;
    uint32_t len = payload < PACKET_MAX_PART ? (uint32_t)payload : PACKET_MAX_PART;
    s->pay_file = st->feed.file;
    s->pay_off = st->at;
    s->pay_left = len - 1;
    st->part_full = len == PACKET_MAX_PART;
    st->large_off = st->at + len - 1;
    st->large_left = payload - len;
    st->at += length;
    st->was_large = true;
    return packets_part(s, len) && packets_bytes(s, &ok, 1);
}

static enum stream_step damaged(struct client *s)
{
    return stream_fail(s, "bogus data in log event at offset %llu of %s", (unsigned long long)s->st.at,
                       s->st.feed.file->info.file);
}

/* Of an event that begins at p, of which n bytes are there; the rest lies behind the chunk. STREAM_WAIT: it goes with the next chunk. */
static enum stream_step pack_one(struct client *s, uint8_t *p, size_t n, uint32_t length, bool first)
{
    struct stream *st = &s->st;
    enum substitute how = stream_substitute(st, p, n);
    if (how == SUBSTITUTE_NOTHING_SENT) {
        st->at += length;
        return STREAM_BUILT;
    }
    if (length > n && length < LARGE_MIN && !first)
        return STREAM_WAIT;
    if (length > n)
        return how == SUBSTITUTE_NONE ? built(s, begin_large(s, length)) : stream_substitute_large(s, length, how);
    enum stream_step step =
        how == SUBSTITUTE_NONE ? built(s, packets_event(s, p, length)) : stream_send_substitute(s, p, length, how);
    if (step == STREAM_BUILT)
        st->at += length;
    return step;
}

/* As many whole events as the chunk holds; or the beginning of one that it cannot hold. */
static enum stream_step pack(struct client *s)
{
    struct stream *st = &s->st;
    struct lt_err err = {0};
    uint8_t *chunk = s->r->scratch;
    size_t most = st->was_large ? BETWEEN_LARGE : STREAM_CHUNK;
    size_t n = st->to - st->at < most ? (size_t)(st->to - st->at) : most;
    size_t done = 0;
    st->was_large = false;
    if (store_reader_pread(st->feed.file->reader, chunk, n, st->at, &err) != 0)
        return stream_fail(s, "%s", err.text);
    while (n - done >= EVENT_HEADER_LEN) {
        uint32_t length = load_u32(chunk + done + 9);
        if (length < EVENT_HEADER_LEN || length > st->to - st->at)
            return damaged(s);
        enum stream_step step = pack_one(s, chunk + done, n - done, length, done == 0);
        if (step == STREAM_WAIT)
            break; /* the next chunk begins with it */
        if (step != STREAM_BUILT || length > n - done)
            return step;
        done += length;
    }
    return done > 0 ? built(s, true) : damaged(s);
}

/* ---- what is next */

static enum stream_step end_dump(struct client *s)
{
    struct reply reply;
    reply_begin(&reply, 0, s->seq); /* as servers end a dump: an EOF packet, whatever the client deprecates */
    reply_eof(&reply);
    return packets_reply(s, &reply) ? STREAM_END : no_memory(s);
}

static enum stream_step end_of_log(struct client *s)
{
    /* Nothing of a file that has to wait for a descriptor was sent: that is not the end. */
    if (!s->st.non_block || s->st.feed.starved_us != 0)
        return STREAM_WAIT;
    return end_dump(s);
}

/* MySQL: has it been led past something since the last that was sent? */
static bool tell_skipped(struct client *s, uint64_t to, bool *ret_ok)
{
    struct stream *st = &s->st;
    if (st->feed.filter == NULL || to <= st->at)
        return false;
    st->at = st->to = to;
    if (st->mariadb)
        return false;
    *ret_ok = say_skipped(s, to);
    return true;
}

/* MariaDB: a place that the replica named was reached. */
static bool is_told(const struct stream *st)
{
    return st->mariadb && st->feed.filter != NULL && st->feed.filter->tell_at != 0;
}

static enum stream_step tell(struct client *s)
{
    struct stream *st = &s->st;
    st->at = st->to = st->feed.filter->tell_at;
    st->feed.filter->tell_at = 0;
    return built(s, say_skipped(s, st->at));
}

static enum stream_step take_batch(struct client *s, const struct walk_batch *b)
{
    bool ok = true;
    bool whole_file = b->from == BINLOG_MAGIC_LEN; /* its format description may have been sent already */
    bool told = tell_skipped(s, b->from, &ok);
    if (!whole_file)
        s->st.at = b->from;
    s->st.to = b->to;
    return told ? built(s, ok) : STREAM_BUILT;
}

static enum stream_step moved(struct client *s)
{
    struct stream *st = &s->st;
    feed_let_go(&st->feed);
    if (st->feed.new_lineage && st->feed.filter == NULL)
        return stream_fail(s,
                           "the log goes on with another server's history, at '%s' position 4: what has a file and a "
                           "position has to be told the new ones; who follows by GTID goes on by itself",
                           st->feed.file->info.file);
    return STREAM_BUILT;
}

static enum stream_step waits(struct client *s)
{
    bool ok = true;
    if (tell_skipped(s, s->st.feed.trk.offset, &ok))
        return built(s, ok);
    return end_of_log(s);
}

/* START SLAVE UNTIL: the last list, and the packet that ends a dump. */
static enum stream_step end_at_until(struct client *s)
{
    return say_until(s, s->st.feed.trk.offset) ? end_dump(s) : no_memory(s);
}

enum stream_step stream_step(struct client *s)
{
    struct stream *st = &s->st;
    struct feed_item item;
    struct lt_err err = {0};
    if (s->out_len > 0 || s->pay_left > 0)
        return STREAM_BUILT;
    if (st->part_full || st->large_left > 0)
        return built(s, next_part(s));
    if (st->at < st->to)
        return pack(s);
    if (is_told(st))
        return tell(s);
    switch (feed_next(&st->feed, &item, &err)) {
    case FEED_FILE:
        return begin_file(s, &item);
    case FEED_BATCH:
        return take_batch(s, &item.batch);
    case FEED_FILE_END:
        return STREAM_BUILT;
    case FEED_MOVED:
        return moved(s);
    case FEED_AGAIN:
        return is_told(st) ? STREAM_BUILT : STREAM_YIELD;
    case FEED_END:
        return end_at_until(s);
    case FEED_WAIT:
        return waits(s);
    case FEED_FAILED:
        break;
    }
    return stream_fail(s, "%s", err.text);
}
