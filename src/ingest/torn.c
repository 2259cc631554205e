/*
 * - The dump ended in the file that is held, at its end: what is held came again and was equal. Or in one of which nothing came.
 * - What stands behind it is no event: the source says so, or sends a wrong checksum at one place for ever, or an event of another place (a block of the
 *   disk that held an older file).
 * - The following names are asked for one by one, from their start, until one can be read; its format description and list of GTIDs decide.
 * - What was proved holds for the very next dump, which demands the same list again: between the two connections the address may have moved.
 * Failure modes: no next file (the source was not restarted yet), a source that does not answer: the dump's fault stands, and the next attempt looks
 *   again. A list with more than is held: a gap. One with less: the source lost what is held, which diagnose.c counts.
 */
#include "ingest/torn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ingest/ingest_internal.h"

#define ERR_FATAL_READ  1236
#define WORDS_TRUNCATED "binlog truncated in the middle of event"

bool torn_is_told_by(unsigned code, const char *text)
{
    static const char *const words[] = {
        WORDS_TRUNCATED,
        "bogus data in log event",                     /* zeros, or a length that cannot be */
        "log event entry exceeded max_allowed_packet", /* anything that reads as a large length */
        "did not pass crc check",                      /* master_verify_checksum = ON */
        "event decryption failure",                    /* encrypted, and torn */
    };
    if (code != ERR_FATAL_READ)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

/* A wrong checksum may be the wire's doing; at the same place for the third time it is what the source has. */
static bool is_corrupt_for_good(const struct ingest *ing, const struct fault *f)
{
    return f->code == FAULT_CORRUPT && ing->corrupt_count + 1 >= INGEST_CORRUPT_LIMIT &&
           strcmp(f->message, ing->corrupt_at) == 0;
}

void torn_note(struct ingest *ing, const struct stream *st, const struct fault *f)
{
    struct torn_end *t = &ing->torn;
    const struct replica *r = &st->replica;
    t->seen = false;
    if (!ing->view.source.mariadb) /* MySQL cuts its file, and may have transactions without GTIDs */
        return;
    if (!st->unreadable && !r->misplaced && !is_corrupt_for_good(ing, f))
        return;
    if (r->state != REPLICA_EVENTS && r->state != REPLICA_AWAIT_FDE)
        return; /* nothing is expected behind a Rotate or Stop */
    t->seen = true;
    t->begun = r->state == REPLICA_EVENTS;
    t->truncated = strstr(f->message, WORDS_TRUNCATED) != NULL;
    memcpy(t->file, r->file, sizeof t->file);
    t->end = r->offset;
}

bool torn_next_name(const char *name, char ret[BINLOG_NAME_MAX + 1])
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL)
        return false;
    int base = (int)(dot - name);
    int n = snprintf(ret, BINLOG_NAME_MAX + 1, "%.*s.%0*" PRIu64, base, name, (int)strlen(dot + 1),
                     binlog_name_number(name) + 1);
    return n > 0 && n <= BINLOG_NAME_MAX && binlog_name_follows(name, ret);
}

/* Does the store stand where the dump ended? *ret_short: it holds more of the file than the source can read. */
static bool store_stands_there(const struct torn_end *t, const struct store_resume *r, bool *ret_short)
{
    *ret_short = false;
    if (r->empty)
        return false;
    if (!t->begun) /* nothing of it came; what comes before it is held to its end */
        return t->end == BINLOG_MAGIC_LEN &&
               (r->ended ? strcmp(t->file, r->next_file) == 0 : binlog_name_follows(r->file, t->file));
    *ret_short = strcmp(t->file, r->file) == 0 && t->end < r->end;
    return strcmp(t->file, r->file) == 0 && t->end == r->end && !r->ended;
}

/* The first file behind `file` that can be read. False: none; *f says why of the last one asked for. */
static bool find_next(struct ingest *ing, const char *file, struct probe_start *ret, struct fault *f)
{
    char name[BINLOG_NAME_MAX + 1];
    char after[BINLOG_NAME_MAX + 1];
    memcpy(after, file, sizeof after);
    for (int i = 0; i < TORN_FILES_MAX && torn_next_name(after, name); i++) {
        gtid_set_clear(&ret->list);
        if (dump_probe_start(ing, name, ret, f) == 0)
            return strcmp(ret->file, name) == 0;
        if (!ret->unreadable || ingest_must_end(ing))
            return false;
        memcpy(after, name, sizeof after);
    }
    return false;
}

