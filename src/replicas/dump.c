/*
 * Where a dump begins, and whether it may.
 *
 * - By file and position: judged by the list of files, then walked to from the last known boundary, a turn at a time; an event must start there.
 * - MySQL by GTIDs: the client's set must have nothing of the log's source that is not held, and all that was removed; the file is found by halving.
 * - MariaDB by @slave_connect_state: dump_state.c.
 * - Who comes twice (MySQL's uuid, MariaDB's server_id) has the newer connection; the older one is a zombie.
 * Failure: error 1236 with the text that a server of the flavour gives, and the end of the connection.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "feed/places.h"
#include "feed/seek.h"
#include "replicas/internal.h"

#define FIRST_LOOK         64   /* events among which the first GTID of a file is looked for */
#define GTID_EVENT         4096 /* none is longer */
#define ER_BAD_SET         1773
#define ER_UNKNOWN_COMMAND 1047

static const char *wanted(const struct client *s, const char *now, const char *before)
{
    const char *value = user_vars_get(&s->vars, now, strlen(now));
    return value != NULL ? value : user_vars_get(&s->vars, before, strlen(before));
}

static enum checksum_wish wish_of(const struct client *s)
{
    const char *text = wanted(s, "source_binlog_checksum", "master_binlog_checksum");
    if (text != NULL && strcasecmp(text, "NONE") == 0)
        return WISH_NONE;
    return text != NULL && strcasecmp(text, "CRC32") == 0 ? WISH_CRC32 : WISH_UNSET;
}

/* They say nanoseconds. */
static uint64_t heartbeat_of(const struct client *s)
{
    const char *text = wanted(s, "source_heartbeat_period", "master_heartbeat_period");
    uint64_t us = text != NULL ? strtoull(text, NULL, 10) / 1000 : 0;
    return us == 0 || us >= 1000 ? us : 1000;
}

/* Where a packet is half out nothing can be said any more. */
static void end_zombie(struct client *t)
{
    if (t->out_len > 0 || t->pay_left > 0 || t->st.part_full || t->st.large_left > 0) {
        client_close(t, "the same replica came again");
        return;
    }
    (void)stream_fail(t, "A replica with the same server_uuid/server_id as this replica has connected to the source");
    if (!t->dead && t->state != CLIENT_CLOSING)
        client_set_state(t, CLIENT_CLOSING);
    if (!t->dead)
        client_turn_later(t);
}

static void close_zombies(struct client *s, uint32_t server_id)
{
    const char *uuid = wanted(s, "replica_uuid", "slave_uuid");
    for (struct client *t = TAILQ_FIRST(&s->r->all), *next; t != NULL; t = next) {
        next = TAILQ_NEXT(t, link);
        if (t == s || (t->state != CLIENT_STREAMING && t->state != CLIENT_LOCATING))
            continue;
        const char *other = wanted(t, "replica_uuid", "slave_uuid");
        bool same = s->st.mariadb ? server_id != 0 && s->registered && t->registered && t->st.server_id == server_id
                                  : uuid != NULL && other != NULL && strcasecmp(uuid, other) == 0;
        if (same)
            end_zombie(t);
    }
}

/* ---- by file and position */

static void refuse_place(struct client *s, const struct places_wanted *at, enum places_verdict verdict)
{
    bool there = s->st.asked_file[0] != '\0';
    if ((verdict != PLACES_AHEAD && verdict != PLACES_BAD) || !there)
        (void)stream_fail(s, "Could not find first log file name in binary log index file");
    else if (s->st.mariadb)
        (void)stream_fail(s,
                          "Client requested master to start replication from impossible position; the first event "
                          "'%s' at %llu, the last event read from '%s' at 4, the last byte read from '%s' at 4.",
                          at->file, (unsigned long long)at->offset, at->file, at->file);
    else
        (void)stream_fail(s, "Client requested source to start replication from position %s",
                          at->offset < BINLOG_MAGIC_LEN ? "< 4" : "> file size");
}

/* False: refused. */
static bool begin_at_place(struct client *s, const struct command_dump *cmd)
{
    struct places_found found = {0};
    struct lt_err err = {0};
    struct store_segment_info oldest;
    struct places_wanted at = {.file = cmd->file, .source_id = "", .offset = cmd->pos};
    if (cmd->file[0] == '\0') {
        if (store_oldest(s->r->store, &oldest) != 0)
            return stream_fail(s, "Could not find first log file name in binary log index file"), false;
        at.file = oldest.file;
        at.lineage = oldest.lineage;
    }
    enum places_verdict verdict = places_judge(s->r->store, &at, &found);
    memcpy(s->st.asked_file, found.info.file, sizeof s->st.asked_file); /* "": there is no such file */
    if (verdict != PLACES_OK)
        return refuse_place(s, &at, verdict), false;
    s->st.asked = at.offset;
    if (feed_open(&s->st.feed, found.info.lineage, found.info.file, BINLOG_MAGIC_LEN, &err) != 0)
        return stream_fail(s, "%s", err.text), false;
    s->st.feed.target = at.offset;
    client_set_state(s, CLIENT_LOCATING);
    client_turn_later(s);
    return true;
}

