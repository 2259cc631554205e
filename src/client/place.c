#include "client/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

#define NUMBER_MAX 20 /* digits */

static int take_number(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
    char copy[NUMBER_MAX + 1];
    if (len == 0 || len > NUMBER_MAX)
        return LT_EINVAL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return units_parse_u64(copy, max, ret);
}

static int take_file(const char *text, size_t len, struct place *p)
{
    if (len == 0 || len > BINLOG_NAME_MAX)
        return LT_EINVAL;
    memcpy(p->file, text, len);
    p->file[len] = '\0';
    return binlog_name_ok(p->file) ? 0 : LT_EINVAL;
}

/* OFFSET or OFFSET+SKIP */
static int take_offset(const char *text, size_t len, struct place *p)
{
    const char *plus = memchr(text, '+', len);
    if (plus == NULL)
        return take_number(text, len, UINT64_MAX, &p->offset);
    size_t first = (size_t)(plus - text);
    int rc = take_number(text, first, UINT64_MAX, &p->offset);
    if (rc == 0)
        rc = take_number(plus + 1, len - first - 1, UINT64_MAX - p->offset, &p->skip);
    return rc;
}

static bool source_id_ok(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(text);
    return len <= SOURCE_ID_MAX && strspn(text, allowed) == len;
}

/* Cut @SOURCE_ID off the end; *ret_len is what is left. */
static int take_source(const char *text, struct place *p, size_t *ret_len)
{
    const char *at = strrchr(text, '@');
    *ret_len = strlen(text);
    if (at == NULL)
        return 0;
    if (at[1] == '\0' || !source_id_ok(at + 1))
        return LT_EINVAL;
    (void)snprintf(p->source_id, sizeof p->source_id, "%s", at + 1);
    *ret_len = (size_t)(at - text);
    return 0;
}

static const char *last_colon(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != ':')
        len--;
    return len > 0 ? text + len - 1 : NULL;
}

int place_parse(const char *text, struct place *ret)
{
    struct place p = {.offset = BINLOG_MAGIC_LEN};
    uint64_t lineage = 0;
    size_t len = 0;
    const char *slash = strchr(text, '/');
    int rc = 0;
    if (slash != NULL) {
        rc = take_number(text, (size_t)(slash - text), UINT32_MAX, &lineage);
        text = slash + 1;
    }
    if (rc == 0)
        rc = take_source(text, &p, &len);
    if (rc != 0)
        return rc;
    const char *colon = last_colon(text, len);
    size_t name_len = colon != NULL ? (size_t)(colon - text) : len;
    rc = take_file(text, name_len, &p);
    if (rc == 0 && colon != NULL)
        rc = take_offset(colon + 1, len - name_len - 1, &p);
    if (rc != 0 || p.offset < BINLOG_MAGIC_LEN)
        return LT_EINVAL;
    p.lineage = (uint32_t)lineage;
    *ret = p;
    return 0;
}

int place_format(const struct place *p, char *buf, size_t cap)
{
    char skip[NUMBER_MAX + 2] = "";
    if (p->skip > 0)
        (void)snprintf(skip, sizeof skip, "+%" PRIu64, p->skip);
    int n = snprintf(buf, cap, "%" PRIu32 "/%s:%" PRIu64 "%s%s%s", p->lineage, p->file, p->offset, skip,
                     p->source_id[0] != '\0' ? "@" : "", p->source_id);
    return n < 0 || (size_t)n >= cap ? LT_ETOOBIG : 0;
}

int place_from_message(const Logtailer__Tail__Position *m, struct place *ret)
{
    struct place p = {0};
    if (m != NULL) {
        if (!binlog_name_ok(m->file) || strlen(m->file) > BINLOG_NAME_MAX || !source_id_ok(m->source_id) ||
            m->lineage == 0)
            return LT_EPROTO;
        p.lineage = m->lineage;
        p.offset = m->offset;
        (void)snprintf(p.file, sizeof p.file, "%s", m->file);
        (void)snprintf(p.source_id, sizeof p.source_id, "%s", m->source_id);
    }
    *ret = p;
    return 0;
}

Logtailer__Tail__Position place_to_message(struct place *p)
{
    Logtailer__Tail__Position m = LOGTAILER__TAIL__POSITION__INIT;
    m.lineage = p->lineage;
    m.file = p->file;
    m.offset = p->offset;
    m.source_id = p->source_id;
    return m;
}

struct binlogtail_position place_view(const struct place *p)
{
    return (struct binlogtail_position){
        .lineage = p->lineage, .file = p->file, .offset = p->offset, .source_id = p->source_id};
}

int place_compare(const struct place *a, const struct place *b)
{
    if (a->lineage != b->lineage)
        return a->lineage < b->lineage ? -1 : 1;
    uint64_t an = binlog_name_number(a->file);
    uint64_t bn = binlog_name_number(b->file);
    if (an != bn)
        return an < bn ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return 0;
}
