#include "ingest/cure.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"

static const struct {
    const char *token;
    const char *words[2]; /* new, old */
} tokens[] = {
    {"{source}", {"source", "master"}},
    {"{replica}", {"replica", "slave"}},
};

/* The name that stands for the token at p, and how long that is; NULL: none begins there. */
static const char *name_at(const char *p, bool old_names, size_t *ret_len)
{
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        *ret_len = strlen(tokens[i].token);
        if (strncmp(p, tokens[i].token, *ret_len) == 0)
            return tokens[i].words[old_names];
    }
    return NULL;
}

const char *cure_text(const char *cure, bool old_names, char buf[CURE_MAX])
{
    size_t to = 0;
    while (*cure != '\0') {
        size_t passed = 1;
        const char *name = name_at(cure, old_names, &passed);
        size_t len = name != NULL ? strlen(name) : 1;
        lt_assert(to + len < CURE_MAX); /* the texts are ours */
        memcpy(buf + to, name != NULL ? name : cure, len);
        to += len;
        cure += name != NULL ? passed : 1;
    }
    buf[to] = '\0';
    return buf;
}
