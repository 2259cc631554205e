/*
 * Each check looks at one thing and always reports, so that the list is complete. fail: a confirmed commit can be lost, or nothing can be
 * acknowledged. The rest is worth knowing.
 */
#include "ops/watch/preflight.h"

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

/* ---- what to type ---- */

#define SET_TEXT_MAX 140

/* What sets a variable of the source for good. */
static const char *set_text(const struct checking *c, const char *name, const char *value, char buf[SET_TEXT_MAX])
{
    const struct monitor_view *mon = c->mon;
    unsigned version = version_number(mon->version);
    bool persist = !mon->mariadb && version >= 80000;
    (void)snprintf(buf, SET_TEXT_MAX, "SET %s %s = %s%s", persist ? "PERSIST" : "GLOBAL", name, value,
                   persist ? "" : ", and in its configuration");
    return buf;
}

/* The same for what is called rpl_semi_sync_source_* here and rpl_semi_sync_master_* there. */
static const char *set_semi_sync(const struct checking *c, const char *name, const char *value, char buf[SET_TEXT_MAX])
{
    char full[80];
    (void)snprintf(full, sizeof full, "rpl_semi_sync_%s_%s", c->mon->semi_sync.old_names ? "master" : "source", name);
    return set_text(c, full, value, buf);
}

static const char *install_text(const struct checking *c)
{
    if (c->mon->mariadb)
        return "INSTALL SONAME 'semisync_master'";
    return version_number(c->mon->version) < 80026 ? "INSTALL PLUGIN rpl_semi_sync_master SONAME 'semisync_master.so'"
                                                   : "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'";
}

/* ---- the checks ---- */

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
        report(c, "source_id", PREFLIGHT_FAIL,
               "this store belongs to %s, the server is %s: mend source.host; after a failover: fence, then repoint",
               own->source_id, c->mon->source_id);
}

static void check_privileges(struct checking *c)
{
    static const enum preflight_result may_stream[] = {PREFLIGHT_UNKNOWN, PREFLIGHT_FAIL, PREFLIGHT_OK};
    static const char *const stream_text[] = {
        "SHOW GRANTS does not tell whether the account has REPLICATION SLAVE (by a role?)",
        ("the account has not REPLICATION SLAVE: SET SESSION sql_log_bin = 0; GRANT REPLICATION SLAVE ON *.* TO the "
         "account of source.user"),
        "REPLICATION SLAVE is granted"};
    static const enum preflight_result may_see[] = {PREFLIGHT_UNKNOWN, PREFLIGHT_WARN, PREFLIGHT_OK};
    static const char *const see_text[] = {"SHOW GRANTS does not tell whether the account has PROCESS (by a role?)",
                                           ("partial: foreign acknowledgers are counted but not named: SET SESSION "
                                            "sql_log_bin = 0; GRANT PROCESS ON *.* TO "
                                            "the account of source.user"),
                                           "PROCESS is granted"};
    report(c, "privileges", may_stream[c->mon->may_stream], "%s", stream_text[c->mon->may_stream]);
    report(c, "introspection", may_see[c->mon->sees_all_threads], "%s", see_text[c->mon->sees_all_threads]);
}

/* How a commit waits. */
static void check_waiting(struct checking *c, const struct monitor_semi_sync *ss)
{
    char set[SET_TEXT_MAX];
    if (ss->wait_point == MONITOR_WAIT_AFTER_SYNC)
        report(c, "wait_point", PREFLIGHT_OK, "AFTER_SYNC");
    else
        report(c, "wait_point", PREFLIGHT_FAIL, "AFTER_COMMIT: others see rows that a failover may lose: %s",
               set_semi_sync(c, "wait_point", "AFTER_SYNC", set));
    bool never = ss->timeout_ms >= ALARM_TIMEOUT_OK_MS;
    report(c, "timeout", never ? PREFLIGHT_OK : PREFLIGHT_FAIL, "after %llu ms commits go on without an ACK%s%s",
           (unsigned long long)ss->timeout_ms,
           never ? "" : "; a day counts as never: ", never ? "" : set_semi_sync(c, "timeout", "86400000", set));
    if (ss->wait_no_replica)
        report(c, "wait_no_replica", PREFLIGHT_OK, "ON");
    else
        report(c, "wait_no_replica", PREFLIGHT_FAIL,
               "OFF: commits go on without an ACK when the last acknowledger disconnects: %s",
               set_semi_sync(c, ss->old_names ? "wait_no_slave" : "wait_no_replica", "ON", set));
    uint64_t clients = ss->clients + (c->in->own->acknowledging ? 0 : 1); /* with us */
    report(c, "wait_count", clients >= ss->wait_count ? PREFLIGHT_OK : PREFLIGHT_FAIL,
           "ACKs a commit needs: %llu; acknowledgers, with this process: %llu%s", (unsigned long long)ss->wait_count,
           (unsigned long long)clients, clients >= ss->wait_count ? "" : ": commits wait until there are more");
}

