/*
 * One attempt, from connecting to the end of the stream:
 * - prove: a dump without semi-sync from the start of the last complete transaction held; what comes again is compared with what is stored,
 *   what is new is stored; until nothing much is missing;
 * - acknowledge: another dump, with semi-sync, again from the start of a complete transaction that is durable and was just proved. A commit
 *   whose ACK was lost is sent again with its flag, and released.
 * A source without semi-sync, or a configuration without, stays on the proving dump.
 * Failure modes end the attempt with a fault; those that stand for several situations are told apart by diagnose.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_internal.h"

/*
 * The newest file ended in a Rotate, so nothing is held of the file to ask for. Does the list of GTIDs at its start prove it? MySQL's names every
 * transaction. MariaDB's may leave domains out and is empty in a history that was begun anew, and anonymous transactions are in none: there
 * the end of the file before is compared first.
 */
static bool list_proves(const struct store *store, const struct store_resume *r)
{
    const struct gtid_set *ours = store_gtid_appended(store);
    return ours->kind == GTID_MYSQL && !gtid_set_is_empty(ours) && r->last_gtid.kind == GTID_MYSQL;
}

/* What to ask for, by what is held. The first file of an empty store is the caller's to choose. next_file: do not look at an ended file's end. */
static void resume_from_store(const struct store *store, bool next_file, struct replica_start *ret, bool *ret_empty)
{
    struct store_resume r;
    store_resume_point(store, &r);
    *ret = (struct replica_start){.pos = BINLOG_MAGIC_LEN};
    *ret_empty = r.empty;
    if (r.empty)
        return;
    memcpy(ret->held_file, r.file, sizeof ret->held_file);
    ret->held_end = r.end;
    bool next = r.ended && (next_file || list_proves(store, &r));
    memcpy(ret->file, next ? r.next_file : r.file, sizeof ret->file);
    ret->pos = next ? BINLOG_MAGIC_LEN : r.offset;
    /* Where a list is all that proves the next file, it must be there and name everything. MariaDB's names the last transaction at least (continuity.c). */
    ret->exact_list = next && !gtid_set_is_empty(store_gtid_appended(store)) &&
                      (list_proves(store, &r) || r.last_gtid.kind == GTID_NONE);
}

/* COM_BINLOG_DUMP has 32 bits: a place past 4 GiB is reached from the file's start where the source has no other way. */
static void fit_position(const struct session_info *info, struct replica_start *start)
{
    if (start->pos > UINT32_MAX && (info->mariadb || !info->gtid_mode_on))
        start->pos = BINLOG_MAGIC_LEN;
}

static bool something_is_held(const struct ingest *ing)
{
    struct store_view v;
    if (store_view_get(ing->opt.store, &v) != 0)
        return true; /* no memory: to begin anywhere is what must not happen */
    bool held = v.held.file[0] != '\0';
    store_view_fini(&v);
    return held;
}

static int choose_start(struct ingest *ing, bool next_file, struct replica_start *start, struct fault *f)
{
    struct source *conn = NULL;
    struct session_info info;
    struct gtid_set executed;
    bool empty;
    resume_from_store(ing->opt.store, next_file, start, &empty);
    torn_go_on(ing, start);
    other_mode_go_on(ing, start);
    if (!empty && start->pos <= UINT32_MAX)
        return LT_OK;
    if (empty && store_seam(ing->opt.store) != NULL) {
        memcpy(start->file, store_seam(ing->opt.store)->file, sizeof start->file);
        return LT_OK;
    }
    if (empty && something_is_held(ing) && !ing->follow.active) /* a crash came before it was written where to go on */
        return fault_set(f, FAULT_PURGED, "it is not known which file of the source goes on where what is held ends");
    if (empty && ing->follow.active) {
        memcpy(start->file, ing->follow.start_file, sizeof start->file);
        return ing->follow.new_history ? other_mode_first(ing, start, f) : LT_OK;
    }
    if (empty && strcmp(ing->opt.start, "earliest") == 0)
        return other_mode_first(ing, start, f);
    if (empty && strcmp(ing->opt.start, "latest") != 0) {
        (void)snprintf(start->file, sizeof start->file, "%s", ing->opt.start);
        return LT_OK;
    }
    gtid_set_init(&executed);
    int rc = ingest_connect(ing, &conn, &info, f);
    if (rc == 0 && empty)
        rc = session_current_file(conn, &info, start->file, sizeof start->file, &executed, f);
    else if (rc == 0)
        fit_position(&info, start);
    ingest_disconnect(ing, conn);
    if (rc == 0 && empty && start->file[0] == '\0')
        rc = dump_probe(ing, "", &executed, start->file, NULL, NULL, f);
    gtid_set_fini(&executed);
    return rc;
}

