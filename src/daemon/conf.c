/*
 * Defaults, then the file, then --set, then the rules between keys (conf_check.c).
 *
 * inih splits the lines; the reader below feeds it, because inih alone would cut a long line in two and read the rest as a line of its own,
 * take an indented line for the continuation of the one before, and cannot tell the handler which line it is on.
 */
#include "daemon/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "daemon/conf_table.h"

#define FILE_LIMIT  (1U << 20)
#define LINE_LIMIT  4500
#define SHOWN_VALUE 80 /* of a refused value, so that the rest of the text has room */

int conf_init(struct conf *conf, struct lt_err *err)
{
    memset(conf, 0, sizeof *conf);
    for (size_t i = 0; i < conf_n_rows; i++) {
        int rc = conf_value_parse(&conf_rows[i], conf_rows[i].fallback, conf);
        lt_assert(rc != LT_EINVAL);
        if (rc != LT_OK) {
            conf_fini(conf);
            return lt_err_set(err, rc, "out of memory");
        }
    }
    return LT_OK;
}

void conf_fini(struct conf *conf)
{
    for (size_t i = 0; i < conf_n_rows; i++) {
        if (conf_is_text(conf_rows[i].type))
            free(*(char **)conf_value_place(&conf_rows[i], conf));
    }
    memset(conf, 0, sizeof *conf);
}

/* where: "FILE:LINE" or "--set". */
static int set_value(struct conf *conf, const char *where, const char *section, const char *key, const char *value,
                     struct lt_err *err)
{
    char list[300];
    const struct conf_row *row = conf_find(section, key);
    if (row == NULL && !conf_has_section(section)) {
        conf_list_sections(list, sizeof list);
        if (section[0] == '\0')
            return lt_err_set(err, LT_EINVAL, "%s: %.60s is in no section; the sections are %s", where, key, list);
        return lt_err_set(err, LT_EINVAL, "%s: unknown section %.60s; the sections are %s", where, section, list);
    }
    if (row == NULL) {
        conf_list_keys(section, list, sizeof list);
        return lt_err_set(err, LT_EINVAL, "%s: unknown key %s.%.60s; %s has %s", where, section, key, section, list);
    }
    int rc = conf_value_parse(row, value, conf);
    if (rc == LT_ENOMEM)
        return lt_err_set(err, rc, "%s: out of memory", where);
    if (rc != LT_OK) {
        conf_value_describe(row, list, sizeof list);
        return lt_err_set(err, LT_EINVAL, "%s: %s.%s = \"%.*s\" is not accepted; expected %s", where, section, key,
                          SHOWN_VALUE, value, list);
    }
    return LT_OK;
}

struct parse {
    struct conf *conf;
    const char *name;
    const char *text;
    size_t left;
    unsigned line;
    struct lt_err *err;
    int rc;
    unsigned seen[CONF_KEYS_MAX]; /* line of a row in this text */
};

static const char *locate(const struct parse *parse, char *buf, size_t cap)
{
    (void)snprintf(buf, cap, "%.100s:%u", parse->name, parse->line);
    return buf;
}

/* Sections without keys never reach the handler, so they are looked at here. */
static int check_section(const struct parse *parse, const char *line)
{
    char name[64];
    char where[128];
    const char *end = line[0] == '[' ? strchr(line, ']') : NULL;
    if (end == NULL)
        return LT_OK;
    (void)snprintf(name, sizeof name, "%.*s", (int)(end - line - 1 < 60 ? end - line - 1 : 60), line + 1);
    if (conf_has_section(name))
        return LT_OK;
    char list[128];
    conf_list_sections(list, sizeof list);
    return lt_err_set(parse->err, LT_EINVAL, "%s: unknown section %s; the sections are %s",
                      locate(parse, where, sizeof where), name, list);
}

/* inih's fgets: one line without its indentation, or NULL at the end and after the first error. */
static char *read_line(char *str, int num, void *stream)
{
    struct parse *parse = stream;
    if (parse->left == 0 || parse->rc != LT_OK)
        return NULL;
    parse->line++;
    const char *nl = memchr(parse->text, '\n', parse->left);
    const char *at = parse->text;
    size_t taken = nl != NULL ? (size_t)(nl - at) + 1 : parse->left;
    size_t len = nl != NULL ? taken - 1 : taken;
    parse->text += taken;
    parse->left -= taken;
    for (; len > 0 && (*at == ' ' || *at == '\t'); at++)
        len--;
    char where[128];
    if (memchr(at, '\0', len) != NULL) {
        parse->rc = lt_err_set(parse->err, LT_EINVAL, "%s: holds a zero byte", locate(parse, where, sizeof where));
        return NULL;
    }
    if (len + 1 >= (size_t)num) {
        parse->rc = lt_err_set(parse->err, LT_EINVAL, "%s: the line is longer than %d bytes",
                               locate(parse, where, sizeof where), num - 2);
        return NULL;
    }
    memcpy(str, at, len);
    str[len] = '\0';
    parse->rc = check_section(parse, str);
    return parse->rc == LT_OK ? str : NULL;
}

