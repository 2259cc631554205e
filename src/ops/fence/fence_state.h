/*
 * What DIR/fence says: which sources are fenced and not released, and the highest epoch a tool has used.
 * Does not close a gate and does not write files: fence.h does.
 *
 * Layer: ops/fence. Pure but for memory. Thread: one at a time. Owns: its entries (fence_state_fini).
 * Errors: LT_ENOMEM, LT_ECORRUPT (fence_state_decode). Results are not written on failure.
 * Invariants: the epoch never goes down; a source id is in the list at most once.
 */
#ifndef LT_OPS_FENCE_STATE_H
#define LT_OPS_FENCE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "binlog/event.h"
#include "ops/fence/fence_guarantee.h"
#include "store/store.h"

#define FENCE_REASON_MAX 200
#define FENCE_ANY_SOURCE "*" /* fenced before the source had ever told its id */

struct fence_entry {
    char source_id[STORE_SOURCE_ID_MAX + 1];
    char reason[FENCE_REASON_MAX + 1];
    uint64_t at_us; /* wall clock */
    bool hold;      /* the mode chosen */
    bool strong;
    bool was_weak; /* at some time since the fence came: others may have confirmed what is not here */
    bool complete; /* when it came, what was held had all that was confirmed (watch.complete) */
    json_t *why;   /* array of texts; never NULL */
    /* The end of the log when it was fenced. */
    unsigned lineage;
    char file[BINLOG_NAME_MAX + 1];
    uint64_t offset;
};

struct fence_state {
    bool have_epoch;
    uint64_t epoch;
    struct fence_entry *entries; /* oldest first */
    size_t count;
};

void fence_state_init(struct fence_state *fs);
void fence_state_fini(struct fence_state *fs);
int fence_state_copy(struct fence_state *dst, const struct fence_state *src) LT_MUST_CHECK; /* dst: initialised */

/* An operation with this epoch may be carried out: it is not below the highest seen. Remembers nothing. */
bool fence_epoch_ok(const struct fence_state *fs, uint64_t epoch);
void fence_epoch_take(struct fence_state *fs, uint64_t epoch);

struct fence_entry *fence_find(const struct fence_state *fs, const char *source_id); /* NULL: not fenced */
struct fence_entry *fence_last(const struct fence_state *fs); /* the one last fenced; NULL: none */
/* A new entry at the end; ids that are there already keep theirs. *ret points into fs until the next change. */
int fence_add(struct fence_state *fs, const char *source_id, struct fence_entry **ret) LT_MUST_CHECK;
/* Where `fs` has an entry of this source, it says the same as e from now on. */
void fence_carry(struct fence_state *fs, const struct fence_entry *e);
void fence_remove(struct fence_state *fs, const char *source_id);

json_t *fence_state_encode(const struct fence_state *fs);                                    /* NULL: out of memory */
int fence_state_decode(const char *text, size_t len, struct fence_state *ret) LT_MUST_CHECK; /* ret: initialised */

#endif
