/*
 * Serves the durable binlog to tailing consumers over TCP: listener, n threads with an event loop each, sessions, named consumers.
 * The protocol is in proto/README.md. Knows nothing of the source and of ACKs; it reads the store and never makes its writer wait.
 *
 * Layer: serve. Thread: start, stop and reload from one thread (main); list, view and min_needed from any, they wait for no disk and no consumer.
 * Owns: its threads, sockets and descriptors, DIR/consumers/. Borrows: the store until serve_stop returns; options are copied.
 * Errors: LT_EINVAL for addresses that this user may not have, users files and certificates that cannot be used, LT_ESYS, LT_ENOMEM.
 * Units: microseconds, bytes.
 */
#ifndef LT_SERVE_SERVE_H
#define LT_SERVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/anonymous.h"
#include "base/err.h"
#include "store/consumers.h"
#include "store/store.h"

#define SERVE_USER_MAX    63
#define SERVE_ADDRESS_MAX 64

struct serve;

struct serve_options {
    struct store *store;
    const char *agent; /* program and version, told to clients */
    const char *host;  /* to listen on */
    uint16_t port;     /* 0: the kernel chooses; serve_port tells */
    unsigned threads;  /* 0: one per core, at most 4 */
    int nice;          /* of the serve threads; 0: SERVE_NICE */
    /* Connections wait in the listen queue for so long after start: a source comes before consumers. */
    uint64_t accept_after_us;
    bool beyond_loopback; /* what host leads to: only for a warning */
    uint64_t fd_others;   /* descriptors that other listeners of this process may take */

    /* What serve_reload may change. */
    const char *users_file; /* NULL: no users */
    const char *ssl_cert;   /* NULL: no TLS. Whether there is TLS at all does not change in a reload */
    const char *ssl_key;
    const char *ssl_ca;  /* client certificates are asked for */
    const char *ssl_crl; /* of what ssl_ca vouched for and does not any more; NULL: none */
    enum anonymous anonymous;
    uint32_t max_consumers;
    uint32_t max_per_address; /* 0: a quarter of max_consumers, at least 16, and loopback without limit */
    uint32_t max_names;       /* of consumers; 0: no limit. One that there is already is always taken */
    uint32_t max_names_per_user;
    uint64_t heartbeat_us;     /* 0: 1 s */
    uint64_t send_timeout_us;  /* 0: 60 s */
    uint64_t memory_bytes;     /* that requests may make us hold, all together; 0: SERVE_MEMORY */
    uint64_t consumer_max_lag; /* bytes; 0: named consumers hold nothing back */
    /* A named consumer that was seen to be away for so long is forgotten; 0: none is. */
    uint64_t consumer_max_age_us;

    /* Test hooks; 0: the documented defaults. */
    uint64_t handshake_us;
    uint64_t auth_delay_us;
    uint64_t stop_us; /* how long serve_stop gives goodbyes to leave */
};

#define SERVE_NICE          10
#define SERVE_HANDSHAKE_US  10000000u /* from accept to the Subscribe; and for a frame once begun */
#define SERVE_HELLO_MAX     16384u    /* before anybody is known */
#define SERVE_AUTH_FREE     3u        /* failures of an address in a minute that are answered at once */
#define SERVE_AUTH_DELAY_US 1000000u  /* more for each further one, at most ten times */
#define SERVE_MEMORY        (256u << 20)
#define SERVE_STOP_US       1000000u
#define SERVE_RETRY_MIN_MS  100u /* goodbye: come back after, evenly spread */
#define SERVE_RETRY_MAX_MS  5000u
#define SERVE_BATCH_DEFAULT (1u << 20)
#define SERVE_BATCH_MIN     4096u
#define SERVE_BATCH_MAX     (4u << 20)
/* Descriptors kept for the source, the store (50) and operators (64, and HTTP 64, of which as many may be ending). */
#define SERVE_FD_RESERVE        256u
#define SERVE_FILES_LEAST       8u
#define SERVE_BACKLOG           4096
#define SERVE_PER_ADDRESS_LEAST 16u
#define SERVE_STRANGERS_LEAST   16u

/*
 * Bind (an address that is taken or not up is tried for again every second), start the threads, take over the store's watermark callback: before ingest writes. consumers connect from accept_after_us on.
 * An unusable users file or certificate is an error here.
 */
