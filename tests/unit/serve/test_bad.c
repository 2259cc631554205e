/* Wrong input: an Error with code and cure, the connection closed, and a consumer beside it that notices nothing. */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "proc.h"

static struct serve_rig r;
static struct tail_raw *beside;
static struct tail_copy beside_copy;

/* The consumer beside still gets what comes. */
static void check_beside(void)
{
    serve_rig_txns(&r, 1, 50);
    CU_ASSERT_TRUE(tail_copy_until(&beside_copy, beside, RIG_FILE2, r.gen.len, RIG_WAIT_MS));
}

static void begin(void)
{
    serve_rig_start(&r, false, &(struct serve_options){.handshake_us = 300000});
    serve_rig_txns(&r, 10, 300);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 10, 300);
    memset(&beside_copy, 0, sizeof beside_copy);
    beside = serve_rig_subscribe(&r, &RIG_EARLIEST);
    check_beside();
}

static void end(void)
{
    check_beside();
    CU_ASSERT_FALSE(beside_copy.wrong);
    CU_ASSERT_TRUE(tail_copy_equals(&beside_copy, r.dir));
    tail_copy_fini(&beside_copy);
    tail_raw_free(beside);
    serve_rig_end(&r);
}

static struct tail_raw *connected(void)
{
    struct tail_raw *t = tail_raw_connect(serve_port(r.serve));
    if (t == NULL)
        proc_die("refused");
    return t;
}

static void expect_after(struct tail_raw *t, const void *data, size_t len, int code)
{
    CU_ASSERT_TRUE(tail_raw_send(t, data, len));
    CU_ASSERT_TRUE(tail_raw_expect_error(t, code, RIG_WAIT_MS));
    tail_raw_free(t);
    check_beside();
}

static void frames(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } first[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"LX", 2},
        {"LT\2\1\0\0\0\0\0\0\0\0", 12},                   /* framing version */
        {"LT\1\4\0\0\0\0\0\0\0\0", 12},                   /* no such type */
        {"LT\1\103\0\0\0\0\0\0\0\0", 12},                 /* a server's type */
        {"LT\1\1\377\377\377\377\0\0\0\0", 12},           /* -1, or 4 GiB */
        {"LT\1\1\0\0\0\200\0\0\0\0", 12},                 /* the most negative */
        {"LT\1\1\1\100\0\0\0\0\0\0", 12},                 /* one more than a Hello may have */
        {"LT\1\1\0\0\0\0\1\0\0\0", 12},                   /* a payload */
        {"LT\1\1\2\0\0\0\0\0\0\0\377\377", 14},           /* not protobuf */
        {"LT\1\1\4\0\0\0\0\0\0\0\032\177ab", 16},         /* a text longer than the message */
        {"LT\1\2\0\0\0\0\0\0\0\0", 12},                   /* Subscribe before Hello */
        {"LT\1\3\0\0\0\0\0\0\0\0", 12},                   /* Commit before Hello */
        {"\026\003\001\002\000\001\000\001\374\003", 10}, /* a TLS ClientHello */
    };
    begin();
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        expect_after(connected(), first[i].bytes, first[i].len, RIG_ERROR(PROTOCOL));
    struct tail_raw *t = serve_rig_hello(&r);
    expect_after(t, "LT\1\2\1\0\40\0\0\0\0\0", 12, RIG_ERROR(PROTOCOL)); /* 2 MiB + 1 */
    t = serve_rig_hello(&r);
    expect_after(t, "LT\1\1\0\0\0\0\0\0\0\0", 12, RIG_ERROR(PROTOCOL)); /* a second Hello */
    t = serve_rig_subscribe(&r, &RIG_EARLIEST);
    struct tail_frame f;
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_FILE_BEGIN, &f, RIG_WAIT_MS));
    struct tail_copy c = {0};
    tail_copy_take(&c, &f);
    tail_frame_fini(&f);
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST)); /* a second Subscribe */
    (void)tail_copy_run(&c, t, RIG_WAIT_MS);
    CU_ASSERT_EQUAL(c.error, RIG_ERROR(PROTOCOL));
    tail_copy_fini(&c);
    tail_raw_free(t);
    end();
}

/* A message of small unknown fields: each would be kept in an allocation of its own. */
static void many_unknown_fields(void)
{
    static uint8_t frame[FRAME_HEADER_LEN + 16000];
    begin();
    frame_header_write(frame, FRAME_HELLO, 16000, 0);
    for (size_t i = FRAME_HEADER_LEN; i + 1 < sizeof frame; i += 2) {
        frame[i] = 0x78; /* field 15, a number */
        frame[i + 1] = 1;
    }
    expect_after(connected(), frame, sizeof frame, RIG_ERROR(PROTOCOL));
    end();
}

