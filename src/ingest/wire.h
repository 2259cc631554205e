/*
 * Bytes to and from a source once its connection was taken over: non-blocking reads, and sends that go out whole or not at all.
 * A table of calls, so that tests can script a source in memory.
 *
 * Layer: ingest. Thread: ingest. Owns: nothing (the connection behind it does).
 * Errors: LT_EAGAIN (nothing now), LT_ECLOSED (orderly end), LT_ESYS / LT_EPROTO (broken).
 */
#ifndef LT_INGEST_WIRE_H
#define LT_INGEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct wire;

struct wire_ops {
    /* Up to cap bytes; *ret_len > 0 on 0. */
    int (*read)(struct wire *w, void *buf, size_t cap, size_t *ret_len, struct lt_err *err);
    /* All of it in one send / one TLS record, without waiting. Anything less breaks the connection: LT_ECLOSED. */
    int (*send_whole)(struct wire *w, const void *buf, size_t len, struct lt_err *err);
};

struct wire {
    const struct wire_ops *ops;
    int fd;          /* for poll; -1 in tests */
    void *tls;       /* SSL * or NULL */
    bool want_write; /* TLS must write before it can read on (key update) */
};

int wire_read(struct wire *w, void *buf, size_t cap, size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;
int wire_send_whole(struct wire *w, const void *buf, size_t len, struct lt_err *err) LT_MUST_CHECK;

/* A taken-over socket, plain (tls NULL) or TLS. Sets O_NONBLOCK. */
int wire_open_socket(struct wire *w, int fd, void *tls, struct lt_err *err) LT_MUST_CHECK;

/* Wait until the wire is readable, wake_fd (if >= 0) is, or timeout_us passed. LT_EAGAIN on time-out; 0 otherwise. */
int wire_wait(const struct wire *w, int wake_fd, uint64_t timeout_us, bool *ret_woken) LT_MUST_CHECK;

#endif
