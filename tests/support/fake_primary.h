/*
 * A scripted MySQL or MariaDB primary on 127.0.0.1: answers what replicas ask, serves binlog files from memory, asks for semi-sync
 * acknowledgements and records them; and does on request what real servers do only in their worst hours.
 * Does not execute SQL and keeps no tables.
 *
 * Layer: tests. Thread: any; one lock inside. Each client has a thread of its own.
 * Owns: everything given to it is copied. Out of memory and failing system calls at start abort.
 * Numbers: connections and dumps count from 1. Times: clock_mono_us().
 *
 *   struct fake_primary *fp = fake_primary_start(&(struct fake_options){.version = "9.7.4"});
 *   fake_open_file(fp, "binlog.000001");
 *   struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = 500});
 *   CU_ASSERT(fake_wait_ack(fp, &end, 2000));
 *   fake_primary_stop(fp);
 */
#ifndef LT_TESTS_FAKE_PRIMARY_H
#define LT_TESTS_FAKE_PRIMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/event.h"
#include "fake_events.h"

struct fake_primary;

/* Which semi-sync names the server knows. */
enum fake_plugin {
    FAKE_PLUGIN_AUTO,    /* by version: 5.7 old, 8.0.26 and 8.4 new, 9.x new only, MariaDB built in */
    FAKE_PLUGIN_MISSING, /* MySQL without the plugin: no names, no header */
    FAKE_PLUGIN_OLD,     /* rpl_semi_sync_master_*; 8.0.26+ reads both user variables */
    FAKE_PLUGIN_NEW,     /* rpl_semi_sync_source_*; reads both user variables */
    FAKE_PLUGIN_97,      /* rpl_semi_sync_source_*; reads only @rpl_semi_sync_replica */
    FAKE_PLUGIN_MARIADB,
};

enum fake_auth {
    FAKE_AUTH_NATIVE,
    FAKE_AUTH_SHA2_FAST,
    FAKE_AUTH_SHA2_FULL /* as before any cached login: in clear inside TLS, else by RSA */
};

struct fake_options {
    const char *version; /* "8.0.46" when NULL; with MariaDB's prefix where the release has it */
    enum fake_plugin plugin;
    bool semi_sync_off; /* installed but not enabled: header, never a flag */
    enum fake_auth auth;
    const char *user;     /* "repl" */
    const char *password; /* "secret" */
    const char *tls_cert; /* PEM; TLS is offered when both are set */
    const char *tls_key;
    unsigned tls_key_update_every; /* after so many records written during a dump; 0 = never */
    const char *uuid;              /* server_uuid as text */
    uint32_t server_id;            /* 33104 */
    bool no_checksum;              /* binlog_checksum=NONE, for files made by fake_open_file */
    bool unknown_is_null;          /* unknown system variables answer NULL; else error 1193 */
    bool allow_shared_ids;         /* do not end the older dump of the same uuid */
    uint16_t port;                 /* 0: a free one */
};

struct fake_primary *fake_primary_start(const struct fake_options *opt);
/* Closes everything and joins its threads. */
void fake_primary_stop(struct fake_primary *fp);
/* As kill -9 of a server: all connections reset, connects refused until fake_primary_resume. Files and records stay. */
void fake_primary_pause(struct fake_primary *fp);
void fake_primary_resume(struct fake_primary *fp);
uint16_t fake_port(const struct fake_primary *fp);
/* Reset (RST) or close all connections; new ones are taken. */
void fake_close_all(struct fake_primary *fp, bool reset);

/* ------------------------------------------------------------------ binlog files ------------------------------------------------- */

struct fake_pos {
    char file[BINLOG_NAME_MAX + 1];
    uint64_t pos;
};

/* A new file with its FDE and GTID list, made by the server's own generator. The older one stays as it ends. */
void fake_open_file(struct fake_primary *fp, const char *name);
/* Rotate event, then the next file (name one higher). */
void fake_rotate(struct fake_primary *fp);
/* Commit a transaction with the next sequence number (spec->seq is taken when not 0), flagged; returns its end. */
struct fake_pos fake_commit(struct fake_primary *fp, const struct fake_txn_spec *spec);
/* The same without asking for an acknowledgement. */
struct fake_pos fake_commit_quiet(struct fake_primary *fp, const struct fake_txn_spec *spec);
/* A transaction of `events` generated row events of event_len bytes each, never held in memory. */
struct fake_pos fake_commit_huge(struct fake_primary *fp, unsigned events, uint32_t event_len);
/* Switch checksums for the files opened from now on. */
void fake_set_checksum(struct fake_primary *fp, bool crc);

