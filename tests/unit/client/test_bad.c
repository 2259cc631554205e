/* Servers that break the protocol: an error with its code, its message and its cure, and not a byte of what is wrong handed out. */
#include "base/cursor.h"
#include "taken.h"

#define FILE1 "mysql-bin.000001"
#define SRC   "source-1"

/* ---- bytes ---- */

struct bytes {
    const void *data;
    size_t len;
    bool after_hello;
};

static void script_bytes(struct fake_conn *c, unsigned n, void *arg)
{
    const struct bytes *b = arg;
    (void)n;
    if (b->after_hello ? !fake_hello(c, 20000, NULL) || !fake_skip(c, FRAME_SUBSCRIBE) : !fake_skip(c, FRAME_HELLO))
        return;
    (void)fake_send(c, b->data, b->len);
    (void)fake_wait_gone(c, 20000);
}

static void expect_bytes(const void *data, size_t len, bool after_hello, const char *text)
{
    struct bytes b = {.data = data, .len = len, .after_hello = after_hello};
    struct fake_tail *ft = fake_tail_start(script_bytes, &b);
    struct binlogtail_options o = taken_options(ft);
    struct binlogtail *bt;
    const struct binlogtail_error *e = final_error(ft, &o, &bt);
    CU_ASSERT_EQUAL(e->code, BINLOGTAIL_EPROTOCOL);
    CU_ASSERT_PTR_NOT_NULL(strstr(e->message, text));
    if (strstr(e->message, text) == NULL)
        (void)fprintf(stderr, "%s, not %s\n", e->message, text);
    CU_ASSERT(e->cure[0] != '\0');
    binlogtail_close(bt);
}

