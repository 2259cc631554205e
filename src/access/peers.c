/*
 * - A hash table with chains; entries live while there are connections or fresh failures.
 * Failure: an entry that finds no memory refuses the connection: what cannot be counted cannot be limited.
 */
#include "access/peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/loopback.h"

struct peer {
    struct peer *next;
    struct peer_key key;
    uint32_t connections;
    uint32_t strangers;
    unsigned failures;
    uint64_t window_us;      /* first failure counted */
    uint64_t known_until_us; /* a user came from there; 0: none yet */
};

void peers_init(struct peers *p)
{
    memset(p, 0, sizeof *p);
    (void)pthread_mutex_init(&p->lock, NULL);
}

void peers_fini(struct peers *p)
{
    for (unsigned i = 0; i < PEERS_BUCKETS; i++) {
        while (p->buckets[i] != NULL) {
            struct peer *e = p->buckets[i];
            p->buckets[i] = e->next;
            free(e);
        }
    }
    (void)pthread_mutex_destroy(&p->lock);
}

void peer_key_of(const struct sockaddr_storage *sa, struct peer_key *ret, bool *ret_loopback)
{
    memset(ret, 0, sizeof *ret);
    *ret_loopback = false;
    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        memcpy(ret->bytes + 12, &in->sin_addr, 4);
        *ret_loopback = loopback_v4(&in->sin_addr);
    } else if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        const uint8_t *a = in6->sin6_addr.s6_addr;
        *ret_loopback = loopback_v6(&in6->sin6_addr);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            memcpy(ret->bytes + 12, a + 12, 4);
        } else if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr)) {
            ret->bytes[15] = 1;
        } else {
            memcpy(ret->bytes, a, 8);
        }
    }
}

static struct peer **bucket(struct peers *p, const struct peer_key *k)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof k->bytes; i++)
        h = (h ^ k->bytes[i]) * 16777619u;
    return &p->buckets[h % PEERS_BUCKETS];
}

static struct peer *find(struct peers *p, const struct peer_key *k, bool make)
{
    struct peer **b = bucket(p, k);
    for (struct peer *e = *b; e != NULL; e = e->next) {
        if (memcmp(&e->key, k, sizeof *k) == 0)
            return e;
    }
    struct peer *e = make ? calloc(1, sizeof *e) : NULL;
    if (e != NULL) {
        e->key = *k;
        e->next = *b;
        *b = e;
    }
    return e;
}

static bool stale(const struct peer *e, uint64_t now_us)
{
    return e->connections == 0 && now_us >= e->known_until_us &&
           (e->failures == 0 || now_us >= e->window_us + PEERS_WINDOW_US);
}

static void trim_bucket(struct peer **b, uint64_t now_us)
{
    while (*b != NULL) {
        struct peer *e = *b;
        if (stale(e, now_us)) {
            *b = e->next;
            free(e);
        } else {
            b = &e->next;
        }
    }
}

int peers_enter(struct peers *p, const struct peer_key *k, uint32_t limit)
{
    int rc = 0;
    (void)pthread_mutex_lock(&p->lock);
    struct peer *e = find(p, k, true);
    if (e == NULL)
        rc = LT_ENOMEM;
    else if (limit != 0 && e->connections >= limit)
        rc = LT_EBUSY;
    else
        e->connections++;
    (void)pthread_mutex_unlock(&p->lock);
    return rc;
}

void peers_leave(struct peers *p, const struct peer_key *k, uint64_t now_us)
{
    (void)pthread_mutex_lock(&p->lock);
    struct peer *e = find(p, k, false);
    lt_assert(e != NULL && e->connections > 0);
    e->connections--;
    if (stale(e, now_us))
        trim_bucket(bucket(p, k), now_us);
    (void)pthread_mutex_unlock(&p->lock);
}

void peers_vouch(struct peers *p, const struct peer_key *k, uint64_t now_us)
{
    (void)pthread_mutex_lock(&p->lock);
    struct peer *e = find(p, k, false);
    if (e != NULL)
        e->known_until_us = now_us + PEERS_KNOWN_US;
    (void)pthread_mutex_unlock(&p->lock);
}

uint32_t peers_strangers(struct peers *p, const struct peer_key *k, bool more)
{
    (void)pthread_mutex_lock(&p->lock);
    struct peer *e = find(p, k, false);
    lt_assert(e != NULL && (more || e->strangers > 0));
    e->strangers += more ? 1 : UINT32_MAX; /* one less */
    uint32_t n = e->strangers;
    (void)pthread_mutex_unlock(&p->lock);
    return n;
}

void peers_look(struct peers *p, const struct peer_key *k, uint64_t now_us, struct peer_counts *ret)
{
    *ret = (struct peer_counts){0};
    (void)pthread_mutex_lock(&p->lock);
    const struct peer *e = find(p, k, false);
    if (e != NULL)
        *ret = (struct peer_counts){e->connections, e->strangers, now_us < e->known_until_us};
    (void)pthread_mutex_unlock(&p->lock);
}

bool peers_known(struct peers *p, const struct peer_key *k, uint64_t now_us)
{
    (void)pthread_mutex_lock(&p->lock);
    const struct peer *e = find(p, k, false);
    bool known = e != NULL && now_us < e->known_until_us;
    (void)pthread_mutex_unlock(&p->lock);
    return known;
}

unsigned peers_failed(struct peers *p, const struct peer_key *k, uint64_t now_us)
{
    unsigned n = 0;
    (void)pthread_mutex_lock(&p->lock);
    struct peer *e = find(p, k, true);
    if (e != NULL) {
        if (e->failures == 0 || now_us >= e->window_us + PEERS_WINDOW_US) {
            e->failures = 0;
            e->window_us = now_us;
        }
        n = ++e->failures;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return n;
}

void peers_trim(struct peers *p, uint64_t now_us)
{
    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < PEERS_BUCKETS; i++)
        trim_bucket(&p->buckets[i], now_us);
    (void)pthread_mutex_unlock(&p->lock);
}
