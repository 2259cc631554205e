/*
 * - A list under a mutex: the number of distinct files in use is small, and a lookup happens once per file and consumer.
 * - The index only ever gains entries. An entry is an offset at which the tracker said that no transaction is open.
 * Failure: opening fails before anything is linked; an index that finds no memory stays as it was, which costs a longer walk.
 */
#include "feed/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "binlog/event.h"

void files_init(struct feed_files *fs, struct store *store)
{
    *fs = (struct feed_files){.store = store};
    (void)pthread_mutex_init(&fs->lock, NULL);
}

static void free_file(struct feed_file *f)
{
    store_reader_close(f->reader);
    (void)pthread_mutex_destroy(&f->lock);
    free(f->fde);
    free(f->blocks);
    free(f);
}

void files_fini(struct feed_files *fs)
{
    while (fs->first != NULL) {
        struct feed_file *f = fs->first;
        fs->first = f->next;
        lt_assert(f->refs == 0);
        free_file(f);
    }
    (void)pthread_mutex_destroy(&fs->lock);
}

static struct feed_file *find(struct feed_files *fs, unsigned lineage, const char *name)
{
    for (struct feed_file *f = fs->first; f != NULL; f = f->next) {
        if (f->info.lineage == lineage && strcmp(f->info.file, name) == 0)
            return f;
    }
    return NULL;
}

static int open_file(struct feed_files *fs, unsigned lineage, const char *name, struct feed_file **ret,
                     struct lt_err *err)
{
    struct store_reader *r = NULL;
    int rc = store_reader_open(fs->store, lineage, name, BINLOG_MAGIC_LEN, &r, err);
    if (rc != 0)
        return rc;
    struct feed_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        store_reader_close(r);
        return lt_err_set(err, LT_ENOMEM, "open %s", name);
    }
    f->home = fs;
    f->reader = r;
    f->refs = 1;
    store_reader_info(r, &f->info);
    (void)pthread_mutex_init(&f->lock, NULL);
    *ret = f;
    return 0;
}

/* Under the lock: the one that was used last the longest ago, off the list; the caller frees it. */
static struct feed_file *take_unused(struct feed_files *fs)
{
    struct feed_file **oldest = NULL;
    for (struct feed_file **p = &fs->first; *p != NULL; p = &(*p)->next) {
        if ((*p)->refs == 0 && (oldest == NULL || (*p)->unused_us < (*oldest)->unused_us))
            oldest = p;
    }
    struct feed_file *f = oldest != NULL ? *oldest : NULL;
    if (f != NULL) {
        *oldest = f->next;
        fs->unused--;
        fs->open--;
    }
    return f;
}

/* Under the lock: one that is open, or room for another. */
void files_set_max_open(struct feed_files *fs, unsigned max_open)
{
    (void)pthread_mutex_lock(&fs->lock);
    fs->max_open = max_open;
    (void)pthread_mutex_unlock(&fs->lock);
}

static int find_or_reserve(struct feed_files *fs, unsigned lineage, const char *name, enum files_need need,
                           struct feed_file **ret, struct feed_file **ret_gone)
{
    struct feed_file *f = find(fs, lineage, name);
    if (f != NULL) {
        fs->unused -= f->refs == 0;
        f->refs++;
        *ret = f;
        return 0;
    }
    bool full = fs->max_open > 0 && fs->open >= fs->max_open;
    if (full)
        *ret_gone = take_unused(fs);
    if (full && *ret_gone == NULL && need == FILES_IF_ROOM)
        return LT_EBUSY;
    fs->open++;
    return 0;
}

int files_get(struct feed_files *fs, unsigned lineage, const char *name, enum files_need need, struct feed_file **ret,
              struct lt_err *err)
{
    struct feed_file *gone = NULL;
    struct feed_file *f = NULL;
    struct feed_file *fresh = NULL;
    (void)pthread_mutex_lock(&fs->lock);
    int rc = find_or_reserve(fs, lineage, name, need, &f, &gone);
    (void)pthread_mutex_unlock(&fs->lock);
    if (gone != NULL)
        free_file(gone);
    if (rc != 0)
        return lt_err_set(err, rc, "too many files are being read: no descriptor for %s", name);
    if (f != NULL) {
        *ret = f;
        return 0;
    }
    rc = open_file(fs, lineage, name, &fresh, err); /* two at once open it twice: harmless, both are linked */
    (void)pthread_mutex_lock(&fs->lock);
    if (fresh != NULL) {
        fresh->id = ++fs->next_id;
        fresh->next = fs->first;
        fs->first = fresh;
    } else {
        fs->open--;
    }
    (void)pthread_mutex_unlock(&fs->lock);
    *ret = fresh;
    return rc;
}

bool files_is_sole(struct feed_file *f)
{
    (void)pthread_mutex_lock(&f->home->lock);
    bool sole = f->refs == 1;
    (void)pthread_mutex_unlock(&f->home->lock);
    return sole;
}

struct feed_file *files_ref(struct feed_file *f)
{
    (void)pthread_mutex_lock(&f->home->lock);
    f->refs++;
    (void)pthread_mutex_unlock(&f->home->lock);
    return f;
}

