/*
 * What main gives to ops when it is built: values of the configuration, callbacks, and what is only borrowed.
 * Layer: ops/parts. Values; who owns what they point at: ops.h.
 */
#ifndef LT_OPS_OPTIONS_H
#define LT_OPS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "access/anonymous.h"
#include "base/err.h"
#include "ingest/ingest.h"
#include "ops/watch/monitor.h"
#include "store/consumers.h"
#include "store/store.h"

struct event_base;

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

#define NEEDED_BY_MAX 96 /* "named consumer NAME", "replica ADDRESS" */

/* What must stay for consumers, and the rules of retention. */
struct ops_consumers {
    /* The oldest segment that a named consumer or a replica within its limit still needs; false: none. Main's thread. NULL: there are none. */
    bool (*min_needed)(void *arg, unsigned *ret_lineage, char ret_file[BINLOG_NAME_MAX + 1],
                       char ret_name[NEEDED_BY_MAX + 1]);
    void *arg;
};
struct ops_retention {
    uint64_t age_us; /* 0: never for its age */
    uint64_t bytes;  /* 0: no limit */
};

/* Who may ask over HTTP; paths NULL where not set. */
struct ops_http_access {
    const char *users_file;
    const char *ssl_cert;
    const char *ssl_key;
    const char *names;
    enum anonymous anonymous;
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
    struct ops_http_access http_access;
    struct ops_callbacks callbacks;
    struct monitor_options monitor; /* of the connection that watches the source */
    struct ops_consumers consumers;
    struct ops_retention retention;
};

#endif
