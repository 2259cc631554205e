/*
 * - Order: the end if there is one; the file's format description; batches up to the readable end; the file's end once it is whole; the next file.
 * - Those who stand at the same place share the batch that was cut for the first of them.
 * - A file that is left stays held until its owner lets go: others may be looking at it through him.
 */
#include "feed/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "feed/seek.h"

int feed_desk_init(struct feed_desk *d, struct lt_err *err)
{
    return window_init(&d->window, err);
}

void feed_desk_fini(struct feed_desk *d)
{
    window_fini(&d->window);
}

/* ---- before it runs */

void feed_end_at(struct feed *fd, struct feed_file *newest)
{
    bool sealed;
    fd->end_file = files_ref(newest);
    fd->end_offset = file_end(newest, &sealed);
}

int feed_leave_out(struct feed *fd, enum gtid_kind kind, const char *set)
{
    fd->filter = calloc(1, sizeof *fd->filter);
    if (fd->filter == NULL)
        return LT_ENOMEM;
    if (set[strspn(set, " \t\r\n")] == '\0')
        return LT_OK;
    return gtid_set_parse(kind, set, &fd->filter->held) == 0 ? LT_OK : LT_EINVAL;
}

int feed_leave_out_set(struct feed *fd, const struct gtid_set *set)
{
    fd->filter = calloc(1, sizeof *fd->filter);
    return fd->filter == NULL ? LT_ENOMEM : gtid_set_copy(&fd->filter->held, set);
}

int feed_begin_after(struct feed *fd, struct walk_after *after, size_t count)
{
    fd->filter = calloc(1, sizeof *fd->filter);
    if (fd->filter == NULL) {
        free(after);
        return LT_ENOMEM;
    }
    fd->filter->after = after;
    fd->filter->after_count = count;
    fd->filter->keeps_state = true;
    return LT_OK;
}

void feed_end_behind(struct feed *fd, struct walk_after *until, size_t count)
{
    fd->filter->until = (struct walk_until){.list = until, .count = count, .on = true};
}

int feed_open(struct feed *fd, unsigned lineage, const char *name, uint64_t offset, struct lt_err *err)
{
    int rc = files_get(fd->files, lineage, name, FILES_IF_ROOM, &fd->file, err);
    return rc == 0 ? walk_seed(fd->file, offset, &fd->trk, err) : rc;
}

int feed_open_by_gtids(struct feed *fd, struct lt_err *err)
{
    struct store_segment_info info;
    int rc = seek_gtids(fd->files, 0, &fd->filter->held, &info, err);
    return rc == 0 ? feed_open(fd, info.lineage, info.file, BINLOG_MAGIC_LEN, err) : rc;
}

int feed_locate(struct feed *fd, uint64_t *ret_near, struct lt_err *err)
{
    return walk_to(&fd->desk->window, fd->file, &fd->trk, fd->target, ret_near, err);
}

/* ---- what is next */

/* The GTIDs before this file, for who ends at one. */
static int take_list(struct feed *fd, struct lt_err *err)
{
    struct gtid_set list;
    int rc = seek_list(fd->files, fd->file->info.lineage, fd->file->info.file, &list, err);
    if (rc == LT_ENOTFOUND)
        rc = 0; /* it has none */
    if (rc == 0 && walk_filter_begin_file(fd->filter, &list) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "GTID set");
    gtid_set_fini(&list);
    return rc;
}

static enum feed_next begin_file(struct feed *fd, struct feed_item *ret, struct lt_err *err)
{
    struct event_fde parsed;
    int rc = file_fde(fd->file, &ret->fde, &ret->fde_len, &parsed, err);
    if (rc == 0 && fd->filter != NULL && fd->filter->until.on)
        rc = take_list(fd, err);
    if (rc != 0)
        return rc == LT_EAGAIN ? FEED_WAIT : FEED_FAILED;
    ret->mariadb = parsed.is_mariadb;
    ret->new_lineage = fd->new_lineage;
    fd->begun = true;
    fd->new_lineage = false;
    return FEED_FILE;
}

static enum feed_next end_file(struct feed *fd, struct feed_item *ret)
{
    struct store_segment_info info;
    store_reader_info(fd->file->reader, &info);
    ret->aborted = info.aborted_tail;
    fd->ended = true;
    return FEED_FILE_END;
}

