/* A dump request: parsed, recorded, matched with the rules, its start found or refused. */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/err.h"

#define COM_BINLOG_DUMP 0x12
#define FLAG_NON_BLOCK  0x1
#define FLAG_TWO        0x2 /* MySQL: heartbeats v2; MariaDB: annotate events */

void fake_dump_refuse(struct fake_stream *st, uint16_t code, const char *text)
{
    fake_send_err(&st->cn->io, code, text);
    st->back_to_commands = true;
}

static const char *user_var(const struct fake_stream *st, const char *first, const char *second)
{
    const char *v = fake_vars_get(&st->cn->user_vars, first);
    return v ? v : fake_vars_get(&st->cn->user_vars, second);
}

static bool var_is_set(const struct fake_stream *st, const char *name)
{
    const char *v = fake_vars_get(&st->cn->user_vars, name);
    return v && strtol(v, NULL, 10) != 0;
}

/* Which user variable turns semi-sync on depends on the release. */
static bool wants_semi_sync(const struct fake_stream *st)
{
    const struct fake_primary *fp = st->cn->fp;
    bool old_name = var_is_set(st, "rpl_semi_sync_slave");
    bool new_name = var_is_set(st, "rpl_semi_sync_replica");
    switch (fp->plugin) {
    case FAKE_PLUGIN_97:
        return new_name;
    case FAKE_PLUGIN_MARIADB:
        return old_name;
    case FAKE_PLUGIN_OLD:
    case FAKE_PLUGIN_NEW:
        return old_name || (new_name && fake_version_number(fp->opt.version) >= 80026);
    case FAKE_PLUGIN_AUTO:
    case FAKE_PLUGIN_MISSING:
        break;
    }
    return false;
}

static bool parse_gtid_dump(struct fake_stream *st, struct cursor *c)
{
    st->rec.gtid = true;
    st->rec.flags = cursor_u16(c);
    st->rec.server_id = cursor_u32(c);
    uint32_t n = cursor_u32(c);
    const uint8_t *name = cursor_bytes(c, n);
    if (!name || n > BINLOG_NAME_MAX)
        return false;
    memcpy(st->rec.file, name, n);
    st->rec.pos = cursor_u64(c);
    struct cursor set = cursor_child(c, cursor_u32(c));
    size_t used;
    if (!cursor_ok(c) || gtid_set_decode_mysql(set.p, set.left, &st->skip, &used) != 0) {
        fake_dump_refuse(st, 1236, "Malformed GTID set encoding.");
        return false;
    }
    return true;
}

static bool parse_request(struct fake_stream *st, const uint8_t *cmd, size_t len)
{
    struct cursor c = cursor_on(cmd, len);
    if (cursor_u8(&c) != COM_BINLOG_DUMP)
        return parse_gtid_dump(st, &c);
    st->rec.pos = cursor_u32(&c);
    st->rec.flags = cursor_u16(&c);
    st->rec.server_id = cursor_u32(&c);
    size_t n = c.left < BINLOG_NAME_MAX ? c.left : BINLOG_NAME_MAX;
    const uint8_t *name = cursor_bytes(&c, n);
    if (!cursor_ok(&c))
        return false;
    memcpy(st->rec.file, name, n); /* a terminator that some clients send ends it */
    return true;
}

static void take_rules(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    for (size_t i = 0; i < fp->rule_count; i++) {
        const struct fake_dump_rule *r = &fp->rules[i];
        if ((r->kind == FAKE_DUMP_PLAIN && st->rec.semi_sync) || (r->kind == FAKE_DUMP_SEMI_SYNC && !st->rec.semi_sync))
            continue;
        unsigned seen = ++fp->rule_seen[i];
        if (seen <= r->after || (r->times && seen > r->after + r->times))
            continue;
        if (st->rule_count < FAKE_RULES_MAX)
            st->rules[st->rule_count++] = *r;
    }
    for (size_t i = 0; i < st->rule_count; i++) {
        if (st->rules[i].no_header)
            st->header = false;
        if (st->rules[i].force_header)
            st->header = true;
        st->cn->io.seq_add = st->rules[i].seq_add;
    }
}

