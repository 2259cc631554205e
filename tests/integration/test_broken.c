/* Sources that break off, lie or are another one, played by the fake primary: come again or refused by name, never acknowledged wrongly. */
#include <stdio.h>

#include "fake_rig.h"

/* Breaks that pass: what was whole before them counts, the rest comes again. */
static void test_breaks(void)
{
    static const struct fake_dump_rule rules[] = {
        {.action = FAKE_ACT_BAD_CRC},
        {.action = FAKE_ACT_TEAR},
        {.action = FAKE_ACT_TEAR_RST},
        {.action = FAKE_ACT_CLOSE},
        {.action = FAKE_ACT_EOF},
        {.action = FAKE_ACT_ERR, .err = 1236, .err_text = "words that no release has used so far"},
        {.action = FAKE_ACT_ERR, .err = 3200},
        {.first_byte = 0x42},
        {.rotate_name = "binlog.000099"},
    };
    struct fake_rig r;
    fake_rig_start(&r, NULL, (char *[]){"source.retry_min=10ms", "source.retry_max=100ms", NULL});
    for (size_t i = 0; i < 2 * sizeof rules / sizeof rules[0]; i++) {
        struct fake_dump_rule rule = rules[i / 2];
        bool gap = rule.rotate_name != NULL;
        rule.kind = i % 2 == 0 ? FAKE_DUMP_PLAIN : FAKE_DUMP_SEMI_SYNC;
        rule.times = gap ? 0 : 1;
        rule.at_event = 3;
        struct fake_counters before;
        struct fake_counters after;
        fake_counters(r.fp, &before);
        fake_dump_rule(r.fp, &rule);
        fake_close_all(r.fp, i % 2 == 0);
        if (gap) {
            CU_ASSERT_TRUE(fake_rig_wait_error(&r, "gap"));
            fake_clear_rules(r.fp);
            fake_rig_restart_daemon(&r);
        }
        CU_ASSERT_TRUE(fake_rig_commit(&r));
        fake_clear_rules(r.fp);
        fake_counters(r.fp, &after);
        CU_ASSERT(after.dumps >= before.dumps + 3); /* the broken one, the proof, the acknowledging one */
    }
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "checksum is wrong"));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* Wrong at the same place again and again: an error, nothing stored, nothing acknowledged; right again: it goes on. */
static void test_corrupt_at_one_place(void)
{
    struct fake_rig r;
    struct fake_dump d;
    struct fake_counters n;
    char file[256];
    uint64_t held = 0;
    uint64_t offset = 0;
    fake_rig_start(&r, NULL, (char *[]){"source.retry_min=10ms", NULL});
    fake_rig_restart_daemon(&r); /* dumps begin at the transaction held, five events, from now on */
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_wait_live(r.fp, FAKE_DUMP_SEMI_SYNC, 1, RIG_WAIT_MS));
    fake_counters(r.fp, &n);
    CU_ASSERT_TRUE(fake_dump_get(r.fp, n.dumps, &d));
    CU_ASSERT_TRUE(daemon_position(r.rig.dm, file, sizeof file, &held));
    CU_ASSERT(d.pos > 4 && d.pos < held);
    fake_dump_rule(r.fp, &(struct fake_dump_rule){.action = FAKE_ACT_BAD_CRC, .at_event = 7});
    fake_close_all(r.fp, true);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 300});
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "source_corrupt"));
    CU_ASSERT_TRUE(daemon_wait_state(r.rig.dm, "error", RIG_WAIT_MS));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 300));
    CU_ASSERT_TRUE(daemon_position(r.rig.dm, file, sizeof file, &offset));
    CU_ASSERT_EQUAL(offset, held);
    fake_clear_rules(r.fp);
    CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* The longest silence that was taken for death, in milliseconds, by the log; 0: none. */
static unsigned long silence_told(const struct daemon *dm)
{
    char *log = proc_read_file(dm->log, NULL);
    const char *at = log != NULL ? strstr(log, "was silent for ") : NULL;
    unsigned long ms = at != NULL ? strtoul(at + strlen("was silent for "), NULL, 10) : 0;
    free(log);
    return ms;
}

