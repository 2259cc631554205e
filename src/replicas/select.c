/*
 * SELECT of what needs no data: variables, literals and a few functions, with aliases, FROM DUAL and LIMIT.
 *
 * - The list is gone through from left to right; a value is a text or NULL.
 * - What is not understood to its end is refused as a whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "replicas/internal.h"

#define ITEMS_MAX           64
#define ARGS_MAX            2
#define NAME_MAX_LEN        256
#define ER_PARSE            1064
#define ER_UNKNOWN_VARIABLE 1193
#define ER_NOT_SUPPORTED    1235

struct item {
    char name[NAME_MAX_LEN];
    char *value; /* malloc'd; NULL is NULL */
};

struct selection {
    struct client *s;
    const struct statement *st;
    size_t at;
    struct reply *reply;
    bool answered; /* with an error */
    struct item items[ITEMS_MAX];
    size_t count;
};

static bool refuse(struct selection *sel)
{
    bool schema = false;
    for (size_t i = 0; i < sel->st->count; i++)
        schema = schema || token_is(&sel->st->tokens[i], "information_schema");
    if (!sel->answered && schema)
        reply_err(sel->reply, ER_NOT_SUPPORTED, "42000",
                  "This is logtailer, a binary log without data: it has no information_schema. Names of columns are in "
                  "the log where the source runs with binlog_row_metadata=FULL, or in a server with the data");
    else if (!sel->answered)
        reply_err(sel->reply, ER_NOT_SUPPORTED, "42000",
                  "This is logtailer, a binary log without data: it answers SELECT of variables and literals only. Ask "
                  "the source");
    sel->answered = true;
    return false;
}

static bool give(char **ret, char *value)
{
    *ret = value;
    return value != NULL;
}

static bool variable(struct selection *sel, const struct token *t, char **ret)
{
    char name[128];
    token_text(t, name, sizeof name);
    enum variable_found found = variables_get(sel->s->r, name, ret);
    if (found == VARIABLE_UNKNOWN) {
        reply_errf(sel->reply, ER_UNKNOWN_VARIABLE, "HY000", "Unknown system variable '%.64s'", name);
        sel->answered = true;
    }
    if (found == VARIABLE_VALUE && (strcmp(*ret, "ON") == 0 || strcmp(*ret, "OFF") == 0) &&
        strcasecmp(name, "gtid_mode") != 0) /* SELECT has numbers where SHOW has words */
        memcpy(*ret, strcmp(*ret, "ON") == 0 ? "1" : "0", 2);
    return found == VARIABLE_VALUE;
}

static bool literal(const struct token *t, char **ret)
{
    char *buf = malloc(t->len + 1);
    if (buf != NULL)
        token_text(t, buf, t->len + 1);
    return give(ret, buf);
}

/* ---- functions */

static char *gtid_function(bool subset, const char *a, const char *b)
{
    struct gtid_set one = {0};
    struct gtid_set two = {0};
    char *ret = NULL;
    bool ok =
        a != NULL && b != NULL && gtid_set_parse(GTID_MYSQL, a, &one) == 0 && gtid_set_parse(GTID_MYSQL, b, &two) == 0;
    if (ok && subset)
        ret = strdup(gtid_set_contains_set(&two, &one) ? "1" : "0");
    else if (ok && gtid_set_subtract(&one, &two) == 0)
        ret = gtid_set_format(&one);
    gtid_set_fini(&one);
    gtid_set_fini(&two);
    return ret;
}

static char *text_of(uint64_t v)
{
    char buf[24];
    (void)snprintf(buf, sizeof buf, "%llu", (unsigned long long)v);
    return strdup(buf);
}

static char *user_at_host(const struct client *s)
{
    char *text = NULL;
    return asprintf(&text, "%s@%s", s->user, s->host) < 0 ? NULL : text;
}

/* False: no such function. */
static bool call(struct selection *sel, const struct token *fn, char *const *args, size_t n, char **ret)
{
    struct client *s = sel->s;
    *ret = NULL;
    if (token_is(fn, "VERSION") && n == 0)
        return variables_get(s->r, "version", ret) == VARIABLE_VALUE;
    if (token_is(fn, "UNIX_TIMESTAMP") && n == 0)
        return give(ret, text_of(clock_wall_us() / 1000000));
    if (token_is(fn, "CONNECTION_ID") && n == 0)
        return give(ret, text_of(s->thread_id));
    if ((token_is(fn, "USER") || token_is(fn, "CURRENT_USER") || token_is(fn, "CLIENT_USER")) && n == 0)
        return give(ret, user_at_host(s));
    if ((token_is(fn, "DATABASE") || token_is(fn, "SCHEMA") || token_is(fn, "CURRENT_ROLE")) && n == 0)
        return true;
    if ((token_is(fn, "GTID_SUBSET") || token_is(fn, "GTID_SUBTRACT")) && n == 2) {
        *ret = gtid_function(token_is(fn, "GTID_SUBSET"), args[0], args[1]);
        return true;
    }
    return token_is(fn, "BINLOG_GTID_POS") && n == 2; /* NULL: "not known" */
}

