/*
 * One connection to a server, without ever waiting: resolve, connect to one address after the other, TLS, bytes in, bytes out.
 * Does not know what the bytes mean and when to try again.
 *
 * Layer: client. Thread: the handle's. Blocks: in getaddrinfo only.
 * Owns: the socket, the TLS state, what is to be sent, the addresses (conn_fini; conn_close keeps what another attempt needs).
 * Errors: LT_EAGAIN (nothing now), LT_ECLOSED, LT_ETIMEOUT, LT_ESYS, LT_ENOMEM, LT_EUNSUPPORTED (TLS) with a text. Never SIGPIPE.
 */
#ifndef LT_CLIENT_CONN_H
#define LT_CLIENT_CONN_H

#include <netdb.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CONN_ETLS LT_EUNSUPPORTED

enum conn_state { CONN_CLOSED, CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPEN };

struct conn {
    enum conn_state state;
    int fd; /* -1: none */
    bool loopback;
    bool wants_write; /* wait for writability, too */
    struct addrinfo *addresses;
    const struct addrinfo *next;
    char address[80]; /* the one that is tried, for messages */

    SSL_CTX *ctx; /* NULL: no TLS */
    SSL *ssl;
    BIO_METHOD *bio;
    const char *peer_name; /* borrowed: what the certificate must be for */
    bool verify;

    uint8_t *out;
    size_t out_len;
    size_t out_sent;
};

struct conn_tls {
    const char *ca;
    const char *cert;
    const char *key;
    const char *name;
    bool verify;
};

/* Without TLS when tls is NULL. */
int conn_init(struct conn *c, const struct conn_tls *tls, struct lt_err *err) LT_MUST_CHECK;
void conn_fini(struct conn *c);

/* Resolve; the first conn_next connects. */
int conn_resolve(struct conn *c, const char *host, uint16_t port, struct lt_err *err) LT_MUST_CHECK;
/* Begin with the next address: 0 when the connect is under way, LT_ENOTFOUND when there is none left, else what is wrong with this one. */
int conn_next(struct conn *c, struct lt_err *err) LT_MUST_CHECK;
/* Connect and handshake as far as they go: 0 when open, LT_EAGAIN. */
int conn_advance(struct conn *c, struct lt_err *err) LT_MUST_CHECK;
int conn_read(struct conn *c, void *buf, size_t cap, size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;
/* Takes the bytes over (copies) and sends what goes out now. */
int conn_send(struct conn *c, const void *data, size_t len, struct lt_err *err) LT_MUST_CHECK;
int conn_flush(struct conn *c, struct lt_err *err) LT_MUST_CHECK;
static inline bool conn_has_output(const struct conn *c)
{
    return c->out_len > c->out_sent;
}
/* The socket and what belongs to it; another attempt may follow. */
void conn_close(struct conn *c);

/* ---- conn_tls.c ---- */
int conn_tls_init(struct conn *c, const struct conn_tls *tls, struct lt_err *err) LT_MUST_CHECK;
void conn_tls_fini(struct conn *c);
int conn_tls_begin(struct conn *c, struct lt_err *err) LT_MUST_CHECK;
int conn_tls_handshake(struct conn *c, struct lt_err *err) LT_MUST_CHECK;
int conn_tls_read(struct conn *c, void *buf, size_t cap, size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;
int conn_tls_write(struct conn *c, const void *data, size_t len, size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;

#endif
