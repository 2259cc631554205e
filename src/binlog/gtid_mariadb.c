/*
 * MariaDB: one number per (domain, server), sorted by both. Every domain that is present has exactly one state marked as its last.
 * The state used last is looked at first: nearly every add raises it.
 */
#include <stdlib.h>
#include <string.h>

#include "binlog/gtid_impl.h"

struct state_key {
    uint32_t domain_id;
    uint32_t server_id;
};

static int compare_state(const void *element, const void *key)
{
    const struct gtid_state *s = element;
    const struct state_key *k = key;
    if (s->domain_id != k->domain_id)
        return s->domain_id < k->domain_id ? -1 : 1;
    if (s->server_id != k->server_id)
        return s->server_id < k->server_id ? -1 : 1;
    return 0;
}

/* Index of the state, or of the place where it belongs. */
static size_t search_state(const struct gtid_set *set, uint32_t domain_id, uint32_t server_id, bool *ret_found)
{
    struct state_key key = {.domain_id = domain_id, .server_id = server_id};
    return gtid_search(set->states, set->state_count, sizeof *set->states, compare_state, &key, ret_found);
}

static const struct gtid_state *find_state(const struct gtid_set *set, uint32_t domain_id, uint32_t server_id)
{
    bool found;
    size_t i = search_state(set, domain_id, server_id, &found);
    return found ? &set->states[i] : NULL;
}

/* Index of the state, made (number 0, not last) where there is none. */
static int ensure_state(struct gtid_set *set, uint32_t domain_id, uint32_t server_id, size_t *ret_at)
{
    bool found;
    size_t at = search_state(set, domain_id, server_id, &found);
    if (!found) {
        void *array = set->states;
        int rc = gtid_grow(&array, &set->state_cap, set->state_count, sizeof *set->states);
        set->states = array;
        if (rc != 0)
            return rc;
        memmove(set->states + at + 1, set->states + at, (set->state_count - at) * sizeof *set->states);
        set->states[at] = (struct gtid_state){.domain_id = domain_id, .server_id = server_id};
        set->state_count++;
    }
    *ret_at = at;
    return 0;
}

static void mark_last(struct gtid_set *set, size_t at)
{
    if (set->states[at].last_in_domain)
        return;
    uint32_t domain_id = set->states[at].domain_id;
    bool found;
    for (size_t i = search_state(set, domain_id, 0, &found); i < set->state_count; i++) {
        if (set->states[i].domain_id != domain_id)
            break;
        set->states[i].last_in_domain = false;
    }
    set->states[at].last_in_domain = true;
}

int gtid_mariadb_add(struct gtid_set *set, const struct gtid *g)
{
    size_t at = set->last_used;
    struct state_key key = {.domain_id = g->domain_id, .server_id = g->server_id};
    if (at >= set->state_count || compare_state(&set->states[at], &key) != 0) {
        int rc = ensure_state(set, g->domain_id, g->server_id, &at);
        if (rc != 0)
            return rc;
        set->last_used = at;
    }
    set->states[at].seq = g->seq;
    mark_last(set, at);
    return 0;
}

int gtid_mariadb_copy(struct gtid_set *dst, const struct gtid_set *src)
{
    if (src->state_count == 0)
        return 0;
    dst->states = calloc(src->state_count, sizeof *dst->states);
    if (dst->states == NULL)
        return LT_ENOMEM;
    memcpy(dst->states, src->states, src->state_count * sizeof *dst->states);
    dst->state_cap = src->state_count;
    dst->state_count = src->state_count;
    return 0;
}

/* Of the states marked as last in a domain (both sides of a union, or none after a subtraction) the highest number wins. */
static void settle_last(struct gtid_set *set)
{
    for (size_t i = 0; i < set->state_count;) {
        size_t end = i;
        size_t best = i;
        for (; end < set->state_count && set->states[end].domain_id == set->states[i].domain_id; end++) {
            const struct gtid_state *s = &set->states[end];
            const struct gtid_state *b = &set->states[best];
            if (s->last_in_domain != b->last_in_domain ? s->last_in_domain : s->seq > b->seq)
                best = end;
        }
        for (size_t k = i; k < end; k++)
            set->states[k].last_in_domain = k == best;
        i = end;
    }
}

