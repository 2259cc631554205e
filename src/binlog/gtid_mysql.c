/*
 * MySQL: sources sorted by uuid and tag, each with sorted intervals that neither overlap nor touch.
 *
 * The next number of the source used last, which is nearly every add, raises the end of its last interval and looks at nothing else.
 * Everything else finds its place by binary search. sources[source_count..source_cap) keep the interval arrays of what was removed, for reuse.
 */
#include <stdlib.h>
#include <string.h>

#include "binlog/gtid_impl.h"

struct source_key {
    const uint8_t *uuid;
    const char *tag;
};

int gtid_source_compare(const struct gtid_source *s, const uint8_t *uuid, const char *tag)
{
    int d = memcmp(s->uuid, uuid, GTID_UUID_LEN);
    return d != 0 ? d : strcmp(s->tag, tag);
}

static int compare_source(const void *element, const void *key)
{
    const struct source_key *k = key;
    return gtid_source_compare(element, k->uuid, k->tag);
}

/* Index of the source, or of the place where it belongs. */
static size_t search_source(const struct gtid_set *set, const uint8_t *uuid, const char *tag, bool *ret_found)
{
    struct source_key key = {.uuid = uuid, .tag = tag};
    return gtid_search(set->sources, set->source_count, sizeof *set->sources, compare_source, &key, ret_found);
}

static const struct gtid_source *find_source(const struct gtid_set *set, const uint8_t *uuid, const char *tag)
{
    bool found;
    size_t i = search_source(set, uuid, tag, &found);
    return found ? &set->sources[i] : NULL;
}

static int insert_source(struct gtid_set *set, size_t at, const uint8_t *uuid, const char *tag)
{
    int rc = gtid_mysql_new_source(set, uuid, tag);
    if (rc != 0)
        return rc;
    size_t behind = set->source_count - 1;
    struct gtid_source fresh = set->sources[behind];
    memmove(set->sources + at + 1, set->sources + at, (behind - at) * sizeof *set->sources);
    set->sources[at] = fresh;
    return 0;
}

/* Index of the first interval whose last is >= value; count when there is none. */
static size_t search_interval(const struct gtid_source *s, uint64_t value)
{
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->intervals[mid].last < value)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int insert_interval(struct gtid_source *s, size_t at, struct gtid_interval iv)
{
    void *array = s->intervals;
    int rc = gtid_grow(&array, &s->cap, s->count, sizeof *s->intervals);
    s->intervals = array;
    if (rc != 0)
        return rc;
    memmove(s->intervals + at + 1, s->intervals + at, (s->count - at) * sizeof *s->intervals);
    s->intervals[at] = iv;
    s->count++;
    return 0;
}

/* first >= 1 and last < UINT64_MAX: no sum here overflows. */
static int add_interval(struct gtid_source *s, struct gtid_interval iv)
{
    size_t from = search_interval(s, iv.first - 1); /* touching counts as overlapping */
    size_t to = from;
    while (to < s->count && s->intervals[to].first <= iv.last + 1)
        to++;
    if (from == to)
        return insert_interval(s, from, iv);
    struct gtid_interval *merged = &s->intervals[from];
    uint64_t end = s->intervals[to - 1].last;
    if (iv.first < merged->first)
        merged->first = iv.first;
    merged->last = iv.last > end ? iv.last : end;
    memmove(s->intervals + from + 1, s->intervals + to, (s->count - to) * sizeof *s->intervals);
    s->count -= to - from - 1;
    return 0;
}

int gtid_mysql_add_interval(struct gtid_set *set, const uint8_t *uuid, const char *tag, struct gtid_interval iv)
{
    if (iv.first == 0 || iv.first > iv.last || iv.last > GTID_GNO_MAX)
        return LT_EINVAL;
    bool found;
    size_t i = search_source(set, uuid, tag, &found);
    if (!found) {
        int rc = insert_source(set, i, uuid, tag);
        if (rc != 0)
            return rc;
    }
    set->last_used = i;
    int rc = add_interval(&set->sources[i], iv);
    if (rc != 0 && !found) {
        /* A source without intervals must not stay: empty sets would differ. */
        struct gtid_source spare = set->sources[i];
        set->source_count--;
        memmove(set->sources + i, set->sources + i + 1, (set->source_count - i) * sizeof *set->sources);
        set->sources[set->source_count] = spare;
    }
    return rc;
}

