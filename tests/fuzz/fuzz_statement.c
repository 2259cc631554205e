/* A client's text: tokens lie within it, in order, and undoing their quotes never makes them longer. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mysqlwire/statement.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct statement s;
    static const char *const patterns[] = {"SELECT ...", "SHOW [GLOBAL|SESSION] VARIABLES LIKE $", "SET NAMES $",
                                           "KILL $", ""};
    const char *at = (const char *)data;
    const char *end = at + size;
    if (statement_parse(at, size, &s) != 0)
        return 0;
    check(s.count <= STATEMENT_TOKENS_MAX && s.tokens[s.count].kind == TOKEN_END);
    for (size_t i = 0; i < s.count; i++) {
        const struct token *t = &s.tokens[i];
        char text[64];
        check(t->whole >= at && t->whole_len > 0 && t->whole + t->whole_len <= end);
        check(t->text >= t->whole && t->text + t->len <= t->whole + t->whole_len);
        at = t->whole + t->whole_len;
        token_text(t, text, sizeof text);
        check(strlen(text) <= t->len);
    }
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct statement_captures c;
        if (statement_fits(&s, patterns[i], &c))
            check(c.count <= STATEMENT_CAPTURES_MAX && c.rest <= s.count);
    }
    return 0;
}
