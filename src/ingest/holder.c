/*
 * - The thread waits for the socket or for stop, reads and forgets.
 * Failure: when the server ends the connection the thread ends; the holder then waits for holder_stop.
 */
#include "ingest/holder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

#include "store/store.h"

#define HOLDER_BUFFER  65536u
#define HOLDER_WAIT_US 60000000u

struct holder {
    struct source *conn;
    struct wire wire;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    pthread_t thread;
    int wake_fd;
    atomic_bool stop;
    atomic_bool open;
    uint8_t buf[HOLDER_BUFFER];
};

static void *hold(void *arg)
{
    struct holder *h = arg;
    while (!atomic_load(&h->stop)) {
        struct lt_err err;
        size_t n = 0;
        bool woken = false;
        int rc = wire_read(&h->wire, h->buf, sizeof h->buf, &n, &err);
        if (rc == LT_EAGAIN)
            lt_ignore(wire_wait(&h->wire, h->wake_fd, HOLDER_WAIT_US, &woken)); /* the loop looks again in any case */
        else if (rc != 0)
            break;
    }
    atomic_store(&h->open, false);
    return NULL;
}

int holder_start(struct source *conn, const struct wire *wire, const char *source_id, struct holder **ret,
                 struct lt_err *err)
{
    struct holder *h = calloc(1, sizeof *h);
    if (h == NULL)
        return lt_err_set(err, LT_ENOMEM, "holding a connection");
    h->conn = conn;
    h->wire = *wire;
    (void)snprintf(h->source_id, sizeof h->source_id, "%s", source_id);
    atomic_init(&h->open, true);
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = h->wake_fd < 0 ? lt_err_sys(err, LT_ESYS, "eventfd") : LT_OK;
    if (rc == 0 && thread_start(&h->thread, NULL, hold, h) != 0)
        rc = lt_err_set(err, LT_ESYS, "starting a thread that holds a connection");
    if (rc != 0) {
        if (h->wake_fd >= 0)
            (void)close(h->wake_fd);
        free(h);
        return rc;
    }
    *ret = h;
    return LT_OK;
}

void holder_stop(struct holder *h)
{
    if (h == NULL)
        return;
    uint64_t one = 1;
    atomic_store(&h->stop, true);
    (void)!write(h->wake_fd, &one, sizeof one);
    (void)pthread_join(h->thread, NULL);
    source_close(h->conn);
    (void)close(h->wake_fd);
    free(h);
}

const char *holder_source_id(const struct holder *h)
{
    return h->source_id;
}

bool holder_is_open(const struct holder *h)
{
    return atomic_load(&h->open);
}