void files_put(struct feed_file *f)
{
    if (f == NULL)
        return;
    struct feed_files *fs = f->home;
    struct feed_file *gone = NULL;
    (void)pthread_mutex_lock(&fs->lock);
    if (--f->refs == 0) {
        f->unused_us = clock_mono_us();
        if (++fs->unused > FILES_UNUSED_MAX || (fs->max_open > 0 && fs->open > fs->max_open))
            gone = take_unused(fs);
    }
    (void)pthread_mutex_unlock(&fs->lock);
    if (gone != NULL)
        free_file(gone);
}

void files_trim(struct feed_files *fs, uint64_t now_us)
{
    struct feed_file *gone = NULL;
    (void)pthread_mutex_lock(&fs->lock);
    for (struct feed_file **p = &fs->first; *p != NULL;) {
        struct feed_file *f = *p;
        if (f->refs == 0 && now_us >= f->unused_us + FILES_KEEP_US) {
            *p = f->next;
            f->next = gone;
            gone = f;
            fs->unused--;
            fs->open--;
        } else {
            p = &f->next;
        }
    }
    (void)pthread_mutex_unlock(&fs->lock);
    while (gone != NULL) {
        struct feed_file *next = gone->next;
        free_file(gone);
        gone = next;
    }
}

uint64_t file_end(const struct feed_file *f, bool *ret_sealed)
{
    uint64_t off;
    uint64_t end;
    (void)store_reader_fd(f->reader, &off, &end, ret_sealed);
    return end;
}

int file_descriptor(const struct feed_file *f)
{
    uint64_t off;
    uint64_t end;
    bool sealed;
    return store_reader_fd(f->reader, &off, &end, &sealed);
}

static int read_fde(const struct feed_file *f, uint8_t **ret, size_t *ret_len, struct event_fde *ret_parsed,
                    struct lt_err *err)
{
    uint8_t head[EVENT_HEADER_LEN];
    struct event_header h;
    bool sealed;
    uint64_t end = file_end(f, &sealed);
    if (end < BINLOG_MAGIC_LEN + EVENT_HEADER_LEN)
        return LT_EAGAIN;
    int rc = store_reader_pread(f->reader, head, sizeof head, BINLOG_MAGIC_LEN, err);
    if (rc != 0)
        return rc;
    if (event_header_parse(head, sizeof head, &h) != 0 || h.type != EVENT_FORMAT_DESCRIPTION ||
        h.length > FILES_FDE_MAX || h.length > end - BINLOG_MAGIC_LEN)
        return lt_err_set(err, LT_ECORRUPT, "%s does not begin with a format description", f->info.file);
    uint8_t *fde = malloc(h.length);
    if (fde == NULL)
        return lt_err_set(err, LT_ENOMEM, "format description of %s", f->info.file);
    rc = store_reader_pread(f->reader, fde, h.length, BINLOG_MAGIC_LEN, err);
    if (rc == 0 && event_fde_parse(fde, h.length, ret_parsed) != 0)
        rc = lt_err_set(err, LT_ECORRUPT, "%s begins with a format description that does not parse", f->info.file);
    if (rc != 0) {
        free(fde);
        return rc;
    }
    *ret = fde;
    *ret_len = h.length;
    return 0;
}

int file_fde(struct feed_file *f, const uint8_t **ret, size_t *ret_len, struct event_fde *ret_parsed,
             struct lt_err *err)
{
    uint8_t *fresh = NULL;
    size_t len = 0;
    struct event_fde parsed;

    (void)pthread_mutex_lock(&f->lock);
    bool have = f->fde != NULL;
    (void)pthread_mutex_unlock(&f->lock);
    if (!have) {
        int rc = read_fde(f, &fresh, &len, &parsed, err);
        if (rc != 0)
            return rc;
    }
    (void)pthread_mutex_lock(&f->lock);
    if (f->fde == NULL) {
        f->fde = fresh;
        f->fde_len = len;
        f->parsed = parsed;
        fresh = NULL;
    }
    *ret = f->fde;
    *ret_len = f->fde_len;
    *ret_parsed = f->parsed;
    (void)pthread_mutex_unlock(&f->lock);
    free(fresh);
    return 0;
}

void file_note_boundary(struct feed_file *f, uint64_t off)
{
    size_t block = (size_t)(off >> FILES_BLOCK_SHIFT);
    (void)pthread_mutex_lock(&f->lock);
    if (block >= f->n_blocks) {
        size_t want = block + 64;
        uint32_t *grown = reallocarray(f->blocks, want, sizeof *grown);
        if (grown != NULL) {
            memset(grown + f->n_blocks, 0, (want - f->n_blocks) * sizeof *grown);
            f->blocks = grown;
            f->n_blocks = want;
        }
    }
    if (block < f->n_blocks && f->blocks[block] == 0)
        f->blocks[block] = (uint32_t)(off & ((UINT64_C(1) << FILES_BLOCK_SHIFT) - 1)) + 1;
    (void)pthread_mutex_unlock(&f->lock);
}

uint64_t file_boundary_before(struct feed_file *f, uint64_t off)
{
    uint64_t found = BINLOG_MAGIC_LEN;
    size_t block = (size_t)(off >> FILES_BLOCK_SHIFT);
    (void)pthread_mutex_lock(&f->lock);
    size_t at = block < f->n_blocks ? block + 1 : f->n_blocks;
    while (at-- > 0) {
        uint64_t place = ((uint64_t)at << FILES_BLOCK_SHIFT) + f->blocks[at] - 1;
        if (f->blocks[at] != 0 && place <= off) {
            found = place;
            break;
        }
    }
    (void)pthread_mutex_unlock(&f->lock);
    return found;
}
