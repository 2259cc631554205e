/*
 * What can be wrong between us and a source, as status reports it: code, message, cure, and how patiently to try again.
 * Layer: ingest. Thread: any (values).
 */
#ifndef LT_INGEST_FAULT_H
#define LT_INGEST_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/cure.h"

/* How long to wait before the next attempt. */
enum fault_retry {
    FAULT_RETRY_FAST,    /* network, restarts: source.retry_min .. source.retry_max */
    FAULT_RETRY_BUSY,    /* the source has no connection free: 200 to 500 ms, a race and not an error of ours */
    FAULT_RETRY_SLOW,    /* needs an operator: 1 s doubling to 60 s */
    FAULT_RETRY_HISTORY, /* needs an operator, and asking often helps nobody: 5 s doubling to 60 s */
    FAULT_RETRY_YIELD,   /* somebody else uses our identity: 30 to 60 s, let the other win */
    FAULT_RETRY_DISK,    /* look again every second */
};

/*
 * X(NAME, "code", retry, "cure"). Tokens in a cure: cure.h. A statement comes first or behind ": ", and is meant to be typed as it stands, in the state
 * in which it is printed (tests/README.md, "Where each cure is followed"): while commits wait for our ACK, whatever the source would log waits as well.
 */
#define FAULT_CODES(X)                                                                                                 \
    X(NONE, "", FAULT_RETRY_FAST, "")                                                                                  \
    X(CONNECT, "connect", FAULT_RETRY_FAST,                                                                            \
      "check that the source runs and that source.host and source.port reach it")                                      \
    X(BUSY, "connect", FAULT_RETRY_BUSY,                                                                               \
      "raise max_connections on the source, or the account's MAX_USER_CONNECTIONS, as the message says")               \
    X(TLS, "tls", FAULT_RETRY_SLOW, "check source.ssl_mode, source.ssl_ca and the source's certificate")               \
    X(AUTH, "auth", FAULT_RETRY_SLOW,                                                                                  \
      "check source.user and its password (the file is read again before each try), and the account on the source: "   \
      "where semi-sync waits for us, ALTER USER does too, but behind SET SESSION sql_log_bin = 0")                     \
    X(PRIVILEGE, "privilege", FAULT_RETRY_SLOW,                                                                        \
      "SET SESSION sql_log_bin = 0; GRANT REPLICATION SLAVE ON *.* TO the account in source.user (without the first, " \
      "where semi-sync waits for us, GRANT would wait as well)")                                                       \
    X(PRIVILEGE_OTHER, "privilege", FAULT_RETRY_SLOW,                                                                  \
      "SET SESSION sql_log_bin = 0; then GRANT what the message names ON *.* TO the account in source.user")           \
    X(WRONG_SOURCE, "wrong_source", FAULT_RETRY_HISTORY,                                                               \
      "another server answers there: after a failover repoint to it, which proves its history; else mend source.host") \
    X(SEMI_SYNC_MISSING, "semi_sync_missing", FAULT_RETRY_SLOW,                                                        \
      "INSTALL PLUGIN rpl_semi_sync_{source} SONAME 'semisync_{source}.so' on the source, then switch it on")          \
    X(SEMI_SYNC_OFF, "semi_sync_off", FAULT_RETRY_SLOW,                                                                \
      "SET GLOBAL rpl_semi_sync_{source}_enabled = ON, and in its configuration")                                      \
    X(START, "source_setting", FAULT_RETRY_HISTORY,                                                                    \
      "set source.start to a file that the source has (SHOW BINARY LOGS), earliest or latest, then restart "           \
      "logtailerd")                                                                                                    \
    X(NO_BINLOG, "source_setting", FAULT_RETRY_SLOW,                                                                   \
      "start the source with log_bin: without a binlog there is nothing to copy")                                      \
    X(HISTORY_RESET, "history_reset", FAULT_RETRY_HISTORY,                                                             \
      "the source's binlog began anew (RESET, a restored server, other file names): keep this store, then repoint "    \
      "--new-history")                                                                                                 \
    X(DIVERGED, "diverged", FAULT_RETRY_HISTORY,                                                                       \
      "the source holds other bytes than this store at the same place: find out which history is right, then repoint " \
      "--new-history; where the message says that a file begins after transactions, PURGE BINARY LOGS there TO it "    \
      "before")                                                                                                        \
    X(PURGED, "purged", FAULT_RETRY_HISTORY,                                                                           \
      "the source purged files this store still needs: keep this store, then repoint --new-history")                   \
    X(GAP, "gap", FAULT_RETRY_HISTORY,                                                                                 \
      "the source's stream does not continue this store: keep this store, PURGE BINARY LOGS there TO the last file "   \
      "that the message names, then repoint --new-history")                                                            \
    X(UNCOVERED, "gap", FAULT_RETRY_HISTORY,                                                                           \
      "the source's GTIDs promise what its files do not have: repoint to a server that has it, or repoint "            \
      "--new-history, which goes on without")                                                                          \
    X(AHEAD, "ahead_of_source", FAULT_RETRY_HISTORY,                                                                   \
      "the source lost transactions that this store holds (a crash with sync_binlog != 1?): feed them back before it " \
      "is used, semi-sync switched off meanwhile, then repoint to it; where it was used, repoint --new-history gives " \
      "them up")                                                                                                       \
    X(DUPLICATE, "duplicate_identity", FAULT_RETRY_YIELD,                                                              \
      "another server uses our server_id or server_uuid: stop the copy, remove its DIR/identity (where "               \
      "source.server_id is set, change it), start it again")                                                           \
    X(COUNTED_TWICE, "counted_twice", FAULT_RETRY_SLOW,                                                                \
      "if this store has moved, set source.server_id to the former one; if it is a copy, start the other "             \
      "acknowledgers, or lower rpl_semi_sync_{source}_wait_for_{replica}_count until these commits are through")       \
    X(CORRUPT, "source_corrupt", FAULT_RETRY_HISTORY,                                                                  \
      "the source sends events with a wrong checksum at the same place again and again: check its disk and memory")    \
    X(TOO_LARGE, "unsupported", FAULT_RETRY_HISTORY,                                                                   \
      "the source's binlog holds an event of a size or form that no supported server writes: check what wrote it; "    \
      "past it lead FLUSH BINARY LOGS and PURGE BINARY LOGS there TO the new file, then repoint --new-history")        \
    X(SOURCE_FILE, "source_corrupt", FAULT_RETRY_HISTORY,                                                              \
      "the source cannot read its own binlog there: check that file (mysqlbinlog --verify-binlog-checksum) and its "   \
      "disk; where the file is sound, the source has another history than this store: repoint --new-history")          \
    X(PACKET, "source_setting", FAULT_RETRY_SLOW,                                                                      \
      "SET GLOBAL max_allowed_packet = 1073741824 on the source; where it is that already, check its binlog with "     \
      "mysqlbinlog")                                                                                                   \
    X(SERVER_ID, "source_setting", FAULT_RETRY_SLOW,                                                                   \
      "SET GLOBAL server_id on the source to a number that no other server has")                                       \
    X(ANONYMOUS_REFUSED, "source_setting", FAULT_RETRY_SLOW,                                                           \
      "on the source SET GLOBAL rpl_semi_sync_{source}_enabled = OFF, which lets go the commits that wait, then SET "  \
      "GLOBAL gtid_mode = ON_PERMISSIVE; when this store has caught up, both back to ON, semi-sync first")             \
    X(GTID_REFUSED, "source_setting", FAULT_RETRY_SLOW,                                                                \
      "on the source SET GLOBAL rpl_semi_sync_{source}_enabled = OFF, which lets go the commits that wait, then SET "  \
      "GLOBAL gtid_mode = OFF_PERMISSIVE; when this store has caught up, semi-sync back to ON, then gtid_mode to OFF") \
    X(ENGINE, "unsupported", FAULT_RETRY_SLOW,                                                                         \
      "the source keeps its binlog in InnoDB, which are no files to copy: start it without binlog_storage_engine")     \
    X(UNKNOWN, "unknown", FAULT_RETRY_SLOW,                                                                            \
      "these words of the source are not known here: see its error log and its manual; it is asked again")             \
    X(DISK_FULL, "disk_full", FAULT_RETRY_DISK, "free space on the file system of store.dir; it goes on by itself")    \
    X(DISK_FAILED, "disk_failed", FAULT_RETRY_DISK, "a write or sync failed: check the disk and the kernel log")       \
    X(DESCRIPTORS, "no_descriptors", FAULT_RETRY_DISK,                                                                 \
      "raise the limit of open files (LimitNOFILE= in the unit, fs.file-max for the machine); it goes on by itself")   \
    X(MEMORY, "no_memory", FAULT_RETRY_DISK,                                                                           \
      "free memory on the machine or raise the unit's MemoryMax=; it goes on by itself")                               \
    X(DISK_STALLED, "disk_stalled", FAULT_RETRY_FAST,                                                                  \
      "a write or a sync hung: check the disk of store.dir and the kernel log; it goes on by itself")                  \
    X(PROTOCOL, "connect", FAULT_RETRY_FAST, "the source sent what no server sends: check for a proxy in between")

