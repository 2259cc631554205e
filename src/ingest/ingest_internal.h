/* What the files of the ingest thread share: its state (ingest.c), one attempt (attempt.c), one dump (dump.c). Not for other layers. */
#ifndef LT_INGEST_INGEST_INTERNAL_H
#define LT_INGEST_INGEST_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "ingest/holder.h"
#include "ingest/ingest.h"
#include "ingest/other_mode.h"
#include "ingest/stream.h"
#include "ingest/torn.h"

#define INGEST_HOLDERS_MAX 8u

struct ingest {
    struct ingest_options opt;
    struct fault lacks; /* what the last repair of the store lacked */
    pthread_t thread;
    _Atomic uint64_t stall_disconnect_us;
    pthread_mutex_t fresh_lock;
    struct ingest_options
        *fresh; /* under fresh_lock: what ingest_adopt took, for the next attempt; owns its source's strings */
    atomic_bool have_fresh;
    int wake_fd; /* eventfd: stop, fence, an order, or new settings */
    atomic_bool stop;
    atomic_bool hold; /* fenced: keep an acknowledging connection open */
    struct hist ack_us;
    struct identity identity;
    struct gtid_set held_at_start; /* while identity.former: what that id may have acknowledged */
    struct gtid_set proved_by;     /* the source's executed set when the last proving dump began */
    struct gtid_set purged;        /* session_purged at that time */
    struct gtid_set catch_up;      /* the part of it that a dump can bring */
    uint64_t catch_up_at_us;       /* when it was asked; monotonic */
    uint64_t catch_up_looked_us;
    uint64_t random; /* state of the jitter's generator */

    /* The source: the configured one, or the one of a repoint, or for the moment a candidate. */
    struct source_params target;
    bool password_given;                     /* to one that nobody vouches for; told once */
    bool any_source;                         /* a candidate: its identity is what is asked */
    char source_id[STORE_SOURCE_ID_MAX + 1]; /* whose history is received; "" = not known yet */
    char stranger[STORE_SOURCE_ID_MAX + 1];  /* what a server called itself that was refused as another one */
    char alias[STORE_SOURCE_ID_MAX + 1];     /* another name of the lineage's source; "" = none */
    bool alias_proved;                       /* bytes or lists were compared and equal */
    char proved_id[STORE_SOURCE_ID_MAX +
                   1];    /* what the server called itself that the last proving dump found the same history at */
    struct follow follow; /* target points into it when active */
    bool covered;         /* the present lineage covers follow.covers */

    /* Orders from others, taken while fenced. */
    pthread_mutex_t order_lock;
    struct ingest_candidate *asked;    /* to examine */
    struct ingest_candidate *examined; /* the answer, until somebody takes it */
    bool examining;                    /* it is with the ingest thread */
    struct follow *order_follow;

    /* The connection, so that another thread can shut it down; those that are held. */
    pthread_mutex_t conn_lock;
    struct source *conn;
    struct holder *holders[INGEST_HOLDERS_MAX];
    _Atomic uint64_t stalled_us; /* monotonic clock: when it did so the last time */
    atomic_bool stalled;         /* the watchdog shut a connection down because a file call hung */

    /* Published. `view` is written by the ingest thread: private until pushed. */
    pthread_mutex_t view_lock;
    struct ingest_view shared;
    struct ingest_view view;
    bool view_dirty;
    uint64_t published_us;

    /* For the back-off: failures in a row of one kind, since the last good stream. */
    unsigned attempt;
    enum fault_retry attempt_kind;
    /* Wrong checksums at one place: three in a row are an error. */
    char corrupt_at[512]; /* the fault's words, which name the place */
    unsigned corrupt_count;
    struct torn_end torn;
    struct other_mode other_mode;
    bool elsewhere_looked;                          /* in this attempt */
    char promised_in_vain[STORE_SOURCE_ID_MAX + 1]; /* the source whose files lack what its GTIDs promised; "" none */
    unsigned oldest_looked; /* unlogged.c: the lineage whose source's oldest file was looked at */
};

