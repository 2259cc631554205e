/*
 * May this source be followed? Asked before a repoint, while the present one is fenced. Names and positions of files mean something within
 * one source's history only, so what is compared are sets of GTIDs:
 *
 * - only_here: what this store holds and the candidate never executed. A promotion that lost confirmed commits looks like this.
 * - gap: what the candidate no longer has in its files and this store never got.
 * - Both empty: continuity. Its stream is taken from the file that holds what follows our set; the server itself finds that file by GTID.
 *   Transactions of it that are held already come twice, in two lineages, which is fine.
 *   What no binlog of the old source had since our lineage began is none (unlogged.c).
 * - A new history (asked for by the operator) begins at the candidate's oldest file, and the two sets go on record.
 *
 * MySQL: gtid_executed, gtid_purged, a dump by GTID set. MariaDB: gtid_binlog_state (of every domain and server), the Gtid_list of the oldest file
 * in place of a purged set, a dump behind the last GTID of each domain.
 * The file found is looked into before it is believed: its own list must lie within our set.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_internal.h"

struct sets {
    struct gtid_set ours;
    struct gtid_set executed; /* theirs */
    struct gtid_set purged;   /* theirs: what their files have no more */
    struct gtid_set known;    /* ours, and what no binlog of the old source had: of these nothing is missing */
    uint32_t own_domain;      /* MariaDB: theirs */
    struct gtid_set scratch;
    bool holds_segments;
};

static int refuse(struct ingest_candidate *c, const char *word, const char *fmt, ...) LT_PRINTF(3, 4);
static int refuse(struct ingest_candidate *c, const char *word, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->refusal = word;
    (void)vsnprintf(c->message, sizeof c->message, fmt, ap);
    va_end(ap);
    return LT_EPROTO;
}

static int refuse_fault(struct ingest_candidate *c, const struct fault *f)
{
    return refuse(c, fault_name(f->code), "%.400s", f->message);
}

static int out_of_memory(struct ingest_candidate *c)
{
    return refuse(c, "out_of_memory", "out of memory");
}

/* a minus b; of two flavours: all of a. */
static int leave_out(struct gtid_set *a, const struct gtid_set *b)
{
    int rc = gtid_set_subtract(a, b);
    return rc == LT_EINVAL ? LT_OK : rc;
}

int candidate_give_up(const struct ingest *ing, const struct store_view *v, struct gtid_set *ours, struct gtid_set *ret)
{
    int rc = ing->follow.active ? gtid_set_copy(ret, &ing->follow.given_up) : LT_OK;
    if (rc == 0)
        rc = leave_out(ret, &v->gtid_executed);
    if (rc == 0)
        rc = leave_out(ours, ret);
    if (rc == 0) /* MariaDB counts by the highest number: what the present lineage has below is ours all the same */
        rc = gtid_set_union(ours, &v->gtid_executed);
    return rc == LT_EINVAL ? LT_OK : rc;
}

/* All that is held, in whichever lineage, but for what an operator gave up by a new history: it is still told, and held against nobody. */
static int learn_ours(struct ingest *ing, struct ingest_candidate *c, struct sets *s)
{
    struct store_view v;
    if (store_view_get(ing->opt.store, &v) != 0)
        return out_of_memory(c);
    c->follow.after_lineage = v.lineage;
    s->holds_segments = v.segments > 0;
    int rc = gtid_set_copy(&s->ours, &v.gtid_held);
    if (rc == 0)
        rc = candidate_give_up(ing, &v, &s->ours, &c->follow.given_up);
    store_view_fini(&v);
    if (rc == 0)
        rc = gtid_set_copy(&s->known, &s->ours);
    if (rc == 0 && gtid_set_union(&s->known, store_unlogged(ing->opt.store)) == LT_ENOMEM)
        rc = LT_ENOMEM;
    return rc == 0 ? LT_OK : out_of_memory(c);
}

