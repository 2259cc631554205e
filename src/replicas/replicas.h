/*
 * The listener that speaks MySQL's own protocol: replicas, mysqlbinlog and other binlog clients attach to the durable log as to a source. One thread with
 * an event loop. Knows nothing of the source, of ACKs and of the tail protocol; it reads the store and never makes its writer wait.
 *
 * Layer: replicas. Thread: start, stop, prepare and adopt from one thread (main); view from any.
 * Owns: its thread, sockets and descriptors. Borrows: the store until replicas_stop returns; options are copied.
 * Errors: LT_EINVAL for addresses that this user may not have, users files and certificates that cannot be used, LT_ESYS, LT_ENOMEM.
 * Units: microseconds, bytes.
 */
#ifndef LT_REPLICAS_REPLICAS_H
#define LT_REPLICAS_REPLICAS_H

#include <stdbool.h>
#include <stdint.h>

#include "access/anonymous.h"
#include "base/err.h"
#include "store/store.h"

struct replicas;

struct replicas_options {
    struct store *store;
    const char *host; /* to listen on */
    uint16_t port;    /* 0: the kernel chooses; replicas_port tells */
    /* Who we are towards replicas: ours, never the source's. */
    char server_uuid[37];
    uint32_t server_id;
    int nice; /* of the thread; 0: REPLICAS_NICE */

    /* What a reload may change. */
    const char *users_file; /* NULL: no users */
    const char *ssl_cert;   /* NULL: no TLS. Whether there is TLS at all does not change in a reload */
    const char *ssl_key;
    const char *ssl_ca; /* a client's certificate, where it has one, must be of these */
    enum anonymous anonymous;
    uint32_t max_replicas;
    uint64_t max_lag;         /* bytes; who is streamed to and no further behind holds segments back. 0: nobody does */
    uint64_t send_timeout_us; /* 0: 60 s */

    /* Test hooks; 0, false: the documented defaults. */
    bool limit_loopback; /* as any address */
    uint64_t login_us;
    uint64_t auth_delay_us;
    size_t input_memory;
};

#define REPLICAS_FD_RESERVE      512u /* kept for the source, the store, operators and consumers */
#define REPLICAS_FILES_LEAST     8u
#define REPLICAS_NICE            10
#define REPLICAS_LOGIN_US        10000000u /* from accept to the end of the login */
#define REPLICAS_LOGIN_MAX       (68u << 10)
#define REPLICAS_AUTH_DELAY_US   1000000u /* a wrong password is answered so late */
#define REPLICAS_SEND_TIMEOUT_US 60000000u
#define REPLICAS_COMMAND_MAX     (32u << 20)  /* a GTID set of a million intervals is 16 MiB */
#define REPLICAS_INPUT_MEMORY    (128u << 20) /* of commands that are not there whole, of all */

/* Bind (an address that is taken or not up is tried for again every second), start the thread, take a watermark callback: before ingest writes. */
int replicas_start(const struct replicas_options *opt, struct replicas **ret, struct lt_err *err) LT_MUST_CHECK;
/* NULL is fine. After ingest has stopped. */
void replicas_stop(struct replicas *r);

/* A reload: prepared, which may fail and changes nothing, then taken over, which cannot fail. Who could not come in now is closed soon. */
struct replicas_policy;
int replicas_prepare(const struct replicas *r, const struct replicas_options *opt, struct replicas_policy **ret,
                     struct lt_err *err) LT_MUST_CHECK;
void replicas_adopt(struct replicas *r, struct replicas_policy *prepared); /* takes it */
void replicas_discard(struct replicas_policy *prepared);                   /* NULL is fine */

/* How many descriptors its connections and files take at most; what others leave to it. */
uint64_t replicas_descriptors(const struct replicas *r);
uint16_t replicas_port(const struct replicas *r); /* 0: the address could not be had yet */

struct replicas_view {
    uint64_t connected;
    uint64_t streaming;
    /* since start */
    uint64_t accepted;
    uint64_t refused; /* too many */
    uint64_t denied;  /* logins */
    uint64_t slow_closed;
    uint64_t sent_bytes;
};
void replicas_view_get(const struct replicas *r, struct replicas_view *ret);

/* Our own source, for SHOW REPLICA STATUS here. Any thread. */
struct replicas_upstream {
    char host[256]; /* or a socket's path */
    uint32_t port;
    bool connected; /* a stream is open */
    bool fenced;    /* none will be */
    bool lag_known;
    uint64_t lag_s;
    uint32_t server_id;
    char uuid[37];
    char cipher[64]; /* "": no TLS */
    char error[512]; /* "": nothing is in the way */
};
void replicas_set_upstream(struct replicas *r, const struct replicas_upstream *u);

/* One who is connected, as of at most REPLICAS_VIEW_US ago. */
struct replicas_client {
    uint32_t thread_id;
    char address[72];
    char user[129];    /* "": it came without one */
    const char *kind;  /* "mysql replica", "mariadb replica", "client" */
    const char *state; /* "login", "idle", "locating", "streaming", "closing" */
    bool tls;
    bool by_gtid;
    uint32_t server_id; /* as registered, else as the dump said it; 0: not told */
    char uuid[37];      /* "": not told */
    char host[256];     /* as registered; "" not told */
    uint16_t port;
    unsigned lineage;
    char file[BINLOG_NAME_MAX + 1]; /* "": it is sent nothing */
    uint64_t offset;
    uint64_t lag_bytes;
    uint64_t connected_us; /* wall clock */
    uint64_t sent_bytes;
};
#define REPLICAS_VIEW_US 1000000u

/* *ret: malloc'd, in the order they came. LT_ENOMEM. Any thread; waits for no disk and no replica. */
int replicas_list(struct replicas *r, struct replicas_client **ret, size_t *ret_count) LT_MUST_CHECK;
/* Ends connections, soon: by ADDRESS:PORT, server id or uuid. How many. */
size_t replicas_end(struct replicas *r, const char *who);
/* Bytes that the slowest who is streamed to is behind; 0: nobody is. */
uint64_t replicas_max_lag(struct replicas *r);
/* The oldest place that somebody within max_lag is streamed from. LT_ENOTFOUND: nothing is held back. */
int replicas_min_needed(struct replicas *r, struct replicas_client *ret) LT_MUST_CHECK;

#endif
