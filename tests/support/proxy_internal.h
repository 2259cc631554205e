/*
 * What proxy.c (bytes move) and proxy_view.c (controls are set, records are read) share.
 * Layer: tests/support. Thread: atomics for what the pumps read in every turn, the lock for the rest.
 */
#ifndef LT_SUPPORT_PROXY_INTERNAL_H
#define LT_SUPPORT_PROXY_INTERNAL_H

#include "proxy.h"

#include <pthread.h>
#include <stdatomic.h>

#define PROXY_NOWHERE    UINT64_MAX
#define PROXY_RECORD_MAX ((size_t)8 << 20)

struct proxy_conn {
    struct proxy *px;
    pthread_t thread;
    int client;
    int server;
    atomic_bool cut;    /* end both directions */
    atomic_bool reset;  /* close with RST */
    atomic_bool closed; /* both sockets are closed */
    unsigned char *rec; /* under px->lock */
    size_t rec_len;
};

struct proxy {
    int listener;
    uint16_t port;
    uint16_t upstream;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int accept; /* enum proxy_accept */
    atomic_long left;  /* connections to be accepted yet; negative: any number */
    atomic_bool drop[2];
    atomic_bool pause[2];
    atomic_uint delay_ms[2];
    atomic_size_t split;
    atomic_bool strip_tls;
    pthread_mutex_t lock; /* all below */
    struct proxy_conn **conns;
    size_t n;
    uint64_t client_bytes;
    uint64_t corrupt_at;
    char *corrupt_text;
    unsigned corrupt_times;
    size_t corrupt_distance; /* behind the text's last byte */
    unsigned char corrupt_mask;
};

/* Clear CLIENT_SSL in the first packet of a server, where it is one that has it. */
void proxy_strip_greeting(unsigned char *data, size_t len);

#endif