static int learn_theirs(struct ingest *ing, struct ingest_candidate *c, struct sets *s)
{
    struct source *conn = NULL;
    struct fault f;
    char first[BINLOG_NAME_MAX + 1];
    int rc = ingest_connect(ing, &conn, &c->info, &f);
    if (rc == 0)
        rc = dump_check_identity(ing, &c->info, &f);
    if (rc == 0)
        rc = c->info.mariadb ? session_own_domain(conn, &s->own_domain, &f)
                             : session_purged(conn, &c->info, &s->purged, &f);
    if (rc == 0)
        rc = session_executed(conn, &c->info, &s->executed, &f);
    ingest_disconnect(ing, conn);
    if (rc == 0 && c->info.mariadb)
        rc = dump_probe_list(ing, "", first, &s->purged, &f);
    return rc == 0 ? LT_OK : refuse_fault(c, &f);
}

/* a minus b as text; *ret NULL when nothing is left. */
static int difference(struct sets *s, const struct gtid_set *a, const struct gtid_set *b, char **ret)
{
    *ret = NULL;
    int rc = gtid_set_copy(&s->scratch, a);
    if (rc == 0)
        rc = gtid_set_subtract(&s->scratch, b);
    if (rc != 0)
        return rc;
    if (gtid_set_is_empty(&s->scratch))
        return LT_OK;
    *ret = gtid_set_format(&s->scratch);
    return *ret != NULL ? LT_OK : LT_ENOMEM;
}

static bool comparable(const struct ingest_candidate *c, const struct sets *s)
{
    enum gtid_kind kind = c->info.mariadb ? GTID_MARIADB : GTID_MYSQL;
    return gtid_set_is_empty(&s->ours) || s->ours.kind == kind;
}

/* What they lack in their files, this store never got, and may be missing. */
static int find_gap(const struct ingest_candidate *c, struct sets *s, const struct gtid_set *begins_after, char **ret)
{
    *ret = NULL;
    int rc = gtid_set_copy(&s->scratch, begins_after);
    if (rc == 0)
        rc = gtid_set_subtract(&s->scratch, &s->known);
    if (rc != 0)
        return rc;
    unlogged_pardon(&s->scratch, &s->ours, begins_after, c->info.server_id, s->own_domain);
    if (gtid_set_is_empty(&s->scratch))
        return LT_OK;
    *ret = gtid_set_format(&s->scratch);
    return *ret != NULL ? LT_OK : LT_ENOMEM;
}

/* Do the sets prove that nothing is lost and nothing missing? A new history goes on without. */
static int judge(struct ingest_candidate *c, const struct sets *s)
{
    const struct follow *f = &c->follow;
    if (gtid_set_is_empty(&s->ours) && s->holds_segments)
        return refuse(c, "no_gtids",
                      "this store's transactions have no GTIDs, so nothing proves that %s:%u has them all", c->host,
                      c->port);
    if (!c->info.mariadb && !c->info.gtid_mode_on && s->holds_segments)
        return refuse(c, "no_gtids", "gtid_mode is not ON at %s:%u", c->host, c->port);
    if (f->only_here != NULL)
        return refuse(c, "only_here", "%s:%u never executed transactions that this store holds: %.300s", c->host,
                      c->port, f->only_here);
    if (f->gap != NULL && s->holds_segments)
        return refuse(c, "gap", "%s:%u no longer has transactions that this store never got: %.300s", c->host, c->port,
                      f->gap);
    return LT_OK;
}

static int compare(struct ingest *ing, struct ingest_candidate *c, struct sets *s)
{
    struct follow *f = &c->follow;
    if (!comparable(c, s))
        return c->new_history
                   ? LT_OK
                   : refuse(c, "flavor", "this store holds a history of the other flavour than %s", c->info.version);
    if (difference(s, &s->ours, &s->executed, &f->only_here) != 0 || find_gap(c, s, &s->purged, &f->gap) != 0 ||
        gtid_set_copy(&f->covers, &s->ours) != 0)
        return out_of_memory(c);
    /* What it has no more will not come: it is held here already, or on record as the gap. */
    if (gtid_set_subtract(&f->covers, &s->purged) == LT_ENOMEM)
        return out_of_memory(c);
    int rc = judge(c, s);
    f->proved = rc == 0 && (!c->new_history || strcmp(ing->promised_in_vain, c->info.source_id) != 0);
    if (f->gap == NULL && gtid_set_union(&s->known, &s->purged) == LT_ENOMEM)
        return out_of_memory(c);
    if (!c->new_history)
        return rc;
    c->refusal = NULL;
    return LT_OK;
}

