/* Lag, failover_safe, preflight, and what the monitor reads out of rows and files: pure parts, without a primary. */
#include <stdlib.h>
#include <unistd.h>

#include "cunit_main.h"
#include "fake_primary.h"
#include "picture.h"

#include "base/clock.h"
#include "ops/watch/disk_probe.h"
#include "ops/watch/failover.h"
#include "ops/watch/lag.h"
#include "ops/watch/monitor_ask.h"
#include "ops/watch/preflight.h"

/* -------------------------------------------------- lag -------------------------------------------------- */

static struct monitor_view end_at(const char *file, uint64_t offset)
{
    struct monitor_view v = {.have_position = true, .offset = offset};
    (void)snprintf(v.file, sizeof v.file, "%s", file);
    return v;
}

static struct lag judge(struct lag_input in)
{
    static const struct lag_files none;
    static const struct gtid_set empty;
    static const struct lag_history unseen;
    struct lag lag;
    in.files = in.files != NULL ? in.files : &none;
    in.durable = in.durable != NULL ? in.durable : &empty;
    in.history = in.history != NULL ? in.history : &unseen;
    in.heartbeat_us = SECOND_US;
    lag_judge(&in, &lag);
    return lag;
}

static void an_idle_source_never_lags(void)
{
    struct monitor_view v = {0};
    struct lag_input in = {.connected = true,
                           .idle = true,
                           .last_event_s = 100,
                           .wall_us = 9000ull * SECOND_US,
                           .file = "b.000001",
                           .offset = 50,
                           .mon = &v};
    struct lag lag = judge(in);
    CU_ASSERT(lag.bytes_known && lag.bytes == 0 && lag.seconds_known && lag.seconds == 0);
    in.heard_age_us = 3 * (uint64_t)SECOND_US; /* mute is not idle */
    lag = judge(in);
    CU_ASSERT(!lag.bytes_known && !lag.seconds_known);
    in.heard_age_us = 0;
    in.zombie = true;
    lag = judge(in);
    CU_ASSERT(!lag.bytes_known && !lag.seconds_known);
}

static void seconds_without_the_clock_offset(void)
{
    static const int64_t hours[] = {0, 3600, -3600, 3600 * 24 * 3650ll, -3600 * 24 * 3650ll};
    for (size_t i = 0; i < sizeof hours / sizeof hours[0]; i++) {
        struct monitor_view v = end_at("b.000001", 150);
        v.clock_offset_us = hours[i] * (int64_t)SECOND_US;
        uint64_t now_s = 2000000000;
        struct lag_input in = {.connected = true,
                               .last_event_s = (uint32_t)((int64_t)now_s + hours[i] - 7),
                               .wall_us = now_s * SECOND_US,
                               .file = "b.000001",
                               .offset = 50,
                               .mon = &v,
                               .mon_fresh = true};
        struct lag lag = judge(in);
        CU_ASSERT(lag.bytes_known && lag.bytes == 100);
        CU_ASSERT(lag.seconds_known && lag.seconds > 6.9 && lag.seconds < 7.1);
        in.last_event_s +=
            20; /* an event from the future says nothing, and 0 s would be a lie while bytes are missing */
        CU_ASSERT_FALSE(judge(in).seconds_known);
        in.last_event_s = 0;
        CU_ASSERT_FALSE(judge(in).seconds_known);
        in.offset = 150;
        lag = judge(in);
        CU_ASSERT(lag.seconds_known && lag.seconds == 0 && lag.bytes == 0);
    }
}

static void note(struct lag_history *h, bool by_place, uint64_t at_s, uint64_t number, uint64_t amount)
{
    struct lag_sample s = {at_s * SECOND_US, at_s * SECOND_US + 1000, {number, amount}};
    lag_history_note(h, by_place, &s);
}

