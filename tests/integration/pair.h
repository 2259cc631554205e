/*
 * A second server beside the rig's: a replica of the primary that may be promoted, and what a runbook does with it.
 * Layer: tests/integration. Thread: the test's main thread.
 */
#ifndef LT_INTEGRATION_PAIR_H
#define LT_INTEGRATION_PAIR_H

#include "rig.h"

/* A server with semi-sync off and its own id that logs what it replicates, and a root connection to it. */
struct pair {
    struct server *srv;
    struct sql *root;
};

void pair_start(struct pair *p, unsigned server_id);
void pair_end(struct pair *p);

/* Replicate from that server, by GTID. */
void pair_replicate(struct sql *root, const struct server *from);
/* Stop and start only the receiving side. */
void pair_stop_receiving(struct sql *root);
/* All that `from` has executed has been applied. */
bool pair_wait_caught_up(struct sql *root, struct sql *from, unsigned timeout_s);
/* No replica any more, semi-sync on. */
void pair_promote(struct sql *root);
/* Executed GTIDs as text; the caller frees. */
char *pair_executed(struct sql *root);

/* The runbook's catch-up: what the daemon has, copied by binlogtail --raw, through the flavour's own binlog tool and client. */
void pair_feed(struct pair *p, const struct daemon *dm);

/* Command to the daemon, waiting as long as a repoint may take. The caller frees. */
json_t *pair_command(const struct daemon *dm, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
/* Fence, again and again until it is on disk and the log is final: a sync on a busy machine may take its time. */
json_t *pair_fence(const struct daemon *dm);
/* error.code of an answer, or "". */
const char *pair_error(const json_t *answer);
/* A text of an answer, or "". */
const char *pair_text(const json_t *answer, const char *key);

#endif
