/*
 * Each check looks at one thing and always reports, so that the list is complete. fail: a confirmed commit can be lost, or nothing can be
 * acknowledged. The rest is worth knowing.
 */
#include "ops/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

struct checking {
    const struct alarm_input *in;
    const struct monitor_view *mon;
    struct preflight *out;
};

static void report(struct checking *c, const char *name, enum preflight_result result, const char *fmt, ...)
    LT_PRINTF(4, 5);
static void report(struct checking *c, const char *name, enum preflight_result result, const char *fmt, ...)
{
    struct preflight_check check = {.name = name, .result = result};
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses va_start when it inlines this function */
    (void)vsnprintf(check.message, sizeof check.message, fmt, ap);
    va_end(ap);
    lt_assert(c->out->count < PREFLIGHT_MAX);
    c->out->check[c->out->count++] = check;
}

const char *preflight_result_name(enum preflight_result result)
{
    static const char *const names[] = {"ok", "warn", "fail", "unknown"};
    return names[result];
}

/* Releases with faults that concern acknowledgers, from the servers' bug trackers. */
static const struct known_bad {
    bool mariadb;
    unsigned from; /* major * 10000 + minor * 100 + patch */
    unsigned fixed;
    enum preflight_result result;
    const char *what;
} known_bad[] = {
    {false, 50700, 50723, PREFLIGHT_FAIL,
     "a second semi-sync replica can hang at its start (bug 89370); use 5.7.23 or later"},
    {true, 100600, 100617, PREFLIGHT_WARN,
     "the ACK receiver misreads ACKs, \"magic number error\" (MDEV-32551); use 10.6.17 or later"},
    {true, 100700, 101107, PREFLIGHT_WARN,
     "the ACK receiver misreads ACKs, \"magic number error\" (MDEV-32551); use 10.11.7 or later"},
    {true, 110000, 110005, PREFLIGHT_WARN,
     "the ACK receiver misreads ACKs, \"magic number error\" (MDEV-32551); use 11.0.5 or later"},
    {true, 110100, 110104, PREFLIGHT_WARN,
     "the ACK receiver misreads ACKs, \"magic number error\" (MDEV-32551); use 11.1.4 or later"},
    {true, 110200, 110203, PREFLIGHT_WARN,
     "the ACK receiver misreads ACKs, \"magic number error\" (MDEV-32551); use 11.2.3 or later"},
};

/* "10.11.19-MariaDB", "8.0.46", and what old MariaDB puts in front: "5.5.5-10.6.3-MariaDB". 0: no version. */
static unsigned version_number(const char *version)
{
    if (strncmp(version, "5.5.5-", 6) == 0)
        version += 6;
    unsigned long part[3] = {0};
    const char *p = version;
    for (int i = 0; i < 3; i++) {
        char *end = NULL;
        part[i] = strtoul(p, &end, 10);
        if (end == p || part[i] > 99)
            return 0;
        p = *end == '.' ? end + 1 : end;
    }
    return (unsigned)(part[0] * 10000 + part[1] * 100 + part[2]);
}

static void check_version(struct checking *c)
{
    unsigned version = version_number(c->mon->version);
    for (size_t i = 0; i < sizeof known_bad / sizeof known_bad[0]; i++) {
        const struct known_bad *bad = &known_bad[i];
        if (bad->mariadb == c->mon->mariadb && version >= bad->from && version < bad->fixed) {
            report(c, "version", bad->result, "%s: %s", c->mon->version, bad->what);
            return;
        }
    }
    report(c, "version", version != 0 ? PREFLIGHT_OK : PREFLIGHT_UNKNOWN, "%s", c->mon->version);
}

static void check_identity(struct checking *c)
{
    const struct alarm_own *own = c->in->own;
    if (own->source_id[0] == '\0')
        report(c, "source_id", PREFLIGHT_OK, "%s; the store is not bound to a source yet", c->mon->source_id);
    else if (strcmp(own->source_id, c->mon->source_id) == 0)
        report(c, "source_id", PREFLIGHT_OK, "%s", c->mon->source_id);
    else
        report(c, "source_id", PREFLIGHT_FAIL, "this store belongs to %s, the server is %s", own->source_id,
               c->mon->source_id);
}

