/* What the files of ops share: the object, and the families of commands. Not for other layers. Thread: main. */
#ifndef LT_OPS_OPS_INTERNAL_H
#define LT_OPS_OPS_INTERNAL_H

#include "ingest/follow.h"
#include "ops/admin.h"
#include "ops/http.h"
#include "ops/ops.h"
#include "ops/watch.h"

struct fence;
struct fresh;
struct keep;
struct waits;

struct ops {
    struct ops_options opt;
    char *source_host; /* opt.settings points at these */
    char *source_socket;
    char *store_dir;
    struct ingest *ingest;
    struct serve *serve; /* NULL: none */
    struct watch watch;
    struct admin *admin;
    struct http *http;              /* NULL: off */
    struct admin_command *commands; /* all families in one table, for the admin socket */
    uint64_t started_us;            /* wall clock */
    char
        named_host[FOLLOW_HOST_MAX +
                   1]; /* what the configuration file names by now; "" a socket, or nothing that a repoint could name */
    uint32_t named_port;
    struct fence *fence;
    struct keep *keep;
    struct waits *waits;
    struct fresh *fresh;
};

/* ops.c: after a repoint. */
void ops_source_changed(struct ops *ops);

/* A family: commands that belong together, in a file of their own; arg of each run is the struct ops. */
struct command_family {
    const struct admin_command *commands;
    size_t count;
};
extern const struct command_family commands_show;      /* commands_show.c: look, change nothing */
extern const struct command_family commands_consumers; /* commands_consumers.c: who tails */
extern const struct command_family commands_daemon;  /* commands_daemon.c: what main does: stop, reload, config, log */
extern const struct command_family commands_latency; /* latency.c */
extern const struct command_family commands_fence;   /* commands_fence.c: who gets an ACK: fence, unfence, repoint */
extern const struct command_family commands_gtid;    /* commands_gtid.c: diff, wait-gtid */
extern const struct command_family commands_keep;    /* commands_keep.c: purge, drain */

#endif
