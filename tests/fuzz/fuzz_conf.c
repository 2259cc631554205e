/*
 * The configuration parser: any bytes are a file. What it accepts must render and parse back to the same values.
 * Does not touch the file system: the rules that ask it are not run.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_table.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_row(const struct conf_row *row, const struct conf *conf, struct conf *back)
{
    char before[CONF_TEXT_MAX];
    char after[CONF_TEXT_MAX];
    conf_value_format(row, conf, before, sizeof before);
    if (conf_value_parse(row, before, back) != LT_OK)
        abort();
    conf_value_format(row, back, after, sizeof after);
    if (strcmp(before, after) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct conf conf;
    struct conf back;
    struct lt_err err = {0};
    if (conf_init(&conf, &err) != LT_OK || conf_init(&back, &err) != LT_OK)
        abort();
    int rc = conf_parse_text(&conf, "fuzz", (const char *)data, size, &err);
    if (rc != LT_OK && (rc != err.code || err.text[0] == '\0'))
        abort();
    for (size_t i = 0; i < conf_n_rows; i++)
        check_row(&conf_rows[i], &conf, &back);
    json_t *list = conf_to_json(&conf);
    json_t *changes = conf_changes(&conf, &back);
    if (list == NULL || changes == NULL || json_array_size(json_object_get(changes, "reload")) != 0)
        abort();
    json_decref(list);
    json_decref(changes);

    /* The same bytes as a --set argument. */
    char *set = malloc(size + 1);
    if (set == NULL)
        abort();
    if (size > 0)
        memcpy(set, data, size);
    set[size] = '\0';
    if (conf_set(&back, set, &err) != LT_OK && err.text[0] == '\0')
        abort();
    free(set);
    conf_fini(&conf);
    conf_fini(&back);
    return 0;
}