/* Whatever events claim, the seconds lie within what was seen of the source. */
static void seconds_whatever_events_claim(void)
{
    static const uint32_t claims[] = {1, 946684800, 1999999990, 2000000000, 2000000500, UINT32_MAX};
    struct lag_history h = {0};
    struct monitor_view v = end_at("b.000002", 200);
    note(&h, true, 100, 1, 500);
    note(&h, true, 110, 2, 50);
    note(&h, true, 120, 2, 150);
    note(&h, true, 130, 2, 200);
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        struct lag_input in = {.connected = true,
                               .last_event_s = claims[i],
                               .now_us = 140ull * SECOND_US,
                               .wall_us = 2000000000ull * SECOND_US,
                               .file = "b.000002",
                               .offset = 100,
                               .mon = &v,
                               .mon_fresh = true,
                               .history = &h};
        struct lag lag = judge(in);
        CU_ASSERT(lag.bytes == 100 && lag.seconds_known && lag.seconds > 19.9 && lag.seconds <= 30);
        in.offset = 199; /* had it at 120 not yet, at 130 for certain */
        lag = judge(in);
        CU_ASSERT(lag.seconds_known && lag.seconds > 9.9 && lag.seconds <= 20);
        in.now_us = 130ull * SECOND_US + 1000; /* as it is seen to be missing */
        lag = judge(in);
        CU_ASSERT(lag.bytes == 1 && lag.seconds_known && lag.seconds > 0 && lag.seconds <= 10.1);
        in.offset = 200;
        lag = judge(in);
        CU_ASSERT(lag.bytes == 0 && lag.seconds_known && lag.seconds == 0);
    }
}

/* The same of a MySQL that shows no position. */
static void seconds_by_transactions(void)
{
    struct lag_history h = {0};
    struct gtid_set theirs = {0};
    struct gtid_set ours = {0};
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, "00000000-0000-0000-0000-000000000001:1-90", &theirs), 0);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, "00000000-0000-0000-0000-000000000001:1-50", &ours), 0);
    note(&h, false, 100, 0, 40);
    note(&h, false, 110, 0, 60);
    note(&h, false, 120, 0, 90);
    struct monitor_view v = {.have_gtids = true, .gtids = theirs, .connected = true};
    struct lag_input in = {.now_us = 125ull * SECOND_US,
                           .wall_us = 2000000000ull * SECOND_US,
                           .last_event_s = UINT32_MAX,
                           .durable = &ours,
                           .mon = &v,
                           .mon_fresh = true,
                           .file = "b.000001",
                           .history = &h};
    struct lag lag = judge(in);
    CU_ASSERT(lag.transactions == 40 && lag.seconds_known && lag.seconds > 14.9 && lag.seconds < 25.1);
    gtid_set_fini(&theirs);
    gtid_set_fini(&ours);
}

static void history_of_a_lag(void)
{
    struct lag_history h = {0};
    struct lag_since since;
    struct lag_mark held = {1, 0};
    lag_history_since(&h, &held, 5, &since);
    CU_ASSERT(!since.more && !since.most_known);
    for (uint64_t i = 1; i <= 100 * LAG_SAMPLES; i++)
        note(&h, true, i, 1, i);
    CU_ASSERT(h.count <= LAG_SAMPLES);
    uint64_t now_us = 100 * LAG_SAMPLES * (uint64_t)SECOND_US;
    for (uint64_t i = 1; i < 100 * LAG_SAMPLES; i += 97) { /* the truth lies between the two, and they are near it */
        held.amount = i;
        lag_history_since(&h, &held, now_us, &since);
        uint64_t truth_us = now_us - (i + 1) * SECOND_US;
        CU_ASSERT(since.least_us <= truth_us + 1000);
        CU_ASSERT(since.least_us + truth_us / 8 + 2000000 >= truth_us);
        CU_ASSERT(!since.most_known || since.most_us + 1000 >= truth_us);
    }
    note(&h, true, 100 * LAG_SAMPLES + 1, 1, 3); /* began anew */
    CU_ASSERT_EQUAL(h.count, 1);
    note(&h, false, 100 * LAG_SAMPLES + 2, 0, 3); /* told otherwise */
    CU_ASSERT_EQUAL(h.count, 1);
}

