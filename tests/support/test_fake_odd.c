/* The fake primary and the raw replica against each other: dumps that break, odd flags, careless clients, and a primary that goes. */
#include <unistd.h>

#include "fake_test.h"

struct odd_case {
    const char *what;
    struct fake_dump_rule rule;
    int want;
    unsigned err;
};

static void test_odd_dumps(void)
{
    static const struct odd_case cases[] = {
        {"close", {.action = FAKE_ACT_CLOSE, .at_event = 5}, LT_ECLOSED, 0},
        {"tear", {.action = FAKE_ACT_TEAR, .at_event = 5}, LT_ECLOSED, 0},
        {"reset", {.action = FAKE_ACT_TEAR_RST, .at_event = 5}, LT_ECLOSED, 0},
        {"silence", {.action = FAKE_ACT_SILENCE, .at_event = 5}, LT_ETIMEOUT, 0},
        {"eof", {.action = FAKE_ACT_EOF, .at_event = 5}, LT_EOS, 0},
        {"err", {.action = FAKE_ACT_ERR, .at_event = 5, .err = 1236}, LT_EPROTO, 1236},
        {"err at start", {.action = FAKE_ACT_ERR, .err = 1227}, LT_EPROTO, 1227},
        {"err 3200", {.action = FAKE_ACT_ERR, .err = 3200, .at_event = 5}, LT_EPROTO, 3200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_primary *fp = start_with_file("8.0.46");
        struct raw_options opt = options_for(fp);
        struct raw_event ev;
        int ret = 0;
        opt.timeout_ms = 500;
        struct fake_dump_rule rule = cases[i].rule;
        rule.times = 1;
        fake_dump_rule(fp, &rule);
        struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
        end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
        struct raw_replica *r = dump_with(&opt, FILE1, 4);
        while (r && ret == 0)
            ret = raw_next(r, &ev);
        CU_ASSERT_EQUAL(ret, cases[i].want);
        if (r && cases[i].err)
            CU_ASSERT_EQUAL(raw_error_code(r), cases[i].err);
        raw_close(r);
        r = dump_with(&opt, FILE1, 4);
        CU_ASSERT(r && read_to(r, &end, &ev, NULL) > 0);
        raw_close(r);
        fake_primary_stop(fp);
    }
}

static void test_bad_crc(void)
{
    struct fake_primary *fp = start_with_file("8.0.46");
    struct raw_event ev;
    unsigned n = 0;
    fake_dump_rule(fp, &(struct fake_dump_rule){.action = FAKE_ACT_BAD_CRC, .at_event = 4, .times = 1});
    (void)fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    struct raw_replica *r = dump_from(fp, FILE1, 4);
    while (r && raw_next(r, &ev) == 0 && n < 4)
        if (!ev.artificial && ++n == 4)
            CU_ASSERT(!ev.crc_ok);
    CU_ASSERT_EQUAL(n, 4);
    raw_close(r);
    fake_primary_stop(fp);
}

static bool flag_xids(const char *file, const struct event_header *h, uint64_t end, void *arg)
{
    (void)file;
    (void)end;
    (void)arg;
    return h->type == EVENT_QUERY;
}

static void test_flags_and_headers(void)
{
    struct fake_primary *fp = start_with_file("8.0.46");
    struct raw_event ev;
    fake_dump_rule(fp, &(struct fake_dump_rule){.times = 1, .flag_if = flag_xids});
    fake_dump_rule(fp, &(struct fake_dump_rule){.after = 1, .times = 1, .no_header = true, .rotate_timestamp = 0xef});
    (void)fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    struct fake_pos end = fake_end(fp);
    struct raw_replica *r = dump_from(fp, FILE1, 4);
    bool seq_right = true;
    unsigned flagged = 0;
    while (r && raw_next(r, &ev) == 0 && ev.end < end.pos) {
        flagged += ev.ack_wanted;
        seq_right = seq_right && ev.ack_wanted == (ev.h.type == EVENT_QUERY);
    }
    CU_ASSERT(seq_right);
    CU_ASSERT_EQUAL(flagged, 1);
    raw_close(r);
    r = dump_from(fp, FILE1, 4);
    CU_ASSERT(r && raw_next(r, &ev) == 0);
    CU_ASSERT_EQUAL(ev.h.timestamp, 0xef);
    CU_ASSERT(r && !raw_has_header(r));
    raw_close(r);
    fake_primary_stop(fp);
}

static void test_careless_client(void)
{
    struct fake_primary *fp = start_with_file("5.5.5-10.11.19-MariaDB-log");
    struct raw_options opt = options_for(fp);
    struct raw_event ev;
    struct fake_counters n;
    opt.quit_at_close = true;
    struct raw_replica *r = dump_with(&opt, FILE1, 4);
    struct raw_replica *twin = dump_with(&opt, FILE1, 4);
    CU_ASSERT(fake_wait_live(fp, FAKE_DUMP_SEMI_SYNC, 2, 30000));
    CU_ASSERT(r && raw_next(r, &ev) == 0);
    CU_ASSERT(r && raw_send(r, "\x16\0\0\0\xef", 5) == 0);
    (void)usleep(50000);
    CU_ASSERT(r && raw_send(r, "\x04\0\0\0\0\0\0\0binlog.000001", 21) == 0);
    raw_close(r);
    raw_close(twin);
    CU_ASSERT(fake_wait_live(fp, FAKE_DUMP_ANY, 0, 30000));
    fake_counters(fp, &n);
    CU_ASSERT_EQUAL(n.quits_on_dump, 2);
    CU_ASSERT_EQUAL(n.shared_ids, 1);
    CU_ASSERT_EQUAL(n.split_acks, 1);
    fake_primary_stop(fp);
}

static void test_twins_on_mysql(void)
{
    struct fake_primary *fp = start_with_file("9.7.4");
    struct raw_event ev;
    int ret = 0;
    struct raw_replica *r = dump_from(fp, FILE1, 4);
    CU_ASSERT(r && raw_next(r, &ev) == 0);
    struct raw_replica *twin = dump_from(fp, FILE1, 4);
    CU_ASSERT(twin && raw_next(twin, &ev) == 0);
    while (r && ret == 0)
        ret = raw_next(r, &ev);
    CU_ASSERT_EQUAL(r ? raw_error_code(r) : 0, 1236);
    raw_close(r);
    raw_close(twin);
    fake_primary_stop(fp);
}

static void test_pause_and_reset(void)
{
    struct fake_primary *fp = start_with_file("5.5.5-10.11.19-MariaDB-log");
    struct raw_event ev;
    struct lt_err err;
    struct raw_options opt = options_for(fp);
    struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    struct raw_replica *r = dump_from(fp, FILE1, 4);
    CU_ASSERT(r && read_to(r, &end, &ev, NULL) > 0);
    fake_reset(fp);
    fake_open_file(fp, FILE1);
    (void)fake_commit(fp, &(struct fake_txn_spec){.blob_len = 10});
    /* A zombie: heartbeats of the old place, no event. */
    for (int i = 0; r && i < 3; i++) {
        CU_ASSERT_EQUAL(raw_next(r, &ev), 0);
        CU_ASSERT_EQUAL(ev.h.type, EVENT_HEARTBEAT);
        CU_ASSERT_EQUAL(ev.h.log_pos, (uint32_t)end.pos);
    }
    fake_primary_pause(fp);
    CU_ASSERT(r && raw_next(r, &ev) == LT_ECLOSED);
    raw_close(r);
    CU_ASSERT_PTR_NULL(raw_open(&opt, &err));
    fake_primary_resume(fp);
    r = dump_with(&opt, FILE1, 4);
    CU_ASSERT(r && raw_next(r, &ev) == 0);
    raw_close(r);
    fake_purge(fp, 1);
    r = dump_with(&opt, FILE1, 4);
    CU_ASSERT(r && raw_next(r, &ev) == LT_EPROTO);
    raw_close(r);
    fake_primary_stop(fp);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"dumps that break", test_odd_dumps},
        {"bad checksum", test_bad_crc},
        {"flags and headers", test_flags_and_headers},
        {"split ACK, COM_QUIT and twins are noticed", test_careless_client},
        {"twins on MySQL", test_twins_on_mysql},
        {"pause, reset, purge", test_pause_and_reset},
    };
    return cunit_run("fake_odd", cases, sizeof cases / sizeof cases[0]);
}