/* Break all connections and come back under this rule; what is committed then goes out on the acknowledging dump, from its sixth event on. */
static void come_back_under(struct fake_rig *r, const struct fake_dump_rule *rule)
{
    struct fake_counters n;
    fake_clear_rules(r->fp);
    fake_dump_rule(r->fp, rule);
    fake_counters(r->fp, &n);
    fake_close_all(r->fp, false);
    CU_ASSERT_TRUE(fake_wait_dumps(r->fp, FAKE_DUMP_SEMI_SYNC, n.semi_sync_dumps + 1, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_wait_state(r, "streaming"));
}

static void test_silence(void)
{
    struct fake_rig r;
    struct fake_counters before;
    struct fake_counters after;
    fake_rig_start(&r, NULL, (char *[]){"source.heartbeat_period=500ms", "source.retry_min=10ms", NULL});
    /* Heartbeats are a sign of life, for as long as they come. */
    come_back_under(
        &r, &(struct fake_dump_rule){.kind = FAKE_DUMP_SEMI_SYNC, .action = FAKE_ACT_HEARTBEATS_ONLY, .at_event = 6});
    fake_counters(r.fp, &before);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 300});
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 2500));
    fake_counters(r.fp, &after);
    CU_ASSERT_EQUAL(after.dumps, before.dumps);
    CU_ASSERT_EQUAL(silence_told(r.rig.dm), 0);
    /* Nothing at all is not. */
    fake_clear_rules(r.fp);
    fake_close_all(r.fp, false);
    CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    come_back_under(&r, &(struct fake_dump_rule){
                            .kind = FAKE_DUMP_SEMI_SYNC, .action = FAKE_ACT_SILENCE, .at_event = 6, .times = 1});
    fake_counters(r.fp, &before);
    end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 300});
    CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    unsigned long ms = silence_told(r.rig.dm);
    fake_counters(r.fp, &after);
    printf("\n  given up after %lu ms ", ms);
    CU_ASSERT(after.dumps >= before.dumps + 2);
    CU_ASSERT(ms >= 1500 && ms < 1500 + RIG_WAIT_MS / 3); /* three periods, and what a busy machine adds */
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* Every way in which servers end a dump for good, in the words of their releases. */
static void test_server_errors(void)
{
    static const struct {
        uint16_t err;
        const char *text;
        const char *code;
        const char *cure;
    } cases[] = {
        {1236, "Could not find first log file name in binary log index file", "purged", "repoint --new-history"},
        {1236,
         "Cannot replicate because the source purged required binary logs. Replicate the missing transactions from "
         "elsewhere",
         "purged", "repoint"},
        {1236, "Cannot replicate because the master purged required binary logs.", "purged", "repoint"},
        {1236, "Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old",
         "purged", "repoint"},
        {1373, "Could not find target log in binlog index", "purged", "repoint"},
        {1236, "Client requested source to start replication from position > file size", "ahead_of_source",
         "feed them back"},
        {1236,
         "Client requested master to start replication from impossible position; the first event 'binlog.000001' at 4",
         "ahead_of_source", "feed"},
        {1236,
         "Replica has more GTIDs than the source has, using the source's SERVER_UUID. This may indicate sync_binlog != "
         "1",
         "ahead_of_source", "feed"},
        {1236, "Error: connecting slave requested to start from GTID 0-1-7, which is not in the master's binlog",
         "ahead_of_source", "feed"},
        {1236,
         "bogus data in log event; the first event 'binlog.000001' at 4, the last event read from './binlog.000001' at "
         "124",
         "source_corrupt", "check that file"},
        {1236, "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master", "source_setting",
         "max_allowed_packet = 1073741824"},
        {1236, "binlog truncated in the middle of event; consider out of disk space on source", "source_corrupt",
         "check that file"},
        {1236, "I/O error reading log event; the first event 'binlog.000001' at 4", "source_corrupt", "its disk"},
        {1236, "Could not open log file", "source_corrupt", "its disk"},
        {1236, "Failed to decrypt content read from binlog file.", "source_corrupt", "check that file"},
        {1236,
         "Cannot replicate anonymous transaction when @@GLOBAL.GTID_MODE = ON, at file ./binlog.000001, position 157.; "
         "the first event 'binlog.000001' at 4, the last event read from './binlog.000001' at 236",
         "source_setting", "gtid_mode = ON_PERMISSIVE"},
        {1236, "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./binlog.000001, position 157.",
         "source_setting", "gtid_mode = ON_PERMISSIVE"},
        {1236,
         "Cannot replicate GTID-transaction when @@GLOBAL.GTID_MODE = OFF, at file ./binlog.000001, position 157.",
         "source_setting", "gtid_mode = OFF_PERMISSIVE"},
        {1236, "Misconfigured source - source server_id is 0", "source_setting", "server_id"},
        {1236,
         "A replica with the same server_uuid/server_id as this replica has connected to the source; the first event",
         "duplicate_identity", "identity"},
        {1236, "A slave with the same server_uuid/server_id as this slave has connected to the master",
         "duplicate_identity", "identity"},
        {1236, "event read from binlog did not pass crc check; the first event 'binlog.000001'", "source_corrupt",
         "check its disk"}, /* at the third time; what the first two are called is seen by "corrupt at one place" */
        {1236, "Replica can not handle replication events with the checksum that source is configured to log",
         "connect", "proxy"},
        {1236, "Slave can not handle replication events with the checksum that master is configured to log", "connect",
         "proxy"},
        {1236,
         "words that no release has used so far; the first event 'binlog.000001' at 4, the last event read from "
         "'./binlog.000001' at 124, the last byte read from './binlog.000001' at 143.",
         "unknown", "error log"},
        {1227, "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation",
         "privilege", "GRANT"},
        {1045, "Access denied for user 'repl'@'localhost' (using password: YES)", "privilege", "GRANT"},
        {3200, "Could not open the log file: encrypted, and its key could not be fetched", "connect", "check"},
    };
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
        fake_dump_rule(
            r.fp, &(struct fake_dump_rule){.action = FAKE_ACT_ERR, .err = cases[i].err, .err_text = cases[i].text});
        struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
        fake_rig_restart_daemon(&r);
        bool ok = fake_rig_wait_error(&r, cases[i].code);
        json_t *status = daemon_command(r.rig.dm, "status");
        const json_t *error = json_object_get(status, "last_error");
        const char *cure = json_string_value(json_object_get(error, "cure"));
        const char *message = json_string_value(json_object_get(error, "message"));
        ok = ok && cure != NULL && strstr(cure, cases[i].cure) != NULL && message != NULL && message[0] != '\0';
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "%u %s: cure %s\n", cases[i].err, cases[i].text, cure != NULL ? cure : "(none)");
        json_decref(status);
        CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 30));
        fake_clear_rules(r.fp);
        fake_rig_restart_daemon(&r);
        CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    }
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* What a look at the source's files makes of the same words. */
static void test_diagnosis(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, (char *[]){"source.retry_min=10ms", NULL});
    /* Purged, while we were away, what we do not hold. */
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
    fake_rotate(r.fp);
    (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
    fake_purge(r.fp, 1);
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "purged"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "the source's oldest file is binlog.000002"));
    /* Reset: it does not know what we hold. */
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    fake_reset(r.fp);
    fake_open_file(r.fp, "binlog.000002");
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "history_reset"));
    fake_rig_end(&r);
    /* Lost its tail in a crash. */
    fake_rig_start(&r, NULL, (char *[]){"source.retry_min=10ms", NULL});
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_lose_tail(r.fp, 7);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "ahead_of_source"));
    fake_rig_end(&r);
    /* The name of a file that is not there. */
    fake_rig_start_primary(&r, NULL);
    fake_rig_start_daemon(&r, (char *[]){"source.start=binlog.000123", NULL});
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "source_setting"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "binlog.000123"));
    fake_rig_end(&r);
}

