/*
 * Tells systemd that a start which takes long goes on: a store whose newest file is huge is read for longer than TimeoutStartSec, and being
 * killed for it would go on for ever.
 *
 * Layer: daemon. Thread: begin and end from main; a thread of its own in between, where there is somebody to tell.
 * Errors: none; without memory or a thread the start has the unit's time and no more.
 */
#ifndef LT_DAEMON_START_NOTICE_H
#define LT_DAEMON_START_NOTICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define START_NOTICE_EVERY_MS  1000
#define START_NOTICE_EXTEND_US UINT64_C(120000000) /* without progress for so long: systemd may end it */

struct start_notice {
    _Atomic uint64_t progress; /* whoever works counts up */
    int wake_fd;
    bool started;
    pthread_t thread;
};

void start_notice_begin(struct start_notice *n);
/* Idempotent. */
void start_notice_end(struct start_notice *n);

#endif
