/* After the answer of a fence nothing more is acknowledged: not by luck of timing, not after kill -9 and a restart, not by a reconnect. */
#include "rig.h"

#include "raw_replica.h"
#include "watching.h"

static json_t *command(const struct rig *r, const char *text)
{
    json_t *answer = daemon_command(r->dm, text);
    CU_ASSERT_PTR_NOT_NULL(answer);
    return answer;
}

static const char *error_code(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    return code != NULL ? code : "";
}

static bool yes(const json_t *answer, const char *key)
{
    return json_is_true(json_object_get(answer, key));
}

static const char *text(const json_t *answer, const char *key)
{
    const char *value = json_string_value(json_object_get(answer, key));
    return value != NULL ? value : "";
}

static uint64_t offset_of(const json_t *answer)
{
    return (uint64_t)json_integer_value(json_object_get(answer, "offset"));
}

/* All that a client was told is OK lies before the position of the answer; how many that are. */
static size_t check_nothing_beyond(struct rig *r, struct writers *wr, uint64_t offset)
{
    size_t n = 0;
    uint64_t *ids = writers_oked(wr, &n);
    CU_ASSERT_EQUAL(binlogs_missing_ids(r->dm->dir, offset, ids, n), 0);
    free(ids);
    return n;
}

static void check_position_is(struct rig *r, const json_t *answer)
{
    json_t *now = command(r, "position");
    CU_ASSERT_STRING_EQUAL(text(now, "file"), text(answer, "file"));
    CU_ASSERT_EQUAL(offset_of(now), offset_of(answer));
    json_decref(now);
}

/* On a busy machine a sync may take longer than a fence waits for it: the same order again says how far it is now. */
static json_t *fence_until_final(struct rig *r, const char *line)
{
    json_t *answer = command(r, line);
    for (int i = 0; i < 30 && !(yes(answer, "persisted") && yes(answer, "final")); i++) {
        json_decref(answer);
        answer = command(r, line);
    }
    CU_ASSERT_TRUE(yes(answer, "persisted"));
    CU_ASSERT_TRUE(yes(answer, "final"));
    return answer;
}

static void fence_once(struct rig *r, struct writers *wr, unsigned round)
{
    static const char *const modes[] = {"auto", "drop", "hold"};
    size_t before = writers_oked_count(wr);
    char *line = proc_fmt("fence --epoch %u --mode %s round %u", round + 1, modes[round % 3], round);
    json_t *answer = fence_until_final(r, line);
    if (round % 4 == 3) {
        daemon_kill(r->dm);
        proc_sleep_ms(20);
        daemon_restart(r->dm);
        CU_ASSERT_TRUE(daemon_wait_state(r->dm, "fenced", 30000));
    }
    proc_sleep_ms(100);
    size_t after = check_nothing_beyond(r, wr, offset_of(answer));
    check_position_is(r, answer);
    proc_sleep_ms(50);
    CU_ASSERT_EQUAL(check_nothing_beyond(r, wr, offset_of(answer)), after);
    CU_ASSERT(after >= before);
    json_decref(answer);
    free(line);
}

/* The fence's position is beyond every commit that completes, whenever it comes. */
static void test_fences_at_random_moments(void)
{
    struct rig r;
    unsigned rounds = rig_rounds(20, 1000);
    unsigned seed = 4711;
    rig_start(&r, NULL, false, NULL);
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 16});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, 60000));
    for (unsigned i = 0; i < rounds; i++) {
        proc_sleep_ms((unsigned)rand_r(&seed) % 120);
        fence_once(&r, wr, i);
        size_t n = writers_oked_count(wr);
        json_t *answer = command(&r, "unfence");
        CU_ASSERT_TRUE(yes(answer, "released"));
        json_decref(answer);
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 16, 60000));
    }
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 30000));
    writers_stop(wr, 30000);
    printf("\n  %u fences, %zu commits ", rounds, writers_oked_count(wr));
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_oked(&r, wr);
    rig_check_identical(&r);
    writers_free(wr);
    rig_end(&r);
}

static struct sql_async *blocked_insert(struct rig *r, int id)
{
    return sql_async_start(r->other, "INSERT INTO t.a VALUES (%d)", id);
}

static void expect_error(struct rig *r, const char *line, const char *code)
{
    json_t *answer = command(r, line);
    CU_ASSERT_STRING_EQUAL(error_code(answer), code);
    json_decref(answer);
}

