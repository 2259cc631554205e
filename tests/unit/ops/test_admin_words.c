#include <stdio.h>
#include <string.h>

#include "cunit_main.h"

#include "ops/admin/admin_words.h"

/* The words joined by '|', or the error's text. */
static const char *split(const char *line)
{
    static char out[512];
    char copy[512];
    char *argv[ADMIN_WORDS_MAX + 1];
    int argc = 0;
    struct lt_err err = {0};
    (void)snprintf(copy, sizeof copy, "%s", line);
    if (admin_split_words(copy, argv, &argc, &err) != LT_OK) {
        (void)snprintf(out, sizeof out, "%s", err.text);
        return out;
    }
    CU_ASSERT_PTR_NULL(argv[argc]);
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < argc; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s", i > 0 ? "|" : "", argv[i]);
    return out;
}

static void words(void)
{
    CU_ASSERT_STRING_EQUAL(split(""), "");
    CU_ASSERT_STRING_EQUAL(split(" \t\r"), "");
    CU_ASSERT_STRING_EQUAL(split("status"), "status");
    CU_ASSERT_STRING_EQUAL(split("  a \t b\r"), "a|b");
    CU_ASSERT_STRING_EQUAL(split("--mode auto"), "--mode|auto");
}

static void quotes(void)
{
    CU_ASSERT_STRING_EQUAL(split("fence \"planned  failover\" x"), "fence|planned  failover|x");
    CU_ASSERT_STRING_EQUAL(split("\"\" \"\""), "|");
    CU_ASSERT_STRING_EQUAL(split("a\"b c\"d"), "ab cd");
    CU_ASSERT_STRING_EQUAL(split("\"a\\\"b\\\\c\\n\""), "a\"b\\c\\n");
    CU_ASSERT_STRING_EQUAL(split("a\\\"b\""), "a\\b");
    CU_ASSERT_STRING_EQUAL(split("a \"b"), "a double quote is not closed");
    CU_ASSERT_STRING_EQUAL(split("\"a\\\""), "a double quote is not closed");
    CU_ASSERT_STRING_EQUAL(split("\"a\\"), "a double quote is not closed");
}

/* Every other byte a word. */
#define FULL ((size_t)2 * ADMIN_WORDS_MAX)

static void too_many(void)
{
    char line[FULL + 2];
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = i % 2 == 0 ? 'x' : ' ';
    line[FULL] = '\0';
    CU_ASSERT_EQUAL(strlen(split(line)), FULL - 1);
    line[FULL] = 'x';
    line[FULL + 1] = '\0';
    CU_ASSERT_STRING_EQUAL(split(line), "more than 34 words");
}

int main(void)
{
    static const struct test_case cases[] = {{"words", words}, {"quotes", quotes}, {"too many", too_many}};
    return cunit_run("admin words", cases, sizeof cases / sizeof cases[0]);
}
