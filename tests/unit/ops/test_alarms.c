/* The judgement with virtual time: each alarm by its cause alone, and gone with it. */
#include "cunit_main.h"
#include "picture.h"

static void nothing_is_wrong(void)
{
    for (int mariadb = 0; mariadb < 2; mariadb++) {
        struct stage s;
        stage_init(&s, mariadb != 0);
        stage_run(&s, 3600);
        CU_ASSERT_EQUAL(stage_count(&s), 0);
        CU_ASSERT_FALSE(s.alarms.gap.any);
        CU_ASSERT_FALSE(s.alarms.reconnect);
    }
}

/* Every cause that one picture shows. */
static void change(struct stage *s, enum alarm_code code)
{
    switch ((int)code) {
    case ALARM_DISABLED:
        s->mon.semi_sync.enabled = s->mon.semi_sync.active = false;
        break;
    case ALARM_WAIT_POINT:
        s->mon.semi_sync.wait_point = MONITOR_WAIT_AFTER_COMMIT;
        break;
    case ALARM_TIMEOUT:
        s->mon.semi_sync.timeout_ms = ALARM_TIMEOUT_OK_MS - 1;
        break;
    case ALARM_WAIT_NO_REPLICA:
        s->mon.semi_sync.wait_no_replica = false;
        break;
    case ALARM_WAIT_COUNT:
        s->mon.semi_sync.wait_count = 2;
        break;
    case ALARM_SUFFIX:
        (void)snprintf(s->mon.file, sizeof s->mon.file, "bin.990000");
        memcpy(s->own.file, s->mon.file, sizeof s->own.file);
        break;
    case ALARM_SUFFIX_BROKEN:
        (void)snprintf(s->mon.file, sizeof s->mon.file, "bin.1000000");
        memcpy(s->own.file, s->mon.file, sizeof s->own.file);
        break;
    case ALARM_STORAGE_LIES:
        s->own.syncs += 50;
        s->own.quick_syncs += 26;
        break;
    case ALARM_STORAGE_DELAYS:
        s->own.busy_us = ALARM_SYNC_DELAY_US;
        break;
    case ALARM_FREE_SPACE:
        s->own.min_free_bytes = s->own.free_bytes + 1;
        break;
    case ALARM_RETENTION_FENCED:
        s->own.held = (struct keep_held){.by = KEEP_HELD_FENCED, .segments = 3};
        break;
    case ALARM_RETENTION_UNCOVERED:
        s->own.held = (struct keep_held){.by = KEEP_HELD_UNCOVERED, .segments = 3};
        break;
    case ALARM_RETENTION_CONSUMER:
        s->own.held = (struct keep_held){.by = KEEP_HELD_CONSUMER, .segments = 3, .why = "nightly"};
        break;
    case ALARM_RETENTION_FAILED:
        s->own.held = (struct keep_held){.by = KEEP_HELD_FAILED, .segments = 3, .why = "remove: Is a directory"};
        break;
    case ALARM_FOREIGN:
        s->mon.dump_clients = 2;
        break;
    case ALARM_DUPLICATE:
        s->mon.have_replicas = true;
        s->mon.replicas = s->mon.logtailers = 1;
        s->mon.replica_ids[0] = s->own.server_id;
        (void)snprintf(s->mon.replica_uuids[0], sizeof s->mon.replica_uuids[0], "another");
        (void)snprintf(s->own.server_uuid, sizeof s->own.server_uuid, "ours");
        break;
    case ALARM_READ_ONLY:
        s->mon.read_only = true;
        break;
    case ALARM_SOURCE_DIFFERS:
        (void)snprintf(s->own.source_differs, sizeof s->own.source_differs, "b:3306");
        break;
    case ALARM_SAME_HOST:
        s->mon.same_host = true;
        break;
    case ALARM_CLOCK:
        s->mon.clock_offset_us = -3600 * (int64_t)SECOND_US;
        break;
    default:
        CU_FAIL("no such cause");
    }
}