int serve_start(const struct serve_options *opt, struct serve **ret, struct lt_err *err) LT_MUST_CHECK;
/* Goodbye to all, with a time to come back at; pending commits are written; threads end. NULL is fine. After ingest has stopped. */
void serve_stop(struct serve *s);
/*
 * A reload, in two steps: prepared, which may fail and changes nothing, then taken over, which cannot fail. host, port, threads, nice and whether there
 * is TLS are not looked at. Who is connected is judged again, soon and on the serve threads: who could not come in now is told so and leaves, all others
 * go on.
 */
struct serve_policy;
int serve_prepare(const struct serve *s, const struct serve_options *opt, struct serve_policy **ret,
                  struct lt_err *err) LT_MUST_CHECK;
void serve_adopt(struct serve *s, struct serve_policy *prepared); /* takes it */
void serve_discard(struct serve_policy *prepared);                /* NULL is fine */
/* Both steps. */
int serve_reload(struct serve *s, const struct serve_options *opt, struct lt_err *err) LT_MUST_CHECK;
uint16_t serve_port(const struct serve *s); /* 0: the address could not be had yet */
/* The source's clock when it was last heard, for heartbeats; any thread. 0: not known. */
void serve_set_source_time(struct serve *s, uint64_t us);

/* About every 100 ms, from one thread (main): named consumers that are away grow older. Waits for nothing. */
void serve_tick(struct serve *s);

#define SERVE_NEVER UINT64_MAX
struct serve_consumer {
    uint64_t id;
    char name[CONSUMER_NAME_MAX + 1]; /* "" anonymous */
    char user[SERVE_USER_MAX + 1];    /* "" none */
    char address[SERVE_ADDRESS_MAX];  /* ADDRESS:PORT; "" when not connected */
    char agent[64];
    const char *state; /* "handshake", "ready", "locating", "streaming", "closing", "away" (named, not connected) */
    bool tls;
    unsigned lineage; /* next byte to be sent; file "": nothing yet */
    char file[BINLOG_NAME_MAX + 1];
    uint64_t offset;
    uint64_t lag_bytes; /* from there (away: from what it committed) to the watermark */
    bool has_committed;
    struct consumer_state committed;
    uint64_t away_us;      /* "away": seen to be so, without the time in which nobody could have connected */
    uint64_t expires_us;   /* "away": forgotten after so much more of that; SERVE_NEVER: never */
    uint64_t connected_us; /* since the epoch */
    uint64_t sent_bytes;
    uint64_t sent_batches;
};
/* Connected ones and named ones that are away; malloc'd, caller frees. One moment per thread, not one for all. */
int serve_list(struct serve *s, struct serve_consumer **ret, size_t *ret_count) LT_MUST_CHECK;

/*
 * End connections: those of a name, or the one of an address as serve_list shows it. They are told that an operator did it, and not to come back by
 * themselves. Returns how many.
 */
size_t serve_end(struct serve *s, const char *who);
/* A named consumer that is not connected is no more: names_forget. Waits for the disk. */
int serve_forget(struct serve *s, const char *name, struct lt_err *err) LT_MUST_CHECK;

struct serve_view {
    uint64_t connected;
    uint64_t streaming;
    uint64_t max_lag_bytes; /* of those that stream, and of named ones that are away, from what they committed */
    uint64_t memory_bytes;  /* frames that are not there whole, and GTID sets, of all */
    uint64_t memory_limit;
    uint64_t limit; /* connections taken at most: max_consumers, less where descriptors are scarce */
    /* since start */
    uint64_t accepted;
    uint64_t refused; /* too many, in all or from one address */
    uint64_t auth_failures;
    uint64_t errors; /* Error frames but for goodbyes */
    uint64_t slow_closed;
    uint64_t shed; /* for memory */
    uint64_t accept_pauses;
    uint64_t sent_bytes;
    uint64_t sent_batches;
    uint64_t commits;
    uint64_t names;           /* now: of consumers, connected or away */
    uint64_t forgotten;       /* for having been away for consumer_max_age */
    char listen_trouble[200]; /* why nobody can connect; "": the listener is there */
};
int serve_view_get(struct serve *s, struct serve_view *ret) LT_MUST_CHECK;

/* The oldest position that a named consumer within consumer_max_lag has not done with. LT_ENOTFOUND: nothing is held back. */
int serve_min_needed(struct serve *s, struct consumer_state *ret) LT_MUST_CHECK;

#endif
