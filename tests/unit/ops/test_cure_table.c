/*
 * Every cure that is printed has a row in tests/README.md, "Where each cure is followed": either the test in which it was done what it says and things
 * went on, or why no test can. Held in both directions against fault.h, alarms.h, the errors that the server knows (proto/tail.proto) and the ones that
 * the library finds by itself, and against the programs. Argument 1: the top of the source tree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binlogtail/binlogtail.h"
#include "client/handle.h"
#include "cunit_main.h"
#include "doc_table.h"
#include "ingest/fault.h"
#include "ops/watch/alarms.h"
#include "tail.pb-c.h"

#define CURES_MAX 256

struct cure {
    char name[64];  /* as the row has it */
    char words[64]; /* what a test of it speaks of */
    unsigned rows;
};

static struct cure cures[CURES_MAX];
static size_t count;

static void add(const char *name, const char *mark, const char *words, const char *end)
{
    if (count == CURES_MAX)
        abort();
    struct cure *c = &cures[count++];
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    (void)snprintf(c->words, sizeof c->words, "%s%s%s", mark, words, end);
}

static void add_codes(void)
{
    static const struct {
        const char *name;
        const char *code;
    } codes[] = {
#define FAULT_ROW(name, code, retry, cure) {"FAULT_" #name, code},
        FAULT_CODES(FAULT_ROW)
#undef FAULT_ROW
#define ALARM_ROW(name, code, monitor, effect, cure) {"ALARM_" #name, code},
            ALARM_CODES(ALARM_ROW)
#undef ALARM_ROW
                {"fence_not_persisted", "fence_not_persisted"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code[0] != '\0')
            add(codes[i].name, "\"", codes[i].code, "\"");
    }
}

static void add_consumers(void)
{
    const ProtobufCEnumDescriptor *d = &logtailer__tail__error_code__descriptor;
    for (unsigned i = 0; i < d->n_values; i++) {
        if (d->values[i].value != 0)
            add(d->values[i].name, "SERVER_", d->values[i].name + strlen("ERROR_"), "");
    }
    for (int code = -1; strcmp(binlogtail_code_name(code), "unknown") != 0; code--) {
        struct binlogtail_error e;
        char name[48];
        policy_set_error(&e, code, "", NULL);
        (void)snprintf(name, sizeof name, "BINLOGTAIL_%s", binlogtail_code_name(code));
        if (e.cure[0] != '\0')
            add(name, "", name, "");
    }
}

static void check_row(const struct doc_row *row)
{
    struct cure *found = NULL;
    for (size_t i = 0; i < count; i++) {
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
        doc_check_test(row, found->words);
        return;
    }
    CU_ASSERT(strncmp(row->cell[3], "not followed: ", strlen("not followed: ")) == 0 && strlen(row->cell[3]) > 25);
}

static void each_is_followed(void)
{
    bool inside = false;
    add_codes();
    add_consumers();
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
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(cures[i].rows, 1);
        if (cures[i].rows != 1)
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