#define INGEST_CORRUPT_LIMIT    3
#define INGEST_MARIADB_IDS      16u /* server_ids that dumps of one kind take in turn */
#define INGEST_DUMP_PACKET_MAX  1024u
#define INGEST_PUBLISH_STORE_MS 1000u     /* then it is memory that lacks */
#define INGEST_ROOM_PATIENCE_US 10000000u /* on a disk that was full: from then on a little room will do */
#define INGEST_ROOM_LEAST       (1024u * 1024u)
#define INGEST_PUBLISH_US       100000u /* a stream that is never idle publishes this often */

/* ingest.c */
void ingest_set_state(struct ingest *ing, enum ingest_state state);
/* Push the view; wait: take the lock even if a reader has it (state changes), else leave it for the next turn. */
void ingest_publish(struct ingest *ing, bool wait);
void ingest_note_source(struct ingest *ing, const struct session_info *info, bool semi_sync_active);
void ingest_note_fault(struct ingest *ing, const struct fault *f);
bool ingest_stopping(const struct ingest *ing);
/* Stopping or fenced: whatever goes on with the source ends. */
bool ingest_must_end(struct ingest *ing);
/* The connection gets another owner. */
void ingest_forget_connection(struct ingest *ing);
/* Back to the watermark where the store broke. False: durability cannot be restored. */
bool ingest_repair_store(struct ingest *ing);
/* Between two streams, when nothing is due: what the last sync made durable gets into the view, though a reader has it just now. */
void ingest_publish_store(struct ingest *ing);
/* Forget that there was something to read from wake_fd. */
void ingest_drain_wake(struct ingest *ing);
void ingest_set_target(struct ingest *ing);
/* After the lineage or what is followed changed. */
void ingest_set_source_id(struct ingest *ing);

/* fenced.c */
bool ingest_is_fenced(struct ingest *ing);
/* Until the gate is open again or stop; carries out orders meanwhile. False: durability cannot be restored. */
bool fenced_wait(struct ingest *ing);
bool ingest_keep_holder(struct ingest *ing, struct holder *h);
void fenced_fini(struct ingest *ing);

/* recognise.c. After FAULT_WRONG_SOURCE: 0 when this server may be asked all the same, by what it calls itself from now on. start: of the dump. */
int recognise(struct ingest *ing, const struct replica_start *start, struct fault *f) LT_MUST_CHECK;
/* The coming dump begins elsewhere: a name that is not proved must be asked for anew. */
void recognise_undo(struct ingest *ing);
/* Another history is received from here on: no name of the one before counts. */
void recognise_forget(struct ingest *ing);
/* The coming dump acknowledges: it must be the very server that was proved. */
int recognise_same(struct ingest *ing, const struct session_info *info, struct fault *f) LT_MUST_CHECK;
/* The proving dump found the same history, or failed. */
void recognise_proved(struct ingest *ing, const struct session_info *info);
void recognise_failed(struct ingest *ing, struct fault *f);

/* former.c: before an acknowledging dump. LT_OK: no ACK of ours is counted twice by it. */
int former_settle(struct ingest *ing, const struct session_info *info, struct fault *f) LT_MUST_CHECK;

/* candidate.c: fills in what was found. */
void candidate_examine(struct ingest *ing, struct ingest_candidate *c);
/* What was given up before and has not come since goes to *ret; the rest of `ours` is what a source must have. */
int candidate_give_up(const struct ingest *ing, const struct store_view *v, struct gtid_set *ours,
                      struct gtid_set *ret) LT_MUST_CHECK;

/* elsewhere.c: after an attempt that ended because the file to go on with is not there. True: a lineage was begun that goes on all the same. */
bool elsewhere_proved(struct ingest *ing, struct fault *f);

/* unlogged.c. After a proving dump that caught up: what the source has executed and no binlog of it had since the lineage began is remembered. */
void unlogged_note(struct ingest *ing);
/* The same of the domains that were deleted on a MariaDB source; no dump is open. Once in each lineage. */
void unlogged_look(struct ingest *ing);
/* What a MariaDB candidate lacks in its files, without the domains of which it is proved that nothing is missing. info, own_domain: of the candidate. */
void unlogged_pardon(struct gtid_set *gap, const struct gtid_set *ours, const struct gtid_set *oldest_list,
                     uint32_t server_id, uint32_t own_domain);