static void bytes_over_files(void)
{
    struct lag_files files = {0};
    uint64_t bytes = 0;
    lag_note_end(&files, 1, 500);
    lag_note_end(&files, 1, 1000);
    lag_note_end(&files, 2, 300);
    lag_note_end(&files, 3, 40);
    CU_ASSERT_TRUE(lag_bytes_between(&files, 1, 900, 3, 40, &bytes));
    CU_ASSERT_EQUAL(bytes, 100 + 300 + 40);
    CU_ASSERT_TRUE(lag_bytes_between(&files, 3, 50, 3, 40, &bytes));
    CU_ASSERT_EQUAL(bytes, 0);
    CU_ASSERT_FALSE(lag_bytes_between(&files, 0, 4, 3, 40, &bytes));
    CU_ASSERT_FALSE(lag_bytes_between(&files, 1, 4, 100000000, 40, &bytes));
    for (uint64_t n = 4; n < 4 + LAG_FILES; n++)
        lag_note_end(&files, n, 10);
    CU_ASSERT_EQUAL(files.count, LAG_FILES);
    CU_ASSERT_FALSE(lag_bytes_between(&files, 3, 4, 9, 4, &bytes));
    lag_note_end(&files, 1, 5); /* a new history */
    CU_ASSERT_EQUAL(files.count, 1);
}

static void transactions(void)
{
    struct gtid_set theirs = {0};
    struct gtid_set ours = {0};
    uint64_t n = 99;
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "0-1-10,1-1-5", &theirs), 0);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MARIADB, "0-2-7", &ours), 0);
    CU_ASSERT_TRUE(lag_transactions(&theirs, &ours, &n));
    CU_ASSERT_EQUAL(n, 3 + 5);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, "00000000-0000-0000-0000-000000000001:1-9", &theirs), 0);
    CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, "00000000-0000-0000-0000-000000000001:1-5", &ours), 0);
    CU_ASSERT_TRUE(lag_transactions(&theirs, &ours, &n));
    CU_ASSERT_EQUAL(n, 4);
    CU_ASSERT_TRUE(lag_transactions(&ours, &theirs, &n));
    CU_ASSERT_EQUAL(n, 0);
    /* MySQL shows no position: all executed is durable here, so nothing is missing; else the bytes are not known. */
    struct monitor_view v = {.have_gtids = true, .gtids = theirs};
    struct lag_input in = {.connected = true,
                           .mon = &v,
                           .mon_fresh = true,
                           .durable = &theirs,
                           .file = "b.000001",
                           .last_event_s = 5,
                           .wall_us = 9ull * SECOND_US};
    struct lag lag = judge(in);
    CU_ASSERT(lag.bytes_known && lag.bytes == 0 && lag.seconds == 0);
    in.durable = &ours;
    lag = judge(in);
    CU_ASSERT(!lag.bytes_known && lag.transactions == 4 && lag.seconds_known && lag.seconds == 4);
    /* The stream is lost, the monitor still asks; then it is lost too: a second ago is before the source's death. */
    in.durable = &theirs;
    in.connected = false;
    v.connected = true;
    lag = judge(in);
    CU_ASSERT(lag.transactions_known && lag.seconds_known && lag.seconds == 0);
    /* What MySQL's instruments counted: used when something is missing, and no proof that nothing is. */
    in.durable = &ours;
    in.offset = 300;
    lag_note_end(&v.written, 1, 1000);
    lag_note_end(&v.written, 2, 70);
    lag = judge(in);
    CU_ASSERT(lag.bytes_known && lag.bytes == 700 + 70);
    in.file = "b.000002";
    lag = judge(in);
    CU_ASSERT(!lag.bytes_known && lag.seconds_known && lag.seconds == 4);
    in.mon_fresh = false;
    in.file = "b.000001";
    CU_ASSERT_FALSE(judge(in).bytes_known);
    in.mon_fresh = true;
    in.durable = &theirs;
    lag = judge(in);
    CU_ASSERT(lag.bytes_known && lag.bytes == 0);
    v.connected = false;
    lag = judge(in);
    CU_ASSERT(!lag.transactions_known && !lag.bytes_known && !lag.seconds_known);
    gtid_set_fini(&theirs);
    gtid_set_fini(&ours);
}

