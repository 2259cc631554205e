/*
 * The oracle knows nothing of logtailer but its folder: ids that clients were told are confirmed, against rows found in the stored files; the
 * files against the primary's; the primary's own count of commits that returned without an ACK.
 *
 * Happy path: note what is confirmed → the primary's position → the daemon's watermark has reached it → scan, compare, count.
 * Files are read under the running daemon: never past its watermark, because it cuts what lies behind that.
 */
#include "soak.h"

#include <errno.h>
#include <sys/stat.h>

enum { CONFIRMED = 1, STORED = 2, RETIRED = 4 };
enum { EVENT_HEADER = 19, EVENT_LENGTH_AT = 9 };

struct place {
    char file[256];
    uint64_t offset;
};

static unsigned char *mark_of(struct soak_ledger *ledger, uint64_t id)
{
    if (id >= ledger->size) {
        size_t size = (size_t)id + (1 << 16);
        unsigned char *marks = realloc(ledger->marks, size);
        if (marks == NULL)
            proc_die("out of memory");
        memset(marks + ledger->size, 0, size - ledger->size);
        ledger->marks = marks;
        ledger->size = size;
    }
    return &ledger->marks[id];
}

void soak_ledger_fini(struct soak_ledger *ledger)
{
    free(ledger->marks);
    *ledger = (struct soak_ledger){0};
}

void soak_ledger_note(struct soak_ledger *ledger, struct writers *wr)
{
    size_t n = 0;
    uint64_t *ids = writers_oked(wr, &n);
    for (size_t i = 0; i < n; i++)
        *mark_of(ledger, ids[i]) |= CONFIRMED;
    free(ids);
    (void)mark_of(ledger, writers_next_id(wr));
}

/* ---- files of the store ---- */

static unsigned long long number_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;
}

/* How much of a segment may be read; at NULL: all, nobody writes. */
static uint64_t readable(const char *name, bool newest_lineage, const struct place *at)
{
    if (at == NULL || !newest_lineage || number_of(name) < number_of(at->file))
        return UINT64_MAX;
    return number_of(name) == number_of(at->file) ? at->offset : 0;
}

typedef void (*on_segment)(struct soak *s, const char *path, uint64_t bytes, void *arg);

static void each_segment(struct soak *s, const struct place *at, on_segment visit, void *arg)
{
    struct proc_args lineages = binlogs_lineages(s->dm->dir);
    for (size_t l = 0; l < lineages.n; l++) {
        struct proc_args names = binlogs_segments(s->dm->dir, lineages.v[l]);
        for (size_t i = 0; i < names.n; i++) {
            uint64_t bytes = readable(names.v[i], l + 1 == lineages.n, at);
            char *path = proc_fmt("%s/lineages/%s/%s", s->dm->dir, lineages.v[l], names.v[i]);
            if (bytes > 0)
                visit(s, path, bytes, arg);
            free(path);
        }
        proc_args_fini(&names);
    }
    proc_args_fini(&lineages);
}

static void mark_ids(struct soak_ledger *ledger, const char *path, uint64_t bytes, unsigned char mark)
{
    size_t n = 0;
    uint64_t *ids = binlogs_file_ids(path, bytes, &n);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < ledger->size) /* others belong to rows that are not confirmed yet */
            ledger->marks[ids[i]] |= mark;
    }
    free(ids);
}

static void mark_stored(struct soak *s, const char *path, uint64_t bytes, void *arg)
{
    (void)arg;
    mark_ids(&s->ledger, path, bytes, STORED);
}

static void check_confirmed(struct soak *s, const struct place *at)
{
    struct soak_ledger *ledger = &s->ledger;
    size_t missing = 0;
    size_t first = 0;
    each_segment(s, at, mark_stored, NULL);
    for (size_t id = 0; id < ledger->size; id++) {
        bool lost = (ledger->marks[id] & CONFIRMED) != 0 && (ledger->marks[id] & (STORED | RETIRED)) == 0;
        first = lost && missing == 0 ? id : first;
        missing += lost;
        ledger->marks[id] &= (unsigned char)~STORED;
    }
    if (missing > 0)
        soak_fail(s, "%zu confirmed rows are not in the store, the first is id=%zu", missing, first);
}

void soak_check_dead_store(struct soak *s)
{
    if (s->wr != NULL)
        soak_ledger_note(&s->ledger, s->wr);
    check_confirmed(s, NULL);
}

/* ---- the primary's files ---- */

