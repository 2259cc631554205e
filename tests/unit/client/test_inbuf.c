#include <string.h>

#include "cunit_main.h"

#include "client/inbuf.h"

static size_t put(struct inbuf *b, size_t need, size_t n, uint8_t value)
{
    uint8_t *at = NULL;
    size_t room = 0;
    CU_ASSERT_EQUAL_FATAL(inbuf_room(b, need, &at, &room), 0);
    if (n > room)
        n = room;
    memset(at, value, n);
    inbuf_added(b, n);
    return n;
}

static void small_events_keep_the_base_size(void)
{
    struct inbuf b = {0};
    for (unsigned i = 0; i < 10000; i++) {
        CU_ASSERT_EQUAL(put(&b, 12, 997, (uint8_t)i), 997);
        CU_ASSERT_EQUAL(inbuf_head(&b)[0], (uint8_t)i);
        inbuf_take(&b, 997);
    }
    CU_ASSERT_EQUAL(b.cap, INBUF_BASE);
    inbuf_fini(&b);
}

static void bytes_stay_in_order_when_moved(void)
{
    struct inbuf b = {0};
    uint8_t next = 0;
    uint8_t expect = 0;
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t *at = NULL;
        size_t room = 0;
        CU_ASSERT_EQUAL(inbuf_room(&b, 1000, &at, &room), 0);
        for (size_t k = 0; k < room && k < 1500; k++)
            at[k] = next++;
        inbuf_added(&b, room < 1500 ? room : 1500);
        while (inbuf_len(&b) > 200) {
            CU_ASSERT_EQUAL(inbuf_head(&b)[0], expect);
            expect = (uint8_t)(expect + 133);
            inbuf_take(&b, 133);
        }
    }
    inbuf_fini(&b);
}

/* A length that was only claimed costs nothing: memory follows the bytes that came. */
static void grows_with_what_comes(void)
{
    struct inbuf b = {0};
    size_t need = 64u << 20;
    size_t total = 0;
    while (total < need) {
        size_t n = put(&b, need, 100000, 0x5a);
        CU_ASSERT(n > 0);
        total += n;
        CU_ASSERT(b.cap <= 2 * total + INBUF_BASE);
    }
    CU_ASSERT_EQUAL(b.cap, need);
    CU_ASSERT_EQUAL(put(&b, need, 1, 0), 0); /* full: the event is there */
    inbuf_take(&b, need);
    CU_ASSERT_EQUAL(put(&b, 12, 5, 1), 5);
    CU_ASSERT_EQUAL(b.cap, INBUF_BASE);
    CU_ASSERT_EQUAL(inbuf_head(&b)[0], 1);
    inbuf_fini(&b);
}

static void reset_gives_back(void)
{
    struct inbuf b = {0};
    while (b.cap < 4 * INBUF_BASE)
        (void)put(&b, 8 * INBUF_BASE, INBUF_BASE, 1);
    inbuf_reset(&b);
    CU_ASSERT_EQUAL(inbuf_len(&b), 0);
    CU_ASSERT_EQUAL(b.cap, 0);
    CU_ASSERT_EQUAL(put(&b, 12, 3, 1), 3);
    inbuf_reset(&b);
    CU_ASSERT_EQUAL(b.cap, INBUF_BASE);
    inbuf_fini(&b);
}

static const struct test_case cases[] = {
    {"small events keep the base size", small_events_keep_the_base_size},
    {"bytes stay in order when they are moved", bytes_stay_in_order_when_moved},
    {"memory grows with what comes, and shrinks back", grows_with_what_comes},
    {"a reset gives memory back", reset_gives_back},
};

int main(void)
{
    return cunit_run("inbuf", cases, sizeof cases / sizeof cases[0]);
}