/* -------------------------------------------------- failover, preflight -------------------------------------------------- */

static enum failover_answer answer(const struct failover_input *in, unsigned *ret_reasons)
{
    struct failover f;
    failover_judge(in, &f);
    *ret_reasons = f.reasons;
    return f.answer;
}

/* By the fence alone; the source is dead and not watched, on this very machine. */
static void failover_after_a_fence(void)
{
    static const struct {
        enum failover_fence fence;
        enum failover_answer want;
    } cases[] = {
        {FAILOVER_OPEN, FAILOVER_NO},
        {FAILOVER_FENCE_NOT_FINAL, FAILOVER_NO},
        {FAILOVER_FENCE_INCOMPLETE, FAILOVER_NO},
        {FAILOVER_FENCE_WEAK, FAILOVER_WEAK},
        {FAILOVER_FENCE_WAS_WEAK, FAILOVER_WEAK},
        {FAILOVER_FENCE_NOT_PERSISTED, FAILOVER_WEAK},
        {FAILOVER_FENCED, FAILOVER_YES},
    };
    struct stage s;
    unsigned n;
    stage_init(&s, true);
    stage_run(&s, 3);
    s.alarms.list[ALARM_BLIND].raised = s.alarms.list[ALARM_SAME_HOST].raised = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct failover_input in = {.alarms = &s.alarms, .fence = cases[i].fence};
        CU_ASSERT_EQUAL(answer(&in, &n), cases[i].want);
        CU_ASSERT_EQUAL(n == 0, cases[i].want == FAILOVER_YES);
        in.empty = true;
        CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
        in.empty = false;
        in.uncovered = "a gap";
        CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
    }
    struct failover_input in = {.alarms = &s.alarms, .fence = FAILOVER_FENCED};
    s.alarms.list[ALARM_DISABLED].raised = true; /* seen after it: commits return */
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
    s.alarms.list[ALARM_DISABLED].raised = false;
    s.alarms.list[ALARM_FOREIGN].raised = true;
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_WEAK);
}

/* Learnt while commits wait for us, kept when the source dies, lost by whatever lets them return without us. */
static void failover_complete(void)
{
    struct stage s;
    unsigned n;
    stage_init(&s, true);
    stage_run(&s, 3);
    struct failover_input in = {.alarms = &s.alarms};
    CU_ASSERT_FALSE(failover_is_complete(&in));
    in.complete = true;
    CU_ASSERT_TRUE(failover_is_complete(&in));
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_WEAK);
    in.watched = true; /* the source is there, and it is we who do not acknowledge */
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
    in = (struct failover_input){.alarms = &s.alarms, .acknowledging = true};
    CU_ASSERT_TRUE(failover_is_complete(&in));
    in.fence = FAILOVER_FENCED;
    CU_ASSERT_FALSE(failover_is_complete(&in));
    in = (struct failover_input){.alarms = &s.alarms, .acknowledging = true, .uncovered = "a gap"};
    CU_ASSERT_FALSE(failover_is_complete(&in));
    for (int i = 0; i < ALARM_COUNT; i++) {
        bool unsafe = alarm_effect((enum alarm_code)i) == ALARM_UNSAFE || i == ALARM_FOREIGN;
        bool returns = i == ALARM_TIMEOUT || i == ALARM_WAIT_NO_REPLICA;
        s.alarms.list[i].raised = true;
        in = (struct failover_input){.alarms = &s.alarms, .acknowledging = true, .complete = true};
        CU_ASSERT_EQUAL(failover_is_complete(&in), !unsafe);
        in.acknowledging = false;
        CU_ASSERT_EQUAL(failover_is_complete(&in), !unsafe && !returns);
        s.alarms.list[i].raised = false;
    }
}

