/*
 * DIR/identity: who we are towards a source; small key=value text, replaced atomically (temporary file, fsync, rename, fsync of DIR).
 *
 * Layer: store. Thread: ingest. A DIR copied to another machine (another machine-id than is recorded; without one, another host name) gets fresh
 * ids.
 */
#ifndef LT_STORE_IDENTITY_H
#define LT_STORE_IDENTITY_H

#include "store/store.h"

struct identity {
    char server_uuid[37]; /* towards MySQL, for acknowledging dumps */
    char prove_uuid[37];  /* for proving dumps */
    uint32_t
        server_id; /* base; MariaDB uses base + n mod 16 (base is a multiple of 32; proving dumps use base + 16 + n mod 16) */
    char machine[129];            /* hostname:machine-id this was made on */
    uint32_t dump_serial;         /* n of the last MariaDB dump */
    uint64_t last_thread_id;      /* thread of the last dump on the source, 0 none */
    uint64_t last_source_start_s; /* the source's start time as of that dump, seconds since the epoch */
    uint32_t former;              /* server_id before this one, whose ACKs may still count on a source; 0: none */
    bool renewed;                 /* loaded on another machine: ids were made anew (not stored) */
};

#define IDENTITY_FORMER_UNKNOWN 1u /* DIR/identity was lost; no id of ours is so low, and a configured one hardly */

/* Both as recorded: hostname:machine-id. */
bool identity_same_machine(const char *a, const char *b);

/* Load, or make and save. configured_server_id != 0 overrides (and is stored). */
int identity_load(struct store *s, uint32_t configured_server_id, struct identity *ret,
                  struct lt_err *err) LT_MUST_CHECK;
int identity_save(struct store *s, const struct identity *id, struct lt_err *err) LT_MUST_CHECK;

#endif