/* A list of GTIDs that does not continue what is stored. */
static void continue_with(const char *gtids, const char *code, const char *words)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    struct fake_gen *g = fake_gen_lock(r.fp);
    fake_gen_rotate(g, "binlog.000002", BINLOG_MAGIC_LEN);
    (void)fake_gen_unlock(r.fp, false);
    fake_add_file(r.fp, "binlog.000002", BINLOG_MAGIC_LEN);
    g = fake_gen_lock(r.fp);
    fake_gen_file_start(g, "binlog.000002", gtids, false);
    (void)fake_gen_unlock(r.fp, false);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
    fake_rig_restart_daemon(&r);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, code));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, words));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 200));
    fake_rig_end(&r);
}

static void test_lists_that_do_not_continue(void)
{
    continue_with("68b1e7ed-e6ea-11f1-af30-02fc00000001:1-2", "gap", "68b1e7ed-e6ea-11f1-af30-02fc00000001:2");
    continue_with("", "diverged", "68b1e7ed-e6ea-11f1-af30-02fc00000001:1");
}

/* An event that is in no file of the source: not stored, and what is in its files comes after all. */
static void test_foreign_event(void)
{
    struct fake_rig r;
    uint8_t event[EVENT_HEADER_LEN + 8 + EVENT_CRC_LEN] = {0};
    event[4] = EVENT_XID;
    event[9] = sizeof event;
    event[13] = 99; /* end_log_pos of another place */
    event_crc_set(event, sizeof event);
    fake_rig_start(&r, NULL, (char *[]){"source.retry_min=10ms", NULL});
    come_back_under(&r, &(struct fake_dump_rule){.kind = FAKE_DUMP_SEMI_SYNC,
                                                 .action = FAKE_ACT_FOREIGN_EVENT,
                                                 .at_event = 6,
                                                 .times = 1,
                                                 .bytes = event,
                                                 .bytes_len = sizeof event});
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
    CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "says that it ends at 99"));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

static const struct test_case cases[] = {
    {"breaks that pass", test_breaks},
    {"corrupt at one place", test_corrupt_at_one_place},
    {"silence", test_silence},
    {"errors of the server", test_server_errors},
    {"what a look at the source tells", test_diagnosis},
    {"lists of GTIDs that do not continue", test_lists_that_do_not_continue},
    {"a foreign event", test_foreign_event},
};

int main(void)
{
    return cunit_run("broken", cases, sizeof cases / sizeof cases[0]);
}
