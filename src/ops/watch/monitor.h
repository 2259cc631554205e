/*
 * The source monitor: a thread with an ordinary connection of its own that watches the primary and publishes what it saw.
 * Does not judge (alarms.h does), does not stream, changes nothing on the primary.
 *
 * Layer: ops/watch. Thread: monitor_start/stop/configure/view from main; the connection belongs to the thread it starts.
 * Owns: the connection, copies of all strings of the options. Errors: monitor_start: LT_ENOMEM, LT_ESYS. Everything else is in the view:
 *   a primary that cannot be asked is a state, not an error.
 * Units: as the suffixes say; at_us is clock_mono_us(), *_s are seconds since the epoch by the clock that the comment names.
 * Asked once a second, each statement bounded by MONITOR_QUERY_US, and none that waits while commits wait for an ACK: never
 * SHOW MASTER STATUS, SHOW BINARY LOG STATUS, SHOW BINARY LOGS, performance_schema.log_status, FLUSH.
 */
#ifndef LT_OPS_MONITOR_H
#define LT_OPS_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "binlog/event.h"
#include "binlog/gtid.h"
#include "ingest/ingest.h"
#include "ingest/source.h"
#include "ops/watch/lag_files.h"
#include "store/store.h"

#define MONITOR_PERIOD_US  1000000u
#define MONITOR_QUERY_US   2000000u
#define MONITOR_FRESH_US   5000000u /* a view older than this says nothing about now */
#define MONITOR_CERTS_MAX  8        /* the peer's and five files */
#define MONITOR_LISTED_MAX 8        /* dump threads and replicas that are named */

struct monitor;

struct monitor_options {
    struct source_params source; /* password ignored; the statements' time-out is the monitor's own */
    ingest_password_fn password; /* called on the monitor's thread */
    void *password_arg;
    /* Certificate files whose dates are watched, with the key's name ("source.ssl_ca"); path NULL: not set. */
    struct monitor_cert_file {
        const char *name;
        const char *path;
    } certs[MONITOR_CERTS_MAX - 1];
};

int monitor_start(const struct monitor_options *opt, struct monitor **ret, struct lt_err *err) LT_MUST_CHECK;
/* Ends a statement that runs; waits for a connect that runs (at most MONITOR_QUERY_US). NULL is fine. */
void monitor_stop(struct monitor *mon);
/* Other options, in two steps: prepared (LT_ENOMEM), then taken over, which cannot fail: from the next connection on; another host, port, socket or
 * user makes one at once. */
struct monitor_settings;
int monitor_prepare(const struct monitor_options *opt, struct monitor_settings **ret) LT_MUST_CHECK;
void monitor_adopt(struct monitor *mon, struct monitor_settings *prepared); /* takes it */
void monitor_discard(struct monitor_settings *prepared);                    /* NULL is fine */

enum monitor_known { MONITOR_UNKNOWN, MONITOR_NO, MONITOR_YES };
enum monitor_wait_point { MONITOR_WAIT_UNKNOWN, MONITOR_WAIT_AFTER_SYNC, MONITOR_WAIT_AFTER_COMMIT };

/* The primary's semi-sync, as its variables and status say. */
struct monitor_semi_sync {
    bool supported; /* plugin there */
    bool enabled;   /* the variable: commits shall wait */
    bool active;    /* the status: they do wait (OFF: it fell back to asynchronous) */
    bool old_names; /* rpl_semi_sync_master_*, not rpl_semi_sync_source_* */
    uint64_t clients;
    uint64_t wait_sessions; /* commits that wait now */
    uint64_t yes_tx;        /* commits with an ACK */
    uint64_t no_tx;         /* commits without */
    uint64_t no_times;      /* falls back to asynchronous */
    uint64_t tx_waits;      /* commits that had to wait */
    uint64_t acks_got;      /* MariaDB; else 0 */
    enum monitor_wait_point wait_point;
    uint64_t timeout_ms;
    bool wait_no_replica;
    uint64_t wait_count; /* ACKs a commit needs; 1 on MariaDB */
};

