/*
 * One error number of a server stands for several situations with different cures. What the source has on show decides:
 * - "no such file": if it does not know our transactions, its history began anew; if its oldest file is later than ours, it purged;
 *   if its oldest file is older than ours and ours is not there, its history began anew as well.
 * - "position too large", a place inside an event, other bytes: the same file (by its format description) that is shorter now has lost transactions; another file is a new history.
 *   How many were lost says the list at the start of the file behind it, which a server writes when it starts after a crash.
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

static bool same_base(const char *a, const char *b)
{
    const char *dot_a = strrchr(a, '.');
    const char *dot_b = strrchr(b, '.');
    return dot_a != NULL && dot_b != NULL && dot_a - a == dot_b - b && memcmp(a, b, (size_t)(dot_a - a)) == 0;
}

void diagnose_missing(struct ingest *ing, struct fault *f)
{
    struct store_resume r;
    struct fault ignored;
    char first[BINLOG_NAME_MAX + 1];
    store_resume_point(ing->opt.store, &r);
    const struct store_seam *seam = store_seam(ing->opt.store);
    if (r.empty && seam == NULL) {
        (void)fault_set(f, ing->follow.active ? FAULT_PURGED : FAULT_START,
                        "%s names %.255s, which the source does not have",
                        ing->follow.active ? "the repoint" : "source.start",
                        ing->follow.active ? ing->follow.start_file : ing->opt.start);
        return;
    }
    const char *wanted = r.empty ? seam->file : r.ended ? r.next_file : r.file;
    if (!knows_ours(ing)) {
        (void)fault_set(f, FAULT_HISTORY_RESET,
                        "the source has no %.200s and does not know transactions that this store holds", wanted);
        return;
    }
    if (dump_probe(ing, "", NULL, first, NULL, NULL, &ignored) != 0)
        return;
    if (!same_base(first, wanted))
        (void)fault_set(
            f, FAULT_HISTORY_RESET,
            "the source's files have other names (%.100s) than the one this store needs (%.100s), and its GTIDs "
            "do not prove that they go on where it ends",
            first, wanted);
    else if (binlog_name_number(first) > binlog_name_number(wanted))
        (void)fault_set(f, FAULT_PURGED, "the source's oldest file is %.200s, this store needs %.200s", first, wanted);
    else
        (void)fault_set(f, FAULT_HISTORY_RESET, "the source's files begin with %.200s and do not reach %.200s", first,
                        wanted);
}

/* What the source had executed when it began the file behind `file`, or, where there is none, has executed now. */
static bool known_after(struct ingest *ing, const char *file, struct gtid_set *ret)
{
    char next[BINLOG_NAME_MAX + 1];
    struct probe_start start = {.have_list = false};
    struct source *conn = NULL;
    struct session_info info;
    struct fault ignored;
    bool known = false;
    gtid_set_init(&start.list);
    if (torn_next_name(file, next) && dump_probe_start(ing, next, &start, &ignored) == 0)
        known = start.have_list && gtid_set_copy(ret, &start.list) == 0;
    gtid_set_fini(&start.list);
    if (!known && ingest_connect(ing, &conn, &info, &ignored) == 0) {
        known = session_executed(conn, &info, ret, &ignored) == 0;
        ingest_disconnect(ing, conn);
    }
    return known;
}

static uint64_t highest_in_domain(const struct gtid_set *set, uint32_t domain_id)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < set->state_count; i++)
        if (set->states[i].domain_id == domain_id && set->states[i].seq > highest)
            highest = set->states[i].seq;
    return highest;
}

/* How many transactions `lost` stands for; on MariaDB by the numbers of each domain, which a primary gives out without holes. */
static uint64_t count_lost(const struct gtid_set *lost, const struct gtid_set *known)
{
    uint64_t n = 0;
    if (lost->kind != GTID_MARIADB)
        return gtid_set_count(lost);
    for (size_t i = 0; i < lost->state_count; i++) {
        uint32_t domain = lost->states[i].domain_id;
        uint64_t high = highest_in_domain(lost, domain);
        uint64_t low = highest_in_domain(known, domain);
        if (lost->states[i].seq == high) /* once for each domain */
            n += high > low ? high - low : 1;
    }
    return n;
}

/* The same file, shorter than here. */
static void say_shorter(struct ingest *ing, const struct store_resume *r, struct fault *f)
{
    struct gtid_set known;
    struct gtid_set lost;
    uint64_t n = 0;
    char *text = NULL;
    gtid_set_init(&known);
    gtid_set_init(&lost);
    if (known_after(ing, r->file, &known) && gtid_set_copy(&lost, store_gtid_appended(ing->opt.store)) == 0 &&
        gtid_set_subtract(&lost, &known) == 0) {
        n = count_lost(&lost, &known);
        text = gtid_set_format(&lost);
    }
    gtid_set_fini(&known);
    gtid_set_fini(&lost);
    if (n > 0)
        (void)fault_set(
            f, FAULT_AHEAD,
            "%.100s is shorter on the source than the %llu bytes stored here: it lost %llu transaction%s, up to %.160s",
            r->file, (unsigned long long)r->end, (unsigned long long)n, n == 1 ? "" : "s", text != NULL ? text : "?");
    else
        (void)fault_set(f, FAULT_AHEAD, "%.200s is shorter on the source than the %llu bytes stored here", r->file,
                        (unsigned long long)r->end);
    free(text);
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
            say_shorter(ing, &r, f);
    }
    free(theirs);
    free(ours);
}
