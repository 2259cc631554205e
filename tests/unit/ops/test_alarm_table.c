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
#include "doc_table.h"
#include "ops/watch/alarms.h"

/* What goes into status.warnings beside the alarms; the runbook has it, too. */
static const char *const others[] = {"fence_not_persisted"};

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

typedef void (*row_fn)(const struct doc_row *row);

/* Each warning is in the table below that heading, once, and nothing else is. fn (may be NULL) sees each row. */
static void check_table(const char *file, const char *heading, bool with_others, row_fn fn)
{
    unsigned seen[ALARM_COUNT] = {0};
    unsigned seen_others = 0;
    bool inside = false;
    char *save = NULL;
    char *text = doc_read("", file, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        struct doc_row row;
        if (strncmp(line, "## ", 3) == 0)
            inside = strcmp(line + 3, heading) == 0;
        if (!inside || !doc_cut(line, &row))
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
static void check_provocation(const struct doc_row *row)
{
    char quoted[130];
    (void)snprintf(quoted, sizeof quoted, "\"%.120s\"", row->cell[0]);
    doc_check_test(row, quoted);
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
    doc_top = argv[1];
    return cunit_run("alarm_table", cases, sizeof cases / sizeof cases[0]);
}
