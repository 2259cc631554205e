/*
 * - A numeric address is answered at once.
 * - A name is looked up in a detached thread that owns a reference-counted request; the caller waits with a deadline.
 * - Late: the last good addresses of that name if there are any (kept for one name, a tailer has one source), else LT_ETIMEOUT.
 *   The thread ends by itself whenever the resolver does.
 * - However many addresses a name has, all are kept.
 */
#include "ingest/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

#define NAME_LEN 256

struct request {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    atomic_int refs;
    bool done;
    int gai_error;
    char host[NAME_LEN];
    struct resolved found;
};

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static char cache_host[NAME_LEN];
static struct resolved cache;
static char worked_host[NAME_LEN];
static char worked_address[RESOLVE_ADDRESS_LEN];

void resolve_fini(struct resolved *r)
{
    free(r->address);
    *r = (struct resolved){0};
}

static ssize_t index_of(const struct resolved *r, const char *address)
{
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->address[i], address) == 0)
            return (ssize_t)i;
    }
    return -1;
}

static int add(struct resolved *r, const char *address)
{
    if (index_of(r, address) >= 0)
        return 0;
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed was set to nothing
    char(*grown)[RESOLVE_ADDRESS_LEN] = reallocarray(r->address, r->count + 1, sizeof *grown);
    if (grown == NULL)
        return EAI_MEMORY;
    r->address = grown;
    memset(grown[r->count], 0, sizeof *grown);
    strncpy(grown[r->count++], address, sizeof *grown - 1);
    return 0;
}

static int copy(struct resolved *to, const struct resolved *from)
{
    *to = (struct resolved){0};
    for (size_t i = 0; i < from->count; i++)
        if (add(to, from->address[i]) != 0) {
            resolve_fini(to);
            return EAI_MEMORY;
        }
    return 0;
}

static void request_unref(struct request *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->done_cond);
    resolve_fini(&r->found);
    free(r);
}

static int lookup(const char *host, struct resolved *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    char address[RESOLVE_ADDRESS_LEN];
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc == EAI_ADDRFAMILY || rc == EAI_NONAME || rc == EAI_NODATA) { /* a machine that has only loopback */
        hints.ai_flags = 0;
        rc = getaddrinfo(host, NULL, &hints, &list);
    }
    if (rc != 0)
        return rc;
    for (const struct addrinfo *ai = list; ai != NULL && rc == 0; ai = ai->ai_next) {
        rc = getnameinfo(ai->ai_addr, ai->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
        if (rc == 0)
            rc = add(ret, address);
    }
    freeaddrinfo(list);
    return rc;
}

static void *lookup_thread(void *arg)
{
    struct request *r = arg;
    struct resolved found = {0};
    int rc = lookup(r->host, &found);
    pthread_mutex_lock(&r->lock);
    r->gai_error = rc;
    r->found = found;
    r->done = true;
    pthread_cond_signal(&r->done_cond);
    pthread_mutex_unlock(&r->lock);
    request_unref(r);
    return NULL;
}

static struct request *request_new(const char *host)
{
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->done_cond, &attr);
    pthread_condattr_destroy(&attr);
    atomic_init(&r->refs, 2);
    strncpy(r->host, host, sizeof r->host - 1);
    return r;
}

static bool start_lookup(struct request *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = thread_start(&thread, &attr, lookup_thread, r);
    pthread_attr_destroy(&attr);
    return rc == 0;
}

static struct timespec deadline_after(uint64_t us)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(us / 1000000);
    ts.tv_nsec += (long)(us % 1000000) * 1000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

/* Wait for the answer; the addresses on 0. */
static int await_request(struct request *r, uint64_t timeout_us, struct resolved *ret, int *ret_gai)
{
    struct timespec until = deadline_after(timeout_us);
    pthread_mutex_lock(&r->lock);
    while (!r->done && pthread_cond_timedwait(&r->done_cond, &r->lock, &until) == 0)
        ;
    bool done = r->done;
    *ret_gai = r->gai_error;
    if (done && *ret_gai == 0)
        *ret_gai = copy(ret, &r->found);
    pthread_mutex_unlock(&r->lock);
    if (!done)
        return LT_ETIMEOUT;
    if (*ret_gai == EAI_MEMORY)
        return LT_ENOMEM;
    return *ret_gai == 0 ? LT_OK : LT_ENOTFOUND;
}

static void cache_put(const char *host, const struct resolved *found)
{
    struct resolved fresh;
    if (copy(&fresh, found) != 0)
        return;
    pthread_mutex_lock(&cache_lock);
    strncpy(cache_host, host, sizeof cache_host - 1);
    resolve_fini(&cache);
    cache = fresh;
    pthread_mutex_unlock(&cache_lock);
}

static bool cache_get(const char *host, struct resolved *ret)
{
    pthread_mutex_lock(&cache_lock);
    bool hit = cache_host[0] != '\0' && strcmp(cache_host, host) == 0 && copy(ret, &cache) == 0;
    pthread_mutex_unlock(&cache_lock);
    return hit;
}

void resolve_worked(const char *host, const char *address)
{
    pthread_mutex_lock(&cache_lock);
    strncpy(worked_host, host, sizeof worked_host - 1);
    strncpy(worked_address, address, sizeof worked_address - 1);
    pthread_mutex_unlock(&cache_lock);
}

/* The one that worked goes to the front; the others keep their order. */
static void prefer_what_worked(const char *host, struct resolved *r)
{
    char address[RESOLVE_ADDRESS_LEN] = "";
    pthread_mutex_lock(&cache_lock);
    if (strcmp(worked_host, host) == 0)
        memcpy(address, worked_address, sizeof address);
    pthread_mutex_unlock(&cache_lock);
    ssize_t at = index_of(r, address);
    if (at < 0)
        return;
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): found in it a moment ago
    memmove(r->address + 1, r->address, (size_t)at * sizeof *r->address);
    memcpy(r->address[0], address, sizeof address);
    r->first_worked = true;
}

static bool is_numeric(const char *host)
{
    unsigned char raw[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

static int ask(const char *host, uint64_t timeout_us, struct resolved *ret, struct lt_err *err)
{
    struct request *r = request_new(host);
    if (r == NULL)
        return lt_err_set(err, LT_ENOMEM, "looking up %s", host);
    if (!start_lookup(r)) {
        atomic_store(&r->refs, 1);
        request_unref(r);
        return lt_err_set(err, LT_ENOMEM, "looking up %s: no thread", host);
    }
    int gai = 0;
    int rc = await_request(r, timeout_us, ret, &gai);
    request_unref(r);
    if (rc == LT_OK)
        cache_put(host, ret);
    else if (!cache_get(host, ret))
        return lt_err_set(err, rc, "host name %s: %s", host,
                          rc == LT_ETIMEOUT ? "the resolver did not answer in time" : gai_strerror(gai));
    return LT_OK;
}

int resolve_host(const char *host, uint64_t timeout_us, struct resolved *ret, struct lt_err *err)
{
    *ret = (struct resolved){0};
    if (strlen(host) >= NAME_LEN)
        return lt_err_set(err, LT_EINVAL, "host name is too long");
    int rc = LT_OK;
    if (!is_numeric(host))
        rc = ask(host, timeout_us, ret, err);
    else if (add(ret, host) != 0)
        rc = lt_err_set(err, LT_ENOMEM, "address %s", host);
    if (rc == 0)
        prefer_what_worked(host, ret);
    return rc;
}
