/*
 * What http.c and http_listen.c share. Not for others.
 * Layer: ops/http. Thread: the http thread, but for what says otherwise.
 */
#ifndef LT_OPS_HTTP_INTERNAL_H
#define LT_OPS_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ops/http/http.h"
#include "ops/http/http_answer.h"
#include "ops/http/http_conns.h"

struct event;
struct evconnlistener;
struct evhttp;
struct evhttp_request;

struct parked {
    LIST_ENTRY(parked) link;
    struct http *http;
    struct evhttp_request *req;
    http_answer_fn render;
    uint64_t since_us;
};

struct http {
    struct event_base *base;
    struct evhttp *server;
    struct evconnlistener *listener;
    bool bound; /* the listener goes with the server */
    struct event *on_wake;
    struct event *on_sweep;
    struct event *on_turn; /* the next one */
    unsigned accepted;     /* in this turn */
    bool listening;
    bool refused; /* the last accept failed: said in the log */
    int wake;     /* eventfd: a picture is in the slot, or stop is set */
    char *host;
    uint16_t wanted_port;
    _Atomic uint16_t port; /* 0: the address could not be had yet */
    uint64_t listen_again_us;
    char trouble[200]; /* under lock: why there is no listener */
    http_picture_fn picture;
    void *arg;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_bool wanted;
    pthread_mutex_t lock; /* slot, trouble, access */
    struct http_access *access;
    struct http_picture slot;
    struct http_picture last; /* this thread's; what is shown */
    LIST_HEAD(, parked) parked;
    struct http_conns conns;
};

/* ---- http_listen.c */
/* At start, on main. An address that is taken or not up yet is tried for again by the thread. */
int http_listen(struct http *http, struct lt_err *err) LT_MUST_CHECK;
void http_listen_here(struct http *http); /* this is its thread */
/* Every SWEEP_US: the address is tried for again, and who rests looks whether there is room. */
void http_listen_sweep(struct http *http, uint64_t now_us);
void http_listen_turn(int fd, short what, void *arg); /* of on_turn; arg: http */
/* For each new connection, before it is served. */
struct bufferevent *http_listen_connection(struct event_base *base, void *arg); /* http */

#endif
