/*
 * It ends and begins between transactions only. A set's transactions are counted as they come: comparing the whole set after each would take as
 * long as the set is large.
 * Failure: out of memory while the set is followed makes it longer than asked for, never shorter.
 */
#include "client/span.h"

#include <stdio.h>
#include <string.h>

static int parse_any(const char *text, struct gtid_set *ret)
{
    int rc = gtid_set_parse(GTID_MYSQL, text, ret);
    return rc == LT_EPROTO ? gtid_set_parse(GTID_MARIADB, text, ret) : rc;
}

int span_init(struct span *s, const struct opts *opts)
{
    struct gtid_set held = {0};
    int rc = 0;
    *s = (struct span){.opts = opts, .begun = opts->from.kind != WHERE_TIME || opts->format == FORMAT_RAW};
    if (opts->until.kind == WHERE_POSITION)
        return place_parse(opts->until.text, &s->stop);
    if (opts->until.kind != WHERE_GTIDS)
        return 0;
    rc = parse_any(opts->until.text, &s->wanted);
    if (rc == 0 && opts->from.kind == WHERE_GTIDS)
        rc = parse_any(opts->from.text, &held);
    if (rc == 0 && gtid_set_subtract(&s->wanted, &held) == LT_ENOMEM)
        rc = LT_ENOMEM;
    gtid_set_fini(&held);
    s->missing = gtid_set_count(&s->wanted);
    return rc;
}

void span_fini(struct span *s)
{
    gtid_set_fini(&s->wanted);
    gtid_set_fini(&s->seen);
}

/* ---- a set ---- */

static void came(struct span *s, const char *text)
{
    struct gtid g;
    struct gtid_set one = {0};
    enum gtid_kind kind = s->wanted.kind;
    if (text[0] == '\0' || s->missing == 0 || gtid_parse(kind, text, &g) != 0)
        return;
    if (kind == GTID_MARIADB) { /* a number that is reached counts, and their sets are small */
        if (gtid_set_add(&one, &g) == 0 && gtid_set_subtract(&s->wanted, &one) == 0)
            s->missing = gtid_set_count(&s->wanted);
        gtid_set_fini(&one);
        return;
    }
    if (gtid_set_contains(&s->wanted, &g) && !gtid_set_contains(&s->seen, &g) && gtid_set_add(&s->seen, &g) == 0)
        s->missing--;
}

/* The list at a file's beginning: all of it lies before. */
static void listed(struct span *s, const struct binlogtail_event *ev)
{
    struct gtid_set list = {0};
    struct gtid_set left = {0};
    bool crc = ev->marks & BINLOGTAIL_CRC;
    int rc = ev->type == EVENT_PREVIOUS_GTIDS ? gtid_set_from_previous_gtids(ev->data, ev->length, crc, &list)
                                              : gtid_set_from_gtid_list(ev->data, ev->length, crc, &list);
    if (rc == 0 && gtid_set_subtract(&s->wanted, &list) == 0 && gtid_set_copy(&left, &s->wanted) == 0 &&
        gtid_set_subtract(&left, &s->seen) == 0)
        s->missing = gtid_set_count(&left);
    gtid_set_fini(&list);
    gtid_set_fini(&left);
}

/* ---- places ---- */

static void note_place(struct place *p, const struct binlogtail_position *pos, uint64_t offset)
{
    p->lineage = pos->lineage;
    p->offset = offset;
    if (strcmp(p->file, pos->file) != 0)
        (void)snprintf(p->file, sizeof p->file, "%s", pos->file);
}

static bool reached(const struct span *s, const struct binlogtail_position *pos, uint64_t offset)
{
    struct place p = {.lineage = pos->lineage, .offset = offset};
    (void)snprintf(p.file, sizeof p.file, "%s", pos->file);
    return place_compare(&p, &s->stop) >= 0;
}

/* ---- the judgement ---- */

/* Transactions only: what a server writes between them (checkpoints, file beginnings) has the time of its own clock. */
static bool begins_since(const struct binlogtail_event *ev, int64_t time_s)
{
    return ev->kind == BINLOGTAIL_EVENT && (ev->marks & BINLOGTAIL_TXN_BEGIN) && ev->time_s != 0 &&
           (int64_t)ev->time_s >= time_s;
}

static bool is_over(const struct span *s, const struct binlogtail_event *ev)
{
    switch (s->opts->until.kind) {
    case WHERE_POSITION:
        return reached(s, &ev->position, ev->position.offset);
    case WHERE_TIME:
        return begins_since(ev, s->opts->until.time_s);
    case WHERE_GTIDS:
        return s->missing == 0;
    case WHERE_NONE:
    case WHERE_LATEST:
    case WHERE_EARLIEST:
    default:
        return false;
    }
}

/* Nothing comes, and the source's clock is past the end. */
static bool time_is_over(const struct span *s, const struct binlogtail_event *ev)
{
    struct place durable = {0};
    if (s->opts->until.kind != WHERE_TIME || (int64_t)(ev->source_time_us / 1000000) <= s->opts->until.time_s)
        return false;
    note_place(&durable, &ev->durable, ev->durable.offset);
    return s->at.file[0] != '\0' && place_compare(&s->at, &durable) >= 0;
}

enum span_word span_before(struct span *s, const struct binlogtail_event *ev)
{
    bool event = ev->kind == BINLOGTAIL_EVENT;
    if (ev->kind == BINLOGTAIL_CONNECTED && s->stop.file[0] != '\0' && s->stop.lineage == 0)
        s->stop.lineage = ev->server->durable.lineage;
    if (ev->kind == BINLOGTAIL_HEARTBEAT)
        return !s->inside && time_is_over(s, ev) ? SPAN_END : SPAN_TAKE;
    if (!event && ev->kind != BINLOGTAIL_FILE_BEGIN)
        return SPAN_TAKE;
    if (event && (ev->marks & (BINLOGTAIL_TXN_BEGIN | BINLOGTAIL_TXN_CUT) || !(ev->marks & BINLOGTAIL_TXN_PART)))
        s->inside = false;
    if (!s->inside && !(ev->marks & BINLOGTAIL_RESUMED) && is_over(s, ev))
        return SPAN_END;
    if (!event)
        return SPAN_TAKE;
    if (!s->begun && !s->inside && begins_since(ev, s->opts->from.time_s))
        s->begun = true;
    return s->begun ? SPAN_TAKE : SPAN_PASS;
}

bool span_after(struct span *s, const struct binlogtail_event *ev)
{
    if (ev->kind == BINLOGTAIL_FILE_BEGIN)
        note_place(&s->at, &ev->position, ev->position.offset);
    if (ev->kind != BINLOGTAIL_EVENT)
        return false;
    note_place(&s->at, &ev->position, ev->end_offset);
    s->inside = (ev->marks & BINLOGTAIL_TXN_PART) != 0 && !(ev->marks & BINLOGTAIL_TXN_END);
    if (s->opts->until.kind == WHERE_GTIDS) {
        if (ev->type == EVENT_PREVIOUS_GTIDS || ev->type == EVENT_MARIADB_GTID_LIST)
            listed(s, ev);
        else if (ev->marks & BINLOGTAIL_TXN_END)
            came(s, ev->gtid);
        return !s->inside && s->missing == 0;
    }
    return s->opts->until.kind == WHERE_POSITION && !s->inside && reached(s, &ev->position, ev->end_offset);
}
