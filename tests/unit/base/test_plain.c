/* What may go to a terminal: each class of what may not, beside what must stay. */
#include "cunit_main.h"

#include "base/plain.h"

static void check(const char *text, const char *want)
{
    char buf[64];
    size_t len = strlen(text);
    memcpy(buf, text, len + 1);
    plain_bytes(buf, len, '_');
    CU_ASSERT_STRING_EQUAL(buf, want);
    if (strcmp(buf, want) != 0)
        (void)fprintf(stderr, "not %s but %s\n", want, buf);
}

static void test_classes(void)
{
    check("plain ~", "plain ~");
    check("\x01\x1b[2J\n\r\t\x7f", "__[2J____");
    check("Stra\xc3\x9f"
          "e \xe2\x82\xac \xf0\x9f\x90\xac",
          "Stra\xc3\x9f"
          "e \xe2\x82\xac \xf0\x9f\x90\xac");
    check("\xc2\x80|\xc2\x9b"
          "2J|\xc2\x9f|\xc2\xa0",
          "??|??2J|??|\xc2\xa0"); /* C1, and the first behind them */
    check("\x80|\x9b"
          "2J|\x9f|\xff",
          "?|?2J|?|?");                                                                         /* as bytes */
    check("\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae|", "???????????????|"); /* U+202A to U+202E */
    check("\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9|", "????????????|");                /* U+2066 to U+2069 */
    check("\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c|", "????????|");                /* U+200E, U+200F, U+061C */
    check("\xe2\x80\xa8\xe2\x80\xa9|", "??????|");                          /* line, paragraph */
    check("\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf\xc2\xad|", "???????????|"); /* not seen */
    check("\xf3\xa0\x80\xa1|", "????|");                                    /* a tag */
    check("\xe2\x80\x93\xe2\x80\x9c\xe2\x80\xa6\xe2\x81\xb0", "\xe2\x80\x93\xe2\x80\x9c\xe2\x80\xa6\xe2\x81\xb0");
    check("\xd8\xa7\xd8\x9b \xd7\x90", "\xd8\xa7\xd8\x9b \xd7\x90"); /* Arabic and Hebrew letters stay */
}

static void test_not_utf8(void)
{
    check("\xc0\xaf|\xc1\xbf", "??|??");                /* longer than needed */
    check("\xe0\x82\x9b|\xf0\x80\x82\x9b", "???|????"); /* C1 in disguise */
    check("\xed\xa0\x80", "???");                       /* half of a pair */
    check("\xf4\x90\x80\x80|\xf5", "????|?");           /* past the last */
    check("\xe2\x82", "??");                            /* cut off */
    check("\xe2\x82"
          "a",
          "??a");
    char cut[4] = "\xe2\x82\xac";
    plain_bytes(cut, 2, '_'); /* no byte past the length is looked at */
    CU_ASSERT_STRING_EQUAL(cut, "??\xac");
}

static void test_every_code(void)
{
    unsigned bad = 0;
    for (uint32_t code = 0; code <= 0x10ffff; code++)
        bad += !plain_code_ok(code);
    CU_ASSERT_TRUE(bad > 65 && bad < 5000);
    CU_ASSERT_TRUE(plain_code_ok(0x20) && plain_code_ok(0x7e) && plain_code_ok(0xa0) && plain_code_ok(0x4e00));
}

static void test_print(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    plain_print(out, "%s: %s\n", "a\nb", "\xe2\x80\xaex\x1b[1m");
    plain_print(out, "%s", "");
    plain_print(out, "%s", "no end");
    (void)fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "a?b: ???x?[1m\nno end");
    free(text);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"each class", test_classes},
        {"what is not UTF-8", test_not_utf8},
        {"every code point", test_every_code},
        {"printing", test_print},
    };
    return cunit_run("plain", cases, sizeof cases / sizeof cases[0]);
}
