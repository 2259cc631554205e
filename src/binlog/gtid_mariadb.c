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

int gtid_state_compare(const struct gtid_state *s, uint32_t domain_id, uint32_t server_id)
{
    if (s->domain_id != domain_id)
        return s->domain_id < domain_id ? -1 : 1;
    if (s->server_id != server_id)
        return s->server_id < server_id ? -1 : 1;
    return 0;
}

static int compare_state(const void *element, const void *key)
{
    const struct state_key *k = key;
    return gtid_state_compare(element, k->domain_id, k->server_id);
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

/* Either side in order, so the result is. */
int gtid_mariadb_union(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *ret)
{
    size_t i = 0;
    size_t k = 0;
    ret->states = calloc(a->state_count + b->state_count, sizeof *ret->states);
    if (ret->states == NULL)
        return LT_ENOMEM;
    ret->state_cap = a->state_count + b->state_count;
    while (i < a->state_count || k < b->state_count) {
        const struct gtid_state *x = i < a->state_count ? &a->states[i] : NULL;
        const struct gtid_state *y = k < b->state_count ? &b->states[k] : NULL;
        int d = x == NULL ? 1 : y == NULL ? -1 : gtid_state_compare(x, y->domain_id, y->server_id);
        struct gtid_state *to = &ret->states[ret->state_count++];
        *to = d <= 0 ? *x : *y; // NOLINT(clang-analyzer-core.NullDereference): d says which of the two is there
        if (d == 0 && y->seq > to->seq)
            to->seq = y->seq;
        if (d == 0)
            to->last_in_domain = to->last_in_domain || y->last_in_domain;
        i += d <= 0;
        k += d >= 0;
    }
    settle_last(ret);
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