static void each_cause_raises_its_alarm_alone(void)
{
    static const enum alarm_code codes[] = {ALARM_DISABLED,
                                            ALARM_WAIT_POINT,
                                            ALARM_TIMEOUT,
                                            ALARM_WAIT_NO_REPLICA,
                                            ALARM_WAIT_COUNT,
                                            ALARM_SUFFIX,
                                            ALARM_SUFFIX_BROKEN,
                                            ALARM_STORAGE_LIES,
                                            ALARM_STORAGE_DELAYS,
                                            ALARM_FREE_SPACE,
                                            ALARM_FOREIGN,
                                            ALARM_DUPLICATE,
                                            ALARM_READ_ONLY,
                                            ALARM_SAME_HOST,
                                            ALARM_SOURCE_DIFFERS,
                                            ALARM_CLOCK,
                                            ALARM_RETENTION_FENCED,
                                            ALARM_RETENTION_UNCOVERED,
                                            ALARM_RETENTION_CONSUMER,
                                            ALARM_RETENTION_FAILED};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct stage s;
        struct stage good;
        stage_init(&s, true);
        stage_run(&s, 5);
        good = s;
        change(&s, codes[i]);
        stage_run(&s, 5);
        CU_ASSERT_TRUE(stage_raised(&s, codes[i]));
        CU_ASSERT_EQUAL(stage_count(&s), 1);
        CU_ASSERT_NOT_EQUAL(s.alarms.list[codes[i]].message[0], '\0');
        CU_ASSERT_NOT_EQUAL(s.alarms.list[codes[i]].since_wall_us, 0);
        s.own = good.own;
        good.mon.at_us = s.mon.at_us;
        good.mon.rounds = s.mon.rounds;
        s.mon = good.mon;
        if (codes[i] == ALARM_STORAGE_LIES) { /* 50 more, which took their time */
            s.own.syncs += 100;
            s.own.quick_syncs += 26;
        }
        if (codes[i] == ALARM_SUFFIX || codes[i] == ALARM_SUFFIX_BROKEN)
            s.own.connection++; /* a number that goes down is a new history, on a new stream */
        stage_run(&s, 15);
        CU_ASSERT_EQUAL(stage_count(&s), 0);
    }
}

static void changes_are_told_once(void)
{
    struct stage s;
    unsigned told = 0;
    stage_init(&s, true);
    stage_run(&s, 2);
    s.mon.read_only = true;
    for (int i = 0; i < 20; i++) {
        s.mon.at_us = s.now_us += SECOND_US / 2;
        struct alarm_input in = stage_input(&s);
        alarms_judge(&s.alarms, &in);
        told += s.alarms.changed[ALARM_READ_ONLY];
    }
    CU_ASSERT_EQUAL(told, 1);
}

/* OFF for two seconds; commits without an ACK; on again, but the alarm stays until what was committed is here. */
static void fallback_from_gtid_to_gtid(void)
{
    struct stage s;
    stage_init(&s, false);
    stage_run(&s, 3);
    s.mon.semi_sync.active = false;
    s.mon.semi_sync.no_times = 1;
    s.mon.semi_sync.no_tx = 4;
    s.own.source_idle = s.own.covers_source = false;
    (void)snprintf(s.own.last_gtid, sizeof s.own.last_gtid, "0-1-12");
    stage_run(&s, 2);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_FALLBACK));
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_UNPROTECTED));
    CU_ASSERT_STRING_EQUAL(s.alarms.gap.from, "0-1-10");
    s.mon.semi_sync.active = true;
    stage_run(&s, 30);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_FALLBACK));
    s.own.covers_source = true;
    (void)snprintf(s.own.last_gtid, sizeof s.own.last_gtid, "0-1-20");
    stage_run(&s, 2);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_FALLBACK));
    CU_ASSERT_STRING_EQUAL(s.alarms.gap.to, "0-1-20");
    CU_ASSERT(s.alarms.gap.ended_wall_us > s.alarms.gap.began_wall_us);
}

