/*
 * What is kept and what goes: retention by the configuration's rules, and purge. Also the reserve for a full disk.
 *
 * Layer: ops/retention. Thread: main, all calls; the disk is touched on a worker thread.
 * Owns: that thread. Borrows: the ops object, replies until answered.
 * Errors: keep_open: LT_ENOMEM, LT_ESYS. A removal that fails is logged once and tried again at the next round.
 */
#ifndef LT_OPS_KEEP_H
#define LT_OPS_KEEP_H

#include "ops/parts/parts.h"
#include "ops/watch/keep_held.h"

struct admin_reply;

#define KEEP_FIRST_US 1000000u /* after the start, and when something changed */
#define KEEP_ROUND_US 10000000u

#define PURGE_ANSWER_US 5000000u /* then with timeout, and it goes on */

struct keep;

int keep_open(struct ops *ops, struct keep **ret, struct lt_err *err) LT_MUST_CHECK;
/* Waits for what runs. Open answers are sent. NULL is fine. */
void keep_close(struct keep *k);
void keep_tick(struct keep *k);
/* While fence_holds says so nothing goes; what runs stops at the next segment. NULL is fine. */
void keep_forbid(struct keep *k, bool forbidden);

/* As of the last round. NULL: nothing. */
void keep_held(const struct keep *k, struct keep_held *ret);

/* From the next round on, which comes soon. */
void keep_set_rules(struct keep *k, const struct ops_retention *rules);

/* All segments before `file`, of the newest history that has it. Takes the reply. One at a time: another one is busy. */
void keep_purge(struct keep *k, const char *file, bool dry_run, struct admin_reply *reply);

#endif
