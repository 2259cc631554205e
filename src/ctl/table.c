#include "ctl/table.h"

#include <stdbool.h>
#include <stdlib.h>

#include "ctl/format.h"

struct table {
    size_t columns;
    size_t n; /* cells */
    size_t cap;
    char **cells;
    bool *right;
};

void ctl_out_of_memory(void)
{
    (void)fputs("logtailerctl: out of memory\n", stderr);
    _Exit(4);
}

struct table *table_new(size_t columns)
{
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL)
        ctl_out_of_memory();
    t->columns = columns;
    t->right = calloc(columns, sizeof *t->right);
    if (t->right == NULL)
        ctl_out_of_memory();
    return t;
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->right);
    free(t);
}

void table_take_cell(struct table *t, char *text)
{
    if (text == NULL)
        ctl_out_of_memory();
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        char **cells = realloc(t->cells, cap * sizeof *cells);
        if (cells == NULL)
            ctl_out_of_memory();
        t->cells = cells;
        t->cap = cap;
    }
    t->cells[t->n++] = text;
}

void table_cell(struct table *t, const char *text)
{
    table_take_cell(t, format_clean(text));
}

void table_align_right(struct table *t, size_t column)
{
    t->right[column] = true;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t widest = 0;
    for (size_t i = column; i < t->n; i += t->columns) {
        size_t width = format_width(t->cells[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_blanks(FILE *out, size_t n)
{
    (void)fprintf(out, "%*s", (int)n, "");
}

static void print_row(const struct table *t, const size_t *widths, char *const *row, FILE *out)
{
    size_t owed = 0; /* blanks that only matter when something follows */
    for (size_t c = 0; c < t->columns; c++) {
        size_t pad = widths[c] - format_width(row[c]);
        if (row[c][0] == '\0') {
            owed += widths[c] + 2;
            continue;
        }
        print_blanks(out, owed + (t->right[c] ? pad : 0));
        (void)fputs(row[c], out);
        owed = (t->right[c] ? 0 : pad) + 2;
    }
    (void)fputc('\n', out);
}

void table_print(const struct table *t, FILE *out)
{
    size_t *widths = calloc(t->columns, sizeof *widths);
    if (widths == NULL)
        ctl_out_of_memory();
    for (size_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c);
    for (size_t i = 0; i + t->columns <= t->n; i += t->columns)
        print_row(t, widths, t->cells + i, out);
    free(widths);
}
