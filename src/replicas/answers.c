/*
 * Commands that are no dump, and the statements that are neither SELECT nor SHOW.
 *
 * - One table from a statement's pattern to what is done. What is in none of the tables is refused by its kind: what writes as a read-only server does it,
 *   what reads data by saying that there is none. The connection goes on.
 * - SET is taken apart as a list, all of it judged before any of it is kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"
#include "replicas/internal.h"

#define ER_PARSE            1064
#define ER_UNKNOWN_COMMAND  1047
#define ER_UNKNOWN_VARIABLE 1193
#define ER_NOT_SUPPORTED    1235
#define ER_UNKNOWN_PREPARED 1243
#define ER_READ_ONLY        1290
#define ER_NO_PREPARE       1295
#define ER_NO_MEMORY        1037
#define ER_TOO_MUCH         1105
#define SET_VALUES_MAX      64

/* ---- SET */

static bool starts_assignment(const struct token *t)
{
    return t->kind == TOKEN_USER_VAR || t->kind == TOKEN_VAR || t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED;
}

static void unknown_variable(struct reply *reply, const char *name)
{
    reply_errf(reply, ER_UNKNOWN_VARIABLE, "HY000", "Unknown system variable '%.64s'", name);
}

/* One value: a literal, a word, or another variable; *ret is malloc'd, NULL is NULL. False: an answer was given. */
static bool set_value(struct client *s, const struct token *t, char **ret, struct reply *reply)
{
    char name[128];
    char *buf;
    *ret = NULL;
    switch (t->kind) {
    case TOKEN_VAR:
        token_text(t, name, sizeof name);
        if (variables_get(s->r, name, ret) == VARIABLE_VALUE)
            return true;
        unknown_variable(reply, name);
        return false;
    case TOKEN_USER_VAR: {
        const char *value = user_vars_get(&s->vars, t->text, t->len);
        *ret = value != NULL ? strdup(value) : NULL;
        return true;
    }
    case TOKEN_STRING:
    case TOKEN_NUMBER:
    case TOKEN_WORD:
    case TOKEN_QUOTED:
        if (token_is(t, "NULL"))
            return true;
        buf = malloc(t->len + 1);
        if (buf != NULL)
            token_text(t, buf, t->len + 1);
        *ret = buf;
        return buf != NULL;
    case TOKEN_END:
    case TOKEN_SIGN:
        break;
    }
    reply_errf(reply, ER_PARSE, "42000",
               "a value of SET is a literal or a variable here: there is nothing to compute with");
    return false;
}

static bool keep_user_var(struct client *s, const struct token *name, const char *value, struct reply *reply)
{
    int rc = user_vars_set(&s->vars, name->text, name->len, value);
    if (rc != 0)
        reply_err(reply, ER_TOO_MUCH, "HY000", "too many variables, or too much in them");
    return rc == 0;
}

/* From tokens[*i] on: [GLOBAL|SESSION] NAME [:]= VALUE. False: an answer was given. */
static bool one_assignment(struct client *s, const struct statement *st, size_t *i, struct reply *reply)
{
    char name[128];
    char *value = NULL;
    const struct token *t = &st->tokens[*i];
    bool global = t->kind == TOKEN_VAR && t->scope == SCOPE_GLOBAL;
    if (token_is(t, "GLOBAL") || token_is(t, "SESSION") || token_is(t, "LOCAL") || token_is(t, "PERSIST")) {
        global = token_is(t, "GLOBAL") || token_is(t, "PERSIST");
        t = &st->tokens[++*i];
    }
    const struct token *what = t;
    token_text(t, name, sizeof name);
    if (starts_assignment(t))
        t = &st->tokens[++*i];
    if (token_is_sign(t, ':'))
        t = &st->tokens[++*i];
    if (!starts_assignment(what) || !token_is_sign(t, '=')) {
        reply_err(reply, ER_PARSE, "42000", "You have an error in your SQL syntax: SET takes NAME = VALUE, ...");
        return false;
    }
    t = &st->tokens[++*i];
    if (!set_value(s, t, &value, reply))
        return false;
    ++*i;
    bool ok = true;
    if (what->kind == TOKEN_USER_VAR) {
        ok = keep_user_var(s, what, value, reply);
    } else if (global || !variables_may_set(name)) {
        char *known = NULL;
        ok = false;
        if (variables_get(s->r, name, &known) == VARIABLE_UNKNOWN && !variables_may_set(name))
            unknown_variable(reply, name);
        else
            reply_errf(reply, ER_READ_ONLY, "HY000",
                       "The server is running with the --read-only option so it cannot execute this statement");
        free(known);
    }
    free(value);
    return ok;
}

