/*
 * - A numeric address is answered at once.
 * - A name is looked up in a detached thread that owns a reference-counted request; the caller waits with a deadline.
 * - Late: the last good address of that name if there is one (kept for one name, a tailer has one source), else LT_ETIMEOUT.
 *   The thread ends by itself whenever the resolver does.
 */
#include "ingest/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

#define ADDRESS_LEN 64
#define NAME_LEN    256

struct request {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    atomic_int refs;
    bool done;
    int gai_error;
    char host[NAME_LEN];
    char address[ADDRESS_LEN];
};

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static char cache_host[NAME_LEN];
static char cache_address[ADDRESS_LEN];

static void request_unref(struct request *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->done_cond);
    free(r);
}

static int lookup(const char *host, char *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return rc;
    rc = getnameinfo(list->ai_addr, list->ai_addrlen, address, ADDRESS_LEN, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(list);
    return rc;
}

static void *lookup_thread(void *arg)
{
    struct request *r = arg;
    char address[ADDRESS_LEN] = "";
    int rc = lookup(r->host, address);
    pthread_mutex_lock(&r->lock);
    r->gai_error = rc;
    memcpy(r->address, address, sizeof r->address);
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

/* Wait for the answer; the address on 0. */
static int await_request(struct request *r, uint64_t timeout_us, char *address, int *ret_gai)
{
    struct timespec until = deadline_after(timeout_us);
    pthread_mutex_lock(&r->lock);
    while (!r->done && pthread_cond_timedwait(&r->done_cond, &r->lock, &until) == 0)
        ;
    bool done = r->done;
    *ret_gai = r->gai_error;
    memcpy(address, r->address, ADDRESS_LEN);
    pthread_mutex_unlock(&r->lock);
    if (!done)
        return LT_ETIMEOUT;
    return *ret_gai == 0 ? LT_OK : LT_ENOTFOUND;
}

static void cache_put(const char *host, const char *address)
{
    pthread_mutex_lock(&cache_lock);
    strncpy(cache_host, host, sizeof cache_host - 1);
    memcpy(cache_address, address, sizeof cache_address);
    pthread_mutex_unlock(&cache_lock);
}

static bool cache_get(const char *host, char *address)
{
    pthread_mutex_lock(&cache_lock);
    bool hit = cache_host[0] != '\0' && strcmp(cache_host, host) == 0;
    if (hit)
        memcpy(address, cache_address, ADDRESS_LEN);
    pthread_mutex_unlock(&cache_lock);
    return hit;
}

static bool is_numeric(const char *host)
{
    unsigned char raw[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

int resolve_host(const char *host, uint64_t timeout_us, char *buf, size_t cap, struct lt_err *err)
{
    if (cap < ADDRESS_LEN || strlen(host) >= NAME_LEN)
        return lt_err_set(err, LT_EINVAL, "host name is too long");
    if (is_numeric(host)) {
        memcpy(buf, host, strlen(host) + 1);
        return LT_OK;
    }
    struct request *r = request_new(host);
    if (r == NULL)
        return lt_err_set(err, LT_ENOMEM, "looking up %s", host);
    if (!start_lookup(r)) {
        atomic_store(&r->refs, 1);
        request_unref(r);
        return lt_err_set(err, LT_ENOMEM, "looking up %s: no thread", host);
    }
    char address[ADDRESS_LEN];
    int gai = 0;
    int rc = await_request(r, timeout_us, address, &gai);
    request_unref(r);
    if (rc == LT_OK)
        cache_put(host, address);
    else if (!cache_get(host, address))
        return lt_err_set(err, rc, "host name %s: %s", host,
                          rc == LT_ETIMEOUT ? "the resolver did not answer in time" : gai_strerror(gai));
    memcpy(buf, address, ADDRESS_LEN);
    return LT_OK;
}