static void failover_answers(void)
{
    struct stage s;
    unsigned n;
    stage_init(&s, true);
    stage_run(&s, 3);
    struct failover_input in = {.alarms = &s.alarms, .acknowledging = true, .watched = true};
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_YES);
    CU_ASSERT_EQUAL(n, 0);
    in.watched = false;
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_WEAK);
    in.acknowledging = false;
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
    CU_ASSERT_EQUAL(n, 2);
    in = (struct failover_input){.alarms = &s.alarms, .acknowledging = true, .watched = true, .uncovered = "a gap"};
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
    in.uncovered = NULL;
    in.empty = true;
    CU_ASSERT_EQUAL(answer(&in, &n), FAILOVER_NO);
    in.empty = false;
    for (int i = 0; i < ALARM_COUNT; i++) {
        static const enum failover_answer by_effect[] = {FAILOVER_YES, FAILOVER_WEAK, FAILOVER_NO};
        s.alarms.list[i].raised = true;
        CU_ASSERT_EQUAL(answer(&in, &n), by_effect[alarm_effect((enum alarm_code)i)]);
        s.alarms.list[i].raised = false;
    }
}

static char said[300]; /* by the last check */

static enum preflight_result check_after(struct stage *s, bool answered, const char *name, bool *ret_go)
{
    struct preflight p;
    struct alarm_input in = stage_input(s);
    preflight_judge(&in, answered, &p);
    *ret_go = p.go;
    said[0] = '\0';
    for (unsigned i = 0; i < p.count; i++) {
        if (strcmp(p.check[i].name, name) != 0)
            continue;
        (void)snprintf(said, sizeof said, "%s", p.check[i].message);
        return p.check[i].result;
    }
    return PREFLIGHT_UNKNOWN;
}

static enum preflight_result check(struct stage *s, const char *name, bool *ret_go)
{
    return check_after(s, true, name, ret_go);
}

/* However well it looked a moment ago. */
static void preflight_of_a_silent_source(void)
{
    struct stage s;
    bool go = true;
    stage_init(&s, true);
    stage_run(&s, 3);
    CU_ASSERT_EQUAL(check_after(&s, true, "reachable", &go), PREFLIGHT_OK);
    CU_ASSERT_TRUE(go);
    CU_ASSERT_EQUAL(check_after(&s, false, "reachable", &go), PREFLIGHT_FAIL);
    CU_ASSERT_FALSE(go);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "does not answer now"));
    (void)snprintf(s.mon.error, sizeof s.mon.error, "connection refused");
    CU_ASSERT_EQUAL(check_after(&s, true, "reachable", &go), PREFLIGHT_FAIL);
    CU_ASSERT_FALSE(go);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "connection refused"));
}

/* In the words of that server. */
static void preflight_says_what_to_type(void)
{
    static const struct {
        bool mariadb;
        bool old_names;
        const char *version;
        const char *set;
        const char *name;
        const char *wait_no;
        const char *install;
    } rows[] = {
        {true, true, "10.11.19-MariaDB", "SET GLOBAL rpl_semi_sync_master_", ", and in its configuration",
         "wait_no_slave", "INSTALL SONAME 'semisync_master'"},
        {false, true, "5.7.44", "SET GLOBAL rpl_semi_sync_master_", ", and in its configuration", "wait_no_slave",
         "semisync_master.so"},
        {false, true, "8.0.20", "SET PERSIST rpl_semi_sync_master_", "", "wait_no_slave", "semisync_master.so"},
        {false, false, "9.7.4", "SET PERSIST rpl_semi_sync_source_", "", "wait_no_replica", "semisync_source.so"}};
    static const char *const checks[] = {"semi_sync", "wait_point", "timeout", "wait_no_replica"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage s;
        bool go = true;
        stage_init(&s, rows[i].mariadb);
        stage_run(&s, 3);
        (void)snprintf(s.mon.version, sizeof s.mon.version, "%s", rows[i].version);
        s.mon.semi_sync.old_names = rows[i].old_names;
        s.mon.semi_sync.enabled = false;
        s.mon.semi_sync.wait_point = MONITOR_WAIT_AFTER_COMMIT;
        s.mon.semi_sync.timeout_ms = 10000;
        s.mon.semi_sync.wait_no_replica = false;
        for (size_t k = 0; k < sizeof checks / sizeof checks[0]; k++) {
            CU_ASSERT_EQUAL(check(&s, checks[k], &go), PREFLIGHT_FAIL);
            CU_ASSERT_PTR_NOT_NULL(strstr(said, rows[i].set));
            CU_ASSERT_PTR_NOT_NULL(strstr(said, rows[i].name));
        }
        CU_ASSERT_PTR_NOT_NULL(strstr(said, rows[i].wait_no));
        (void)snprintf(s.mon.sync_binlog, sizeof s.mon.sync_binlog, "0");
        CU_ASSERT_EQUAL(check(&s, "sync_binlog", &go), PREFLIGHT_FAIL);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, "sync_binlog = 1"));
        s.mon.semi_sync.supported = false;
        CU_ASSERT_EQUAL(check(&s, "semi_sync", &go), PREFLIGHT_FAIL);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, rows[i].install));
    }
}

