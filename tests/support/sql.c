/*
 * Happy path: sql_open → sql_exec / sql_value / sql_rows; a statement expected to block runs through sql_async.
 * Failure: the text of the server's error stays in the connection, the number is the result.
 */
#include "sql.h"

#include <errno.h>
#include <mysql.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct sql {
    MYSQL *my;
    char err[512];
    bool mariadb;
};

struct sql_async {
    struct sql *sql;
    char *statement;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    unsigned error;
    uint64_t started_ms;
    uint64_t elapsed_ms;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
    /* The library's own first-use start is not safe from several threads at once. */
    if (mysql_library_init(0, NULL, NULL) != 0)
        proc_die("libmysqlclient does not start");
}

static void copy_text(char *to, size_t size, const char *from)
{
    if (to != NULL && size > 0)
        (void)snprintf(to, size, "%s", from);
}

static void set_tls(MYSQL *my, const struct sql_target *target)
{
    my_bool on = 1;
    if (target->ssl_ca == NULL)
        return;
    (void)mysql_ssl_set(my, NULL, NULL, target->ssl_ca, NULL, NULL);
    (void)mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
}

struct sql *sql_open(const struct sql_target *target, char *err, size_t err_size)
{
    (void)pthread_once(&library_once, library_start);
    struct sql *sql = calloc(1, sizeof(*sql));
    MYSQL *my = mysql_init(NULL);
    if (sql == NULL || my == NULL)
        proc_die("out of memory");
    unsigned connect_s = 60;
    (void)mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    if (target->read_timeout_s != 0)
        (void)mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &target->read_timeout_s);
    set_tls(my, target);
    const char *host = target->host != NULL ? target->host : "127.0.0.1";
    const char *user = target->user != NULL ? target->user : "root";
    const char *password = target->password != NULL ? target->password : "";
    if (mysql_real_connect(my, target->socket != NULL ? NULL : host, user, password, target->database, target->port,
                           target->socket, 0) == NULL) {
        copy_text(err, err_size, mysql_error(my));
        mysql_close(my);
        free(sql);
        return NULL;
    }
    sql->my = my;
    sql->mariadb = strstr(mysql_get_server_info(my), "MariaDB") != NULL;
    return sql;
}

struct sql *sql_must_open(const struct sql_target *target)
{
    char err[512];
    struct sql *sql = sql_open(target, err, sizeof(err));
    if (sql == NULL)
        proc_die("cannot connect: %s", err);
    return sql;
}

void sql_close(struct sql *sql)
{
    if (sql == NULL)
        return;
    mysql_close(sql->my);
    free(sql);
}

bool sql_is_mariadb(const struct sql *sql)
{
    return sql->mariadb;
}

uint64_t sql_thread_id(const struct sql *sql)
{
    return mysql_thread_id(sql->my);
}

const char *sql_error(const struct sql *sql)
{
    return sql->err;
}

void sql_abort(struct sql *sql)
{
    (void)shutdown((int)mysql_get_socket(sql->my), SHUT_RDWR);
}

/* Run one statement; rows of every result go to *ret_rows (the last result that has columns) or are dropped. */
static unsigned run(struct sql *sql, const char *statement, struct sql_rows **ret_rows);

__attribute__((format(printf, 1, 0))) static char *format_statement(const char *fmt, va_list ap)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        proc_die("out of memory");
    return text;
}

static struct sql_rows *collect(MYSQL_RES *res)
{
    struct sql_rows *rows = calloc(1, sizeof(*rows));
    if (rows == NULL)
        proc_die("out of memory");
    rows->columns = mysql_num_fields(res);
    rows->rows = mysql_num_rows(res);
    rows->cells = calloc(rows->rows * rows->columns + 1, sizeof(*rows->cells));
    if (rows->cells == NULL)
        proc_die("out of memory");
    for (size_t r = 0; r < rows->rows; r++) {
        MYSQL_ROW row = mysql_fetch_row(res);
        for (size_t c = 0; c < rows->columns; c++)
            rows->cells[r * rows->columns + c] = row[c] != NULL ? proc_fmt("%s", row[c]) : NULL;
    }
    return rows;
}

static unsigned run(struct sql *sql, const char *statement, struct sql_rows **ret_rows)
{
    sql->err[0] = '\0';
    if (mysql_real_query(sql->my, statement, strlen(statement)) != 0) {
        copy_text(sql->err, sizeof(sql->err), mysql_error(sql->my));
        return mysql_errno(sql->my);
    }
    MYSQL_RES *res = mysql_store_result(sql->my);
    unsigned error = mysql_errno(sql->my);
    if (error != 0)
        copy_text(sql->err, sizeof(sql->err), mysql_error(sql->my));
    if (res != NULL && ret_rows != NULL)
        *ret_rows = collect(res);
    mysql_free_result(res);
    return error;
}

unsigned sql_exec(struct sql *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *statement = format_statement(fmt, ap);
    va_end(ap);
    unsigned error = run(sql, statement, NULL);
    free(statement);
    return error;
}

void sql_must(struct sql *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *statement = format_statement(fmt, ap);
    va_end(ap);
    if (run(sql, statement, NULL) != 0)
        proc_die("%.200s: %s", statement, sql->err);
    free(statement);
}

