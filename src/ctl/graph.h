/*
 * A small graph of block characters (or of ASCII where the terminal has no UTF-8): the newest value at the right edge.
 *
 * Layer: ctl. Thread: main. Errors: none. NAN is a value that is not known: a blank column.
 */
#ifndef LT_CTL_GRAPH_H
#define LT_CTL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct graph_style {
    bool utf8;
    size_t width;  /* columns */
    size_t height; /* lines */
    const char *line_end;
};

/* The last width of n values, scaled from 0 to their largest. */
void graph_print(FILE *out, const struct graph_style *style, const double *values, size_t n);
/* The largest of those that graph_print shows; 0 when none is known. */
double graph_top(const struct graph_style *style, const double *values, size_t n);

#endif