static void test_epochs_and_idempotence(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    expect_error(&r, "fence", "bad_arguments");
    expect_error(&r, "fence --mode sometimes why", "bad_arguments");
    expect_error(&r, "fence --epoch x why", "bad_arguments");
    expect_error(&r, "unfence a b", "bad_arguments");
    json_t *nothing = command(&r, "unfence");
    CU_ASSERT_TRUE(yes(nothing, "already"));
    json_decref(nothing);
    json_t *first = fence_until_final(&r, "fence --epoch 5 --mode drop the primary died");
    CU_ASSERT_STRING_EQUAL(text(first, "guarantee"), "weak");
    CU_ASSERT_STRING_EQUAL(text(first, "mode"), "drop");
    json_t *again = command(&r, "fence --epoch 5 --mode drop the primary died");
    CU_ASSERT_TRUE(yes(again, "already"));
    CU_ASSERT_STRING_EQUAL(text(again, "source_id"), text(first, "source_id"));
    CU_ASSERT_EQUAL(offset_of(again), offset_of(first));
    json_decref(again);
    expect_error(&r, "fence --epoch 4 late", "stale_epoch");
    expect_error(&r, "unfence --epoch 4", "stale_epoch");
    expect_error(&r, "repoint --epoch 4 127.0.0.1:1", "stale_epoch");
    expect_error(&r, "purge mysql-bin.000001", "fenced");
    struct sql_async *as = blocked_insert(&r, 1);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "fenced", 30000));
    expect_error(&r, "unfence --epoch 4", "stale_epoch");
    CU_ASSERT_FALSE(sql_async_wait(as, 300));
    json_t *status = command(&r, "status");
    const json_t *fence = json_object_get(status, "fence");
    CU_ASSERT_TRUE(yes(fence, "current"));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(fence, "epoch")), 5);
    CU_ASSERT_STRING_EQUAL(text(json_array_get(json_object_get(fence, "sources"), 0), "reason"), "the primary died");
    json_decref(status);
    char *line = proc_fmt("unfence --epoch 6 %s", text(first, "source_id"));
    json_t *released = command(&r, line);
    CU_ASSERT_TRUE(yes(released, "released"));
    json_decref(released);
    json_t *twice = command(&r, line);
    CU_ASSERT_TRUE(yes(twice, "already"));
    json_decref(twice);
    expect_error(&r, "fence --epoch 5 late", "stale_epoch");
    CU_ASSERT_TRUE(sql_async_wait(as, 30000));
    sql_async_free(as);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    free(line);
    json_decref(first);
    rig_end(&r);
}

static void reconnect(struct rig *r)
{
    CU_ASSERT_EQUAL(daemon_stop(r->dm), 0);
    daemon_restart(r->dm);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", 30000));
}

/* A source that does not wait without a replica must go on seeing one. */
static void test_hold_and_drop(void)
{
    struct rig r;
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    sql_semi_set(r.root, flavor == SERVER_MYSQL ? "wait_no_replica" : "wait_no_slave", "0");
    reconnect(&r); /* the settings are learned at the connect */
    json_t *answer = fence_until_final(&r, "fence hold it");
    CU_ASSERT_STRING_EQUAL(text(answer, "mode"), "hold");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "held")), 1);
    CU_ASSERT_STRING_EQUAL(text(answer, "guarantee"), "weak");
    json_decref(answer);
    struct sql_async *as = blocked_insert(&r, 1);
    CU_ASSERT_FALSE(sql_async_wait(as, 3000));
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "clients"), 1);
    answer = command(&r, "unfence");
    CU_ASSERT_TRUE(yes(answer, "released"));
    json_decref(answer);
    CU_ASSERT_TRUE(sql_async_wait(as, 30000));
    sql_async_free(as);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 30000));
    sql_semi_set(r.root, flavor == SERVER_MYSQL ? "wait_no_replica" : "wait_no_slave", "1");
    sql_semi_set(r.root, "timeout", "864000000");
    reconnect(&r);
    answer = fence_until_final(&r, "fence drop it");
    CU_ASSERT_STRING_EQUAL(text(answer, "mode"), "drop");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "held")), 0);
    json_decref(answer);
    as = blocked_insert(&r, 2);
    CU_ASSERT_FALSE(sql_async_wait(as, 1000));
    answer = command(&r, "unfence");
    json_decref(answer);
    CU_ASSERT_TRUE(sql_async_wait(as, 30000));
    sql_async_free(as);
    rig_end(&r);
}

