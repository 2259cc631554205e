/*
 * GTIDs that no binlog ever had. A server that was made from a dump or by CLONE has gtid_purged (MariaDB: gtid_slave_pos) that no list at a file's start
 * names; on a MariaDB server a domain was deleted (FLUSH BINARY LOGS DELETE_DOMAIN_ID) that its replicas' files still list. A sister of such a server
 * has them as well, and they look like a gap: purged there, never got here.
 *
 * What the followed source itself has purged and is not held, while its stream is proved to go on from what is held, was in no binlog since the lineage
 * began: purged are a server's oldest files, and of those from the lineage's first file on everything is held. It predates our first byte, or was never
 * logged: nothing that could be missing here. That is remembered with the lineage (store_unlogged) and gaps are judged by it (candidate.c, elsewhere.c).
 * - Asked before the proving dump begins, judged when it has caught up: what was purged in between does not count.
 * - Of a deleted domain only the source's oldest file knows, and its place is nowhere: it is looked at once in each lineage, before the acknowledging
 *   dump. Only domains count that neither what is held nor, afterwards, the source's own state has.
 * Nothing here is on the way of an ACK. Failure: not remembered; the next attempt asks again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

/* Take away what is held, in all lineages, and what is known already. */
static int leave_news(struct ingest *ing, struct gtid_set *set)
{
    struct store_view v;
    int rc = gtid_set_subtract(set, store_gtid_appended(ing->opt.store));
    if (rc == LT_EINVAL || gtid_set_is_empty(set))
        rc = LT_OK;
    if (rc == 0 && gtid_set_subtract(set, store_unlogged(ing->opt.store)) == LT_ENOMEM)
        rc = LT_ENOMEM;
    if (rc != 0 || gtid_set_is_empty(set))
        return rc;
    rc = store_view_get(ing->opt.store, &v);
    if (rc != 0)
        return rc;
    if (gtid_set_subtract(set, &v.gtid_held) == LT_ENOMEM)
        rc = LT_ENOMEM;
    store_view_fini(&v);
    return rc;
}

static void remember(struct ingest *ing, struct gtid_set *set)
{
    struct lt_err err = {0};
    int rc = leave_news(ing, set);
    if (rc == 0 && gtid_set_is_empty(set))
        return;
    char *text = rc == 0 ? gtid_set_format(set) : NULL;
    if (rc == 0)
        rc = store_unlogged_learn(ing->opt.store, set, &err);
    if (rc == 0)
        log_notice("ingest", "the source has executed what no binlog of it had since this lineage began: %.300s",
                   text != NULL ? text : "(no memory to list it)");
    else
        log_warn("ingest", "what no binlog of the source had is not remembered: %s", err.text);
    free(text);
}

void unlogged_note(struct ingest *ing)
{
    remember(ing, &ing->purged);
    gtid_set_clear(&ing->purged);
}

/* ---- MariaDB: domains ---- */

static bool has_domain(const struct gtid_set *set, uint32_t domain_id)
{
    for (size_t i = 0; i < set->state_count; i++)
        if (set->states[i].domain_id == domain_id)
            return true;
    return false;
}

static void drop_state(struct gtid_set *set, size_t i)
{
    set->state_count--;
    set->last_used = 0;
    memmove(set->states + i, set->states + i + 1, (set->state_count - i) * sizeof set->states[0]);
}

/* The domains that `other` has go. */
static void drop_domains(struct gtid_set *set, const struct gtid_set *other)
{
    for (size_t i = set->state_count; i-- > 0;)
        if (has_domain(other, set->states[i].domain_id))
            drop_state(set, i);
}

static int ask_state(struct ingest *ing, struct gtid_set *ret, struct fault *f)
{
    struct source *conn = NULL;
    struct session_info info;
    int rc = ingest_connect(ing, &conn, &info, f);
    if (rc == 0)
        rc = dump_check_identity(ing, &info, f);
    if (rc == 0)
        rc = session_executed(conn, &info, ret, f);
    ingest_disconnect(ing, conn);
    return rc;
}

void unlogged_look(struct ingest *ing)
{
    struct store_resume r;
    struct gtid_set list = {0};
    struct gtid_set now = {0};
    struct fault f;
    char first[BINLOG_NAME_MAX + 1];
    store_resume_point(ing->opt.store, &r);
    if (!ing->view.source.mariadb || ing->oldest_looked == r.lineage)
        return;
    int rc = dump_probe_list(ing, "", first, &list, &f);
    if (rc == 0)
        drop_domains(&list, store_gtid_appended(ing->opt.store));
    if (rc == 0 && list.state_count > 0)
        rc = ask_state(ing, &now, &f);
    drop_domains(&list, &now);
    if (rc == 0 && list.state_count > 0)
        remember(ing, &list);
    if (rc == 0)
        ing->oldest_looked = r.lineage;
    else
        log_info("ingest", "the source's oldest file was not looked at: %s", f.message);
    gtid_set_fini(&list);
    gtid_set_fini(&now);
}

/*
 * A domain that the old source's stream never had since the lineage began: nothing of that source's can be missing in it. The candidate's own writes can:
 * those of its own server_id or domain; and those of another server that was promoted, after the old source's end. So the candidate's
 * oldest file must begin before that end: something that is held is still in its files.
 */
void unlogged_pardon(struct gtid_set *gap, const struct gtid_set *ours, const struct gtid_set *oldest_list,
                     uint32_t server_id, uint32_t own_domain)
{
    if (gap->kind != GTID_MARIADB || gtid_set_is_empty(ours) || gtid_set_contains_set(oldest_list, ours))
        return;
    for (size_t i = gap->state_count; i-- > 0;) {
        const struct gtid_state *st = &gap->states[i];
        if (!has_domain(ours, st->domain_id) && st->server_id != server_id && st->domain_id != own_domain)
            drop_state(gap, i);
    }
}
