/*
 * Happy path: a request is matched to its route; one that needs a picture is parked until main has put one into the slot (eventfd wakes this
 * thread) unless the last is fresh; then it is rendered and sent.
 *
 * What can go wrong (with the listener: http_listen.c):
 * - main hangs: parked requests get 503 after HTTP_PARKED_US, which is what /healthz is for;
 * - the client goes while it is parked: its close callback takes it off the list;
 * - too many connections, or some that send a request byte by byte: of the address with most of them who has been idle for longest makes room, who does not finish a request within
 *   HTTP_IDLE_S goes (http_conns.h), so that a health check gets in whoever hangs about.
 */
#include "ops/http/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/priority.h"
#include "base/thread.h"
#include "ops/http/http_access.h"
#include "ops/http/http_answer.h"
#include "ops/http/http_conns.h"
#include "ops/http/http_internal.h"

#define FRESH_US 100000U
#define SWEEP_US 100000

/* ---- routes ---- */

static void note_conn(struct http *http, struct evhttp_request *req, bool busy)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    if (conn != NULL)
        http_conns_note(&http->conns, evhttp_connection_get_bufferevent(conn), busy, clock_mono_us());
}

static void unpark(struct parked *p)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(p->req);
    if (conn != NULL)
        evhttp_connection_set_closecb(conn, NULL, NULL);
    note_conn(p->http, p->req, false);
    LIST_REMOVE(p, link);
}

/* evhttp takes a request that is still in use off a connection that fails: it is ours to free then, else it goes with the connection. */
static void on_gone(struct evhttp_connection *conn, void *arg)
{
    struct parked *p = arg;
    (void)conn;
    LIST_REMOVE(p, link);
    if (evhttp_request_get_connection(p->req) == NULL)
        evhttp_request_free(p->req);
    free(p);
}

static void park(struct http *http, struct evhttp_request *req, http_answer_fn render)
{
    struct parked *p = calloc(1, sizeof *p);
    if (p == NULL) {
        http_reply(req, HTTP_SERVUNAVAIL, "Service Unavailable", "out of memory\n");
        return;
    }
    *p = (struct parked){.http = http, .req = req, .render = render, .since_us = clock_mono_us()};
    LIST_INSERT_HEAD(&http->parked, p, link);
    note_conn(http, req, true);
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_gone, p);
    atomic_store(&http->wanted, true);
}

static const struct route {
    const char *path;
    http_answer_fn render;
    bool needs_picture;
    http_answer_fn for_all; /* to those who may not ask; NULL: they are told so */
} routes[] = {
    {"/", http_answer_page, false, NULL},
    {"/healthz", http_answer_health, true, http_answer_health},
    {"/readyz", http_answer_ready, true, http_answer_ready_only},
    {"/status", http_answer_status, true, NULL},
    {"/latency", http_answer_latency, true, NULL},
    {"/metrics", http_answer_metrics, true, NULL},
};

static enum http_verdict judge(struct http *http, struct evhttp_request *req)
{
    (void)pthread_mutex_lock(&http->lock);
    enum http_verdict v = http_access_judge(http->access, req);
    (void)pthread_mutex_unlock(&http->lock);
    return v;
}

static void answer(struct http *http, struct evhttp_request *req, const struct route *r)
{
    enum http_verdict v = judge(http, req);
    http_answer_fn render = v == HTTP_MAY_ASK ? r->render : r->for_all;
    if (render == NULL)
        http_refuse(req, v);
    else if (r->needs_picture && (http->last.at_us == 0 || clock_mono_us() - http->last.at_us > FRESH_US))
        park(http, req, render);
    else
        render(&http->last, req);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct http *http = arg;
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    note_conn(http, req, false);
    if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        (void)evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
        http_reply(req, HTTP_BADMETHOD, "Method Not Allowed", "GET and HEAD only\n");
        return;
    }
    for (size_t i = 0; path != NULL && i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        answer(http, req, &routes[i]);
        return;
    }
    http_reply(req, HTTP_NOTFOUND, "Not Found", "there are /, /status, /latency, /metrics, /healthz and /readyz\n");
}

/* ---- the thread ---- */

static void answer_parked(struct http *http)
{
    struct parked *p = NULL;
    while ((p = LIST_FIRST(&http->parked)) != NULL) {
        unpark(p);
        p->render(&http->last, p->req);
        free(p);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct http *http = arg;
    uint64_t n = 0;
    (void)what;
    if (read(fd, &n, sizeof n) != (ssize_t)sizeof n)
        return;
    if (atomic_load(&http->stop)) {
        (void)event_base_loopbreak(http->base);
        return;
    }
    (void)pthread_mutex_lock(&http->lock);
    struct http_picture fresh = http->slot;
    http->slot = (struct http_picture){0};
    (void)pthread_mutex_unlock(&http->lock);
    if (fresh.at_us == 0)
        return;
    http_picture_fini(&http->last);
    http->last = fresh;
    answer_parked(http);
}

/* Who waited too long, and whether there is room for new connections again. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct http *http = arg;
    struct parked *next = NULL;
    uint64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    for (struct parked *p = LIST_FIRST(&http->parked); p != NULL; p = next) {
        next = LIST_NEXT(p, link);
        if (now - p->since_us < HTTP_PARKED_US)
            continue;
        unpark(p);
        http_reply(p->req, HTTP_SERVUNAVAIL, "Service Unavailable", "the main loop does not answer\n");
        free(p);
    }
    http_conns_sweep(&http->conns, HTTP_IDLE_S * UINT64_C(1000000), now);
    http_listen_sweep(http, now);
}

static void *run(void *arg)
{
    struct http *http = arg;
    http_listen_here(http);
    (void)pthread_setname_np(pthread_self(), "http");
    (void)priority_behind(10); /* nothing that people look at goes before an ACK */
    (void)event_base_dispatch(http->base);
    return NULL;
}

