/* Single GTIDs, uuids, and what a set does whatever its flavour is. */
#include "binlog/gtid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/gtid_impl.h"

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

int gtid_mysql_take_uuid(const char **text, uint8_t ret_uuid[GTID_UUID_LEN])
{
    uint8_t uuid[GTID_UUID_LEN];
    const char *p = *text;
    for (size_t i = 0; i < GTID_UUID_LEN; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return LT_EPROTO;
        int high = hex_value(p[0]);
        int low = high < 0 ? -1 : hex_value(p[1]);
        if (low < 0)
            return LT_EPROTO;
        uuid[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    memcpy(ret_uuid, uuid, GTID_UUID_LEN);
    *text = p;
    return 0;
}

int uuid_parse(const char *text, uint8_t ret_uuid[GTID_UUID_LEN])
{
    uint8_t uuid[GTID_UUID_LEN];
    if (gtid_mysql_take_uuid(&text, uuid) != 0 || *text != '\0')
        return LT_EPROTO;
    memcpy(ret_uuid, uuid, GTID_UUID_LEN);
    return 0;
}

void uuid_format(const uint8_t uuid[GTID_UUID_LEN], char buf[GTID_UUID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *p = buf;
    for (size_t i = 0; i < GTID_UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[uuid[i] >> 4];
        *p++ = digits[uuid[i] & 15];
    }
    *p = '\0';
}

const char *gtid_skip_space(const char *text)
{
    for (;;) {
        if (*text == ' ' || (*text >= '\t' && *text <= '\r'))
            text++;
        else if (*text == '\\' && (text[1] == 'n' || text[1] == 'r' || text[1] == 't'))
            text += 2;
        else
            return text;
    }
}

char gtid_open_quote(const char **text)
{
    *text = gtid_skip_space(*text);
    char quote = **text;
    if (quote != '\'' && quote != '"' && quote != '`')
        return '\0';
    ++*text;
    return quote;
}

bool gtid_at_end(const char *text, char quote)
{
    text = gtid_skip_space(text);
    if (quote != '\0' && *text++ != quote)
        return false;
    text = gtid_skip_space(text);
    if (*text == ';')
        text = gtid_skip_space(text + 1);
    return *text == '\0';
}

int gtid_take_number(const char **text, uint64_t max, uint64_t *ret)
{
    const char *p = *text;
    uint64_t n = 0;
    if (*p < '0' || *p > '9')
        return LT_EPROTO;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (n > max / 10 || n * 10 > max - digit)
            return LT_EPROTO;
        n = n * 10 + digit;
    }
    *text = p;
    *ret = n;
    return 0;
}

char *gtid_format(const struct gtid *g, char *buf, size_t cap)
{
    if (g->kind == GTID_MYSQL) {
        char uuid[GTID_UUID_TEXT_LEN + 1];
        uuid_format(g->uuid, uuid);
        (void)snprintf(buf, cap, "%s%s%s:%llu", uuid, g->tag[0] ? ":" : "", g->tag, (unsigned long long)g->seq);
    } else if (g->kind == GTID_MARIADB) {
        (void)snprintf(buf, cap, "%u-%u-%llu", g->domain_id, g->server_id, (unsigned long long)g->seq);
    } else if (cap != 0) {
        buf[0] = '\0';
    }
    return buf;
}

static int take_mysql(const char **text, struct gtid *g)
{
    int rc = gtid_mysql_take_uuid(text, g->uuid);
    if (rc != 0 || *(*text)++ != ':')
        return LT_EPROTO;
    if (gtid_tag_char_ok(**text, true) || (**text >= 'A' && **text <= 'Z')) {
        rc = gtid_mysql_take_tag(text, g->tag);
        if (rc != 0 || *(*text)++ != ':')
            return LT_EPROTO;
    }
    rc = gtid_take_number(text, GTID_GNO_MAX, &g->seq);
    return rc == 0 && g->seq == 0 ? LT_EPROTO : rc;
}

int gtid_parse(enum gtid_kind kind, const char *text, struct gtid *ret)
{
    struct gtid g = {.kind = kind};
    if (kind == GTID_NONE)
        return LT_EINVAL;
    text = gtid_skip_space(text);
    int rc = kind == GTID_MYSQL ? take_mysql(&text, &g) : gtid_mariadb_take(&text, &g);
    if (rc != 0)
        return rc;
    if (*gtid_skip_space(text) != '\0')
        return LT_EPROTO;
    *ret = g;
    return 0;
}

size_t gtid_search(const void *array, size_t count, size_t size, gtid_compare_fn *compare, const void *key,
                   bool *ret_found)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int d = compare((const uint8_t *)array + mid * size, key);
        if (d == 0) {
            *ret_found = true;
            return mid;
        }
        if (d < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = false;
    return low;
}

int gtid_grow(void **array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return 0;
    size_t want = *cap < 4 ? 4 : *cap * 2;
    void *bigger = reallocarray(*array, want, size);
    if (bigger == NULL)
        return LT_ENOMEM;
    *array = bigger;
    *cap = want;
    return 0;
}

void gtid_text_add(struct gtid_text *t, const char *fmt, ...)
{
    char piece[GTID_TEXT_MAX * 2];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof piece || t->failed) {
        t->failed = true;
        return;
    }
    size_t len = (size_t)n;
    if (t->cap - t->len < len + 1) {
        size_t want = (t->len + len + 1) * 2;
        char *bigger = realloc(t->data, want);
        if (bigger == NULL) {
            t->failed = true;
            return;
        }
        t->data = bigger;
        t->cap = want;
    }
    memcpy(t->data + t->len, piece, len + 1);
    t->len += len;
}

void gtid_set_init(struct gtid_set *set)
{
    *set = (struct gtid_set){0};
}

void gtid_set_fini(struct gtid_set *set)
{
    for (size_t i = 0; i < set->source_cap; i++)
        free(set->sources[i].intervals);
    free(set->sources);
    free(set->states);
    gtid_set_init(set);
}

size_t gtid_set_bytes(const struct gtid_set *set)
{
    size_t n = set->source_cap * sizeof *set->sources + set->state_cap * sizeof *set->states;
    for (size_t i = 0; i < set->source_cap; i++)
        n += set->sources[i].cap * sizeof *set->sources[i].intervals;
    return n;
}

void gtid_set_clear(struct gtid_set *set)
{
    set->kind = GTID_NONE;
    set->source_count = 0;
    set->state_count = 0;
    set->last_used = 0;
}

bool gtid_set_is_empty(const struct gtid_set *set)
{
    return set->source_count == 0 && set->state_count == 0;
}

int gtid_set_copy(struct gtid_set *dst, const struct gtid_set *src)
{
    struct gtid_set copy = {.kind = src->kind};
    int rc = 0;
    if (dst == src)
        return 0;
    if (src->kind == GTID_MYSQL)
        rc = gtid_mysql_copy(&copy, src);
    else if (src->kind == GTID_MARIADB)
        rc = gtid_mariadb_copy(&copy, src);
    if (rc != 0) {
        gtid_set_fini(&copy);
        return rc;
    }
    gtid_set_fini(dst);
    *dst = copy;
    return 0;
}

/* An empty set is of either flavour. */
static bool flavours_differ(const struct gtid_set *a, const struct gtid_set *b)
{
    return !gtid_set_is_empty(a) && !gtid_set_is_empty(b) && a->kind != b->kind;
}

int gtid_set_add(struct gtid_set *set, const struct gtid *g)
{
    if (g->kind == GTID_NONE || (!gtid_set_is_empty(set) && set->kind != g->kind))
        return LT_EINVAL;
    int rc = g->kind == GTID_MYSQL ? gtid_mysql_add(set, g) : gtid_mariadb_add(set, g);
    if (rc == 0)
        set->kind = g->kind;
    return rc;
}

int gtid_set_union(struct gtid_set *set, const struct gtid_set *other)
{
    struct gtid_set result = {0};
    if (flavours_differ(set, other))
        return LT_EINVAL;
    if (set == other || gtid_set_is_empty(other))
        return 0;
    int rc =
        other->kind == GTID_MYSQL ? gtid_mysql_union(set, other, &result) : gtid_mariadb_union(set, other, &result);
    if (rc != 0) {
        gtid_set_fini(&result);
        return rc;
    }
    result.kind = other->kind;
    gtid_set_fini(set);
    *set = result;
    return 0;
}

int gtid_set_subtract(struct gtid_set *set, const struct gtid_set *other)
{
    struct gtid_set result = {.kind = set->kind};
    if (flavours_differ(set, other))
        return LT_EINVAL;
    if (gtid_set_is_empty(set) || gtid_set_is_empty(other))
        return 0;
    int rc =
        set->kind == GTID_MYSQL ? gtid_mysql_subtract(set, other, &result) : gtid_mariadb_subtract(set, other, &result);
    if (rc != 0) {
        gtid_set_fini(&result);
        return rc;
    }
    gtid_set_fini(set);
    *set = result;
    return 0;
}

bool gtid_set_contains(const struct gtid_set *set, const struct gtid *g)
{
    if (g->kind == GTID_NONE || set->kind != g->kind)
        return false;
    return g->kind == GTID_MYSQL ? gtid_mysql_contains(set, g) : gtid_mariadb_contains(set, g);
}

bool gtid_set_contains_set(const struct gtid_set *set, const struct gtid_set *subset)
{
    if (gtid_set_is_empty(subset))
        return true;
    if (gtid_set_is_empty(set) || set->kind != subset->kind)
        return false;
    return set->kind == GTID_MYSQL ? gtid_mysql_contains_set(set, subset) : gtid_mariadb_contains_set(set, subset);
}

bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    if (gtid_set_is_empty(a) || gtid_set_is_empty(b))
        return gtid_set_is_empty(a) && gtid_set_is_empty(b);
    if (a->kind != b->kind)
        return false;
    return a->kind == GTID_MYSQL ? gtid_mysql_equal(a, b) : gtid_mariadb_equal(a, b);
}

uint64_t gtid_set_count(const struct gtid_set *set)
{
    return set->kind == GTID_MYSQL ? gtid_mysql_count(set) : set->state_count;
}

int gtid_set_parse(enum gtid_kind kind, const char *text, struct gtid_set *ret)
{
    struct gtid_set set = {.kind = kind};
    if (kind == GTID_NONE)
        return LT_EINVAL;
    int rc = kind == GTID_MYSQL ? gtid_mysql_parse(text, &set) : gtid_mariadb_parse(text, &set);
    if (rc != 0) {
        gtid_set_fini(&set);
        return rc;
    }
    gtid_set_fini(ret);
    *ret = set;
    return 0;
}

char *gtid_set_format(const struct gtid_set *set)
{
    struct gtid_text t = {0};
    gtid_text_add(&t, "%s", "");
    if (set->kind == GTID_MYSQL)
        gtid_mysql_format(set, &t);
    else
        gtid_mariadb_format(set, &t);
    if (!t.failed)
        return t.data;
    free(t.data);
    return NULL;
}
