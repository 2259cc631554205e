/* Sources that are old or odd, played by the fake primary: followed to the byte, acknowledged as they want it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_rig.h"

static const char *const versions[] = {
    "5.7.44-log", "8.0.25", "8.0.46", "8.4.6", "9.7.4", "5.5.5-10.11.19-MariaDB-log", "11.8.6-MariaDB"};

/* Names of variables and layouts of events of all releases; 11.8 has end_log_pos 0 inside transactions. */
static void follow_release(const char *version)
{
    static const struct fake_txn_spec specs[] = {
        {.blob_len = 100, .rows = 3},       {.kind = FAKE_TXN_DDL},        {.kind = FAKE_TXN_MYISAM, .blob_len = 10},
        {.kind = FAKE_TXN_ROLLBACK},        {.kind = FAKE_TXN_XA_PREPARE}, {.kind = FAKE_TXN_XA_COMMIT},
        {.blob_len = 10, .annotate = true},
    };
    struct fake_rig r;
    struct fake_counters n;
    fake_rig_start(&r, &(struct fake_options){.version = version}, NULL);
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct fake_pos end = fake_commit(r.fp, &specs[i]);
        CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    }
    fake_rotate(r.fp);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_set_checksum(r.fp, false);
    fake_rotate(r.fp);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_EQUAL(rig_status_number(&r.rig, "acks", "boundary_mismatches"), 0);
    fake_rig_restart_daemon(&r);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_counters(r.fp, &n);
    CU_ASSERT(n.semi_sync_dumps >= 2);
    CU_ASSERT_EQUAL(n.shared_ids, 0);
    fake_rig_end(&r);
}

static void test_releases(void)
{
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        follow_release(versions[i]);
}

/* Old releases know one spelling of the variables only, and may answer an unknown one with an error or with NULL. */
static void test_plugin_names(void)
{
    static const struct fake_options options[] = {
        {.version = "5.7.44-log", .plugin = FAKE_PLUGIN_OLD},
        {.version = "8.0.46", .plugin = FAKE_PLUGIN_OLD},
        {.version = "8.0.46", .plugin = FAKE_PLUGIN_NEW},
        {.version = "8.4.6", .plugin = FAKE_PLUGIN_97, .unknown_is_null = true},
        {.version = "8.0.46", .auth = FAKE_AUTH_SHA2_FULL},
        {.version = "8.0.46", .auth = FAKE_AUTH_SHA2_FAST},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct fake_rig r;
        fake_rig_start(&r, &options[i], NULL);
        CU_ASSERT_TRUE(fake_rig_commit(&r));
        CU_ASSERT_TRUE(fake_rig_identical(&r));
        fake_rig_end(&r);
    }
}

static void test_plugin_missing_or_off(void)
{
    static const struct {
        struct fake_options opt;
        const char *code;
    } cases[] = {
        {{.version = "8.0.46", .plugin = FAKE_PLUGIN_MISSING}, "semi_sync_missing"},
        {{.version = "8.0.46", .semi_sync_off = true}, "semi_sync_off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_rig r;
        struct fake_counters n;
        fake_rig_start(&r, &cases[i].opt, NULL);
        CU_ASSERT_TRUE(fake_rig_wait_error(&r, cases[i].code));
        (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 100});
        CU_ASSERT_TRUE(fake_rig_identical(&r));
        fake_counters(r.fp, &n);
        CU_ASSERT_EQUAL(n.acks, 0);
        fake_rig_end(&r);
    }
}

static bool flag_all(const char *file, const struct event_header *h, uint64_t end, void *arg)
{
    (void)file;
    (void)h;
    (void)end;
    (void)arg;
    return true;
}

/* A flag where no transaction ends is answered, for the source waits for it; and it is reported. */
static void test_flags_on_any_event(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_EQUAL(rig_status_number(&r.rig, "acks", "boundary_mismatches"), 0);
    fake_dump_rule(r.fp, &(struct fake_dump_rule){.kind = FAKE_DUMP_SEMI_SYNC, .flag_if = flag_all});
    fake_rig_restart_daemon(&r);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    (void)fake_rig_append_raw(&r, EVENT_INCIDENT, 0, 20, true);
    fake_rotate(r.fp);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    CU_ASSERT(rig_status_number(&r.rig, "acks", "boundary_mismatches") > 0);
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "sees no end of a transaction"));
    fake_clear_rules(r.fp);
    fake_rig_end(&r);
}

/* Whether packets carry the header is found out by length, not by the value of a byte that may be data. */
static void test_headers(void)
{
    static const struct {
        struct fake_dump_rule rule;
        bool acks;
    } cases[] = {
        {{.kind = FAKE_DUMP_SEMI_SYNC, .no_header = true}, false},
        {{.no_header = true, .rotate_timestamp = 0xef}, false},
        {{.no_header = true, .rotate_timestamp = 0x01ef}, false},
        {{.rotate_timestamp = 0xef}, true},
        {{.kind = FAKE_DUMP_PLAIN, .force_header = true}, true},
        {{.seq_add = 17}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_rig r;
        struct fake_counters n;
        fake_rig_start_primary(&r, NULL);
        fake_dump_rule(r.fp, &cases[i].rule);
        struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 200});
        fake_rig_start_daemon(&r, NULL);
        CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
        if (cases[i].acks) {
            CU_ASSERT_TRUE(fake_rig_commit(&r));
        } else {
            end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 200});
            CU_ASSERT_TRUE(daemon_wait_position(r.rig.dm, end.file, end.pos, RIG_WAIT_MS));
            fake_counters(r.fp, &n);
            CU_ASSERT_EQUAL(n.acks, 0);
        }
        CU_ASSERT_TRUE(fake_rig_identical(&r));
        fake_rig_end(&r);
    }
}

