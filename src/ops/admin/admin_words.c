#include "ops/admin/admin_words.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One word from *p on, written over itself (it only gets shorter). False for an open quote. */
static bool take_word(char **p)
{
    char *in = *p;
    char *out = *p;
    bool quoted = false;
    for (; *in != '\0' && (quoted || !is_blank(*in)); in++) {
        if (*in == '"') {
            quoted = !quoted;
            continue;
        }
        if (quoted && *in == '\\' && (in[1] == '"' || in[1] == '\\'))
            in++;
        *out++ = *in;
    }
    *p = *in != '\0' ? in + 1 : in;
    *out = '\0';
    return !quoted;
}

int admin_split_words(char *line, char *argv[ADMIN_WORDS_MAX + 1], int *ret_argc, struct lt_err *err)
{
    int n = 0;
    char *p = line;
    for (;;) {
        while (is_blank(*p))
            p++;
        if (*p == '\0')
            break;
        if (n == ADMIN_WORDS_MAX)
            return lt_err_set(err, LT_EINVAL, "more than %d words", ADMIN_WORDS_MAX);
        argv[n++] = p;
        if (!take_word(&p))
            return lt_err_set(err, LT_EINVAL, "a double quote is not closed");
    }
    argv[n] = NULL;
    *ret_argc = n;
    return LT_OK;
}
