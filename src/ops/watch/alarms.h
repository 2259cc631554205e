/*
 * What is wrong, judged from a series of pictures: the monitor's of the primary and our own. Each alarm is raised when its cause is there and
 * cleared when it is gone; one that needs the monitor stays as it is while the primary cannot be asked.
 * Pure: no clock, no I/O, no log; whoever calls gives the time.
 *
 * Layer: ops/watch. Thread: one at a time. Owns: nothing on the heap. Errors: none.
 * Units: now_us is monotonic; wall_us since the epoch.
 */
#ifndef LT_OPS_ALARMS_H
#define LT_OPS_ALARMS_H

#include "ingest/cure.h"
#include "ops/watch/keep_held.h"
#include "ops/watch/monitor.h"

/* What an alarm means for "may a failover to what this process holds lose a confirmed commit?" */
enum alarm_effect { ALARM_HARMLESS, ALARM_WEAKENS, ALARM_UNSAFE };

/* X(NAME, "code", needs the monitor, effect, "cure"); tokens in a cure: ingest/cure.h */
#define ALARM_CODES(X)                                                                                                 \
    X(FALLBACK, "semi_sync_fallback", true, ALARM_UNSAFE,                                                              \
      "see why ACKs did not come in time, and raise the source's semi-sync time-out so that commits wait instead")     \
    X(UNPROTECTED, "unprotected_commits", true, ALARM_UNSAFE,                                                          \
      "find out who ended sessions that waited for an ACK (KILL, shutdown): their transactions returned without one")  \
    X(DISABLED, "semi_sync_disabled", true, ALARM_UNSAFE, "SET GLOBAL rpl_semi_sync_{source}_enabled = ON")            \
    X(INEFFECTIVE, "semi_sync_ineffective", true, ALARM_UNSAFE,                                                        \
      "the source believes in an ACK for a later place: switch its semi-sync off and on, find the replica that sent "  \
      "it; on MariaDB check the binlog's number (999999 and above)")                                                   \
    X(ZOMBIE, "zombie_stream", true, ALARM_UNSAFE,                                                                     \
      "RESET MASTER ran on the source; the stream is made anew, then follow last_error's cure")                        \
    X(WAITING, "commits_waiting", true, ALARM_HARMLESS,                                                                \
      "see state and last_error here; with a wait count above one, see the other acknowledgers")                       \
    X(WAIT_POINT, "wait_point_after_commit", true, ALARM_WEAKENS,                                                      \
      "SET GLOBAL rpl_semi_sync_{source}_wait_point = AFTER_SYNC, and in its configuration")                           \
    X(TIMEOUT, "timeout_finite", true, ALARM_WEAKENS,                                                                  \
      "SET GLOBAL rpl_semi_sync_{source}_timeout = 86400000, and in its configuration: a day or more counts as never") \
    X(WAIT_NO_REPLICA, "wait_no_replica_off", true, ALARM_WEAKENS,                                                     \
      "SET GLOBAL rpl_semi_sync_{source}_wait_no_{replica} = ON, and in its configuration")                            \
    X(WAIT_COUNT, "wait_count_short", true, ALARM_HARMLESS,                                                            \
      "start the missing acknowledgers, or lower rpl_semi_sync_{source}_wait_for_{replica}_count")                     \
    X(SUFFIX, "binlog_number_high", true, ALARM_HARMLESS,                                                              \
      "plan a RESET MASTER with a new lineage before the number passes 999999")                                        \
    X(SUFFIX_BROKEN, "binlog_number_broken", true, ALARM_UNSAFE,                                                       \
      "MariaDB asks for no ACK above 999999: RESET MASTER, wait for history_reset, then repoint --new-history")        \
    X(CERT_30, "certificate_expires", true, ALARM_HARMLESS, "renew it, then reload")                                   \
    X(CERT_7, "certificate_expires_soon", true, ALARM_HARMLESS,                                                        \
      "renew it this week, then reload; the next reconnect needs it")                                                  \
    X(CERT_1, "certificate_expires_now", true, ALARM_HARMLESS,                                                         \
      "renew it now, then reload: a running stream goes on, the next reconnect will fail")                             \
    X(STORAGE_LIES, "storage_lies", false, ALARM_WEAKENS,                                                              \
      "put store.dir on a device that keeps what fdatasync confirmed")                                                 \
    X(STORAGE_DELAYS, "storage_delays", false, ALARM_HARMLESS, "see who else uses the disk of store.dir")              \
    X(STORAGE_SLOW, "storage_slow", false, ALARM_HARMLESS,                                                             \
      "a write or a sync hangs: check the disk of store.dir; past store.stall_disconnect the source is let go")        \
    X(FREE_SPACE, "free_space", false, ALARM_HARMLESS, "free space on the file system of store.dir, or purge")         \
    X(RETENTION_FENCED, "retention_fenced", false, ALARM_HARMLESS,                                                     \
      "repoint to the new source, or unfence this one; until then nothing is removed, so see free space")              \
    X(RETENTION_UNCOVERED, "retention_uncovered", false, ALARM_HARMLESS,                                               \
      "see state and last_error: it goes on once the new source's stream covers what was held before the repoint")     \
    X(RETENTION_CONSUMER, "retention_consumer", false, ALARM_HARMLESS,                                                 \
      "see why that consumer is behind; to let it miss what it has not read: consumers forget NAME where it will not " \
      "come again, else a smaller store.consumer_max_lag, of a replica replicas.max_lag, then reload")                 \
    X(RETENTION_FAILED, "retention_failed", false, ALARM_HARMLESS,                                                     \
      "see the message: who owns the files of store.dir, and its disk; it is tried again by itself")                   \
    X(FOREIGN, "foreign_acknowledger", true, ALARM_WEAKENS,                                                            \
      "switch semi-sync off on that replica, or give it logtailer's account if it is one")                             \
    X(DUPLICATE, "duplicate_identity", true, ALARM_HARMLESS,                                                           \
      "of a store that was copied: stop the copy, remove its DIR/identity, start it again; another replica: give it "  \
      "a server_id of its own")                                                                                        \
    X(READ_ONLY, "source_read_only", true, ALARM_HARMLESS,                                                             \
      "no client can commit there: is it still the primary? if another is, fence and repoint")                         \
    X(BOUNDARY, "boundary_mismatch", false, ALARM_HARMLESS,                                                            \
      "report it with the segment: ACKs stay right, but consumers may see a transaction in two pieces")                \
    X(INCIDENT, "source_incident", false, ALARM_UNSAFE,                                                                \
      "the source's binlog lacks changes that it made: compare the data, build replicas anew from a backup, "          \
      "then restart logtailerd, which ends this alarm")                                                                \
    X(LOG_DROPPED, "log_dropped", false, ALARM_HARMLESS, "see why whoever reads this process's stderr does not")       \
    X(NOT_LISTENING, "not_listening", false, ALARM_HARMLESS,                                                           \
      "see who has that address (ss -ltnp), or bring it up; it is tried for again every second")                       \
    X(SOURCE_DIFFERS, "source_differs", false, ALARM_HARMLESS,                                                         \
      "write the new address into the configuration, then reload, which ends this alarm")                              \
    X(BLIND, "monitor_blind", false, ALARM_WEAKENS,                                                                    \
      "see the message; the source's settings and its binlog's end are not watched until it can be asked again")       \
    X(SAME_HOST, "same_host", true, ALARM_WEAKENS,                                                                     \
      "move this process to a machine that does not fail with the source")                                             \
    X(CLOCK, "clock_offset", true, ALARM_HARMLESS, "let both machines follow the same time servers")

