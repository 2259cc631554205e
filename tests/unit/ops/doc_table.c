#include "doc_table.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *doc_top;

char *doc_read(const char *dir, const char *name, const char *end)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s%s%s", doc_top, dir, name, end);
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

bool doc_cut(const char *line, struct doc_row *ret)
{
    size_t n = 0;
    *ret = (struct doc_row){0};
    if (line[0] != '|' || line[1] != ' ' || line[2] != '`')
        return false;
    for (const char *p = line + 1; n < DOC_CELLS && *p != '\0';) {
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

void doc_check_test(const struct doc_row *row, const char *words)
{
    char title[160];
    bool integration = strchr(row->cell[1], '/') == NULL;
    char *source = doc_read(integration ? "tests/integration/test_" : "tests/", row->cell[1], ".c");
    CU_ASSERT_PTR_NOT_NULL(source);
    (void)snprintf(title, sizeof title, "{\"%s\", %s", row->cell[2], integration ? "test_" : "");
    bool there = source != NULL && strstr(source, title) != NULL && strstr(source, words) != NULL;
    CU_ASSERT_TRUE(there);
    if (!there)
        fprintf(stderr, "%s does not speak of %s in \"%s\"\n", row->cell[1], words, row->cell[2]);
    CU_ASSERT_NOT_EQUAL(row->cell[3][0], '\0');
    free(source);
}
