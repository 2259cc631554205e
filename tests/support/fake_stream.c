/*
 * One dump: artificial Rotate, the file's head where the start lies behind it, events, the next file, heartbeats when idle; between any
 * two events what the client sent, and what the rules want to go wrong.
 */
#include "fake_internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/err.h"

/* False at the end of the connection. Returns early when there is something to do. */
static bool wait_ms(struct fake_stream *st, int ms)
{
    struct fake_conn *cn = st->cn;
    struct pollfd p[2] = {{.fd = cn->io.fd, .events = POLLIN}, {.fd = cn->wake_fd, .events = POLLIN}};
    (void)poll(p, 2, ms);
    if (p[1].revents) {
        eventfd_t n;
        (void)eventfd_read(cn->wake_fd, &n);
    }
    return !atomic_load(&cn->stop) && (!p[0].revents || fake_take_acks(st)) && !st->over;
}

static bool pause_ms(struct fake_stream *st, unsigned ms)
{
    uint64_t until = clock_mono_us() + ms * 1000ull;
    for (uint64_t now = clock_mono_us(); now < until; now = clock_mono_us())
        if (!wait_ms(st, (int)((until - now) / 1000) + 1))
            return false;
    return true;
}

static const char *server_text(uint16_t code)
{
    switch (code) {
    case 1045:
        return "Access denied for user 'repl'@'localhost' (using password: YES)";
    case 1227:
        return "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation";
    case 3200:
        return "Could not open the log file: encrypted, and its key could not be fetched";
    default:
        return "Could not find first log file name in binary log index file";
    }
}

/* ------------------------------------------------------------------ one event ---------------------------------------------------- */

struct piece_sink {
    struct fake_io *io;
    uint64_t left; /* bytes that may still go out */
    bool flip_last;
    uint64_t len; /* bytes still to come in all */
};

static bool send_piece(void *arg, const uint8_t *data, size_t len)
{
    struct piece_sink *s = arg;
    size_t n = len < s->left ? len : (size_t)s->left;
    s->len -= len;
    if (s->flip_last && s->len == 0 && n == len && n) {
        fake_packet_add(s->io, data, n - 1);
        fake_packet_add(s->io, &(uint8_t){(uint8_t)(data[n - 1] ^ 0x40)}, 1);
    } else {
        fake_packet_add(s->io, data, n);
    }
    s->left -= n;
    return n == len && !s->io->failed;
}

/* tear: only the first half. */
static void send_body(struct fake_stream *st, const struct fake_event *ev, bool flag, bool bad_crc, bool tear)
{
    struct piece_sink s = {
        .io = &st->cn->io, .left = tear ? ev->len / 2 : ev->len, .flip_last = bad_crc, .len = ev->len};
    fake_send_prefix(st, ev->len, flag);
    if (ev->is_virtual)
        (void)fake_virtual_each(ev, send_piece, &s);
    else
        (void)send_piece(&s, st->event.p, ev->len);
}

static bool wants_ack(struct fake_stream *st, const struct fake_event *ev)
{
    struct fake_primary *fp = st->cn->fp;
    struct fake_pos end = {.pos = ev->end};
    if (!st->header)
        return false;
    for (size_t i = 0; i < st->rule_count; i++) {
        const struct fake_dump_rule *r = &st->rules[i];
        struct event_header h;
        if (r->flag_if && event_header_parse(ev->head, sizeof ev->head, &h) == 0)
            return r->flag_if(st->file, &h, ev->end, r->flag_arg);
    }
    if (!ev->ack || fp->opt.semi_sync_off || !st->rec.semi_sync)
        return false;
    (void)snprintf(end.file, sizeof end.file, "%s", st->file);
    fake_lock(fp);
    bool newer = fake_pos_cmp(&end, &fp->released) > 0;
    fake_unlock(fp);
    return newer;
}

/* Events that this client does not get: annotations it has not asked for, and transactions it has (a GTID start). */
static bool left_out(struct fake_stream *st, const struct fake_event *ev)
{
    uint8_t type = ev->head[4];
    struct event_gtid g;
    if (type == EVENT_MARIADB_ANNOTATE_ROWS && !st->annotate)
        return true;
    if (gtid_set_is_empty(&st->skip) || ev->is_virtual)
        return st->skipping;
    if (type == EVENT_GTID || type == EVENT_GTID_TAGGED)
        st->skipping =
            event_gtid_parse(st->event.p, ev->len, st->crc, &g) == 0 && gtid_set_contains(&st->skip, &g.gtid);
    else if (type == EVENT_ANONYMOUS_GTID || type == EVENT_ROTATE || type == EVENT_STOP ||
             type == EVENT_FORMAT_DESCRIPTION || type == EVENT_PREVIOUS_GTIDS)
        st->skipping = false;
    return st->skipping;
}

