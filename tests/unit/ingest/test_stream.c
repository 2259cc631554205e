/* The straight line from bytes to ACK over a simulated disk: no ACK before the sync, whatever call fails; nothing wrong is stored. */
#include <CUnit/CUnit.h>

#include "base/cursor.h"
#include "cunit_main.h"
#include "scripted.h"

static uint64_t now;
static uint64_t fake_now(void)
{
    return now += 10;
}

struct bench {
    struct vfs_sim *sim;
    struct store *store;
    struct ack_gate gate;
    struct binlog_gen gen;
    struct scripted sc;
    struct stream st;
    struct fault fault;
};

static void make_file(struct binlog_gen *g, bool crc, unsigned txns, size_t bytes)
{
    gen_init(g, false, crc);
    gen_file(g, true);
    for (unsigned i = 0; i < txns; i++)
        gen_txn(g, bytes);
}

static bool open_store(struct bench *b)
{
    struct lt_err err;
    struct store_resume r;
    if (test_open(vfs_sim_vfs(b->sim), true, &b->store, &err) != 0)
        return false;
    store_resume_point(b->store, &r);
    return r.have_lineage || store_lineage_begin(b->store, TEST_SOURCE, &err) == 0;
}

/* A dump from the start of the file, which compares what is held already. */
static bool open_stream(struct bench *b)
{
    struct store_resume r;
    store_resume_point(b->store, &r);
    struct replica_start start = {.file = TEST_FILE, .pos = 4};
    if (!r.empty) {
        memcpy(start.held_file, r.file, sizeof start.held_file);
        start.held_end = r.end;
        gate_durable(&b->gate, r.file, store_durable(b->store));
    }
    struct stream_options opt = {.wire = &b->sc.wire,
                                 .store = b->store,
                                 .gate = &b->gate,
                                 .connection = gate_admit(&b->gate, "a"),
                                 .dead_after_us = 1000000,
                                 .now_us = fake_now};
    return stream_init(&b->st, &opt, &start) == 0;
}

static void start(struct bench *b, bool crc, unsigned txns, size_t bytes)
{
    memset(b, 0, sizeof *b);
    b->sim = vfs_sim_new(1);
    make_file(&b->gen, crc, txns, bytes);
    gate_init(&b->gate);
    scripted_init(&b->sc, b->sim, &b->gen);
    scripted_rotate(&b->sc, TEST_FILE, 4);
    CU_ASSERT_TRUE(open_store(b));
    CU_ASSERT_TRUE(open_stream(b));
}

/* Turns until all was read and nothing is due. */
static int pump(struct bench *b)
{
    uint64_t wait = 0;
    int rc = 0;
    for (int i = 0; rc == 0 && i < 1000000; i++) {
        rc = stream_turn(&b->st, &wait, &b->fault);
        if (rc == 0 && b->sc.at == b->sc.len && b->st.drained && store_unsynced(b->store) == 0)
            return 0;
        if (b->st.drained)
            now += STREAM_IDLE_SYNC_US;
    }
    return rc;
}

static void end(struct bench *b)
{
    stream_fini(&b->st);
    store_close(b->store);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(b->sim), 0);
    gate_fini(&b->gate);
    scripted_fini(&b->sc);
    gen_fini(&b->gen);
    vfs_sim_free(b->sim);
}

static void expect_stored(struct bench *b)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    CU_ASSERT_TRUE(vfs_sim_get_durable(b->sim, TEST_LINEAGE "/" TEST_FILE, &data, &len));
    CU_ASSERT(len >= b->gen.len && memcmp(data, b->gen.data, b->gen.len) == 0);
    CU_ASSERT_EQUAL(store_durable(b->store), b->gen.len);
}

static void run_whole(bool crc, size_t chunk, bool breathe, unsigned txns, size_t bytes)
{
    struct bench b;
    start(&b, crc, txns, bytes);
    scripted_events(&b.sc, 4);
    b.sc.chunk = chunk;
    b.sc.breathe = breathe;
    CU_ASSERT_EQUAL(pump(&b), 0);
    CU_ASSERT_EQUAL(b.sc.not_durable, 0);
    CU_ASSERT_EQUAL(b.sc.acked, b.gen.len);
    CU_ASSERT(b.sc.acks > 0 && b.sc.acks <= txns);
    CU_ASSERT_TRUE(stream_is_proved(&b.st));
    CU_ASSERT_EQUAL(b.st.boundary_mismatches, 0);
    expect_stored(&b);
    end(&b);
}

