/* The commands of the admin socket, by family: those that belong together, in a file of their own. Layer: ops/commands. Thread: main. */
#ifndef LT_OPS_FAMILIES_H
#define LT_OPS_FAMILIES_H

#include <stddef.h>

#include "ops/admin/admin.h"

/* arg of each run is the struct ops. */
struct command_family {
    const struct admin_command *commands;
    size_t count;
};
extern const struct command_family commands_show;      /* commands_show.c: look, change nothing */
extern const struct command_family commands_consumers; /* commands_consumers.c: who tails */
extern const struct command_family commands_daemon;   /* commands_daemon.c: what main does: stop, reload, config, log */
extern const struct command_family commands_replicas; /* commands_replicas.c: who replicates */
extern const struct command_family commands_latency;  /* commands_latency.c */
extern const struct command_family commands_fence;    /* commands_fence.c: who gets an ACK: fence, unfence, repoint */
extern const struct command_family commands_gtid;     /* commands_gtid.c: diff, wait-gtid */
extern const struct command_family commands_keep;     /* commands_keep.c: purge, drain */

#endif
