/*
 * The connections of the HTTP server, which evhttp does not show: of the address that holds most, who has been idle for longest makes room, and who
 * does not finish a request in time goes.
 *
 * Layer: ops/http. Thread: the HTTP server's. Owns: a reference to each connection's bufferevent, given back once evhttp has freed it.
 * Errors: none; a connection that cannot be noted is not served.
 * A connection is idle while no whole request of it is being answered, whatever it drips of one.
 */
#ifndef LT_OPS_HTTP_CONNS_H
#define LT_OPS_HTTP_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <openssl/ssl.h>

struct bufferevent;
struct event_base;

struct http_conns {
    LIST_HEAD(, http_conn) list;
    size_t count; /* those that were cut and are not gone yet included */
    uint64_t shed;
};

void http_conns_init(struct http_conns *c);
/* After the server is gone. */
void http_conns_fini(struct http_conns *c);
/* For a connection that has just been accepted; above `most` the idlest one of the address that has most is cut. ssl (NULL: none) is taken. NULL: out of memory. */
struct bufferevent *http_conns_add(struct http_conns *c, struct event_base *base, SSL *ssl, size_t most,
                                   uint64_t now_us);
/* A whole request of it came; busy until its answer is handed over. */
void http_conns_note(struct http_conns *c, const struct bufferevent *bev, bool busy, uint64_t now_us);
size_t http_conns_count(const struct http_conns *c);
/* Forget what is gone; cut who has been idle for so long. */
void http_conns_sweep(struct http_conns *c, uint64_t idle_us, uint64_t now_us);

#endif