static void test_whole(void)
{
    run_whole(true, SIZE_MAX, false, 200, 300);
    run_whole(true, 1, false, 3, 50);
    run_whole(true, 97, true, 20, 500);
    run_whole(false, 1000, true, 20, 500);
}

static void test_large_events(void)
{
    run_whole(true, 100000, false, 3, STREAM_WHOLE_BYTES + 5);
    run_whole(true, SIZE_MAX, false, 2, 0xffffff - 60);
    run_whole(false, SIZE_MAX, false, 2, 0xffffff + 1000);
    /* around the boundary where a second, perhaps empty, physical packet appears */
    for (size_t n = 0xffffff - 40; n < 0xffffff - 20; n += 5)
        run_whole(true, SIZE_MAX, false, 1, n);
}

static void test_one_ack_per_batch_and_never_twice(void)
{
    struct bench b;
    start(&b, true, 50, 100);
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), 0);
    CU_ASSERT_EQUAL(b.sc.acks, 1);
    uint64_t wait;
    CU_ASSERT_EQUAL(stream_turn(&b.st, &wait, &b.fault), 0);
    CU_ASSERT_EQUAL(b.sc.acks, 1);
    end(&b);
}

struct told {
    struct bench *b;
    uint64_t head; /* the file's start has no ACK */
    unsigned times;
    uint64_t watermark;
    bool before_ack;
};

static void on_watermark(void *arg)
{
    struct told *t = arg;
    struct store_view v;
    CU_ASSERT_EQUAL(store_view_get(t->b->store, &v), 0);
    t->times++;
    t->watermark = v.watermark;
    t->before_ack = t->before_ack || (v.watermark > t->head && v.watermark > t->b->sc.acked);
    store_view_fini(&v);
}

static void test_readers_are_told_after_the_ack(void)
{
    struct bench b;
    struct told t = {.b = &b};
    start(&b, true, 30, 400);
    t.head = load_u32(b.gen.data + 4 + 9) + 4;
    t.head += load_u32(b.gen.data + t.head + 9);
    store_on_watermark(b.store, on_watermark, &t);
    scripted_events(&b.sc, 4);
    b.sc.chunk = 700;
    b.sc.breathe = true;
    CU_ASSERT_EQUAL(pump(&b), 0);
    CU_ASSERT(b.sc.acks > 5 && t.times > b.sc.acks);
    CU_ASSERT_FALSE(t.before_ack);
    CU_ASSERT_EQUAL(t.watermark, b.gen.len);
    end(&b);
}

/* Every file call in turn fails, in every way; then the power is cut; then all comes again. */
static void fail_at(enum vfs_fault_kind kind, int error, bool power, bool large, uint64_t nth, bool *ret_met)
{
    struct bench b;
    memset(&b, 0, sizeof b);
    b.sim = vfs_sim_new(nth);
    make_file(&b.gen, nth % 2 == 0, large ? 2 : 12, large ? 1500000 : 700);
    gate_init(&b.gate);
    scripted_init(&b.sc, b.sim, &b.gen);
    scripted_rotate(&b.sc, TEST_FILE, 4);
    scripted_events(&b.sc, 4);
    b.sc.chunk = large ? 200000 : 900;
    b.sc.breathe = true;
    vfs_sim_fail(b.sim, VFS_OP_ANY, nth, kind, error, false);
    if (open_store(&b) && open_stream(&b)) {
        (void)pump(&b);
        stream_fini(&b.st);
        struct lt_err err;
        if (!power && store_is_broken(b.store) && store_repair(b.store, &err) == 0)
            CU_ASSERT(store_durable(b.store) >= b.sc.acked);
    }
    *ret_met = vfs_sim_failed(b.sim);
    vfs_sim_heal(b.sim);
    if (power) {
        vfs_sim_power_off(b.sim);
        store_close(b.store);
        vfs_sim_power_cut(b.sim);
    } else {
        store_close(b.store);
    }
    b.store = NULL;
    CU_ASSERT_EQUAL(b.sc.not_durable, 0);
    uint64_t acked = b.sc.acked;
    CU_ASSERT_TRUE(open_store(&b));
    CU_ASSERT(acked == 0 || store_durable(b.store) >= acked);
    b.sc.at = 0;
    CU_ASSERT_TRUE(open_stream(&b));
    CU_ASSERT_EQUAL(pump(&b), 0);
    CU_ASSERT_EQUAL(b.sc.acked, b.gen.len);
    CU_ASSERT_EQUAL(b.sc.not_durable, 0);
    expect_stored(&b);
    end(&b);
}

