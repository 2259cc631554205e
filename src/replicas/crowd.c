/*
 * Who may connect, and who has to go for him: so that no address, and nobody who never logs in, takes the places of others.
 *
 * - One address may hold a quarter of the places; where connections are not counted (loopback, by default) as many as there are.
 * - Who has not logged in is a stranger, unless a user came from his address lately. Strangers may hold a quarter of the places, and those of one address a quarter of that: a newcomer takes the
 *   place of the stranger who came first, of those from the address that has most of them. Logging in takes a moment; who makes a crowd loses his own.
 * - Where all places are taken, strangers go first, those on loopback too.
 */
#include <string.h>

#include "base/clock.h"
#include "replicas/internal.h"

#define LEAST     16u   /* of each of these limits */
#define LOOKED_AT 1024u /* strangers, for one that has to go */

static uint64_t share(uint64_t of)
{
    return of / 4 > LEAST ? of / 4 : LEAST;
}

uint64_t crowd_places(const struct replicas *r)
{
    uint64_t allowed = atomic_load(&r->fd_limit);
    return r->policy->max_replicas < allowed ? r->policy->max_replicas : allowed;
}

static struct peer_counts counts_of(struct replicas *r, const struct peer_key *key)
{
    struct peer_counts n;
    peers_look(&r->peers, key, clock_mono_us(), &n);
    return n;
}

/* The stranger who came first, of the address that has most of them; of those that are limited, or of all. */
static struct client *dispensable(struct replicas *r, bool limited)
{
    struct client *worst = NULL;
    uint32_t most = 0;
    unsigned n = 0;
    for (struct client *s = TAILQ_FIRST(&r->strangers); s != NULL && n < LOOKED_AT; s = TAILQ_NEXT(s, stranger)) {
        uint32_t here = limited && !s->is_limited ? 0 : counts_of(r, &s->key).strangers;
        if (here > most) {
            most = here;
            worst = s;
        }
        n++;
    }
    return worst;
}

static struct client *first_of(struct replicas *r, const struct peer_key *key)
{
    struct client *s = TAILQ_FIRST(&r->strangers);
    while (s != NULL && memcmp(&s->key, key, sizeof *key) != 0)
        s = TAILQ_NEXT(s, stranger);
    return s;
}

static void make_way(struct client *s)
{
    atomic_fetch_add(&s->r->refused, 1);
    client_close(s, "no login yet, and others are waiting");
}

static bool is_counted(const struct replicas *r, bool loopback)
{
    return !loopback || r->policy->limit_loopback;
}

bool crowd_has_room(struct replicas *r, const struct sockaddr_storage *from, const char **ret_why)
{
    struct peer_key key;
    bool loopback;
    uint64_t places = crowd_places(r);
    peer_key_of(from, &key, &loopback);
    struct peer_counts here = counts_of(r, &key);
    bool counted = is_counted(r, loopback);
    bool limited = counted && !here.known;
    bool all_of_his = counted && here.connections >= share(places);
    struct client *goes = NULL;
    if (all_of_his || (limited && here.strangers >= share(share(places))))
        goes = first_of(r, &key);
    else if (limited && r->limited_strangers >= share(places))
        goes = dispensable(r, true);
    else if (atomic_load(&r->connected) >= places)
        goes = dispensable(r, false);
    if (goes != NULL)
        make_way(goes);
    *ret_why = all_of_his ? "so many come from its address" : "all places are taken";
    return all_of_his ? goes != NULL : atomic_load(&r->connected) < places;
}

int crowd_enter(struct client *s, const struct sockaddr_storage *from)
{
    struct replicas *r = s->r;
    peer_key_of(from, &s->key, &s->loopback);
    int rc = peers_enter(&r->peers, &s->key, 0);
    if (rc != 0)
        return rc;
    (void)peers_strangers(&r->peers, &s->key, true);
    s->is_stranger = true;
    s->is_limited = is_counted(r, s->loopback) && !counts_of(r, &s->key).known;
    r->limited_strangers += s->is_limited ? 1 : 0;
    TAILQ_INSERT_TAIL(&r->strangers, s, stranger);
    return 0;
}

static void no_stranger(struct client *s)
{
    if (!s->is_stranger)
        return;
    s->is_stranger = false;
    s->r->limited_strangers -= s->is_limited ? 1 : 0;
    (void)peers_strangers(&s->r->peers, &s->key, false);
    TAILQ_REMOVE(&s->r->strangers, s, stranger);
}

void crowd_logged_in(struct client *s)
{
    no_stranger(s);
    if (!s->anonymous)
        peers_vouch(&s->r->peers, &s->key, clock_mono_us());
}

void crowd_leave(struct client *s)
{
    no_stranger(s);
    peers_leave(&s->r->peers, &s->key, clock_mono_us());
}
