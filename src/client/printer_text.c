/*
 * Lines for people:
 *
 *     2026-11-25 02:41:16      1  mysql-bin.000003:1234         42  Gtid                0-1-100
 *     2026-11-25 02:41:16      1  mysql-bin.000003:1276         51    Table_map         shop.orders
 *
 * time, server id, position, size, type (moved right inside a transaction), and what it is about. Lines that begin with # are not events.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "binlog/event.h"
#include "client/printer.h"

#define STATEMENT_SHOWN 1000

static const char *clock_text(struct printer *p, time_t s)
{
    struct tm tm;
    if (s == p->clock_s)
        return p->clock_text;
    if ((p->opts->utc ? gmtime_r(&s, &tm) : localtime_r(&s, &tm)) == NULL ||
        strftime(p->clock_text, sizeof p->clock_text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(p->clock_text, sizeof p->clock_text, "%" PRId64, (int64_t)s);
    p->clock_s = s;
    return p->clock_text;
}

/* The words a statement begins with, at most two: what it does, and nothing that could be secret. */
static size_t leading_words(const char *statement, size_t len)
{
    size_t n = 0;
    for (unsigned words = 0; n < len && words < 2; n++) {
        char ch = statement[n];
        if (ch == ' ' && ++words < 2)
            continue;
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')))
            break;
    }
    return n > 0 && statement[n - 1] == ' ' ? n - 1 : n;
}

static void add_query(struct printer *p, struct text *t, const struct query_text *q)
{
    size_t shown = q->statement != NULL ? leading_words(q->statement, q->statement_len) : 0;
    if (q->database_len > 0 && q->statement_len > strlen("ROLLBACK")) {
        text_add_plain(t, q->database, q->database_len, SIZE_MAX);
        text_add(t, ": ", 2);
    }
    if (p->opts->statements && q->statement != NULL)
        text_add_plain(t, q->statement, q->statement_len, STATEMENT_SHOWN);
    else
        text_add_plain(t, q->statement, shown, SIZE_MAX);
}

static void add_detail(struct printer *p, struct text *t, const struct binlogtail_event *ev, const struct shown *s)
{
    if (s->table != NULL) {
        text_add_plain(t, s->table->database, strlen(s->table->database), SIZE_MAX);
        text_add(t, ".", 1);
        text_add_plain(t, s->table->table, strlen(s->table->table), SIZE_MAX);
    } else if (s->is_query) {
        add_query(p, t, &s->query);
    } else if (ev->type == EVENT_ROTATE) {
        struct event_rotate r;
        if (event_rotate_parse(ev->data, ev->length, ev->marks & BINLOGTAIL_CRC, &r) == 0)
            text_printf(t, "next is %s", r.name);
    } else if (ev->type == EVENT_FORMAT_DESCRIPTION) {
        struct event_fde f;
        if (event_fde_parse(ev->data, ev->length, &f) == 0)
            text_printf(t, "%s, checksum %s", f.server_version, f.checksum == CHECKSUM_CRC32 ? "CRC32" : "NONE");
    } else if (strcmp(ev->type_name, "Unknown") == 0) {
        text_printf(t, "type %u", ev->type);
    }
}

void printer_text(struct printer *p, struct text *t, const struct binlogtail_event *ev, const struct shown *s)
{
    char where[BINLOG_NAME_MAX + 24];
    bool inside = (ev->marks & BINLOGTAIL_TXN_PART) && !(ev->marks & BINLOGTAIL_TXN_BEGIN);
    (void)snprintf(where, sizeof where, "%s:%" PRIu64, ev->position.file, ev->position.offset);
    if (ev->marks & BINLOGTAIL_TXN_CUT)
        text_printf(t, "# the transaction before this was never finished\n");
    size_t begin = t->len;
    text_printf(t, "%s %6" PRIu32 "  %-28s %9zu  %s%-*s ", clock_text(p, (time_t)ev->time_s), ev->server_id, where,
                ev->length, inside ? "  " : "", inside ? 18 : 20, ev->type_name);
    if ((ev->marks & BINLOGTAIL_TXN_BEGIN) && ev->gtid[0] != '\0')
        text_printf(t, "%s ", ev->gtid);
    add_detail(p, t, ev, s);
    /* The line as a whole: names of files and of servers come from outside, too. */
    text_make_plain(t, begin, t->len - begin);
    while (t->len > begin && t->data[t->len - 1] == ' ')
        t->len--;
    text_add(t, "\n", 1);
}

static void add_mark(struct printer *p, struct text *t, const struct binlogtail_event *ev)
{
    const struct binlogtail_position *pos = &ev->position;
    switch (ev->kind) {
    case BINLOGTAIL_LINEAGE:
        text_printf(t, "# NEW HISTORY: lineage %" PRIu32 " of source %s begins; transactions may come again",
                    pos->lineage, pos->source_id);
        return;
    case BINLOGTAIL_FILE_BEGIN:
        text_printf(t, "# file %s of lineage %" PRIu32 " (%s %s), from offset %" PRIu64 "", pos->file, pos->lineage,
                    ev->flavor, pos->source_id, pos->offset);
        return;
    case BINLOGTAIL_FILE_END:
        if (ev->aborted || (ev->marks & BINLOGTAIL_TXN_CUT))
            text_printf(t, "# file %s ends inside a transaction that was never finished", pos->file);
        return;
    case BINLOGTAIL_HEARTBEAT:
        text_printf(t, "# heartbeat %s: durable to %s:%" PRIu64 "",
                    clock_text(p, (time_t)(ev->server_time_us / 1000000)), ev->durable.file, ev->durable.offset);
        return;
    case BINLOGTAIL_CONNECTED:
    case BINLOGTAIL_DISCONNECTED:
    case BINLOGTAIL_EVENT:
    case BINLOGTAIL_CAUGHT_UP:
    case BINLOGTAIL_COMMITTED:
    case BINLOGTAIL_END:
    default:
        return;
    }
}

void printer_text_mark(struct printer *p, struct text *t, const struct binlogtail_event *ev)
{
    size_t begin = t->len;
    add_mark(p, t, ev);
    if (t->len == begin)
        return;
    text_make_plain(t, begin, t->len - begin);
    text_add(t, "\n", 1);
}
