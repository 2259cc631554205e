/* Repoint, purge and drain through the admin socket, and stopping with open answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "fence_site.h"
#include "ops/commands/waits.h"
#include "ops/retention/keep.h"

/* Nothing streams, so no fence is needed to look at another source; what cannot be reached changes nothing. */
static void test_repoint_to_nobody(void)
{
    struct site s;
    site_begin(&s);
    site_expect(&s, "repoint 127.0.0.1:2", "connect");
    CU_ASSERT_FALSE(site_closed(&s));
    json_decref(site_ask(&s, "fence --epoch 3 why"));
    site_expect(&s, "repoint --epoch 2 127.0.0.1:2", "stale_epoch");
    site_expect(&s, "repoint --epoch 3 [::1]:2", "connect");
    site_expect(&s, "repoint 1.2.3:4:5", "bad_arguments");
    site_expect(&s, "repoint a;b:5", "bad_arguments");
    site_expect(&s, "repoint a:5 b:6", "bad_arguments");
    CU_ASSERT_TRUE(site_closed(&s));
    const uint8_t *data;
    size_t len;
    CU_ASSERT_FALSE(vfs_sim_get(s.sim, TEST_DIR "/source", &data, &len));
    site_end(&s);
}

static void run_for(struct site *s, uint64_t us)
{
    uint64_t until = clock_mono_us() + us;
    while (clock_mono_us() < until)
        (void)event_base_loop(s->base, EVLOOP_ONCE);
}

static bool warns(const json_t *status, const char *code)
{
    char *text = json_dumps(json_object_get(status, "warnings"), 0);
    bool found = text != NULL && strstr(text, code) != NULL;
    free(text);
    return found;
}

/* DIR/source beside a fence: open to that source and to no other, and status says what is followed. */
static void test_follows_what_the_file_says(void)
{
    static const char source[] =
        "host=127.0.0.1\nport=2\nsource_id=source-2\nafter_lineage=1\nstart_file=\nnew_history=yes\n"
        "at_us=1\ncovers=\ngap=1-2-3\n";
    struct site s;
    site_begin(&s);
    json_decref(site_ask(&s, "fence why"));
    site_down(&s);
    vfs_sim_put(s.sim, TEST_DIR "/source", source, strlen(source));
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    CU_ASSERT_TRUE(site_closed(&s));
    CU_ASSERT_FALSE(gate_is_closed(&s.gate, "source-2"));
    json_t *status = site_ask(&s, "status");
    for (int i = 0; i < 600 && !warns(status, "source_differs"); i++) { /* alarms are judged twice a second */
        run_for(&s, 50000);
        json_decref(status);
        status = site_ask(&s, "status");
    }
    CU_ASSERT_TRUE(warns(status, "source_differs"));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(status, "source"), "port")), 2);
    CU_ASSERT_FALSE(site_yes(json_object_get(status, "fence"), "current"));
    char *text = json_dumps(status, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "1-2-3"));
    free(text);
    json_decref(status);
    /* The followed one is fenced too, and released by its name. */
    json_decref(site_ask(&s, "fence both"));
    CU_ASSERT_TRUE(gate_is_closed(&s.gate, "source-2"));
    json_t *answer = site_ask(&s, "unfence");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "source_id")), "source-2");
    json_decref(answer);
    CU_ASSERT_FALSE(gate_is_closed(&s.gate, "source-2"));
    CU_ASSERT_TRUE(site_closed(&s));
    json_decref(site_ask(&s, "unfence " TEST_SOURCE));
    CU_ASSERT_FALSE(site_closed(&s));
    site_end(&s);
}