int gtid_mariadb_union(struct gtid_set *set, const struct gtid_set *other)
{
    for (size_t i = 0; i < other->state_count; i++) {
        const struct gtid_state *from = &other->states[i];
        size_t at;
        int rc = ensure_state(set, from->domain_id, from->server_id, &at);
        if (rc != 0)
            return rc;
        struct gtid_state *to = &set->states[at];
        if (from->seq > to->seq)
            to->seq = from->seq;
        to->last_in_domain = to->last_in_domain || from->last_in_domain;
    }
    settle_last(set);
    return 0;
}

int gtid_mariadb_subtract(const struct gtid_set *set, const struct gtid_set *other, struct gtid_set *ret)
{
    int rc = gtid_mariadb_copy(ret, set);
    if (rc != 0)
        return rc;
    size_t kept = 0;
    for (size_t i = 0; i < set->state_count; i++) {
        const struct gtid_state *s = &set->states[i];
        const struct gtid_state *minus = find_state(other, s->domain_id, s->server_id);
        if (minus == NULL || minus->seq < s->seq)
            ret->states[kept++] = *s;
    }
    ret->state_count = kept;
    settle_last(ret);
    return 0;
}

bool gtid_mariadb_contains(const struct gtid_set *set, const struct gtid *g)
{
    const struct gtid_state *s = find_state(set, g->domain_id, g->server_id);
    return s != NULL && s->seq >= g->seq;
}

bool gtid_mariadb_contains_set(const struct gtid_set *set, const struct gtid_set *subset)
{
    for (size_t i = 0; i < subset->state_count; i++) {
        const struct gtid_state *want = &subset->states[i];
        const struct gtid_state *have = find_state(set, want->domain_id, want->server_id);
        if (have == NULL || have->seq < want->seq)
            return false;
    }
    return true;
}

bool gtid_mariadb_equal(const struct gtid_set *a, const struct gtid_set *b)
{
    if (a->state_count != b->state_count)
        return false;
    for (size_t i = 0; i < a->state_count; i++) {
        const struct gtid_state *x = &a->states[i];
        const struct gtid_state *y = &b->states[i];
        struct state_key key = {.domain_id = y->domain_id, .server_id = y->server_id};
        if (compare_state(x, &key) != 0 || x->seq != y->seq)
            return false;
    }
    return true;
}

int gtid_mariadb_take(const char **text, struct gtid *ret)
{
    const char *p = *text;
    uint64_t domain;
    uint64_t server;
    uint64_t seq;
    if (gtid_take_number(&p, UINT32_MAX, &domain) != 0 || *p++ != '-')
        return LT_EPROTO;
    if (gtid_take_number(&p, UINT32_MAX, &server) != 0 || *p++ != '-')
        return LT_EPROTO;
    if (gtid_take_number(&p, UINT64_MAX, &seq) != 0)
        return LT_EPROTO;
    *ret =
        (struct gtid){.kind = GTID_MARIADB, .domain_id = (uint32_t)domain, .server_id = (uint32_t)server, .seq = seq};
    *text = p;
    return 0;
}

int gtid_mariadb_parse(const char *text, struct gtid_set *set)
{
    text = gtid_skip_space(text);
    if (*text == '\0')
        return 0;
    for (;;) {
        struct gtid g;
        int rc = gtid_mariadb_take(&text, &g);
        if (rc == 0)
            rc = gtid_mariadb_add(set, &g);
        if (rc != 0)
            return rc;
        text = gtid_skip_space(text);
        if (*text == '\0')
            return 0;
        if (*text++ != ',')
            return LT_EPROTO;
        text = gtid_skip_space(text);
    }
}

static void format_state(const struct gtid_state *s, struct gtid_text *t)
{
    gtid_text_add(t, "%s%u-%u-%llu", t->len ? "," : "", s->domain_id, s->server_id, (unsigned long long)s->seq);
}

void gtid_mariadb_format(const struct gtid_set *set, struct gtid_text *t)
{
    const struct gtid_state *last = NULL; /* of the domain being written: it goes behind the others */
    for (size_t i = 0; i < set->state_count; i++) {
        const struct gtid_state *s = &set->states[i];
        if (last != NULL && last->domain_id != s->domain_id) {
            format_state(last, t);
            last = NULL;
        }
        if (s->last_in_domain)
            last = s;
        else
            format_state(s, t);
    }
    if (last != NULL)
        format_state(last, t);
}