static void send_stored(struct fake_stream *st, const struct fake_event *ev, enum fake_action how)
{
    struct fake_io *io = &st->cn->io;
    bool tear = how == FAKE_ACT_TEAR || how == FAKE_ACT_TEAR_RST;
    bool flag = wants_ack(st, ev);
    if (ev->head[4] == EVENT_FORMAT_DESCRIPTION && !ev->is_virtual)
        st->crc = st->event.p[ev->len - 5] == CHECKSUM_CRC32;
    send_body(st, ev, flag, how == FAKE_ACT_BAD_CRC, tear);
    if (tear) {
        (void)fake_io_flush(io);
        atomic_store(&st->cn->reset, how == FAKE_ACT_TEAR_RST);
        st->over = true;
        return;
    }
    st->pos = ev->end;
    st->events++;
    if (!flag)
        return;
    struct fake_sent sent = {.at.pos = ev->end, .before_us = clock_mono_us()};
    (void)snprintf(sent.at.file, sizeof sent.at.file, "%s", st->file);
    (void)fake_io_flush(io);
    sent.after_us = clock_mono_us();
    fake_dump_publish(st, &sent);
    io->seq = 1; /* as real servers count after an event that wants an answer */
}

/* ------------------------------------------------------------------ rules -------------------------------------------------------- */

/* True when the event may still go out; *how says whether damaged. */
static bool act(struct fake_stream *st, const struct fake_dump_rule *r, enum fake_action *how)
{
    struct fake_io *io = &st->cn->io;
    switch (r->action) {
    case FAKE_ACT_NONE:
        return true;
    case FAKE_ACT_BAD_CRC:
    case FAKE_ACT_TEAR:
    case FAKE_ACT_TEAR_RST:
        *how = r->action;
        return true;
    case FAKE_ACT_CLOSE:
        st->over = true;
        return false;
    case FAKE_ACT_SILENCE:
        st->silent = true;
        return false;
    case FAKE_ACT_ERR:
        fake_dump_refuse(st, r->err ? r->err : 1236, r->err_text ? r->err_text : server_text(r->err));
        return false;
    case FAKE_ACT_EOF:
        fake_send_eof(io);
        st->over = true;
        return false;
    case FAKE_ACT_DELAY:
        st->delay_ms = r->delay_ms;
        return true;
    case FAKE_ACT_HEARTBEATS_ONLY:
        st->only_heartbeats = true;
        return false;
    case FAKE_ACT_FOREIGN_EVENT:
        fake_send_event(st, r->bytes, r->bytes_len, false);
        return true;
    }
    return true;
}

