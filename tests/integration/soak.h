/*
 * The soak: two real servers, one the primary and one its replica, logtailerd behind a proxy and on a disk of its own, eight writers; random
 * faults, and after each the same questions. test_soak.c is the loop, soak_world.c what stands there, soak_oracle.c the questions,
 * soak_faults*.c and soak_repoint.c the faults.
 *
 * Layer: tests/integration. Thread: the test's main thread; the writers are threads of their own.
 * Random: all choices come from the seed (LT_SEED; printed), in the same order in each run; what meets them in time does not repeat.
 * Errors: the first violation is printed with the seed, the store and the logs are kept (soak_fail), the loop ends.
 */
#ifndef LT_INTEGRATION_SOAK_H
#define LT_INTEGRATION_SOAK_H

#include "disk.h"
#include "pair.h"

/* Acknowledging again so long after a fault is over. */
enum { SOAK_RECOVER_MS = 15000 };

struct soak_side {
    struct server *srv;
    struct proxy *px; /* between logtailerd and this server */
    struct sql *root;
};

/* What became of each id. */
struct soak_ledger {
    unsigned char *marks; /* by id */
    size_t size;
    size_t confirmed; /* by writers that have ended */
};

struct soak {
    uint64_t seed;
    uint64_t random;
    uint64_t began_ms;
    struct soak_side side[2];
    unsigned at; /* which side is the primary */
    struct disk *disk;
    struct daemon *dm;
    struct writers *wr;
    struct soak_ledger ledger;
    int64_t no_tx; /* of the primary, when it was last all right */
    bool failed;
};

/* ---- soak_world.c ---- */
void soak_start(struct soak *s, uint64_t seed);
/* Orderly, so that a sanitizer has its say. */
void soak_end(struct soak *s);
/* False when LT_SOAK_WITHOUT (a list with commas) names it. */
bool soak_with(const char *name);
/* From 0 to n - 1; from low to high. */
uint64_t soak_random(struct soak *s, uint64_t n);
unsigned soak_between(struct soak *s, unsigned low, unsigned high);
struct soak_side *soak_primary(struct soak *s);
struct soak_side *soak_replica(struct soak *s);
void soak_reopen(struct soak_side *side);
void soak_start_writers(struct soak *s);
/* What they confirmed goes into the ledger. */
void soak_stop_writers(struct soak *s, unsigned grace_ms);
size_t soak_confirmed(struct soak *s);
/* Print, keep, remember. Only the first counts. */
void soak_fail(struct soak *s, const char *fmt, ...) SUPPORT_PRINTF(2, 3);

/* ---- soak_oracle.c ---- */
/* logtailerd is dead, its files rest: nothing that was confirmed up to now is missing in them. */
void soak_check_dead_store(struct soak *s);
/* It lives: all that was confirmed up to now is there and served within the time, files are equal, no commit returned without an ACK. */
void soak_check(struct soak *s);
/* Before segments are removed, and after: what was in those that are gone is no longer looked for. */
struct soak_removal *soak_removal_begin(struct soak *s);
void soak_removal_end(struct soak *s, struct soak_removal *removal);
void soak_ledger_fini(struct soak_ledger *ledger);
/* The writers' confirmed ids into the ledger. */
void soak_ledger_note(struct soak_ledger *ledger, struct writers *wr);

/* ---- faults ---- */
struct soak_fault {
    const char *name;
    void (*run)(struct soak *s); /* returns when the cause is gone */
    bool unprotected;            /* commits may return without an ACK meanwhile */
};
extern const struct soak_fault soak_faults[];
extern const size_t soak_fault_count;

void soak_fault_kill_logtailerd(struct soak *s);
void soak_fault_stop_in_order(struct soak *s);
void soak_fault_kill_primary(struct soak *s);
void soak_fault_kill_both(struct soak *s);
void soak_fault_freeze_logtailerd(struct soak *s);
void soak_fault_freeze_primary(struct soak *s);
void soak_fault_fence_and_kill(struct soak *s);
void soak_fault_reload(struct soak *s);
/* soak_faults_net.c */
void soak_fault_cuts(struct soak *s);
void soak_fault_unreachable(struct soak *s);
void soak_fault_stall(struct soak *s);
void soak_fault_slow(struct soak *s);
void soak_fault_lost_acks(struct soak *s);
void soak_fault_flipped_byte(struct soak *s);
/* soak_faults_sql.c */
void soak_fault_flush(struct soak *s);
void soak_fault_purge(struct soak *s);
void soak_fault_checksum(struct soak *s);
void soak_fault_semi_sync_off(struct soak *s);
void soak_fault_kill_dump(struct soak *s);
/* Not a fault: makes room on all sides when there is much. */
void soak_trim(struct soak *s);
/* soak_faults_disk.c */
void soak_fault_full_disk(struct soak *s);
void soak_fault_frozen_disk(struct soak *s);
void soak_fault_failed_sync(struct soak *s);
void soak_fault_power_cut(struct soak *s);
/* soak_repoint.c */
void soak_fault_repoint(struct soak *s);
/* The replica has all that the primary has executed; ends the test when it does not get there. */
void soak_replica_catch_up(struct soak *s);
/* The other side becomes the replica of the primary. */
void soak_make_replica(struct soak *s);

#endif