/* Where its stream begins. */
static int find_start(struct ingest *ing, struct ingest_candidate *c, struct sets *s)
{
    struct fault f;
    char *missing = NULL;
    bool from_oldest = c->new_history || !s->holds_segments;
    int rc = dump_probe(ing, "", from_oldest ? NULL : &s->known, c->follow.start_file, NULL, NULL, &f);
    if (rc != 0)
        return refuse_fault(c, &f);
    if (from_oldest)
        return LT_OK;
    char file[BINLOG_NAME_MAX + 1];
    struct gtid_set list;
    gtid_set_init(&list);
    rc = dump_probe_list(ing, c->follow.start_file, file, &list, &f);
    if (rc != 0)
        rc = refuse_fault(c, &f);
    else if (find_gap(c, s, &list, &missing) != 0)
        rc = out_of_memory(c);
    else if (missing != NULL)
        rc = refuse(c, "gap", "%.100s of %s:%u begins after transactions that this store never got: %.200s", file,
                    c->host, c->port, missing);
    free(missing);
    gtid_set_fini(&list);
    return rc;
}

/* A new history gives up what the candidate lacks; where nothing can be compared, all. */
static int note_given_up(struct ingest_candidate *c, struct sets *s)
{
    struct gtid_set *given_up = &c->follow.given_up;
    if (!c->new_history)
        return LT_OK;
    int rc = gtid_set_copy(&s->scratch, &s->ours);
    if (rc == 0)
        rc = leave_out(&s->scratch, &s->executed);
    if (rc == 0)
        rc = gtid_set_union(given_up, &s->scratch);
    if (rc == LT_EINVAL)
        rc = gtid_set_copy(given_up, &s->scratch);
    return rc == 0 ? LT_OK : out_of_memory(c);
}

static void fill_follow(struct ingest_candidate *c)
{
    struct follow *f = &c->follow;
    f->active = true;
    memcpy(f->host, c->host, sizeof f->host);
    f->port = c->port;
    memcpy(f->source_id, c->info.source_id, sizeof f->source_id);
    f->new_history = c->new_history;
    f->at_us = clock_wall_us();
    if (!f->proved)
        gtid_set_clear(&f->covers);
}

static void examine(struct ingest *ing, struct ingest_candidate *c)
{
    struct sets s = {0};
    int rc = learn_ours(ing, c, &s);
    if (rc == 0)
        rc = learn_theirs(ing, c, &s);
    if (rc == 0)
        rc = compare(ing, c, &s);
    if (rc == 0)
        rc = find_start(ing, c, &s);
    if (rc == 0)
        rc = note_given_up(c, &s);
    if (rc == 0)
        fill_follow(c);
    gtid_set_fini(&s.ours);
    gtid_set_fini(&s.executed);
    gtid_set_fini(&s.purged);
    gtid_set_fini(&s.known);
    gtid_set_fini(&s.scratch);
}

void candidate_examine(struct ingest *ing, struct ingest_candidate *c)
{
    uint64_t thread_id = ing->identity.last_thread_id;
    uint64_t started = ing->identity.last_source_start_s;
    /* The dump that may still live is at the fenced source: its number means nothing here. */
    ing->identity.last_thread_id = 0;
    ing->target.host = c->host;
    ing->target.port = c->port;
    ing->target.socket = NULL;
    ing->any_source = true;
    examine(ing, c);
    ing->any_source = false;
    ingest_set_target(ing);
    if (c->refusal != NULL) {
        ing->identity.last_thread_id = thread_id;
        ing->identity.last_source_start_s = started;
    }
    log_notice("ingest", "looked at %s:%u (%s): %s", c->host, c->port, c->info.source_id,
               c->refusal != NULL ? c->message : "it may be followed");
}
