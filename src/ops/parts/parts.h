/*
 * The object that the rooms of ops work on, and its parts. A room sees of another one's part that it is there; what can be done with it only if its
 * library lists that room. ops.c builds them and takes them down. Not for other layers.
 * Layer: ops/parts. Thread: main, all of it.
 */
#ifndef LT_OPS_PARTS_H
#define LT_OPS_PARTS_H

#include "ingest/follow.h"
#include "ops/parts/options.h"
#include "ops/watch/watch.h"

struct admin;
struct admin_command;
struct fence;
struct fresh;
struct http;
struct keep;
struct serve;
struct replicas;
struct waits;

struct ops {
    struct ops_options opt;
    char *source_host; /* opt.settings points at these */
    char *source_socket;
    char *store_dir;
    struct ingest *ingest;
    struct serve *serve;       /* NULL: none */
    struct replicas *replicas; /* NULL: none */
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
    /* keep_forbid, once there is a keep; the fence, which stands below it, calls it so. */
    void (*forbid_removal)(struct keep *keep, bool forbidden);
    struct waits *waits;
    struct fresh *fresh;
};

#endif
