/*
 * What operators and failover tools see: the admin socket's commands over the running parts. One object that main builds and takes down.
 * Does not know the configuration file (main gives values and callbacks), never waits for disk or source on the loop's thread.
 *
 * Layer: ops. Thread: the one that runs the event base (main), all calls.
 * Owns: the admin socket, HTTP, the monitor's and the free-space thread. Borrows: base, store, gate and the callbacks' arg until ops_close;
 *   the ingest thread until ops_close (ops_attach).
 * Errors: ops_open as admin_open and http_open. Commands answer errors to their client; nothing a client does is an error of the daemon.
 */
#ifndef LT_OPS_OPS_H
#define LT_OPS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "ingest/ingest.h"
#include "ops/monitor.h"
#include "serve/serve.h"
#include "store/store.h"

struct event_base;
struct ops;

/* What main does for a command. Each may be NULL: the command then does not exist. */
struct ops_callbacks {
    void (*stop)(void *arg);                                                /* soon, after the answer left */
    int (*config)(void *arg, json_t **ret_answer, struct lt_err *err);      /* rows of the configuration */
    int (*reload)(void *arg, json_t **ret_answer, struct lt_err *err);      /* read anew, all or nothing */
    int (*set_log_level)(void *arg, const char *level, struct lt_err *err); /* until the next start or reload */
    void *arg;
};

/* Values of the configuration that answers need. Strings are copied; NULL where not set. */
struct ops_settings {
    const char *source_host;
    uint32_t source_port;
    const char *source_socket;
    const char *store_dir;
    bool semi_sync;          /* source.semi_sync */
    uint64_t heartbeat_us;   /* source.heartbeat_period */
    uint64_t min_free_bytes; /* store.min_free */
};

/* What must stay for consumers, and the rules of retention. */
struct ops_consumers {
    /* The oldest segment that a named consumer within its limit still needs; false: none. Main's thread. NULL: no consumers. */
    bool (*min_needed)(void *arg, unsigned *ret_lineage, char ret_file[BINLOG_NAME_MAX + 1],
                       char ret_name[CONSUMER_NAME_MAX + 1]);
    void *arg;
};
struct ops_retention {
    uint64_t age_us; /* 0: never for its age */
    uint64_t bytes;  /* 0: no limit */
};

struct ops_options {
    struct event_base *base;
    struct store *store;
    struct ack_gate *gate;
    struct ops_settings settings;
    const char *socket_path;
    unsigned socket_mode;
    const char *socket_group; /* NULL: the process's own */
    const char *http_host;    /* NULL: no HTTP */
    uint16_t http_port;
    struct ops_callbacks callbacks;
    struct monitor_options monitor; /* of the connection that watches the source */
    struct ops_consumers consumers;
    struct ops_retention retention;
};

/* Sets the gate by what DIR/fence says, so: before ingest starts. LT_ECORRUPT: DIR/fence or DIR/source is damaged. */
int ops_open(const struct ops_options *opt, struct ops **ret, struct lt_err *err) LT_MUST_CHECK;
/* What a repoint told to follow; for ingest_options. */
const struct follow *ops_follow(const struct ops *ops);
/* Once ingest runs; before the loop does. */
void ops_attach(struct ops *ops, struct ingest *ingest);
/* Before ingest starts; NULL: consumers are not served. Borrowed until ops_close. */
void ops_attach_serve(struct ops *ops, struct serve *serve);
/* Values that a reload changed: heartbeat_us, min_free_bytes, retention and the monitor's options; the rest of opt is not looked at. */
int ops_configure(struct ops *ops, const struct ops_options *opt, struct lt_err *err) LT_MUST_CHECK;
/* Which source the configuration file names by now. It is not followed before the next start; whether a repoint leads elsewhere is judged by it. */
void ops_name_source(struct ops *ops, const char *host, uint32_t port, const char *socket);
/* About every 100 ms: what is due. */
void ops_tick(struct ops *ops);
/* Before ingest and store are taken down. NULL is fine. */
void ops_close(struct ops *ops);

#endif