static bool simple(struct selection *sel, char **ret);

static bool function(struct selection *sel, const struct token *fn, char **ret)
{
    char *args[ARGS_MAX] = {NULL};
    size_t n = 0;
    bool ok = true;
    sel->at += 2;
    while (ok && !token_is_sign(&sel->st->tokens[sel->at], ')')) {
        if (n > 0)
            ok = token_is_sign(&sel->st->tokens[sel->at++], ',');
        ok = ok && n < ARGS_MAX && simple(sel, &args[n]);
        n += ok;
    }
    sel->at++;
    ok = ok && call(sel, fn, args, n, ret);
    for (size_t i = 0; i < ARGS_MAX; i++)
        free(args[i]);
    return ok;
}

/* A value that is no function; moves on. */
static bool plain(struct selection *sel, const struct token *t, char **ret)
{
    const char *value;
    sel->at++;
    switch (t->kind) {
    case TOKEN_VAR:
        return variable(sel, t, ret);
    case TOKEN_USER_VAR:
        value = user_vars_get(&sel->s->vars, t->text, t->len);
        *ret = value != NULL ? strdup(value) : NULL;
        return true;
    case TOKEN_STRING:
    case TOKEN_NUMBER:
        return literal(t, ret);
    case TOKEN_WORD:
        if (token_is(t, "CURRENT_USER"))
            return give(ret, user_at_host(sel->s));
        return token_is(t, "NULL");
    case TOKEN_END:
    case TOKEN_QUOTED:
    case TOKEN_SIGN:
        break;
    }
    return false;
}

static bool simple(struct selection *sel, char **ret)
{
    const struct token *t = &sel->st->tokens[sel->at];
    *ret = NULL;
    if (t->kind == TOKEN_WORD && sel->at + 1 < sel->st->count && token_is_sign(t + 1, '('))
        return function(sel, t, ret);
    return plain(sel, t, ret);
}

/* The name of a column: its alias, or the text as it stands. */
static void name_item(struct selection *sel, struct item *it, size_t from)
{
    const struct token *first = &sel->st->tokens[from];
    const struct token *last = &sel->st->tokens[sel->at - 1];
    const struct token *t = &sel->st->tokens[sel->at];
    size_t len = (size_t)(last->whole + last->whole_len - first->whole);
    bool as = token_is(t, "AS");
    const struct token *alias = as ? t + 1 : t;
    bool named = alias->kind == TOKEN_QUOTED || alias->kind == TOKEN_STRING ||
                 (alias->kind == TOKEN_WORD && (as || (!token_is(alias, "FROM") && !token_is(alias, "LIMIT"))));
    if (named) {
        token_text(alias, it->name, sizeof it->name);
        sel->at += as ? 2 : 1;
        return;
    }
    if (len >= sizeof it->name)
        len = sizeof it->name - 1;
    memcpy(it->name, first->whole, len);
    it->name[len] = '\0';
}

static bool items(struct selection *sel)
{
    for (;;) {
        size_t from = sel->at;
        if (sel->count == ITEMS_MAX)
            return refuse(sel);
        struct item *it = &sel->items[sel->count];
        if (from >= sel->st->count || !simple(sel, &it->value)) {
            free(it->value);
            it->value = NULL;
            return refuse(sel);
        }
        sel->count++;
        name_item(sel, it, from);
        if (!token_is_sign(&sel->st->tokens[sel->at], ','))
            return true;
        sel->at++;
    }
}

static bool tail(struct selection *sel)
{
    const struct statement *st = sel->st;
    if (token_is(&st->tokens[sel->at], "FROM") && sel->at + 1 < st->count && token_is(&st->tokens[sel->at + 1], "DUAL"))
        sel->at += 2;
    if (token_is(&st->tokens[sel->at], "LIMIT") && sel->at + 1 < st->count &&
        st->tokens[sel->at + 1].kind == TOKEN_NUMBER)
        sel->at += 2;
    return sel->at == st->count || refuse(sel);
}

static void send_row(struct selection *sel)
{
    struct reply_column columns[ITEMS_MAX];
    const char *values[ITEMS_MAX];
    for (size_t i = 0; i < sel->count; i++) {
        columns[i] = (struct reply_column){.name = sel->items[i].name, .type = REPLY_TEXT};
        values[i] = sel->items[i].value;
    }
    reply_columns(sel->reply, columns, sel->count);
    reply_row(sel->reply, values, sel->count);
    reply_end(sel->reply);
}

void select_answer(struct client *s, const struct statement *st, struct reply *reply)
{
    struct selection *sel = calloc(1, sizeof *sel);
    if (sel == NULL) {
        reply_err(reply, 1037, "HY001", "Out of memory");
        return;
    }
    sel->s = s;
    sel->st = st;
    sel->at = 1;
    sel->reply = reply;
    if (items(sel) && tail(sel))
        send_row(sel);
    for (size_t i = 0; i < sel->count; i++)
        free(sel->items[i].value);
    free(sel);
}
