#include "prom_check.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN   128
#define FAMILIES_MAX   256
#define SERIES_MAX     4096
#define SERIES_MAX_LEN 512

struct checker {
    char *why;
    size_t cap;
    unsigned line;
    char families[FAMILIES_MAX][NAME_MAX_LEN];
    size_t n_families;
    char series[SERIES_MAX][SERIES_MAX_LEN];
    size_t n_series;
    char help[NAME_MAX_LEN]; /* HELP was read, TYPE must follow */
    char type[16];           /* of the family whose samples may come */
    /* of the histogram whose samples come */
    double le;
    double in_bucket;
    double infinite; /* NAN: not yet */
    bool sum;
    bool count;
};

static bool bad(struct checker *c, const char *rule, const char *at)
{
    (void)snprintf(c->why, c->cap, "line %u: %s: %.80s", c->line, rule, at);
    return false;
}

static const char *family(const struct checker *c)
{
    return c->n_families > 0 ? c->families[c->n_families - 1] : "";
}

/* Length of the name at p, 0 for none. */
static size_t name_len(const char *p, bool label)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || (!label && p[n] == ':'))
        n++;
    return isdigit((unsigned char)p[0]) ? 0 : n;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t s = strlen(suffix);
    return n > s && strcmp(name + n - s, suffix) == 0;
}

static bool end_family(struct checker *c)
{
    if (strcmp(c->type, "histogram") == 0 && (isnan(c->infinite) || !c->sum || !c->count))
        return bad(c, "the histogram lacks its +Inf bucket, sum or count", family(c));
    return true;
}

static bool take_help(struct checker *c, const char *rest)
{
    size_t len = name_len(rest, false);
    if (c->help[0] != '\0')
        return bad(c, "HELP without TYPE", c->help);
    if (len == 0 || len >= NAME_MAX_LEN || rest[len] != ' ' || rest[len + 1] == '\0')
        return bad(c, "HELP needs a name and a text", rest);
    (void)snprintf(c->help, sizeof c->help, "%.*s", (int)len, rest);
    for (const char *p = rest; (p = strchr(p, '\\')) != NULL; p += 2) {
        if (p[1] != '\\' && p[1] != 'n')
            return bad(c, "a wrong escape in HELP", p);
    }
    return true;
}

static bool check_name(struct checker *c, const char *name, const char *type)
{
    static const char *const units[] = {"_us",      "_ms",  "_milliseconds", "_microseconds",
                                        "_minutes", "_kib", "_mib",          "_kilobytes"};
    bool counter = strcmp(type, "counter") == 0;
    if (counter != ends_in(name, "_total"))
        return bad(c, "counters, and only they, end in _total", name);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ends_in(name, units[i]))
            return bad(c, "no base unit", name);
    }
    static const char *const reserved[] = {"_bucket", "_sum", "_count"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (ends_in(name, reserved[i]))
            return bad(c, "the name belongs to histograms' samples", name);
    }
    return true;
}

static bool take_type(struct checker *c, const char *rest)
{
    char name[NAME_MAX_LEN];
    char type[16];
    char more;
    if (sscanf(rest, "%127s %15s%c", name, type, &more) != 2 || strcmp(name, c->help) != 0)
        return bad(c, "TYPE must follow the HELP of its family", rest);
    if (strcmp(type, "gauge") != 0 && strcmp(type, "counter") != 0 && strcmp(type, "histogram") != 0)
        return bad(c, "unknown type", type);
    if (!end_family(c))
        return false;
    for (size_t i = 0; i < c->n_families; i++) {
        if (strcmp(c->families[i], name) == 0)
            return bad(c, "the family comes a second time", name);
    }
    if (c->n_families == FAMILIES_MAX || !check_name(c, name, type))
        return c->n_families < FAMILIES_MAX ? false : bad(c, "too many families", name);
    (void)snprintf(c->families[c->n_families++], NAME_MAX_LEN, "%s", name);
    (void)snprintf(c->type, sizeof c->type, "%s", type);
    c->help[0] = '\0';
    c->le = -INFINITY;
    c->in_bucket = 0;
    c->infinite = (double)NAN;
    c->sum = c->count = false;
    return true;
}

/* Reads {name="value",...}; the value of le is kept. NULL: wrong, why says it. */
static const char *take_labels(struct checker *c, const char *p, char le[64])
{
    do {
        size_t len = name_len(++p, true);
        bool is_le = len == 2 && strncmp(p, "le", 2) == 0;
        size_t n = 0;
        if (len == 0 || strncmp(p, "__", 2) == 0 || strncmp(p + len, "=\"", 2) != 0)
            return bad(c, "a label is name=\"value\"", p) ? p : NULL;
        for (p += len + 2; *p != '"'; p++) {
            if (*p == '\0' || (*p == '\\' && strchr("\\\"n", *++p) == NULL) || *p == '\0')
                return bad(c, "a label's value is not closed, or has a wrong escape", p) ? p : NULL;
            if (is_le && n + 1 < 64)
                le[n++] = *p;
        }
        if (is_le)
            le[n] = '\0';
        p++;
    } while (*p == ',');
    if (*p != '}')
        return bad(c, "labels end in }", p) ? p : NULL;
    return p + 1;
}