/* After a repoint: a history of its own, before the first connection, so that its id is what connections are checked against. */
static int enter_lineage(struct ingest *ing, struct fault *f)
{
    struct store_resume r;
    struct lt_err err;
    if (!ing->follow.active)
        return LT_OK;
    store_resume_point(ing->opt.store, &r);
    if (r.have_lineage && r.lineage > ing->follow.after_lineage)
        return LT_OK;
    gate_doubt(ing->opt.gate); /* names and positions of the history before mean nothing from here on */
    recognise_forget(ing);
    ing->identity.last_thread_id = 0;
    ing->view.incidents = 0;
    int rc = store_lineage_begin(ing->opt.store, ing->follow.source_id, &err);
    return rc == 0 ? LT_OK : stream_store_fault(f, rc, &err);
}

static int open_lineage(struct ingest *ing, const struct session_info *info, struct fault *f)
{
    struct store_resume r;
    struct lt_err err;
    store_resume_point(ing->opt.store, &r);
    if (r.have_lineage)
        return LT_OK;
    int rc = store_lineage_begin(ing->opt.store, info->source_id, &err);
    ingest_set_source_id(ing);
    return rc == 0 ? LT_OK : stream_store_fault(f, rc, &err);
}

static bool may_acknowledge(const struct ingest *ing, const struct dump *d)
{
    return ing->opt.semi_sync && d->info.semi_sync != SESSION_SEMI_SYNC_UNSUPPORTED;
}

/* After a repoint: all that was held before is in this source's stream as well. Nothing is acknowledged before. A lineage that goes on where another
 * ends was proved to begin with all that was held (elsewhere.c). */
static bool covers_the_past(struct ingest *ing)
{
    if (ing->follow.active && !ing->covered)
        ing->covered = gtid_set_is_empty(&ing->follow.covers) || store_seam(ing->opt.store) != NULL ||
                       gtid_set_contains_set(store_gtid_appended(ing->opt.store), &ing->follow.covers);
    return !ing->follow.active || ing->covered;
}

/* Caught up, so go on; or it lacks what its GTIDs promised: from now on they prove nothing, so that a new history can go on without. */
static int judge_coverage(struct ingest *ing, const struct dump *d, struct fault *f)
{
    if (covers_the_past(ing)) {
        ing->promised_in_vain[0] = '\0';
        return LT_OK;
    }
    memcpy(ing->promised_in_vain, d->info.source_id, sizeof ing->promised_in_vain);
    return fault_set(f, FAULT_UNCOVERED,
                     "the stream of %s ended without transactions that were held before the repoint",
                     d->info.source_id);
}

static void streaming_begins(struct ingest *ing, const struct dump *d)
{
    ing->attempt = 0;
    if (ing->opt.semi_sync && d->info.semi_sync != SESSION_SEMI_SYNC_ON) {
        struct fault f;
        if (d->info.semi_sync == SESSION_SEMI_SYNC_OFF)
            (void)fault_set(&f, FAULT_SEMI_SYNC_OFF,
                            "semi-sync is switched off on the source: commits do not wait for an ACK");
        else
            (void)fault_set(&f, FAULT_SEMI_SYNC_MISSING,
                            "the source has no semi-sync plugin: commits do not wait for an ACK");
        ingest_note_fault(ing, &f);
    } else {
        ingest_note_fault(ing, NULL);
    }
    ingest_set_state(ing, INGEST_STREAMING);
}

static int stream_until_it_ends(struct ingest *ing, struct dump *d, struct fault *f)
{
    streaming_begins(ing, d);
    while (!ingest_must_end(ing)) {
        int rc = dump_turn(ing, d, f);
        if (rc != 0)
            return rc;
    }
    return LT_OK;
}

enum proved {
    PROVED_NOT,   /* the attempt ends */
    PROVED_STALE, /* it took so long that more is missing by now: prove again, from further on */
    PROVED_WELL   /* an acknowledging dump may follow */
};

/* Turns of a proving dump until it has caught up. */
static int catch_up(struct ingest *ing, struct dump *d, enum proved *ret, struct fault *f)
{
    enum caught_up now = CAUGHT_UP_NOT;
    bool proved = false;
    while (now == CAUGHT_UP_NOT) {
        if (ingest_must_end(ing))
            return LT_OK;
        int rc = dump_turn(ing, d, f);
        if (rc != 0)
            return rc;
        if (!proved && d->stream.heartbeat && d->stream.replica.start.exact_list && !d->stream.list_seen)
            return fault_set(f, FAULT_CONNECT, "%s goes on in no other file: its end proves nothing",
                             d->stream.replica.file);
        if (!proved && stream_is_proved(&d->stream)) {
            proved = true;
            recognise_proved(ing, &d->info);
            ingest_set_state(ing, INGEST_CATCHING_UP);
        }
        now = proved ? caught_up(ing, d) : CAUGHT_UP_NOT;
    }
    if (now == CAUGHT_UP_BEFORE) {
        *ret = PROVED_STALE;
        return LT_OK;
    }
    int rc = judge_coverage(ing, d, f);
    if (rc == 0)
        *ret = PROVED_WELL;
    return rc;
}