void dump_from_here(struct client *s)
{
    s->st.at = s->st.to = s->st.feed.trk.offset;
    s->st.sent_us = clock_mono_us();
    client_set_state(s, CLIENT_STREAMING);
    client_turn_later(s);
    view_soon(s->r);
    log_info("replicas", "%s user=%s: streams from %s:%llu of lineage %u", s->address, s->user,
             s->st.feed.file->info.file, (unsigned long long)s->st.at, s->st.feed.file->info.lineage);
}

/* A server takes the bytes there for an event: it begins the file, and fails. So do we, but that we never send what only looks like an event. */
static void inside_event(struct client *s, uint64_t near)
{
    s->st.near = near;
    s->st.bad_place = true;
    s->st.feed.trk.offset = s->st.asked;
    dump_from_here(s);
}

void dump_locate(struct client *s)
{
    struct lt_err err = {0};
    uint64_t near = BINLOG_MAGIC_LEN;
    int rc = feed_locate(&s->st.feed, &near, &err);
    if (rc == LT_EAGAIN)
        client_turn_later(s);
    else if (rc == LT_EINVAL)
        inside_event(s, near);
    else if (rc != 0)
        (void)stream_fail(s, "%s", err.text);
    else
        dump_from_here(s);
}

/* ---- MySQL by GTIDs */

/* Is the first transaction of the file in the set? Then servers tell the replica that it does not begin anew. */
static bool first_is_held(struct feed_file *f, const struct gtid_set *set)
{
    uint8_t buf[GTID_EVENT];
    struct event_header h;
    struct event_gtid g;
    struct lt_err err;
    bool sealed;
    uint64_t off = BINLOG_MAGIC_LEN;
    uint64_t end = file_end(f, &sealed);
    for (int i = 0; i < FIRST_LOOK && end - off >= EVENT_HEADER_LEN; i++) {
        if (store_reader_pread(f->reader, buf, EVENT_HEADER_LEN, off, &err) != 0 ||
            event_header_parse(buf, EVENT_HEADER_LEN, &h) != 0 || h.length > end - off)
            return false;
        bool gtid = h.type == EVENT_GTID || h.type == EVENT_GTID_TAGGED;
        if (gtid)
            return h.length <= sizeof buf && store_reader_pread(f->reader, buf, h.length, off, &err) == 0 &&
                   event_gtid_parse(buf, h.length, f->parsed.checksum == CHECKSUM_CRC32, &g) == 0 &&
                   gtid_set_contains(set, &g.gtid);
        if (h.type == EVENT_ANONYMOUS_GTID)
            return false;
        off += h.length;
    }
    return false;
}

/* Transactions of the log's own source that the replica has and we have not. *ret: an answer may be given. */
static int is_ahead(struct client *s, const struct gtid_set *set, bool *ret)
{
    struct store_view v;
    struct gtid_set more = {0};
    uint8_t uuid[GTID_UUID_LEN];
    *ret = false;
    int rc = store_view_get(s->r->store, &v);
    if (rc != 0)
        return rc;
    rc = gtid_set_copy(&more, set);
    if (rc == 0 && !gtid_set_is_empty(&more) && !gtid_set_is_empty(&v.gtid_held))
        rc = gtid_set_subtract(&more, &v.gtid_held);
    bool known = uuid_parse(v.source_id, uuid) == 0;
    for (size_t i = 0; rc == 0 && known && i < more.source_count; i++)
        *ret = *ret || (more.sources[i].count > 0 && memcmp(more.sources[i].uuid, uuid, sizeof uuid) == 0);
    gtid_set_fini(&more);
    store_view_fini(&v);
    return rc;
}

/* What the replica lacks and no file has any more; malloc'd text, NULL: nothing. */
static int lacks_purged(struct client *s, const struct gtid_set *set, char **ret)
{
    struct store_segment_info oldest;
    struct gtid_set list = {0};
    struct lt_err err;
    *ret = NULL;
    if (store_oldest(s->r->store, &oldest) != 0)
        return 0;
    int rc = seek_list(&s->r->files, oldest.lineage, oldest.file, &list, &err);
    if (rc == LT_ENOTFOUND)
        rc = 0; /* a file without a list */
    if (rc == 0 && !gtid_set_is_empty(&list) && !gtid_set_is_empty(set))
        rc = gtid_set_subtract(&list, set);
    if (rc == 0 && !gtid_set_is_empty(&list)) {
        *ret = gtid_set_format(&list);
        rc = *ret != NULL ? 0 : LT_ENOMEM;
    }
    gtid_set_fini(&list);
    return rc;
}

