/*
 * A thin SQL client for tests over libmysqlclient: connect, execute, read values, and statements that may block.
 * It is not used by logtailer itself and knows nothing of replication.
 *
 * Layer: tests/support. Thread: one at a time per connection; while an sql_async runs, its connection belongs to it.
 * Errors: functions with "must" end the test with a message; the others return the server's error number (0 is success).
 * Units: milliseconds unless named.
 */
#ifndef LT_SUPPORT_SQL_H
#define LT_SUPPORT_SQL_H

#include "proc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;
struct sql_async;

/* Where to connect. A socket path wins over host and port. */
struct sql_target {
    const char *host;   /* NULL: 127.0.0.1 */
    uint16_t port;      /* used without socket */
    const char *socket; /* NULL: TCP */
    const char *user;   /* NULL: root */
    const char *password;
    const char *database;
    const char *ssl_ca;      /* not NULL: TLS, verified against this CA */
    unsigned read_timeout_s; /* 0: wait for ever, as a blocked commit needs */
};

/* All rows of an answer; cell(r, c) is at cells[r * columns + c], NULL for SQL NULL. */
struct sql_rows {
    char **cells;
    size_t rows;
    size_t columns;
};

/* NULL when it fails, with the reason in err (may be NULL). The connect time-out is a minute. */
struct sql *sql_open(const struct sql_target *target, char *err, size_t err_size);
/* As sql_open, ends the test on failure. */
struct sql *sql_must_open(const struct sql_target *target);
/* NULL is fine. */
void sql_close(struct sql *sql);

/* Run a statement and drop its rows. Returns the error number. */
unsigned sql_exec(struct sql *sql, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
void sql_must(struct sql *sql, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
/* The text of the last error of this connection. */
const char *sql_error(const struct sql *sql);

/* First column of the first row; NULL when there is none or it is NULL. The caller frees. */
char *sql_value(struct sql *sql, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
/* As sql_value, read as a number; -1 when there is no number. */
int64_t sql_number(struct sql *sql, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
struct sql_rows *sql_rows(struct sql *sql, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
/* The names of its columns, with commas; "error NUMBER" when it fails; "" without a result. The caller frees. */
char *sql_columns(struct sql *sql, const char *statement);
void sql_rows_free(struct sql_rows *rows);

bool sql_is_mariadb(const struct sql *sql);
/* The connection's thread id on the server. */
uint64_t sql_thread_id(const struct sql *sql);
/* Close the socket under a blocked statement, from any thread. */
void sql_abort(struct sql *sql);

/* A semi-sync status counter by the part of its name behind Rpl_semi_sync_source_ or Rpl_semi_sync_master_ ("yes_tx");
 * for ON and OFF the answer is 1 and 0; -1 when the server has none. */
int64_t sql_semi_status(struct sql *sql, const char *name);
/* Wait until the counter has at least this value; false on time-out. */
bool sql_semi_wait(struct sql *sql, const char *name, int64_t at_least, unsigned timeout_ms);
/* Set a semi-sync system variable by the part of its name behind rpl_semi_sync_source_ or _master_. */
void sql_semi_set(struct sql *sql, const char *name, const char *value);

/* Run a statement in a thread of its own. The connection is borrowed until sql_async_free. */
struct sql_async *sql_async_start(struct sql *sql, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
/* True when the statement has returned within the time. */
bool sql_async_wait(struct sql_async *as, unsigned timeout_ms);
/* The error number of a statement that has returned, and how long it took. */
unsigned sql_async_errno(const struct sql_async *as);
uint64_t sql_async_elapsed_ms(const struct sql_async *as);
/* Aborts the connection when the statement still blocks, joins the thread. NULL is fine. */
void sql_async_free(struct sql_async *as);

#endif