/* Packets, and so events, around the length where a second, perhaps empty, part follows. */
static void test_splits_at_16_mib(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    for (uint32_t len = 0xffffff - 5; len <= 0xffffff + 1; len++) {
        struct fake_pos end = fake_append_virtual(r.fp, EVENT_WRITE_ROWS, len, len, true);
        CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    }
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* Events nobody knows are bytes like others. */
static void test_unknown_events(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    for (unsigned type = 43; type < 256; type += 53) {
        struct fake_pos end = fake_rig_append_raw(&r, (uint8_t)type, 0, type, true);
        CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
        (void)fake_rig_append_raw(&r, (uint8_t)(type + 1), EVENT_FLAG_IGNORABLE, 3, false);
        CU_ASSERT_TRUE(fake_rig_commit(&r));
    }
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_restart_daemon(&r);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* start=latest is the beginning of the current file, however the release tells which that is. */
static void test_start_at_latest(void)
{
    static const struct {
        const char *version;
        const char *gtid_mode;
    } cases[] = {{"9.7.4", NULL}, {"8.0.46", "OFF"}, {"5.7.44-log", "OFF"}, {"5.5.5-10.11.19-MariaDB-log", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_rig r;
        fake_rig_start_primary(&r, &(struct fake_options){.version = cases[i].version});
        if (cases[i].gtid_mode != NULL)
            fake_set_var(r.fp, "gtid_mode", cases[i].gtid_mode);
        (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 100});
        fake_rotate(r.fp);
        struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 100});
        fake_rig_start_daemon(&r, (char *[]){"source.start=latest", NULL});
        CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
        CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
        struct proc_args names = binlogs_segments(r.rig.dm->dir, NULL);
        CU_ASSERT(names.n == 1 && strcmp(names.v[0], "binlog.000002") == 0);
        proc_args_fini(&names);
        CU_ASSERT_TRUE(fake_rig_identical(&r));
        fake_rig_end(&r);
    }
}

/* MariaDB 12.3 may keep its binlog in InnoDB: said as it is, before anything is asked for; and over when the source was started anew. */
static void test_binlog_in_innodb(void)
{
    struct fake_rig r;
    struct fake_counters n;
    fake_rig_start_primary(&r, &(struct fake_options){.version = "12.3.1-MariaDB"});
    fake_set_var(r.fp, "binlog_storage_engine", "innodb");
    fake_rig_start_daemon(&r, NULL);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "unsupported"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "keeps its binlog in innodb"));
    json_t *answer = daemon_command(r.rig.dm, "preflight");
    char *text = json_dumps(answer, 0);
    CU_ASSERT(text != NULL && strstr(text, "\"binlog_storage_engine\"") != NULL && strstr(text, "NO-GO") != NULL);
    free(text);
    json_decref(answer);
    fake_counters(r.fp, &n);
    CU_ASSERT_EQUAL(n.dumps, 0);
    fake_set_var(r.fp, "binlog_storage_engine", "");
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    fake_rig_end(&r);
}

struct busy_source {
    struct fake_primary *fp;
    atomic_bool stop;
};

static void *commit_on_and_on(void *arg)
{
    struct busy_source *b = arg;
    while (!atomic_load(&b->stop)) {
        (void)fake_commit_quiet(b->fp, &(struct fake_txn_spec){.blob_len = 50});
        proc_sleep_ms(5);
    }
    return NULL;
}

/* One that never says it has nothing more, and whose events are of 2001 or of 2033: that all of it has come is told by GTIDs. */
static void test_busy_source_of_another_year(void)
{
    static const struct {
        const char *version;
        uint32_t timestamp;
    } sources[] = {{"9.7.4", 1000000000},
                   {"9.7.4", 2000000000},
                   {"5.5.5-10.11.19-MariaDB", 1000000000},
                   {"5.5.5-10.11.19-MariaDB", 2000000000}};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct fake_rig r;
        pthread_t thread;
        fake_rig_start_primary(&r, &(struct fake_options){.version = sources[i].version});
        fake_gen_lock(r.fp)->timestamp = sources[i].timestamp;
        (void)fake_gen_unlock(r.fp, false);
        fake_dump_rule(r.fp, &(struct fake_dump_rule){.no_heartbeat = true});
        struct busy_source b = {.fp = r.fp};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, commit_on_and_on, &b), 0);
        fake_rig_start_daemon(&r, NULL);
        CU_ASSERT_TRUE(daemon_wait_state(r.rig.dm, "streaming", 15000));
        atomic_store(&b.stop, true);
        (void)pthread_join(thread, NULL);
        fake_clear_rules(r.fp);
        fake_rig_end(&r);
    }
}

static const struct test_case cases[] = {
    {"a binlog in InnoDB", test_binlog_in_innodb},
    {"all releases", test_releases},
    {"names of the semi-sync variables, logins", test_plugin_names},
    {"plugin missing, plugin off", test_plugin_missing_or_off},
    {"flags on any event", test_flags_on_any_event},
    {"headers: missing, forced, and bytes that look like one", test_headers},
    {"packets of 16 MiB, more and less", test_splits_at_16_mib},
    {"unknown events", test_unknown_events},
    {"start at the latest file", test_start_at_latest},
    {"a busy source whose events are of another year", test_busy_source_of_another_year},
};

int main(void)
{
    return cunit_run("odd", cases, sizeof cases / sizeof cases[0]);
}
