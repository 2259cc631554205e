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

/* By place in the set; of the same place the one written later comes last. */
static int compare_listed(const void *a, const void *b)
{
    const struct gtid_listed *x = a;
    const struct gtid_listed *y = b;
    struct state_key key = {.domain_id = y->state.domain_id, .server_id = y->state.server_id};
    int d = compare_state(&x->state, &key);
    if (d != 0)
        return d;
    return x->order < y->order ? -1 : x->order > y->order;
}

int gtid_mariadb_assign(struct gtid_set *set, struct gtid_listed *listed, size_t count)
{
    if (count == 0)
        return 0;
    struct gtid_state *states = calloc(count, sizeof *states);
    if (states == NULL)
        return LT_ENOMEM;
    qsort(listed, count, sizeof *listed, compare_listed);
    size_t kept = 0;
    size_t last = 0; /* index in states of the domain's last-written server, and when that was */
    size_t last_order = 0;
    for (size_t i = 0; i < count; i++) {
        const struct gtid_state *s = &listed[i].state;
        bool new_domain = i == 0 || s->domain_id != listed[i - 1].state.domain_id;
        if (new_domain || s->server_id != listed[i - 1].state.server_id)
            kept++;
        states[kept - 1] = (struct gtid_state){.domain_id = s->domain_id, .server_id = s->server_id, .seq = s->seq};
        if (!new_domain && listed[i].order < last_order)
            continue;
        if (!new_domain)
            states[last].last_in_domain = false;
        last = kept - 1;
        last_order = listed[i].order;
        states[last].last_in_domain = true;
    }
    free(set->states);
    set->states = states;
    set->state_cap = count;
    set->state_count = kept;
    return 0;
}

/* The next state of a and b together, which are both sorted; what both have becomes one. */
static struct gtid_state take_merged(const struct gtid_set *a, size_t *i, const struct gtid_set *b, size_t *k)
{
    int d = -1;
    if (*i == a->state_count) {
        d = 1;
    } else if (*k < b->state_count) {
        struct state_key key = {.domain_id = b->states[*k].domain_id, .server_id = b->states[*k].server_id};
        d = compare_state(&a->states[*i], &key);
    }
    if (d < 0)
        return a->states[(*i)++];
    struct gtid_state s = b->states[(*k)++];
    if (d == 0) {
        const struct gtid_state *x = &a->states[(*i)++];
        s.seq = x->seq > s.seq ? x->seq : s.seq;
        s.last_in_domain = s.last_in_domain || x->last_in_domain;
    }
    return s;
}

int gtid_mariadb_union(struct gtid_set *set, const struct gtid_set *other)
{
    if (other->state_count == 0)
        return 0;
    struct gtid_state *states = calloc(set->state_count + other->state_count, sizeof *states);
    if (states == NULL)
        return LT_ENOMEM;
    size_t n = 0;
    size_t i = 0;
    size_t k = 0;
    while (i < set->state_count || k < other->state_count)
        states[n++] = take_merged(set, &i, other, &k);
    free(set->states);
    set->state_cap = set->state_count + other->state_count;
    set->states = states;
    set->state_count = n;
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

static int take_listed(const char *text, struct gtid_listed **listed, size_t *cap, size_t *ret_count)
{
    size_t n = 0;
    for (;;) {
        struct gtid g;
        void *array = *listed;
        int rc = gtid_mariadb_take(&text, &g);
        if (rc == 0)
            rc = gtid_grow(&array, cap, n, sizeof **listed);
        *listed = array;
        if (rc != 0)
            return rc;
        (*listed)[n] = (struct gtid_listed){.state = {.domain_id = g.domain_id, .server_id = g.server_id, .seq = g.seq},
                                            .order = n};
        n++;
        text = gtid_skip_space(text);
        if (*text == '\0')
            break;
        if (*text++ != ',')
            return LT_EPROTO;
        text = gtid_skip_space(text);
    }
    *ret_count = n;
    return 0;
}

int gtid_mariadb_parse(const char *text, struct gtid_set *set)
{
    struct gtid_listed *listed = NULL;
    size_t cap = 0;
    size_t n = 0;
    text = gtid_skip_space(text);
    if (*text == '\0')
        return 0;
    int rc = take_listed(text, &listed, &cap, &n);
    if (rc == 0)
        rc = gtid_mariadb_assign(set, listed, n);
    free(listed);
    return rc;
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
