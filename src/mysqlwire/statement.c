/*
 * - One pass over the text makes tokens. A comment's place is a blank; of one that servers read, only its marks are.
 * - A pattern is walked beside the tokens; "[WORD]" takes a word where it is there and goes on where it is not: no pattern of ours needs to come back.
 */
#include "mysqlwire/statement.h"

#include <string.h>

struct text {
    const char *p;
    const char *end;
    bool in_versioned; /* inside a comment that counts */
};

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

/* Of a name: bytes past ASCII belong to it, as in UTF-8. */
static bool is_name(char ch)
{
    return is_digit(ch) || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' || ch == '$' ||
           (unsigned char)ch >= 0x80;
}

static bool is_blank(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r') || ch == '\0';
}

static bool looks_at(const struct text *t, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(t->end - t->p) >= len && memcmp(t->p, word, len) == 0;
}

static void skip_line(struct text *t)
{
    const char *nl = memchr(t->p, '\n', (size_t)(t->end - t->p));
    t->p = nl != NULL ? nl + 1 : t->end;
}

/* "slash star": of one with '!' (MariaDB: "M!" too) what is inside is read on. */
static int skip_comment(struct text *t)
{
    bool versioned = looks_at(t, "/*!") || looks_at(t, "/*M!");
    if (versioned) {
        t->in_versioned = true;
        t->p += t->p[2] == 'M' ? 4 : 3;
        while (t->p < t->end && is_digit(*t->p))
            t->p++;
        return 0;
    }
    for (t->p += 2; t->p < t->end; t->p++) {
        if (looks_at(t, "*/")) {
            t->p += 2;
            return 0;
        }
    }
    return LT_EPROTO;
}

/* "--" is a comment only with a blank behind it, or the end. */
static bool is_dashes(const struct text *t)
{
    return looks_at(t, "--") && (t->end - t->p == 2 || is_blank(t->p[2]));
}

static int skip_blanks(struct text *t)
{
    while (t->p < t->end) {
        if (is_blank(*t->p)) {
            t->p++;
        } else if (*t->p == '#' || is_dashes(t)) {
            skip_line(t);
        } else if (looks_at(t, "/*")) {
            if (skip_comment(t) != 0)
                return LT_EPROTO;
        } else if (t->in_versioned && looks_at(t, "*/")) {
            t->in_versioned = false;
            t->p += 2;
        } else {
            break;
        }
    }
    return t->in_versioned && t->p == t->end ? LT_EPROTO : 0;
}

/* From its first quote; a quote within is doubled, or (not of names) behind a backslash. */
static int take_quoted(struct text *t, struct token *ret)
{
    char quote = *t->p++;
    ret->kind = quote == '`' ? TOKEN_QUOTED : TOKEN_STRING;
    ret->text = t->p;
    for (; t->p < t->end; t->p++) {
        if (*t->p == '\\' && quote != '`') {
            if (++t->p == t->end)
                break;
        } else if (*t->p == quote) {
            if (t->p + 1 == t->end || t->p[1] != quote) {
                ret->len = (size_t)(t->p++ - ret->text);
                return 0;
            }
            t->p++;
        }
    }
    return LT_EPROTO;
}

static void take_name(struct text *t, struct token *ret)
{
    ret->text = t->p;
    while (t->p < t->end && (is_name(*t->p) || (ret->kind == TOKEN_USER_VAR && *t->p == '.')))
        t->p++;
    ret->len = (size_t)(t->p - ret->text);
}

static bool name_is(const struct token *t, const char *word)
{
    return t->len == strlen(word) && strncasecmp(t->text, word, t->len) == 0;
}

/* Behind "@@": a scope and a dot, or the name; names of components have dots of their own. */
static int take_var(struct text *t, struct token *ret)
{
    ret->kind = TOKEN_VAR;
    if (t->p < t->end && *t->p == '`') {
        int rc = take_quoted(t, ret);
        ret->kind = TOKEN_VAR;
        return rc;
    }
    take_name(t, ret);
    if (t->p < t->end && *t->p == '.') {
        bool global = name_is(ret, "global") || name_is(ret, "persist") || name_is(ret, "persist_only");
        if (global || name_is(ret, "session") || name_is(ret, "local")) {
            ret->scope = global ? SCOPE_GLOBAL : SCOPE_SESSION;
            t->p++;
            take_name(t, ret);
        }
    }
    while (t->p < t->end && *t->p == '.') {
        t->p++;
        while (t->p < t->end && is_name(*t->p))
            t->p++;
    }
    ret->len = (size_t)(t->p - ret->text);
    return ret->len > 0 ? 0 : LT_EPROTO;
}