/* Two files of a new history, as a source without GTIDs (or of the other flavour) would begin it, into the store that is down. */
static void add_new_history(struct site *s)
{
    static const char source[] = "host=127.0.0.1\nport=2\nsource_id=source-2\nafter_lineage=1\nstart_file=\n"
                                 "new_history=yes\nat_us=1\ncovers=\n";
    struct binlog_gen g;
    struct store *store = NULL;
    struct lt_err err;
    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_txn(&g, 50);
    CU_ASSERT_EQUAL_FATAL(test_open(vfs_sim_vfs(s->sim), false, &store, &err), 0);
    CU_ASSERT_EQUAL(store_lineage_begin(store, "source-2", &err), 0);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(store_segment_begin(store, i == 0 ? TEST_FILE : TEST_FILE2, &err), 0);
        CU_ASSERT_TRUE(test_feed(store, &g, 4, g.len));
    }
    CU_ASSERT_EQUAL(store_sync(store, &err), 0);
    store_close(store);
    gen_fini(&g);
    vfs_sim_put(s->sim, TEST_DIR "/source", source, strlen(source));
}

static bool is_covered(struct site *s)
{
    json_t *answer = site_ask(s, "position");
    bool covered = site_yes(answer, "covered");
    json_decref(answer);
    return covered;
}

/* What GTIDs cannot tell is not covered while the history before is stored. It may be removed all the same: nothing will ever cover it. */
static void test_new_history_covers_nothing(void)
{
    struct site s;
    site_begin(&s);
    CU_ASSERT_TRUE(is_covered(&s));
    site_down(&s);
    add_new_history(&s);
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    CU_ASSERT_FALSE(is_covered(&s));
    json_t *answer = site_ask(&s, "purge " TEST_FILE);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "segments")), 3);
    json_decref(answer);
    CU_ASSERT_TRUE(is_covered(&s));
    site_end(&s);
}

static void test_purge_and_drain(void)
{
    struct site s;
    site_begin(&s);
    site_expect(&s, "purge mysql-bin.000003", "last_segments");
    site_expect(&s, "purge mysql-bin.000004", "not_found");
    s.needs = true;
    site_expect(&s, "purge " TEST_FILE2, "needed");
    s.needs = false;
    vfs_sim_fail(s.sim, VFS_OP_UNLINK, 1, VFS_FAULT_ERROR, EIO, true);
    json_t *answer = site_ask(&s, "purge " TEST_FILE2);
    CU_ASSERT_STRING_NOT_EQUAL(site_error_of(answer), "");
    json_decref(answer);
    vfs_sim_heal(s.sim);
    answer = site_ask(&s, "purge " TEST_FILE2);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "segments")), 1);
    json_decref(answer);
    /* Nobody is acknowledged, so nobody waits for us. */
    answer = site_ask(&s, "drain");
    CU_ASSERT_TRUE(site_yes(answer, "stopping"));
    CU_ASSERT_TRUE(s.stopped);
    json_decref(answer);
    site_end(&s);
}

static uint64_t segments(struct site *s)
{
    struct store_view v;
    CU_ASSERT_EQUAL_FATAL(store_view_get(s->store, &v), 0);
    uint64_t n = v.segments;
    store_view_fini(&v);
    return n;
}

/* A disk that hangs: one purge waits and gets its answer in time, no second one joins it. */
static void test_purge_on_a_hung_disk(void)
{
    struct site s;
    const char *code = "busy";
    site_begin(&s);
    site_set_hanging(true);
    uint64_t began = clock_mono_us();
    int first = site_send_line("purge " TEST_FILE2);
    run_for(&s, 20000);
    site_expect(&s, "purge " TEST_FILE2, "busy");
    site_expect(&s, "purge --dry-run " TEST_FILE2, "busy");
    json_t *answer = site_receive(&s, first);
    CU_ASSERT_STRING_EQUAL(site_error_of(answer), "timeout");
    CU_ASSERT(clock_mono_us() - began >= PURGE_ANSWER_US);
    json_decref(answer);
    site_expect(&s, "purge " TEST_FILE2, "busy");
    site_set_hanging(false);
    for (int i = 0; i < 600 && code[0] != '\0'; i++) { /* it goes on by itself, and the next one may come */
        answer = site_ask(&s, "purge " TEST_FILE2);
        code = strcmp(site_error_of(answer), "busy") == 0 ? "busy" : "";
        CU_ASSERT(code[0] != '\0' || strcmp(site_error_of(answer), "last_segments") == 0 ||
                  json_integer_value(json_object_get(answer, "segments")) == 0);
        json_decref(answer);
        run_for(&s, 20000);
    }
    CU_ASSERT_STRING_EQUAL(code, "");
    CU_ASSERT_EQUAL(segments(&s), 2);
    site_end(&s);
}

