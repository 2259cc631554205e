/*
 * Where a subscription begins: latest, earliest, a position, or what a GTID set lacks.
 *
 * - A position is judged by the list of files first (feed/places.h), so that the error says what is the matter; then the session walks from the last
 *   known boundary to it, a turn at a time, and an event must start there.
 * - A GTID set finds a file by halving; transactions in the set are left out on the way.
 * Failure: an Error with code and cure.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "feed/seek.h"
#include "serve/serve_internal.h"

#define CODE(name) LOGTAILER__TAIL__ERROR_CODE__ERROR_##name

static int open_at(struct session *s, unsigned lineage, const char *name, uint64_t offset)
{
    struct lt_err err;
    int rc = feed_open(&s->feed, lineage, name, offset, &err);
    if (rc != 0) {
        session_fail_err(s, &err);
        return rc;
    }
    session_publish_place(s);
    return 0;
}

static void stream_from_here(struct session *s)
{
    session_arm_timer(s, 0);
    session_set_state(s, SESSION_STREAMING);
    log_info("serve", "%s name=%s user=%s: streams from %s:%llu of lineage %u", s->address, s->pub.name, s->pub.user,
             s->feed.file->info.file, (unsigned long long)s->feed.trk.offset, s->feed.file->info.lineage);
}

/* ---- positions */

struct places_wanted wanted_place(const tail_position *pos)
{
    if (pos == NULL)
        return (struct places_wanted){.file = "", .source_id = ""};
    return (struct places_wanted){
        .file = pos->file, .lineage = pos->lineage, .source_id = pos->source_id, .offset = pos->offset};
}

/* The walk begins at the file's start, or wherever the index knows better. */
static void begin_walk(struct session *s, const struct store_segment_info *info, uint64_t offset)
{
    if (open_at(s, info->lineage, info->file, BINLOG_MAGIC_LEN) != 0)
        return;
    s->feed.target = offset;
    session_set_state(s, SESSION_LOCATING);
}

static void start_position(struct session *s, const tail_position *pos)
{
    struct places_found found;
    struct places_wanted at = wanted_place(pos);
    enum places_verdict verdict = places_judge(s->w->s->store, &at, &found);
    if (verdict != PLACES_OK)
        session_fail_place(s, verdict, found.why);
    else
        begin_walk(s, &found.info, at.offset);
}

void session_locate(struct session *s)
{
    struct lt_err err;
    uint64_t near = BINLOG_MAGIC_LEN;
    int rc = feed_locate(&s->feed, &near, &err);
    if (rc == LT_EAGAIN)
        return;
    if (rc == LT_EINVAL)
        session_fail(s, CODE(BAD_POSITION), 0, "offset %llu of %s lies inside the event that starts at %llu",
                     (unsigned long long)s->feed.target, s->feed.file->info.file, (unsigned long long)near);
    else if (rc != 0)
        session_fail_err(s, &err);
    else
        stream_from_here(s);
}

/* ---- the others */

static bool take_filter(struct session *s, const char *text)
{
    enum gtid_kind kind = seek_flavor(&s->w->s->files, s->w->newest.file);
    int rc = feed_leave_out(&s->feed, kind, text);
    if (rc == LT_ENOMEM)
        session_fail(s, CODE(INTERNAL), SERVE_RETRY_MAX_MS, "out of memory");
    else if (rc != 0)
        session_fail(s, CODE(BAD_GTID_SET), 0, "not a GTID set as %s writes them",
                     kind == GTID_MARIADB ? "MariaDB" : "MySQL");
    return rc == 0;
}

static void start_gtids(struct session *s)
{
    struct lt_err err;
    if (feed_open_by_gtids(&s->feed, &err) != 0) {
        session_fail_err(s, &err);
        return;
    }
    session_publish_place(s);
    stream_from_here(s);
}

static void start_earliest(struct session *s)
{
    struct store_segment_info info;
    if (store_oldest(s->w->s->store, &info) == 0 && open_at(s, info.lineage, info.file, BINLOG_MAGIC_LEN) == 0)
        stream_from_here(s);
}

static void start_latest(struct session *s)
{
    bool sealed;
    const struct feed_file *f = s->w->newest.file;
    if (open_at(s, f->info.lineage, f->info.file, file_end(f, &sealed)) == 0)
        stream_from_here(s);
}

static uint64_t batch_size(uint32_t wish)
{
    if (wish == 0)
        return SERVE_BATCH_DEFAULT;
    return wish < SERVE_BATCH_MIN ? SERVE_BATCH_MIN : wish > SERVE_BATCH_MAX ? SERVE_BATCH_MAX : wish;
}

void session_subscribe(struct session *s, const tail_subscribe *m)
{
    if (s->w->newest.file == NULL || seek_flavor(&s->w->s->files, s->w->newest.file) == GTID_NONE) {
        session_fail(s, CODE(EMPTY), 1000, "nothing is stored yet");
        return;
    }
    s->feed.max_batch = batch_size(m->max_batch_bytes);
    if (m->until_end)
        feed_end_at(&s->feed, s->w->newest.file);
    if ((m->start == LOGTAILER__TAIL__START_KIND__START_GTIDS || m->gtid_set[0] != '\0') &&
        !take_filter(s, m->gtid_set))
        return;
    switch ((int)m->start) {
    case LOGTAILER__TAIL__START_KIND__START_LATEST:
        start_latest(s);
        break;
    case LOGTAILER__TAIL__START_KIND__START_EARLIEST:
        start_earliest(s);
        break;
    case LOGTAILER__TAIL__START_KIND__START_POSITION:
        start_position(s, m->position);
        break;
    case LOGTAILER__TAIL__START_KIND__START_GTIDS:
        start_gtids(s);
        break;
    default:
        session_fail(s, CODE(PROTOCOL), 0, "start kind %d is not known", (int)m->start);
    }
}