#if defined(__SANITIZE_THREAD__)
#define EVERY 7u /* one thread: what it sees is seen by the other builds, forty times as fast */
#else
#define EVERY 1u
#endif

static void test_every_call_fails_in_turn(void)
{
    static const struct {
        enum vfs_fault_kind kind;
        int error;
    } kinds[] = {{VFS_FAULT_ERROR, 5},
                 {VFS_FAULT_ERROR, 28},
                 {VFS_FAULT_TORN, 28},
                 {VFS_FAULT_SHORT, 0},
                 {VFS_FAULT_DROP_SYNC, 5}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int power = 0; power < 4; power++) { /* bit 1: large transactions */
            bool met = true;
            uint64_t nth = 1;
            for (; met && nth < 1000; nth += EVERY * (power & 2 ? 3 : 1))
                fail_at(kinds[k].kind, kinds[k].error, power & 1, power & 2, nth, &met);
            CU_ASSERT(nth > 10);
        }
}

/* A flag on an event that ends no transaction by the rules: acknowledged as the source wants it, and counted. */
static void flag_inside(size_t rows_bytes)
{
    struct bench b;
    start(&b, true, 2, 200);
    gen_gtid(&b.gen);
    gen_query(&b.gen, "BEGIN");
    size_t rows = b.gen.len;
    gen_rows(&b.gen, rows_bytes);
    scripted_events_flagged(&b.sc, 4, rows);
    CU_ASSERT_EQUAL(pump(&b), 0);
    CU_ASSERT_EQUAL(b.st.boundary_mismatches, 1);
    CU_ASSERT_EQUAL(b.sc.acked, b.gen.len);
    CU_ASSERT_EQUAL(store_durable(b.store), b.gen.len);
    CU_ASSERT_EQUAL(b.sc.not_durable, 0);
    end(&b);
}

static void test_flag_where_nothing_ends(void)
{
    flag_inside(300);
    flag_inside(STREAM_WHOLE_BYTES + 300);
}

/* Another dump of the same from the start, with a flag on the event at odd as well. */
static void send_again(struct bench *b, size_t odd)
{
    stream_fini(&b->st);
    b->sc.len = b->sc.at = 0;
    scripted_rotate(&b->sc, TEST_FILE, 4);
    CU_ASSERT_TRUE(open_stream(b));
    scripted_events_flagged(&b->sc, 4, odd);
    CU_ASSERT_EQUAL(pump(b), 0);
}

/* All that is stored came without flags, as a proving dump sends it; sent again, its last event has one. The ACK speaks of the watermark, also after a crash. */
static void flag_comes_later(size_t rows_bytes, unsigned open_txns)
{
    struct bench b;
    size_t rows = 0;
    start(&b, true, 2, 200);
    for (unsigned i = 0; i < open_txns; i++) {
        gen_gtid(&b.gen);
        gen_query(&b.gen, "BEGIN");
        rows = b.gen.len;
        gen_rows(&b.gen, rows_bytes);
    }
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), 0);
    struct store_resume r;
    store_resume_point(b.store, &r);
    CU_ASSERT(r.watermark < b.gen.len && r.end == b.gen.len);
    send_again(&b, rows);
    CU_ASSERT_EQUAL(b.sc.acked, b.gen.len);
    CU_ASSERT_EQUAL(b.st.boundary_mismatches, 1);
    CU_ASSERT_EQUAL(b.sc.not_durable, 0);
    stream_fini(&b.st);
    vfs_sim_power_off(b.sim);
    store_close(b.store);
    vfs_sim_power_cut(b.sim);
    CU_ASSERT_TRUE(open_store(&b));
    store_resume_point(b.store, &r);
    CU_ASSERT_EQUAL(r.watermark, b.gen.len);
    end(&b);
}

static void test_flag_comes_later(void)
{
    flag_comes_later(300, 1);
    flag_comes_later(STREAM_WHOLE_BYTES + 300, 1);
    flag_comes_later(300, 3);
}

/* The flag of an end behind which more is held that no flag covers yet: no ACK for what recovery would cut. */
static void test_flag_before_more(void)
{
    struct bench b;
    start(&b, true, 2, 200);
    size_t safe = b.gen.len;
    gen_gtid(&b.gen);
    size_t rows = b.gen.len;
    gen_rows(&b.gen, 300);
    gen_rows(&b.gen, 300);
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), 0);
    send_again(&b, rows);
    CU_ASSERT_EQUAL(b.sc.acked, safe);
    end(&b);
}