/* By the rules, but never while fenced, and not what a consumer needs. */
static void test_retention(void)
{
    struct site s;
    site_begin(&s);
    json_decref(site_ask(&s, "fence why"));
    site_set_retention(&s, 1);
    run_for(&s, KEEP_FIRST_US + 300000);
    CU_ASSERT_EQUAL(segments(&s), 3);
    json_decref(site_ask(&s, "unfence"));
    site_down(&s);
    s.needs = true;
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    site_set_retention(&s, 1);
    run_for(&s, KEEP_FIRST_US + 300000);
    CU_ASSERT_EQUAL(segments(&s), 3);
    site_down(&s);
    s.needs = false;
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    site_set_retention(&s, 1);
    for (int i = 0; i < 600 && segments(&s) > 2; i++)
        run_for(&s, 50000);
    CU_ASSERT_EQUAL(segments(&s), 2);
    site_end(&s);
}

/* Clients that died while they waited keep no place; one that has only said all it has to say does. */
static void test_waits_of_the_dead(void)
{
    struct site s;
    site_begin(&s);
    int half = site_send_line("wait-gtid 00000000-0000-0000-0000-000000000009:1 2s");
    (void)shutdown(half, SHUT_WR);
    for (int i = 0; i < WAITS_MAX + 8; i++) {
        int fd = site_send_line("wait-gtid 00000000-0000-0000-0000-000000000009:1 1h");
        run_for(&s, 5000);
        (void)close(fd);
    }
    run_for(&s, 100000);
    site_expect(&s, "wait-gtid 00000000-0000-0000-0000-000000000009:1 10ms", "timeout");
    json_t *answer = site_receive(&s, half);
    CU_ASSERT_STRING_EQUAL(site_error_of(answer), "timeout");
    json_decref(answer);
    site_end(&s);
}

/* Stopping while answers are open: each client gets one. */
static void test_close_with_open_answers(void)
{
    struct site s;
    site_begin(&s);
    site_set_hanging(true);
    int a = site_send_line("fence why");
    int b = site_send_line("wait-gtid 00000000-0000-0000-0000-000000000001:1 1h");
    for (int i = 0; i < 20; i++) {
        (void)event_base_loop(s.base, EVLOOP_NONBLOCK);
        (void)usleep(1000);
    }
    site_set_hanging(false);
    ops_close(s.ops);
    s.ops = NULL;
    json_t *answer = site_receive(&s, a);
    CU_ASSERT_TRUE(site_yes(answer, "persisted"));
    json_decref(answer);
    answer = site_receive(&s, b);
    CU_ASSERT_STRING_EQUAL(site_error_of(answer), "stopping");
    json_decref(answer);
    event_del(s.tick);
    site_end(&s);
}

static const struct test_case cases[] = {
    {"repoint to nobody", test_repoint_to_nobody},
    {"DIR/source and DIR/fence together", test_follows_what_the_file_says},
    {"a new history covers nothing", test_new_history_covers_nothing},
    {"purge and drain", test_purge_and_drain},
    {"purge on a disk that hangs", test_purge_on_a_hung_disk},
    {"retention", test_retention},
    {"waits of the dead", test_waits_of_the_dead},
    {"stopping with open answers", test_close_with_open_answers},
};

int main(void)
{
    return site_main("repoint_run", cases, sizeof cases / sizeof cases[0]);
}