static void check_privileges(struct checking *c)
{
    static const enum preflight_result may_stream[] = {PREFLIGHT_UNKNOWN, PREFLIGHT_FAIL, PREFLIGHT_OK};
    static const char *const stream_text[] = {
        "SHOW GRANTS does not tell whether the account has REPLICATION SLAVE (by a role?)",
        "the account has not REPLICATION SLAVE: GRANT REPLICATION SLAVE ON *.* TO it", "REPLICATION SLAVE is granted"};
    static const enum preflight_result may_see[] = {PREFLIGHT_UNKNOWN, PREFLIGHT_WARN, PREFLIGHT_OK};
    static const char *const see_text[] = {"SHOW GRANTS does not tell whether the account has PROCESS (by a role?)",
                                           "partial: without PROCESS foreign acknowledgers are counted but not named",
                                           "PROCESS is granted"};
    report(c, "privileges", may_stream[c->mon->may_stream], "%s", stream_text[c->mon->may_stream]);
    report(c, "introspection", may_see[c->mon->sees_all_threads], "%s", see_text[c->mon->sees_all_threads]);
}

static void check_semi_sync(struct checking *c)
{
    const struct monitor_semi_sync *ss = &c->mon->semi_sync;
    if (!ss->supported) {
        report(c, "semi_sync", PREFLIGHT_FAIL, "the source has no semi-sync plugin: %s",
               "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'");
        return;
    }
    report(c, "semi_sync", ss->enabled && ss->active ? PREFLIGHT_OK : PREFLIGHT_FAIL, "%s",
           !ss->enabled ? "semi-sync is switched off at the source"
           : ss->active ? "on"
                        : "semi-sync has fallen back to asynchronous");
    report(c, "wait_point", ss->wait_point == MONITOR_WAIT_AFTER_SYNC ? PREFLIGHT_OK : PREFLIGHT_FAIL, "%s",
           ss->wait_point == MONITOR_WAIT_AFTER_SYNC
               ? "AFTER_SYNC"
               : "AFTER_COMMIT: others see rows that a failover may lose; set AFTER_SYNC");
    report(c, "timeout", ss->timeout_ms >= ALARM_TIMEOUT_OK_MS ? PREFLIGHT_OK : PREFLIGHT_FAIL,
           "after %llu ms commits go on without an ACK%s", (unsigned long long)ss->timeout_ms,
           ss->timeout_ms >= ALARM_TIMEOUT_OK_MS ? "" : "; a day (86400000) or more counts as never");
    report(c, "wait_no_replica", ss->wait_no_replica ? PREFLIGHT_OK : PREFLIGHT_FAIL, "%s",
           ss->wait_no_replica ? "ON" : "OFF: commits go on without an ACK when the last acknowledger disconnects");
    uint64_t clients = ss->clients + (c->in->own->acknowledging ? 0 : 1); /* with us */
    report(c, "wait_count", clients >= ss->wait_count ? PREFLIGHT_OK : PREFLIGHT_FAIL,
           "a commit needs %llu ACKs; %llu acknowledgers with this process", (unsigned long long)ss->wait_count,
           (unsigned long long)clients);
}

static void check_one(struct checking *c, const char *name, const char *value, const char *wanted,
                      enum preflight_result otherwise, const char *why)
{
    if (value[0] == '\0')
        report(c, name, PREFLIGHT_UNKNOWN, "the source does not show it");
    else if (strcasecmp(value, wanted) == 0)
        report(c, name, PREFLIGHT_OK, "%s", value);
    else
        report(c, name, otherwise, "%s, not %s: %s", value, wanted, why);
}