/* Lower level: files of bytes. base_offset: offset of the first event, normally 4. */
void fake_add_file(struct fake_primary *fp, const char *name, uint64_t base_offset);
/* Whole events to the newest file, all visible at once; ack: the last one asks for an acknowledgement. */
struct fake_pos fake_append(struct fake_primary *fp, const void *events, size_t len, bool ack);
/* One generated event of `len` bytes whatever its type; no memory behind it. */
struct fake_pos fake_append_virtual(struct fake_primary *fp, uint8_t type, uint32_t len, uint32_t seed, bool ack);
/* The generator behind fake_open_file and fake_commit, for tests that build odd events for fake_append: hold the lock meanwhile. */
struct fake_gen *fake_gen_lock(struct fake_primary *fp);
/* What was built goes to the newest file. */
struct fake_pos fake_gen_unlock(struct fake_primary *fp, bool ack);

/* PURGE: the first n files are gone. RESET: all are gone and names start again; MariaDB's dumps become zombies, MySQL's end with 1236. */
void fake_purge(struct fake_primary *fp, size_t n);
void fake_reset(struct fake_primary *fp);
/* Forget the last n events of the newest file, as a crash of a primary with sync_binlog != 1 does. Closes all dumps. */
void fake_lose_tail(struct fake_primary *fp, size_t n);
struct fake_pos fake_end(struct fake_primary *fp);
/* Copy of a file as it would lie on the primary's disk (magic first); NULL when unknown. Caller frees. */
uint8_t *fake_file_bytes(struct fake_primary *fp, const char *name, size_t *ret_len);
/* The same file written to path; works for files with generated events. */
bool fake_file_write(struct fake_primary *fp, const char *name, const char *path);

/* ------------------------------------------------------------------ answers ------------------------------------------------------ */

void fake_set_identity(struct fake_primary *fp, const char *uuid, uint32_t server_id); /* NULL or 0: keep */
void fake_set_var(struct fake_primary *fp, const char *name, const char *value);    /* system variable; NULL: unknown */
void fake_set_status(struct fake_primary *fp, const char *name, const char *value); /* status variable; NULL: unknown */

/* Answer of statements which contain `match` (any case, white space collapsed). The newest rule wins. */
struct fake_answer {
    uint16_t err;     /* not 0: ERR with this code */
    const char *text; /* of the error */
    const char
        *rows; /* NULL: OK. Else columns by tab, rows by newline, "NULL" is NULL; the first row names the columns */
    unsigned delay_ms;
    bool close; /* close the connection instead */
};
void fake_answer(struct fake_primary *fp, const char *match, const struct fake_answer *answer);

/* What happens to connections after the first `after`, `times` of them (0: all). */
struct fake_login_rule {
    unsigned after;
    unsigned times;
    uint16_t err;      /* 1040, 1129, 1130 instead of a greeting, 1045 and others after the login */
    unsigned delay_ms; /* before the greeting */
    bool silent;       /* never a greeting */
    bool close;        /* close in place of the greeting */
    bool hide_tls;     /* as if a proxy took CLIENT_SSL out of the greeting */
};
void fake_login_rule(struct fake_primary *fp, const struct fake_login_rule *rule);

/* ------------------------------------------------------------------ dumps -------------------------------------------------------- */

enum fake_dump_kind { FAKE_DUMP_ANY, FAKE_DUMP_PLAIN, FAKE_DUMP_SEMI_SYNC };

enum fake_action {
    FAKE_ACT_NONE,
    FAKE_ACT_BAD_CRC,  /* the event goes out with a flipped bit */
    FAKE_ACT_TEAR,     /* half of the event's packet, then close */
    FAKE_ACT_TEAR_RST, /* the same with a reset */
    FAKE_ACT_CLOSE,    /* before the event */
    FAKE_ACT_SILENCE,  /* before the event: nothing any more, no heartbeat, until the client closes */
    FAKE_ACT_ERR,      /* ERR packet instead of the event, then the connection waits for commands as real ones do */
    FAKE_ACT_EOF,      /* EOF packet instead of the event, then close, as a server that shuts down */
    FAKE_ACT_DELAY,    /* delay_ms before this event and each later one */
    FAKE_ACT_HEARTBEATS_ONLY, /* heartbeats of the position reached, no event any more */
    FAKE_ACT_FOREIGN_EVENT,   /* `bytes` go out before the event, as one packet, and are in no file */
};

typedef bool (*fake_event_pred)(const char *file, const struct event_header *h, uint64_t end, void *arg);

