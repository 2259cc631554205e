/* Who is sent the log by MySQL's own protocol, in at most 100 columns: what is longer loses its middle. In the order they came. */
#include <string.h>

#include "base/jpath.h"
#include "ctl/format.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define ID_MAX       10
#define KIND_MAX     7
#define STATE_MAX    9
#define ADDRESS_MAX  21
#define USER_MAX     10
#define POSITION_MAX 21
#define LAG_MAX      9
#define COLUMNS      7
#define TEXT_MAX     400

/* The end says more than the beginning: ports, positions. */
static void cut_cell(struct table *t, const char *text, size_t most)
{
    char buf[TEXT_MAX];
    size_t len = strlen(text);
    if (len <= most || most < 4) {
        table_cell(t, text);
        return;
    }
    size_t behind = (most - 2) * 2 / 3;
    (void)snprintf(buf, sizeof buf, "%.*s..%s", (int)(most - 2 - behind), text, text + len - behind);
    table_cell(t, buf);
}

static void position_cell(struct table *t, const json_t *row)
{
    char text[TEXT_MAX] = "-";
    uint64_t offset = 0;
    if (jpath_count(row, "position.offset", &offset))
        (void)snprintf(text, sizeof text, "%.300s:%llu", jpath_text(row, "position.file", "?"),
                       (unsigned long long)offset);
    cut_cell(t, text, POSITION_MAX);
}

static void put_row(struct table *t, const json_t *row)
{
    char text[FORMAT_SMALL] = "-";
    char kind[KIND_MAX + 1];
    uint64_t n = 0;
    if (jpath_count(row, "server_id", &n))
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    cut_cell(t, text, ID_MAX);
    (void)snprintf(kind, sizeof kind, "%.*s", (int)strcspn(jpath_text(row, "kind", "-"), " "),
                   jpath_text(row, "kind", "-"));
    table_cell(t, kind); /* the first word */
    cut_cell(t, jpath_text(row, "state", "-"), STATE_MAX);
    cut_cell(t, jpath_text(row, "address", "-"), ADDRESS_MAX);
    cut_cell(t, jpath_text(row, "user", "-"), USER_MAX);
    position_cell(t, row);
    cut_cell(t, jpath_count(row, "lag_bytes", &n) ? format_bytes((double)n, text) : "-", LAG_MAX);
}

void show_replicas(FILE *out, const json_t *answer)
{
    static const char *const heads[COLUMNS] = {"server id", "kind", "state", "address", "user", "position", "lag"};
    const json_t *rows = jpath(answer, "replicas");
    size_t i;
    if (!json_is_array(rows)) {
        show_any(out, answer); /* the answer to an order */
        return;
    }
    if (!json_is_true(jpath(answer, "listening")))
        (void)fprintf(out, "replicas are not served: replicas.listen is off, or its address cannot be had\n");
    if (json_array_size(rows) == 0) {
        (void)fprintf(out, "nobody is connected\n");
        return;
    }
    struct table *t = table_new(COLUMNS);
    for (i = 0; i < COLUMNS; i++)
        table_cell(t, heads[i]);
    table_align_right(t, COLUMNS - 1);
    for (i = 0; i < json_array_size(rows); i++)
        put_row(t, json_array_get(rows, i));
    table_print(t, out);
    table_free(t);
}