static void check_semi_sync(struct checking *c)
{
    const struct monitor_semi_sync *ss = &c->mon->semi_sync;
    char set[SET_TEXT_MAX];
    if (!ss->supported) {
        report(c, "semi_sync", PREFLIGHT_FAIL, "the source has no semi-sync plugin: %s", install_text(c));
        return;
    }
    if (!ss->enabled)
        report(c, "semi_sync", PREFLIGHT_FAIL, "switched off at the source: %s",
               set_semi_sync(c, "enabled", "ON", set));
    else
        report(c, "semi_sync", ss->active ? PREFLIGHT_OK : PREFLIGHT_FAIL, "%s",
               ss->active ? "on"
                          : "fallen back to asynchronous: no ACK came in time; it comes back by itself once an "
                            "acknowledger has caught up");
    check_waiting(c, ss);
}

static void check_one(struct checking *c, const char *name, const char *value, const char *wanted,
                      enum preflight_result otherwise, const char *why)
{
    if (value[0] == '\0')
        report(c, name, PREFLIGHT_UNKNOWN, "the source does not show it");
    else if (strcasecmp(value, wanted) == 0)
        report(c, name, PREFLIGHT_OK, "%s", value);
    else {
        char set[SET_TEXT_MAX];
        report(c, name, otherwise, "%s: %s: %s", value, why, set_text(c, name, wanted, set));
    }
}

static void check_gtids(struct checking *c)
{
    const struct monitor_view *mon = c->mon;
    if (mon->mariadb)
        report(c, "gtid_mode", mon->gtid_strict ? PREFLIGHT_OK : PREFLIGHT_WARN, "%s",
               mon->gtid_strict ? "gtid_strict_mode is ON"
                                : "gtid_strict_mode is OFF: sequence numbers may go back: SET GLOBAL gtid_strict_mode "
                                  "= ON, and in its configuration");
    else if (strcasecmp(mon->gtid_mode, "ON") == 0)
        report(c, "gtid_mode", PREFLIGHT_OK, "ON");
    else
        report(c, "gtid_mode", mon->gtid_mode[0] != '\0' ? PREFLIGHT_WARN : PREFLIGHT_UNKNOWN,
               "%s: candidates of a failover cannot be compared by GTID; gtid_mode goes to ON in steps, see the "
               "server's manual",
               mon->gtid_mode[0] != '\0' ? mon->gtid_mode : "not shown by the source");
}

static void check_variables(struct checking *c)
{
    const struct monitor_view *mon = c->mon;
    if (mon->binlog_engine[0] != '\0')
        report(c, "binlog_storage_engine", PREFLIGHT_FAIL,
               "%s: the binlog is no files that could be copied: start the source without it", mon->binlog_engine);
    report(c, "log_bin", mon->log_bin ? PREFLIGHT_OK : PREFLIGHT_FAIL,
           mon->log_bin ? "ON" : "OFF: there is no binlog: start the source with log_bin");
    check_one(c, "sync_binlog", mon->sync_binlog, "1", PREFLIGHT_FAIL,
              "after a crash the source forgets transactions that were acknowledged here");
    check_one(c, "innodb_flush_log_at_trx_commit", mon->flush_log, "1", PREFLIGHT_FAIL,
              "after a crash the source forgets transactions that were acknowledged here");
    check_one(c, "binlog_checksum", mon->checksum, "CRC32", PREFLIGHT_WARN,
              "events that were damaged on their way cannot be told from good ones");
    check_gtids(c);
    report(c, "read_only", mon->read_only ? PREFLIGHT_WARN : PREFLIGHT_OK,
           mon->read_only ? "ON: is it the primary? Once it is: SET GLOBAL read_only = OFF" : "OFF");
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
    report(
        c, "identity",
        duplicate            ? PREFLIGHT_FAIL
        : mon->have_replicas ? PREFLIGHT_OK
                             : PREFLIGHT_UNKNOWN,
        "%s",
        duplicate            ? alarms->list[ALARM_DUPLICATE].message
        : mon->have_replicas ? "no other replica has our server_id"
        : mon->mariadb
            ? "the source does not list its replicas to this account: GRANT REPLICATION MASTER ADMIN ON *.* TO it, if "
              "you want that watched"
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
           mon->same_host ? "the source runs on this machine: both can be lost together; move this process to another"
                          : "another machine");
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

/* What does not answer now is no evidence, however well it looked a moment ago. */
static void check_reachable(struct checking *c, bool answered)
{
    unsigned long long age_ms = (c->in->now_us - c->mon->at_us) / 1000;
    if (answered)
        report(c, "reachable", PREFLIGHT_OK, "asked %llu ms ago", age_ms);
    else
        report(c, "reachable", PREFLIGHT_FAIL, "the source does not answer now; the rest is what was seen %llu ms ago",
               age_ms);
}

void preflight_judge(const struct alarm_input *in, bool answered, struct preflight *ret)
{
    struct checking c = {.in = in, .mon = in->mon, .out = ret};
    struct alarms now; /* what the present picture shows, without a series */
    *ret = (struct preflight){0};
    if (!monitor_view_fresh(in->mon, in->now_us) || in->mon->error[0] != '\0') {
        report(&c, "reachable", PREFLIGHT_FAIL, "the source cannot be asked: %.200s",
               in->mon->error[0] != '\0' ? in->mon->error : "no answer yet");
    } else {
        alarms_init(&now);
        alarms_judge(&now, in);
        check_reachable(&c, answered);
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
