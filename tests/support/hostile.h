/*
 * Hostile traffic at all surfaces of a logtailerd: floods, drips and nonsense at the tail port (which has TLS), HTTP and the admin socket, and a user who
 * was let in and asks for too much. Each kind is a thread that goes on until it is stopped. What the daemon answers is read and not judged.
 *
 * Layer: tests/support. Thread: main starts and stops; counts from any.
 * Owns: its threads and sockets. Borrows: everything in struct hostile_target, until hostile_stop. Errors: ends the test.
 * Connections are ended by a reset, so that no port is kept for a minute.
 */
#ifndef LT_SUPPORT_HOSTILE_H
#define LT_SUPPORT_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

enum hostile_kind {
    HOSTILE_TLS_FLOOD, /* a ClientHello, the server's answer, and away */
    HOSTILE_TLS_DRIP,  /* handshakes that do not end */
    HOSTILE_GARBAGE,
    HOSTILE_PLAIN_FRAMES,
    HOSTILE_HALF_FRAMES, /* of the insider, from here */
    HOSTILE_HUGE_SETS,
    HOSTILE_MANY_NAMES, /* to here */
    HOSTILE_HTTP_DRIP,
    HOSTILE_HTTP_HEADERS, /* that do not end */
    HOSTILE_HTTP_HOSTS,   /* wrong ones */
    HOSTILE_HTTP_FLOOD,
    HOSTILE_ADMIN_IDLE,
    HOSTILE_ADMIN_GARBAGE,
    HOSTILE_ADMIN_HALF_LINES,
    HOSTILE_KINDS
};
const char *hostile_name(enum hostile_kind kind);

struct hostile_target {
    uint16_t tail_port;
    uint16_t http_port;
    const char *admin_socket;
    const char *insider_name;  /* a user's, who may use it and what follows it as consumer names */
    const char *insider_token; /* NAME:SECRET */
    const char *const *from;   /* addresses to come from; NULL: 127.0.0.1 */
    size_t n_from;
};

struct hostile;
/* bit k of kinds: that kind. */
struct hostile *hostile_start(const struct hostile_target *target, unsigned kinds);
/* How many connections so far. */
uint64_t hostile_count(const struct hostile *h, enum hostile_kind kind);
/* NULL is fine. */
void hostile_stop(struct hostile *h);

#endif
