/*
 * Every alarm that there is has a test that provokes it, and a word for operators: the table in tests/README.md, the one in src/ops/README.md and
 * the runbook are held against the codes, in both directions; the test that a row names is in the program that it names, and speaks of the code.
 * Argument 1: the top of the source tree.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "ops/watch/alarms.h"

static const char *top;

/* What goes into status.warnings beside the alarms; the runbook has it, too. */
static const char *const others[] = {"fence_not_persisted"};

/* The file of that name, made of three parts, below the top of the source tree. The caller frees. */
static char *read_whole(const char *dir, const char *name, const char *end)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s%s%s", top, dir, name, end);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fprintf(stderr, "no %s\n", path);
        return NULL;
    }
    char *text = NULL;
    size_t cap = 0;
    if (getdelim(&text, &cap, '\0', f) < 0) {
        free(text);
        text = NULL;
    }
    (void)fclose(f);
    return text;
}

static bool is_warning(const char *code)
{
    for (int i = 0; i < ALARM_COUNT; i++) {
        if (strcmp(alarm_code_name((enum alarm_code)i), code) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i], code) == 0)
            return true;
    }
    return false;
}

#define CELLS 4

struct row {
    char cell[CELLS][128]; /* without backquotes */
};

/* "| `a` | b | ..." into cells; false: not a row of a table. */
static bool cut(const char *line, struct row *ret)
{
    size_t n = 0;
    *ret = (struct row){0};
    if (line[0] != '|' || line[1] != ' ' || line[2] != '`')
        return false;
    for (const char *p = line + 1; n < CELLS && *p != '\0';) {
        size_t len = strcspn(p, "|");
        size_t to = 0;
        for (size_t i = 1; i + 1 < len && to + 1 < sizeof ret->cell[n]; i++) {
            if (p[i] != '`')
                ret->cell[n][to++] = p[i];
        }
        n++;
        p += len + (p[len] == '|');
    }
    return true;
}

typedef void (*row_fn)(const struct row *row);

/* Each warning is in the table below that heading, once, and nothing else is. fn (may be NULL) sees each row. */
static void check_table(const char *file, const char *heading, bool with_others, row_fn fn)
{
    unsigned seen[ALARM_COUNT] = {0};
    unsigned seen_others = 0;
    bool inside = false;
    char *save = NULL;
    char *text = read_whole("", file, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        struct row row;
        if (strncmp(line, "## ", 3) == 0)
            inside = strcmp(line + 3, heading) == 0;
        if (!inside || !cut(line, &row))
            continue;
        char codes[sizeof row.cell[0]];
        char *rest = NULL;
        memcpy(codes, row.cell[0], sizeof codes);
        for (char *code = strtok_r(codes, ", ", &rest); code != NULL; code = strtok_r(NULL, ", ", &rest)) {
            CU_ASSERT_TRUE(is_warning(code));
            if (!is_warning(code))
                fprintf(stderr, "%s: no alarm has the code %s\n", file, code);
            for (int i = 0; i < ALARM_COUNT; i++)
                seen[i] += strcmp(alarm_code_name((enum alarm_code)i), code) == 0;
            for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
                seen_others += strcmp(others[i], code) == 0;
        }
        if (fn != NULL)
            fn(&row);
    }
    for (int i = 0; i < ALARM_COUNT; i++) {
        CU_ASSERT_EQUAL(seen[i], 1);
        if (seen[i] != 1)
            fprintf(stderr, "%s has %u rows of %s\n", file, seen[i], alarm_code_name((enum alarm_code)i));
    }
    CU_ASSERT_EQUAL(seen_others, with_others ? sizeof others / sizeof others[0] : 0);
    free(text);
}

/* The program has that test, and its source says the code. */
static void check_provocation(const struct row *row)
{
    char title[160];
    char code[160];
    char *source = read_whole("tests/integration/test_", row->cell[1], ".c");
    CU_ASSERT_PTR_NOT_NULL(source);
    (void)snprintf(title, sizeof title, "{\"%s\", test_", row->cell[2]);
    (void)snprintf(code, sizeof code, "\"%s\"", row->cell[0]);
    bool there = source != NULL && strstr(source, title) != NULL && strstr(source, code) != NULL;
    CU_ASSERT_TRUE(there);
    if (!there)
        fprintf(stderr, "test_%s.c does not provoke %s in \"%s\"\n", row->cell[1], row->cell[0], row->cell[2]);
    CU_ASSERT_NOT_EQUAL(row->cell[3][0], '\0');
    free(source);
}

static void each_is_provoked(void)
{
    check_table("tests/README.md", "Where each alarm is provoked", true, check_provocation);
}

static void each_is_documented(void)
{
    check_table("src/ops/README.md", "Warnings", false, NULL);
    check_table("src/ops/RUNBOOK.md", "Warnings (`warnings`, `logtailer_warning`)", true, NULL);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"each is provoked", each_is_provoked},
        {"each is documented", each_is_documented},
    };
    if (argc != 2)
        return 2;
    top = argv[1];
    return cunit_run("alarm_table", cases, sizeof cases / sizeof cases[0]);
}