/* What happens before event n (0: before anything). False: it does not go out. */
static bool apply_rules(struct fake_stream *st, unsigned n, enum fake_action *how)
{
    for (size_t i = 0; i < st->rule_count; i++) {
        const struct fake_dump_rule *r = &st->rules[i];
        if (r->at_event != n || st->fired & 1ull << i)
            continue;
        st->fired |= 1ull << i;
        if (!act(st, r, how))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ the loop ----------------------------------------------------- */

enum turn { TURN_SENT, TURN_IDLE };

/* Lock held: the event to send, its bytes copied; false when the file has no more. */
static bool take_event(struct fake_stream *st, const struct fake_file *f, struct fake_event *ev)
{
    if (st->next >= f->count)
        return false;
    *ev = f->events[st->next++];
    st->event.len = 0;
    if (!ev->is_virtual)
        fake_bytes_add(&st->event, f->bytes.p + ev->at, ev->len);
    return true;
}

/* Lock held. */
static enum turn next_file(struct fake_stream *st, size_t index)
{
    struct fake_primary *fp = st->cn->fp;
    uint32_t timestamp = 0;
    if (index + 1 >= fp->file_count)
        return TURN_IDLE;
    const struct fake_file *f = fp->files[index + 1];
    for (size_t i = 0; i < st->rule_count; i++)
        timestamp |= st->rules[i].rotate_timestamp;
    fake_send_rotate(st, f->name, f->base, st->crc, timestamp);
    (void)snprintf(st->file, sizeof st->file, "%s", f->name);
    st->next = 0;
    st->pos = f->base;
    return TURN_SENT;
}

static enum turn send_next(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    struct fake_event ev;
    enum fake_action how = FAKE_ACT_NONE;
    size_t index;
    fake_lock(fp);
    const struct fake_file *f = fake_file_find(fp, st->file, &index);
    if (!f || !take_event(st, f, &ev)) {
        enum turn t = f ? next_file(st, index) : TURN_IDLE;
        st->over = st->over || (!f && st->history == fp->history); /* purged under us */
        fake_unlock(fp);
        return t;
    }
    fake_unlock(fp);
    if (left_out(st, &ev)) {
        st->pos = ev.end;
        return TURN_SENT;
    }
    if (!apply_rules(st, st->events + 1, &how)) {
        st->next--; /* not sent: heartbeats name the place before it */
        return TURN_SENT;
    }
    if (st->delay_ms && !(fake_io_flush(&st->cn->io) && pause_ms(st, st->delay_ms))) {
        st->over = true;
        return TURN_SENT;
    }
    send_stored(st, &ev, how);
    return TURN_SENT;
}

static bool send_start(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    const char *name = st->file;
    uint32_t timestamp = 0;
    enum fake_action how = FAKE_ACT_NONE;
    if (!apply_rules(st, 0, &how))
        return !st->over && !st->back_to_commands;
    for (size_t i = 0; i < st->rule_count; i++) {
        timestamp |= st->rules[i].rotate_timestamp;
        if (st->rules[i].rotate_name)
            name = st->rules[i].rotate_name;
    }
    const char *alg = fake_vars_get(&st->cn->user_vars, "source_binlog_checksum");
    if (!alg)
        alg = fake_vars_get(&st->cn->user_vars, "master_binlog_checksum");
    fake_lock(fp);
    fake_send_rotate(st, name, st->pos, alg && strcmp(alg, "CRC32") == 0, timestamp);
    if (!alg && st->crc) {
        fake_dump_refuse(
            st, 1236,
            fake_is_mariadb(fp)
                ? "Slave can not handle replication events with the checksum that master is configured to log"
                : "Replica can not handle replication events with the checksum that source is configured to log");
    } else if (st->next > 0) {
        const struct fake_file *f = fake_file_find(fp, st->file, NULL);
        if (f)
            fake_send_file_head(st, f);
    }
    fake_unlock(fp);
    return !st->back_to_commands;
}

/* The primary's history went away under the dump, or a twin came. */
static void check_fate(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    fake_lock(fp);
    bool reset = st->history != fp->history;
    fake_unlock(fp);
    if (reset && fake_is_mariadb(fp)) {
        st->only_heartbeats = true;
    } else if (reset) {
        fake_dump_refuse(st, 1236, "Could not find next log; the first event was in a file that is gone");
    } else if (atomic_load(&st->cn->duplicate)) {
        fake_dump_refuse(st, 1236,
                         "A replica with the same server_uuid/server_id as this replica has connected to the source");
        st->over = true;
    }
}

static void idle(struct fake_stream *st, uint64_t *quiet_since)
{
    uint64_t period = st->rec.heartbeat_us;
    uint64_t now = clock_mono_us();
    int ms = 1000;
    if (!fake_io_flush(&st->cn->io)) {
        st->over = true;
        return;
    }
    fake_dump_publish(st, NULL);
    if (st->once && !st->silent && !st->only_heartbeats) {
        fake_send_eof(&st->cn->io);
        st->over = true;
        return;
    }
    if (period && !st->silent) {
        if (now - *quiet_since >= period) {
            fake_send_heartbeat(st);
            *quiet_since = now;
            return;
        }
        uint64_t left = period - (now - *quiet_since);
        ms = left < 1000000 ? (int)(left / 1000) + 1 : 1000;
    }
    if (!wait_ms(st, ms))
        st->over = true;
}

static void run(struct fake_stream *st)
{
    uint64_t quiet_since = clock_mono_us();
    if (!send_start(st))
        return;
    while (!st->over && !st->back_to_commands && !atomic_load(&st->cn->stop)) {
        check_fate(st);
        if (st->over || st->back_to_commands)
            break;
        if (!fake_take_acks(st) || st->cn->io.failed)
            break;
        if (st->silent || st->only_heartbeats || send_next(st) == TURN_IDLE)
            idle(st, &quiet_since);
        else
            quiet_since = clock_mono_us();
    }
}

bool fake_serve_dump(struct fake_conn *cn, const uint8_t *cmd, size_t len)
{
    struct fake_stream *st = calloc(1, sizeof *st);
    lt_assert(st);
    st->cn = cn;
    if (fake_dump_open(st, cmd, len)) {
        run(st);
        /* A write may have failed first: what the client said before it went is still to be read. */
        if (!st->back_to_commands)
            (void)fake_take_acks(st);
    }
    fake_dump_close(st);
    (void)fake_io_flush(&cn->io);
    bool go_on = st->back_to_commands && !st->over && !atomic_load(&cn->stop);
    free(st);
    return go_on;
}
