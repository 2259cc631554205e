/*
 * Events as lines on stdout, for people or as JSON, filtered by database and table.
 *
 * Layer: client (program). Thread: main. Owns: what waits to be written, the table names.
 * Errors: printer_flush returns -1 with errno (EPIPE: the reader went away; EINTR: told to stop while a reader took nothing).
 *
 * With a filter a transaction appears only when one of its events matches, and then as: its beginning (GTID, BEGIN), its events that match
 * with what belongs to their statement, its end. Statements (not row events) match by the database they ran in; a table filter passes them over,
 * but for the table filter's database when it names one. What is compressed as a whole (Transaction_payload) cannot be judged and is shown.
 */
#ifndef LT_CLIENT_PRINTER_H
#define LT_CLIENT_PRINTER_H

#include <time.h>

#include "client/binlogtail_opts.h"
#include "client/tables.h"
#include "client/text.h"

struct printer {
    const struct opts *opts; /* borrowed */
    struct tables tables;
    struct text out;       /* to be written */
    struct text frame;     /* filter: the transaction's beginning, until something matches */
    struct text statement; /* filter: what came before a statement's row events */
    bool shown;            /* filter: the open transaction's beginning was shown */
    time_t clock_s;        /* of clock_text */
    char clock_text[24];
};

struct shown { /* what was found out about an event */
    const struct table_name *table;
    bool is_query;
    struct query_text query;
};

void printer_init(struct printer *p, const struct opts *opts);
void printer_fini(struct printer *p);
/* A binlog event, or a mark that is shown (others are passed over). */
void printer_event(struct printer *p, const struct binlogtail_event *ev);
/* Write what waits to stdout. Waits for a slow reader, until `stop` (may be NULL) says true after a signal. */
int printer_flush(struct printer *p, bool (*stop)(void));
#define PRINTER_FLUSH_AT (256u << 10)

/* ---- the formats ---- */
void printer_text(struct printer *p, struct text *t, const struct binlogtail_event *ev, const struct shown *s);
void printer_text_mark(struct printer *p, struct text *t, const struct binlogtail_event *ev);
void printer_json(struct printer *p, struct text *t, const struct binlogtail_event *ev, const struct shown *s);
void printer_json_mark(struct text *t, const struct binlogtail_event *ev);

#endif
