/*
 * Where a subscription begins: latest, earliest, a position, or what a GTID set lacks.
 *
 * - A position is judged by the list of files first, so that the error says what is the matter; then the session walks from the last known boundary
 *   to it, a turn at a time, and an event must start there.
 * - A GTID set finds a file by halving; transactions in the set are left out on the way.
 * Failure: an Error with code and cure.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "serve/serve_internal.h"

#define CODE(name) LOGTAILER__TAIL__ERROR_CODE__ERROR_##name

static int open_at(struct session *s, unsigned lineage, const char *name, uint64_t offset)
{
    struct lt_err err;
    int rc = files_get(&s->w->s->files, lineage, name, FILES_IF_ROOM, &s->file, &err);
    if (rc == 0)
        rc = walk_seed(s->file, offset, &s->trk, &err);
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
             s->file->info.file, (unsigned long long)s->trk.offset, s->file->info.lineage);
}

/* ---- positions */

struct judgement {
    const struct store_segment_info *list;
    size_t n;
    const tail_position *pos;
};

/* Why there is no such file: *ret_code, and a sentence. */
static const char *why_missing(const struct judgement *j, unsigned lineage, int *ret_code)
{
    uint64_t number = binlog_name_number(j->pos->file);
    size_t from = 0;
    *ret_code = CODE(NOT_FOUND);
    if (lineage < j->list[0].lineage) {
        *ret_code = CODE(PURGED);
        return "that lineage was removed";
    }
    while (from < j->n && j->list[from].lineage != lineage)
        from++;
    if (from == j->n)
        return "that lineage was never here";
    size_t to = from;
    while (to < j->n && j->list[to].lineage == lineage)
        to++;
    if (number < binlog_name_number(j->list[from].file)) {
        *ret_code = CODE(PURGED);
        return "that file is older than what is kept";
    }
    if (number > binlog_name_number(j->list[to - 1].file) && to == j->n) {
        *ret_code = CODE(AHEAD);
        return "that file is newer than what is stored";
    }
    return "no such file in that lineage";
}

/* The file of the position; lineage 0: the newest that has it. */
static const struct store_segment_info *find_file(const struct judgement *j)
{
    for (size_t i = j->n; i > 0; i--) {
        const struct store_segment_info *info = &j->list[i - 1];
        if ((j->pos->lineage == 0 || info->lineage == j->pos->lineage) && strcmp(info->file, j->pos->file) == 0)
            return info;
    }
    return NULL;
}

static void judge_offset(struct session *s, const struct judgement *j, const struct store_segment_info *info)
{
    const tail_position *pos = j->pos;
    bool newest = info == &j->list[j->n - 1];
    if (pos->source_id[0] != '\0' && strcmp(pos->source_id, info->source_id) != 0)
        session_fail(s, CODE(WRONG_LINEAGE), 0, "lineage %u is of source %s, not of %.63s", info->lineage,
                     info->source_id, pos->source_id);
    else if (pos->offset < BINLOG_MAGIC_LEN)
        session_fail(s, CODE(BAD_POSITION), 0, "offset %llu: events begin at offset 4",
                     (unsigned long long)pos->offset);
    else if (pos->offset > info->bytes)
        session_fail(s, newest ? CODE(AHEAD) : CODE(BAD_POSITION), 0, "offset %llu of %s is past its %s, %llu",
                     (unsigned long long)pos->offset, info->file, newest ? "durable end" : "end",
                     (unsigned long long)info->bytes);
}

/* The walk begins at the file's start, or wherever the index knows better. */
static void begin_walk(struct session *s, const struct store_segment_info *info, uint64_t offset)
{
    if (open_at(s, info->lineage, info->file, BINLOG_MAGIC_LEN) != 0)
        return;
    s->target = offset;
    session_set_state(s, SESSION_LOCATING);
}

static void start_position(struct session *s, const tail_position *pos)
{
    struct judgement j = {.pos = pos};
    struct store_segment_info *list = NULL;
    int code = 0;
    if (pos == NULL || !binlog_name_ok(pos->file)) {
        session_fail(s, CODE(BAD_POSITION), 0, "the position has no binlog file name");
        return;
    }
    if (store_list(s->w->s->store, &list, &j.n) != 0) {
        session_fail(s, CODE(INTERNAL), SERVE_RETRY_MAX_MS, "out of memory");
        return;
    }
    j.list = list;
    const struct store_segment_info *info = find_file(&j);
    if (info == NULL) {
        unsigned lineage = pos->lineage != 0 ? pos->lineage : list[j.n - 1].lineage;
        const char *why = why_missing(&j, lineage, &code);
        session_fail(s, code, 0, "%s of lineage %u: %s", pos->file, lineage, why);
    } else {
        judge_offset(s, &j, info);
        if (s->error == NULL)
            begin_walk(s, info, pos->offset);
    }
    free(list);
}

void session_locate(struct session *s)
{
    struct lt_err err;
    uint64_t near = BINLOG_MAGIC_LEN;
    int rc = walk_to(&s->w->window, s->file, &s->trk, s->target, &near, &err);
    if (rc == LT_EAGAIN)
        return;
    if (rc == LT_EINVAL)
        session_fail(s, CODE(BAD_POSITION), 0, "offset %llu of %s lies inside the event that starts at %llu",
                     (unsigned long long)s->target, s->file->info.file, (unsigned long long)near);
    else if (rc != 0)
        session_fail_err(s, &err);
    else
        stream_from_here(s);
}

/* ---- the others */

static bool take_filter(struct session *s, const char *text)
{
    enum gtid_kind kind = seek_flavor(s->w->s, s->w->newest);
    s->filter = calloc(1, sizeof *s->filter);
    if (s->filter == NULL) {
        session_fail(s, CODE(INTERNAL), SERVE_RETRY_MAX_MS, "out of memory");
        return false;
    }
    if (text[strspn(text, " \t\r\n")] == '\0')
        return true;
    if (gtid_set_parse(kind, text, &s->filter->held) == 0)
        return true;
    session_fail(s, CODE(BAD_GTID_SET), 0, "not a GTID set as %s writes them",
                 kind == GTID_MARIADB ? "MariaDB" : "MySQL");
    return false;
}

static void start_gtids(struct session *s)
{
    struct store_segment_info info;
    struct lt_err err;
    if (seek_gtids(s->w->s, 0, &s->filter->held, &info, &err) != 0)
        session_fail_err(s, &err);
    else if (open_at(s, info.lineage, info.file, BINLOG_MAGIC_LEN) == 0)
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
    const struct serve_file *f = s->w->newest;
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
    bool sealed;
    if (s->w->newest == NULL || seek_flavor(s->w->s, s->w->newest) == GTID_NONE) {
        session_fail(s, CODE(EMPTY), 1000, "nothing is stored yet");
        return;
    }
    s->max_batch = batch_size(m->max_batch_bytes);
    if (m->until_end) {
        s->end_file = files_ref(s->w->newest);
        s->end_offset = file_end(s->w->newest, &sealed);
    }
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
