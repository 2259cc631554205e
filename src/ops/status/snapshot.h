/*
 * One picture of everything, for one answer or one judgement: ingest, store, monitor and what follows from them (lag).
 * Each part is consistent in itself and none is older than its owner's last publication.
 *
 * Layer: ops/status. Thread: main. Owns: the GTID sets in the views, until snapshot_release. Errors: LT_ENOMEM, and then nothing is held.
 * Never waits for disk, source or consumers.
 */
#ifndef LT_OPS_SNAPSHOT_H
#define LT_OPS_SNAPSHOT_H

#include "ops/parts/parts.h"
#include "ops/watch/lag.h"
#include "replicas/replicas.h"
#include "serve/serve.h"

struct snapshot {
    uint64_t now_us; /* monotonic */
    uint64_t wall_us;
    struct ingest_view ingest;
    struct store_view store;
    struct monitor_view mon;
    bool mon_fresh;
    bool fenced;
    bool acknowledging;    /* a commit on the source waits for this process's ACK now, as far as known */
    uint64_t heard_age_us; /* since the stream's last byte */
    uint64_t durable_lag;  /* bytes received and not synced */
    uint64_t busy_us;      /* how long the file call (or sync) that ingest is in has taken; 0: it is in none */
    struct lag lag;
    struct serve_view consumers; /* zero where none are served */
    struct replicas_view replicas;
    uint64_t replicas_max_lag; /* bytes; of who is streamed to */
};

int snapshot_take(struct ops *ops, struct snapshot *ret) LT_MUST_CHECK;
/* What the server calls itself whose history is kept; "" while nothing is. */
void snapshot_expected_source(const struct snapshot *s, char ret[STORE_SOURCE_ID_MAX + 1]);
void snapshot_release(struct snapshot *s);

#endif