/* The first cell, taken out of an answer. */
static char *first_cell(struct sql *sql, const char *statement)
{
    struct sql_rows *rows = NULL;
    if (run(sql, statement, &rows) != 0 || rows == NULL)
        return NULL;
    char *value = NULL;
    if (rows->rows > 0 && rows->columns > 0) {
        value = rows->cells[0];
        rows->cells[0] = NULL;
    }
    sql_rows_free(rows);
    return value;
}

static int64_t to_number(const char *text)
{
    if (text == NULL)
        return -1;
    if (strcmp(text, "ON") == 0)
        return 1;
    if (strcmp(text, "OFF") == 0)
        return 0;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno != 0 || end == text || *end != '\0' ? -1 : n;
}

char *sql_value(struct sql *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *statement = format_statement(fmt, ap);
    va_end(ap);
    char *value = first_cell(sql, statement);
    free(statement);
    return value;
}

int64_t sql_number(struct sql *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *statement = format_statement(fmt, ap);
    va_end(ap);
    char *value = first_cell(sql, statement);
    int64_t n = to_number(value);
    free(value);
    free(statement);
    return n;
}

struct sql_rows *sql_rows(struct sql *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *statement = format_statement(fmt, ap);
    va_end(ap);
    struct sql_rows *rows = NULL;
    (void)run(sql, statement, &rows);
    free(statement);
    return rows;
}

char *sql_columns(struct sql *sql, const char *statement)
{
    if (mysql_real_query(sql->my, statement, strlen(statement)) != 0)
        return proc_fmt("error %u", mysql_errno(sql->my));
    MYSQL_RES *res = mysql_store_result(sql->my);
    char *names = proc_fmt("%s", "");
    for (unsigned i = 0; res != NULL && i < mysql_num_fields(res); i++) {
        char *longer = proc_fmt("%s%s%s", names, i > 0 ? "," : "", mysql_fetch_field_direct(res, i)->name);
        free(names);
        names = longer;
    }
    mysql_free_result(res);
    return names;
}

void sql_rows_free(struct sql_rows *rows)
{
    if (rows == NULL)
        return;
    for (size_t i = 0; i < rows->rows * rows->columns; i++)
        free(rows->cells[i]);
    free(rows->cells);
    free(rows);
}

/* ---- semi-sync, under both sets of names ---- */

int64_t sql_semi_status(struct sql *sql, const char *name)
{
    struct sql_rows *rows = sql_rows(sql,
                                     "SHOW GLOBAL STATUS WHERE Variable_name IN "
                                     "('Rpl_semi_sync_source_%s','Rpl_semi_sync_master_%s')",
                                     name, name);
    int64_t n = rows != NULL && rows->rows > 0 && rows->columns == 2 ? to_number(rows->cells[1]) : -1;
    sql_rows_free(rows);
    return n;
}

bool sql_semi_wait(struct sql *sql, const char *name, int64_t at_least, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    while (sql_semi_status(sql, name) < at_least) {
        if (proc_now_ms() >= end)
            return false;
        proc_sleep_ms(10);
    }
    return true;
}

void sql_semi_set(struct sql *sql, const char *name, const char *value)
{
    sql_must(sql, "SET GLOBAL rpl_semi_sync_%s_%s = %s", sql->mariadb ? "master" : "source", name, value);
}

/* ---- statements that may block ---- */

static void *async_main(void *arg)
{
    struct sql_async *as = arg;
    unsigned error = run(as->sql, as->statement, NULL);
    (void)pthread_mutex_lock(&as->lock);
    as->error = error;
    as->elapsed_ms = proc_now_ms() - as->started_ms;
    as->done = true;
    (void)pthread_cond_broadcast(&as->changed);
    (void)pthread_mutex_unlock(&as->lock);
    return NULL;
}

struct sql_async *sql_async_start(struct sql *sql, const char *fmt, ...)
{
    struct sql_async *as = calloc(1, sizeof(*as));
    if (as == NULL)
        proc_die("out of memory");
    va_list ap;
    va_start(ap, fmt);
    as->statement = format_statement(fmt, ap);
    va_end(ap);
    as->sql = sql;
    as->started_ms = proc_now_ms();
    pthread_condattr_t attr;
    if (pthread_mutex_init(&as->lock, NULL) != 0 || pthread_condattr_init(&attr) != 0 ||
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 || pthread_cond_init(&as->changed, &attr) != 0 ||
        pthread_create(&as->thread, NULL, async_main, as) != 0)
        proc_die("cannot start a thread");
    (void)pthread_condattr_destroy(&attr);
    return as;
}

bool sql_async_wait(struct sql_async *as, unsigned timeout_ms)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&as->lock);
    int rc = 0;
    while (!as->done && rc == 0)
        rc = pthread_cond_timedwait(&as->changed, &as->lock, &end);
    bool done = as->done;
    (void)pthread_mutex_unlock(&as->lock);
    return done;
}

unsigned sql_async_errno(const struct sql_async *as)
{
    return as->error;
}

uint64_t sql_async_elapsed_ms(const struct sql_async *as)
{
    return as->elapsed_ms;
}

void sql_async_free(struct sql_async *as)
{
    if (as == NULL)
        return;
    if (!sql_async_wait(as, 0))
        sql_abort(as->sql);
    (void)pthread_join(as->thread, NULL);
    (void)pthread_cond_destroy(&as->changed);
    (void)pthread_mutex_destroy(&as->lock);
    free(as->statement);
    free(as);
}
