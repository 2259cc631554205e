/*
 * The listener of HTTP, and how many connections come in.
 *
 * - the address is taken or not up yet: tried for again every second, see http_get_trouble.
 * - many at once, behind a stall: few are taken in one turn of the loop, so that each is heard before those behind it could have it closed as idle;
 * - more than that all the same, or all of them waiting for answers: the listener rests, and a timer looks again.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/listen.h"
#include "base/log.h"
#include "ops/http/http_access.h"
#include "ops/http/http_internal.h"

#define BACKLOG      128
#define TURN_ACCEPTS 8u /* few against the connections that there may be, also where descriptors are scarce */

static void say_trouble(struct http *http, const char *text)
{
    (void)pthread_mutex_lock(&http->lock);
    (void)snprintf(http->trouble, sizeof http->trouble, "%.190s", text);
    (void)pthread_mutex_unlock(&http->lock);
}

void http_get_trouble(struct http *http, char *buf, size_t cap)
{
    (void)pthread_mutex_lock(&http->lock);
    (void)snprintf(buf, cap, "%s", http->trouble);
    (void)pthread_mutex_unlock(&http->lock);
}

/* Whose thread this is: the argument of a listener's callbacks belongs to evhttp. */
static _Thread_local struct http *of_thread;

/* No descriptor, as a rule: the listener would report it again and again. The next sweep tries. */
static void on_accept_error(struct evconnlistener *listener, void *of_evhttp)
{
    struct http *http = of_thread;
    struct lt_err err = {0};
    (void)of_evhttp;
    (void)lt_err_sys(&err, LT_ESYS, "accept");
    if (!http->refused)
        log_warn("http", "no new connections for a moment: %s", err.text);
    http->refused = true;
    http->listening = false;
    (void)evconnlistener_disable(listener);
}

/* Main may be about to replace the access. */
static void tell_who_may_ask(struct http *http, uint16_t port)
{
    (void)pthread_mutex_lock(&http->lock);
    const char *tls = http_access_tls(http->access) != NULL ? " with TLS" : "";
    const char *who = http_access_text(http->access);
    (void)pthread_mutex_unlock(&http->lock);
    log_notice("http", "listening on %s port %u%s: %s", http->host, port, tls, who);
}

/* LT_EINVAL: trying again does not help. */
static int start_listening(struct http *http, struct lt_err *err)
{
    uint16_t port = 0;
    int fd = -1;
    int rc = listen_tcp("http.listen", http->host, http->wanted_port, BACKLOG, &fd, &port, err);
    if (rc != LT_OK) {
        say_trouble(http, err->text);
        return rc;
    }
    http->listener = evconnlistener_new(http->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (http->listener == NULL) {
        (void)close(fd);
        return lt_err_set(err, LT_ENOMEM, "http: making the listener");
    }
    http->bound = evhttp_bind_listener(http->server, http->listener) != NULL;
    if (!http->bound) {
        evconnlistener_free(http->listener);
        http->listener = NULL;
        return lt_err_set(err, LT_ENOMEM, "http: making the listener");
    }
    evconnlistener_set_error_cb(http->listener, on_accept_error);
    atomic_store(&http->port, port);
    http->listening = true;
    say_trouble(http, "");
    tell_who_may_ask(http, port);
    return LT_OK;
}

static void listen_again(struct http *http, uint64_t now)
{
    struct lt_err err = {0};
    if (now < http->listen_again_us)
        return;
    lt_ignore(start_listening(http, &err)); /* it said what is wrong, for whoever asks */
    http->listen_again_us = now + LISTEN_RETRY_US;
}

void http_listen_here(struct http *http)
{
    of_thread = http;
}

/* Those that were cut leave in the loop's next turn. */
static bool crowded(const struct http *http)
{
    return http_conns_count(&http->conns) >= 2 * descriptors_scaled(HTTP_CONNECTIONS_MAX);
}

void http_listen_sweep(struct http *http, uint64_t now_us)
{
    if (http->listener == NULL) {
        listen_again(http, now_us);
    } else if (!http->listening && !crowded(http)) {
        http->listening = true;
        (void)evconnlistener_enable(http->listener);
    }
}

/* Who was accepted in the turn before has been read by now. */
void http_listen_turn(int fd, short what, void *arg)
{
    struct http *http = arg;
    (void)fd;
    (void)what;
    http->accepted = 0;
    if (http->listener != NULL && http->listening)
        (void)evconnlistener_enable(http->listener);
}

static void count_in_turn(struct http *http)
{
    static const struct timeval now = {0};
    size_t most = descriptors_scaled(TURN_ACCEPTS);
    if (http->accepted == 0 && event_add(http->on_turn, &now) != 0)
        return; /* without memory all are taken */
    if (++http->accepted >= most)
        (void)evconnlistener_disable(http->listener);
}

struct bufferevent *http_listen_connection(struct event_base *base, void *arg)
{
    struct http *http = arg;
    http->refused = false;
    count_in_turn(http);
    if (http->listening && crowded(http)) {
        http->listening = false;
        (void)evconnlistener_disable(http->listener);
        log_warn("http", "no new connections for a moment: too many are open");
    }
    (void)pthread_mutex_lock(&http->lock);
    SSL_CTX *tls = http_access_tls(http->access);
    SSL *ssl = tls != NULL ? SSL_new(tls) : NULL;
    (void)pthread_mutex_unlock(&http->lock);
    if (tls != NULL && ssl == NULL)
        return NULL;
    return http_conns_add(&http->conns, base, ssl, descriptors_scaled(HTTP_CONNECTIONS_MAX), clock_mono_us());
}

int http_listen(struct http *http, struct lt_err *err)
{
    struct lt_err local = {0};
    int rc = start_listening(http, &local);
    if (rc == LT_EINVAL) {
        *err = local;
        return rc;
    }
    if (rc != LT_OK)
        log_warn("http", "nobody can ask yet: %s", local.text);
    return LT_OK;
}