/* Between two pictures it fell back and came again: only the counter tells. */
static void a_short_fallback_is_seen(void)
{
    struct stage s;
    stage_init(&s, false);
    stage_run(&s, 3);
    s.mon.semi_sync.no_times++;
    s.mon.semi_sync.no_tx += 2;
    stage_run(&s, 1);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_FALLBACK));
    stage_run(&s, 12);
    CU_ASSERT_EQUAL(stage_count(&s), 0);
}

static void a_killed_commit_is_seen(void)
{
    struct stage s;
    stage_init(&s, true);
    stage_run(&s, 3);
    s.mon.semi_sync.no_tx++;
    stage_run(&s, 1);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_UNPROTECTED));
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_FALLBACK));
    stage_run(&s, 12);
    CU_ASSERT_EQUAL(stage_count(&s), 0);
}

/* A restart of the primary begins its counters anew: neither growth nor loss. */
static void a_restart_is_no_loss(void)
{
    struct stage s;
    stage_init(&s, true);
    s.mon.semi_sync.no_tx = s.mon.semi_sync.yes_tx = 100;
    stage_run(&s, 3);
    s.mon.started_s += 100;
    s.mon.semi_sync.no_tx = 0;
    s.mon.semi_sync.yes_tx = 0;
    s.own.connection++;
    stage_run(&s, 3);
    CU_ASSERT_EQUAL(stage_count(&s), 0);
}

static void commit(struct stage *s, bool waited)
{
    s->mon.semi_sync.yes_tx += 3;
    if (waited)
        s->mon.semi_sync.tx_waits += 3;
}

static void ineffective_within_15_s(void)
{
    struct stage s;
    stage_init(&s, false);
    for (int i = 0; i < 60; i++) {
        commit(&s, true);
        stage_run(&s, 1);
    }
    CU_ASSERT_EQUAL(stage_count(&s), 0);
    unsigned seconds = 0;
    while (!stage_raised(&s, ALARM_INEFFECTIVE) && seconds < 60) {
        commit(&s, false);
        stage_run(&s, 1);
        seconds++;
    }
    CU_ASSERT(seconds >= 10 && seconds < 15);
    stage_run(&s, 60); /* nothing more is committed: that is no proof that it is over */
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_INEFFECTIVE));
    commit(&s, true);
    stage_run(&s, 1);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_INEFFECTIVE));
}

/* Few commits, each acknowledged so fast that it need not wait: our own flags are the evidence. */
static void flags_are_evidence(void)
{
    struct stage s;
    stage_init(&s, false);
    for (int i = 0; i < 60; i++) {
        commit(&s, false);
        s.own.acks_requested++;
        stage_run(&s, 1);
    }
    CU_ASSERT_EQUAL(stage_count(&s), 0);
}

static void zombie_when_the_end_goes_back(void)
{
    for (int mariadb = 0; mariadb < 2; mariadb++) {
        struct stage s;
        stage_init(&s, mariadb != 0);
        s.mon.have_gtids = true;
        CU_ASSERT_EQUAL(gtid_set_parse(GTID_MYSQL, "00000000-0000-0000-0000-000000000001:1-9", &s.mon.gtids), 0);
        stage_run(&s, 3);
        s.mon.offset = 330;
        (void)snprintf(s.mon.file, sizeof s.mon.file, "bin.000001");
        gtid_set_clear(&s.mon.gtids);
        s.mon.at_us = s.now_us += SECOND_US / 2;
        struct alarm_input in = stage_input(&s);
        alarms_judge(&s.alarms, &in);
        CU_ASSERT_TRUE(stage_raised(&s, ALARM_ZOMBIE));
        CU_ASSERT_TRUE(s.alarms.reconnect);
        stage_run(&s, 3);
        CU_ASSERT_TRUE(stage_raised(&s, ALARM_ZOMBIE)); /* the same stream still lives */
        CU_ASSERT_FALSE(s.alarms.reconnect);
        s.own.connection = 0;
        stage_run(&s, 1);
        CU_ASSERT_FALSE(stage_raised(&s, ALARM_ZOMBIE));
        gtid_set_fini(&s.mon.gtids);
    }
}

