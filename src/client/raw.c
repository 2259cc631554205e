/*
 * FILE_BEGIN opens, events are appended or compared, FILE_END syncs and closes.
 * Failure: nothing is ever overwritten; what is different stays as it is for people to look at.
 */
#include "client/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/private_file.h"

#define WRITE_AT   (1u << 20)
#define COMPARE_AT (64u << 10)

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

int raw_open(struct raw *r, const char *dir, struct lt_err *err)
{
    *r = (struct raw){.dir = dir, .dir_fd = -1, .folder_fd = -1, .fd = -1};
    r->compare = malloc(COMPARE_AT);
    if (r->compare == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    int rc = private_folder(AT_FDCWD, dir, dir, &r->dir_fd, err);
    if (rc != 0)
        return rc;
    if (flock(r->dir_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? lt_err_set(err, LT_EBUSY, "%s: another binlogtail writes there", dir)
                                    : lt_err_sys(err, LT_ESYS, "%s", dir);
    return raw_find_end(r, err);
}

void raw_close(struct raw *r)
{
    close_fd(&r->fd);
    close_fd(&r->folder_fd);
    close_fd(&r->dir_fd);
    text_fini(&r->waiting);
    free(r->compare);
    r->compare = NULL;
}

static int failed(const struct raw *r, struct lt_err *err)
{
    return lt_err_sys(err, LT_ESYS, "%s/%s/%s", r->dir, r->folder, r->file);
}

static int put_at(int fd, const void *data, size_t len, uint64_t offset)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int raw_flush(struct raw *r, struct lt_err *err)
{
    if (r->waiting.failed)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    if (r->waiting.len == 0)
        return 0;
    if (put_at(r->fd, r->waiting.data, r->waiting.len, r->size - r->waiting.len) != 0)
        return failed(r, err);
    text_clear(&r->waiting);
    r->unsynced = true;
    return 0;
}

int raw_sync(struct raw *r, struct lt_err *err)
{
    int rc = raw_flush(r, err);
    if (rc != 0 || !r->unsynced)
        return rc;
    if (fdatasync(r->fd) != 0)
        return failed(r, err);
    r->unsynced = false;
    return 0;
}

static int open_folder(struct raw *r, const struct binlogtail_position *pos, struct lt_err *err)
{
    (void)snprintf(r->folder, sizeof r->folder, "%04" PRIu32 "-%s", pos->lineage, pos->source_id);
    close_fd(&r->folder_fd);
    int rc = private_folder(r->dir_fd, r->folder, r->folder, &r->folder_fd, err);
    if (rc == 0 && fsync(r->dir_fd) != 0)
        rc = lt_err_sys(err, LT_ESYS, "%s", r->folder);
    return rc == 0 ? 0 : lt_err_wrap(err, "%s", r->dir);
}

static int begin_file(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err)
{
    struct stat st;
    int rc = raw_sync(r, err);
    if (rc == 0)
        rc = open_folder(r, &ev->position, err);
    if (rc != 0)
        return rc;
    close_fd(&r->fd);
    (void)snprintf(r->file, sizeof r->file, "%s", ev->position.file);
    bool fresh = ev->position.offset == BINLOG_MAGIC_LEN;
    struct lt_err why = {0};
    rc = private_file(r->folder_fd, r->file, fresh, r->file, &r->fd, &why);
    if (rc != 0 && why.sys_errno == ENOENT)
        return lt_err_set(err, LT_EGAP, "%s/%s/%s is not there", r->dir, r->folder, r->file);
    if (rc != 0) {
        *err = why;
        return lt_err_wrap(err, "%s/%s", r->dir, r->folder);
    }
    if (fstat(r->fd, &st) != 0)
        return failed(r, err);
    r->size = r->verify_end = (uint64_t)st.st_size;
    if (r->size < ev->position.offset && !fresh)
        return lt_err_set(err, LT_EGAP, "%s/%s/%s is shorter than %" PRIu64, r->dir, r->folder, r->file,
                          ev->position.offset);
    if (r->size >= BINLOG_MAGIC_LEN)
        return 0;
    if (put_at(r->fd, binlog_magic, BINLOG_MAGIC_LEN, 0) != 0 || fsync(r->folder_fd) != 0)
        return failed(r, err);
    r->size = BINLOG_MAGIC_LEN;
    r->unsynced = true;
    return 0;
}

static int compare(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err)
{
    size_t done = 0;
    while (done < ev->length) {
        size_t want = ev->length - done < COMPARE_AT ? ev->length - done : COMPARE_AT;
        ssize_t n = pread(r->fd, r->compare, want, (off_t)(ev->position.offset + done));
        if (n < 0)
            return failed(r, err);
        if (n == 0 || memcmp(r->compare, ev->data + done, (size_t)n) != 0)
            return lt_err_set(err, LT_EDIVERGED, "%s/%s/%s: the server's event at %" PRIu64 " is another one", r->dir,
                              r->folder, r->file, ev->position.offset);
        done += (size_t)n;
    }
    return 0;
}

static int append_large(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err)
{
    int rc = raw_flush(r, err);
    if (rc != 0)
        return rc;
    if (put_at(r->fd, ev->data, ev->length, r->size) != 0)
        return failed(r, err);
    r->size += ev->length;
    r->unsynced = true;
    return 0;
}

static int append(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err)
{
    if (ev->position.offset < r->verify_end)
        return compare(r, ev, err);
    lt_assert(ev->position.offset == r->size); /* the library leaves no holes */
    if (ev->length >= WRITE_AT)
        return append_large(r, ev, err);
    text_add(&r->waiting, (const char *)ev->data, ev->length);
    r->size += ev->length;
    return r->waiting.len >= WRITE_AT || r->waiting.failed ? raw_flush(r, err) : 0;
}

static int end_file(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err)
{
    int rc = raw_sync(r, err);
    if (rc == 0 && r->size != ev->position.offset)
        rc = lt_err_set(err, LT_EDIVERGED, "%s/%s/%s has %" PRIu64 " bytes, the server's %" PRIu64, r->dir, r->folder,
                        r->file, r->size, ev->position.offset);
    return rc;
}

int raw_event(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err)
{
    switch (ev->kind) {
    case BINLOGTAIL_FILE_BEGIN:
        return ev->marks & BINLOGTAIL_RESUMED ? 0 : begin_file(r, ev, err);
    case BINLOGTAIL_EVENT:
        return append(r, ev, err);
    case BINLOGTAIL_FILE_END:
        return end_file(r, ev, err);
    case BINLOGTAIL_CONNECTED:
    case BINLOGTAIL_DISCONNECTED:
    case BINLOGTAIL_LINEAGE:
    case BINLOGTAIL_HEARTBEAT:
    case BINLOGTAIL_CAUGHT_UP:
    case BINLOGTAIL_COMMITTED:
    case BINLOGTAIL_END:
    default:
        return 0;
    }
}

void raw_file_start(const struct binlogtail_position *pos, char *buf, size_t cap)
{
    (void)snprintf(buf, cap, "%" PRIu32 "/%s:%d%s%s", pos->lineage, pos->file, BINLOG_MAGIC_LEN,
                   pos->source_id[0] != '\0' ? "@" : "", pos->source_id);
}