static void test_bad_checksum_is_not_stored(void)
{
    struct bench b;
    start(&b, true, 3, 200);
    size_t before = b.gen.len;
    gen_txn(&b.gen, 200);
    b.gen.data[before + 30] ^= 1;
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), LT_ECHECKSUM);
    CU_ASSERT_EQUAL(b.fault.code, FAULT_CORRUPT);
    CU_ASSERT_EQUAL(b.sc.acked, before); /* what came before it was whole */
    CU_ASSERT_EQUAL(store_appended(b.store), before);
    end(&b);
}

static void test_bad_checksum_of_large_event_is_taken_out(void)
{
    struct bench b;
    start(&b, true, 1, 100);
    size_t before = b.gen.len;
    gen_gtid(&b.gen);
    size_t rows = b.gen.len;
    gen_rows(&b.gen, STREAM_WHOLE_BYTES * 2);
    b.gen.data[rows + STREAM_WHOLE_BYTES] ^= 1;
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), LT_ECHECKSUM);
    CU_ASSERT_EQUAL(b.sc.acked, before);
    CU_ASSERT_EQUAL(store_appended(b.store), rows);
    end(&b);
}

/* A file that must begin with a list of GTIDs, and does not: whatever comes in its place, of any size, is not stored. */
static void test_no_list_where_one_is_demanded(void)
{
    static const size_t sizes[] = {100, STREAM_WHOLE_BYTES * 2, PACKET_MAX_PART + 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bench b;
        start(&b, true, 0, 0);
        gen_file(&b.gen, false);
        size_t fde_end = b.gen.len;
        gen_rows(&b.gen, sizes[i]);
        b.st.replica.start.exact_list = true;
        scripted_events(&b.sc, 4);
        CU_ASSERT_NOT_EQUAL(pump(&b), 0);
        CU_ASSERT_EQUAL(b.fault.code, FAULT_GAP);
        CU_ASSERT_EQUAL(store_appended(b.store), fde_end);
        CU_ASSERT_EQUAL(b.sc.acks, 0);
        CU_ASSERT_FALSE(stream_is_proved(&b.st));
        end(&b);
    }
}

/* A second format description is the source's fault, not the disk's. */
static void test_second_format_description(void)
{
    for (int crc = 0; crc < 2; crc++) {
        struct bench b;
        start(&b, crc, 2, 100);
        size_t before = b.gen.len;
        size_t len = load_u32(b.gen.data + 4 + 9) - EVENT_HEADER_LEN - (crc ? EVENT_CRC_LEN : 0);
        uint8_t body[300];
        CU_ASSERT_FATAL(len <= sizeof body);
        memcpy(body, b.gen.data + 4 + EVENT_HEADER_LEN, len);
        gen_event(&b.gen, EVENT_FORMAT_DESCRIPTION, body, len, 0);
        scripted_events(&b.sc, 4);
        CU_ASSERT_NOT_EQUAL(pump(&b), 0);
        CU_ASSERT_EQUAL(b.fault.code, FAULT_PROTOCOL);
        CU_ASSERT_FALSE(store_is_broken(b.store));
        CU_ASSERT_EQUAL(store_appended(b.store), before);
        CU_ASSERT_EQUAL(b.sc.acked, before);
        end(&b);
    }
}

/* Of a later release, cut, or without a number: its transaction would be acknowledged and be in no set. */
static void test_gtid_that_cannot_be_read(void)
{
    static const uint8_t later[40] = {4, 80}; /* version 2 of the tagged form, 40 bytes */
    static const uint8_t zero[42] = {1};
    static const struct {
        uint8_t type;
        const uint8_t *body;
        size_t len;
    } odd[] = {{EVENT_GTID_TAGGED, later, sizeof later},
               {EVENT_GTID, zero, sizeof zero},
               {EVENT_GTID, zero, 20},
               {EVENT_MARIADB_GTID, zero, 5}};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct bench b;
        start(&b, true, 1, 100);
        size_t before = b.gen.len;
        gen_event(&b.gen, odd[i].type, odd[i].body, odd[i].len, 0);
        gen_query(&b.gen, "BEGIN");
        gen_xid(&b.gen);
        scripted_events(&b.sc, 4);
        CU_ASSERT_NOT_EQUAL(pump(&b), 0);
        CU_ASSERT_EQUAL(b.fault.code, FAULT_TOO_LARGE);
        CU_ASSERT_EQUAL(store_appended(b.store), before);
        CU_ASSERT_EQUAL(b.sc.acked, before);
        end(&b);
    }
}

