#include "documented.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

enum { PATHS_MAX = 256, PATH_MAX_LEN = 128 };

struct paths {
    size_t n;
    char name[PATHS_MAX][PATH_MAX_LEN];
};

static bool has(const struct paths *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->name[i], name) == 0)
            return true;
    }
    return false;
}

static void add(struct paths *p, const char *name)
{
    if (has(p, name))
        return;
    if (p->n == PATHS_MAX || strlen(name) >= PATH_MAX_LEN)
        proc_die("more fields than documented.c holds");
    (void)snprintf(p->name[p->n++], PATH_MAX_LEN, "%s", name);
}

/* Leaves are fields; an empty list or a null shows nothing of what is below it, so it counts as itself. */
static void collect(const json_t *v, const char *path, struct paths *p)
{
    const char *key;
    json_t *item;
    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, item)
        {
            char *name = proc_fmt("%s%s%s", path, path[0] != '\0' ? "." : "", key);
            collect(item, name, p);
            free(name);
        }
        return;
    }
    if (!json_is_array(v)) {
        add(p, path);
        return;
    }
    char *name = proc_fmt("%s[]", path);
    size_t i;
    json_array_foreach(v, i, item) collect(item, name, p);
    free(name);
}

static void read_table(const char *section, struct paths *p)
{
    const char *path = secure_getenv("LT_OPS_README");
    char *text = path != NULL ? proc_read_file(path, NULL) : NULL;
    if (text == NULL)
        proc_die("LT_OPS_README does not name the document (run the test through meson)");
    char *heading = proc_fmt("## %s", section);
    bool inside = false;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "## ", 3) == 0)
            inside = strcmp(line, heading) == 0;
        char *end = inside && strncmp(line, "| `", 3) == 0 ? strchr(line + 3, '`') : NULL;
        if (end == NULL)
            continue;
        *end = '\0';
        add(p, line + 3);
    }
    free(heading);
    free(text);
}

/* "last_error" stands for itself where its fields are documented: it was null. */
static bool is_parent(const struct paths *p, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < p->n; i++) {
        if (strncmp(p->name[i], name, len) == 0 && (p->name[i][len] == '.' || p->name[i][len] == '['))
            return true;
    }
    return false;
}

bool documented(const char *section, json_t *const *answers, size_t n)
{
    static struct paths doc;
    static struct paths seen;
    bool same = true;
    doc.n = seen.n = 0;
    read_table(section, &doc);
    for (size_t i = 0; i < n; i++)
        collect(answers[i], "", &seen);
    for (size_t i = 0; i < seen.n; i++) {
        if (has(&doc, seen.name[i]) || is_parent(&doc, seen.name[i]))
            continue;
        same = false;
        fprintf(stderr, "%s answers %s, which is not documented\n", section, seen.name[i]);
    }
    for (size_t i = 0; i < doc.n; i++) {
        if (has(&seen, doc.name[i]))
            continue;
        same = false;
        fprintf(stderr, "%s is documented to answer %s, and did not\n", section, doc.name[i]);
    }
    return same && doc.n > 0;
}

bool documented_row(const char *section, const char *word)
{
    static struct paths doc;
    doc.n = 0;
    read_table(section, &doc);
    return has(&doc, word);
}