static void preflight_answers(void)
{
    struct stage s;
    bool go = false;
    stage_init(&s, false);
    CU_ASSERT_EQUAL(check(&s, "reachable", &go), PREFLIGHT_FAIL);
    CU_ASSERT_FALSE(go);
    stage_run(&s, 3);
    CU_ASSERT_EQUAL(check(&s, "version", &go), PREFLIGHT_OK);
    CU_ASSERT_TRUE(go);
    s.mon.may_stream = MONITOR_NO;
    CU_ASSERT_EQUAL(check(&s, "privileges", &go), PREFLIGHT_FAIL);
    s.mon.may_stream = MONITOR_UNKNOWN;
    CU_ASSERT_EQUAL(check(&s, "privileges", &go), PREFLIGHT_UNKNOWN);
    CU_ASSERT_TRUE(go);
    s.own.acknowledging = false; /* before we stream: with us the count is reached */
    s.mon.semi_sync.clients = 0;
    CU_ASSERT_EQUAL(check(&s, "wait_count", &go), PREFLIGHT_OK);
    (void)snprintf(s.mon.source_id, sizeof s.mon.source_id, "B");
    CU_ASSERT_EQUAL(check(&s, "source_id", &go), PREFLIGHT_FAIL);
    s.own.source_id[0] = '\0';
    CU_ASSERT_EQUAL(check(&s, "source_id", &go), PREFLIGHT_OK);
    s.mon.semi_sync.supported = false;
    CU_ASSERT_EQUAL(check(&s, "semi_sync", &go), PREFLIGHT_FAIL);
}