/* The monitor came after the reset: the stream calls the source idle, and its end is elsewhere. */
static void zombie_when_the_end_stays_elsewhere(void)
{
    struct stage s;
    stage_init(&s, true);
    s.mon.offset = 900;
    unsigned seconds = 0;
    unsigned reconnects = 0;
    while (seconds < 20) {
        stage_run(&s, 1);
        seconds++;
        reconnects += s.alarms.reconnect;
        if (stage_raised(&s, ALARM_ZOMBIE))
            break;
    }
    CU_ASSERT(seconds <= 5);
    stage_run(&s, 20);
    CU_ASSERT(reconnects <= 1);
    s.own.offset = 900;
    stage_run(&s, 1);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_ZOMBIE));
}

/* What waits for an ACK is in the stream before it is in the source's end; and a picture that is not renewed proves nothing. */
static void no_zombie_without_cause(void)
{
    struct stage s;
    stage_init(&s, true);
    stage_run(&s, 2);
    s.own.offset = 900;
    s.mon.semi_sync.wait_sessions = 1;
    s.own.source_lacks = true;
    stage_run(&s, 3);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_ZOMBIE));
    stage_init(&s, true);
    stage_run(&s, 2);
    s.own.offset = 900;
    s.own.source_lacks = true;
    s.blind = true;
    stage_run(&s, 4);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_ZOMBIE));
    stage_init(&s, true);
    stage_run(&s, 2);
    s.own.source_idle = false; /* busy: the stream is on its way there */
    s.mon.offset = 90000;
    stage_run(&s, 30);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_ZOMBIE));
}

static void waiting_commits(void)
{
    struct stage s;
    stage_init(&s, false);
    stage_run(&s, 2);
    s.mon.semi_sync.wait_sessions = 3;
    stage_run(&s, 4);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_WAITING));
    stage_run(&s, 4);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_WAITING));
    s.mon.semi_sync.yes_tx++;
    stage_run(&s, 1);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_WAITING));
}

/* Nobody asks: what only the primary shows stays as it was. Another server: it is not believed. */
static void blind(void)
{
    struct stage s;
    stage_init(&s, true);
    s.mon.read_only = true;
    stage_run(&s, 2);
    s.blind = true;
    stage_run(&s, 10);
    s.mon.read_only = false; /* nobody sees it */
    stage_run(&s, 20);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_READ_ONLY));
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_BLIND));
    s.blind = false;
    stage_run(&s, 2);
    CU_ASSERT_EQUAL(stage_count(&s), 0);
    (void)snprintf(s.mon.source_id, sizeof s.mon.source_id, "B");
    s.mon.read_only = true;
    stage_run(&s, 2);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_BLIND));
    CU_ASSERT_EQUAL(stage_count(&s), 1);
}

/* The source was never reached: counted from the start, not from the clock's zero. */
static void never_asked(void)
{
    struct stage s;
    stage_init(&s, true);
    s.blind = true;
    stage_run(&s, 7);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_BLIND));
    CU_ASSERT_PTR_NOT_NULL(strstr(s.alarms.list[ALARM_BLIND].message, "for 6 s"));
}

