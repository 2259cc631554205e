/*
 * A table for people: columns as wide as their widest cell, numbers to the right.
 *
 * Layer: ctl. Thread: main. Owns: copies of all texts. Errors: out of memory ends the program (ctl_out_of_memory).
 */
#ifndef LT_CTL_TABLE_H
#define LT_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct table;

struct table *table_new(size_t columns);
void table_free(struct table *t);
/* Cells go from left to right, row after row; the first row is the head. text is cleaned of control characters. */
void table_cell(struct table *t, const char *text);
/* Takes text, which is clean already; NULL ends the program. */
void table_take_cell(struct table *t, char *text);
void table_align_right(struct table *t, size_t column);
/* Only whole rows. No blanks at line ends. */
void table_print(const struct table *t, FILE *out);

_Noreturn void ctl_out_of_memory(void);

#endif