static bool take_bucket(struct checker *c, const char *le, double value)
{
    char *end = NULL;
    double bound = strtod(le, &end);
    if (le[0] == '\0' || *end != '\0' || bound <= c->le)
        return bad(c, "bounds must be numbers that grow", le);
    if (value < c->in_bucket)
        return bad(c, "a bucket holds less than the one before", le);
    c->le = bound;
    c->in_bucket = value;
    if (isinf(bound))
        c->infinite = value;
    return true;
}

static bool check_histogram(struct checker *c, const char *name, const char *le, double value)
{
    const char *suffix = name + strlen(family(c));
    if (strcmp(suffix, "_bucket") == 0)
        return take_bucket(c, le, value);
    if (le[0] != '\0')
        return bad(c, "only buckets have le", name);
    if (strcmp(suffix, "_sum") == 0)
        return c->sum ? bad(c, "a second sum", name) : (c->sum = true);
    if (strcmp(suffix, "_count") != 0)
        return bad(c, "a histogram has _bucket, _sum and _count", name);
    c->count = true;
    return value == c->infinite ? true : bad(c, "count is not the +Inf bucket", name);
}

static bool take_sample(struct checker *c, const char *line)
{
    char name[NAME_MAX_LEN];
    char le[64] = "";
    char *end = NULL;
    size_t len = name_len(line, false);
    const char *p = line + len;
    if (len == 0 || len >= sizeof name)
        return bad(c, "neither a comment nor a sample", line);
    (void)snprintf(name, sizeof name, "%.*s", (int)len, line);
    if (*p == '{' && (p = take_labels(c, p, le)) == NULL)
        return false;
    if (*p != ' ')
        return bad(c, "a blank stands before the value", line);
    if (c->n_series == SERIES_MAX || (size_t)(p - line) >= SERIES_MAX_LEN)
        return bad(c, "too many series, or too long", line);
    (void)snprintf(c->series[c->n_series], SERIES_MAX_LEN, "%.*s", (int)(p - line), line);
    for (size_t i = 0; i < c->n_series; i++) {
        if (strcmp(c->series[i], c->series[c->n_series]) == 0)
            return bad(c, "the series comes a second time", line);
    }
    c->n_series++;
    double value = strtod(++p, &end);
    if (end == p || *end != '\0' || isspace((unsigned char)*p))
        return bad(c, "the value is no number", line);
    if (strcmp(c->type, "gauge") != 0 && !(value >= 0))
        return bad(c, "counts are not negative", line);
    bool histogram = strcmp(c->type, "histogram") == 0;
    if (histogram ? strncmp(name, family(c), strlen(family(c))) != 0 : strcmp(name, family(c)) != 0)
        return bad(c, "the sample is not of the family above", line);
    return histogram ? check_histogram(c, name, le, value) : true;
}

static bool take_line(struct checker *c, const char *line)
{
    if (strncmp(line, "# HELP ", 7) == 0)
        return take_help(c, line + 7);
    if (strncmp(line, "# TYPE ", 7) == 0)
        return take_type(c, line + 7);
    if (c->help[0] != '\0')
        return bad(c, "HELP without TYPE", c->help);
    return take_sample(c, line);
}

bool prom_check(const char *text, char *why, size_t cap)
{
    struct checker *c = calloc(1, sizeof *c);
    if (c == NULL)
        return false;
    c->why = why;
    c->cap = cap;
    bool ok = true;
    size_t len = strlen(text);
    if (len == 0 || text[len - 1] != '\n')
        ok = bad(c, "the text must end in a line end", "");
    while (ok && *text != '\0') {
        char line[2048];
        len = strcspn(text, "\n");
        c->line++;
        if (len >= sizeof line) {
            ok = bad(c, "the line is too long", text);
            break;
        }
        (void)snprintf(line, sizeof line, "%.*s", (int)len, text);
        ok = take_line(c, line);
        text += len + 1;
    }
    if (ok && c->help[0] != '\0')
        ok = bad(c, "HELP without TYPE", c->help);
    ok = ok && end_family(c);
    free(c);
    return ok;
}

bool prom_sample(const char *text, const char *series, double *ret_value)
{
    size_t len = strlen(series);
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, series, len) == 0 && line[len] == ' ') {
            *ret_value = strtod(line + len + 1, NULL);
            return true;
        }
    }
    return false;
}

bool prom_has_name(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        const char *at = strncmp(line, "# TYPE ", 7) == 0 ? line + 7 : line;
        if (strncmp(at, name, len) == 0 && (at[len] == ' ' || at[len] == '{'))
            return true;
    }
    return false;
}
