/*
 * - evhttp frees a bufferevent without telling: with a reference of our own it stays, and a freed one is known by its callbacks, which are gone then.
 * - To cut is to shut the socket down: evhttp sees the end of input and frees the connection, as for a client that left.
 * Failure: a connection that is cut and not yet freed counts no more.
 */
#include "ops/http/http_conns.h"

#include <stdlib.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include "base/log.h"

struct http_conn {
    LIST_ENTRY(http_conn) link;
    struct bufferevent *bev;
    uint64_t since_us; /* accepted, or the last whole request */
    bool busy;
    bool cut;
};

void http_conns_init(struct http_conns *c)
{
    *c = (struct http_conns){0};
    LIST_INIT(&c->list);
}

size_t http_conns_count(const struct http_conns *c)
{
    return c->count;
}

static void forget(struct http_conns *c, struct http_conn *conn)
{
    c->count--;
    LIST_REMOVE(conn, link);
    (void)bufferevent_decref(conn->bev);
    free(conn);
}

void http_conns_fini(struct http_conns *c)
{
    struct http_conn *conn = NULL;
    while ((conn = LIST_FIRST(&c->list)) != NULL)
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see what LIST_REMOVE does
        forget(c, conn);
}

/* In the place of evhttp's callback until it has set its own. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    (void)arg;
}

/* bufferevent_free takes the callbacks away. */
static bool has_owner(const struct http_conn *conn)
{
    bufferevent_event_cb cb = NULL;
    bufferevent_getcb(conn->bev, NULL, NULL, &cb, NULL);
    return cb != NULL;
}

static void drop_gone(struct http_conns *c)
{
    struct http_conn *next = NULL;
    for (struct http_conn *conn = LIST_FIRST(&c->list); conn != NULL; conn = next) {
        next = LIST_NEXT(conn, link);
        if (!has_owner(conn))
            forget(c, conn);
    }
}

static void cut(struct http_conn *conn)
{
    conn->cut = true;
    (void)shutdown(bufferevent_getfd(conn->bev), SHUT_RDWR);
}

static void make_room(struct http_conns *c, size_t most)
{
    struct http_conn *idlest = NULL;
    struct http_conn *conn = NULL;
    size_t live = 0;
    LIST_FOREACH (conn, &c->list, link) {
        live += !conn->cut;
        if (!conn->cut && !conn->busy && (idlest == NULL || conn->since_us <= idlest->since_us))
            idlest = conn;
    }
    if (live < most || idlest == NULL)
        return;
    if (c->shed++ % most == 0)
        log_warn("http", "%zu clients are connected: those idle for longest are closed to let others in", most);
    cut(idlest);
}

/* With TLS the bufferevent closes the socket, with what belongs to it; without, evhttp does. */
static struct bufferevent *new_bev(struct event_base *base, SSL *ssl)
{
    if (ssl == NULL)
        return bufferevent_socket_new(base, -1, 0);
    struct bufferevent *bev =
        bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev != NULL)
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* a peer that just leaves is no error */
    return bev;
}

struct bufferevent *http_conns_add(struct http_conns *c, struct event_base *base, SSL *ssl, size_t most,
                                   uint64_t now_us)
{
    struct http_conn *conn = calloc(1, sizeof *conn);
    struct bufferevent *bev = conn != NULL ? new_bev(base, ssl) : NULL;
    if (bev == NULL) {
        SSL_free(ssl);
        free(conn);
        return NULL;
    }
    drop_gone(c);
    make_room(c, most);
    bufferevent_incref(bev);
    bufferevent_setcb(bev, NULL, NULL, on_event, NULL);
    *conn = (struct http_conn){.bev = bev, .since_us = now_us};
    LIST_INSERT_HEAD(&c->list, conn, link);
    c->count++;
    return bev;
}

void http_conns_note(struct http_conns *c, const struct bufferevent *bev, bool busy, uint64_t now_us)
{
    struct http_conn *conn = NULL;
    LIST_FOREACH (conn, &c->list, link) {
        if (conn->bev != bev)
            continue;
        conn->busy = busy;
        conn->since_us = now_us;
    }
}

void http_conns_sweep(struct http_conns *c, uint64_t idle_us, uint64_t now_us)
{
    struct http_conn *conn = NULL;
    drop_gone(c);
    LIST_FOREACH (conn, &c->list, link) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the same
        if (!conn->cut && !conn->busy && now_us >= conn->since_us + idle_us)
            cut(conn);
    }
}
