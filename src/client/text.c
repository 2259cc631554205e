#include "client/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"

#define KEEP (1u << 20)

void text_fini(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

void text_clear(struct text *t)
{
    bool failed = t->failed;
    if (t->cap > KEEP)
        text_fini(t);
    t->len = 0;
    t->failed = failed;
}

static bool reserve(struct text *t, size_t len)
{
    if (t->failed || len <= t->cap - t->len)
        return !t->failed;
    size_t cap = (t->len + len) * 2;
    char *grown = realloc(t->data, cap);
    if (grown == NULL) {
        t->failed = true;
        return false;
    }
    t->data = grown;
    t->cap = cap;
    return true;
}

void text_add(struct text *t, const char *data, size_t len)
{
    if (len == 0 || !reserve(t, len))
        return;
    memcpy(t->data + t->len, data, len);
    t->len += len;
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n >= 0 && reserve(t, (size_t)n + 1)) {
        (void)vsnprintf(t->data + t->len, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void text_add_plain(struct text *t, const char *data, size_t len, size_t max)
{
    size_t n = len < max ? len : max;
    /* Do not cut a character of UTF-8 in two. */
    while (n > 0 && n < len && ((unsigned char)data[n] & 0xc0) == 0x80)
        n--;
    if (!reserve(t, n))
        return;
    if (n > 0)
        memcpy(t->data + t->len, data, n);
    text_make_plain(t, t->len, n);
    t->len += n;
    if (n < len)
        text_add(t, "…", strlen("…"));
}

void text_make_plain(struct text *t, size_t from, size_t len)
{
    if (len > 0 && !t->failed)
        plain_bytes(t->data + from, len, ' ');
}

void text_move(struct text *t, struct text *from)
{
    text_add(t, from->data, from->len);
    text_clear(from);
}
