/*
 * Tables of documents that are held against the code.
 * Layer: tests. Thread: the test's main thread. Errors: a failed check of CUnit, with the reason on stderr.
 */
#ifndef LT_TEST_DOC_TABLE_H
#define LT_TEST_DOC_TABLE_H

#include <stdbool.h>

#define DOC_CELLS 4

struct doc_row {
    char cell[DOC_CELLS][128]; /* without backquotes; what is longer is cut */
};

extern const char *doc_top; /* of the source tree */

/* The file of that name, made of three parts, below doc_top. The caller frees. */
char *doc_read(const char *dir, const char *name, const char *end);
/* "| `a` | b | ..." into cells; false: not a row of a table. */
bool doc_cut(const char *line, struct doc_row *ret);
/* Cells 1 and 2 are a program (of tests/integration, or a path below tests/) and one of its tests: there it is, its source has the words, and cell 3
 * says how. */
void doc_check_test(const struct doc_row *row, const char *words);

#endif