static int handle_pair(void *user, const char *section, const char *key, const char *value)
{
    struct parse *parse = user;
    char where[128];
    if (parse->rc != LT_OK)
        return 0;
    parse->rc = set_value(parse->conf, locate(parse, where, sizeof where), section, key, value != NULL ? value : "",
                          parse->err);
    if (parse->rc != LT_OK)
        return 0;
    size_t row = (size_t)(conf_find(section, key) - conf_rows);
    if (parse->seen[row] != 0) {
        parse->rc = lt_err_set(parse->err, LT_EINVAL, "%s: %s.%s is given a second time; the first is in line %u",
                               where, section, key, parse->seen[row]);
        return 0;
    }
    parse->seen[row] = parse->line;
    parse->conf->origin[row] = CONF_FROM_FILE;
    return 1;
}

int conf_parse_text(struct conf *conf, const char *name, const char *text, size_t len, struct lt_err *err)
{
    struct parse parse = {.conf = conf, .name = name, .text = text, .left = len, .err = err};
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_LIMIT;
    ini_max_line = LINE_LIMIT;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
    int rc = ini_parse_stream(read_line, &parse, handle_pair, &parse);
    if (parse.rc != LT_OK)
        return parse.rc;
    if (rc > 0)
        return lt_err_set(err, LT_EINVAL, "%.100s:%d: neither [section] nor key = value nor a comment", name, rc);
    if (rc < 0)
        return lt_err_set(err, LT_ENOMEM, "%.100s: out of memory", name);
    return LT_OK;
}

int conf_set(struct conf *conf, const char *assignment, struct lt_err *err)
{
    char section[64];
    char key[64];
    const char *equals = strchr(assignment, '=');
    const char *dot = strchr(assignment, '.');
    if (equals == NULL || dot == NULL || dot > equals || (size_t)(equals - assignment) >= sizeof key)
        return lt_err_set(err, LT_EINVAL, "--set: \"%.80s\" is not accepted; expected section.key=value", assignment);
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
    (void)snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    int rc = set_value(conf, "--set", section, key, equals + 1, err);
    if (rc == LT_OK)
        conf->origin[conf_find(section, key) - conf_rows] = CONF_FROM_COMMAND_LINE;
    return rc;
}

/* The whole file in a new buffer. */
static int read_file(const char *path, char **ret_text, size_t *ret_len, struct lt_err *err)
{
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return lt_err_sys(err, LT_ESYS, "cannot open the configuration %s", path);
    char *text = malloc(FILE_LIMIT + 1);
    if (text == NULL) {
        (void)fclose(f);
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    }
    size_t len = fread(text, 1, FILE_LIMIT + 1, f);
    int rc = LT_OK;
    if (ferror(f) != 0)
        rc = lt_err_sys(err, LT_ESYS, "cannot read the configuration %s", path);
    else if (len > FILE_LIMIT)
        rc = lt_err_set(err, LT_EINVAL, "%s: a configuration has at most %u bytes", path, FILE_LIMIT);
    (void)fclose(f);
    if (rc != LT_OK) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_len = len;
    return LT_OK;
}

int conf_load(struct conf *ret_conf, const char *path, const char *const *sets, size_t n_sets, struct lt_err *err)
{
    struct conf conf;
    char *text = NULL;
    size_t len = 0;
    int rc = read_file(path, &text, &len, err);
    if (rc != LT_OK)
        return rc;
    rc = conf_init(&conf, err);
    if (rc != LT_OK) {
        free(text);
        return rc;
    }
    rc = conf_parse_text(&conf, path, text, len, err);
    free(text);
    for (size_t i = 0; i < n_sets && rc == LT_OK; i++)
        rc = conf_set(&conf, sets[i], err);
    if (rc == LT_OK)
        rc = conf_finish(&conf, err);
    if (rc == LT_OK)
        *ret_conf = conf;
    else
        conf_fini(&conf);
    return rc;
}