static void set_answer(struct client *s, const struct statement *st, struct reply *reply)
{
    struct statement_captures c;
    if (statement_fits(st, "SET NAMES ...", &c) || statement_fits(st, "SET CHARACTER ...", &c) ||
        statement_fits(st, "SET CHARSET ...", &c) || statement_fits(st, "SET [SESSION|GLOBAL] TRANSACTION ...", &c)) {
        reply_ok(reply);
        return;
    }
    size_t i = 1;
    for (;;) {
        if (!one_assignment(s, st, &i, reply))
            return;
        if (i >= st->count)
            break;
        if (!token_is_sign(&st->tokens[i++], ',')) {
            reply_err(reply, ER_PARSE, "42000", "You have an error in your SQL syntax: SET takes NAME = VALUE, ...");
            return;
        }
    }
    reply_ok(reply);
}

/* ---- by the first word */

static void nothing_happens(struct client *s, const struct statement *st, struct reply *reply)
{
    (void)s;
    (void)st;
    reply_ok(reply);
}

static void read_only(struct client *s, const struct statement *st, struct reply *reply)
{
    bool mariadb;
    bool crc;
    char version[VERSION_MAX];
    (void)st;
    (void)replicas_flavor(s->r, &mariadb, &crc, version);
    reply_errf(reply, ER_READ_ONLY, "HY000",
               "The %s server is running with the --read-only option so it cannot execute this statement",
               mariadb ? "MariaDB" : "MySQL");
}

static void no_data(struct client *s, const struct statement *st, struct reply *reply)
{
    (void)s;
    (void)st;
    reply_err(reply, ER_NOT_SUPPORTED, "42000",
              "This is logtailer, a binary log without data: it has no tables to ask. Ask the source");
}

static void no_prepared(struct client *s, const struct statement *st, struct reply *reply)
{
    (void)s;
    (void)st;
    reply_err(reply, ER_NO_PREPARE, "HY000",
              "This command is not supported in the prepared statement protocol yet: this is logtailer, a binary log "
              "without data");
}

static void show(struct client *s, const struct statement *st, struct reply *reply)
{
    if (!show_answer(s, st, reply))
        no_data(s, st, reply);
}

static const struct {
    const char *pattern;
    void (*answer)(struct client *s, const struct statement *st, struct reply *reply);
} table[] = {
    {"SELECT ...", select_answer},
    {"SET ...", set_answer},
    {"SHOW ...", show},
    {"DO ...", nothing_happens},
    {"USE $", nothing_happens},
    {"BEGIN [WORK]", nothing_happens},
    {"START TRANSACTION ...", nothing_happens},
    {"COMMIT ...", nothing_happens},
    {"ROLLBACK ...", nothing_happens},
    {"DESC|DESCRIBE|EXPLAIN|WITH|TABLE|VALUES|HELP|CHECKSUM|CHECK|HANDLER ...", no_data},
    {"PREPARE|EXECUTE|DEALLOCATE ...", no_prepared},
    {"INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|TRUNCATE|GRANT|REVOKE|LOAD|IMPORT|CALL|RENAME|OPTIMIZE|REPAIR|"
     "ANALYZE ...",
     read_only},
    {"FLUSH|RESET|PURGE|CHANGE|SHUTDOWN|RESTART|KILL|INSTALL|UNINSTALL|BINLOG|LOCK|UNLOCK|XA|SAVEPOINT|RELEASE|CLONE "
     "...",
     read_only},
    {"START|STOP ...", read_only},
};

void answers_query(struct client *s, const char *text, size_t len, struct reply *reply)
{
    struct statement_captures c;
    struct statement *st = malloc(sizeof *st);
    int rc = st != NULL ? statement_parse(text, len, st) : LT_ENOMEM;
    size_t i = 0;
    if (rc == LT_ENOMEM) {
        reply_err(reply, ER_NO_MEMORY, "HY001", "Out of memory");
    } else if (rc == LT_ETOOBIG) {
        reply_err(reply, ER_NOT_SUPPORTED, "42000",
                  "This is logtailer, a binary log without data: it knows short statements only");
    } else if (rc != 0) {
        reply_err(reply, ER_PARSE, "42000", "You have an error in your SQL syntax: a string or a comment has no end");
    } else if (st->count == 0) {
        reply_err(reply, 1065, "42000", "Query was empty");
    } else {
        while (i < sizeof table / sizeof table[0] && !statement_fits(st, table[i].pattern, &c))
            i++;
        if (i < sizeof table / sizeof table[0])
            table[i].answer(s, st, reply);
        else
            reply_err(reply, ER_PARSE, "42000",
                      "You have an error in your SQL syntax, or this is a statement that logtailer, a binary log "
                      "without data, does not know");
    }
    free(st);
}