static void check_variables(struct checking *c)
{
    const struct monitor_view *mon = c->mon;
    report(c, "log_bin", mon->log_bin ? PREFLIGHT_OK : PREFLIGHT_FAIL, mon->log_bin ? "ON" : "OFF: there is no binlog");
    check_one(c, "sync_binlog", mon->sync_binlog, "1", PREFLIGHT_FAIL,
              "after a crash the source forgets transactions that were acknowledged here");
    check_one(c, "innodb_flush_log_at_trx_commit", mon->flush_log, "1", PREFLIGHT_FAIL,
              "after a crash the source forgets transactions that were acknowledged here");
    check_one(c, "binlog_checksum", mon->checksum, "CRC32", PREFLIGHT_WARN,
              "events that were damaged on their way cannot be told from good ones");
    if (mon->mariadb)
        report(c, "gtid_mode", mon->gtid_strict ? PREFLIGHT_OK : PREFLIGHT_WARN, "%s",
               mon->gtid_strict ? "gtid_strict_mode is ON" : "gtid_strict_mode is OFF: sequence numbers may go back");
    else
        check_one(c, "gtid_mode", mon->gtid_mode, "ON", PREFLIGHT_WARN,
                  "candidates of a failover cannot be compared by GTID");
    report(c, "read_only", mon->read_only ? PREFLIGHT_WARN : PREFLIGHT_OK,
           mon->read_only ? "ON: is it the primary?" : "OFF");
    const char *file = mon->have_position ? mon->file : c->in->own->file;
    uint64_t number = file[0] != '\0' ? binlog_name_number(file) : 0;
    bool broken = mon->mariadb && number >= ALARM_NUMBER_BROKEN;
    if (file[0] == '\0')
        report(c, "binlog_number", PREFLIGHT_UNKNOWN, "the name of the source's newest file is not known yet");
    else
        report(c, "binlog_number",
               broken                        ? PREFLIGHT_FAIL
               : number >= ALARM_NUMBER_HIGH ? PREFLIGHT_WARN
                                             : PREFLIGHT_OK,
               "%s%s", file, broken ? ": MariaDB asks for no ACK above 999999" : "");
}

static void check_others(struct checking *c, const struct alarms *alarms)
{
    const struct monitor_view *mon = c->mon;
    bool duplicate = alarms->list[ALARM_DUPLICATE].raised;
    bool foreign = alarms->list[ALARM_FOREIGN].raised;
    report(c, "identity",
           duplicate            ? PREFLIGHT_FAIL
           : mon->have_replicas ? PREFLIGHT_OK
                                : PREFLIGHT_UNKNOWN,
           "%s",
           duplicate            ? alarms->list[ALARM_DUPLICATE].message
           : mon->have_replicas ? "no other replica has our server_id"
                                : "the source does not list its replicas to this account");
    report(c, "acknowledgers",
           foreign           ? PREFLIGHT_WARN
           : mon->have_dumps ? PREFLIGHT_OK
                             : PREFLIGHT_UNKNOWN,
           "%s",
           foreign           ? alarms->list[ALARM_FOREIGN].message
           : mon->have_dumps ? "no foreign acknowledger"
                             : "the source does not show its threads to this account");
    report(c, "same_host", mon->same_host ? PREFLIGHT_WARN : PREFLIGHT_OK, "%s",
           mon->same_host ? "the source runs on this machine: both can be lost together" : "another machine");
    report(c, "clock", alarms->list[ALARM_CLOCK].raised ? PREFLIGHT_WARN : PREFLIGHT_OK,
           "the source's clock is %+lld ms from ours", (long long)mon->clock_offset_us / 1000);
}

static void check_certificates(struct checking *c, const struct alarms *alarms)
{
    static const enum alarm_code codes[] = {ALARM_CERT_1, ALARM_CERT_7, ALARM_CERT_30};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (!alarms->list[codes[i]].raised)
            continue;
        report(c, "certificates", codes[i] == ALARM_CERT_1 ? PREFLIGHT_FAIL : PREFLIGHT_WARN, "%s",
               alarms->list[codes[i]].message);
        return;
    }
    report(c, "certificates", PREFLIGHT_OK, "%u looked at, none ends within 30 days", c->mon->cert_count);
}

void preflight_judge(const struct alarm_input *in, struct preflight *ret)
{
    struct checking c = {.in = in, .mon = in->mon, .out = ret};
    struct alarms now; /* what the present picture shows, without a series */
    *ret = (struct preflight){0};
    if (!monitor_view_fresh(in->mon, in->now_us)) {
        report(&c, "reachable", PREFLIGHT_FAIL, "the source cannot be asked: %.200s",
               in->mon->error[0] != '\0' ? in->mon->error : "no answer yet");
    } else {
        alarms_init(&now);
        alarms_judge(&now, in);
        report(&c, "reachable", PREFLIGHT_OK, "asked %llu ms ago",
               (unsigned long long)(in->now_us - in->mon->at_us) / 1000);
        check_version(&c);
        check_identity(&c);
        check_privileges(&c);
        check_variables(&c);
        check_semi_sync(&c);
        check_others(&c, &now);
        check_certificates(&c, &now);
    }
    ret->go = true;
    for (unsigned i = 0; i < ret->count; i++)
        ret->go = ret->go && ret->check[i].result != PREFLIGHT_FAIL;
}
