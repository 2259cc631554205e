/*
 * One round of questions to a primary: statements, and what their rows mean. Private to the monitor.
 *
 * Layer: ops/watch. Thread: the monitor's. Blocking, each statement bounded by the connection's time-outs.
 * Errors: non-zero when the connection is gone or does not answer, with a text. A statement that the server refuses (a missing privilege, an
 *   unknown name) is no error: what it would have told stays unknown.
 */
#ifndef LT_OPS_MONITOR_ASK_H
#define LT_OPS_MONITOR_ASK_H

#include "ops/watch/monitor.h"

/* After a connect: who it is, when it started, what the account may. */
int monitor_ask_identity(struct source *s, struct monitor_view *v, struct lt_err *err) LT_MUST_CHECK;
/* round: from 0 after each connect; what changes seldom is asked only in some. user: our account. */
int monitor_ask(struct source *s, unsigned round, const char *user, struct monitor_view *v,
                struct lt_err *err) LT_MUST_CHECK;

/* MySQL: view.written, when it is due. */
int monitor_ask_written(struct source *s, struct monitor_view *v, struct lt_err *err) LT_MUST_CHECK;
/* *ret_refused: the server answered with an error. */
int monitor_query(struct source *s, const char *sql, source_row_fn fn, void *arg, bool *ret_refused,
                  struct lt_err *err) LT_MUST_CHECK;

/* One line of SHOW GRANTS. */
struct monitor_grants {
    bool replication_slave;
    bool process;
    bool roles;   /* privileges may come by roles, which the line does not tell */
    uint64_t sum; /* of all lines */
};
void monitor_read_grant(const char *line, struct monitor_grants *g);
/* Asked in some rounds: the view has what is granted now; true when that is not what it was. Privileges count from a login on. */
bool monitor_grants_changed(struct source *s, unsigned round, struct monitor_view *v);

/* The earliest end of validity in a PEM file, seconds since the epoch; 0 when there is none to read. */
int64_t monitor_cert_not_after(const char *path);

#endif
