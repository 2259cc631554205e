/*
 * A whole file as text, for arguments that are larger than a command line may be.
 *
 * Layer: base. Thread: any. Owns: nothing; the caller frees the text. Blocks as its file does.
 * Errors: LT_ESYS with errno's text, LT_ETOOBIG, LT_EINVAL for a zero byte, LT_ENOMEM.
 */
#ifndef LT_BASE_FILE_TEXT_H
#define LT_BASE_FILE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* "-" is standard input. At most max bytes; *ret_text is terminated. */
int file_text_read(const char *path, size_t max, char **ret_text, struct lt_err *err) LT_MUST_CHECK;

/* "@FILE" or "-": a word that stands for a text somewhere else. */
bool file_text_is_named(const char *word);
/* That text, or for any other word a copy of it. */
int file_text_of_word(const char *word, size_t max, char **ret_text, struct lt_err *err) LT_MUST_CHECK;

#endif
