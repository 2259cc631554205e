/*
 * Hostile traffic at the replicas' listener of a logtailerd: what never logs in, who logs in with a wrong password, and a user who is let in and misbehaves. Each kind
 * is a thread of lowest priority that goes on until it is stopped. What the daemon answers is read and not judged.
 *
 * Layer: tests/support. Thread: main starts and stops; counts from any.
 * Owns: its threads and sockets. Borrows: everything in struct hostile_replicas_target, until hostile_replicas_stop. Errors: ends the test.
 * Connections are ended by a reset, so that no port is kept for a minute.
 */
#ifndef LT_SUPPORT_HOSTILE_REPLICAS_H
#define LT_SUPPORT_HOSTILE_REPLICAS_H

#include <stddef.h>
#include <stdint.h>

enum hostile_replica {
    HOSTILE_REPLICA_GARBAGE,
    HOSTILE_REPLICA_TLS,      /* asks for TLS, a ClientHello, and away */
    HOSTILE_REPLICA_HALF,     /* logins that do not end */
    HOSTILE_REPLICA_PASSWORD, /* a wrong one, the way that costs the server most */
    HOSTILE_REPLICA_ENDLESS,  /* packets that do not end, and numbers that do not follow */
    HOSTILE_REPLICA_HUGE,     /* from here of the insider: statements of 64 MiB */
    HOSTILE_REPLICA_PIPELINE, /* thousands of commands without reading an answer */
    HOSTILE_REPLICA_SLOW,     /* dumps that nobody reads */
    HOSTILE_REPLICA_TALKS,    /* commands in the middle of a dump */
    HOSTILE_REPLICA_CLOSED,   /* half-closed sockets */
    HOSTILE_REPLICA_KINDS
};
const char *hostile_replica_name(enum hostile_replica kind);

struct hostile_replicas_target {
    uint16_t port;
    const char *insider; /* a user who may attach, with a verifier of mysql_native_password; NULL: nobody is needed */
    const char *insider_password; /* NULL: none */
    const char *file;             /* that dumps ask for */
    const char *const *from;      /* addresses to come from; NULL: 127.0.0.1 */
    size_t n_from;
};

struct hostile_replicas;
/* bit k of kinds: that kind. */
struct hostile_replicas *hostile_replicas_start(const struct hostile_replicas_target *target, unsigned kinds);
/* How many connections so far. */
uint64_t hostile_replicas_count(const struct hostile_replicas *h, enum hostile_replica kind);
/* NULL is fine. */
void hostile_replicas_stop(struct hostile_replicas *h);

/* SHA1(SHA1(password)) as a users file has it, and what a client proves with; both over the 20 bytes of a nonce. */
void hostile_replica_verifier(const char *password, char ret[42]);

#endif