enum alarm_code {
#define ALARM_X(name, code, monitor, effect, cure) ALARM_##name,
    ALARM_CODES(ALARM_X)
#undef ALARM_X
        ALARM_COUNT
};

const char *alarm_code_name(enum alarm_code code);
/* buf, with the text in it; old_names as in ingest/cure.h. */
const char *alarm_cure(enum alarm_code code, bool old_names, char buf[CURE_MAX]);
enum alarm_effect alarm_effect(enum alarm_code code);

/* Ourselves, now. */
struct alarm_own {
    bool wants_semi_sync; /* source.semi_sync */
    bool streaming;
    bool acknowledging;      /* the stream is a semi-sync dump */
    bool source_idle;        /* its last word was a heartbeat */
    uint64_t heard_age_us;   /* since its last word */
    uint64_t connection;     /* the stream's thread on the source; 0: none */
    uint64_t acks_requested; /* so far */
    char file[BINLOG_NAME_MAX + 1];
    uint64_t offset;    /* end of what was received */
    bool covers_source; /* all that the monitor's view has executed is durable here; false where that is not known */
    bool source_lacks;  /* the source knows GTIDs, and not all that are durable here (waiting commits are such) */
    char last_gtid[GTID_TEXT_MAX];
    char source_id[STORE_SOURCE_ID_MAX + 1]; /* of the store's lineage; "" none */
    uint32_t server_id;
    char server_uuid[GTID_UUID_TEXT_LEN + 1];
    char prove_uuid[GTID_UUID_TEXT_LEN + 1];
    uint64_t boundary_mismatches;
    uint64_t incidents;    /* Incident events stored in the present lineage, since the start */
    char incident_at[300]; /* where the last one is */
    /* storage */
    uint64_t busy_us; /* how long the running file call or sync has taken; 0: none runs */
    uint64_t syncs;
    uint64_t quick_syncs; /* that took less than ALARM_SYNC_QUICK_US, so far */
    uint64_t slow_calls;  /* file calls and syncs that took longer than ALARM_SYNC_DELAY_US, so far */
    bool free_known;
    uint64_t free_bytes;
    uint64_t min_free_bytes;
    struct keep_held held; /* what retention would have removed and was not */
    uint64_t log_dropped;
    char not_listening[512];  /* why nobody can connect to a listener of ours; "" all are there */
    char source_differs[128]; /* the address in use, where it is not the configured one; "" none */
};

