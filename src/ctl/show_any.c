/* The renderer that knows no command: what a newer daemon says is shown by an older logtailerctl, too. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/jpath.h"
#include "ctl/commands.h"
#include "ctl/format.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define COLUMNS_MAX 16
#define DEPTH_MAX   6

static void show_indented(FILE *out, const json_t *object, int indent);

void show_line(FILE *out, const char *label, const char *text)
{
    char *clean = format_clean(text);
    if (clean == NULL)
        ctl_out_of_memory();
    (void)fprintf(out, "%-14s %s\n", label, clean);
    free(clean);
}

static bool is_position(const json_t *value)
{
    return json_object_size(value) == 2 && json_is_string(json_object_get(value, "file")) &&
           json_is_integer(json_object_get(value, "offset"));
}

static bool is_table(const json_t *value)
{
    return json_array_size(value) > 0 && json_is_object(json_array_get(value, 0));
}

/* The keys of all rows, in order of appearance; those without a value in any row are left out. */
static size_t gather_columns(const json_t *rows, const char *columns[COLUMNS_MAX])
{
    size_t n = 0;
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(row, key, value)
        {
            size_t c = 0;
            while (c < n && strcmp(columns[c], key) != 0)
                c++;
            if (c == n && n < COLUMNS_MAX && !json_is_null(value))
                columns[n++] = key;
        }
    }
    return n;
}

/* "free_bytes" of a figure that is shown with its unit: "free". */
static char *column_title(const char *key)
{
    static const char *const units[] = {"_bytes", "_us", "_seconds", "_s"};
    char *title = format_clean(key);
    for (size_t i = 0; title != NULL && i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(title);
        size_t unit = strlen(units[i]);
        if (len > unit && strcmp(title + len - unit, units[i]) == 0)
            title[len - unit] = '\0';
    }
    for (char *p = title; p != NULL && *p != '\0'; p++) {
        if (*p == '_')
            *p = ' ';
    }
    return title;
}

static void show_table(FILE *out, const json_t *rows)
{
    const char *columns[COLUMNS_MAX];
    size_t n = gather_columns(rows, columns);
    if (n == 0)
        return;
    struct table *t = table_new(n);
    for (size_t c = 0; c < n; c++)
        table_take_cell(t, column_title(columns[c]));
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < n; c++) {
            const json_t *value = json_object_get(row, columns[c]);
            table_take_cell(t, format_value(columns[c], value));
            if (json_is_number(value))
                table_align_right(t, c);
        }
    }
    table_print(t, out);
    table_free(t);
}

static void show_list(FILE *out, const char *key, const json_t *list, int indent)
{
    char *title = column_title(key);
    if (title == NULL)
        ctl_out_of_memory();
    if (json_array_size(list) == 0) {
        (void)fprintf(out, "%*s%-20s none\n", indent, "", title);
    } else if (is_table(list)) {
        (void)fprintf(out, "%*s%s\n", indent, "", title);
        show_table(out, list);
    } else {
        (void)fprintf(out, "%*s%s\n", indent, "", title);
        size_t i = 0;
        json_t *item = NULL;
        json_array_foreach(list, i, item)
        {
            char *text = format_value("", item);
            if (text == NULL)
                ctl_out_of_memory();
            (void)fprintf(out, "%*s%s\n", indent + 2, "", text);
            free(text);
        }
    }
    free(title);
}

static void show_member(FILE *out, const char *key, const json_t *value, int indent)
{
    if (json_is_array(value)) {
        show_list(out, key, value, indent);
        return;
    }
    char *title = column_title(key);
    if (title == NULL)
        ctl_out_of_memory();
    if (json_is_object(value) && !is_position(value) && indent < DEPTH_MAX * 2) {
        (void)fprintf(out, "%*s%s\n", indent, "", title);
        show_indented(out, value, indent + 2);
    } else {
        char *text = format_value(key, value);
        if (text == NULL)
            ctl_out_of_memory();
        (void)fprintf(out, "%*s%-20s %s\n", indent, "", title, text);
        free(text);
    }
    free(title);
}

static void show_indented(FILE *out, const json_t *object, int indent)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)object, key, value) show_member(out, key, value, indent);
}

void show_any(FILE *out, const json_t *answer)
{
    if (json_object_size(answer) == 1) {
        const char *key = json_object_iter_key(json_object_iter((json_t *)answer));
        const json_t *value = json_object_get(answer, key);
        if (strcmp(key, "ok") == 0 && json_is_true(value)) {
            (void)fputs("done\n", out);
            return;
        }
        if (is_table(value)) {
            show_table(out, value);
            return;
        }
    }
    show_indented(out, answer, 0);
}

void show_error(FILE *out, const char *command, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    char *message = format_clean(jpath_text(error, "message", "(no message)"));
    char *code = format_clean(jpath_text(error, "code", "unknown"));
    char *cure = format_clean(jpath_text(error, "cure", ""));
    if (message == NULL || code == NULL || cure == NULL)
        ctl_out_of_memory();
    if (strcmp(code, "unknown_command") == 0 && command_find(command) == NULL)
        (void)fprintf(out, "logtailerctl: there is no command %s; logtailerctl --help lists them\n", command);
    else if (strcmp(code, "unknown_command") == 0)
        (void)fprintf(
            out,
            "logtailerctl: the running logtailerd does not know the command %s: it is another version than this "
            "logtailerctl (logtailerctl help lists what it knows)\n",
            command);
    else
        (void)fprintf(out, "logtailerctl: %s refused: %s (%s)\n", command, message, code);
    if (cure[0] != '\0')
        (void)fprintf(out, "  cure: %s\n", cure);
    const json_t *details = json_object_get(answer, "details");
    if (json_object_size(details) > 0)
        show_indented(out, details, 2);
    free(message);
    free(code);
    free(cure);
}