/* The proving dump; one that may not be followed by an acknowledging one goes on until it ends. */
static int prove_from(struct ingest *ing, bool next_file, enum proved *ret, struct fault *f)
{
    struct dump d;
    struct replica_start start = {.pos = BINLOG_MAGIC_LEN};
    *ret = PROVED_NOT;
    recognise_undo(ing);
    int rc = enter_lineage(ing, f);
    if (rc == 0)
        rc = choose_start(ing, next_file, &start, f);
    if (rc == 0)
        rc = dump_open(ing, DUMP_PROVE, &start, &d, f);
    if (rc != 0 && f->code == FAULT_WRONG_SOURCE && recognise(ing, &start, f) == 0)
        rc = dump_open(ing, DUMP_PROVE, &start, &d, f);
    if (rc != 0)
        return rc;
    ingest_set_state(ing, INGEST_PROVING);
    log_info("ingest", "proving %s from %s:%" PRIu64 " (held: %s up to %" PRIu64 ")", d.info.source_id, start.file,
             start.pos, start.held_file, start.held_end);
    rc = open_lineage(ing, &d.info, f);
    if (rc == 0)
        rc = catch_up(ing, &d, ret, f);
    if (rc == 0 && *ret == PROVED_WELL)
        unlogged_note(ing);
    if (rc == 0 && *ret == PROVED_WELL && !may_acknowledge(ing, &d)) {
        *ret = PROVED_NOT;
        rc = stream_until_it_ends(ing, &d, f);
    }
    if (rc != 0) {
        torn_note(ing, &d.stream, f);
        other_mode_note(ing, &d.stream, f);
    }
    dump_close(ing, &d);
    return rc;
}

/* Where the ended file whose end would be compared is no longer there, nothing is missing: the next one, and its list, must do. */
static int prove(struct ingest *ing, enum proved *ret, struct fault *f)
{
    struct store_resume r;
    int rc = prove_from(ing, false, ret, f);
    store_resume_point(ing->opt.store, &r);
    if (rc == 0 || f->code != FAULT_PURGED || !r.ended || ingest_must_end(ing) || list_proves(ing->opt.store, &r))
        return rc;
    log_notice("ingest", "the source has %s no more, whose end is held here: it is asked for %s", r.file, r.next_file);
    return prove_from(ing, true, ret, f);
}

/* All that is held must be durable before a position of it is given out; then tell the gate. */
static int settle(struct ingest *ing, struct fault *f)
{
    struct lt_err err;
    struct store_resume r;
    int rc = store_sync(ing->opt.store, &err);
    if (rc != 0)
        return stream_store_fault(f, rc, &err);
    store_resume_point(ing->opt.store, &r);
    if (!r.empty)
        gate_durable(ing->opt.gate, r.file, store_durable(ing->opt.store));
    return LT_OK;
}

static int acknowledge(struct ingest *ing, struct fault *f)
{
    struct dump d;
    struct replica_start start;
    bool empty;
    unlogged_look(ing);
    int rc = settle(ing, f);
    if (rc == 0)
        rc = former_settle(ing, &ing->view.source, f);
    if (rc != 0)
        return rc;
    resume_from_store(ing->opt.store, false, &start, &empty);
    fit_position(&ing->view.source, &start);
    rc = dump_open(ing, DUMP_ACKNOWLEDGE, &start, &d, f);
    if (rc != 0)
        return rc;
    log_notice("ingest", "acknowledging %s (%s) from %s:%" PRIu64, d.info.source_id, d.info.version, start.file,
               start.pos);
    rc = stream_until_it_ends(ing, &d, f);
    if (atomic_load(&ing->hold) && !ingest_stopping(ing) && ingest_is_fenced(ing))
        dump_hold(ing, &d);
    else
        dump_close(ing, &d);
    return rc;
}

/* What the fault really is, and whether the source goes on elsewhere all the same: then another attempt follows at once. */
static bool diagnose(struct ingest *ing, struct fault *f)
{
    if (f->code == FAULT_PURGED)
        diagnose_missing(ing, f);
    else if (f->code == FAULT_AHEAD || f->code == FAULT_DIVERGED || f->code == FAULT_SOURCE_FILE)
        diagnose_file(ing, f);
    return elsewhere_proved(ing, f);
}

/* After a proving that failed: is there a way on that can be taken at once? */
static bool another_way(struct ingest *ing, struct fault *f)
{
    return !ingest_must_end(ing) && (torn_end_proved(ing, f) || other_mode_goes_on(ing, f) || diagnose(ing, f));
}

int attempt_run(struct ingest *ing, struct fault *ret_fault)
{
    enum proved proved;
    bool diagnosed = false;
    int rc;
    ing->elsewhere_looked = false;
    do {
        ret_fault->code = FAULT_NONE;
        rc = prove(ing, &proved, ret_fault);
        diagnosed = rc != 0;
    } while (rc == 0 ? proved == PROVED_STALE && !ingest_must_end(ing) : another_way(ing, ret_fault));
    if (rc == 0 && proved == PROVED_WELL && !ingest_must_end(ing))
        rc = acknowledge(ing, ret_fault);
    if (rc != 0 && !ingest_must_end(ing)) {
        if (!diagnosed)
            (void)diagnose(ing, ret_fault);
        recognise_failed(ing, ret_fault);
    }
    return rc;
}