#define ALARM_SYNC_QUICK_US 20u
#define ALARM_SYNC_DELAY_US STORE_SLOW_US
#define ALARM_SYNC_SLOW_US  1000000u
#define ALARM_TIMEOUT_OK_MS 86400000u    /* a semi-sync time-out of a day or more counts as none */
#define ALARM_CERT_SOON_S   (30 * 86400) /* a certificate that ends within it: the first of three alarms */
#define ALARM_NUMBER_HIGH   990000u
#define ALARM_NUMBER_BROKEN 1000000u

struct alarm {
    bool raised;
    uint64_t since_wall_us;
    char message[320];
};

/* Commits that returned without an ACK: between which transactions. */
struct alarm_gap {
    bool any;
    bool open;                /* not yet protected again */
    char from[GTID_TEXT_MAX]; /* last one known to be protected; "" none known */
    char to[GTID_TEXT_MAX];   /* newest one when commits were protected again */
    uint64_t began_wall_us;
    uint64_t ended_wall_us;
};

/* Between one picture and the next; private to alarms*.c. */
struct alarm_memory {
    bool primed;
    uint64_t rounds;
    uint64_t started_s;
    struct monitor_semi_sync ss;
    char last_gtid[GTID_TEXT_MAX];
    uint64_t fallback_until_us;
    uint64_t unprotected_until_us;
    /* semi-sync that asks for nothing */
    uint64_t evidence_us; /* when an ACK was last asked for or counted */
    uint64_t evidence_tx; /* commits then */
    uint64_t evidence_acks;
    uint64_t evidence_waits;
    uint64_t evidence_got;
    uint64_t suspect_us;
    /* zombie stream */
    bool have_end;
    uint64_t end_number; /* without positions 0, and the number of executed GTIDs below */
    uint64_t end_offset;
    uint64_t end_connection;
    uint64_t mismatch_us;
    char mismatch_file[BINLOG_NAME_MAX + 1]; /* received then */
    uint64_t mismatch_offset;
    uint64_t zombie_connection;
    uint64_t reconnect_us; /* last one asked for on a suspicion */
    /* waiting commits */
    uint64_t waiting_us;
    uint64_t waiting_yes_tx;
    uint64_t short_us;   /* when fewer acknowledgers than needed were first seen */
    uint64_t foreign_us; /* when more acknowledgers than ours were first seen */
    /* the syncs judged last, and what there was of both kinds then */
    uint64_t lies_of; /* how many they were; 0: not half of them were too quick */
    uint64_t lies_syncs;
    uint64_t lies_quick;
    /* counters of our own that grew */
    uint64_t slow_calls;
    uint64_t delays_until_us;
    uint64_t log_dropped;
    uint64_t dropped_until_us;
    uint64_t mismatches;
    uint64_t mismatches_until_us;
    uint64_t blind_us;
};

struct alarms {
    struct alarm list[ALARM_COUNT];
    struct alarm_gap gap;
    struct alarm_memory memory;
    bool changed[ALARM_COUNT]; /* raised or cleared by the last judgement */
    bool reconnect;            /* the last judgement wants the stream made anew */
};

struct alarm_input {
    uint64_t now_us;
    uint64_t wall_us;
    const struct alarm_own *own;
    const struct monitor_view *mon; /* never NULL; one that is not fresh is not judged */
};

void alarms_init(struct alarms *a);
/* A few times a second. */
void alarms_judge(struct alarms *a, const struct alarm_input *in);

#endif
