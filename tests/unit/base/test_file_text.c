/* Whole files as text: their end, their limits, what is no text. */
#include <fcntl.h>
#include <unistd.h>

#include "cunit_main.h"

#include "base/file_text.h"

static char path[] = "/tmp/file-text-XXXXXX";

static void fill(const char *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CU_ASSERT_EQUAL(write(fd, data, len), (ssize_t)len);
    (void)close(fd);
}

static void check(const char *word, size_t max, int want, const char *text)
{
    struct lt_err err = {0};
    char *got = NULL;
    CU_ASSERT_EQUAL(file_text_of_word(word, max, &got, &err), want);
    if (want == 0) {
        CU_ASSERT_STRING_EQUAL(got, text);
    } else {
        CU_ASSERT_PTR_NULL(got);
        CU_ASSERT_NOT_EQUAL(err.text[0], '\0');
    }
    free(got);
}

static void test_words(void)
{
    static char large[100001];
    char named[sizeof path + 1];
    (void)snprintf(named, sizeof named, "@%s", path);
    check("0-1-5", 100, 0, "0-1-5");
    check("@", 100, 0, "@");
    check("", 100, 0, "");
    fill("0-1-5\n", 6);
    check(named, 6, 0, "0-1-5\n");
    check(named, 5, LT_ETOOBIG, NULL);
    fill("", 0);
    check(named, 5, 0, "");
    fill("a\0b", 3);
    check(named, 5, LT_EINVAL, NULL);
    memset(large, 'x', sizeof large - 1);
    fill(large, sizeof large - 1);
    check(named, sizeof large - 1, 0, large);
    check(named, sizeof large - 2, LT_ETOOBIG, NULL);
    check("@/nonexistent/file", 5, LT_ESYS, NULL);
    check("@/", 5, LT_ESYS, NULL);
}

static void test_standard_input(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    fill("in\n", 3);
    CU_ASSERT_EQUAL(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    (void)close(fd);
    check("-", 10, 0, "in\n");
    check("-", 10, 0, ""); /* its end stays its end */
    CU_ASSERT_TRUE(file_text_is_named("-") && file_text_is_named("@f") && !file_text_is_named("--"));
}

int main(void)
{
    static const struct test_case cases[] = {{"words", test_words}, {"standard input", test_standard_input}};
    int fd = mkstemp(path);
    int bad = cunit_run("file_text", cases, sizeof cases / sizeof cases[0]);
    (void)close(fd);
    (void)unlink(path);
    return bad;
}