int gtid_mysql_add(struct gtid_set *set, const struct gtid *g)
{
    if (set->last_used < set->source_count) {
        struct gtid_source *s = &set->sources[set->last_used];
        struct source_key key = {.uuid = g->uuid, .tag = g->tag};
        struct gtid_interval *tail = &s->intervals[s->count - 1];
        if (g->seq == tail->last + 1 && g->seq <= GTID_GNO_MAX && compare_source(s, &key) == 0) {
            tail->last = g->seq;
            return 0;
        }
    }
    return gtid_mysql_add_interval(set, g->uuid, g->tag, (struct gtid_interval){g->seq, g->seq});
}

int gtid_mysql_copy(struct gtid_set *dst, const struct gtid_set *src)
{
    if (src->source_count == 0)
        return 0;
    dst->sources = calloc(src->source_count, sizeof *dst->sources);
    if (dst->sources == NULL)
        return LT_ENOMEM;
    dst->source_cap = src->source_count;
    for (size_t i = 0; i < src->source_count; i++) {
        const struct gtid_source *from = &src->sources[i];
        struct gtid_source *to = &dst->sources[i];
        struct gtid_interval *intervals = calloc(from->count, sizeof *intervals);
        if (intervals == NULL)
            return LT_ENOMEM;
        memcpy(intervals, from->intervals, from->count * sizeof *intervals);
        *to = *from;
        to->intervals = intervals;
        to->cap = from->count;
        dst->source_count++;
    }
    return 0;
}

/* The parts of iv that no interval of `other` from *at on covers; *at moves over those before iv: the next iv lies behind this one. */
static int add_uncovered(struct gtid_set *set, const struct gtid_source *from, struct gtid_interval iv,
                         const struct gtid_source *other, size_t *at)
{
    while (*at < other->count && other->intervals[*at].last < iv.first)
        ++*at;
    for (size_t k = *at; k < other->count; k++) {
        const struct gtid_interval *gone = &other->intervals[k];
        if (gone->first > iv.last)
            break;
        *at = k;
        if (gone->first > iv.first) {
            struct gtid_interval left = {iv.first, gone->first - 1};
            int rc = gtid_mysql_collect(set, from->uuid, from->tag, left);
            if (rc != 0)
                return rc;
        }
        if (gone->last >= iv.last)
            return 0;
        iv.first = gone->last + 1;
    }
    return gtid_mysql_collect(set, from->uuid, from->tag, iv);
}

/* All is found in order: nothing has to be settled. */
int gtid_mysql_subtract(const struct gtid_set *set, const struct gtid_set *other, struct gtid_set *ret)
{
    static const struct gtid_source nothing = {.count = 0};
    for (size_t i = 0; i < set->source_count; i++) {
        const struct gtid_source *s = &set->sources[i];
        const struct gtid_source *minus = find_source(other, s->uuid, s->tag);
        size_t at = 0;
        for (size_t k = 0; k < s->count; k++) {
            int rc = add_uncovered(ret, s, s->intervals[k], minus != NULL ? minus : &nothing, &at);
            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

static bool covers(const struct gtid_source *s, struct gtid_interval iv)
{
    size_t k = search_interval(s, iv.last);
    return k < s->count && s->intervals[k].first <= iv.first;
}

bool gtid_mysql_contains(const struct gtid_set *set, const struct gtid *g)
{
    const struct gtid_source *s = find_source(set, g->uuid, g->tag);
    return s != NULL && covers(s, (struct gtid_interval){g->seq, g->seq});
}

bool gtid_mysql_contains_set(const struct gtid_set *set, const struct gtid_set *subset)
{
    for (size_t i = 0; i < subset->source_count; i++) {
        const struct gtid_source *part = &subset->sources[i];
        const struct gtid_source *s = find_source(set, part->uuid, part->tag);
        if (s == NULL)
            return false;
        for (size_t k = 0; k < part->count; k++) {
            if (!covers(s, part->intervals[k]))
                return false;
        }
    }
    return true;
}

bool gtid_mysql_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    if (a->source_count != b->source_count)
        return false;
    for (size_t i = 0; i < a->source_count; i++) {
        const struct gtid_source *x = &a->sources[i];
        const struct gtid_source *y = &b->sources[i];
        struct source_key key = {.uuid = y->uuid, .tag = y->tag};
        if (compare_source(x, &key) != 0 || x->count != y->count)
            return false;
        if (memcmp(x->intervals, y->intervals, x->count * sizeof *x->intervals) != 0)
            return false;
    }
    return true;
}

uint64_t gtid_mysql_count(const struct gtid_set *set)
{
    uint64_t total = 0;
    for (size_t i = 0; i < set->source_count; i++) {
        const struct gtid_source *s = &set->sources[i];
        for (size_t k = 0; k < s->count; k++) {
            uint64_t n = s->intervals[k].last - s->intervals[k].first + 1;
            total = total > UINT64_MAX - n ? UINT64_MAX : total + n;
        }
    }
    return total;
}