/* Live dumps with the same identity: MySQL ends the older one, MariaDB would freeze; here it is only counted. */
static void look_for_twin(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    struct fake_conn *cn;
    bool mariadb = fake_is_mariadb(fp);
    TAILQ_FOREACH (cn, &fp->conns, link) {
        if (!cn->dumping || cn == st->cn)
            continue;
        const struct fake_dump *other = &fp->dumps[cn->dump_number - 1];
        bool by_id = mariadb || !st->rec.uuid[0] || !other->uuid[0];
        if (by_id ? other->server_id != st->rec.server_id : strcmp(other->uuid, st->rec.uuid) != 0)
            continue;
        fp->counters.shared_ids++;
        if (!mariadb && !fp->opt.allow_shared_ids)
            atomic_store(&cn->duplicate, true);
    }
}

static void record(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    struct fake_dump *grown = realloc(fp->dumps, (fp->counters.dumps + 1) * sizeof *grown);
    lt_assert(grown);
    fp->dumps = grown;
    st->rec.number = ++fp->counters.dumps;
    st->rec.live = true;
    st->rec.at_us = clock_mono_us();
    fp->counters.live_dumps++;
    if (st->rec.semi_sync) {
        fp->counters.semi_sync_dumps++;
        fp->counters.live_semi_sync++;
        struct fake_pos from = {.pos = st->rec.pos};
        (void)snprintf(from.file, sizeof from.file, "%s", st->rec.file);
        if (fake_pos_cmp(&from, &fp->released) > 0)
            fp->released = from;
    }
    fp->dumps[st->rec.number - 1] = st->rec;
    look_for_twin(st);
    st->cn->dumping = true;
    st->cn->dump_number = st->rec.number;
    fake_notify(fp);
}

/* Index of the event that begins at pos; count when pos is the file's end; SIZE_MAX when it lies inside one. */
static size_t event_at(const struct fake_file *f, uint64_t pos)
{
    uint64_t at = f->base;
    for (size_t i = 0; i <= f->count; i++) {
        if (at == pos)
            return i;
        if (i < f->count)
            at = f->events[i].end;
    }
    return SIZE_MAX;
}

/* Lock held. Does the file begin after transactions that the client all has? */
static bool begins_inside_set(const struct fake_file *f, const struct gtid_set *has)
{
    struct gtid_set before;
    bool inside = false;
    gtid_set_init(&before);
    const struct fake_event *ev = f->count > 1 ? &f->events[1] : NULL;
    if (ev && !ev->is_virtual && ev->head[4] == EVENT_PREVIOUS_GTIDS &&
        gtid_set_from_previous_gtids(f->bytes.p + ev->at, ev->len, fake_file_has_crc(f), &before) == 0)
        inside = gtid_set_contains_set(has, &before);
    gtid_set_fini(&before);
    return inside;
}

/* Lock held. Where a dump without a file name begins: a GTID dump in the last file it may, else in the first. */
static const struct fake_file *first_file(const struct fake_stream *st)
{
    const struct fake_primary *fp = st->cn->fp;
    for (size_t i = fp->file_count; st->rec.gtid && i > 0; i--)
        if (begins_inside_set(fp->files[i - 1], &st->skip))
            return fp->files[i - 1];
    return fp->file_count > 0 ? fp->files[0] : NULL;
}

