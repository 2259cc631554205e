/*
 * What is said on a source connection before the dump: who are you, how do you do semi-sync, our session variables, register, dump.
 *
 * Layer: ingest. Thread: ingest. Blocking within the connection's time-outs.
 * Errors: non-zero with a fault. None of the statements used here waits while commits wait for an ACK.
 */
#ifndef LT_INGEST_SESSION_H
#define LT_INGEST_SESSION_H

#include "binlog/gtid.h"
#include "ingest/fault.h"
#include "ingest/source.h"
#include "store/store.h"

enum session_semi_sync { SESSION_SEMI_SYNC_UNSUPPORTED, SESSION_SEMI_SYNC_OFF, SESSION_SEMI_SYNC_ON };

/* How commits wait, as of the connect. What a server does not have keeps the value that means its behaviour. */
struct session_waiting {
    bool known;
    bool after_commit;    /* wait point AFTER_COMMIT */
    bool wait_no_replica; /* commits wait with no replica connected too */
    uint64_t timeout_ms;
    uint64_t wait_count; /* ACKs a commit needs */
};

struct session_info {
    bool mariadb;
    char version[64];
    char tls_cipher[64];
    char binlog_engine[32]; /* MariaDB 12.3+: where the binlog is kept; "" = in files */
    uint64_t thread_id;
    uint32_t server_id;
    char server_uuid[GTID_UUID_TEXT_LEN + 1]; /* MySQL; "" on MariaDB */
    char own_id[STORE_SOURCE_ID_MAX + 1];     /* as the server calls itself */
    char source_id[STORE_SOURCE_ID_MAX +
                   1];         /* as it is known here: what its lineage is named after; own_id but for recognise.c */
    bool gtid_mode_on;         /* MySQL */
    bool gtid_mode_permissive; /* MySQL: transactions with and without GTIDs are sent */
    bool binlog_on;
    uint64_t started_s;      /* when the server started, its clock */
    int64_t clock_offset_us; /* its clock minus ours */
    int64_t clock_mono_us;   /* its clock minus our monotonic one */
    enum session_semi_sync semi_sync;
    bool old_names; /* its semi-sync says master and slave */
    struct session_waiting waiting;
};

int session_learn(struct source *s, struct session_info *ret, struct fault *ret_fault) LT_MUST_CHECK;

/* Executed GTIDs of the source (MySQL gtid_executed, MariaDB gtid_binlog_state). ret: initialised by the caller. */
int session_executed(struct source *s, const struct session_info *info, struct gtid_set *ret,
                     struct fault *ret_fault) LT_MUST_CHECK;

/* GTIDs that a source executed and that need not be in its files: MySQL's gtid_purged; of MariaDB what it applied as a replica (gtid_slave_pos), a server
 * that was made from a dump included. Ask before session_executed what must not be ahead of that. ret: initialised by the caller. */
int session_purged(struct source *s, const struct session_info *info, struct gtid_set *ret,
                   struct fault *ret_fault) LT_MUST_CHECK;

/* MariaDB: the domain that its clients' transactions get. */
int session_own_domain(struct source *s, uint32_t *ret, struct fault *ret_fault) LT_MUST_CHECK;

/* Commits that wait for an ACK now. */
int session_waiting_commits(struct source *s, uint64_t *ret, struct fault *ret_fault) LT_MUST_CHECK;

/* A row of SHOW PROCESSLIST (Id, User, Host, db, Command, ...): does the thread send a binlog? */
bool session_is_dump(const struct source_row *row);
/* End the dump thread of ours that may still live on a MariaDB source; only if that thread is a dump of our own account. */
void session_kill_dump(struct source *s, uint64_t thread_id);

struct session_dump {
    char file[BINLOG_NAME_MAX + 1]; /* "" = the source's first */
    uint64_t pos;
    uint32_t server_id;
    const char *uuid;
    bool semi_sync;
    uint64_t heartbeat_us;
    uint16_t report_port;
    const char *connect_state; /* MariaDB: GTIDs to start behind instead of a place; NULL: by place */
};

/* SET what the dump needs. */
int session_prepare(struct source *s, const struct session_dump *d, struct fault *ret_fault) LT_MUST_CHECK;
/* After source_take_over: COM_REGISTER_SLAVE and its answer. */
int session_register(struct wire *w, const struct session_dump *d, uint64_t timeout_us,
                     struct fault *ret_fault) LT_MUST_CHECK;
/* The dump command's packet: by position, or by name and 64-bit position past 4 GiB (MySQL with GTID_MODE=ON; LT_ETOOBIG elsewhere). */
int session_dump_packet(const struct session_info *info, const struct session_dump *d, uint8_t *out, size_t cap,
                        size_t *ret_len) LT_MUST_CHECK;

/* Name of the source's current binlog file, without statements that wait for blocked commits where the server has such a way.
 * MySQL with GTID_MODE=ON has none in SQL: *ret_by_gtid then holds the executed set to dump by, whose first Rotate names the file. */
int session_current_file(struct source *s, const struct session_info *info, char *ret_file, size_t cap,
                         struct gtid_set *ret_by_gtid, struct fault *ret_fault) LT_MUST_CHECK;

#endif
