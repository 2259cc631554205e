/*
 * Happy path: names from the folder → map both files → compare, or search for the rows' tokens.
 * Failure: the first difference is printed with file and offset.
 */
#include "binlogs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binlog/event.h"

enum { IN_USE_AT = 21, IN_USE_BIT = 0x01 };

/* ---- files ---- */

struct map {
    const unsigned char *data;
    size_t len;
};

static bool map_open(struct map *map, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)fprintf(stderr, "%s: %s\n", path, strerrordesc_np(errno));
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    *map = (struct map){.len = (size_t)st.st_size};
    if (map->len > 0) {
        void *data = mmap(NULL, map->len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            proc_die_errno("mmap %s", path);
        map->data = data;
    }
    (void)close(fd);
    return true;
}

static void map_close(struct map *map)
{
    if (map->data != NULL)
        (void)munmap((void *)map->data, map->len);
    *map = (struct map){0};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By the number at the end, as the store orders them: 1000000 comes after 999999. */
static int compare_numbers(const void *a, const void *b)
{
    const char *x = strrchr(*(char *const *)a, '.');
    const char *y = strrchr(*(char *const *)b, '.');
    unsigned long long m = x != NULL ? strtoull(x + 1, NULL, 10) : 0;
    unsigned long long n = y != NULL ? strtoull(y + 1, NULL, 10) : 0;
    return (m > n) - (m < n);
}

static bool is_segment(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot[1] != '\0' && strspn(dot + 1, "0123456789") == strlen(dot + 1);
}

static bool is_visible(const char *name)
{
    return name[0] != '.';
}

static struct proc_args list(const char *dir, bool (*want)(const char *))
{
    struct proc_args names = {0};
    DIR *d = opendir(dir);
    if (d == NULL)
        return names;
    /* readdir is safe here: the stream belongs to this call. */
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) { /* NOLINT(concurrency-mt-unsafe) */
        if (want(e->d_name))
            proc_args_add(&names, "%s", e->d_name);
    }
    (void)closedir(d);
    return names;
}

struct proc_args binlogs_lineages(const char *store_dir)
{
    char *dir = proc_fmt("%s/lineages", store_dir);
    struct proc_args names = list(dir, is_visible);
    if (names.n > 0)
        qsort(names.v, names.n, sizeof(*names.v), compare_names);
    free(dir);
    return names;
}

static char *newest_lineage(const char *store_dir)
{
    struct proc_args names = binlogs_lineages(store_dir);
    if (names.n == 0)
        proc_die("no lineage in %s", store_dir);
    char *path = proc_fmt("%s/lineages/%s", store_dir, names.v[names.n - 1]);
    proc_args_fini(&names);
    return path;
}

struct proc_args binlogs_segments(const char *store_dir, const char *lineage)
{
    char *dir = lineage != NULL ? proc_fmt("%s/lineages/%s", store_dir, lineage) : newest_lineage(store_dir);
    struct proc_args names = list(dir, is_segment);
    if (names.n > 0)
        qsort(names.v, names.n, sizeof(*names.v), compare_numbers);
    free(dir);
    return names;
}

char *binlogs_segment_path(const char *store_dir, const char *name)
{
    char *dir = newest_lineage(store_dir);
    char *path = proc_fmt("%s/%s", dir, name);
    free(dir);
    return path;
}

/* ---- the same bytes ---- */

/* Offset of the first difference that counts; len when there is none. */
static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t step = len - at < 65536 ? len - at : 65536;
        if (memcmp(a + at, b + at, step) == 0) {
            at += step;
            continue;
        }
        while (a[at] == b[at] || (at == IN_USE_AT && ((a[at] ^ b[at]) & ~IN_USE_BIT) == 0)) {
            if (++at == len)
                return len;
        }
        return at;
    }
    return len;
}

static bool same_maps(const struct map *a, const struct map *b, const char *ours, const char *theirs, uint64_t bytes)
{
    if (bytes == UINT64_MAX && a->len != b->len) {
        (void)fprintf(stderr, "%s has %zu bytes, %s has %zu\n", ours, a->len, theirs, b->len);
        return false;
    }
    size_t len = bytes == UINT64_MAX ? a->len : (size_t)bytes;
    if (len > a->len || len > b->len) {
        (void)fprintf(stderr, "%s (%zu bytes) or %s (%zu) is shorter than %zu\n", ours, a->len, theirs, b->len, len);
        return false;
    }
    size_t at = len > 0 ? first_difference(a->data, b->data, len) : 0;
    if (at == len || a->data == NULL || b->data == NULL)
        return true;
    (void)fprintf(stderr, "%s and %s differ at offset %zu: %02x, %02x\n", ours, theirs, at, a->data[at], b->data[at]);
    return false;
}