/* Connection with the present password, registered for shutdown by others. */
int ingest_connect(struct ingest *ing, struct source **ret, struct session_info *ret_info,
                   struct fault *ret_fault) LT_MUST_CHECK;
void ingest_disconnect(struct ingest *ing, struct source *s);

/* attempt.c: one whole attempt; returns when the stream ended. 0 only when stopping. */
int attempt_run(struct ingest *ing, struct fault *ret_fault) LT_MUST_CHECK;

/* caught_up.c */
struct dump;
enum caught_up { CAUGHT_UP_NOT, CAUGHT_UP_BEFORE, CAUGHT_UP_NOW };
/* Has the proving dump brought all that the source had: now, or some time ago (and more is there by now)? Judged by heartbeats and GTIDs. */
enum caught_up caught_up(struct ingest *ing, const struct dump *d);

/* dump.c */
struct dump {
    struct source *conn;
    struct session_info info;
    struct wire wire;
    struct stream stream;
    bool stream_open;
    uint64_t admitted;         /* gate number, 0 for proving dumps */
    uint64_t incidents_noted;  /* of stream.incidents */
    uint64_t mismatches_noted; /* of stream.boundary_mismatches */
    uint64_t flags_counted;
    const char *connect_state; /* as in session_dump, while it begins */
};

enum dump_purpose { DUMP_PROVE, DUMP_ACKNOWLEDGE, DUMP_PROBE };

/* Connect, check identity, set up, take over, send the dump command, ready for turns. On failure everything is closed again. */
int dump_open(struct ingest *ing, enum dump_purpose purpose, const struct replica_start *start, struct dump *ret,
              struct fault *ret_fault) LT_MUST_CHECK;
void dump_close(struct ingest *ing, struct dump *d);
/* In place of dump_close: the connection stays open and is read, and nothing more is stored or sent. */
void dump_hold(struct ingest *ing, struct dump *d);
/* One turn and one wait; publishes. */
int dump_turn(struct ingest *ing, struct dump *d, struct fault *ret_fault) LT_MUST_CHECK;

/* The parts of dump_open: identity of the server behind a connection; everything up to the dump command. */
int dump_check_identity(struct ingest *ing, struct session_info *info, struct fault *f) LT_MUST_CHECK;
int dump_begin(struct ingest *ing, enum dump_purpose purpose, const struct replica_start *start, struct dump *d,
               struct fault *f) LT_MUST_CHECK;

/* probe.c. The first Rotate of a dump from `file` ("" = the source's first), and the FDE at its start (malloc'd; NULL not wanted). */
int dump_probe(struct ingest *ing, const char *file, const struct gtid_set *by_gtid, char ret_file[BINLOG_NAME_MAX + 1],
               uint8_t **ret_fde, size_t *ret_fde_len, struct fault *ret_fault) LT_MUST_CHECK;

/* The list of GTIDs at the start of a file ("" = the source's first). ret_list: initialised. */
int dump_probe_list(struct ingest *ing, const char *file, char ret_file[BINLOG_NAME_MAX + 1], struct gtid_set *ret_list,
                    struct fault *ret_fault) LT_MUST_CHECK;

/* Does the source send the first transaction it has from the start of a file ("" = its first) on? Or has none. Else a fault, and the file of that
 * transaction ("" = not known). */
int dump_probe_first(struct ingest *ing, const char *file, char ret_file[BINLOG_NAME_MAX + 1],
                     struct fault *ret_fault) LT_MUST_CHECK;

/* How a file begins. list: initialised by the caller, and cleared. Filled in on success; unreadable: also on failure. */
struct probe_start {
    char file[BINLOG_NAME_MAX + 1];
    struct gtid_set list;
    bool have_list;   /* it has a list; else something else came first */
    bool after_start; /* the server began it when it started, not by a rotation */
    bool mariadb;
    bool unreadable; /* the source has the file, and cannot read what it needs of it */
};
int dump_probe_start(struct ingest *ing, const char *file, struct probe_start *ret,
                     struct fault *ret_fault) LT_MUST_CHECK;

/* diagnose.c: what "no such file", "position too large" and differing bytes really mean, by looking at what the source has. */
void diagnose_missing(struct ingest *ing, struct fault *f);
void diagnose_file(struct ingest *ing, struct fault *f);

#endif
