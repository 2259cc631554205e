/* How long ACKs and syncs took since the start: one line for each class of times that saw any, with its share drawn. */
#include "base/jpath.h"
#include "ctl/format.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define BAR_MAX 30

static uint64_t cumulative_at(const json_t *of, size_t i)
{
    const json_t *value = json_array_get(json_object_get(of, "cumulative"), i);
    return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

/* Those in class i alone; the class after the last bound holds the rest. */
static uint64_t in_class(const json_t *of, size_t i, size_t bounds)
{
    uint64_t upto = 0;
    uint64_t below = i > 0 ? cumulative_at(of, i - 1) : 0;
    if (i < bounds)
        upto = cumulative_at(of, i);
    else if (!jpath_count(of, "count", &upto))
        return 0;
    return upto > below ? upto - below : 0;
}

static void show_mean(FILE *out, const char *label, const json_t *of)
{
    char number[FORMAT_SMALL];
    char mean[FORMAT_SMALL];
    char text[3 * FORMAT_SMALL];
    uint64_t count = 0;
    double sum_us = 0;
    if (!jpath_count(of, "count", &count) || !jpath_number(of, "sum_us", &sum_us) || count == 0)
        (void)snprintf(text, sizeof text, "none since the start");
    else
        (void)snprintf(text, sizeof text, "%s, %s on average", format_count(count, number),
                       format_us(sum_us / (double)count, mean));
    show_line(out, label, text);
}

static void share_cells(struct table *t, const json_t *of, uint64_t n)
{
    static const char full[] = "##############################";
    _Static_assert(sizeof full == BAR_MAX + 1, "a bar of the largest share");
    char text[FORMAT_SMALL];
    char number[FORMAT_SMALL];
    uint64_t count = 0;
    double share = jpath_count(of, "count", &count) && count > 0 ? (double)n / (double)count : 0;
    share = share > 1 ? 1 : share; /* counted while others were still added */
    table_cell(t, n > 0 ? format_count(n, number) : "");
    text[0] = '\0';
    if (n > 0)
        (void)snprintf(text, sizeof text, "%.1f %%", 100 * share);
    table_cell(t, text);
    (void)snprintf(text, sizeof text, "%.*s", (int)(share * BAR_MAX + 0.5), full);
    table_cell(t, text);
}

static void class_label(struct table *t, const json_t *bounds, size_t i)
{
    char text[FORMAT_SMALL + 16];
    char bound[FORMAT_SMALL];
    size_t n = json_array_size(bounds);
    size_t at = i < n || n == 0 ? i : n - 1;
    (void)snprintf(text, sizeof text, "%s %s", i < n ? "up to" : "over",
                   format_us(json_number_value(json_array_get(bounds, at)), bound));
    table_cell(t, text);
}

void show_latency(FILE *out, const json_t *answer)
{
    static const struct {
        const char *head;
        bool right;
    } columns[] = {{"time", true},  {"ACKs", true},  {"share", true}, {"", false},
                   {"syncs", true}, {"share", true}, {"", false}};
    const size_t n_columns = sizeof columns / sizeof columns[0];
    const json_t *bounds = json_object_get(answer, "le_us");
    const json_t *acks = json_object_get(answer, "acks");
    const json_t *syncs = json_object_get(answer, "syncs");
    size_t n = json_array_size(bounds);
    show_mean(out, "ACKs", acks);
    show_mean(out, "syncs", syncs);
    struct table *t = table_new(n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        table_cell(t, columns[i].head);
        if (columns[i].right)
            table_align_right(t, i);
    }
    for (size_t i = 0; i <= n; i++) {
        uint64_t of_acks = in_class(acks, i, n);
        uint64_t of_syncs = in_class(syncs, i, n);
        if (of_acks == 0 && of_syncs == 0)
            continue;
        class_label(t, bounds, i);
        share_cells(t, acks, of_acks);
        share_cells(t, syncs, of_syncs);
    }
    table_print(t, out);
    table_free(t);
}