static int take_at(struct text *t, struct token *ret)
{
    if (looks_at(t, "@@")) {
        t->p += 2;
        return take_var(t, ret);
    }
    t->p++;
    if (t->p < t->end && (*t->p == '`' || *t->p == '\'' || *t->p == '"')) {
        int rc = take_quoted(t, ret);
        ret->kind = TOKEN_USER_VAR;
        return rc;
    }
    ret->kind = TOKEN_USER_VAR;
    take_name(t, ret);
    return 0;
}

/* 1, 1.5, 1e3, 0x1f: as long as it is digits, letters and dots. */
static void take_number(struct text *t, struct token *ret)
{
    ret->kind = TOKEN_NUMBER;
    ret->text = t->p;
    while (t->p < t->end && (is_name(*t->p) || *t->p == '.'))
        t->p++;
    ret->len = (size_t)(t->p - ret->text);
}

static int take(struct text *t, struct token *ret)
{
    int rc = 0;
    *ret = (struct token){.whole = t->p};
    if (*t->p == '\'' || *t->p == '"' || *t->p == '`') {
        rc = take_quoted(t, ret);
    } else if (*t->p == '@') {
        rc = take_at(t, ret);
    } else if (is_digit(*t->p)) {
        take_number(t, ret);
    } else if (is_name(*t->p)) {
        ret->kind = TOKEN_WORD;
        take_name(t, ret);
    } else {
        ret->kind = TOKEN_SIGN;
        ret->text = t->p++;
        ret->len = 1;
    }
    ret->whole_len = (size_t)(t->p - ret->whole);
    return rc;
}

int statement_parse(const char *text, size_t len, struct statement *ret)
{
    struct text t = {.p = text, .end = text + len};
    ret->count = 0;
    for (;;) {
        int rc = skip_blanks(&t);
        if (rc != 0)
            return rc;
        if (t.p == t.end)
            break;
        if (ret->count == STATEMENT_TOKENS_MAX)
            return LT_ETOOBIG;
        rc = take(&t, &ret->tokens[ret->count]);
        if (rc != 0)
            return rc;
        ret->count++;
    }
    while (ret->count > 0 && token_is_sign(&ret->tokens[ret->count - 1], ';'))
        ret->count--;
    ret->tokens[ret->count] = (struct token){.kind = TOKEN_END, .text = text + len, .whole = text + len};
    return 0;
}

bool token_is(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && name_is(t, word);
}

bool token_is_sign(const struct token *t, char sign)
{
    return t->kind == TOKEN_SIGN && t->text[0] == sign;
}

/* One element of a pattern, "A|B" or a sign. */
static bool element_fits(const struct token *t, const char *element, size_t len)
{
    if (len == 1 && !is_name(element[0]) && element[0] != '$')
        return token_is_sign(t, element[0]);
    while (len > 0) {
        const char *bar = memchr(element, '|', len);
        size_t n = bar != NULL ? (size_t)(bar - element) : len;
        if (t->kind == TOKEN_WORD && t->len == n && strncasecmp(t->text, element, n) == 0)
            return true;
        element += n + (bar != NULL);
        len -= n + (bar != NULL);
    }
    return false;
}

static bool is_value(const struct token *t)
{
    return t->kind == TOKEN_STRING || t->kind == TOKEN_NUMBER || t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED;
}

bool statement_fits(const struct statement *s, const char *pattern, struct statement_captures *ret)
{
    size_t at = 0;
    *ret = (struct statement_captures){.rest = s->count};
    while (*pattern != '\0') {
        const struct token *t = &s->tokens[at];
        size_t len = strcspn(pattern, " ");
        if (len == 3 && memcmp(pattern, "...", 3) == 0) {
            ret->rest = at;
            return true;
        }
        if (len == 1 && *pattern == '$') {
            if (!is_value(t) || ret->count == STATEMENT_CAPTURES_MAX)
                return false;
            ret->token[ret->count++] = t;
            at++;
        } else if (*pattern == '[') {
            at += element_fits(t, pattern + 1, len - 2);
        } else if (element_fits(t, pattern, len)) {
            at++;
        } else {
            return false;
        }
        pattern += len + strspn(pattern + len, " ");
    }
    return at == s->count;
}

static char unescaped(char ch)
{
    switch (ch) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'Z':
        return '\x1a';
    default:
        return ch;
    }
}

void token_text(const struct token *t, char *ret, size_t cap)
{
    bool string = t->kind == TOKEN_STRING;
    char quote = '\0';
    if (t->whole < t->text)
        quote = t->text[-1];
    bool quoted = string || quote == '`' || quote == '\'' || quote == '"';
    size_t n = 0;
    for (size_t i = 0; i < t->len && n + 1 < cap; i++) {
        char ch = t->text[i];
        if (quoted && quote != '`' && ch == '\\' && i + 1 < t->len)
            ch = unescaped(t->text[++i]);
        else if (quoted && ch == quote && i + 1 < t->len && t->text[i + 1] == quote)
            i++;
        ret[n++] = ch;
    }
    ret[n] = '\0';
}