static void known_bad_versions(void)
{
    static const struct {
        bool mariadb;
        const char *version;
        enum preflight_result result;
    } rows[] = {{false, "5.7.22-log", PREFLIGHT_FAIL},   {false, "5.7.23", PREFLIGHT_OK},
                {false, "8.0.46", PREFLIGHT_OK},         {true, "10.11.6-MariaDB", PREFLIGHT_WARN},
                {true, "10.11.7-MariaDB", PREFLIGHT_OK}, {true, "5.5.5-10.6.16-MariaDB-log", PREFLIGHT_WARN},
                {true, "11.2.3-MariaDB", PREFLIGHT_OK},  {false, "", PREFLIGHT_UNKNOWN},
                {false, "10.11.6-custom", PREFLIGHT_OK}, {false, "999.1.2", PREFLIGHT_UNKNOWN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stage s;
        bool go;
        stage_init(&s, rows[i].mariadb);
        (void)snprintf(s.mon.version, sizeof s.mon.version, "%s", rows[i].version);
        stage_run(&s, 1);
        CU_ASSERT_EQUAL(check(&s, "version", &go), rows[i].result);
    }
}

/* -------------------------------------------------- what the monitor reads -------------------------------------------------- */

static void grants(void)
{
    static const struct {
        const char *line;
        struct monitor_grants is;
    } rows[] = {
        {"GRANT REPLICATION SLAVE ON *.* TO `repl`@`%`", {.replication_slave = true}},
        {"GRANT SELECT, PROCESS, REPLICATION SLAVE ON *.* TO `repl`@`%`", {.replication_slave = true, .process = true}},
        {"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`", {.replication_slave = true, .process = true}},
        {"GRANT REPLICATION SLAVE ADMIN ON *.* TO `repl`@`%`", {0}},
        {"GRANT ALL PRIVILEGES ON `t`.* TO `repl`@`%`", {0}},
        {"GRANT USAGE ON *.* TO `repl`@`%`", {0}},
        {"GRANT `tailers`@`%` TO `repl`@`%`", {.roles = true}},
        {"SET DEFAULT ROLE NONE", {0}},
        {"", {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct monitor_grants g = {0};
        monitor_read_grant(rows[i].line, &g);
        CU_ASSERT(g.replication_slave == rows[i].is.replication_slave && g.process == rows[i].is.process &&
                  g.roles == rows[i].is.roles);
    }
}

static void certificate_files(void)
{
    char dir[] = "/tmp/test_judgement.XXXXXX";
    struct fake_certs certs;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    fake_certs_make(dir, "localhost", 5, &certs);
    int64_t left = monitor_cert_not_after(certs.cert) - (int64_t)(clock_wall_us() / SECOND_US);
    CU_ASSERT(left > 4 * 86400 && left <= 5 * 86400);
    CU_ASSERT_EQUAL(monitor_cert_not_after(certs.key), 0);
    CU_ASSERT_EQUAL(monitor_cert_not_after("/nonexistent"), 0);
    (void)unlink(certs.ca);
    (void)unlink(certs.cert);
    (void)unlink(certs.key);
    (void)unlink(certs.other_ca);
    (void)rmdir(dir);
}

static atomic_bool let_go;
static atomic_int asked;

static int hanging(const char *path, uint64_t *ret_free_bytes)
{
    (void)path;
    if (atomic_fetch_add(&asked, 1) == 0) {
        *ret_free_bytes = 77;
        return 0;
    }
    while (!atomic_load(&let_go))
        (void)usleep(1000);
    atomic_fetch_add(&asked, 100);
    return -1;
}

static void a_hanging_file_system_holds_nobody(void)
{
    struct disk_probe *p = NULL;
    struct lt_err err;
    uint64_t free_bytes = 0;
    CU_ASSERT_EQUAL_FATAL(disk_probe_start("/", hanging, &p, &err), 0);
    for (int i = 0; i < 20000 && !disk_probe_get(p, &free_bytes); i++)
        (void)usleep(1000);
    CU_ASSERT_EQUAL(free_bytes, 77);
    for (int i = 0; i < 20000 && atomic_load(&asked) < 2; i++)
        (void)usleep(1000);
    CU_ASSERT_EQUAL(atomic_load(&asked), 2); /* it hangs now */
    disk_probe_stop(p);
    CU_ASSERT_EQUAL(atomic_load(&asked), 2); /* and was not waited for */
    atomic_store(&let_go, true);
    for (int i = 0; i < 20000 && atomic_load(&asked) < 100; i++)
        (void)usleep(1000);
    CU_ASSERT_EQUAL(disk_probe_start("/", NULL, &p, &err), 0);
    for (int i = 0; i < 20000 && !disk_probe_get(p, &free_bytes); i++)
        (void)usleep(1000);
    CU_ASSERT(free_bytes != 77);
    disk_probe_stop(p);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"an idle source never lags", an_idle_source_never_lags},
        {"seconds without the clock offset", seconds_without_the_clock_offset},
        {"seconds whatever events claim", seconds_whatever_events_claim},
        {"seconds by transactions", seconds_by_transactions},
        {"history of a lag", history_of_a_lag},
        {"bytes over files", bytes_over_files},
        {"transactions", transactions},
        {"failover_safe", failover_answers},
        {"failover_safe after a fence", failover_after_a_fence},
        {"what is held has all that was confirmed", failover_complete},
        {"preflight", preflight_answers},
        {"preflight of a silent source", preflight_of_a_silent_source},
        {"preflight says what to type", preflight_says_what_to_type},
        {"known-bad versions", known_bad_versions},
        {"grants", grants},
        {"certificate files", certificate_files},
        {"a file system that hangs holds nobody", a_hanging_file_system_holds_nobody},
    };
    return cunit_run("judgement", cases, sizeof cases / sizeof cases[0]);
}