struct fake_dump_rule {
    enum fake_dump_kind kind;
    unsigned after; /* leave this many matching dumps alone */
    unsigned times; /* then apply to this many; 0 = all */
    /* At the n-th stored event of the dump (from 1; 0: in place of the first artificial Rotate). */
    enum fake_action action;
    unsigned at_event;
    uint16_t err;
    const char *err_text; /* NULL: the server's own text for the code */
    unsigned delay_ms;
    const void *bytes; /* FAKE_ACT_FOREIGN_EVENT */
    size_t bytes_len;
    /* All the time. */
    fake_event_pred flag_if; /* replaces the rule for the ACK flag */
    void *flag_arg;
    bool no_header;            /* semi-sync header missing */
    bool force_header;         /* there though nobody asked */
    uint8_t first_byte;        /* in place of the 00 before events; 0 = as it should be */
    uint8_t seq_add;           /* added to every sequence number */
    uint32_t rotate_timestamp; /* of artificial Rotates: 0xef makes their first byte look like a header */
    const char *rotate_name;   /* named by the first artificial Rotate instead of the file asked for */
    bool no_heartbeat;
    uint64_t heartbeat_pos; /* claimed by heartbeats; 0 = the right one */
    unsigned lose_acks;     /* this many ACKs vanish, the last of them with the connection (reset) */
};
void fake_dump_rule(struct fake_primary *fp, const struct fake_dump_rule *rule);
void fake_clear_rules(struct fake_primary *fp); /* login rules and answers too */

/* ------------------------------------------------------------------ records ------------------------------------------------------ */

struct fake_counters {
    unsigned connections;
    unsigned logins;
    unsigned denied;
    unsigned tls;
    unsigned clear_passwords; /* that came in clear text without TLS */
    unsigned dumps;
    unsigned semi_sync_dumps;
    unsigned live_dumps;
    unsigned live_semi_sync;
    unsigned acks;
    unsigned split_acks;    /* did not come in one read */
    unsigned bad_acks;      /* wrong magic, sequence number, length, or a file that does not exist */
    unsigned quits_on_dump; /* COM_QUIT on a connection that streams */
    unsigned pings_on_dump;
    unsigned other_on_dump;
    unsigned kills;
    unsigned shared_ids; /* dumps that began while one with the same server_id (MariaDB) or uuid (MySQL) lived */
    unsigned key_updates;
};
void fake_counters(struct fake_primary *fp, struct fake_counters *ret);

struct fake_dump {
    unsigned number;
    unsigned connection;
    uint32_t thread_id;
    char file[BINLOG_NAME_MAX + 1];
    uint64_t pos;
    uint16_t flags;
    uint32_t server_id;
    char uuid[40];
    bool semi_sync; /* the packets carry the header */
    bool gtid;      /* COM_BINLOG_DUMP_GTID */
    bool registered;
    bool tls;
    bool live;
    uint64_t heartbeat_us;
    uint64_t at_us;
};
/* Number from 1. */
bool fake_dump_get(struct fake_primary *fp, unsigned number, struct fake_dump *ret);

struct fake_ack {
    unsigned dump;
    struct fake_pos at;
    uint64_t at_us;
    bool one_read;
    uint8_t seq;
};
/* Index from 0. */
bool fake_ack_get(struct fake_primary *fp, size_t index, struct fake_ack *ret);
/* The newest flagged event sent: when the write of its last byte began and when it returned. */
struct fake_sent {
    struct fake_pos at;
    uint64_t before_us;
    uint64_t after_us;
};
bool fake_last_sent(struct fake_primary *fp, struct fake_sent *ret);
/* An ACK packet for this or a later place has come. */
bool fake_wait_ack(struct fake_primary *fp, const struct fake_pos *at, unsigned ms);
/* The same; a semi-sync dump that asks for a later start counts too, as primaries see it. */
bool fake_wait_released(struct fake_primary *fp, const struct fake_pos *at, unsigned ms);
/* Acknowledged or asked for, so far. */
struct fake_pos fake_released(struct fake_primary *fp);
/* Until `n` dumps of the kind have begun / are alive. */
bool fake_wait_dumps(struct fake_primary *fp, enum fake_dump_kind kind, unsigned n, unsigned ms);
bool fake_wait_live(struct fake_primary *fp, enum fake_dump_kind kind, unsigned n, unsigned ms);
/* Some dump has sent everything up to here. */
bool fake_wait_sent(struct fake_primary *fp, const struct fake_pos *at, unsigned ms);
/* How many statements contained `match`; and all of them, "connection<TAB>statement" by line, malloc'd. */
unsigned fake_queries(struct fake_primary *fp, const char *match);
char *fake_query_log(struct fake_primary *fp);

/* ------------------------------------------------------------------ certificates ------------------------------------------------- */

struct fake_certs {
    char ca[256];
    char cert[256];
    char key[256];
    char other_ca[256]; /* signed nothing here */
    char crl[256];      /* of the CA: the certificate is revoked */
    char crl_empty[256];
    char crl_stale[256]; /* lists nothing, and is past its time */
};
/* A CA and a server certificate for `host` (name and 127.0.0.1) in dir, which exists. valid_days may be negative: expired. */
void fake_certs_make(const char *dir, const char *host, int valid_days, struct fake_certs *ret);

#endif
