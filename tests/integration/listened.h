/*
 * A real primary with a small history, and a logtailerd that has caught up and listens for replicas, with the primary's own replication user let in.
 *
 * Layer: tests. Thread: one. Owns: all of it, until listened_end.
 */
#ifndef LT_TESTS_LISTENED_H
#define LT_TESTS_LISTENED_H

#include "rig.h"

struct listened {
    struct rig r;
    uint16_t port;
    char *folder; /* for what a test writes */
};

/* Files, small rows and one of 3 MB, a transaction, DDL. */
void listened_begin(struct listened *l);
void listened_end(struct listened *l);

#endif
