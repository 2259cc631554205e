/*
 * Where a GTID subscription begins.
 *
 * - Each file begins with the list of all transactions before it (Previous_gtids, Gtid_list). In one lineage these only grow, so the last file whose
 *   list holds nothing that the consumer lacks is found by halving: 13 small reads among 5,000 files, each through the page cache.
 * - The search is made in the oldest lineage, and again in each next one when the stream gets there: what an older history had and the consumer
 *   lacks is sent too. An older lineage of which nothing is lacking costs a walk through its last file.
 * Failure: a file without a list holds everything before it back: it is treated as one whose list is not held, so the search goes to
 *   older files. Too much is sent then and left out transaction by transaction; never too little.
 */
#include "feed/seek.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_LOOK                                                                                                    \
    8 /* the list is among the first events: format description, perhaps START_ENCRYPTION's stand-in, list */

static int read_list(const struct feed_file *f, uint64_t off, const struct event_header *h, bool crc,
                     struct gtid_set *ret, struct lt_err *err)
{
    if (h->length > EVENT_LIST_MAX)
        return LT_ENOTFOUND;
    uint8_t *event = malloc(h->length);
    if (event == NULL)
        return lt_err_set(err, LT_ENOMEM, "GTID list of %s", f->info.file);
    int rc = store_reader_pread(f->reader, event, h->length, off, err);
    if (rc == 0) {
        rc = h->type == EVENT_PREVIOUS_GTIDS ? gtid_set_from_previous_gtids(event, h->length, crc, ret)
                                             : gtid_set_from_gtid_list(event, h->length, crc, ret);
        if (rc != 0 && rc != LT_ENOMEM)
            rc = LT_ENOTFOUND;
    }
    free(event);
    return rc;
}

/* LT_ENOTFOUND: the file has none. */
static int first_list(struct feed_file *f, struct gtid_set *ret, struct lt_err *err)
{
    const uint8_t *fde;
    size_t len;
    struct event_fde parsed;
    bool sealed;
    uint64_t end = file_end(f, &sealed);
    int rc = file_fde(f, &fde, &len, &parsed, err);
    if (rc != 0)
        return rc == LT_EAGAIN ? LT_ENOTFOUND : rc;
    uint64_t off = BINLOG_MAGIC_LEN + len;
    for (int i = 0; i < EVENTS_LOOK && end - off >= EVENT_HEADER_LEN; i++) {
        uint8_t head[EVENT_HEADER_LEN];
        struct event_header h;
        rc = store_reader_pread(f->reader, head, sizeof head, off, err);
        if (rc != 0)
            return rc;
        if (event_header_parse(head, sizeof head, &h) != 0 || h.length > end - off)
            return lt_err_set(err, LT_ECORRUPT, "no whole event at offset %llu of %s", (unsigned long long)off,
                              f->info.file);
        if (h.type == EVENT_PREVIOUS_GTIDS || h.type == EVENT_MARIADB_GTID_LIST)
            return read_list(f, off, &h, parsed.checksum == CHECKSUM_CRC32, ret, err);
        off += h.length;
    }
    return LT_ENOTFOUND;
}

/* Does the file begin with nothing that `held` lacks? */
static int begins_within(struct feed_files *fs, const struct store_segment_info *info, const struct gtid_set *held,
                         bool *ret, struct lt_err *err)
{
    struct feed_file *f = NULL;
    struct gtid_set list;
    *ret = false;
    int rc = files_get(fs, info->lineage, info->file, FILES_MUST, &f, err);
    if (rc != 0)
        return rc;
    gtid_set_init(&list);
    rc = first_list(f, &list, err);
    if (rc == 0)
        *ret = gtid_set_contains_set(held, &list);
    gtid_set_fini(&list);
    files_put(f);
    return rc == LT_ENOTFOUND ? 0 : rc;
}

/* In list[from, to), all of one lineage: the last that begins within; the first when none does. */
static int search(struct feed_files *fs, const struct store_segment_info *list, size_t from, size_t to,
                  const struct gtid_set *held, size_t *ret, struct lt_err *err)
{
    size_t low = from; /* all before it begin within */
    size_t high = to;  /* none from it on does */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        bool within;
        int rc = begins_within(fs, &list[mid], held, &within, err);
        if (rc != 0)
            return rc;
        if (within)
            low = mid + 1;
        else
            high = mid;
    }
    *ret = low > from ? low - 1 : from;
    return 0;
}

int seek_gtids(struct feed_files *fs, unsigned lineage, const struct gtid_set *held, struct store_segment_info *ret,
               struct lt_err *err)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    size_t from = 0;
    size_t found = 0;
    int rc = store_list(fs->store, &list, &n);
    if (rc != 0)
        return lt_err_set(err, rc, "list of files");
    while (from < n && lineage != 0 && list[from].lineage != lineage)
        from++;
    size_t to = from;
    while (to < n && list[to].lineage == list[from].lineage)
        to++;
    rc = from == n ? lt_err_set(err, LT_ENOTFOUND, "lineage %u has no file", lineage)
                   : search(fs, list, from, to, held, &found, err);
    if (rc == 0)
        *ret = list[found];
    free(list);
    return rc;
}

