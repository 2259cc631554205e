#include "ingest/continuity.h"

#include <stdlib.h>

/* "a minus b" as text for the operator; malloc'd, NULL when it cannot be had. */
static char *difference_text(const struct gtid_set *a, const struct gtid_set *b)
{
    struct gtid_set d;
    char *text = NULL;
    gtid_set_init(&d);
    if (gtid_set_copy(&d, a) == 0 && gtid_set_subtract(&d, b) == 0)
        text = gtid_set_format(&d);
    gtid_set_fini(&d);
    return text;
}

static int report(const char *file, enum fault_code code, const char *what, const struct gtid_set *a,
                  const struct gtid_set *b, struct fault *f)
{
    char *text = difference_text(a, b);
    int rc = fault_set(f, code, "%s begins after transactions that %s: %.300s", file, what,
                       text ? text : "(no memory to list them)");
    free(text);
    return rc;
}

static int order(const struct gtid_state *a, const struct gtid_state *b)
{
    if (a->domain_id != b->domain_id)
        return a->domain_id < b->domain_id ? -1 : 1;
    if (a->server_id != b->server_id)
        return a->server_id < b->server_id ? -1 : 1;
    return 0;
}

/* Is every state of `set` in `other` with the same number; domains unknown to `other` are let pass where allowed. Both are sorted: one walk through both. */
static bool states_agree(const struct gtid_set *set, const struct gtid_set *other, bool allow_missing_domain)
{
    size_t k = 0;
    for (size_t i = 0; i < set->state_count; i++) {
        const struct gtid_state *a = &set->states[i];
        while (k < other->state_count && order(&other->states[k], a) < 0)
            k++;
        if (k < other->state_count && order(&other->states[k], a) == 0) {
            if (other->states[k].seq != a->seq)
                return false;
            continue;
        }
        bool domain_known = (k < other->state_count && other->states[k].domain_id == a->domain_id) ||
                            (k > 0 && other->states[k - 1].domain_id == a->domain_id);
        if (domain_known || !allow_missing_domain)
            return false;
    }
    return true;
}

static int check_mysql(const char *file, const struct gtid_set *listed, const struct gtid_set *ours, struct fault *f)
{
    if (!gtid_set_contains_set(ours, listed))
        return report(file, FAULT_GAP, "this store never got", listed, ours, f);
    if (!gtid_set_contains_set(listed, ours))
        return report(file, FAULT_DIVERGED, "the source does not know", ours, listed, f);
    return LT_OK;
}

static int check_mariadb(const char *file, const struct gtid_set *listed, const struct gtid_set *ours,
                         const struct gtid *last, struct fault *f)
{
    if (!gtid_set_contains_set(ours, listed))
        return report(file, FAULT_GAP, "this store never got", listed, ours, f);
    bool lacks_last = last->kind == GTID_MARIADB && !gtid_set_contains(listed, last);
    if (lacks_last || !states_agree(listed, ours, false) || !states_agree(ours, listed, true))
        return report(file, FAULT_DIVERGED, "the source does not know", ours, listed, f);
    return LT_OK;
}

static int read_list(const char *file, const uint8_t *event, const struct event_header *h, bool crc,
                     struct gtid_set *listed, struct fault *f)
{
    int rc = h->type == EVENT_MARIADB_GTID_LIST ? gtid_set_from_gtid_list(event, h->length, crc, listed)
                                                : gtid_set_from_previous_gtids(event, h->length, crc, listed);
    return rc == 0 ? LT_OK : fault_set(f, FAULT_PROTOCOL, "%s: its list of GTIDs cannot be read", file);
}

int continuity_check(const char *file, const uint8_t *event, const struct event_header *h, bool crc,
                     const struct gtid_set *ours, const struct gtid *last, struct fault *ret_fault)
{
    struct gtid_set listed;
    gtid_set_init(&listed);
    int rc = read_list(file, event, h, crc, &listed, ret_fault);
    if (rc != 0 || gtid_set_is_empty(ours))
        ; /* the lineage's first file, or a history without GTIDs so far: nothing to compare with */
    else if (h->type == EVENT_MARIADB_GTID_LIST)
        rc = check_mariadb(file, &listed, ours, last, ret_fault);
    else
        rc = check_mysql(file, &listed, ours, ret_fault);
    gtid_set_fini(&listed);
    return rc;
}

int continuity_check_exact(const char *file, const uint8_t *event, const struct event_header *h, bool crc,
                           const struct gtid_set *ours, struct fault *ret_fault)
{
    struct gtid_set listed;
    gtid_set_init(&listed);
    int rc = read_list(file, event, h, crc, &listed, ret_fault);
    if (rc == 0 && !gtid_set_contains_set(ours, &listed))
        rc = report(file, FAULT_GAP, "this store never got", &listed, ours, ret_fault);
    else if (rc == 0 && !gtid_set_equal(ours, &listed))
        rc = report(file, FAULT_DIVERGED, "the source does not know", ours, &listed, ret_fault);
    gtid_set_fini(&listed);
    return rc;
}