static void test_difference_is_divergence(void)
{
    struct bench b;
    start(&b, true, 4, 200);
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), 0);
    stream_fini(&b.st);
    /* the same file, one byte of a transaction other, its checksum right */
    size_t off = 4;
    size_t last = 4;
    while (off < b.gen.len) {
        last = off;
        off += load_u32(b.gen.data + off + 9);
    }
    uint8_t *ev = b.gen.data + last;
    ev[EVENT_HEADER_LEN] ^= 1;
    event_crc_set(ev, load_u32(ev + 9));
    b.sc.len = 0;
    b.sc.at = 0;
    scripted_rotate(&b.sc, TEST_FILE, 4);
    scripted_events(&b.sc, 4);
    uint64_t held = store_durable(b.store);
    CU_ASSERT_TRUE(open_stream(&b));
    unsigned acks = b.sc.acks;
    CU_ASSERT_EQUAL(pump(&b), LT_EDIVERGED);
    CU_ASSERT_EQUAL(b.fault.code, FAULT_DIVERGED);
    CU_ASSERT_EQUAL(store_durable(b.store), held);
    CU_ASSERT(b.sc.acks <= acks + 1); /* at most for what was equal and durable */
    end(&b);
}

static void test_peer_goes_away(void)
{
    struct bench b;
    start(&b, true, 4, 200);
    scripted_events(&b.sc, 4);
    b.sc.send_fails = true;
    CU_ASSERT_NOT_EQUAL(pump(&b), 0);
    CU_ASSERT_EQUAL(b.fault.code, FAULT_CONNECT);
    CU_ASSERT_EQUAL(b.sc.acks, 0);
    end(&b);
}

static void test_silence(void)
{
    struct bench b;
    uint64_t wait = 0;
    start(&b, true, 1, 100);
    scripted_events(&b.sc, 4);
    CU_ASSERT_EQUAL(pump(&b), 0);
    now += 2000000;
    CU_ASSERT_EQUAL(stream_turn(&b.st, &wait, &b.fault), LT_ETIMEOUT);
    end(&b);
}

static void test_server_errors(void)
{
    static const struct {
        const char *packet;
        enum fault_code code;
    } errors[] = {
        {"\xff\xd4\x04#HY000A replica with the same server_uuid/server_id", FAULT_DUPLICATE},
        {"\xff\xd4\x04#HY000Could not find first log file name in binary log index file", FAULT_PURGED},
        {"\xff\xd4\x04#HY000Client requested source to start replication from position > file size", FAULT_AHEAD},
        {"\xff\xcb\x04#42000Access denied; you need REPLICATION SLAVE", FAULT_PRIVILEGE},
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct bench b;
        start(&b, true, 0, 0);
        uint8_t header[4] = {0, 0, 0, 1};
        size_t len = strlen(errors[i].packet);
        store_u24(header, (uint32_t)len);
        b.sc.bytes = realloc(b.sc.bytes, b.sc.len + 4 + len);
        memcpy(b.sc.bytes + b.sc.len, header, 4);
        memcpy(b.sc.bytes + b.sc.len + 4, errors[i].packet, len);
        b.sc.len += 4 + len;
        CU_ASSERT_NOT_EQUAL(pump(&b), 0);
        CU_ASSERT_EQUAL(b.fault.code, errors[i].code);
        end(&b);
    }
}

static const struct test_case cases[] = {
    {"whole streams in pieces of any size", test_whole},
    {"events larger than the buffer and than a packet", test_large_events},
    {"one ACK per batch, never twice", test_one_ack_per_batch_and_never_twice},
    {"readers are told after the ACK", test_readers_are_told_after_the_ack},
    {"every file call fails in turn", test_every_call_fails_in_turn},
    {"a flag where no transaction ends", test_flag_where_nothing_ends},
    {"a flag that comes with the second sending", test_flag_comes_later},
    {"a flag before more that is held", test_flag_before_more},
    {"a bad checksum is not stored", test_bad_checksum_is_not_stored},
    {"a large event with a bad checksum is taken out again", test_bad_checksum_of_large_event_is_taken_out},
    {"no list where one is demanded", test_no_list_where_one_is_demanded},
    {"a second format description", test_second_format_description},
    {"a GTID that cannot be read", test_gtid_that_cannot_be_read},
    {"a difference is a divergence", test_difference_is_divergence},
    {"the peer goes away", test_peer_goes_away},
    {"silence", test_silence},
    {"errors of the server", test_server_errors},
};

int main(void)
{
    return cunit_run("stream", cases, sizeof cases / sizeof cases[0]);
}
