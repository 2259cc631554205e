/*
 * Where a dump begins and ends for a MariaDB replica that says it in GTIDs, as its servers judge it: @slave_connect_state has one GTID for each domain,
 * @slave_until_gtid (START SLAVE UNTIL) too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed/seek.h"
#include "replicas/internal.h"

#define ER_BAD_LIST 1941
#define ER_TWICE    1943

#define CONFLICT_MAX (2 * GTID_TEXT_MAX + 64)

struct place_list {
    struct walk_after *list; /* on the heap */
    size_t count;
};

/* LT_EINVAL: an answer is due. */
static int parse_one(struct place_list *l, const char *text, size_t len, char conflict[CONFLICT_MAX])
{
    char one[GTID_TEXT_MAX];
    char other[GTID_TEXT_MAX];
    struct gtid *g = &l->list[l->count].gtid;
    if (len == 0 || len >= sizeof one || text[len - 1] < '0' || text[len - 1] > '9')
        return LT_EINVAL;
    memcpy(one, text, len);
    one[len] = '\0';
    if (gtid_parse(GTID_MARIADB, one, g) != 0)
        return LT_EINVAL;
    for (size_t i = 0; i < l->count; i++) {
        if (l->list[i].gtid.domain_id != g->domain_id)
            continue;
        (void)gtid_format(&l->list[i].gtid, other, sizeof other);
        (void)gtid_format(g, one, sizeof one);
        (void)snprintf(conflict, CONFLICT_MAX, "GTID %s and %s conflict (duplicate domain id %u)", one, other,
                       g->domain_id);
        return LT_EINVAL;
    }
    l->count++;
    return 0;
}

/* "D-S-N,D-S-N": one for each domain. */
static int parse_list(const char *text, struct place_list *ret, char conflict[CONFLICT_MAX])
{
    size_t cap = 1;
    int rc = 0;
    for (const char *p = text; *p != '\0'; p++)
        cap += *p == ',';
    *ret = (struct place_list){.list = calloc(cap, sizeof *ret->list)};
    conflict[0] = '\0';
    if (ret->list == NULL)
        return LT_ENOMEM;
    for (const char *p = text; rc == 0 && *text != '\0';) {
        size_t len = strcspn(p, ",");
        rc = parse_one(ret, p, len, conflict);
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
    if (rc != 0)
        free(ret->list);
    return rc;
}

/* False: an answer was given. */
static bool take_list(struct client *s, const char *text, struct place_list *ret)
{
    char conflict[CONFLICT_MAX];
    int rc = parse_list(text, ret, conflict);
    if (rc == 0)
        return true;
    bool said = rc == LT_EINVAL && packets_err(s, conflict[0] != '\0' ? ER_TWICE : ER_BAD_LIST, "HY000", "%s",
                                               conflict[0] != '\0' ? conflict : "Could not parse GTID list");
    if (said)
        client_set_state(s, CLIENT_CLOSING);
    else
        client_close(s, "out of memory");
    return false;
}

static bool is_on(const struct client *s, const char *var)
{
    const char *value = user_vars_get(&s->vars, var, strlen(var));
    return value != NULL && strtol(value, NULL, 10) != 0;
}

/* START SLAVE UNTIL a place that is held, or in no domain that is named: the end is before the beginning, which need not be there then. */
static bool ends_before(const struct gtid_set *held, const struct place_list *until, const struct gtid *g)
{
    uint64_t last;
    for (size_t i = 0; i < until->count; i++) {
        struct walk_after *u = &until->list[i];
        if (u->gtid.domain_id != g->domain_id || u->reached)
            continue;
        u->reached = after_look_up(held, &u->gtid, &last) == AFTER_HELD;
        return u->reached;
    }
    return true;
}

static bool judge_one(struct client *s, const struct gtid_set *held, struct walk_after *a,
                      const struct place_list *until)
{
    char text[AFTER_TEXT_MAX];
    uint64_t last;
    enum after_found found = after_look_up(held, &a->gtid, &last);
    a->unseen = found == AFTER_NO_DOMAIN;
    if (found == AFTER_HELD || found == AFTER_NO_DOMAIN)
        return true;
    if (is_on(s, "slave_gtid_ignore_duplicates") && last < a->gtid.seq)
        return true; /* it had it from elsewhere */
    if (until != NULL && ends_before(held, until, &a->gtid))
        return true;
    after_refusal(found, &a->gtid, text);
    return stream_fail(s, "%s", text), false;
}

/* False: refused. */
static bool judge_state(struct client *s, const struct place_list *l, const struct place_list *until)
{
    struct store_view v;
    bool ok = true;
    if (store_view_get(s->r->store, &v) != 0)
        return stream_fail(s, "Out of memory"), false;
    for (size_t i = 0; ok && i < l->count; i++)
        ok = judge_one(s, &v.gtid_held, &l->list[i], until);
    store_view_fini(&v);
    return ok;
}

/* Does it begin inside of what the first file has? */
static bool begins_inside(const struct place_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (!l->list[i].reached && !l->list[i].unseen)
            return true;
    }
    return false;
}

static void open_file(struct client *s, const struct store_segment_info *info)
{
    struct lt_err err = {0};
    if (feed_open(&s->st.feed, info->lineage, info->file, BINLOG_MAGIC_LEN, &err) != 0) {
        (void)stream_fail(s, "%s", err.text);
        return;
    }
    dump_from_here(s);
}

/* Takes both lists. */
static void begin(struct client *s, struct place_list *after, struct place_list *until)
{
    struct store_segment_info info;
    struct lt_err err = {0};
    int rc = seek_after(&s->r->files, after->list, after->count, &info, &err);
    s->st.clear_created = rc == 0 && begins_inside(after);
    int kept = feed_begin_after(&s->st.feed, after->list, after->count);
    if (kept == 0)
        s->st.feed.filter->strict = is_on(s, "slave_gtid_strict_mode");
    if (kept == 0 && until != NULL)
        feed_end_behind(&s->st.feed, until->list, until->count);
    else if (until != NULL)
        free(until->list);
    if (rc == LT_ENOTFOUND)
        (void)stream_fail(s, "Could not find GTID state requested by slave in any binlog files. Probably the slave "
                             "state is too old and required binlog files have been purged.");
    else if (rc != 0 || kept != 0)
        (void)stream_fail(s, "%s", rc != 0 ? err.text : "Out of memory");
    else
        open_file(s, &info);
}

void dump_by_state(struct client *s, const char *state, const char *until_text)
{
    struct place_list after;
    struct place_list until;
    if (!take_list(s, state, &after))
        return;
    if (until_text != NULL && !take_list(s, until_text, &until)) {
        free(after.list);
        return;
    }
    if (judge_state(s, &after, until_text != NULL ? &until : NULL)) {
        begin(s, &after, until_text != NULL ? &until : NULL);
        return;
    }
    free(after.list);
    if (until_text != NULL)
        free(until.list);
}
