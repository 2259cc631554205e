/* - The list of files is judged first, so that the answer says what is the matter. */
#include "feed/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct judgement {
    const struct store_segment_info *list;
    size_t n;
    const struct places_wanted *at;
    struct places_found *found;
};

static enum places_verdict say(const struct judgement *j, enum places_verdict verdict, const char *fmt, ...)
    LT_PRINTF(3, 4);

static enum places_verdict say(const struct judgement *j, enum places_verdict verdict, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(j->found->why, sizeof j->found->why, fmt, ap);
    va_end(ap);
    return verdict;
}

/* Why there is no such file: a sentence. */
static const char *why_missing(const struct judgement *j, unsigned lineage, enum places_verdict *ret)
{
    uint64_t number = binlog_name_number(j->at->file);
    size_t from = 0;
    *ret = PLACES_NOT_FOUND;
    if (lineage < j->list[0].lineage) {
        *ret = PLACES_PURGED;
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
        *ret = PLACES_PURGED;
        return "that file is older than what is kept";
    }
    if (number > binlog_name_number(j->list[to - 1].file) && to == j->n) {
        *ret = PLACES_AHEAD;
        return "that file is newer than what is stored";
    }
    return "no such file in that lineage";
}

static const struct store_segment_info *find_file(const struct judgement *j)
{
    for (size_t i = j->n; i > 0; i--) {
        const struct store_segment_info *info = &j->list[i - 1];
        if ((j->at->lineage == 0 || info->lineage == j->at->lineage) && strcmp(info->file, j->at->file) == 0)
            return info;
    }
    return NULL;
}

static enum places_verdict judge_offset(const struct judgement *j, const struct store_segment_info *info)
{
    const struct places_wanted *at = j->at;
    bool newest = info == &j->list[j->n - 1];
    if (at->source_id[0] != '\0' && strcmp(at->source_id, info->source_id) != 0)
        return say(j, PLACES_OTHER_SOURCE, "lineage %u is of source %s, not of %.63s", info->lineage, info->source_id,
                   at->source_id);
    if (at->offset < BINLOG_MAGIC_LEN)
        return say(j, PLACES_BAD, "offset %llu: events begin at offset 4", (unsigned long long)at->offset);
    if (at->offset > info->bytes)
        return say(j, newest ? PLACES_AHEAD : PLACES_BAD, "offset %llu of %s is past its %s, %llu",
                   (unsigned long long)at->offset, info->file, newest ? "durable end" : "end",
                   (unsigned long long)info->bytes);
    return PLACES_OK;
}

static enum places_verdict judge(const struct judgement *j)
{
    enum places_verdict verdict = PLACES_NOT_FOUND;
    const struct store_segment_info *info = find_file(j);
    if (info == NULL) {
        unsigned lineage = j->at->lineage != 0 ? j->at->lineage : j->list[j->n - 1].lineage;
        const char *why = why_missing(j, lineage, &verdict);
        return say(j, verdict, "%s of lineage %u: %s", j->at->file, lineage, why);
    }
    j->found->info = *info;
    return judge_offset(j, info);
}

enum places_verdict places_judge(struct store *store, const struct places_wanted *at, struct places_found *ret)
{
    struct judgement j = {.at = at, .found = ret};
    struct store_segment_info *list = NULL;
    if (!binlog_name_ok(at->file))
        return say(&j, PLACES_BAD, "the position has no binlog file name");
    if (store_list(store, &list, &j.n) != 0)
        return say(&j, PLACES_NO_MEMORY, "out of memory");
    j.list = list;
    enum places_verdict verdict = judge(&j);
    free(list);
    return verdict;
}

/* A look at the file's size is enough: the consumer had the place from us. */
static enum places_verdict check_offset(const struct judgement *j, const struct feed_file *f)
{
    const struct places_wanted *at = j->at;
    bool sealed;
    uint64_t end = file_end(f, &sealed);
    if (at->source_id[0] != '\0' && strcmp(at->source_id, f->info.source_id) != 0)
        return say(j, PLACES_OTHER_SOURCE, "lineage %u is of source %s", at->lineage, f->info.source_id);
    if (at->offset < BINLOG_MAGIC_LEN || (sealed && at->offset > end))
        return say(j, PLACES_BAD, "offset %llu is not in %s", (unsigned long long)at->offset, f->info.file);
    if (at->offset > end)
        return say(j, PLACES_AHEAD, "offset %llu of %s is past the durable end", (unsigned long long)at->offset,
                   f->info.file);
    return PLACES_OK;
}

enum places_verdict places_check(struct feed_files *fs, const struct places_wanted *at, struct places_found *ret)
{
    struct judgement j = {.at = at, .found = ret};
    struct feed_file *f = NULL;
    struct lt_err err;
    if (files_get(fs, at->lineage, at->file, FILES_MUST, &f, &err) != 0)
        return say(&j, PLACES_NOT_FOUND, "%s", err.text);
    ret->info = f->info;
    enum places_verdict verdict = check_offset(&j, f);
    files_put(f);
    return verdict;
}
