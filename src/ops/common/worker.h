/*
 * A thread that does what may wait for a disk or a network, one job after the other, so that the loop never does.
 *
 * Layer: ops/common. Thread: worker_open, worker_submit and worker_close from the loop's thread.
 * Owns: the thread. Borrows: the event base; jobs until their done call.
 * Errors: LT_ENOMEM, LT_ESYS from worker_open; a submit cannot fail.
 * Invariants: every job submitted gets its run, on the worker's thread, and then its done, on the loop's; in the order they were submitted.
 */
#ifndef LT_OPS_WORKER_H
#define LT_OPS_WORKER_H

#include <sys/queue.h>

#include "base/err.h"

struct event_base;
struct worker;

/* First member of the caller's own struct, which done may free. */
struct worker_job {
    void (*run)(struct worker_job *job);
    void (*done)(struct worker_job *job);
    STAILQ_ENTRY(worker_job) link;
};

int worker_open(struct event_base *base, struct worker **ret, struct lt_err *err) LT_MUST_CHECK;
/* Waits until all that was submitted has run, then calls what done calls are due. NULL is fine. */
void worker_close(struct worker *w);
void worker_submit(struct worker *w, struct worker_job *job);

#endif