/* Half of a device's life was honest: what counts is how it is now. */
static void lies_now(void)
{
    struct stage s;
    stage_init(&s, true);
    s.own.syncs = 1000000;
    stage_run(&s, 1);
    s.own.syncs += 49;
    s.own.quick_syncs += 49;
    stage_run(&s, 1);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_STORAGE_LIES)); /* too few */
    s.own.syncs += 1;
    stage_run(&s, 60);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_STORAGE_LIES)); /* and nothing new says otherwise */
    s.mon.started_s += 100;                               /* the source began anew: the disk did not */
    stage_run(&s, 2);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_STORAGE_LIES));
    s.own.syncs += 50;
    s.own.quick_syncs += 25;
    stage_run(&s, 1);
    CU_ASSERT_FALSE(stage_raised(&s, ALARM_STORAGE_LIES));
}

static void certificates(void)
{
    static const struct {
        int64_t days;
        enum alarm_code code;
    } steps[] = {{29, ALARM_CERT_30}, {6, ALARM_CERT_7}, {1, ALARM_CERT_1}, {-3, ALARM_CERT_1}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct stage s;
        stage_init(&s, true);
        s.mon.cert_count = 2;
        s.mon.certs[0] = (struct monitor_cert){"far", INT64_MAX / 2};
        s.mon.certs[1] = (struct monitor_cert){"near", 1700000000 + 1000 + steps[i].days * 86400};
        stage_run(&s, 1);
        CU_ASSERT_TRUE(stage_raised(&s, steps[i].code));
        CU_ASSERT_EQUAL(stage_count(&s), 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(s.alarms.list[steps[i].code].message, "near"));
    }
}

static void counters_of_our_own(void)
{
    struct stage s;
    stage_init(&s, true);
    stage_run(&s, 2);
    s.own.slow_calls = s.own.log_dropped = s.own.boundary_mismatches = 1;
    stage_run(&s, 1);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_STORAGE_DELAYS) && stage_raised(&s, ALARM_LOG_DROPPED) &&
                   stage_raised(&s, ALARM_BOUNDARY));
    stage_run(&s, 12);
    CU_ASSERT_EQUAL(stage_count(&s), 0);
    s.own.busy_us = ALARM_SYNC_SLOW_US;
    stage_run(&s, 1);
    CU_ASSERT_TRUE(stage_raised(&s, ALARM_STORAGE_SLOW));
}

static void every_code_has_name_and_cure(void)
{
    for (int i = 0; i < ALARM_COUNT; i++) {
        CU_ASSERT(strlen(alarm_code_name((enum alarm_code)i)) > 3);
        CU_ASSERT(strlen(alarm_cure((enum alarm_code)i, false, (char[CURE_MAX]){0})) > 10);
        for (int k = 0; k < i; k++)
            CU_ASSERT_STRING_NOT_EQUAL(alarm_code_name((enum alarm_code)i), alarm_code_name((enum alarm_code)k));
    }
}

int main(void)
{
    static const struct test_case cases[] = {
        {"nothing is wrong", nothing_is_wrong},
        {"each cause raises its alarm alone", each_cause_raises_its_alarm_alone},
        {"changes are told once", changes_are_told_once},
        {"fall-back, from GTID to GTID", fallback_from_gtid_to_gtid},
        {"a short fall-back is seen", a_short_fallback_is_seen},
        {"a killed commit is seen", a_killed_commit_is_seen},
        {"a restart is no loss", a_restart_is_no_loss},
        {"ineffective within 15 s", ineffective_within_15_s},
        {"flags are evidence", flags_are_evidence},
        {"zombie: the end goes back", zombie_when_the_end_goes_back},
        {"zombie: the end stays elsewhere", zombie_when_the_end_stays_elsewhere},
        {"no zombie without cause", no_zombie_without_cause},
        {"waiting commits", waiting_commits},
        {"blind", blind},
        {"never asked", never_asked},
        {"lies now", lies_now},
        {"certificates", certificates},
        {"counters of our own", counters_of_our_own},
        {"every code has name and cure", every_code_has_name_and_cure},
    };
    return cunit_run("alarms", cases, sizeof cases / sizeof cases[0]);
}
