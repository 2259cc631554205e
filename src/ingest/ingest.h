/*
 * The ingest thread: connects to the source again and again, proves its history, streams, makes durable, acknowledges.
 *
 * Layer: ingest. Thread: ingest_start/stop/view/… from main; everything else happens on the thread it starts.
 * Owns: the source connection, a copy of the source's parameters. Borrows: the store (its only writer while started), the gate, `start`.
 * Errors: reported as a fault in the view; on_fatal is called once, on the ingest thread, when durability cannot be restored: the process
 *   must end with exit code 3.
 * Units: microseconds; wall-clock times since the epoch.
 */
#ifndef LT_INGEST_INGEST_H
#define LT_INGEST_INGEST_H

#include "base/hist.h"
#include "ingest/fault.h"
#include "ingest/follow.h"
#include "ingest/gate.h"
#include "ingest/session.h"
#include "ingest/source.h"
#include "store/identity.h"
#include "store/store.h"

enum ingest_state {
    INGEST_CONNECTING,
    INGEST_PROVING,
    INGEST_CATCHING_UP,
    INGEST_STREAMING,
    INGEST_FENCED,
    INGEST_ERROR,
    INGEST_STOPPED
};

const char *ingest_state_name(enum ingest_state state); /* "catching_up" */

/* Reads the password anew; 0 or an error whose text names the file. */
typedef int (*ingest_password_fn)(void *arg, char *buf, size_t cap, struct lt_err *err);
typedef void (*ingest_fatal_fn)(void *arg, const char *why);

struct ingest_options {
    struct source_params source; /* password ignored */
    ingest_password_fn password;
    void *password_arg;
    bool semi_sync;
    uint64_t heartbeat_us;
    uint64_t retry_min_us;
    uint64_t retry_max_us;
    const char *start; /* earliest, latest or a file name; for an empty store */
    uint64_t catchup_async_bytes;
    uint64_t stall_disconnect_us; /* 0: never */
    uint32_t server_id;           /* 0: made once */
    uint16_t report_port;
    struct store *store;
    struct ack_gate *gate;
    ingest_fatal_fn on_fatal;
    void *fatal_arg;
    const struct follow *follow; /* after a repoint; copied. NULL or not active: the source above */
};

struct ingest;

int ingest_start(const struct ingest_options *opt, struct ingest **ret, struct lt_err *err) LT_MUST_CHECK;
/* Syncs and acknowledges what came, closes the connection, joins the thread. NULL is fine. */
void ingest_stop(struct ingest *ing);

/*
 * What a reload may change, from the next connection on: source (certificates, time-outs), heartbeat_us, retry_*_us, catchup_async_bytes; and
 * stall_disconnect_us at once. The running stream goes on. Prepared first, which may fail (LT_ENOMEM), then taken over, which cannot.
 */
int ingest_prepare(const struct ingest_options *opt, struct ingest_options **ret) LT_MUST_CHECK;
void ingest_adopt(struct ingest *ing, struct ingest_options *prepared); /* takes it */
void ingest_discard(struct ingest_options *prepared);                   /* NULL is fine */

/* Shut the present connection down (not the thread); it reconnects by itself. */
void ingest_reconnect(struct ingest *ing);
/* For a timer of about 100 ms: disconnects a source when a file call (sync, write, any) has been hanging for stall_disconnect, so that the source sees an
 * acknowledger less instead of a mute one. Never touches the disk. */
void ingest_check_stall(struct ingest *ing);

/*
 * Fence. The caller closed the gate; this makes the thread stop receiving and sync what it has (fenced_settled in the view: nothing more will be
 * stored). hold: an acknowledging connection is kept open and read, never answered, until ingest_release(). Never waits.
 */
void ingest_fence(struct ingest *ing, bool hold);
/* The gate was opened (or another source is to be followed): look at it again. */
void ingest_wake(struct ingest *ing);
/* Close what is held open of this source. */
void ingest_release(struct ingest *ing, const char *source_id);

/* A source that might be followed: asked, and what was found. */
struct ingest_candidate {
    char host[FOLLOW_HOST_MAX + 1];
    unsigned port;
    bool new_history;
    const char *
        refusal; /* NULL: it may be followed; else a word: "gap", "only_here", "no_gtids", "flavor", or a fault's code */
    char message[512];
    struct session_info info;
    struct follow follow; /* what to save, and to give to ingest_follow */
};
void ingest_candidate_free(struct ingest_candidate *c); /* NULL is fine */
/* Only while fenced. Takes the candidate (from malloc; follow initialised) unless it fails. LT_EBUSY: another one is being examined. */
int ingest_examine(struct ingest *ing, struct ingest_candidate *c) LT_MUST_CHECK;
/* The one that was examined, the caller's from now on; NULL: not yet. */
struct ingest_candidate *ingest_examined(struct ingest *ing);
/* Follow this one from now on, as soon as the gate is open to it. Only while fenced; f is copied. */
int ingest_follow(struct ingest *ing, const struct follow *f) LT_MUST_CHECK;

struct ingest_view {
    enum ingest_state state;
    uint64_t state_since_us;
    struct fault last_error; /* code FAULT_NONE: none */
    uint64_t last_error_at_us;
    bool last_error_current; /* still in the way */
    bool connected;
    struct session_info source;
    bool semi_sync_active; /* this connection is an acknowledging dump */
    /* Monotonic clock: when the source counted us among those who acknowledge, now or the last time; from the dump's first bytes on. */
    uint64_t counted_from_us;      /* 0: never */
    uint64_t counted_until_us;     /* 0: it is so now */
    struct gate_position received; /* end of the last event taken, whole or in part */
    struct gate_position acked;
    uint64_t acks_sent;
    uint64_t acks_requested; /* transactions that came with the source's wish for an ACK, on all connections */
    uint64_t attempts;
    uint64_t heard_us;     /* monotonic clock of the last byte from the source; 0: none came */
    bool source_idle;      /* its last word was a heartbeat */
    uint32_t last_event_s; /* source's clock */
    uint64_t boundary_mismatches;
    uint64_t incidents; /* Incident events stored in the present lineage, since the start; the last one's place */
    struct gate_position incident_at;
    struct identity identity;
    bool disk_stalled;   /* the watchdog let the source go; the picture is the one from before */
    bool fenced_settled; /* fenced, and all that was received is synced */
    unsigned held;       /* connections of fenced sources that are kept open */
};
void ingest_view(struct ingest *ing, struct ingest_view *ret);
/* Were we among those who acknowledge at that moment (monotonic clock)? Of now and the last time that is known; false before. */
bool ingest_was_counted(const struct ingest_view *iv, uint64_t at_us);
const struct hist *ingest_ack_us(const struct ingest *ing);

#endif