static void versions(void)
{
    static const uint32_t ranges[][2] = {{2, 9}, {0, 0}, {3, 2}, {1, 0}};
    begin();
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
        struct tail_raw *t = connected();
        m.min_version = ranges[i][0];
        m.max_version = ranges[i][1];
        CU_ASSERT_TRUE(tail_raw_send_message(t, FRAME_HELLO, &m.base));
        CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(VERSION), RIG_WAIT_MS));
        tail_raw_free(t);
    }
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    struct tail_frame f;
    struct tail_raw *t = connected();
    m.max_version = 77; /* 0 to 77 includes ours */
    CU_ASSERT_TRUE(tail_raw_send_message(t, FRAME_HELLO, &m.base));
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_HELLO_REPLY, &f, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(f.hello->version, 1);
    tail_frame_fini(&f);
    tail_raw_free(t);
    end();
}

static void silence(void)
{
    begin();
    struct tail_raw *mute = connected();
    struct tail_raw *half = connected();
    struct tail_raw *no_subscribe = serve_rig_hello(&r);
    struct tail_raw *half_commit = serve_rig_subscribe(&r, &(struct tail_start){.start = 0});
    struct tail_frame f;
    CU_ASSERT_TRUE(tail_raw_expect(half_commit, FRAME_FILE_BEGIN, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
    CU_ASSERT_TRUE(tail_raw_send(half, "LT\1\1\100", 5));
    CU_ASSERT_TRUE(tail_raw_send(half_commit, "LT\1\3\100\0\0\0\0\0\0\0xx", 14));
    CU_ASSERT_TRUE(tail_raw_expect_error(mute, RIG_ERROR(TIMEOUT), RIG_WAIT_MS));
    CU_ASSERT_TRUE(tail_raw_expect_error(half, RIG_ERROR(TIMEOUT), RIG_WAIT_MS));
    CU_ASSERT_TRUE(tail_raw_expect_error(no_subscribe, RIG_ERROR(TIMEOUT), RIG_WAIT_MS));
    CU_ASSERT_TRUE(tail_raw_expect_error(half_commit, RIG_ERROR(TIMEOUT), RIG_WAIT_MS));
    tail_raw_free(mute);
    tail_raw_free(half);
    tail_raw_free(no_subscribe);
    tail_raw_free(half_commit);
    end();
}

/* Byte by byte is slow, not wrong. */
static void a_byte_at_a_time(void)
{
    uint8_t frame[64];
    struct tail_frame f;
    begin();
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    struct tail_raw *t = connected();
    m.max_version = 1;
    m.agent = (char *)"slow";
    size_t len = logtailer__tail__hello__pack(&m, frame + FRAME_HEADER_LEN);
    frame_header_write(frame, FRAME_HELLO, (uint32_t)len, 0);
    for (size_t i = 0; i < FRAME_HEADER_LEN + len; i++)
        CU_ASSERT_TRUE(tail_raw_send(t, frame + i, 1));
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_HELLO_REPLY, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
    tail_raw_free(t);
    end();
}

static void expect_start(const struct tail_start *start, int code)
{
    struct tail_raw *t = serve_rig_subscribe(&r, start);
    CU_ASSERT_TRUE(tail_raw_expect_error(t, code, RIG_WAIT_MS));
    tail_raw_free(t);
}

#define AT(...) (&(struct tail_start){.start = LOGTAILER__TAIL__START_KIND__START_POSITION, __VA_ARGS__})

static void positions(void)
{
    struct tail_frame f;
    begin();
    expect_start(AT(.lineage = 1), RIG_ERROR(BAD_POSITION)); /* none */
    expect_start(AT(.lineage = 1, .file = "../../etc/passwd", .offset = 4), RIG_ERROR(BAD_POSITION));
    expect_start(AT(.lineage = 1, .file = RIG_FILE, .offset = 0), RIG_ERROR(BAD_POSITION));
    expect_start(AT(.lineage = 1, .file = RIG_FILE, .offset = 5), RIG_ERROR(BAD_POSITION)); /* inside an event */
    expect_start(AT(.lineage = 1, .file = RIG_FILE2, .offset = r.gen.len - 1), RIG_ERROR(BAD_POSITION));
    expect_start(AT(.lineage = 1, .file = RIG_FILE, .offset = 1u << 30),
                 RIG_ERROR(BAD_POSITION)); /* past a whole file */
    expect_start(AT(.lineage = 1, .file = RIG_FILE2, .offset = r.gen.len + 1), RIG_ERROR(AHEAD));
    expect_start(AT(.lineage = 1, .file = "mysql-bin.000003", .offset = 4), RIG_ERROR(AHEAD));
    expect_start(AT(.lineage = 2, .file = RIG_FILE, .offset = 4), RIG_ERROR(NOT_FOUND));
    expect_start(AT(.lineage = 1, .file = "other.000001", .offset = 4), RIG_ERROR(NOT_FOUND));
    expect_start(AT(.lineage = 1, .file = "mysql-bin.000000", .offset = 4), RIG_ERROR(PURGED));
    expect_start(AT(.lineage = 1, .source_id = "another", .file = RIG_FILE, .offset = 4), RIG_ERROR(WRONG_LINEAGE));
    expect_start(&(struct tail_start){.start = 9}, RIG_ERROR(PROTOCOL));
    expect_start(&(struct tail_start){.start = 3, .gtids = "0-1-5"}, RIG_ERROR(BAD_GTID_SET)); /* the other flavour's */
    expect_start(&(struct tail_start){.start = 3, .gtids = "not a set"}, RIG_ERROR(BAD_GTID_SET));
    expect_start(&(struct tail_start){.start = 1, .gtids = "0-1-5"}, RIG_ERROR(BAD_GTID_SET));
    /* an error that tells what can be had */
    struct tail_raw *t = serve_rig_subscribe(&r, AT(.lineage = 1, .file = RIG_FILE2, .offset = r.gen.len + 1));
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_ERROR, &f, RIG_WAIT_MS));
    CU_ASSERT_TRUE(f.error->durable != NULL && f.error->durable->offset == r.gen.len);
    tail_frame_fini(&f);
    tail_raw_free(t);
    t = serve_rig_subscribe(&r, AT(.lineage = 1, .file = "mysql-bin.000000", .offset = 4));
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_ERROR, &f, RIG_WAIT_MS));
    CU_ASSERT_TRUE(f.error->earliest != NULL && strcmp(f.error->earliest->file, RIG_FILE) == 0);
    tail_frame_fini(&f);
    tail_raw_free(t);
    /* every offset of a file: an event's start, the end, or told so */
    size_t starts = 0;
    for (uint64_t off = 4; off <= 1200; off++) {
        t = serve_rig_subscribe(&r, AT(.file = RIG_FILE2, .offset = off));
        CU_ASSERT_EQUAL(tail_raw_next_word(t, &f, RIG_WAIT_MS), TAIL_FRAME);
        if (f.type == FRAME_FILE_BEGIN)
            starts++;
        else
            CU_ASSERT_TRUE(f.type == FRAME_ERROR && (int)f.error->code == RIG_ERROR(BAD_POSITION));
        tail_frame_fini(&f);
        tail_raw_free(t);
    }
    size_t want = 0;
    for (size_t at = 4; at <= 1200; at += load_u32(r.gen.data + at + 9))
        want++;
    CU_ASSERT_EQUAL(starts, want);
    end();
}

