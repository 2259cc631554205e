/*
 * COM_QUERY: the tests' own answers first, then the statements a replica or a monitor sends. Understands just enough SQL to be
 * tolerant of how they are written: SET of several variables, SELECT of several expressions, SHOW with LIKE or WHERE.
 */
#include "fake_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/err.h"

#define STATEMENT_MAX 8192

/* One statement on its way to an answer. */
struct statement {
    struct fake_conn *cn;
    char text[STATEMENT_MAX]; /* comments out, white space collapsed */
    struct fake_bytes table;  /* answer as a table of text */
    char unknown[128];        /* first unknown system variable */
};

static void put(struct fake_bytes *b, const char *text)
{
    fake_bytes_add(b, text, strlen(text));
}

static void normalize(const char *sql, size_t len, char *out)
{
    size_t n = 0;
    char quote = 0;
    for (size_t i = 0; i < len && n + 1 < STATEMENT_MAX; i++) {
        char c = sql[i];
        if (quote) {
            if (c == quote)
                quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '/' && i + 2 < len && sql[i + 1] == '*' && sql[i + 2] != '!') {
            const char *end = memmem(sql + i, len - i, "*/", 2);
            i = end ? (size_t)(end - sql) + 1 : len;
            continue;
        } else if (isspace((unsigned char)c) || c == '`') {
            c = ' ';
            if (n == 0 || out[n - 1] == ' ')
                continue;
        }
        out[n++] = c;
    }
    while (n && (out[n - 1] == ' ' || out[n - 1] == ';'))
        n--;
    out[n] = '\0';
}

static void send_own_table(struct statement *st)
{
    fake_bytes_add(&st->table, "", 1);
    fake_send_table(&st->cn->io, (const char *)st->table.p);
}

/* ------------------------------------------------------------------ expressions -------------------------------------------------- */

/* End of an expression: a comma outside quotes and brackets, or the end. */
static const char *expression_end(const char *p, const char *stop)
{
    int depth = 0;
    char quote = 0;
    for (; p < stop; p++) {
        if (quote)
            quote = (char)(*p == quote ? 0 : quote);
        else if (*p == '\'' || *p == '"')
            quote = *p;
        else if (*p == '(')
            depth++;
        else if (*p == ')')
            depth--;
        else if (*p == ',' && depth == 0)
            break;
    }
    return p;
}

static void copy_trimmed(const char *from, const char *to, char *out, size_t cap)
{
    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    (void)snprintf(out, cap, "%.*s", (int)(to - from), from);
}

