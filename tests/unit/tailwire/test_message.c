#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"

#include "tail.pb-c.h"
#include "tailwire/message.h"

static void round_trip(void)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    static const struct frame_limits limits = {.from_client = true, .message_max = 1000};
    struct frame_header h;
    struct lt_err err;
    uint8_t *frame = NULL;
    size_t len = 0;
    m.name = "worker";
    m.max_version = 1;
    CU_ASSERT_EQUAL(message_frame(FRAME_HELLO, &m.base, &frame, &len), 0);
    CU_ASSERT_EQUAL(frame_header_parse(frame, len, &limits, &h, &err), 0);
    CU_ASSERT_EQUAL(len, FRAME_HEADER_LEN + h.message_len);
    Logtailer__Tail__Hello *back = (Logtailer__Tail__Hello *)(void *)message_unpack(
        &logtailer__tail__hello__descriptor, frame + FRAME_HEADER_LEN, h.message_len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_STRING_EQUAL(back->name, "worker");
    CU_ASSERT_EQUAL(back->max_version, 1);
    message_free(&back->base);
    message_free(NULL);
    free(frame);
}

static void what_does_not_parse(void)
{
    CU_ASSERT_PTR_NULL(message_unpack(&logtailer__tail__hello__descriptor, (const uint8_t *)"\xff\xff", 2));
    CU_ASSERT_PTR_NULL(message_unpack(&logtailer__tail__hello__descriptor, (const uint8_t *)"\x1a\x7f", 2));
}

/* Fields nobody knows are kept, each in memory of its own: many of them must not make a small message a large one. */
static void memory_is_bounded(void)
{
    size_t len = 40000;
    uint8_t *data = malloc(len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    for (size_t i = 0; i < len; i += 2) {
        data[i] = 0x78; /* field 15, varint */
        data[i + 1] = 1;
    }
    CU_ASSERT_PTR_NULL(message_unpack(&logtailer__tail__hello__descriptor, data, len));
    ProtobufCMessage *m = message_unpack(&logtailer__tail__hello__descriptor, data, 20);
    CU_ASSERT_PTR_NOT_NULL(m);
    message_free(m);
    free(data);
}

static void too_large(void)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    uint8_t *frame = NULL;
    size_t len = 0;
    char *name = malloc(FRAME_REPLY_MAX + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(name);
    memset(name, 'a', FRAME_REPLY_MAX);
    name[FRAME_REPLY_MAX] = '\0';
    m.name = name;
    CU_ASSERT_EQUAL(message_frame(FRAME_HELLO, &m.base, &frame, &len), LT_ETOOBIG);
    CU_ASSERT_PTR_NULL(frame);
    free(name);
}

static const struct test_case cases[] = {
    {"a message written is read", round_trip},
    {"what does not parse", what_does_not_parse},
    {"memory is bounded by the bytes that came", memory_is_bounded},
    {"a message too large for a frame", too_large},
};

int main(void)
{
    return cunit_run("message", cases, sizeof cases / sizeof cases[0]);
}