/* Did this run of the daemon ask for a dump that acknowledges? Its log has a line for each, right after the command left. */
static bool asked_to_acknowledge(struct rig *r, size_t log_len)
{
    size_t len = 0;
    char *log = proc_read_file(r->dm->log, &len);
    bool asked = log != NULL && len > log_len && strstr(log + log_len, "acknowledging ") != NULL;
    free(log);
    return asked;
}

/* One start with a fence right behind it. True: the fence came before any acknowledging dump, so that the commit must go on waiting. */
static bool fence_early(struct rig *r, int id)
{
    size_t log_len = 0;
    daemon_kill(r->dm);
    free(proc_read_file(r->dm->log, &log_len));
    struct sql_async *as = blocked_insert(r, id);
    daemon_restart(r->dm);
    json_t *answer = NULL;
    for (int tries = 0; answer == NULL && tries < 500; tries++) {
        answer = daemon_command(r->dm, "fence early");
        if (answer == NULL)
            proc_sleep_ms(5);
    }
    CU_ASSERT_PTR_NOT_NULL(answer);
    bool early = !asked_to_acknowledge(r, log_len);
    if (early) { /* else an ACK left before the fence came, and MySQL may take a second to look at it */
        CU_ASSERT_FALSE(sql_async_wait(as, 1500));
        CU_ASSERT_FALSE(asked_to_acknowledge(r, log_len));
    }
    json_decref(answer);
    json_decref(command(r, "unfence"));
    CU_ASSERT_TRUE(sql_async_wait(as, 30000));
    sql_async_free(as);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", 30000));
    return early;
}

/* A fence that comes while we connect, prove or catch up: no dump that acknowledges starts. */
static void test_fence_before_streaming(void)
{
    struct rig r;
    int early = 0;
    rig_start(&r, NULL, true, NULL);
    proxy_delay(r.px, PROXY_TO_CLIENT, 100); /* so that connecting takes longer than an order does on a busy machine */
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    for (int i = 0; i < 30 && early < 4; i++)
        early += fence_early(&r, i);
    CU_ASSERT_EQUAL(early, 4);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_end(&r);
}

/* A primary that only slept wakes up to nobody who acknowledges. */
static void test_stalled_primary_wakes(void)
{
    struct rig r;
    rig_start(&r, NULL, false, (char *[]){"source.heartbeat_period=300ms", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    server_pause(r.srv, true);
    struct sql_async *as = blocked_insert(&r, 1);
    proc_sleep_ms(200);
    json_decref(fence_until_final(&r, "fence the primary hangs"));
    server_pause(r.srv, false);
    CU_ASSERT_FALSE(sql_async_wait(as, 2000));
    json_decref(command(&r, "unfence"));
    CU_ASSERT_TRUE(sql_async_wait(as, 30000));
    sql_async_free(as);
    rig_end(&r);
}

static bool failover_becomes(struct rig *r, const char *want)
{
    bool is = false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !is && proc_now_ms() < until; proc_sleep_ms(20)) {
        char *answer = watching_text(r, "failover_safe.answer");
        is = answer != NULL && strcmp(answer, want) == 0;
        free(answer);
    }
    if (!is) {
        json_t *status = command(r, "status");
        char *found = json_dumps(json_object_get(status, "failover_safe"), 0);
        fprintf(stderr, "wanted %s: %s\n", want, found);
        free(found);
        json_decref(status);
        daemon_show_log(r->dm);
    }
    return is;
}

static void begin_protected(struct rig *r)
{
    rig_start(r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS}, false, NULL);
    sql_must(r->root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_TRUE(failover_becomes(r, "weak")); /* the source is on this machine */
    /* The monitor has seen us counted: a look that is later called the last one is like all but the first. */
    CU_ASSERT_TRUE(watching_number_becomes(r, "monitor.semi_sync.clients", 1, 1, RIG_WAIT_MS));
}

/*
 * The primary dies: nothing that it confirmed is missing, which a fence makes certain, over a restart too. MariaDB lets commits return by KILL, so
 * that no fence of it is strong.
 */
static void test_failover_after_a_death(void)
{
    struct rig r;
    const char *sure = flavor == SERVER_MYSQL ? "yes" : "weak";
    begin_protected(&r);
    server_kill(r.srv);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "connect", RIG_WAIT_MS));
    CU_ASSERT_TRUE(failover_becomes(&r, "weak"));
    json_t *answer = fence_until_final(&r, "fence the primary died");
    CU_ASSERT_STRING_EQUAL(text(answer, "guarantee"), flavor == SERVER_MYSQL ? "strong" : "weak");
    json_decref(answer);
    CU_ASSERT_TRUE(failover_becomes(&r, sure));
    json_t *status = command(&r, "status");
    CU_ASSERT_TRUE(yes(json_object_get(status, "fence"), "final"));
    json_decref(status);
    daemon_kill(r.dm);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(failover_becomes(&r, sure));
    json_decref(command(&r, "unfence"));
    CU_ASSERT_TRUE(failover_becomes(&r, "no")); /* of this life nothing is known */
    rig_end(&r);
}