static void purged_while_away(void)
{
    char path[256];
    begin();
    (void)snprintf(path, sizeof path, "%s/lineages/0001-" RIG_SOURCE "/" RIG_FILE, r.dir);
    CU_ASSERT_EQUAL(rename(path, serve_rig_file(&r, "away", "")), 0);
    proc_sleep_ms(100);
    /* who has it open reads on; who comes now is told */
    serve_stop(r.serve);
    tail_raw_free(beside);
    tail_copy_fini(&beside_copy);
    CU_ASSERT_TRUE(serve_rig_serve(&r, NULL));
    expect_start(AT(.lineage = 1, .file = RIG_FILE, .offset = 4), RIG_ERROR(PURGED));
    CU_ASSERT_EQUAL(rename(serve_rig_file(&r, "away2", ""), path), 0); /* an empty file: damage */
    expect_start(AT(.lineage = 1, .file = RIG_FILE, .offset = 4), RIG_ERROR(CORRUPT));
    serve_rig_end(&r);
}

static void damage(void)
{
    char path[256];
    struct tail_copy c = {0};
    begin();
    (void)snprintf(path, sizeof path, "%s/lineages/0001-" RIG_SOURCE "/" RIG_FILE, r.dir);
    FILE *f = fopen(path, "r+e");
    CU_ASSERT_TRUE(f != NULL && fseek(f, 500, SEEK_SET) == 0);
    for (int i = 0; i < 400; i++)
        (void)fputc(0xee, f);
    (void)fclose(f);
    struct tail_raw *t = serve_rig_subscribe(&r, &RIG_EARLIEST);
    (void)tail_copy_run(&c, t, RIG_WAIT_MS);
    CU_ASSERT_EQUAL(c.error, RIG_ERROR(CORRUPT));
    CU_ASSERT_FALSE(c.wrong); /* up to the damage whole events */
    tail_copy_fini(&c);
    tail_raw_free(t);
    check_beside();
    tail_copy_fini(&beside_copy);
    tail_raw_free(beside);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"frames that are none", frames},
    {"a message of nothing but unknown fields", many_unknown_fields},
    {"no version in common", versions},
    {"half a frame, and silence", silence},
    {"a byte at a time", a_byte_at_a_time},
    {"positions", positions},
    {"a file purged meanwhile", purged_while_away},
    {"a damaged file", damage},
};

int main(void)
{
    return cunit_run("serve bad input", cases, sizeof cases / sizeof cases[0]);
}