/* ---- life ---- */

static int make_loop(struct http *http, struct lt_err *err)
{
    static const struct timeval sweep = {.tv_usec = SWEEP_US};
    http->base = event_base_new();
    http->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (http->base == NULL || http->wake < 0)
        return lt_err_set(err, LT_ENOMEM, "http: making the event loop");
    http->server = evhttp_new(http->base);
    http->on_wake = event_new(http->base, http->wake, EV_READ | EV_PERSIST, on_wake, http);
    http->on_sweep = event_new(http->base, -1, EV_PERSIST, on_sweep, http);
    http->on_turn = event_new(http->base, -1, 0, http_listen_turn, http);
    if (http->server == NULL || http->on_wake == NULL || http->on_sweep == NULL || http->on_turn == NULL ||
        event_add(http->on_wake, NULL) != 0 || event_add(http->on_sweep, &sweep) != 0)
        return lt_err_set(err, LT_ENOMEM, "http: making the event loop");
    evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                                 EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                 EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(http->server, HTTP_HEADER_MAX);
    evhttp_set_max_body_size(http->server, 0);
    evhttp_set_timeout(http->server, HTTP_IDLE_S);
    evhttp_set_bevcb(http->server, http_listen_connection, http);
    evhttp_set_gencb(http->server, on_request, http);
    return LT_OK;
}

static int start_thread(struct http *http, struct lt_err *err)
{
    int sys = thread_start(&http->thread, NULL, run, http);
    http->started = sys == 0;
    return sys == 0 ? LT_OK : lt_err_set(err, LT_ESYS, "http: no thread: error %d", sys);
}

int http_open(const char *host, uint16_t port, struct http_access *access, http_picture_fn picture, void *arg,
              struct http **ret, struct lt_err *err)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        http_access_free(access);
        return lt_err_set(err, LT_ENOMEM, "http: out of memory");
    }
    http->access = access;
    http->wake = -1;
    http->picture = picture;
    http->arg = arg;
    http->host = strdup(host);
    http->wanted_port = port;
    LIST_INIT(&http->parked);
    http_conns_init(&http->conns);
    (void)pthread_mutex_init(&http->lock, NULL);
    int rc = http->host != NULL ? make_loop(http, err) : lt_err_set(err, LT_ENOMEM, "http: out of memory");
    if (rc == LT_OK)
        rc = http_listen(http, err);
    if (rc == LT_OK)
        rc = start_thread(http, err);
    if (rc != LT_OK) {
        http_close(http);
        return rc;
    }
    *ret = http;
    return LT_OK;
}

static void wake(const struct http *http)
{
    const uint64_t one = 1;
    if (write(http->wake, &one, sizeof one) != (ssize_t)sizeof one)
        log_warn("http", "its thread could not be woken");
}

void http_tick(struct http *http)
{
    struct http_picture fresh = {0};
    if (http == NULL || !atomic_exchange(&http->wanted, false))
        return;
    http->picture(http->arg, &fresh.status, &fresh.latency);
    fresh.at_us = clock_mono_us();
    (void)pthread_mutex_lock(&http->lock);
    struct http_picture old = http->slot;
    http->slot = fresh;
    (void)pthread_mutex_unlock(&http->lock);
    http_picture_fini(&old);
    wake(http);
}

void http_adopt(struct http *http, struct http_access *access)
{
    if (http == NULL) {
        http_access_free(access);
        return;
    }
    (void)pthread_mutex_lock(&http->lock);
    struct http_access *before = http->access;
    http->access = access;
    (void)pthread_mutex_unlock(&http->lock);
    if (strcmp(http_access_text(before), http_access_text(access)) != 0)
        log_notice("http", "%s", http_access_text(access));
    http_access_free(before);
}

void http_close(struct http *http)
{
    struct parked *p = NULL;
    struct parked *next = NULL;
    if (http == NULL)
        return;
    if (http->started) {
        atomic_store(&http->stop, true);
        wake(http);
        (void)pthread_join(http->thread, NULL);
    }
    for (p = LIST_FIRST(&http->parked); p != NULL; p = next) {
        next = LIST_NEXT(p, link);
        unpark(p);
        free(p);
    }
    if (http->server != NULL)
        evhttp_free(http->server);
    http_conns_fini(&http->conns);
    if (http->on_wake != NULL)
        event_free(http->on_wake);
    if (http->on_sweep != NULL)
        event_free(http->on_sweep);
    if (http->on_turn != NULL)
        event_free(http->on_turn);
    if (http->base != NULL)
        event_base_free(http->base);
    if (http->wake >= 0)
        (void)close(http->wake);
    http_picture_fini(&http->slot);
    http_picture_fini(&http->last);
    http_access_free(http->access);
    (void)pthread_mutex_destroy(&http->lock);
    free(http->host);
    free(http);
}

uint16_t http_port(const struct http *http)
{
    return atomic_load(&http->port);
}
