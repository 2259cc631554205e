/*
 * Every cure that is printed has a row in tests/README.md, "Where each cure is followed": either the test in which it was done what it says and things
 * went on, or why no test can. Held against fault.h and alarms.h in both directions, and against the programs.
 * Argument 1: the top of the source tree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "doc_table.h"
#include "ingest/fault.h"
#include "ops/watch/alarms.h"

struct cure {
    const char *name; /* as the row has it */
    const char *code;
    unsigned rows;
};

static struct cure cures[] = {
#define FAULT_ROW(name, code, retry, cure) {"FAULT_" #name, code, 0},
    FAULT_CODES(FAULT_ROW)
#undef FAULT_ROW
#define ALARM_ROW(name, code, monitor, effect, cure) {"ALARM_" #name, code, 0},
        ALARM_CODES(ALARM_ROW)
#undef ALARM_ROW
            {"fence_not_persisted", "fence_not_persisted", 0},
};

static void check_row(const struct doc_row *row)
{
    struct cure *found = NULL;
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++) {
        if (strcmp(cures[i].name, row->cell[0]) == 0)
            found = &cures[i];
    }
    CU_ASSERT_PTR_NOT_NULL(found);
    if (found == NULL) {
        fprintf(stderr, "nothing has the name %s\n", row->cell[0]);
        return;
    }
    found->rows++;
    if (strcmp(row->cell[1], "-") != 0) {
        doc_check_test(row, found->code);
        return;
    }
    CU_ASSERT(strncmp(row->cell[3], "not followed: ", strlen("not followed: ")) == 0 && strlen(row->cell[3]) > 25);
}

static void each_is_followed(void)
{
    bool inside = false;
    char *save = NULL;
    char *text = doc_read("tests/README.md", "", "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        struct doc_row row;
        if (strncmp(line, "## ", 3) == 0)
            inside = strcmp(line + 3, "Where each cure is followed") == 0;
        if (inside && doc_cut(line, &row))
            check_row(&row);
    }
    free(text);
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++) {
        unsigned wanted = cures[i].code[0] == '\0' ? 0 : 1;
        CU_ASSERT_EQUAL(cures[i].rows, wanted);
        if (cures[i].rows != wanted)
            fprintf(stderr, "%u rows of %s\n", cures[i].rows, cures[i].name);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {{"each is followed, or it is said why not", each_is_followed}};
    if (argc != 2)
        return 2;
    doc_top = argv[1];
    return cunit_run("cure_table", cases, sizeof cases / sizeof cases[0]);
}
