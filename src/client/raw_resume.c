/*
 * Where does the copy in a folder end? The last file of the last lineage is walked event by event, with checksums where it has them; what does not
 * hold together behind the last valid event is what a crash left, and is cut off.
 * Failure: LT_ESYS; LT_EDIVERGED for a file that is not a binlog at all: not ours to cut.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/private_file.h"
#include "binlog/txn.h"
#include "client/place.h"
#include "client/raw.h"

typedef bool (*better_fn)(const char *name, const char *best);

/* NNNN-<source id> */
static uint32_t folder_lineage(const char *name)
{
    char *end = NULL;
    if (name[0] < '0' || name[0] > '9')
        return 0;
    unsigned long n = strtoul(name, &end, 10);
    return *end == '-' && end[1] != '\0' && strlen(end + 1) <= SOURCE_ID_MAX && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static bool later_lineage(const char *name, const char *best)
{
    uint32_t n = folder_lineage(name);
    return n > 0 && (best[0] == '\0' || n > folder_lineage(best));
}

static bool later_file(const char *name, const char *best)
{
    return binlog_name_ok(name) && (best[0] == '\0' || binlog_name_number(name) > binlog_name_number(best));
}

/* The best name in a folder; "" when there is none. */
static int pick(int dir_fd, better_fn better, char *ret, size_t cap)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    ret[0] = '\0';
    if (d == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        if (strlen(e->d_name) < cap && better(e->d_name, ret))
            (void)snprintf(ret, cap, "%s", e->d_name);
    }
    (void)closedir(d);
    return 0;
}

struct walk {
    FILE *f;
    uint64_t size;
    uint8_t *event;
    size_t cap;
    struct txn_tracker txn;
};

/* The next whole event, into w->event; false when there is none. */
static bool read_event(struct walk *w, struct event_header *ret)
{
    uint8_t head[EVENT_HEADER_LEN];
    if (fread(head, 1, sizeof head, w->f) != sizeof head || event_header_parse(head, sizeof head, ret) != 0 ||
        ret->length > w->size - w->txn.offset)
        return false;
    if (ret->length > w->cap) {
        uint8_t *grown = realloc(w->event, ret->length);
        if (grown == NULL)
            return false;
        w->event = grown;
        w->cap = ret->length;
    }
    memcpy(w->event, head, sizeof head);
    size_t body = ret->length - sizeof head;
    return fread(w->event + sizeof head, 1, body, w->f) == body;
}

static bool event_ok(const struct walk *w, const struct event_header *h)
{
    struct event_fde fde;
    enum checksum_alg alg = w->txn.checksum;
    if (h->type == EVENT_FORMAT_DESCRIPTION) {
        if (event_fde_parse(w->event, h->length, &fde) != 0)
            return false;
        alg = fde.checksum;
    } else if (!w->txn.have_fde) {
        return false;
    }
    return alg != CHECKSUM_CRC32 || event_crc_ok(w->event, h->length);
}

static void walk_events(struct walk *w)
{
    struct event_header h;
    struct txn_step step;
    txn_reset(&w->txn);
    while (read_event(w, &h) && event_ok(w, &h))
        txn_feed(&w->txn, &h, w->event, h.length, &step);
}

static int has_magic(struct walk *w)
{
    uint8_t magic[BINLOG_MAGIC_LEN];
    size_t n = fread(magic, 1, sizeof magic, w->f);
    if (memcmp(magic, binlog_magic, n) != 0)
        return -1;
    return n == sizeof magic;
}

/* Cut what a crash left; *ret_start is where the last complete transaction begins. */
static int settle(struct raw *r, int fd, uint64_t *ret_start, struct lt_err *err)
{
    struct stat st;
    struct walk w = {.f = fdopen(fd, "r+e")};
    uint64_t end = 0;
    *ret_start = BINLOG_MAGIC_LEN;
    if (w.f == NULL || fstat(fd, &st) != 0) {
        (void)close(fd);
        return lt_err_sys(err, LT_ESYS, "%s/%s/%s", r->dir, r->folder, r->file);
    }
    w.size = (uint64_t)st.st_size;
    int magic = has_magic(&w);
    int rc = 0;
    if (magic < 0)
        rc = lt_err_set(err, LT_EDIVERGED, "%s/%s/%s is not a binlog", r->dir, r->folder, r->file);
    if (magic > 0) {
        walk_events(&w);
        end = w.txn.offset;
        if (w.txn.have_last)
            *ret_start = w.txn.last_start;
    }
    if (rc == 0 && end < w.size && (ftruncate(fd, (off_t)end) != 0 || fdatasync(fd) != 0))
        rc = lt_err_sys(err, LT_ESYS, "cutting %s/%s/%s to %" PRIu64, r->dir, r->folder, r->file, end);
    free(w.event);
    (void)fclose(w.f);
    return rc;
}

int raw_find_end(struct raw *r, struct lt_err *err)
{
    uint64_t start = 0;
    struct place p = {0};
    if (pick(r->dir_fd, later_lineage, r->folder, sizeof r->folder) != 0)
        return lt_err_sys(err, LT_ESYS, "%s", r->dir);
    if (r->folder[0] == '\0')
        return 0;
    int folder = -1;
    int fd = -1;
    int rc = private_folder(r->dir_fd, r->folder, r->folder, &folder, err);
    if (rc != 0)
        return lt_err_wrap(err, "%s", r->dir);
    if (pick(folder, later_file, r->file, sizeof r->file) != 0)
        rc = lt_err_sys(err, LT_ESYS, "%s/%s", r->dir, r->folder);
    else if (r->file[0] != '\0' && private_file(folder, r->file, false, r->file, &fd, err) != 0)
        rc = lt_err_wrap(err, "%s/%s", r->dir, r->folder);
    (void)close(folder);
    if (rc != 0 || r->file[0] == '\0')
        return rc;
    rc = settle(r, fd, &start, err);
    if (rc != 0)
        return rc;
    p.lineage = folder_lineage(r->folder);
    p.offset = start;
    (void)snprintf(p.file, sizeof p.file, "%s", r->file);
    (void)snprintf(p.source_id, sizeof p.source_id, "%.*s", SOURCE_ID_MAX, strchr(r->folder, '-') + 1);
    return place_format(&p, r->start, sizeof r->start);
}
