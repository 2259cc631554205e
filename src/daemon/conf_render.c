#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_table.h"

static void print_row(FILE *out, const struct conf_row *row)
{
    char accepted[300];
    conf_value_describe(row, accepted, sizeof accepted);
    (void)fprintf(out, "%s = %s\n", row->key, row->fallback);
    (void)fprintf(out, "    %s\n", row->help);
    (void)fprintf(out, "    Accepts %s.%s\n\n", accepted, (row->flags & CONF_RELOAD) != 0 ? " Reloadable." : "");
}

char *conf_help_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return NULL;
    (void)fputs(
        "Every key with its default; an empty default means not set. SIGHUP and the reload command take over the keys\n"
        "marked reloadable, the others need a restart. A comment is a line that begins with # or ;.\n\n",
        out);
    for (size_t i = 0; i < conf_n_rows; i++) {
        if (i == 0 || strcmp(conf_rows[i].section, conf_rows[i - 1].section) != 0)
            (void)fprintf(out, "[%s]\n\n", conf_rows[i].section);
        print_row(out, &conf_rows[i]);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static const char *origin_name(unsigned char origin)
{
    static const char *const names[] = {"default", "file", "command line"};
    return origin < sizeof names / sizeof names[0] ? names[origin] : "unknown";
}

static json_t *row_to_json(const struct conf *conf, size_t i)
{
    const struct conf_row *row = &conf_rows[i];
    char value[CONF_TEXT_MAX];
    conf_value_format(row, conf, value, sizeof value);
    const char *shown = (row->flags & CONF_SECRET) != 0 && value[0] != '\0' ? "(hidden)" : value;
    json_t *text = json_string(shown);
    if (text == NULL) /* a path need not be UTF-8, JSON must be */
        text = json_string("(not UTF-8)");
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:b}", "section", row->section, "key", row->key, "value", text,
                     "default", row->fallback, "from", origin_name(conf->origin[i]), "reload",
                     (row->flags & CONF_RELOAD) != 0);
}

json_t *conf_to_json(const struct conf *conf)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < conf_n_rows; i++) {
        if (json_array_append_new(list, row_to_json(conf, i)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *conf_changes(const struct conf *running, const struct conf *fresh)
{
    json_t *reload = json_array();
    json_t *restart = json_array();
    for (size_t i = 0; i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        char before[CONF_TEXT_MAX];
        char after[CONF_TEXT_MAX];
        conf_value_format(row, running, before, sizeof before);
        conf_value_format(row, fresh, after, sizeof after);
        if (strcmp(before, after) == 0)
            continue;
        json_t *name = json_sprintf("%s.%s", row->section, row->key);
        if (json_array_append_new((row->flags & CONF_RELOAD) != 0 ? reload : restart, name) != 0) {
            json_decref(reload);
            json_decref(restart);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o}", "reload", reload, "restart", restart);
}

void conf_changes_of_followed(json_t *changes)
{
    json_t *reload = json_object_get(changes, "reload");
    json_t *restart = json_object_get(changes, "restart");
    for (size_t i = 0; i < json_array_size(restart);) {
        json_t *key = json_array_get(restart, i);
        const char *name = json_string_value(key);
        bool address =
            strcmp(name, "source.host") == 0 || strcmp(name, "source.port") == 0 || strcmp(name, "source.socket") == 0;
        if (!address || json_array_append(reload, key) != 0 || json_array_remove(restart, i) != 0)
            i++;
    }
}