enum fault_code {
#define FAULT_X(name, code, retry, cure) FAULT_##name,
    FAULT_CODES(FAULT_X)
#undef FAULT_X
};

struct fault {
    enum fault_code code;
    char message[512];
};

const char *fault_name(enum fault_code code); /* "purged" */
/* buf, with the text in it; old_names as in cure.h. */
const char *fault_cure(enum fault_code code, bool old_names, char buf[CURE_MAX]);
enum fault_retry fault_retry(enum fault_code code);

/* Store code and text; returns LT_EPROTO, so that `return fault_set(...)` ends a step. */
int fault_set(struct fault *f, enum fault_code code, const char *fmt, ...) LT_PRINTF(3, 4);

/* What an ERR packet of a dump means. `text` helps only where a number stands for several things. */
enum fault_code fault_of_server_error(unsigned code, const char *text);

/* The process or the machine has no descriptor left. */
bool fault_is_descriptors(int sys_errno);
/* What a failure of the store means: rc is its code, sys_errno the system's where there is one. */
enum fault_code fault_of_store_error(int rc, int sys_errno);

/* Delay before attempt number `attempt` (from 0) after a fault, in microseconds. random: any 64 random bits (full jitter). */
uint64_t fault_delay_us(enum fault_code code, unsigned attempt, uint64_t retry_min_us, uint64_t retry_max_us,
                        uint64_t random);

#endif
