/*
 * What came from outside, harmless for a terminal: the one place that decides what may be shown.
 *
 * Replaced, byte by byte: C0 controls and DEL; C1 controls (U+0080 to U+009F), also as single bytes, as all that is not UTF-8; what turns the direction of
 * writing (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069); line and paragraph separators; what is not seen (soft hyphen, zero
 * width, byte order mark, annotations, tags): a name must not look like another one.
 *
 * Layer: base. Thread: any. Pure, but for plain_print. Errors: none; a text that does not fit in memory is not printed.
 */
#ifndef LT_BASE_PLAIN_H
#define LT_BASE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* Length of the well-formed UTF-8 character at text, of which len bytes are there; 0: it is none. *ret_code (may be NULL): its code point. */
size_t plain_utf8(const char *text, size_t len, uint32_t *ret_code);
/* May this code point go to a terminal as it is? */
bool plain_code_ok(uint32_t code);

/* In place. control stands for C0 controls and DEL, '?' for every other byte that may not be shown. */
void plain_bytes(char *text, size_t len, char control);

/* printf, made harmless as a whole but for a line end at its end. */
void plain_print(FILE *out, const char *fmt, ...) LT_PRINTF(2, 3);
void plain_vprint(FILE *out, const char *fmt, va_list ap) LT_PRINTF(2, 0);

#endif