/* ---- commands */

static void statistics(struct client *s, struct reply *reply)
{
    char text[200];
    int n = snprintf(text, sizeof text, "Uptime: %llu  Threads: %llu  Questions: 0  Slow queries: 0  Opens: 0",
                     (unsigned long long)((clock_mono_us() - s->r->started_us) / 1000000),
                     (unsigned long long)atomic_load(&s->r->connected));
    reply_raw(reply, text, (size_t)n);
}

static void register_replica(struct client *s, const uint8_t *payload, size_t len, struct reply *reply)
{
    if (command_parse_register(payload, len, &s->replica) != 0) {
        reply_err(reply, ER_TOO_MUCH, "HY000", "Wrong parameters to function register_replica");
        return;
    }
    s->registered = true;
    reply_ok(reply);
}

/* Of a statement that was never prepared, as nothing can be. */
static void unknown_prepared(const uint8_t *rest, size_t len, const char *function, struct reply *reply)
{
    reply_errf(reply, ER_UNKNOWN_PREPARED, "HY000", "Unknown prepared statement handler (%u) given to %s",
               len >= 4 ? load_u32(rest) : 0, function);
}

/* False: there is no answer to send. */
static bool answer(struct client *s, enum command_code code, const uint8_t *rest, size_t len, struct reply *reply)
{
    switch (code) {
    case COMMAND_QUIT:
        client_close(s, NULL);
        return false;
    case COMMAND_CHANGE_USER:
        login_change_user(s, rest, len);
        return false;
    case COMMAND_QUERY:
        answers_query(s, (const char *)rest, len, reply);
        break;
    case COMMAND_STATISTICS:
        statistics(s, reply);
        break;
    case COMMAND_REGISTER_REPLICA:
        register_replica(s, rest, len, reply);
        break;
    case COMMAND_RESET_CONNECTION:
        user_vars_fini(&s->vars);
        reply_ok(reply);
        break;
    case COMMAND_SET_OPTION:
        reply_eof(reply);
        break;
    case COMMAND_INIT_DB:
    case COMMAND_PING:
        reply_ok(reply);
        break;
    case COMMAND_PREPARE:
        no_prepared(s, NULL, reply);
        break;
    case COMMAND_EXECUTE:
        unknown_prepared(rest, len, "mysqld_stmt_execute", reply);
        break;
    case COMMAND_RESET_STATEMENT:
        unknown_prepared(rest, len, "mysqld_stmt_reset", reply);
        break;
    case COMMAND_FETCH:
        unknown_prepared(rest, len, "mysqld_stmt_fetch", reply);
        break;
    case COMMAND_LONG_DATA:
    case COMMAND_CLOSE_STATEMENT:
        return false;
    case COMMAND_FIELD_LIST:
        no_data(s, NULL, reply);
        break;
    case COMMAND_PROCESS_KILL:
        read_only(s, NULL, reply);
        break;
    case COMMAND_BINLOG_DUMP:
    case COMMAND_BINLOG_DUMP_GTID:
    default:
        reply_err(reply, ER_UNKNOWN_COMMAND, "08S01", "Unknown command");
        break;
    }
    return true;
}

static void begin_dump(struct client *s, bool by_gtid, const uint8_t *rest, size_t len)
{
    struct command_dump *cmd = malloc(sizeof *cmd);
    int rc = cmd == NULL ? LT_ENOMEM
             : by_gtid   ? command_parse_dump_gtid(rest, len, cmd)
                         : command_parse_dump(rest, len, cmd);
    if (rc == 0)
        dump_answer(s, cmd);
    else if (!packets_err(s, 1835, "HY000", "Malformed communication packet."))
        client_close(s, "out of memory");
    free(cmd);
}

void answers_command(struct client *s, const uint8_t *payload, size_t len)
{
    struct reply reply;
    enum command_code code = len > 0 ? (enum command_code)payload[0] : (enum command_code)0;
    const uint8_t *rest = payload + (len > 0);
    size_t rest_len = len > 0 ? len - 1 : 0;
    client_arm(s, WAIT_TIMEOUT_US);
    if (code == COMMAND_BINLOG_DUMP || code == COMMAND_BINLOG_DUMP_GTID) {
        begin_dump(s, code == COMMAND_BINLOG_DUMP_GTID, rest, rest_len);
        return;
    }
    reply_begin(&reply, s->capabilities, s->seq);
    if (!answer(s, code, rest, rest_len, &reply))
        reply_fini(&reply);
    else if (!packets_reply(s, &reply))
        client_close(s, "out of memory");
}
