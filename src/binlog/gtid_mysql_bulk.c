/*
 * MySQL sets made of many parts at once: parts are appended as they come (gtid_mysql_collect), and brought into order afterwards
 * (gtid_mysql_settle): n log n whatever the order is, linear for the sorted ones that servers write. Put in one by one, each part would move
 * what lies behind it: a hundred thousand in reverse order took seconds.
 */
#include <stdlib.h>
#include <string.h>

#include "binlog/gtid_impl.h"

int gtid_mysql_new_source(struct gtid_set *set, const uint8_t *uuid, const char *tag)
{
    size_t old = set->source_cap;
    void *array = set->sources;
    int rc = gtid_grow(&array, &set->source_cap, set->source_count, sizeof *set->sources);
    set->sources = array;
    if (set->source_cap > old)
        memset(set->sources + old, 0, (set->source_cap - old) * sizeof *set->sources);
    if (rc != 0)
        return rc;
    struct gtid_source *s = &set->sources[set->source_count++];
    s->count = 0;
    memcpy(s->uuid, uuid, GTID_UUID_LEN);
    memset(s->tag, 0, sizeof s->tag);
    memcpy(s->tag, tag, strnlen(tag, GTID_TAG_MAX));
    return 0;
}

/* Behind the last interval, or made part of it where they meet. */
static int append_interval(struct gtid_source *s, struct gtid_interval iv)
{
    struct gtid_interval *tail = s->count > 0 ? &s->intervals[s->count - 1] : NULL;
    if (tail != NULL && iv.first >= tail->first && iv.first <= tail->last + 1) {
        tail->last = iv.last > tail->last ? iv.last : tail->last;
        return 0;
    }
    void *array = s->intervals;
    int rc = gtid_grow(&array, &s->cap, s->count, sizeof *s->intervals);
    s->intervals = array;
    if (rc == 0)
        s->intervals[s->count++] = iv;
    return rc;
}

int gtid_mysql_collect(struct gtid_set *set, const uint8_t *uuid, const char *tag, struct gtid_interval iv)
{
    if (iv.first == 0 || iv.last < iv.first || iv.last > GTID_GNO_MAX)
        return LT_EINVAL;
    if (set->source_count == 0 || gtid_source_compare(&set->sources[set->source_count - 1], uuid, tag) != 0) {
        int rc = gtid_mysql_new_source(set, uuid, tag);
        if (rc != 0)
            return rc;
    }
    return append_interval(&set->sources[set->source_count - 1], iv);
}

static int by_name(const void *a, const void *b)
{
    const struct gtid_source *y = b;
    return gtid_source_compare(a, y->uuid, y->tag);
}

static int by_first(const void *a, const void *b)
{
    const struct gtid_interval *x = a;
    const struct gtid_interval *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int move_intervals(struct gtid_source *to, struct gtid_source *from)
{
    for (size_t k = 0; k < from->count; k++) {
        int rc = append_interval(to, from->intervals[k]);
        if (rc != 0)
            return rc;
    }
    free(from->intervals);
    from->intervals = NULL;
    from->count = from->cap = 0;
    return 0;
}

/* Sorted sources: those of one name become one. The empty ones go behind the others, as spare. */
static int join_sources(struct gtid_set *set)
{
    size_t kept = 0;
    for (size_t i = 1; i < set->source_count; i++) {
        struct gtid_source *to = &set->sources[kept];
        struct gtid_source *from = &set->sources[i];
        if (by_name(to, from) == 0) {
            int rc = move_intervals(to, from);
            if (rc != 0)
                return rc;
        } else if (++kept != i) {
            struct gtid_source spare = set->sources[kept];
            set->sources[kept] = *from;
            *from = spare;
        }
    }
    if (set->source_count > 0)
        set->source_count = kept + 1;
    return 0;
}

static void settle_intervals(struct gtid_source *s)
{
    bool sorted = true;
    for (size_t k = 1; k < s->count && sorted; k++)
        sorted = s->intervals[k].first > s->intervals[k - 1].last; /* append_interval joined those that touch */
    if (sorted)
        return;
    qsort(s->intervals, s->count, sizeof *s->intervals, by_first);
    size_t n = s->count;
    s->count = 0;
    for (size_t k = 0; k < n; k++) {
        struct gtid_interval iv = s->intervals[k]; /* read before its place can be written */
        struct gtid_interval *tail = s->count > 0 ? &s->intervals[s->count - 1] : NULL;
        if (tail == NULL || iv.first > tail->last + 1)
            s->intervals[s->count++] = iv;
        else if (iv.last > tail->last)
            tail->last = iv.last;
    }
}

int gtid_mysql_settle(struct gtid_set *set)
{
    bool sorted = true;
    for (size_t i = 1; i < set->source_count && sorted; i++)
        sorted = by_name(&set->sources[i - 1], &set->sources[i]) < 0;
    if (!sorted) {
        qsort(set->sources, set->source_count, sizeof *set->sources, by_name);
        int rc = join_sources(set);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < set->source_count; i++)
        settle_intervals(&set->sources[i]);
    return 0;
}

/* The intervals of two sources of one name, in order. */
static int merge_intervals(const struct gtid_source *a, const struct gtid_source *b, struct gtid_set *ret)
{
    size_t i = 0;
    size_t k = 0;
    while (i < a->count || k < b->count) {
        bool from_a = k == b->count || (i < a->count && a->intervals[i].first <= b->intervals[k].first);
        int rc = gtid_mysql_collect(ret, a->uuid, a->tag, from_a ? a->intervals[i++] : b->intervals[k++]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int gtid_mysql_union(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *ret)
{
    static const struct gtid_source nothing = {.count = 0};
    size_t i = 0;
    size_t k = 0;
    while (i < a->source_count || k < b->source_count) {
        int d = i == a->source_count ? 1 : k == b->source_count ? -1 : by_name(&a->sources[i], &b->sources[k]);
        const struct gtid_source *x = d <= 0 ? &a->sources[i++] : &b->sources[k++];
        const struct gtid_source *y = d == 0 ? &b->sources[k++] : &nothing;
        int rc = merge_intervals(x, y, ret);
        if (rc != 0)
            return rc;
    }
    return 0;
}
