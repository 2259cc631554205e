/* Pictures of a primary and of ourselves on which nothing is wrong, and a judgement with virtual time. Layer: tests/unit. */
#ifndef LT_TESTS_PICTURE_H
#define LT_TESTS_PICTURE_H

#include <stdio.h>
#include <string.h>

#include "ops/watch/alarms.h"

#define SECOND_US 1000000u

struct stage {
    struct alarms alarms;
    struct alarm_own own;
    struct monitor_view mon;
    uint64_t now_us;
    bool blind; /* no new picture comes */
};

static inline void stage_init(struct stage *s, bool mariadb)
{
    memset(s, 0, sizeof *s);
    alarms_init(&s->alarms);
    s->now_us = 1000 * (uint64_t)SECOND_US;
    s->own = (struct alarm_own){.wants_semi_sync = true,
                                .streaming = true,
                                .acknowledging = true,
                                .source_idle = true,
                                .connection = 7,
                                .offset = 500,
                                .covers_source = true,
                                .server_id = 42,
                                .syncs = 100,
                                .free_known = true,
                                .free_bytes = 1u << 30};
    (void)snprintf(s->own.file, sizeof s->own.file, "bin.000003");
    (void)snprintf(s->own.source_id, sizeof s->own.source_id, "A");
    (void)snprintf(s->own.last_gtid, sizeof s->own.last_gtid, "0-1-10");
    s->mon = (struct monitor_view){.connected = true,
                                   .mariadb = mariadb,
                                   .started_s = 5000,
                                   .have_position = mariadb,
                                   .offset = 500,
                                   .have_variables = true,
                                   .log_bin = true,
                                   .may_stream = MONITOR_YES,
                                   .sees_all_threads = MONITOR_YES,
                                   .have_dumps = true,
                                   .dump_clients = 1,
                                   .own_dumps = 1};
    s->mon.semi_sync = (struct monitor_semi_sync){.supported = true,
                                                  .enabled = true,
                                                  .active = true,
                                                  .clients = 1,
                                                  .wait_point = MONITOR_WAIT_AFTER_SYNC,
                                                  .timeout_ms = 10 * (uint64_t)ALARM_TIMEOUT_OK_MS,
                                                  .wait_no_replica = true,
                                                  .wait_count = 1};
    (void)snprintf(s->mon.file, sizeof s->mon.file, "bin.000003");
    (void)snprintf(s->mon.source_id, sizeof s->mon.source_id, "A");
    (void)snprintf(s->mon.version, sizeof s->mon.version, "%s", mariadb ? "10.11.19-MariaDB" : "9.7.4");
    (void)snprintf(s->mon.sync_binlog, sizeof s->mon.sync_binlog, "1");
    (void)snprintf(s->mon.flush_log, sizeof s->mon.flush_log, "1");
    (void)snprintf(s->mon.checksum, sizeof s->mon.checksum, "CRC32");
    (void)snprintf(s->mon.gtid_mode, sizeof s->mon.gtid_mode, "ON");
    s->mon.gtid_strict = true;
}

static inline struct alarm_input stage_input(struct stage *s)
{
    return (struct alarm_input){
        .now_us = s->now_us, .wall_us = s->now_us + 1700000000ull * SECOND_US, .own = &s->own, .mon = &s->mon};
}

/* So many seconds, one picture and two judgements in each. True when the alarm was raised all the time at the end. */
static inline void stage_run(struct stage *s, unsigned seconds)
{
    for (unsigned i = 0; i < 2 * seconds; i++) {
        s->now_us += SECOND_US / 2;
        if (i % 2 == 0 && !s->blind) {
            s->mon.at_us = s->now_us;
            s->mon.rounds++;
        }
        struct alarm_input in = stage_input(s);
        alarms_judge(&s->alarms, &in);
    }
}

static inline bool stage_raised(const struct stage *s, enum alarm_code code)
{
    return s->alarms.list[code].raised;
}

static inline unsigned stage_count(const struct stage *s)
{
    unsigned n = 0;
    for (int i = 0; i < ALARM_COUNT; i++)
        n += s->alarms.list[i].raised;
    return n;
}

#endif