static bool seek(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    const struct fake_file *f = st->rec.file[0] ? fake_file_find(fp, st->rec.file, NULL) : first_file(st);
    bool mariadb = fake_is_mariadb(fp);
    char text[600];
    if (!f) {
        fake_dump_refuse(st, 1236, "Could not find first log file name in binary log index file");
        return false;
    }
    (void)snprintf(
        text, sizeof text,
        "Client requested master to start replication from impossible position; the first event '%s' at %llu", f->name,
        (unsigned long long)st->rec.pos);
    if (st->rec.pos < 4 || st->rec.pos > fake_file_end(f)) {
        fake_dump_refuse(st, 1236,
                         mariadb           ? text
                         : st->rec.pos < 4 ? "Client requested source to start replication from position < 4"
                                           : "Client requested source to start replication from position > file size");
        return false;
    }
    st->next = event_at(f, st->rec.pos);
    if (st->next == SIZE_MAX) {
        fake_dump_refuse(st, 1236,
                         mariadb ? "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master"
                                 : "bogus data in log event; the first event at a position inside another one");
        return false;
    }
    (void)snprintf(st->file, sizeof st->file, "%s", f->name);
    st->pos = st->rec.pos;
    st->crc = fake_file_has_crc(f);
    return true;
}

static void fill_record(struct fake_stream *st)
{
    const char *uuid = user_var(st, "replica_uuid", "slave_uuid");
    const char *period = user_var(st, "source_heartbeat_period", "master_heartbeat_period");
    (void)snprintf(st->rec.uuid, sizeof st->rec.uuid, "%s", uuid ? uuid : "");
    st->rec.connection = st->cn->number;
    st->rec.thread_id = st->cn->number;
    st->rec.registered = st->cn->registered;
    st->rec.tls = st->cn->io.ssl != NULL;
    st->rec.heartbeat_us = period ? strtoull(period, NULL, 10) / 1000 : 0;
    st->rec.semi_sync = st->header = wants_semi_sync(st);
    st->once = st->rec.server_id == 0 || st->rec.flags & FLAG_NON_BLOCK;
    bool mariadb = fake_is_mariadb(st->cn->fp);
    st->annotate = mariadb && st->rec.flags & FLAG_TWO;
    st->heartbeat_v2 = !mariadb && st->rec.flags & FLAG_TWO && fake_version_number(st->cn->fp->opt.version) >= 80026;
}

bool fake_dump_open(struct fake_stream *st, const uint8_t *cmd, size_t len)
{
    struct fake_primary *fp = st->cn->fp;
    gtid_set_init(&st->skip);
    if (cmd[0] != COM_BINLOG_DUMP && fake_is_mariadb(fp)) {
        fake_dump_refuse(st, 1047, "Unknown command");
        return false;
    }
    if (!parse_request(st, cmd, len))
        return false;
    fake_lock(fp);
    fill_record(st);
    const char *mode = fake_vars_get(&fp->vars, "gtid_mode");
    record(st);
    take_rules(st);
    st->history = fp->history;
    bool ok = true;
    if (st->rec.gtid && (!mode || strcmp(mode, "ON") != 0)) {
        fake_dump_refuse(
            st, 1236,
            "The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = OFF.");
        ok = false;
    }
    ok = ok && seek(st);
    fake_unlock(fp);
    return ok;
}

void fake_dump_close(struct fake_stream *st)
{
    struct fake_primary *fp = st->cn->fp;
    fake_dump_publish(st, NULL);
    fake_lock(fp);
    if (st->cn->dumping) {
        st->cn->dumping = false;
        fp->dumps[st->rec.number - 1].live = false;
        fp->counters.live_dumps--;
        if (st->rec.semi_sync)
            fp->counters.live_semi_sync--;
        fake_notify(fp);
    }
    fake_unlock(fp);
    st->cn->io.seq_add = 0;
    gtid_set_fini(&st->skip);
    fake_bytes_fini(&st->event);
}

void fake_dump_publish(struct fake_stream *st, const struct fake_sent *sent)
{
    struct fake_primary *fp = st->cn->fp;
    struct fake_pos to = {.pos = st->pos};
    (void)snprintf(to.file, sizeof to.file, "%s", st->file);
    fake_lock(fp);
    fp->counters.key_updates += st->cn->io.key_updates - st->key_updates;
    st->key_updates = st->cn->io.key_updates;
    if (sent)
        fp->last_sent = *sent;
    if (st->history == fp->history && fake_pos_cmp(&to, &fp->sent_to) > 0) {
        fp->sent_to = to;
        fake_notify(fp);
    }
    fake_unlock(fp);
}
