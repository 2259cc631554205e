/*
 * A growing piece of text. Layer: client (program). Thread: one at a time. Owns: its bytes (text_fini).
 * Errors: sticky `failed` when out of memory; what was appended before stays.
 */
#ifndef LT_CLIENT_TEXT_H
#define LT_CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct text {
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};

void text_fini(struct text *t);
void text_clear(struct text *t); /* empty; memory beyond 1 MiB is given back */
void text_add(struct text *t, const char *data, size_t len);
void text_printf(struct text *t, const char *fmt, ...) LT_PRINTF(2, 3);
/* What a peer's bytes look like on one line of a terminal (base/plain.h; control bytes become blanks); at most max bytes, then "…". */
void text_add_plain(struct text *t, const char *data, size_t len, size_t max);
/* The same for what was appended already: len bytes from `from` on. */
void text_make_plain(struct text *t, size_t from, size_t len);
/* Append all of from and empty it. */
void text_move(struct text *t, struct text *from);

#endif
