/*
 * The file that is to be asked for is there no more, or is another one, and the history goes on all the same: the binlog's base name was changed
 * (log_bin, or a host's name that it was made of), the numbers began anew after files and index were lost, files were purged of which everything is held.
 *
 * GTIDs prove it, and nothing else does: no transaction of what is held is left in the source's files (it has executed them all, and all are purged),
 * and nothing is purged that was never got. So its oldest file begins exactly where what is held ends: no hole, and nothing comes twice. More is not
 * taken here: where a file of the source still has a GTID that is held, its bytes may be another history's that counted up to the same number after a
 * reset or from a backup; an operator may judge that, by a repoint.
 *
 * A new lineage of the same source begins with that file. What the file must begin with is on the disk before (store_lineage_continue) and is demanded
 * of the bytes when they come, on this connection or after a restart; nothing is acknowledged before. Only the lineage's own source is looked at.
 * Failure modes: no GTIDs, or not proved: the fault stands, with its cure, and the next attempt looks again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

struct ground {
    struct gtid_set ours; /* all that is held, but for what an operator gave up */
    struct gtid_set executed;
    struct gtid_set purged;
    struct gtid_set list; /* with which the oldest file begins */
    struct gtid_set scratch;
    char oldest[BINLOG_NAME_MAX + 1];
};

static void ground_fini(struct ground *g)
{
    gtid_set_fini(&g->ours);
    gtid_set_fini(&g->executed);
    gtid_set_fini(&g->purged);
    gtid_set_fini(&g->list);
    gtid_set_fini(&g->scratch);
}

/* False: nothing that GTIDs could prove. Whoever gave the proof up begins at the oldest file anyway. */
static bool learn_ours(struct ingest *ing, struct ground *g)
{
    struct lt_err err;
    struct store_view v;
    struct gtid_set given_up = {0};
    if (store_sync(ing->opt.store, &err) != 0)
        return false;
    ingest_publish_store(ing);
    if (store_view_get(ing->opt.store, &v) != 0)
        return false;
    bool fresh_history = v.file[0] == '\0' && !v.continues && ing->follow.active && ing->follow.new_history;
    bool known = v.held.file[0] != '\0' && v.held.last_gtid.kind != GTID_NONE && !fresh_history;
    known = known && gtid_set_copy(&g->ours, &v.gtid_held) == 0 && candidate_give_up(ing, &v, &g->ours, &given_up) == 0;
    gtid_set_fini(&given_up);
    store_view_fini(&v);
    return known && !gtid_set_is_empty(&g->ours);
}

/* What it purged is asked before what it executed: so the one cannot be ahead of the other. */
static int learn_theirs(struct ingest *ing, struct ground *g, struct fault *f)
{
    struct source *conn = NULL;
    struct session_info info;
    int rc = ingest_connect(ing, &conn, &info, f);
    if (rc == 0)
        rc = dump_check_identity(ing, &info, f);
    if (rc == 0 && (info.mariadb ? GTID_MARIADB : GTID_MYSQL) != g->ours.kind)
        rc = fault_set(f, FAULT_PROTOCOL, "its transactions are of the other flavour");
    if (rc == 0 && !info.mariadb && !info.gtid_mode_on)
        rc = fault_set(f, FAULT_PROTOCOL, "gtid_mode is not ON");
    if (rc == 0 && !info.mariadb)
        rc = session_purged(conn, &info, &g->purged, f);
    if (rc == 0)
        rc = session_executed(conn, &info, &g->executed, f);
    ingest_disconnect(ing, conn);
    if (rc == 0)
        rc = dump_probe_list(ing, "", g->oldest, &g->list, f);
    if (rc == 0 && info.mariadb && gtid_set_copy(&g->purged, &g->list) != 0)
        rc = fault_set(f, FAULT_CONNECT, "out of memory");
    return rc;
}

/* Is a within b and what no binlog of this source had? If not, *f says which are missing. */
static int within(const struct ingest *ing, struct ground *g, const struct gtid_set *a, const struct gtid_set *b,
                  const char *what, struct fault *f)
{
    struct gtid_set *left = &g->scratch;
    int rc = gtid_set_copy(left, a);
    if (rc == 0)
        rc = gtid_set_subtract(left, b);
    if (rc == 0 && !gtid_set_is_empty(left) && gtid_set_subtract(left, store_unlogged(ing->opt.store)) == LT_ENOMEM)
        rc = LT_ENOMEM;
    if (rc != 0)
        return fault_set(f, FAULT_CONNECT, "its GTIDs cannot be compared");
    if (gtid_set_is_empty(left))
        return LT_OK;
    char *text = gtid_set_format(left);
    rc = fault_set(f, FAULT_GAP, "%s: %.300s", what, text != NULL ? text : "(no memory to list them)");
    free(text);
    return rc;
}

static int judge(const struct ingest *ing, struct ground *g, struct fault *f)
{
    int rc = within(ing, g, &g->ours, &g->executed, "it does not know transactions that are held", f);
    if (rc == 0)
        rc = within(ing, g, &g->purged, &g->ours, "it purged transactions that this store never got", f);
    if (rc == 0)
        rc = within(ing, g, &g->list, &g->ours, "its oldest file begins after transactions that this store never got",
                    f);
    if (rc == 0)
        rc = within(ing, g, &g->ours, &g->purged, "its files have transactions that are held", f);
    return rc;
}

static int begin_there(struct ingest *ing, const struct ground *g, const char *source_id, struct fault *f)
{
    struct lt_err err;
    gate_doubt(ing->opt.gate); /* names and positions of the files before mean nothing from here on */
    int rc = store_lineage_continue(ing->opt.store, source_id, g->oldest, &g->list, &err);
    return rc == 0 ? LT_OK : stream_store_fault(f, rc, &err);
}

static bool may_look(struct ingest *ing, const struct fault *f)
{
    /* FAULT_START: also of a lineage that was begun and of which nothing is held yet. */
    bool place_is_gone = f->code == FAULT_PURGED || f->code == FAULT_HISTORY_RESET || f->code == FAULT_DIVERGED ||
                         f->code == FAULT_GAP || f->code == FAULT_START;
    bool stranger = ing->alias[0] != '\0' && !ing->alias_proved;
    return place_is_gone && !stranger && !ing->elsewhere_looked && !ingest_must_end(ing);
}

bool elsewhere_proved(struct ingest *ing, struct fault *f)
{
    struct ground g = {0};
    struct store_resume r;
    struct fault why = {.code = FAULT_NONE};
    bool proved = false;
    if (!may_look(ing, f))
        return false;
    ing->elsewhere_looked = true;
    store_resume_point(ing->opt.store, &r);
    if (r.have_lineage && learn_ours(ing, &g)) {
        int rc = learn_theirs(ing, &g, &why);
        if (rc == 0)
            rc = judge(ing, &g, &why);
        proved = rc == 0 && begin_there(ing, &g, r.source_id, f) == 0;
        if (rc != 0)
            log_info("ingest", "GTIDs do not prove that the source goes on elsewhere: %s", why.message);
    }
    if (proved)
        log_notice("ingest",
                   "the source has no %s any more, and %s begins exactly where what is held ends, as its GTIDs prove: "
                   "going on with that file in a new lineage",
                   r.empty ? "file to go on with" : r.file, g.oldest);
    ground_fini(&g);
    return proved;
}
