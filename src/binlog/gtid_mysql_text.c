/*
 * Text of MySQL sets: uuid[:tag]:n[-m][:n[-m]...][:tag:n...],... Between the parts blanks and newlines may stand, and empty elements
 * between commas count for nothing, as servers have it. A tag is upper case only in what people type. What may stand around a set and
 * for a blank: gtid_impl.h.
 */
#include <string.h>

#include "binlog/gtid_impl.h"

bool gtid_tag_char_ok(char ch, bool first)
{
    return ch == '_' || (ch >= 'a' && ch <= 'z') || (!first && ch >= '0' && ch <= '9');
}

static char lower(char ch)
{
    if (ch < 'A' || ch > 'Z')
        return ch;
    return (char)(ch - 'A' + 'a');
}

int gtid_mysql_take_tag(const char **text, char ret_tag[GTID_TAG_MAX + 1])
{
    char tag[GTID_TAG_MAX + 1] = "";
    size_t n = 0;
    const char *p = *text;
    for (; gtid_tag_char_ok(lower(*p), n == 0); p++) {
        if (n == GTID_TAG_MAX)
            return LT_EPROTO;
        tag[n++] = lower(*p);
    }
    if (n == 0)
        return LT_EPROTO;
    memcpy(ret_tag, tag, sizeof tag);
    *text = p;
    return 0;
}

static int take_interval(const char **text, struct gtid_interval *ret)
{
    struct gtid_interval iv;
    int rc = gtid_take_number(text, GTID_GNO_MAX, &iv.first);
    if (rc != 0)
        return rc;
    iv.last = iv.first;
    const char *p = gtid_skip_space(*text);
    if (*p == '-') {
        p = gtid_skip_space(p + 1);
        rc = gtid_take_number(&p, GTID_GNO_MAX, &iv.last);
        if (rc != 0)
            return rc;
        *text = p;
    }
    if (iv.first == 0 || iv.last < iv.first)
        return LT_EPROTO;
    *ret = iv;
    return 0;
}

/* One element between commas. */
static int take_source(const char **text, struct gtid_set *set)
{
    uint8_t uuid[GTID_UUID_LEN];
    char tag[GTID_TAG_MAX + 1] = "";
    bool expect_interval = true;
    int rc = gtid_mysql_take_uuid(text, uuid);
    if (rc != 0)
        return rc;
    for (;;) {
        const char *p = gtid_skip_space(*text);
        *text = p;
        if (*p != ':')
            return expect_interval ? LT_EPROTO : 0;
        p = gtid_skip_space(p + 1);
        if (gtid_tag_char_ok(lower(*p), true)) {
            rc = gtid_mysql_take_tag(&p, tag);
            expect_interval = true;
        } else {
            struct gtid_interval iv;
            rc = take_interval(&p, &iv);
            if (rc == 0)
                rc = gtid_mysql_collect(set, uuid, tag, iv);
            expect_interval = false;
        }
        if (rc != 0)
            return rc;
        *text = p;
    }
}

int gtid_mysql_parse(const char *text, struct gtid_set *set)
{
    char quote = gtid_open_quote(&text);
    for (;;) {
        text = gtid_skip_space(text);
        if (gtid_at_end(text, quote))
            return gtid_mysql_settle(set);
        if (*text != ',') {
            int rc = take_source(&text, set);
            if (rc != 0)
                return rc;
            if (*text != ',' && !gtid_at_end(text, quote))
                return LT_EPROTO;
        }
        if (*text == ',')
            text++;
    }
}

void gtid_mysql_format(const struct gtid_set *set, struct gtid_text *t)
{
    for (size_t i = 0; i < set->source_count; i++) {
        const struct gtid_source *s = &set->sources[i];
        char uuid[GTID_UUID_TEXT_LEN + 1];
        uuid_format(s->uuid, uuid);
        gtid_text_add(t, "%s%s%s%s", i ? "," : "", uuid, s->tag[0] ? ":" : "", s->tag);
        for (size_t k = 0; k < s->count; k++) {
            const struct gtid_interval *iv = &s->intervals[k];
            gtid_text_add(t, ":%llu", (unsigned long long)iv->first);
            if (iv->last != iv->first)
                gtid_text_add(t, "-%llu", (unsigned long long)iv->last);
        }
    }
}
