/*
 * - evhttp frees a bufferevent without telling: with a reference of our own it stays, and a freed one is known by its callbacks, which are gone then.
 * - To cut is to shut the socket down: evhttp sees the end of input and frees the connection, as for a client that left.
 * Failure: a connection that is cut and not yet freed counts no more.
 */
#include "ops/http/http_conns.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include "base/log.h"

#define PEER_LEN 9u /* family, and so much of the address */

struct http_conn {
    LIST_ENTRY(http_conn) link;
    struct bufferevent *bev;
    uint64_t since_us;            /* accepted, or the last whole request */
    unsigned char peer[PEER_LEN]; /* where it comes from, of IPv6 the network; zeros: not asked yet, or not known */
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

/* Only now does evhttp have given the socket to it. */
static void ask_peer(struct http_conn *conn)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    if (conn->peer[0] != 0 || getpeername(bufferevent_getfd(conn->bev), (struct sockaddr *)&from, &len) != 0)
        return;
    conn->peer[0] = (unsigned char)from.ss_family;
    if (from.ss_family == AF_INET)
        memcpy(conn->peer + 1, &((const struct sockaddr_in *)(const void *)&from)->sin_addr, sizeof(struct in_addr));
    else if (from.ss_family == AF_INET6)
        memcpy(conn->peer + 1, &((const struct sockaddr_in6 *)(const void *)&from)->sin6_addr, PEER_LEN - 1);
}

static size_t count_from(const struct http_conns *c, const struct http_conn *like)
{
    const struct http_conn *conn = NULL;
    size_t n = 0;
    LIST_FOREACH (conn, &c->list, link)
        n += !conn->cut && memcmp(conn->peer, like->peer, PEER_LEN) == 0;
    return n;
}

/* Of the address that holds most; there the one that has been idle for longest. One that asks nothing yet is not in the way of a crowd's. */
static struct http_conn *most_dispensable(const struct http_conns *c)
{
    struct http_conn *worst = NULL;
    struct http_conn *conn = NULL;
    size_t most = 0;
    LIST_FOREACH (conn, &c->list, link) {
        size_t n = conn->cut || conn->busy ? 0 : count_from(c, conn);
        if (n == 0 || n < most || (n == most && conn->since_us > worst->since_us))
            continue;
        most = n;
        worst = conn;
    }
    return worst;
}

static void make_room(struct http_conns *c, size_t most)
{
    struct http_conn *conn = NULL;
    size_t live = 0;
    LIST_FOREACH (conn, &c->list, link) {
        live += !conn->cut;
        ask_peer(conn);
    }
    struct http_conn *worst = live >= most ? most_dispensable(c) : NULL;
    if (worst == NULL || most == 0)
        return;
    if (c->shed++ % most == 0)
        log_warn("http",
                 "%zu clients are connected: of the addresses with most of them, those idle for longest are closed to "
                 "let others in",
                 most);
    cut(worst);
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
