/*
 * What is in the directory: the directory is the index.
 *
 * - Lineages are folders NNNN-<source id>; files are what binlog_name_ok() accepts. Sidecars, indexes, temporary files and what people
 *   leave lying about are passed over.
 * Failure: a directory that cannot be read is an error; nothing is skipped in silence because of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "store/store_recover.h"

struct listing {
    struct store *s;
    const struct lineage *lineage;
    struct found *files;
    size_t count;
    size_t cap;
};

/* "0001-<source id>" */
static int on_lineage(const char *name, bool is_dir, void *arg)
{
    struct listing *l = arg;
    const char *dash = strchr(name, '-');
    char digits[16];
    uint64_t number;

    if (!is_dir || dash == NULL || dash - name < 4 || (size_t)(dash - name) >= sizeof digits)
        return 0;
    memcpy(digits, name, (size_t)(dash - name));
    digits[dash - name] = '\0';
    if (units_parse_u64(digits, 999999999, &number) < 0 || number == 0 || dash[1] == '\0' ||
        strlen(dash + 1) > STORE_SOURCE_ID_MAX)
        return 0;
    return store_add_lineage(l->s, (unsigned)number, dash + 1) == NULL ? LT_ENOMEM : 0;
}

static int on_file(const char *name, bool is_dir, void *arg)
{
    struct listing *l = arg;

    if (is_dir || strlen(name) > BINLOG_NAME_MAX || !binlog_name_ok(name))
        return 0;
    if (l->count == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : 16;
        struct found *grown = reallocarray(l->files, cap, sizeof *grown);
        if (grown == NULL)
            return LT_ENOMEM;
        l->files = grown;
        l->cap = cap;
    }
    struct found *f = &l->files[l->count++];
    memset(f, 0, sizeof *f);
    f->lineage = l->lineage;
    memcpy(f->file, name, strlen(name));
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct lineage *const *x = a;
    const struct lineage *const *y = b;

    if ((*x)->number != (*y)->number)
        return (*x)->number < (*y)->number ? -1 : 1;
    return strcmp((*x)->source_id, (*y)->source_id);
}

static int by_place(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;
    uint64_t nx = binlog_name_number(x->file);
    uint64_t ny = binlog_name_number(y->file);

    if (nx != ny)
        return nx < ny ? -1 : 1;
    return strcmp(x->file, y->file);
}

static int walk_error(int rc, const char *dir, struct lt_err *err)
{
    return rc == LT_ENOMEM ? lt_err_set(err, rc, "list of files") : store_sys_err(err, rc, "read directory %s", dir);
}

static int fill_size(struct store *s, struct found *f, struct lt_err *err)
{
    char *path = store_path(f->lineage->path, f->file, "");
    if (path == NULL)
        return lt_err_set(err, LT_ENOMEM, "list of files");
    int fd = s->vfs->open(s->vfs->ctx, path, O_RDONLY, 0);
    int rc = fd < 0 ? fd : s->vfs->size(s->vfs->ctx, fd, &f->size);
    if (fd >= 0)
        (void)s->vfs->close(s->vfs->ctx, fd);
    if (rc < 0)
        rc = store_sys_err(err, rc, "open %s", path);
    free(path);
    return rc;
}

int store_find_files(struct store *s, struct found **ret, size_t *ret_count, struct lt_err *err)
{
    struct listing l = {.s = s};
    int rc = s->vfs->list(s->vfs->ctx, s->lineages_dir, on_lineage, &l);
    if (rc != 0)
        return walk_error(rc, s->lineages_dir, err);
    if (s->lineage_count > 0)
        qsort(s->lineages, s->lineage_count, sizeof s->lineages[0], by_number);
    for (size_t i = 0; rc == 0 && i < s->lineage_count; i++) {
        size_t from = l.count;
        l.lineage = s->lineages[i];
        rc = s->vfs->list(s->vfs->ctx, l.lineage->path, on_file, &l);
        if (rc != 0)
            rc = walk_error(rc, l.lineage->path, err);
        else if (l.count > from)
            qsort(l.files + from, l.count - from, sizeof l.files[0], by_place);
    }
    for (size_t i = 0; rc == 0 && i < l.count; i++)
        rc = fill_size(s, &l.files[i], err);
    if (rc < 0) {
        free(l.files);
        return rc;
    }
    if (s->lineage_count > 0)
        s->lineage = s->lineages[s->lineage_count - 1];
    *ret = l.files;
    *ret_count = l.count;
    return 0;
}
