/* Answers that decide what somebody does next: the verdict comes first, in capitals. */
#include <stdlib.h>
#include <string.h>

#include "base/jpath.h"
#include "ctl/format.h"
#include "ctl/show.h"
#include "ctl/table.h"

/* Everything but the named keys, which were shown already. */
static void show_rest(FILE *out, const json_t *answer, const char *const *shown)
{
    json_t *rest = json_copy((json_t *)answer);
    if (rest == NULL)
        ctl_out_of_memory();
    for (; *shown != NULL; shown++)
        (void)json_object_del(rest, *shown);
    if (json_object_size(rest) > 0)
        show_any(out, rest);
    json_decref(rest);
}

/* One line for each check; what is in order is told too. */
static void show_checks(FILE *out, const json_t *list)
{
    struct table *t = table_new(3);
    size_t i = 0;
    json_t *check = NULL;
    json_array_foreach(list, i, check)
    {
        char result[16];
        (void)snprintf(result, sizeof result, "  %.12s", jpath_text(check, "result", "?"));
        table_cell(t, result);
        table_cell(t, jpath_text(check, "name", "?"));
        table_cell(t, jpath_text(check, "message", ""));
    }
    table_print(t, out);
    table_free(t);
}

static void show_reasons(FILE *out, const json_t *list)
{
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        char *text = format_value("", item);
        if (text == NULL)
            ctl_out_of_memory();
        (void)fprintf(out, "  - %s\n", text);
        free(text);
    }
}

void show_preflight(FILE *out, const json_t *answer)
{
    static const char *const shown[] = {"verdict", "reasons", "checks", NULL};
    char *verdict = format_clean(jpath_text(answer, "verdict", "unknown"));
    if (verdict == NULL)
        ctl_out_of_memory();
    (void)fprintf(out, "%s\n", verdict);
    free(verdict);
    if (json_array_size(json_object_get(answer, "checks")) > 0) /* the reasons are among them */
        show_checks(out, json_object_get(answer, "checks"));
    else
        show_reasons(out, json_object_get(answer, "reasons"));
    show_rest(out, answer, shown);
}

void show_repoint(FILE *out, const json_t *answer)
{
    static const char *const shown[] = {"verdict", NULL};
    char *verdict = format_clean(jpath_text(answer, "verdict", ""));
    if (verdict == NULL)
        ctl_out_of_memory();
    show_rest(out, answer, shown);
    if (verdict[0] != '\0')
        (void)fprintf(out, "%s\n", verdict);
    free(verdict);
}

void show_fence(FILE *out, const json_t *answer)
{
    char *guarantee = format_clean(jpath_text(answer, "guarantee", "unknown"));
    const json_t *persisted = json_object_get(answer, "persisted");
    const json_t *final = json_object_get(answer, "final");
    (void)fputs("FENCED: no acknowledgement leaves for this source any more\n", out);
    if (guarantee == NULL)
        ctl_out_of_memory();
    if (strcmp(guarantee, "strong") != 0)
        (void)fprintf(out, "  the guarantee is %s: commits may still return on the source; see why\n", guarantee);
    if (json_is_false(persisted))
        (void)fputs("  NOT PERSISTED: it holds only while this process lives; repeat it, or keep logtailerd from "
                    "starting again\n",
                    out);
    if (json_is_false(final))
        (void)fputs("  NOT FINAL: a sync was in flight; repeat it for the last place\n", out);
    free(guarantee);
    show_any(out, answer);
}

void show_config(FILE *out, const json_t *answer)
{
    const json_t *rows = json_object_get(answer, "config");
    struct table *t = table_new(4);
    static const char *const head[] = {"key", "value", "from", "takes effect"};
    for (size_t i = 0; i < 4; i++)
        table_cell(t, head[i]);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        char name[160];
        (void)snprintf(name, sizeof name, "%s.%s", jpath_text(row, "section", "?"), jpath_text(row, "key", "?"));
        table_cell(t, name);
        table_cell(t, jpath_text(row, "value", "-"));
        table_cell(t, jpath_text(row, "from", "-"));
        table_cell(t, jpath_is_true(row, "reload") ? "by reload" : "by restart");
    }
    table_print(t, out);
    table_free(t);
}
