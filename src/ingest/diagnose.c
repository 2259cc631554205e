/*
 * One error number of a server stands for several situations with different cures. What the source has on show decides:
 * - "no such file": if it does not know our transactions, its history began anew; if its oldest file is later than ours, it purged;
 *   if its oldest file is older than ours and ours is not there, its history began anew as well.
 * - "position too large", a place inside an event, other bytes: the same file (by its format description) that is shorter now has lost transactions; another file is a new history.
 * A look that fails leaves the fault as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

/* Does the source know all that we executed? true also when it cannot be asked. */
static bool knows_ours(struct ingest *ing)
{
    struct source *conn = NULL;
    struct session_info info;
    struct fault ignored;
    struct gtid_set theirs;
    bool knows = true;
    gtid_set_init(&theirs);
    if (ingest_connect(ing, &conn, &info, &ignored) == 0) {
        if (session_executed(conn, &info, &theirs, &ignored) == 0)
            knows = gtid_set_contains_set(&theirs, store_gtid_appended(ing->opt.store));
        ingest_disconnect(ing, conn);
    }
    gtid_set_fini(&theirs);
    return knows;
}

void diagnose_missing(struct ingest *ing, struct fault *f)
{
    struct store_resume r;
    struct fault ignored;
    char first[BINLOG_NAME_MAX + 1];
    store_resume_point(ing->opt.store, &r);
    if (r.empty) {
        (void)fault_set(f, FAULT_GAP, "%s names %.255s, which the source does not have",
                        ing->follow.active ? "the repoint" : "source.start",
                        ing->follow.active ? ing->follow.start_file : ing->opt.start);
        return;
    }
    const char *wanted = r.ended ? r.next_file : r.file;
    if (!knows_ours(ing)) {
        (void)fault_set(f, FAULT_HISTORY_RESET,
                        "the source has no %.200s and does not know transactions that this store holds", wanted);
        return;
    }
    if (dump_probe(ing, "", NULL, first, NULL, NULL, &ignored) != 0)
        return;
    if (binlog_name_number(first) > binlog_name_number(wanted))
        (void)fault_set(f, FAULT_PURGED, "the source's oldest file is %.200s, this store needs %.200s", first, wanted);
    else
        (void)fault_set(f, FAULT_HISTORY_RESET, "the source's files begin with %.200s and do not reach %.200s", first,
                        wanted);
}

void diagnose_file(struct ingest *ing, struct fault *f)
{
    struct store_resume r;
    struct fault ignored;
    struct lt_err err;
    char file[BINLOG_NAME_MAX + 1];
    uint8_t *theirs = NULL;
    uint8_t *ours = NULL;
    size_t theirs_len = 0;
    size_t ours_len = 0;
    store_resume_point(ing->opt.store, &r);
    if (r.empty)
        return;
    if (dump_probe(ing, r.file, NULL, file, &theirs, &theirs_len, &ignored) != 0) {
        log_info("ingest", "no closer look at the source's %.200s: %s", r.file, ignored.message);
        return;
    }
    if (store_read_fde(ing->opt.store, &ours, &ours_len, &err) == 0) {
        if (!event_fde_same_file(ours, ours_len, theirs, theirs_len))
            (void)fault_set(
                f, FAULT_HISTORY_RESET,
                "%.200s on the source is another file than the one stored here: their format descriptions differ",
                r.file);
        else if (f->code == FAULT_AHEAD)
            (void)fault_set(f, FAULT_AHEAD, "%.200s is shorter on the source than the %llu bytes stored here", r.file,
                            (unsigned long long)r.end);
    }
    free(theirs);
    free(ours);
}
