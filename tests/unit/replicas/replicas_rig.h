/*
 * The serve layer's store with a replicas listener over it, and a raw client.
 * Layer: tests/unit/replicas. Thread: the test's. Use inside CUnit cases only.
 */
#ifndef LT_UNIT_REPLICAS_RIG_H
#define LT_UNIT_REPLICAS_RIG_H

#include "raw_replica.h"
#include "replicas/replicas.h"
#include "serve_rig.h"

struct replicas_rig {
    struct serve_rig log;
    struct replicas *replicas;
};

/* Store with its first file, listener with these options (may be NULL). */
void replicas_rig_start(struct replicas_rig *r, bool mariadb, bool crc, const struct replicas_options *opt);
void replicas_rig_end(struct replicas_rig *r);
/* Logged in without a user, the session set up; opt may be NULL: not blocking. */
struct raw_replica *replicas_rig_client(struct replicas_rig *r, const struct raw_options *opt);

/* What a dump sent of one file: its stored events one behind the other, from where the dump began. */
struct received {
    uint8_t *data;
    size_t len;
    size_t cap;
    char first_rotate[BINLOG_NAME_MAX + 1]; /* of the first packet */
    uint64_t first_pos;
    unsigned made_up; /* events that are in no file */
    unsigned files;   /* that began */
    unsigned heartbeats;
    uint64_t heartbeat_pos; /* of the last */
    int end;                /* what raw_next said in the end */
};
/* Until the stream ends; only events of `file` are kept. */
void receive_all(struct raw_replica *raw, const char *file, struct received *ret);
void received_fini(struct received *got);

#endif
