/*
 * Places as MariaDB's replicas name them: in this domain, all up to that one GTID, whichever servers wrote it. Whether the log has such a place, and what a
 * server answers where it has not.
 *
 * Layer: feed. Pure. Thread: any. Borrows: everything. Errors: verdicts.
 * Source: MariaDB's public check of a replica's start position; compared with 10.11.19 by the `same` test.
 */
#ifndef LT_FEED_AFTER_H
#define LT_FEED_AFTER_H

#include <stdbool.h>
#include <stddef.h>

#include "binlog/gtid.h"

struct walk_after {
    struct gtid gtid;
    bool reached;
    bool unseen; /* the log had nothing of the domain: of another of the replica's sources, until something comes */
};

enum after_found { AFTER_HELD, AFTER_NO_DOMAIN, AFTER_NOT_HELD, AFTER_DIVERGED };

/* held: all that was ever logged. ret_last: the number of the domain's last GTID. */
enum after_found after_look_up(const struct gtid_set *held, const struct gtid *g, uint64_t *ret_last);

#define AFTER_TEXT_MAX 420
/* AFTER_NOT_HELD, AFTER_DIVERGED. */
void after_refusal(enum after_found why, const struct gtid *g, char ret[AFTER_TEXT_MAX]);
/* g is what the replica named, and neither it nor a place before or behind it. */
void after_hole(const struct gtid *g, char ret[AFTER_TEXT_MAX]);

#endif