struct monitor_dump_thread {
    char user[64];
    char host[64]; /* with its port, as the primary shows it */
};

struct monitor_cert {
    const char *name;    /* "source.ssl_ca", "the source's certificate"; static */
    int64_t not_after_s; /* the earliest of the file; 0: could not be read */
};

struct monitor_view {
    uint64_t at_us;    /* end of the last complete round; 0: none since the start */
    uint64_t round_us; /* how long it took */
    uint64_t asked_us; /* begin of the last round, complete or not */
    uint64_t rounds;
    bool connected;
    bool busy;       /* the last error was "too many connections" */
    char error[256]; /* why the last round or connect failed; "" after one that did not */

    bool mariadb;
    char version[64];
    uint32_t server_id;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    uint64_t started_s;      /* when the server started, its clock */
    int64_t clock_offset_us; /* its clock minus ours; half of the round trip is the error */
    int64_t server_us;       /* its clock when asked, since the epoch; 0: never told */
    uint64_t server_at_us;   /* when that was */
    bool same_host;          /* it runs on this machine */
    char host_name[64];      /* as it calls itself */

    /* The end of its binlog. MariaDB: file and offset (waiting commits are not in it). Both: the set of executed GTIDs; MySQL without
     * GTIDs tells neither. */
    bool have_position;
    char file[BINLOG_NAME_MAX + 1];
    uint64_t offset;
    struct lag_files written; /* MySQL: where its files end, waiting commits included; none: not told */
    uint64_t written_due_us;  /* not before */
    bool binlog_encrypted;    /* MySQL */
    bool have_gtids;
    struct gtid_set gtids; /* MySQL gtid_executed, MariaDB gtid_binlog_state */

    bool have_variables;
    struct monitor_semi_sync semi_sync;
    bool log_bin;
    bool read_only;
    char sync_binlog[16];
    char flush_log[16]; /* innodb_flush_log_at_trx_commit */
    char checksum[16];
    char gtid_mode[24];     /* MySQL */
    char binlog_engine[32]; /* "" = the binlog is files */
    bool gtid_strict;       /* MariaDB */

    /* Who else streams. Without the PROCESS privilege only our own account's threads are seen. */
    enum monitor_known sees_all_threads;
    bool have_dumps;
    bool clients_changed;  /* in the last round */
    uint64_t dump_clients; /* semi_sync.clients when they were counted */
    unsigned own_dumps;    /* dump threads of our account, this process's among them */
    unsigned other_dumps;  /* of other accounts; a lower bound without PROCESS */
    struct monitor_dump_thread others[MONITOR_LISTED_MAX];
    struct monitor_dump_thread own[MONITOR_LISTED_MAX]; /* the same of our account: other logtailers have it, too */
    bool have_replicas;
    unsigned logtailers;      /* registered replicas that call themselves so */
    uint32_t replica_ids[64]; /* server ids of registered replicas */
    char replica_uuids[64][GTID_UUID_TEXT_LEN + 1];
    unsigned replicas;

    enum monitor_known may_stream; /* REPLICATION SLAVE */
    enum monitor_known may_list;   /* the registered replicas can be asked for */
    uint64_t grants_sum;           /* of all that is granted; changes with it */

    struct monitor_cert certs[MONITOR_CERTS_MAX];
    unsigned cert_count;
};

/* A copy, and never waits for the primary. LT_ENOMEM: nothing to free. */
int monitor_view_get(struct monitor *mon, struct monitor_view *ret) LT_MUST_CHECK;
void monitor_view_fini(struct monitor_view *v);
/* A complete round at once, and then as usual. */
void monitor_ask_now(struct monitor *mon);
/* When the last round that ended began, whether it told anything or not: view.asked_us. */
uint64_t monitor_asked_us(struct monitor *mon);
/* The view tells about now. */
bool monitor_view_fresh(const struct monitor_view *v, uint64_t now_us);

#endif