/* False: refused. */
static bool judge_set(struct client *s, const struct gtid_set *set)
{
    bool ahead = false;
    char *missing = NULL;
    int rc = is_ahead(s, set, &ahead);
    if (rc == 0 && !ahead)
        rc = lacks_purged(s, set, &missing);
    if (rc != 0)
        return stream_fail(s, "Out of memory"), false;
    if (ahead)
        return stream_fail(s, "Replica has more GTIDs than the source has, using the source's SERVER_UUID. This may "
                              "indicate that the the last binary log file was truncated or lost, e.g., after a power "
                              "failure when sync_binlog != 1. The source may have rolled back transactions that were "
                              "already replicated to the replica. Replicate any transactions that source has rolled "
                              "back from replica to source, and/or commit empty transactions on source to account for "
                              "transactions that have been committed on source but are not included in GTID_EXECUTED."),
               false;
    if (missing == NULL)
        return true;
    char *theirs = gtid_set_format(set);
    (void)stream_fail(s,
                      "Cannot replicate because the source purged required binary logs. Replicate the missing "
                      "transactions from elsewhere, or provision a new replica from backup. Consider increasing the "
                      "source's binary log expiration period. The GTID set sent by the replica is '%.100s', and the "
                      "missing transactions are '%.100s'",
                      theirs != NULL ? theirs : "", missing);
    free(theirs);
    free(missing);
    return false;
}

static void begin_by_set(struct client *s, const struct command_dump *cmd)
{
    struct gtid_set set = {0};
    struct lt_err err = {0};
    size_t used = 0;
    if (gtid_set_decode_mysql(cmd->gtid_set, cmd->gtid_set_len, &set, &used) != 0 || used != cmd->gtid_set_len) {
        gtid_set_fini(&set);
        if (!packets_err(s, ER_BAD_SET, "HY000", "Malformed GTID set encoding."))
            client_close(s, "out of memory");
        else
            client_set_state(s, CLIENT_CLOSING);
        return;
    }
    if (feed_leave_out_set(&s->st.feed, &set) != 0) {
        (void)stream_fail(s, "Out of memory");
    } else if (cmd->file[0] != '\0') {
        (void)begin_at_place(s, cmd);
    } else if (judge_set(s, &set)) {
        if (feed_open_by_gtids(&s->st.feed, &err) != 0) {
            (void)stream_fail(s, "%s", err.text);
        } else {
            const uint8_t *fde;
            size_t len;
            struct event_fde parsed;
            s->st.clear_created =
                file_fde(s->st.feed.file, &fde, &len, &parsed, &err) == 0 && first_is_held(s->st.feed.file, &set);
            dump_from_here(s);
        }
    }
    gtid_set_fini(&set);
}

void dump_answer(struct client *s, const struct command_dump *cmd)
{
    char version[VERSION_MAX];
    bool crc;
    struct replicas *r = s->r;
    stream_close(s);
    s->st = (struct stream){.first = true,
                            .wish = wish_of(s),
                            .non_block = (cmd->flags & COMMAND_DUMP_NON_BLOCK) != 0 || cmd->server_id == 0,
                            .heartbeat_us = heartbeat_of(s),
                            .server_id = cmd->server_id,
                            .feed = {.files = &r->files, .desk = &r->desk, .max_batch = STREAM_BATCH}};
    s->st.crc = s->st.wish == WISH_CRC32;
    if (!replicas_flavor(r, &s->st.mariadb, &crc, version)) {
        (void)stream_fail(s, "Binary log is not open");
        return;
    }
    s->st.heartbeat_v2 = !s->st.mariadb && (cmd->flags & COMMAND_DUMP_HEARTBEAT_V2) != 0;
    s->st.annotate = (cmd->flags & COMMAND_DUMP_ANNOTATE_ROWS) != 0;
    const char *knows = user_vars_get(&s->vars, "mariadb_slave_capability", strlen("mariadb_slave_capability"));
    s->st.capability = knows != NULL ? (unsigned)strtoul(knows, NULL, 10) : MARIADB_KNOWS_NOTHING;
    const char *state = user_vars_get(&s->vars, "slave_connect_state", strlen("slave_connect_state"));
    const char *until = user_vars_get(&s->vars, "slave_until_gtid", strlen("slave_until_gtid"));
    client_arm(s, 0);
    close_zombies(s, cmd->server_id);
    if (s->st.mariadb && cmd->by_gtid) {
        if (!packets_err(s, ER_UNKNOWN_COMMAND, "08S01", "Unknown command"))
            client_close(s, "out of memory");
    } else if (cmd->by_gtid) {
        begin_by_set(s, cmd);
    } else if (s->st.mariadb && state != NULL) {
        dump_by_state(s, state, until);
    } else {
        (void)begin_at_place(s, cmd);
    }
}
