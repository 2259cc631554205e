#include <string.h>

#include "cunit_main.h"

#include "base/cursor.h"
#include "tailwire/frame.h"

static const struct frame_limits from_client = {.from_client = true, .message_max = 1000};
static const struct frame_limits from_server = {.message_max = 1000, .payload_max = 5000};

static void round_trip(void)
{
    uint8_t b[FRAME_HEADER_LEN];
    struct frame_header h;
    struct lt_err err;
    frame_header_write(b, FRAME_BATCH, 77, 4096);
    CU_ASSERT_EQUAL(memcmp(b, "LT\x01\x43\x4d\0\0\0\0\x10\0\0", sizeof b), 0);
    CU_ASSERT_EQUAL(frame_header_parse(b, sizeof b, &from_server, &h, &err), LT_OK);
    CU_ASSERT_EQUAL(h.type, FRAME_BATCH);
    CU_ASSERT_EQUAL(h.message_len, 77);
    CU_ASSERT_EQUAL(h.payload_len, 4096);
    for (size_t n = 0; n < sizeof b; n++)
        CU_ASSERT_EQUAL(frame_header_parse(b, n, &from_server, &h, &err), LT_ESHORT);
}

static int parse_changed(const struct frame_limits *limits, enum frame_type type, size_t at, uint8_t value, size_t len)
{
    uint8_t b[FRAME_HEADER_LEN];
    struct frame_header h;
    struct lt_err err;
    frame_header_write(b, type, 10, 0);
    b[at] = value;
    return frame_header_parse(b, len, limits, &h, &err);
}

static void wrong_start(void)
{
    for (size_t at = 0; at < 4; at++) { /* told with the first wrong byte */
        CU_ASSERT_EQUAL(parse_changed(&from_client, FRAME_HELLO, at, 0xff, at + 1), LT_EPROTO);
        CU_ASSERT_EQUAL(parse_changed(&from_client, FRAME_HELLO, at, 0xff, FRAME_HEADER_LEN), LT_EPROTO);
    }
    CU_ASSERT_EQUAL(parse_changed(&from_client, FRAME_BATCH, 2, 1, FRAME_HEADER_LEN), LT_EPROTO);
    CU_ASSERT_EQUAL(parse_changed(&from_server, FRAME_HELLO, 2, 1, FRAME_HEADER_LEN), LT_EPROTO);
}

static void wrong_lengths(void)
{
    uint8_t b[FRAME_HEADER_LEN];
    struct frame_header h;
    struct lt_err err;
    frame_header_write(b, FRAME_HELLO, 1001, 0);
    CU_ASSERT_EQUAL(frame_header_parse(b, sizeof b, &from_client, &h, &err), LT_ETOOBIG);
    frame_header_write(b, FRAME_HELLO, UINT32_MAX, 0);
    CU_ASSERT_EQUAL(frame_header_parse(b, sizeof b, &from_client, &h, &err), LT_ETOOBIG);
    frame_header_write(b, FRAME_HELLO, 10, 1);
    CU_ASSERT_EQUAL(frame_header_parse(b, sizeof b, &from_client, &h, &err), LT_EPROTO);
    frame_header_write(b, FRAME_BATCH, 10, 5001);
    CU_ASSERT_EQUAL(frame_header_parse(b, sizeof b, &from_server, &h, &err), LT_ETOOBIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "5001"));
}

static void names(void)
{
    CU_ASSERT_STRING_EQUAL(frame_type_name(FRAME_HELLO), "hello");
    CU_ASSERT_STRING_EQUAL(frame_type_name(FRAME_ERROR), "error");
    CU_ASSERT_STRING_EQUAL(frame_type_name(0), "unknown");
}

static const struct test_case cases[] = {
    {"a header written is read", round_trip},
    {"what is not a frame is told at once", wrong_start},
    {"lengths over the limits are refused", wrong_lengths},
    {"types have names", names},
};

int main(void)
{
    return cunit_run("frame", cases, sizeof cases / sizeof cases[0]);
}
