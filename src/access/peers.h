/*
 * Who connects how often, by address: connections at one time, those of them that have not said who they are, failures to authenticate in the last minute, and
 * whether a user came from there lately.
 *
 * Layer: access. Thread: any (one mutex, held for a lookup). Owns: its table; an address is forgotten when it has neither.
 * An IPv6 peer counts by its /64, an IPv4 one by its address; IPv4 in IPv6 is IPv4.
 * Errors: LT_EBUSY (the limit), LT_ENOMEM.
 */
#ifndef LT_ACCESS_PEERS_H
#define LT_ACCESS_PEERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define PEERS_BUCKETS   1024u
#define PEERS_WINDOW_US 60000000u
#define PEERS_KNOWN_US  3600000000u

struct peer_key {
    uint8_t bytes[16];
};

struct peer;
struct peers {
    pthread_mutex_t lock;
    struct peer *buckets[PEERS_BUCKETS];
};

void peers_init(struct peers *p);
void peers_fini(struct peers *p);
void peer_key_of(const struct sockaddr_storage *sa, struct peer_key *ret, bool *ret_loopback);
/* limit 0: none. After LT_OK peers_leave is due. */
int peers_enter(struct peers *p, const struct peer_key *k, uint32_t limit) LT_MUST_CHECK;
void peers_leave(struct peers *p, const struct peer_key *k, uint64_t now_us);
/* Count a failure; how many there are in the window now. */
unsigned peers_failed(struct peers *p, const struct peer_key *k, uint64_t now_us);
/* A user came from there: it is known for an hour. */
void peers_vouch(struct peers *p, const struct peer_key *k, uint64_t now_us);
bool peers_known(struct peers *p, const struct peer_key *k, uint64_t now_us);
/* Connections from there that have not said who they are, after this one more or less; between peers_enter and peers_leave. */
uint32_t peers_strangers(struct peers *p, const struct peer_key *k, bool more);
/* What there is to know of an address at one time. */
struct peer_counts {
    uint32_t connections;
    uint32_t strangers;
    bool known;
};
void peers_look(struct peers *p, const struct peer_key *k, uint64_t now_us, struct peer_counts *ret);
void peers_trim(struct peers *p, uint64_t now_us);

#endif