/* Who else acknowledged is gone: the same order again judges that. What was confirmed before that may not be here. */
static void test_weak_becomes_strong(void)
{
    struct rig r;
    struct lt_err err = {0};
    struct raw_event ev;
    if (flavor != SERVER_MYSQL)
        return; /* never strong */
    begin_protected(&r);
    struct raw_options opt = {.host = "127.0.0.1",
                              .port = r.srv->port,
                              .user = SERVER_REPL_USER,
                              .password = SERVER_REPL_PASSWORD,
                              .tls = true,
                              .server_id = 4243,
                              .uuid = "00000000-0000-0000-0000-000000004243",
                              .heartbeat_ms = 500, /* a dump thread notices when it sends */
                              .semi_sync = true};
    struct raw_replica *raw = raw_open(&opt, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(raw);
    CU_ASSERT_EQUAL(raw_dump(raw, "mysql-bin.000001", 4), 0);
    CU_ASSERT_EQUAL(raw_next(raw, &ev), 0);
    json_t *answer = fence_until_final(&r, "fence the other one acknowledges");
    CU_ASSERT_STRING_EQUAL(text(answer, "guarantee"), "weak");
    char *why = json_dumps(json_object_get(answer, "why"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "fence them too (with PROCESS granted")); /* the same account and host as ours */
    free(why);
    json_decref(answer);
    /* Who it is, once it may be seen. */
    sql_must(r.root, "SET sql_log_bin = 0");
    sql_must(r.root, "GRANT PROCESS ON *.* TO '" SERVER_REPL_USER "'@'%%'");
    sql_must(r.root, "SET sql_log_bin = 1");
    bool named = false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !named && proc_now_ms() < until; proc_sleep_ms(100)) {
        answer = command(&r, "fence again");
        why = json_dumps(json_object_get(answer, "why"), 0);
        named = strstr(why, "It streams to " SERVER_REPL_USER "@") != NULL;
        free(why);
        json_decref(answer);
    }
    CU_ASSERT_TRUE(named);
    CU_ASSERT_TRUE(failover_becomes(&r, "weak"));
    raw_close(raw);
    struct sql_async *as = blocked_insert(&r, 1);
    bool strong = false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !strong && proc_now_ms() < until; proc_sleep_ms(100)) {
        answer = command(&r, "fence again");
        CU_ASSERT_TRUE(yes(answer, "already"));
        strong = strcmp(text(answer, "guarantee"), "strong") == 0;
        json_decref(answer);
    }
    CU_ASSERT_TRUE(strong);
    CU_ASSERT_TRUE(failover_becomes(&r, "weak"));
    json_decref(command(&r, "unfence"));
    CU_ASSERT_TRUE(sql_async_wait(as, 30000));
    sql_async_free(as);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"fences at random moments under 16 writers", test_fences_at_random_moments},
    {"epochs, idempotence, restarts", test_epochs_and_idempotence},
    {"hold and drop", test_hold_and_drop},
    {"a fence before anything streams", test_fence_before_streaming},
    {"a primary that slept", test_stalled_primary_wakes},
    {"a failover after the primary's death", test_failover_after_a_death},
    {"a weak fence becomes strong", test_weak_becomes_strong},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "fence", cases, sizeof cases / sizeof cases[0]);
}