bool binlogs_same(const char *ours, const char *theirs, uint64_t bytes)
{
    struct map a = {0};
    struct map b = {0};
    bool same = map_open(&a, ours) && map_open(&b, theirs) && same_maps(&a, &b, ours, theirs, bytes);
    map_close(&a);
    map_close(&b);
    return same;
}

/* A MariaDB server that was killed in a write leaves a part of an event at the end of its file, and no dump sends it: nothing whole may stand
 * there. */
static bool same_but_torn(const char *ours, const char *theirs)
{
    struct map a = {0};
    struct map b = {0};
    struct event_header h;
    bool same = map_open(&a, ours) && map_open(&b, theirs);
    if (same && a.len < b.len) {
        const unsigned char *tail = b.data + a.len;
        size_t left = b.len - a.len;
        bool whole = event_header_parse(tail, left, &h) == 0 && h.length <= left && event_crc_ok(tail, h.length) &&
                     (h.log_pos == 0 || h.log_pos == (uint32_t)(a.len + h.length)); /* not of an older file */
        if (whole)
            (void)fprintf(stderr, "%s has a whole event at %zu, where %s ends\n", theirs, a.len, ours);
        same = !whole && same_maps(&a, &b, ours, theirs, a.len);
    } else if (same) {
        same = same_maps(&a, &b, ours, theirs, UINT64_MAX);
    }
    map_close(&a);
    map_close(&b);
    return same;
}

static bool same_file(const struct server *srv, const char *ours, const char *theirs, bool last, uint64_t offset)
{
    if (last)
        return binlogs_same(ours, theirs, offset);
    return srv->flavor == SERVER_MARIADB ? same_but_torn(ours, theirs) : binlogs_same(ours, theirs, UINT64_MAX);
}

bool binlogs_compare(const struct server *srv, const char *store_dir, uint64_t offset, size_t *ret_compared)
{
    struct proc_args names = binlogs_segments(store_dir, NULL);
    bool same = true;
    size_t compared = 0;
    for (size_t i = 0; i < names.n && same; i++) {
        bool last = i + 1 == names.n;
        char *ours = binlogs_segment_path(store_dir, names.v[i]);
        char *theirs = proc_fmt("%s/%s", srv->datadir, names.v[i]);
        if (access(theirs, F_OK) == 0 && (!last || offset != 0)) {
            same = same_file(srv, ours, theirs, last, offset);
            compared += !last;
        }
        free(theirs);
        free(ours);
    }
    proc_args_fini(&names);
    if (ret_compared != NULL)
        *ret_compared = compared;
    return same;
}

/* ---- the server's own reader ---- */

static void copy_head(const char *path, uint64_t bytes, const char *to)
{
    struct map map;
    if (!map_open(&map, path) || map.len < bytes)
        proc_die("%s is shorter than %llu bytes", path, (unsigned long long)bytes);
    FILE *f = fopen(to, "we");
    if (f == NULL || fwrite(map.data, 1, bytes, f) != bytes || fclose(f) != 0)
        proc_die_errno("%s", to);
    map_close(&map);
}

bool binlogs_readable(enum server_flavor flavor, const char *path, uint64_t bytes, const char *text)
{
    char *dir = proc_tempdir();
    char *out = proc_fmt("%s/out", dir);
    char *head = proc_fmt("%s/head", dir);
    struct proc_args args = {0};
    if (flavor == SERVER_MYSQL)
        server_mysql_program(&args, "bin/mysqlbinlog");
    else
        proc_args_add(&args, "mariadb-binlog");
    proc_args_add(&args, "--no-defaults");
    proc_args_add(&args, "--verify-binlog-checksum");
    proc_args_add(&args, "--base64-output=decode-rows");
    proc_args_add(&args, "--verbose");
    if (bytes == UINT64_MAX) {
        proc_args_add(&args, "%s", path);
    } else {
        /* The active segment is read as people do it: head -c N FILE | mysqlbinlog - */
        proc_args_add(&args, "-");
        copy_head(path, bytes, head);
    }
    int rc = proc_run(args.v, bytes == UINT64_MAX ? NULL : head, out);
    char *output = proc_read_file(out, NULL);
    bool ok = rc == 0 && (text == NULL || (output != NULL && strstr(output, text) != NULL));
    if (!ok)
        (void)fprintf(stderr, "reading %s exits %d:\n%.2000s\n", path, rc, output != NULL ? output : "");
    free(output);
    proc_remove_dir(dir);
    proc_args_fini(&args);
    free(head);
    free(out);
    free(dir);
    return ok;
}