static void wrong_bytes(void)
{
    uint8_t frame[FRAME_HEADER_LEN];
    expect_bytes("HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, "not the tail protocol");
    expect_bytes("X", 1, false, "not the tail protocol");
    expect_bytes("LT\x02\x41", 4, false, "framing version");
    expect_bytes("LT\x01\x01", 4, false, "does not come from a server");
    frame_header_write(frame, FRAME_HELLO_REPLY, FRAME_REPLY_MAX + 1, 0);
    expect_bytes(frame, sizeof frame, false, "at most");
    frame_header_write(frame, FRAME_HELLO_REPLY, UINT32_MAX, 0);
    expect_bytes(frame, sizeof frame, false, "at most");
    frame_header_write(frame, FRAME_HELLO_REPLY, 2, 7);
    expect_bytes(frame, sizeof frame, false, "payload");
    frame_header_write(frame, FRAME_BATCH, 0, 0);
    expect_bytes(frame, sizeof frame, false, "not expected");
    frame_header_write(frame, FRAME_HELLO_REPLY, 0, 0);
    expect_bytes(frame, sizeof frame, false, "version 0 was not offered");
    expect_bytes(frame, sizeof frame, true, "not expected");
    expect_bytes("LT\x01\x41\x02\0\0\0\0\0\0\0\xff\xff", 14, false, "does not parse");
    expect_bytes("LT\x01\x42\0\0\0\0\0\0\0\0", 12, true, "no position");
    expect_bytes("LT\x01\x43\0\0\0\0\0\0\0\0", 12, true, "not expected");
    expect_bytes("LT\x01\x46\0\0\0\0\0\0\0\0", 12, true, "no position");
}

/* ---- frames that contradict each other ---- */

struct odd {
    struct binlog_gen gen;
    void (*change)(struct odd *o);
    Logtailer__Tail__FileBegin begin;
    Logtailer__Tail__Position at;
    Logtailer__Tail__Batch batch;
    size_t payload_len;
    bool file_end; /* instead of the batch */
};

static void script_odd(struct fake_conn *c, unsigned n, void *arg)
{
    struct odd *o = arg;
    (void)n;
    if (!fake_hello(c, 20000, NULL) || !fake_skip(c, FRAME_SUBSCRIBE) ||
        !fake_send_message(c, FRAME_FILE_BEGIN, &o->begin.base, NULL, 0))
        return;
    if (o->file_end) {
        Logtailer__Tail__FileEnd m = LOGTAILER__TAIL__FILE_END__INIT;
        m.position = &o->at;
        (void)fake_send_message(c, FRAME_FILE_END, &m.base, NULL, 0);
    } else {
        (void)fake_send_message(c, FRAME_BATCH, &o->batch.base, o->gen.data + BINLOG_MAGIC_LEN, o->payload_len);
    }
    (void)fake_wait_gone(c, 20000);
}

static void expect_odd(void (*change)(struct odd *o), int code, const char *text)
{
    struct odd o = {.begin = LOGTAILER__TAIL__FILE_BEGIN__INIT,
                    .at = LOGTAILER__TAIL__POSITION__INIT,
                    .batch = LOGTAILER__TAIL__BATCH__INIT};
    gen_init(&o.gen, false, true);
    gen_file(&o.gen, true);
    gen_txn(&o.gen, 100);
    o.at.lineage = 1;
    o.at.file = FILE1;
    o.at.offset = 4;
    o.at.source_id = SRC;
    o.begin.position = &o.at;
    o.begin.flavor = "mysql";
    o.batch.lineage = 1;
    o.batch.file = FILE1;
    o.batch.offset = 4;
    o.batch.next_offset = o.gen.len;
    o.batch.count = 6;
    o.batch.boundary = true;
    o.payload_len = o.gen.len - 4;
    change(&o);
    struct fake_tail *ft = fake_tail_start(script_odd, &o);
    struct binlogtail_options opt = taken_options(ft);
    struct binlogtail *bt;
    opt.attempts = 1;
    const struct binlogtail_error *e = final_error(ft, &opt, &bt);
    CU_ASSERT_EQUAL(e->code, code);
    CU_ASSERT_PTR_NOT_NULL(strstr(e->message, text));
    if (strstr(e->message, text) == NULL)
        (void)fprintf(stderr, "%s, not %s\n", e->message, text);
    binlogtail_close(bt);
    gen_fini(&o.gen);
}

static void odd_begin_no_fde(struct odd *o)
{
    o->at.offset = 500;
}
static void odd_begin_bad_fde(struct odd *o)
{
    o->begin.format_description.data = (uint8_t *)"rubbish that is no event";
    o->begin.format_description.len = 24;
}
static void odd_begin_offset(struct odd *o)
{
    o->at.offset = 3;
}
static void odd_begin_lineage(struct odd *o)
{
    o->at.lineage = 0;
}
static void odd_batch_file(struct odd *o)
{
    o->batch.file = "mysql-bin.000002";
}
static void odd_batch_lineage(struct odd *o)
{
    o->batch.lineage = 2;
}
static void odd_batch_hole(struct odd *o)
{
    o->batch.offset += 10;
    o->batch.next_offset += 10;
}
static void odd_batch_length(struct odd *o)
{
    o->batch.next_offset++;
}
static void odd_batch_backwards(struct odd *o)
{
    o->batch.next_offset = 3;
}
static void odd_batch_count_less(struct odd *o)
{
    o->batch.count = 5;
}
static void odd_batch_count_more(struct odd *o)
{
    o->batch.count = 7;
}
static void odd_batch_empty(struct odd *o)
{
    o->payload_len = 0;
    o->batch.next_offset = o->batch.offset;
}
static void odd_event_torn(struct odd *o)
{
    o->payload_len -= 5;
    o->batch.next_offset -= 5;
}
static void odd_event_length(struct odd *o)
{
    store_u32(o->gen.data + 4 + 9, 5);
}
static void odd_first_event(struct odd *o)
{
    o->gen.data[4 + 4] = 2;
}
static void odd_crc(struct odd *o)
{
    o->gen.data[o->gen.len - 10] ^= 1;
}
static void odd_fde(struct odd *o)
{
    o->gen.data[4 + 19] = 9; /* binlog version */
}
static void odd_file_end(struct odd *o)
{
    o->file_end = true;
    o->at.offset = 4;
    o->at.file = FILE1;
    o->begin.position = NULL;
}

static void contradictions(void)
{
    expect_odd(odd_begin_no_fde, BINLOGTAIL_EPROTOCOL, "no format description");
    expect_odd(odd_begin_bad_fde, BINLOGTAIL_EPROTOCOL, "no such event");
    expect_odd(odd_begin_offset, BINLOGTAIL_EPROTOCOL, "begin at offset 4");
    expect_odd(odd_begin_lineage, BINLOGTAIL_EPROTOCOL, "no position");
    expect_odd(odd_batch_file, BINLOGTAIL_EPROTOCOL, "another file");
    expect_odd(odd_batch_lineage, BINLOGTAIL_EPROTOCOL, "another file");
    expect_odd(odd_batch_hole, BINLOGTAIL_EPROTOCOL, "begins at");
    expect_odd(odd_batch_length, BINLOGTAIL_EPROTOCOL, "disagree");
    expect_odd(odd_batch_backwards, BINLOGTAIL_EPROTOCOL, "disagree");
    expect_odd(odd_batch_count_less, BINLOGTAIL_EPROTOCOL, "not whole events");
    expect_odd(odd_batch_count_more, BINLOGTAIL_EPROTOCOL, "fewer events");
    expect_odd(odd_batch_empty, BINLOGTAIL_EPROTOCOL, "without a payload");
    expect_odd(odd_event_torn, BINLOGTAIL_EPROTOCOL, "no event where one must begin");
    expect_odd(odd_event_length, BINLOGTAIL_EPROTOCOL, "no event where one must begin");
    expect_odd(odd_first_event, BINLOGTAIL_EPROTOCOL, "does not begin with");
    expect_odd(odd_crc, BINLOGTAIL_ECHECKSUM, "checksum of this Xid");
    expect_odd(odd_fde, BINLOGTAIL_EPROTOCOL, "cannot be understood");
    expect_odd(odd_file_end, BINLOGTAIL_EPROTOCOL, "no position");
}

/* A file that is damaged at the server: what comes before is handed out once, and three connections in a row say the same. */
static void damaged_file(void)
{
    struct fake_source s;
    struct taken t = {0};
    fake_source_init(&s, false);
    struct fake_file *f = fake_source_add(&s, 1, SRC, FILE1, 5, 50);
    f->gen.data[f->gen.len - 10] ^= 1;
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ECHECKSUM);
    CU_ASSERT_EQUAL(t.transactions, 4);
    CU_ASSERT_EQUAL(t.holes + t.halves, 0);
    CU_ASSERT_EQUAL(fake_tail_connections(ft), 3);
    binlogtail_close(bt);
    o.no_checksum = true;
    o.until_end = true;
    bt = taken_open(&o);
    taken_fini(&t);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_EQUAL(t.transactions, 5);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
    fake_source_fini(&s);
}

static void limits(void)
{
    struct fake_source s;
    struct binlogtail *bt;
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 2, 5000);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    o.max_event_bytes = 4000;
    const struct binlogtail_error *e = final_error(ft, &o, &bt);
    CU_ASSERT_EQUAL(e->code, BINLOGTAIL_EPROTOCOL);
    CU_ASSERT_PTR_NOT_NULL(strstr(e->message, "limit is 4000"));
    binlogtail_close(bt);
    fake_source_fini(&s);
}

static const struct test_case cases[] = {
    {"bytes that are not the protocol", wrong_bytes},
    {"frames that contradict each other", contradictions},
    {"a file that is damaged at the server", damaged_file},
    {"an event over the limit", limits},
};

int main(void)
{
    return cunit_run("bad", cases, sizeof cases / sizeof cases[0]);
}
