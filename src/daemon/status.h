/*
 * The answers of the admin socket that show where we are: status and position, from snapshots, never waiting for disk or source.
 * Layer: daemon. Thread: main. Errors: LT_ENOMEM.
 */
#ifndef LT_DAEMON_STATUS_H
#define LT_DAEMON_STATUS_H

#include <jansson.h>

#include "daemon/conf.h"
#include "ingest/ingest.h"
#include "store/store.h"

struct status_sources {
    const struct conf *conf;
    struct store *store;
    struct ingest *ingest;
    uint64_t started_us; /* wall clock */
};

int status_answer(const struct status_sources *src, json_t **ret_answer) LT_MUST_CHECK;
int position_answer(const struct status_sources *src, json_t **ret_answer) LT_MUST_CHECK;

#endif
