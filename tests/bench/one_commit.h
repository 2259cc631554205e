/*
 * One flagged transaction on the fake primary, and when its ACK came.
 * Layer: tests. Thread: the bench's main thread. Errors: ends the program (proc_die) where there is no ACK in time.
 */
#ifndef LT_TESTS_ONE_COMMIT_H
#define LT_TESTS_ONE_COMMIT_H

#include "daemon.h"
#include "fake_primary.h"

struct one_commit {
    uint64_t bytes;          /* of the transaction */
    uint64_t end;            /* its position */
    uint64_t acked_us;       /* monotonic clock */
    double after_sent_us;    /* from the end of sending to the ACK */
    double since_sending_us; /* from its begin */
};

void one_commit(struct fake_primary *fp, struct daemon *dm, size_t blob, struct one_commit *ret);

#endif
