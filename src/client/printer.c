/* Happy path: look at the event, format it into `out` (or hold it back), write when the caller says. */
#include "client/printer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binlog/event.h"

void printer_init(struct printer *p, const struct opts *opts)
{
    *p = (struct printer){.opts = opts, .clock_s = (time_t)-1};
}

void printer_fini(struct printer *p)
{
    tables_fini(&p->tables);
    text_fini(&p->out);
    text_fini(&p->frame);
    text_fini(&p->statement);
}

int printer_flush(struct printer *p, bool (*stop)(void))
{
    size_t done = 0;
    if (p->out.failed || p->frame.failed || p->statement.failed) {
        errno = ENOMEM;
        return -1;
    }
    while (done < p->out.len) {
        ssize_t n = write(STDOUT_FILENO, p->out.data + done, p->out.len - done);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
        if (done < p->out.len && stop != NULL && stop()) {
            errno = EINTR;
            return -1;
        }
    }
    text_clear(&p->out);
    return 0;
}

/* ---- filter ---- */

/* % is any number of bytes; \% is one. After a mismatch only the last % is tried anew: what stands before it fits as early as it can. */
static bool name_is(const char *want, const char *name, size_t len)
{
    const char *again = NULL;
    size_t from = 0;
    size_t i = 0;
    if (want == NULL)
        return true;
    for (;;) {
        bool literal = want[0] == '\\' && want[1] == '%';
        if (*want == '%') {
            again = ++want;
            from = i;
        } else if (i < len && *want != '\0' && want[literal] == name[i]) {
            want += literal ? 2 : 1;
            i++;
        } else if (i == len && *want == '\0') {
            return true;
        } else if (again != NULL && from < len) {
            want = again;
            i = ++from;
        } else {
            return false;
        }
    }
}

static bool table_matches(const struct opts *o, const struct table_name *t)
{
    for (size_t i = 0; i < o->n_filters; i++) {
        const struct opts_filter *f = &o->filters[i];
        if (name_is(f->database, t->database, strlen(t->database)) && name_is(f->table, t->table, strlen(t->table)))
            return true;
    }
    return false;
}

static bool query_matches(const struct opts *o, const struct query_text *q)
{
    for (size_t i = 0; i < o->n_filters; i++) {
        const struct opts_filter *f = &o->filters[i];
        if (f->database != NULL && f->table == NULL && name_is(f->database, q->database, q->database_len))
            return true;
    }
    return false;
}

static bool matches(const struct printer *p, const struct binlogtail_event *ev, const struct shown *s)
{
    if (ev->type == EVENT_TRANSACTION_PAYLOAD)
        return true;
    if (s->table != NULL)
        return table_matches(p->opts, s->table);
    return s->is_query && query_matches(p->opts, &s->query);
}

/* Events that say something about the statement that follows. */
static bool leads_a_statement(uint8_t type)
{
    return type == EVENT_BEGIN_LOAD_QUERY || type == EVENT_APPEND_BLOCK || type == EVENT_INTVAR || type == EVENT_RAND ||
           type == EVENT_USER_VAR || type == EVENT_ROWS_QUERY || type == EVENT_MARIADB_ANNOTATE_ROWS;
}

static bool is_begin(const struct binlogtail_event *ev, const struct shown *s)
{
    enum query_kind kind;
    return s->is_query && event_query_kind(ev->data, ev->length, ev->length, ev->marks & BINLOGTAIL_CRC, &kind) == 0 &&
           (kind == QUERY_BEGIN || kind == QUERY_XA_START);
}

static void format(struct printer *p, struct text *t, const struct binlogtail_event *ev, const struct shown *s)
{
    if (p->opts->format == FORMAT_JSON)
        printer_json(p, t, ev, s);
    else
        printer_text(p, t, ev, s);
}

static void filtered(struct printer *p, const struct binlogtail_event *ev, const struct shown *s)
{
    if (ev->marks & (BINLOGTAIL_TXN_BEGIN | BINLOGTAIL_TXN_CUT)) {
        text_clear(&p->frame);
        text_clear(&p->statement);
        p->shown = false;
    }
    bool whole = (ev->marks & BINLOGTAIL_TXN_END) && (ev->marks & BINLOGTAIL_TXN_BEGIN);
    bool framing = !whole && ((ev->marks & BINLOGTAIL_TXN_BEGIN) || is_begin(ev, s));
    if (framing) {
        format(p, p->shown ? &p->out : &p->frame, ev, s);
    } else if (matches(p, ev, s)) {
        text_move(&p->out, &p->frame);
        text_move(&p->out, &p->statement);
        p->shown = (ev->marks & BINLOGTAIL_TXN_PART) != 0;
        format(p, &p->out, ev, s);
    } else if (leads_a_statement(ev->type)) {
        format(p, &p->statement, ev, s);
    } else if ((ev->marks & BINLOGTAIL_TXN_END) && p->shown) {
        format(p, &p->out, ev, s);
    } else if (ev->type != EVENT_TABLE_MAP) {
        text_clear(&p->statement); /* of a statement that does not match */
    }
    if (ev->marks & BINLOGTAIL_TXN_END)
        p->shown = false;
}

/* ---- all ---- */

static bool is_shown_mark(const struct printer *p, const struct binlogtail_event *ev)
{
    switch (ev->kind) {
    case BINLOGTAIL_LINEAGE:
    case BINLOGTAIL_FILE_END:
    case BINLOGTAIL_END:
        return true;
    case BINLOGTAIL_FILE_BEGIN:
        return !(ev->marks & BINLOGTAIL_RESUMED);
    case BINLOGTAIL_HEARTBEAT:
        return p->opts->heartbeats;
    case BINLOGTAIL_CONNECTED:
    case BINLOGTAIL_DISCONNECTED:
    case BINLOGTAIL_EVENT:
    case BINLOGTAIL_CAUGHT_UP:
    case BINLOGTAIL_COMMITTED:
    default:
        return false;
    }
}

static void mark(struct printer *p, const struct binlogtail_event *ev)
{
    if (ev->kind == BINLOGTAIL_FILE_BEGIN && !(ev->marks & BINLOGTAIL_RESUMED))
        tables_reset(&p->tables);
    if (!is_shown_mark(p, ev))
        return;
    if (p->opts->format == FORMAT_JSON)
        printer_json_mark(&p->out, ev);
    else
        printer_text_mark(p, &p->out, ev);
}

void printer_event(struct printer *p, const struct binlogtail_event *ev)
{
    struct shown s = {0};
    if (ev->kind != BINLOGTAIL_EVENT) {
        mark(p, ev);
        return;
    }
    s.table = tables_look(&p->tables, ev->type, ev->data, ev->length);
    s.is_query = tables_query(ev->type, ev->data, ev->length, ev->marks & BINLOGTAIL_CRC, &s.query);
    if (p->opts->n_filters > 0)
        filtered(p, ev, &s);
    else
        format(p, &p->out, ev, &s);
}