/* A MariaDB that was killed in a write leaves an event's beginning behind the last whole one, and does not cut it: nobody can hold that. */
static bool is_torn_from(const char *path, uint64_t from, uint64_t size)
{
    unsigned char head[EVENT_HEADER];
    FILE *f = fopen(path, "re");
    if (f == NULL || fseeko(f, (off_t)from, SEEK_SET) != 0)
        proc_die_errno("%s", path);
    bool whole_head = fread(head, 1, sizeof head, f) == sizeof head;
    (void)fclose(f);
    uint64_t len = 0;
    for (int i = 3; i >= 0; i--)
        len = len << 8 | head[EVENT_LENGTH_AT + i];
    return !whole_head || len < EVENT_HEADER || len > size - from;
}

static bool same_as_primary(const char *ours, const char *theirs, uint64_t bytes)
{
    struct stat a;
    struct stat b;
    if (bytes != UINT64_MAX)
        return binlogs_same(ours, theirs, bytes);
    if (stat(ours, &a) != 0 || stat(theirs, &b) != 0)
        return false;
    bool torn = flavor == SERVER_MARIADB && b.st_size > a.st_size &&
                is_torn_from(theirs, (uint64_t)a.st_size, (uint64_t)b.st_size);
    return binlogs_same(ours, theirs, torn ? (uint64_t)a.st_size : UINT64_MAX);
}

static void check_files(struct soak *s, const struct place *at)
{
    struct proc_args names = binlogs_segments(s->dm->dir, NULL);
    for (size_t i = 0; i < names.n && !s->failed; i++) {
        uint64_t bytes = readable(names.v[i], true, at);
        char *ours = binlogs_segment_path(s->dm->dir, names.v[i]);
        char *theirs = proc_fmt("%s/%s", soak_primary(s)->srv->datadir, names.v[i]);
        bool theirs_there = access(theirs, F_OK) == 0; /* not when it was purged */
        if (bytes > 0 && theirs_there && !same_as_primary(ours, theirs, bytes))
            soak_fail(s, "%s is not %s", ours, theirs);
        free(theirs);
        free(ours);
    }
    proc_args_fini(&names);
}

/* ---- all together ---- */

static void check_no_unprotected(struct soak *s)
{
    int64_t now = sql_semi_status(soak_primary(s)->root, "no_tx");
    if (now != s->no_tx)
        soak_fail(s, "commits returned without an ACK: no_tx went from %lld to %lld", (long long)s->no_tx,
                  (long long)now);
    if (sql_semi_status(soak_primary(s)->root, "status") != 1)
        soak_fail(s, "semi-sync is off at the primary");
}

void soak_check(struct soak *s)
{
    struct place at = {0};
    if (s->wr != NULL)
        soak_ledger_note(&s->ledger, s->wr);
    if (!daemon_wait_caught_up(s->dm, soak_primary(s)->root, SOAK_RECOVER_MS)) {
        soak_fail(s, "the watermark does not reach the primary's position");
        return;
    }
    if (!daemon_position(s->dm, at.file, sizeof at.file, &at.offset)) {
        soak_fail(s, "no answer to position");
        return;
    }
    check_confirmed(s, &at);
    check_files(s, &at);
    check_no_unprotected(s);
}

/* ---- segments that are removed on purpose ---- */

struct removed {
    char *path;
    uint64_t *ids;
    size_t n;
};

struct soak_removal {
    struct removed *v;
    size_t n;
};

static void remember(struct soak *s, const char *path, uint64_t bytes, void *arg)
{
    struct soak_removal *removal = arg;
    struct removed *v = realloc(removal->v, (removal->n + 1) * sizeof *v);
    (void)s;
    if (v == NULL)
        proc_die("out of memory");
    removal->v = v;
    v[removal->n] = (struct removed){.path = proc_fmt("%s", path)};
    v[removal->n].ids = binlogs_file_ids(path, bytes, &v[removal->n].n);
    removal->n++;
}

struct soak_removal *soak_removal_begin(struct soak *s)
{
    struct place at = {0};
    struct soak_removal *removal = calloc(1, sizeof *removal);
    if (removal == NULL)
        proc_die("out of memory");
    if (daemon_position(s->dm, at.file, sizeof at.file, &at.offset))
        each_segment(s, &at, remember, removal);
    return removal;
}

void soak_removal_end(struct soak *s, struct soak_removal *removal)
{
    for (size_t i = 0; i < removal->n; i++) {
        struct removed *r = &removal->v[i];
        bool gone = access(r->path, F_OK) != 0 && errno == ENOENT;
        for (size_t k = 0; gone && k < r->n; k++)
            *mark_of(&s->ledger, r->ids[k]) |= RETIRED;
        free(r->path);
        free(r->ids);
    }
    free(removal->v);
    free(removal);
}
