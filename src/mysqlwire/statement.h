/*
 * What a client's text asks for, as far as a server without data must know: words, names, variables, literals; and whether they fit a pattern.
 *
 * Case, space, comments and a trailing ';' do not matter. The text of a comment that only newer servers skip (slash, star, '!', a version) counts, as it
 * does for the server. Nothing is evaluated here.
 *
 * A pattern is words with blanks between them:
 *     WORD        this word, in any case               WORD|OTHER  one of them
 *     [WORD]      this word or nothing                 $           a literal or a name, captured
 *     =  ,  ( )   this sign                            ...         anything, to the end
 *
 * Layer: mysqlwire. Pure. Thread: any. Owns: tokens point into the text.
 * Errors: LT_EPROTO for a string or comment without an end, LT_ETOOBIG for more tokens than there is room for.
 */
#ifndef LT_MYSQLWIRE_STATEMENT_H
#define LT_MYSQLWIRE_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define STATEMENT_TOKENS_MAX   512
#define STATEMENT_CAPTURES_MAX 4

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,     /* a keyword or a name */
    TOKEN_QUOTED,   /* a name in backquotes; text is inside them, still doubled */
    TOKEN_STRING,   /* in ' or "; text is inside them, still escaped */
    TOKEN_NUMBER,   /* with its sign, where there can be no operator */
    TOKEN_USER_VAR, /* @name; text is the name */
    TOKEN_VAR,      /* @@name; text is the name without its scope */
    TOKEN_SIGN,     /* one character of any other */
};

enum token_scope { SCOPE_NONE, SCOPE_GLOBAL, SCOPE_SESSION };

struct token {
    enum token_kind kind;
    enum token_scope scope; /* of TOKEN_VAR */
    const char *text;
    size_t len;
    const char *whole; /* as it stands in the text, for the name of a column */
    size_t whole_len;
};

struct statement {
    struct token tokens[STATEMENT_TOKENS_MAX + 1]; /* the last is TOKEN_END */
    size_t count;                                  /* without it */
};

int statement_parse(const char *text, size_t len, struct statement *ret) LT_MUST_CHECK;

struct statement_captures {
    const struct token *token[STATEMENT_CAPTURES_MAX];
    size_t count;
    size_t rest; /* where "..." begins */
};

bool statement_fits(const struct statement *s, const char *pattern, struct statement_captures *ret);
/* A word, in any case. */
bool token_is(const struct token *t, const char *word);
bool token_is_sign(const struct token *t, char sign);
/* The text with its quotes' escapes undone, cut to cap - 1 bytes, NUL-terminated. */
void token_text(const struct token *t, char *ret, size_t cap);

#endif