static char *missing_text(const struct gtid_set *listed, const struct gtid_set *ours)
{
    struct gtid_set d;
    char *text = NULL;
    gtid_set_init(&d);
    if (gtid_set_copy(&d, listed) == 0 && gtid_set_subtract(&d, ours) == 0)
        text = gtid_set_format(&d);
    gtid_set_fini(&d);
    return text;
}

/* The next file begins after transactions that were never sent: lost, where the file is over; else the dump's fault names what ails it. */
static void say_missing(const struct torn_end *t, const struct probe_start *next, const struct gtid_set *ours,
                        struct fault *f)
{
    char *text = missing_text(&next->list, ours);
    const char *words = text != NULL ? text : "(no memory to list them)";
    if (t->truncated)
        (void)fault_set(f, FAULT_GAP,
                        "%.100s is torn at %" PRIu64
                        " on the source, and %.100s begins after transactions that this store never got: %.120s",
                        t->file, t->end, next->file, words);
    else
        log_info("ingest", "%s begins after transactions that lie behind the place that cannot be read: %.300s",
                 next->file, words);
    free(text);
}

static bool judge_next(struct ingest *ing, const struct probe_start *next, struct fault *f)
{
    struct torn_end *t = &ing->torn;
    const struct gtid_set *ours = store_gtid_appended(ing->opt.store);
    if (!next->have_list || !next->mariadb)
        return false;
    if (!gtid_set_contains_set(ours, &next->list)) {
        say_missing(t, next, ours, f);
        return false;
    }
    if (!gtid_set_equal(ours, &next->list)) {
        (void)fault_set(f, FAULT_AHEAD, "%.100s begins before transactions that this store holds", next->file);
        return false;
    }
    if (!next->after_start) {
        log_info("ingest", "%s was not the first file of a server's run: %s was ended by a rotation and is damaged",
                 next->file, t->file);
        return false;
    }
    return true;
}

static void remember_proved(struct torn_end *t, const char *next)
{
    log_warn("ingest",
             "%s ends inside an event at %" PRIu64
             " on the source, which was killed in a write: %s begins with all that is stored here, so nothing is "
             "missing; the file ends there, going on with %s",
             t->file, t->end, next, next);
    memcpy(t->next, next, sizeof t->next);
    memcpy(t->proved_file, t->file, sizeof t->proved_file);
    t->proved_end = t->end;
}

bool torn_end_proved(struct ingest *ing, struct fault *f)
{
    struct torn_end *t = &ing->torn;
    struct store_resume r;
    struct probe_start next = {.have_list = false};
    struct fault why = {.code = FAULT_NONE};
    bool shorter = false;
    if (!t->seen)
        return false;
    t->seen = false;
    store_resume_point(ing->opt.store, &r);
    bool there = store_stands_there(t, &r, &shorter);
    if (shorter && t->truncated) /* else what is unreadable may be rot, not an end */
        (void)fault_set(f, FAULT_AHEAD, "%.200s ends at %" PRIu64 " on the source, this store holds it up to %" PRIu64,
                        t->file, t->end, r.end);
    if (!there)
        return false;
    if (strcmp(t->file, t->proved_file) == 0 && t->end == t->proved_end) {
        t->proved_file[0] = '\0'; /* it led nowhere: with a pause */
        return false;
    }
    gtid_set_init(&next.list);
    bool found = find_next(ing, t->file, &next, &why);
    if (!found && why.code != FAULT_NONE)
        log_info("ingest", "no file behind %s tells whether anything is missing: %s", t->file, why.message);
    bool proved = found && judge_next(ing, &next, f);
    if (proved)
        remember_proved(t, next.file);
    gtid_set_fini(&next.list);
    return proved;
}

void torn_go_on(struct ingest *ing, struct replica_start *start)
{
    struct torn_end *t = &ing->torn;
    t->seen = false;
    if (t->next[0] == '\0')
        return;
    bool same = t->begun ? strcmp(start->held_file, t->file) == 0 && start->held_end == t->end
                         : start->held_file[0] != '\0' &&
                               binlog_name_number(start->held_file) + 1 == binlog_name_number(t->file);
    if (same) {
        memcpy(start->file, t->next, sizeof start->file);
        start->pos = BINLOG_MAGIC_LEN;
        start->exact_list = true;
    }
    t->next[0] = '\0';
}
