/*
 * MariaDB's states as text, and many of them at once: collected as they come, sorted once (n log n), and of one (domain, server) the last
 * one taken. Put in one by one, each would move what lies behind it and look through its domain.
 */
#include <stdlib.h>

#include "binlog/gtid_impl.h"

struct gtid_state_item {
    struct gtid_state state;
    size_t order; /* in which they came */
};

int gtid_states_collect(struct gtid_states_list *list, const struct gtid *g)
{
    void *array = list->items;
    int rc = gtid_grow(&array, &list->cap, list->count, sizeof *list->items);
    list->items = array;
    if (rc != 0)
        return rc;
    list->items[list->count] = (struct gtid_state_item){
        .state = {.domain_id = g->domain_id, .server_id = g->server_id, .seq = g->seq}, .order = list->count};
    list->count++;
    return 0;
}

static int by_state(const void *a, const void *b)
{
    const struct gtid_state_item *x = a;
    const struct gtid_state_item *y = b;
    int d = gtid_state_compare(&x->state, y->state.domain_id, y->state.server_id);
    return d != 0 ? d : x->order < y->order ? -1 : 1;
}

/* Sorted: the last of each (domain, server) stays, and of each domain the one that came last is marked. */
static void keep_latest(const struct gtid_states_list *list, struct gtid_set *set)
{
    size_t last = 0;       /* index in set of the domain's latest */
    size_t last_order = 0; /* when it came */
    for (size_t i = 0; i < list->count; i++) {
        const struct gtid_state_item *it = &list->items[i];
        const struct gtid_state *next = i + 1 < list->count ? &it[1].state : NULL;
        if (next != NULL && gtid_state_compare(next, it->state.domain_id, it->state.server_id) == 0)
            continue;
        size_t at = set->state_count++;
        set->states[at] = it->state;
        bool first = at == 0 || set->states[at - 1].domain_id != it->state.domain_id;
        if (first || it->order > last_order) {
            if (!first)
                set->states[last].last_in_domain = false;
            set->states[at].last_in_domain = true;
            last = at;
            last_order = it->order;
        }
    }
}

int gtid_states_settle(struct gtid_states_list *list, struct gtid_set *set)
{
    if (list->count == 0)
        return 0;
    set->states = calloc(list->count, sizeof *set->states);
    if (set->states == NULL)
        return LT_ENOMEM;
    set->state_cap = list->count;
    qsort(list->items, list->count, sizeof *list->items, by_state);
    keep_latest(list, set);
    return 0;
}

static bool take_dash(const char **text)
{
    const char *p = gtid_skip_space(*text);
    if (*p != '-')
        return false;
    *text = gtid_skip_space(p + 1);
    return true;
}

int gtid_mariadb_take(const char **text, struct gtid *ret)
{
    const char *p = *text;
    uint64_t domain;
    uint64_t server;
    uint64_t seq;
    if (gtid_take_number(&p, UINT32_MAX, &domain) != 0 || !take_dash(&p))
        return LT_EPROTO;
    if (gtid_take_number(&p, UINT32_MAX, &server) != 0 || !take_dash(&p))
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
    struct gtid_states_list list = {0};
    char quote = gtid_open_quote(&text);
    int rc = 0;
    while (rc == 0 && !gtid_at_end(text, quote)) {
        struct gtid g;
        text = gtid_skip_space(text);
        rc = gtid_mariadb_take(&text, &g);
        if (rc == 0)
            rc = gtid_states_collect(&list, &g);
        text = gtid_skip_space(text);
        if (rc == 0 && *text != ',' && !gtid_at_end(text, quote))
            rc = LT_EPROTO;
        if (rc == 0 && *text == ',')
            text++;
    }
    if (rc == 0)
        rc = gtid_states_settle(&list, set);
    free(list.items);
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