/* The batch for this place, perhaps as cut for the consumer before. */
static int cut(struct feed *fd, const struct walk_limits *limits, struct walk_batch *ret, struct lt_err *err)
{
    struct feed_memo *memo = &fd->desk->memo;
    bool sealed;
    uint64_t readable = file_end(fd->file, &sealed);
    bool shared = fd->filter == NULL && limits->end == UINT64_MAX;
    if (shared && memo->file_id == fd->file->id && memo->from == fd->trk.offset && memo->end == readable &&
        memo->max_bytes == limits->max_bytes) {
        *ret = memo->batch;
        fd->trk = memo->after;
        return 0;
    }
    uint64_t from = fd->trk.offset;
    int rc = walk_batch(&fd->desk->window, fd->file, &fd->trk, limits, fd->filter, ret, err);
    /* Only what ends at or before the end seen above: the file may have grown meanwhile. */
    if (rc == 0 && shared && ret->count > 0 && ret->to <= readable)
        *memo = (struct feed_memo){.file_id = fd->file->id,
                                   .from = from,
                                   .end = readable,
                                   .max_bytes = limits->max_bytes,
                                   .batch = *ret,
                                   .after = fd->trk};
    return rc;
}

static bool in_end_file(const struct feed *fd)
{
    return fd->end_file != NULL && fd->end_file->info.lineage == fd->file->info.lineage &&
           strcmp(fd->end_file->info.file, fd->file->info.file) == 0;
}

/* For a descriptor. All who read a file may be waiting for the next: after a while they let go of it, and come back. */
static bool may_wait(struct feed *fd)
{
    uint64_t now = clock_mono_us();
    if (fd->starved_us == 0)
        fd->starved_us = now;
    return now - fd->starved_us < FEED_STARVED_US;
}

/* In front of another file. */
static enum feed_next next_file(struct feed *fd, struct lt_err *err)
{
    struct store_segment_info info;
    struct feed_file *next = NULL;
    if (store_reader_next_info(fd->file->reader, &info) != 0)
        return FEED_WAIT;
    bool other = info.lineage != fd->file->info.lineage;
    int rc = 0;
    if (other && fd->filter != NULL) {
        rc = walk_filter_new_lineage(fd->filter);
        rc = rc != 0 ? lt_err_set(err, rc, "GTID set")
                     : seek_gtids(fd->files, info.lineage, &fd->filter->held, &info, err);
    }
    if (rc == 0)
        rc = files_get(fd->files, info.lineage, info.file, files_is_sole(fd->file) ? FILES_MUST : FILES_IF_ROOM, &next,
                       err);
    if (rc == LT_EBUSY && may_wait(fd))
        return FEED_WAIT; /* asked again with each heartbeat; and nobody who waits keeps a file to himself */
    if (rc == 0)
        rc = walk_seed(next, BINLOG_MAGIC_LEN, &fd->trk, err);
    if (rc != 0) {
        files_put(next);
        return FEED_FAILED;
    }
    fd->left = fd->file;
    fd->file = next;
    fd->starved_us = 0;
    fd->new_lineage = fd->new_lineage || other;
    fd->begun = fd->ended = false;
    if (fd->filter != NULL)
        fd->filter->skipping = false;
    return FEED_MOVED;
}

enum feed_next feed_next(struct feed *fd, struct feed_item *ret, struct lt_err *err)
{
    struct walk_limits limits = {.max_bytes = fd->max_batch, .end = in_end_file(fd) ? fd->end_offset : UINT64_MAX};
    bool sealed;

    if ((in_end_file(fd) && fd->trk.offset >= fd->end_offset) || (fd->filter != NULL && fd->filter->until.ended))
        return FEED_END;
    if (!fd->begun)
        return begin_file(fd, ret, err);
    if (cut(fd, &limits, &ret->batch, err) != 0)
        return FEED_FAILED;
    if (ret->batch.count > 0)
        return FEED_BATCH;
    if (ret->batch.more || (in_end_file(fd) && fd->trk.offset >= fd->end_offset) ||
        (fd->filter != NULL && fd->filter->until.ended))
        return FEED_AGAIN;
    if (fd->trk.offset < file_end(fd->file, &sealed))
        return FEED_AGAIN; /* it grew meanwhile */
    /* Sealed is seen before its size: look at the size again now that it is final. */
    if (!sealed)
        return FEED_WAIT;
    return fd->ended ? next_file(fd, err) : end_file(fd, ret);
}

void feed_let_go(struct feed *fd)
{
    files_put(fd->left);
    fd->left = NULL;
}

/* ---- the end */

void feed_leave(struct feed *fd)
{
    feed_let_go(fd);
    fd->left = fd->file;
    fd->file = NULL;
}

void feed_close(struct feed *fd)
{
    feed_leave(fd);
    feed_let_go(fd);
    files_put(fd->end_file);
    fd->end_file = NULL;
    if (fd->filter != NULL) {
        walk_filter_fini(fd->filter);
        free(fd->filter);
        fd->filter = NULL;
    }
}
