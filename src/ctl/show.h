/*
 * Answers for people. Whatever is missing or null shows as "-"; whatever is new and unknown shows too (show_any), never crashes.
 *
 * Layer: ctl. Thread: main. Borrows: the answer. Errors: none but out of memory, which ends the program.
 */
#ifndef LT_CTL_SHOW_H
#define LT_CTL_SHOW_H

#include <stdio.h>

#include <jansson.h>

typedef void (*show_fn)(FILE *out, const json_t *answer);

/* Any object: scalars one a line, lists of objects as tables, objects indented. */
void show_any(FILE *out, const json_t *answer);
void show_status(FILE *out, const json_t *s);
void show_lag(FILE *out, const json_t *answer);
void show_replicas(FILE *out, const json_t *answer);
void show_latency(FILE *out, const json_t *answer);
void show_preflight(FILE *out, const json_t *answer);
void show_repoint(FILE *out, const json_t *answer); /* a dry run ends in its verdict */
void show_fence(FILE *out, const json_t *answer);
void show_config(FILE *out, const json_t *answer);

/* "label      text" with the label in a column of its own; text is cleaned. */
void show_line(FILE *out, const char *label, const char *text);
/* What the daemon refused: message, what to do, details. */
void show_error(FILE *out, const char *command, const json_t *answer);

#endif
