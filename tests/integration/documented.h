/*
 * Holds the fields of an answer against the table of src/ops/README.md, in both directions.
 * Layer: tests/integration. Environment: LT_OPS_README; meson sets it.
 */
#ifndef LT_INTEGRATION_DOCUMENTED_H
#define LT_INTEGRATION_DOCUMENTED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The union of the fields of these answers is what the section "## name" lists. A part that is null everywhere counts as not shown: its fields
 * must be seen in at least one answer. What differs goes to stderr. */
bool documented(const char *section, json_t *const *answers, size_t n);
/* The first column of the table in that section has this word in backquotes. */
bool documented_row(const char *section, const char *word);

#endif
