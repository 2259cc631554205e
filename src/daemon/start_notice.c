/*
 * - Once a second, when something was done since: EXTEND_TIMEOUT_USEC. A start that hangs is not extended.
 * - Nobody listens (no NOTIFY_SOCKET): no thread.
 */
#include "daemon/start_notice.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/thread.h"

static void *tell(void *arg)
{
    struct start_notice *n = arg;
    struct pollfd p = {.fd = n->wake_fd, .events = POLLIN};
    uint64_t last = 0;
    while (poll(&p, 1, START_NOTICE_EVERY_MS) == 0) {
        uint64_t done = atomic_load(&n->progress);
        if (done != last)
            (void)sd_notifyf(0,
                             "EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=Reading the store: %" PRIu64 " file calls so far",
                             START_NOTICE_EXTEND_US, done);
        last = done;
    }
    return NULL;
}

void start_notice_begin(struct start_notice *n)
{
    atomic_init(&n->progress, 0);
    n->started = false;
    n->wake_fd = -1;
    if (getenv("NOTIFY_SOCKET") == NULL) // NOLINT(concurrency-mt-unsafe): before other threads
        return;
    n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    n->started = n->wake_fd >= 0 && thread_start(&n->thread, NULL, tell, n) == 0;
}

void start_notice_end(struct start_notice *n)
{
    const uint64_t one = 1;
    if (n->started && write(n->wake_fd, &one, sizeof one) == (ssize_t)sizeof one)
        (void)pthread_join(n->thread, NULL);
    if (n->wake_fd >= 0)
        (void)close(n->wake_fd);
    n->started = false;
    n->wake_fd = -1;
}
