/* Answers, byte by byte, and past 16 MiB. */
#include "cunit_main.h"

#include "base/cursor.h"
#include "binlog/packet.h"
#include "mysqlwire/capability.h"
#include "mysqlwire/reply.h"

static void is(struct reply *r, const void *bytes, size_t len)
{
    CU_ASSERT_FALSE(r->failed);
    CU_ASSERT_EQUAL(r->len, len);
    CU_ASSERT_TRUE(r->len == len && memcmp(r->data, bytes, len) == 0);
    reply_fini(r);
}

static void test_plain(void)
{
    struct reply r;
    reply_begin(&r, 0, 0);
    reply_ok(&r);
    is(&r, "\x07\0\0\x01\0\0\0\x02\0\0\0", 11);
    reply_begin(&r, 0, 3);
    reply_eof(&r);
    is(&r, "\x05\0\0\x04\xfe\0\0\x02\0", 9);
    reply_begin(&r, 0, 255);
    reply_err(&r, 1064, "42000", "no");
    is(&r, "\x0b\0\0\0\xff\x28\x04#42000no", 15);
    reply_begin(&r, 0, 0);
    reply_errf(&r, 1236, "HY000", "%d of %s", 3, "them");
    is(&r, "\x12\0\0\x01\xff\xd4\x04#HY0003 of them", 22);
}

static void test_long_text(void)
{
    char text[2000];
    struct reply r;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    reply_begin(&r, 0, 0);
    reply_err(&r, 1, "HY000", text);
    CU_ASSERT_EQUAL(r.len, 4 + 9 + 512);
    reply_fini(&r);
}

static void test_rows(void)
{
    static const struct reply_column column = {"a", REPLY_NUMBER};
    static const char *const one = "1";
    static const char *const null = NULL;
    static const uint8_t with_eof[] = "\x01\0\0\x01\x01"
                                      "\x17\0\0\x02\x03"
                                      "def\0\0\0\x01"
                                      "a\0\x0c\x3f\0\x14\0\0\0\x08\x01\0\0\0\0"
                                      "\x05\0\0\x03\xfe\0\0\x02\0"
                                      "\x02\0\0\x04\x01"
                                      "1"
                                      "\x01\0\0\x05\xfb"
                                      "\x05\0\0\x06\xfe\0\0\x02\0";
    static const uint8_t without[] = "\x01\0\0\x01\x01"
                                     "\x17\0\0\x02\x03"
                                     "def\0\0\0\x01"
                                     "a\0\x0c\x3f\0\x14\0\0\0\x08\x01\0\0\0\0"
                                     "\x02\0\0\x03\x01"
                                     "1"
                                     "\x01\0\0\x04\xfb"
                                     "\x07\0\0\x05\xfe\0\0\x02\0\0\0";
    for (int deprecate = 0; deprecate < 2; deprecate++) {
        struct reply r;
        reply_begin(&r, deprecate ? CAP_DEPRECATE_EOF : 0, 0);
        reply_columns(&r, &column, 1);
        reply_row(&r, &one, 1);
        reply_row(&r, &null, 1);
        reply_end(&r);
        is(&r, deprecate ? without : with_eof, deprecate ? sizeof without - 1 : sizeof with_eof - 1);
    }
}

/* A row of exactly and around what one packet holds: taken apart as a client puts it together. */
static void test_large_row(void)
{
    static const size_t sizes[] = {250,
                                   251,
                                   65535,
                                   65536,
                                   PACKET_MAX_PART - 5,
                                   PACKET_MAX_PART - 4,
                                   PACKET_MAX_PART - 3,
                                   2u * PACKET_MAX_PART - 9,
                                   2u * PACKET_MAX_PART - 8};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *text = malloc(sizes[i] + 1);
        if (text == NULL)
            return;
        for (size_t k = 0; k < sizes[i]; k++)
            text[k] = (char)('a' + k % 23);
        text[sizes[i]] = '\0';
        const char *value = text;
        struct reply r;
        reply_begin(&r, 0, 250);
        reply_row(&r, &value, 1);
        CU_ASSERT_FALSE(r.failed);
        struct packet_framer f = {0};
        struct packet_span span = {0};
        size_t at = 0;
        size_t payload = 0;
        size_t used;
        bool same = true;
        size_t prefix = sizes[i] < 251 ? 1 : sizes[i] < 65536 ? 3 : sizes[i] <= 0xffffff ? 4 : 9;
        while (at < r.len && packet_next(&f, r.data + at, r.len - at, 1, &span, &used) == 0) {
            for (size_t k = 0; k < span.len; k++, payload++)
                same = same && (payload < prefix || span.data[k] == (uint8_t)text[payload - prefix]);
            at += used;
        }
        CU_ASSERT_TRUE(same);
        CU_ASSERT_TRUE(span.last);
        CU_ASSERT_EQUAL(at, r.len);
        CU_ASSERT_EQUAL(payload, sizes[i] + prefix);
        reply_fini(&r);
        free(text);
    }
}

/* Past its bound nothing of it may go out. */
static void test_too_large(void)
{
    size_t len = REPLY_MAX / 4;
    char *text = malloc(len + 1);
    if (text == NULL)
        return;
    memset(text, 'x', len);
    text[len] = '\0';
    const char *value = text;
    struct reply r;
    reply_begin(&r, 0, 0);
    for (int i = 0; i < 5; i++)
        reply_row(&r, &value, 1);
    CU_ASSERT_TRUE(r.failed);
    reply_ok(&r);
    CU_ASSERT_TRUE(r.failed);
    reply_fini(&r);
    free(text);
}

static const struct test_case cases[] = {
    {"OK, EOF, ERR", test_plain},         {"a long text", test_long_text},           {"rows", test_rows},
    {"rows of any size", test_large_row}, {"an answer without end", test_too_large},
};

int main(void)
{
    return cunit_run("reply", cases, sizeof cases / sizeof cases[0]);
}
