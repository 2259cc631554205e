#include "ctl/graph.h"

#include <math.h>

#define LEVELS 8 /* of one character */

static const char *const blocks[LEVELS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii[LEVELS + 1] = {" ", "_", ".", "-", "-", "=", "+", "*", "#"};

double graph_top(const struct graph_style *style, const double *values, size_t n)
{
    double top = 0;
    for (size_t i = n > style->width ? n - style->width : 0; i < n; i++) {
        if (!isnan(values[i]) && values[i] > top)
            top = values[i];
    }
    return top;
}

/* How much of the character in this line (0: the lowest) is filled. What is above 0 shows at least as the lowest block. */
static int level(double value, double top, size_t line, size_t height)
{
    if (isnan(value) || value <= 0 || top <= 0)
        return 0;
    double filled = value / top * (double)height * LEVELS - (double)line * LEVELS;
    if (filled >= LEVELS)
        return LEVELS;
    if (filled >= 1)
        return (int)filled;
    return line == 0 ? 1 : 0;
}

void graph_print(FILE *out, const struct graph_style *style, const double *values, size_t n)
{
    const char *const *set = style->utf8 ? blocks : ascii;
    double top = graph_top(style, values, n);
    size_t first = n > style->width ? n - style->width : 0;
    for (size_t line = style->height; line-- > 0;) {
        (void)fprintf(out, "%*s", (int)(style->width - (n - first)), "");
        for (size_t i = first; i < n; i++)
            (void)fputs(set[level(values[i], top, line, style->height)], out);
        (void)fputs(style->line_end, out);
    }
}