int seek_list(struct feed_files *fs, unsigned lineage, const char *file, struct gtid_set *ret, struct lt_err *err)
{
    struct feed_file *f = NULL;
    gtid_set_init(ret);
    int rc = files_get(fs, lineage, file, FILES_MUST, &f, err);
    if (rc != 0)
        return rc;
    rc = first_list(f, ret, err);
    files_put(f);
    return rc;
}

static struct walk_after *of_domain(struct walk_after *after, size_t count, uint32_t domain)
{
    for (size_t i = 0; i < count; i++) {
        if (after[i].gtid.domain_id == domain)
            return &after[i];
    }
    return NULL;
}

/* As MariaDB's contains_all_slave_gtid: nothing that is wanted lies before a file that begins with this list. */
static bool list_goes_back(const struct gtid_set *list, struct walk_after *after, size_t count)
{
    for (size_t i = 0; i < list->state_count; i++) {
        const struct gtid_state *st = &list->states[i];
        const struct walk_after *a = of_domain(after, count, st->domain_id);
        if (a == NULL)
            return false;
        if (a->gtid.server_id == st->server_id &&
            (a->gtid.seq < st->seq || (a->gtid.seq == st->seq && !st->last_in_domain)))
            return false;
    }
    return true;
}

static int goes_back(struct feed_files *fs, const struct store_segment_info *info, struct walk_after *after,
                     size_t count, bool *ret, struct lt_err *err)
{
    struct gtid_set list;
    *ret = false;
    int rc = seek_list(fs, info->lineage, info->file, &list, err);
    if (rc == 0)
        *ret = list_goes_back(&list, after, count);
    gtid_set_fini(&list);
    return rc == LT_ENOTFOUND ? 0 : rc;
}

static int mark_reached(struct feed_files *fs, const struct store_segment_info *info, struct walk_after *after,
                        size_t count, struct lt_err *err)
{
    struct gtid_set list;
    int rc = seek_list(fs, info->lineage, info->file, &list, err);
    for (size_t i = 0; rc == 0 && i < list.state_count; i++) {
        const struct gtid_state *st = &list.states[i];
        struct walk_after *a = of_domain(after, count, st->domain_id);
        if (a != NULL && a->gtid.server_id == st->server_id && a->gtid.seq == st->seq)
            a->reached = true;
    }
    gtid_set_fini(&list);
    return rc;
}

/* The last of list[from, to), all of one lineage, that goes back so far. LT_ENOTFOUND: none does. */
static int search_after(struct feed_files *fs, const struct store_segment_info *list, size_t from, size_t to,
                        struct walk_after *after, size_t count, size_t *ret, struct lt_err *err)
{
    size_t low = from;
    size_t high = to;
    while (low < high) {
        bool back;
        size_t mid = low + (high - low) / 2;
        int rc = goes_back(fs, &list[mid], after, count, &back, err);
        if (rc != 0)
            return rc;
        if (back)
            low = mid + 1;
        else
            high = mid;
    }
    *ret = low - 1;
    return low > from ? 0 : LT_ENOTFOUND;
}

int seek_after(struct feed_files *fs, struct walk_after *after, size_t count, struct store_segment_info *ret,
               struct lt_err *err)
{
    struct store_segment_info *list = NULL;
    size_t to = 0;
    size_t found = 0;
    int rc = store_list(fs->store, &list, &to);
    if (rc != 0)
        return lt_err_set(err, rc, "list of files");
    rc = LT_ENOTFOUND;
    while (rc == LT_ENOTFOUND && to > 0) {
        size_t from = to - 1;
        while (from > 0 && list[from - 1].lineage == list[to - 1].lineage)
            from--;
        rc = search_after(fs, list, from, to, after, count, &found, err);
        to = from;
    }
    if (rc == 0) {
        *ret = list[found];
        rc = mark_reached(fs, ret, after, count, err);
    }
    free(list);
    return rc == LT_ENOTFOUND ? lt_err_set(err, rc, "no file goes back so far") : rc;
}

enum gtid_kind seek_flavor(struct feed_files *fs, struct feed_file *newest)
{
    const uint8_t *fde;
    size_t len;
    struct event_fde parsed;
    struct lt_err err;
    struct store_segment_info oldest;
    struct feed_file *f = NULL;
    enum gtid_kind kind = GTID_NONE;
    if (newest != NULL && file_fde(newest, &fde, &len, &parsed, &err) == 0)
        return parsed.is_mariadb ? GTID_MARIADB : GTID_MYSQL;
    if (store_oldest(fs->store, &oldest) != 0 || files_get(fs, oldest.lineage, oldest.file, FILES_MUST, &f, &err) != 0)
        return GTID_NONE;
    if (file_fde(f, &fde, &len, &parsed, &err) == 0)
        kind = parsed.is_mariadb ? GTID_MARIADB : GTID_MYSQL;
    files_put(f);
    return kind;
}