bool binlogs_all_readable(enum server_flavor flavor, const char *store_dir, uint64_t offset)
{
    struct proc_args names = binlogs_segments(store_dir, NULL);
    bool ok = true;
    for (size_t i = 0; i < names.n && ok; i++) {
        char *path = binlogs_segment_path(store_dir, names.v[i]);
        ok = binlogs_readable(flavor, path, i + 1 == names.n ? offset : UINT64_MAX, NULL);
        free(path);
    }
    proc_args_fini(&names);
    return ok;
}

/* ---- the rows ---- */

struct ids {
    uint64_t *v;
    size_t n;
    size_t cap;
};

static void ids_add(struct ids *ids, uint64_t id)
{
    if (ids->n == ids->cap) {
        ids->cap = ids->cap != 0 ? ids->cap * 2 : 4096;
        ids->v = realloc(ids->v, ids->cap * sizeof(*ids->v));
        if (ids->v == NULL)
            proc_die("out of memory");
    }
    ids->v[ids->n++] = id;
}

static void scan(struct ids *ids, const unsigned char *data, size_t len)
{
    static const char token[] = "id=";
    const unsigned char *end = data + len;
    const unsigned char *at = data;
    while ((at = memmem(at, (size_t)(end - at), token, sizeof(token) - 1)) != NULL) {
        at += sizeof(token) - 1;
        uint64_t id = 0;
        const unsigned char *digits = at;
        while (at < end && *at >= '0' && *at <= '9' && at - digits < 19)
            id = id * 10 + (uint64_t)(*at++ - '0');
        if (at > digits && at < end && *at == ';')
            ids_add(ids, id);
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void scan_file(struct ids *ids, const char *path, uint64_t bytes)
{
    struct map map;
    if (!map_open(&map, path))
        proc_die("cannot read a segment");
    size_t len = bytes < map.len ? (size_t)bytes : map.len;
    if (len > 0)
        scan(ids, map.data, len);
    map_close(&map);
}

uint64_t *binlogs_file_ids(const char *path, uint64_t bytes, size_t *ret_n)
{
    struct ids ids = {0};
    ids_add(&ids, 0); /* so that the list exists; overwritten below */
    scan_file(&ids, path, bytes);
    ids.v[0] = ids.v[--ids.n];
    *ret_n = ids.n;
    return ids.v;
}

uint64_t *binlogs_stored_ids(const char *store_dir, uint64_t offset, size_t *ret_n)
{
    struct proc_args names = binlogs_segments(store_dir, NULL);
    struct ids ids = {0};
    ids_add(&ids, 0); /* so that the list exists; taken out below */
    for (size_t i = 0; i < names.n; i++) {
        char *path = binlogs_segment_path(store_dir, names.v[i]);
        scan_file(&ids, path, i + 1 == names.n ? offset : UINT64_MAX);
        free(path);
    }
    proc_args_fini(&names);
    qsort(ids.v, ids.n, sizeof(*ids.v), compare_ids);
    size_t kept = 0;
    for (size_t i = 0; i < ids.n; i++) {
        if (ids.v[i] != 0 && (kept == 0 || ids.v[kept - 1] != ids.v[i]))
            ids.v[kept++] = ids.v[i];
    }
    *ret_n = kept;
    return ids.v;
}

size_t binlogs_missing_ids(const char *store_dir, uint64_t offset, const uint64_t *ids, size_t n)
{
    size_t have_n;
    uint64_t *have = binlogs_stored_ids(store_dir, offset, &have_n);
    size_t missing = 0;
    for (size_t i = 0; i < n; i++) {
        if (bsearch(&ids[i], have, have_n, sizeof(*have), compare_ids) != NULL)
            continue;
        if (missing++ < 5)
            (void)fprintf(stderr, "id %llu was confirmed and is not in %s\n", (unsigned long long)ids[i], store_dir);
    }
    free(have);
    return missing;
}
