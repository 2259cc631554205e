/*
 * - A refused transaction that is held: its first event's length, read from the store, says where the rest of it begins. At most two in a row: the last
 *   complete transaction, and one that is held in part.
 * - Progress is by place: one that is refused again in the same attempt ends it.
 * - An empty store: each look is a dump that is read up to its first transaction; the files behind a refused one are asked for by name.
 * Failure modes: a place past 4 GiB that COM_BINLOG_DUMP cannot name (the dump begins at the file's start and is refused as before): the fault stands, and
 * its cure makes the source send both kinds. A look that fails for another reason leaves the start as it is: the dump itself will tell.
 */
#include "ingest/other_mode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

static bool is_refusal(enum fault_code code)
{
    return code == FAULT_ANONYMOUS_REFUSED || code == FAULT_GTID_REFUSED;
}

void other_mode_note(struct ingest *ing, const struct stream *st, const struct fault *f)
{
    struct other_mode *m = &ing->other_mode;
    const struct replica *r = &st->replica;
    m->seen = is_refusal(f->code);
    if (!m->seen)
        return;
    memcpy(m->file, r->file, sizeof m->file);
    m->at = r->offset;
    m->held = r->state == REPLICA_EVENTS && strcmp(r->file, r->start.held_file) == 0 && r->offset < r->start.held_end;
}

/* The end of the event that begins the refused transaction; 0 when no such event stands there. */
static uint64_t behind(struct ingest *ing, uint64_t at)
{
    struct event_header h;
    struct lt_err err;
    if (store_event_at(ing->opt.store, at, &h, &err) != 0)
        return 0;
    bool begins = h.type == EVENT_GTID || h.type == EVENT_GTID_TAGGED || h.type == EVENT_ANONYMOUS_GTID;
    return begins ? at + h.length : 0;
}

/* What the source had executed when the dump began, without what is held; malloc'd, NULL when there is none. */
static char *missing_gtids(const struct ingest *ing, uint64_t *ret_count)
{
    struct gtid_set missing;
    char *text = NULL;
    gtid_set_init(&missing);
    if (gtid_set_copy(&missing, &ing->catch_up) == 0 &&
        gtid_set_subtract(&missing, store_gtid_appended(ing->opt.store)) == 0 && !gtid_set_is_empty(&missing)) {
        *ret_count = gtid_set_count(&missing);
        text = gtid_set_format(&missing);
    }
    gtid_set_fini(&missing);
    return text;
}

static void say_missing(struct ingest *ing, struct fault *f)
{
    const struct other_mode *m = &ing->other_mode;
    uint64_t n = 0;
    if (m->file[0] == '\0')
        return;
    if (f->code == FAULT_ANONYMOUS_REFUSED) {
        (void)fault_set(f, f->code,
                        "gtid_mode = ON: the source does not send its transactions without a GTID, and those from "
                        "%.200s:%" PRIu64 " on are not here",
                        m->file, m->at);
        return;
    }
    char *text = missing_gtids(ing, &n);
    (void)fault_set(f, f->code,
                    "gtid_mode = OFF: the source does not send its transactions with a GTID, and %" PRIu64
                    " from %.100s:%" PRIu64 " on are not here: %.200s",
                    n, m->file, m->at, text != NULL ? text : "(not known which)");
    free(text);
}

bool other_mode_goes_on(struct ingest *ing, struct fault *f)
{
    struct other_mode *m = &ing->other_mode;
    if (!m->seen)
        return false;
    m->seen = false;
    if (!m->held) {
        say_missing(ing, f);
        return false;
    }
    if (m->tried_in == ing->view.attempts && m->at <= m->tried_at)
        return false;
    m->next = behind(ing, m->at);
    if (m->next == 0)
        return false;
    m->tried_in = ing->view.attempts;
    m->tried_at = m->at;
    log_notice("ingest",
               "gtid_mode was changed on the source, which does not send the transaction at %s:%" PRIu64
               " again: what follows its first event is compared",
               m->file, m->at);
    return true;
}

void other_mode_go_on(struct ingest *ing, struct replica_start *start)
{
    struct other_mode *m = &ing->other_mode;
    m->seen = false;
    if (m->next != 0 && strcmp(start->held_file, m->file) == 0 && m->next <= start->held_end) {
        memcpy(start->file, m->file, sizeof start->file);
        start->pos = m->next;
        start->exact_list = true;
    }
    m->next = 0;
}

/* The files behind `file`, whose first transaction was refused, until the source sends one. f: why not, in the end. */
static int find_first(struct ingest *ing, char file[BINLOG_NAME_MAX + 1], struct fault *f)
{
    char next[BINLOG_NAME_MAX + 1];
    while (is_refusal(f->code) && !ingest_must_end(ing) && torn_next_name(file, next)) {
        if (dump_probe_first(ing, next, file, f) == 0) {
            memcpy(file, next, sizeof next);
            return LT_OK;
        }
        if (binlog_name_number(file) < binlog_name_number(next))
            memcpy(file, next, sizeof next);
    }
    return LT_EPROTO;
}

int other_mode_first(struct ingest *ing, struct replica_start *start, struct fault *f)
{
    struct source *conn = NULL;
    struct session_info info;
    struct fault why = {.code = FAULT_NONE};
    char file[BINLOG_NAME_MAX + 1] = "";
    int rc = ingest_connect(ing, &conn, &info, f);
    ingest_disconnect(ing, conn);
    if (rc != 0)
        return rc;
    if (info.mariadb || info.gtid_mode_permissive || dump_probe_first(ing, start->file, file, &why) == 0 ||
        !is_refusal(why.code))
        return LT_OK;
    enum fault_code code = why.code;
    rc = find_first(ing, file, &why);
    if (rc != 0)
        return fault_set(f, why.code, "%s", why.message);
    log_warn("ingest",
             "the source's files before %s hold transactions with%s GTIDs, which it does not send in gtid_mode = %s: "
             "this store begins with %s (to have them all, begin while gtid_mode is ON_PERMISSIVE or OFF_PERMISSIVE)",
             file, code == FAULT_GTID_REFUSED ? "" : "out", code == FAULT_GTID_REFUSED ? "OFF" : "ON", file);
    memcpy(start->file, file, sizeof start->file);
    return LT_OK;
}