static bool starts(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

/* SELECT shows booleans as numbers, SHOW as words. */
static void as_number(const char *name, char *value)
{
    if (starts(name, "gtid_mode") || starts(name, "enforce_gtid"))
        return;
    if (strcmp(value, "ON") == 0)
        (void)snprintf(value, 3, "1");
    else if (strcmp(value, "OFF") == 0)
        (void)snprintf(value, 3, "0");
}

static void evaluate_system(struct statement *st, const char *expr, char *out, size_t cap)
{
    const char *name = expr + 2;
    if (starts(name, "global."))
        name += 7;
    else if (starts(name, "session."))
        name += 8;
    (void)snprintf(out, cap, "NULL");
    if (fake_system_var(st->cn->fp, name, out, cap))
        as_number(name, out);
    else if (!st->cn->fp->opt.unknown_is_null && !st->unknown[0])
        (void)snprintf(st->unknown, sizeof st->unknown, "%s", name);
}

static void evaluate(struct statement *st, const char *expr, char *out, size_t cap)
{
    size_t len = strlen(expr);
    (void)snprintf(out, cap, "NULL");
    if (starts(expr, "@@")) {
        evaluate_system(st, expr, out, cap);
    } else if (*expr == '@') {
        const char *value = fake_vars_get(&st->cn->user_vars, expr + 1);
        if (value)
            (void)snprintf(out, cap, "%s", value);
    } else if (len >= 2 && (*expr == '\'' || *expr == '"')) {
        (void)snprintf(out, cap, "%.*s", (int)(len - 2), expr + 1);
    } else if (isdigit((unsigned char)*expr)) {
        (void)snprintf(out, cap, "%s", expr);
    } else if (starts(expr, "unix_timestamp(")) {
        (void)snprintf(out, cap, "%lld", (long long)time(NULL));
    } else if (starts(expr, "timestampdiff(microsecond")) { /* since 1970, in UTC */
        (void)snprintf(out, cap, "%lld000000", (long long)time(NULL));
    } else if (starts(expr, "version(")) {
        (void)fake_system_var(st->cn->fp, "version", out, cap);
    } else if (starts(expr, "connection_id(")) {
        (void)snprintf(out, cap, "%u", st->cn->number);
    } else if (starts(expr, "current_user") || starts(expr, "user(")) {
        (void)snprintf(out, cap, "%s@%%", st->cn->fp->opt.user);
    } else if (starts(expr, "count(")) {
        (void)snprintf(out, cap, "0");
    }
}

static void split_alias(char *expr, char *name, size_t cap)
{
    char *as = strcasestr(expr, " as ");
    (void)snprintf(name, cap, "%s", as ? as + 4 : expr);
    if (as)
        *as = '\0';
}

/* ------------------------------------------------------------------ SHOW and tables of variables --------------------------------- */

struct var_filter {
    const char *where; /* text after the table's name */
    struct fake_bytes *table;
    bool any;
};

/* Every quoted string of the condition is a name, or a pattern when LIKE stands before it. */
static bool name_wanted(const char *name, const char *where)
{
    bool any = false;
    for (const char *p = where; (p = strpbrk(p, "'\"")) != NULL;) {
        const char *end = strchr(p + 1, *p);
        char item[256];
        if (!end)
            break;
        any = true;
        const char *before = p;
        while (before > where && isspace((unsigned char)before[-1]))
            before--;
        copy_trimmed(p + 1, end, item, sizeof item);
        bool like = before - where >= 4 && strncasecmp(before - 4, "like", 4) == 0;
        if (like ? fake_like(name, item) : strcasecmp(name, item) == 0)
            return true;
        p = end + 1;
    }
    return !any;
}

static void add_variable(const char *name, const char *value, void *arg)
{
    struct var_filter *f = arg;
    if (!name_wanted(name, f->where))
        return;
    put(f->table, "\n");
    put(f->table, name);
    put(f->table, "\t");
    put(f->table, value);
}

static void answer_variables(struct statement *st, bool status, const char *where)
{
    struct var_filter f = {.where = where, .table = &st->table};
    put(&st->table, "Variable_name\tValue");
    fake_each_var(st->cn->fp, status, add_variable, &f);
    send_own_table(st);
}

static void answer_binlogs(struct statement *st, bool list)
{
    struct fake_primary *fp = st->cn->fp;
    bool mariadb = fake_is_mariadb(fp);
    char line[512];
    if (list)
        put(&st->table, mariadb ? "Log_name\tFile_size" : "Log_name\tFile_size\tEncrypted");
    else
        put(&st->table, mariadb ? "File\tPosition\tBinlog_Do_DB\tBinlog_Ignore_DB"
                                : "File\tPosition\tBinlog_Do_DB\tBinlog_Ignore_DB\tExecuted_Gtid_Set");
    for (size_t i = list || !fp->file_count ? 0 : fp->file_count - 1; i < fp->file_count; i++) {
        char gtids[128] = "";
        if (!list && !mariadb)
            (void)fake_system_var(fp, "gtid_executed", gtids, sizeof gtids);
        (void)snprintf(line, sizeof line, "\n%s\t%llu%s%s", fp->files[i]->name,
                       (unsigned long long)fake_file_end(fp->files[i]), list ? mariadb ? "" : "\tNo" : "\t\t",
                       list || mariadb ? "" : "\t");
        put(&st->table, line);
        put(&st->table, gtids);
    }
    send_own_table(st);
}

static void answer_processes(struct statement *st)
{
    char line[256];
    struct fake_conn *cn;
    put(&st->table, "Id\tUser\tHost\tdb\tCommand\tTime\tState\tInfo");
    TAILQ_FOREACH (cn, &st->cn->fp->conns, link) {
        (void)snprintf(line, sizeof line, "\n%u\t%s\tlocalhost\tNULL\t%s\t1\t\tNULL", cn->number, cn->fp->opt.user,
                       cn->dumping ? "Binlog Dump" : "Query");
        put(&st->table, line);
    }
    send_own_table(st);
}

static void answer_show(struct statement *st)
{
    const char *p = st->text + 5;
    bool mariadb = fake_is_mariadb(st->cn->fp);
    bool old_words = mariadb || st->cn->fp->release == FAKE_MYSQL_57 || st->cn->fp->release == FAKE_MYSQL_80;
    if (starts(p, "global "))
        p += 7;
    else if (starts(p, "session "))
        p += 8;
    if (starts(p, "variables"))
        answer_variables(st, false, p + 9);
    else if (starts(p, "status"))
        answer_variables(st, true, p + 6);
    else if ((starts(p, "master status") && old_words) || (starts(p, "binary log status") && !mariadb))
        answer_binlogs(st, false);
    else if (starts(p, "binary logs") || (starts(p, "master logs") && old_words))
        answer_binlogs(st, true);
    else if (starts(p, "processlist") || starts(p, "full processlist"))
        answer_processes(st);
    else if (starts(p, "grants"))
        fake_send_table(&st->cn->io, "Grants\nGRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `repl`@`%`");
    else if (starts(p, "warnings"))
        fake_send_table(&st->cn->io, "Level\tCode\tMessage");
    else if (starts(p, "slave hosts") || starts(p, "replicas"))
        fake_send_table(&st->cn->io, "Server_Id\tHost\tPort\tSource_Id\tReplica_UUID");
    else
        fake_send_err(&st->cn->io, 1064, "You have an error in your SQL syntax");
}

/* ------------------------------------------------------------------ SELECT, SET, KILL -------------------------------------------- */

static void answer_select_from(struct statement *st, const char *from)
{
    if (strcasestr(from, "_status")) {
        answer_variables(st, true, from);
    } else if (strcasestr(from, "_variables")) {
        answer_variables(st, false, from);
    } else if (strcasestr(from, "processlist")) {
        answer_processes(st);
    } else {
        const char *stop = from;
        for (const char *p = st->text + 7; p < stop; p++) {
            char expr[256];
            const char *end = expression_end(p, stop);
            copy_trimmed(p, end, expr, sizeof expr);
            put(&st->table, st->table.len ? "\t" : "");
            put(&st->table, expr);
            p = end;
        }
        send_own_table(st);
    }
}

static void answer_select(struct statement *st)
{
    struct fake_bytes row = {0};
    const char *stop = st->text + strlen(st->text);
    const char *from = strcasestr(st->text, " from ");
    if (from) {
        answer_select_from(st, from);
        return;
    }
    for (const char *p = st->text + 7; p < stop; p++) {
        char expr[1024];
        char name[1024];
        char value[4096];
        const char *end = expression_end(p, stop);
        copy_trimmed(p, end, expr, sizeof expr);
        split_alias(expr, name, sizeof name);
        evaluate(st, expr, value, sizeof value);
        put(&st->table, st->table.len ? "\t" : "");
        put(&st->table, name);
        put(&row, row.len ? "\t" : "\n");
        put(&row, value);
        p = end;
    }
    fake_bytes_add(&st->table, row.p, row.len);
    fake_bytes_fini(&row);
    if (!st->unknown[0]) {
        send_own_table(st);
        return;
    }
    char text[256];
    (void)snprintf(text, sizeof text, "Unknown system variable '%s'", st->unknown);
    fake_send_err(&st->cn->io, 1193, text);
}

static void answer_set(struct statement *st)
{
    const char *stop = st->text + strlen(st->text);
    for (const char *p = st->text + 4; p < stop; p++) {
        char item[1024];
        char value[1024];
        const char *end = expression_end(p, stop);
        copy_trimmed(p, end, item, sizeof item);
        char *eq = strchr(item, '=');
        if (item[0] == '@' && item[1] != '@' && eq) {
            char *name_end = eq > item && eq[-1] == ':' ? eq - 1 : eq;
            char name[128];
            char expr[1024];
            copy_trimmed(item + 1, name_end, name, sizeof name);
            copy_trimmed(eq + 1, item + strlen(item), expr, sizeof expr);
            evaluate(st, expr, value, sizeof value);
            fake_vars_set(&st->cn->user_vars, name, value);
        }
        p = end;
    }
    if (st->unknown[0])
        fake_send_err(&st->cn->io, 1193, "Unknown system variable");
    else
        fake_send_ok(&st->cn->io);
}

static void answer_kill(struct statement *st)
{
    struct fake_primary *fp = st->cn->fp;
    const char *digits = st->text + strcspn(st->text, "0123456789");
    unsigned long id = strtoul(digits, NULL, 10);
    struct fake_conn *cn;
    fp->counters.kills++;
    TAILQ_FOREACH (cn, &fp->conns, link) {
        if (cn->number != id || cn->done)
            continue;
        fake_conn_end(cn, false);
        fake_send_ok(&st->cn->io);
        return;
    }
    fake_send_err(&st->cn->io, 1094, "Unknown thread id");
}

/* The newest rule that fits; its strings stay valid while the lock is held. */
static const struct fake_answer *find_answer(const struct fake_primary *fp, const char *text)
{
    for (size_t i = fp->answer_count; i-- > 0;)
        if (strcasestr(text, fp->answers[i].match))
            return &fp->answers[i].answer;
    return NULL;
}

static void sleep_unlocked(struct fake_conn *cn, unsigned delay_ms)
{
    fake_unlock(cn->fp);
    for (unsigned ms = 0; ms < delay_ms && !atomic_load(&cn->stop); ms += 5)
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    fake_lock(cn->fp);
}

static void answer_by_rule(struct fake_conn *cn, const struct fake_answer *a)
{
    if (a->close)
        fake_conn_end(cn, false);
    else if (a->err)
        fake_send_err(&cn->io, a->err, a->text ? a->text : "Refused");
    else if (a->rows)
        fake_send_table(&cn->io, a->rows);
    else
        fake_send_ok(&cn->io);
}

static void answer_default(struct statement *st)
{
    static const char *const fine[] = {"begin", "commit", "rollback", "start transaction", "use ", "flush ", "do "};
    if (starts(st->text, "select ")) {
        answer_select(st);
        return;
    }
    if (starts(st->text, "set ")) {
        answer_set(st);
        return;
    }
    if (starts(st->text, "show ")) {
        answer_show(st);
        return;
    }
    if (starts(st->text, "kill ")) {
        answer_kill(st);
        return;
    }
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        if (starts(st->text, fine[i])) {
            fake_send_ok(&st->cn->io);
            return;
        }
    }
    fake_send_err(&st->cn->io, 1064, "You have an error in your SQL syntax");
}

void fake_query(struct fake_conn *cn, const char *sql, size_t len)
{
    struct fake_primary *fp = cn->fp;
    struct statement *st = calloc(1, sizeof *st);
    char head[32];
    lt_assert(st);
    st->cn = cn;
    normalize(sql, len, st->text);
    fake_lock(fp);
    (void)snprintf(head, sizeof head, "%u\t", cn->number);
    put(&fp->log, head);
    put(&fp->log, st->text);
    put(&fp->log, "\n");
    const struct fake_answer *a = find_answer(fp, st->text);
    if (a && a->delay_ms) {
        sleep_unlocked(cn, a->delay_ms);
        a = find_answer(fp, st->text); /* the rules may have changed meanwhile */
    }
    if (a)
        answer_by_rule(cn, a);
    else
        answer_default(st);
    fake_notify(fp);
    fake_unlock(fp);
    fake_bytes_fini(&st->table);
    free(st);
}
