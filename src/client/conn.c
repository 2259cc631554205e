/*
 * - resolve → connect to each address in turn, non-blocking → TLS → open.
 * - What is to be sent is small (a Hello, a Subscribe, a Commit) and waits in one buffer.
 * Failure: this address, or this connection, is done for; the caller decides about the next.
 */
#include "client/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int conn_init(struct conn *c, const struct conn_tls *tls, struct lt_err *err)
{
    *c = (struct conn){.fd = -1};
    return tls != NULL ? conn_tls_init(c, tls, err) : 0;
}

void conn_close(struct conn *c)
{
    if (c->ssl != NULL)
        SSL_free(c->ssl);
    c->ssl = NULL;
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    free(c->out);
    c->out = NULL;
    c->out_len = c->out_sent = 0;
    c->wants_write = false;
    c->state = CONN_CLOSED;
}

void conn_fini(struct conn *c)
{
    conn_close(c);
    conn_tls_fini(c);
    if (c->addresses != NULL)
        freeaddrinfo(c->addresses);
    c->addresses = NULL;
}

int conn_resolve(struct conn *c, const char *host, uint16_t port, struct lt_err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    if (c->addresses != NULL)
        freeaddrinfo(c->addresses);
    c->addresses = NULL;
    c->next = NULL;
    int rc = getaddrinfo(host, service, &hints, &c->addresses);
    if (rc == EAI_ADDRFAMILY || rc == EAI_NONAME || rc == EAI_NODATA) { /* a machine that has only loopback */
        hints.ai_flags = 0;
        rc = getaddrinfo(host, service, &hints, &c->addresses);
    }
    if (rc == EAI_MEMORY)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    if (rc != 0) {
        c->addresses = NULL;
        return lt_err_set(err, LT_ENOTFOUND, "%s: %s", host, gai_strerror(rc));
    }
    c->next = c->addresses;
    return 0;
}

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

static void name_address(struct conn *c, const struct addrinfo *ai)
{
    char host[60];
    char port[8];
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
        (void)snprintf(c->address, sizeof c->address, "address");
    else
        (void)snprintf(c->address, sizeof c->address, ai->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value); /* best effort */
}

int conn_next(struct conn *c, struct lt_err *err)
{
    conn_close(c);
    const struct addrinfo *ai = c->next;
    if (ai == NULL)
        return LT_ENOTFOUND;
    c->next = ai->ai_next;
    c->loopback = is_loopback(ai->ai_addr);
    name_address(c, ai);
    c->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
    if (c->fd < 0)
        return lt_err_sys(err, LT_ESYS, "socket");
    set_option(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(c->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (connect(c->fd, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS && errno != EINTR)
        return lt_err_sys(err, LT_ECLOSED, "connect to %s", c->address);
    c->state = CONN_CONNECTING;
    c->wants_write = true;
    return 0;
}

static int finish_connect(struct conn *c, struct lt_err *err)
{
    int error = 0;
    socklen_t len = sizeof error;
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error == 0 && getpeername(c->fd, (struct sockaddr *)&peer, &peer_len) != 0) {
        if (errno == ENOTCONN)
            return LT_EAGAIN;
        error = errno;
    }
    errno = error;
    if (error != 0)
        return lt_err_sys(err, LT_ECLOSED, "connect to %s", c->address);
    c->wants_write = false;
    c->state = c->ctx != NULL ? CONN_HANDSHAKE : CONN_OPEN;
    return c->ctx != NULL ? conn_tls_begin(c, err) : 0;
}

int conn_advance(struct conn *c, struct lt_err *err)
{
    int rc = 0;
    if (c->state == CONN_CONNECTING)
        rc = finish_connect(c, err);
    if (rc == 0 && c->state == CONN_HANDSHAKE)
        rc = conn_tls_handshake(c, err);
    return rc;
}

int conn_read(struct conn *c, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    if (c->ssl != NULL)
        return conn_tls_read(c, buf, cap, ret_len, err);
    ssize_t n = recv(c->fd, buf, cap, 0);
    if (n > 0) {
        *ret_len = (size_t)n;
        return 0;
    }
    if (n == 0)
        return lt_err_set(err, LT_ECLOSED, "%s closed the connection", c->address);
    if (errno == EAGAIN || errno == EINTR)
        return LT_EAGAIN;
    return lt_err_sys(err, LT_ECLOSED, "receiving from %s", c->address);
}

static int write_some(struct conn *c, size_t *ret_len, struct lt_err *err)
{
    if (c->ssl != NULL)
        return conn_tls_write(c, c->out + c->out_sent, c->out_len - c->out_sent, ret_len, err);
    ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
    if (n >= 0) {
        *ret_len = (size_t)n;
        return 0;
    }
    if (errno == EAGAIN || errno == EINTR) {
        c->wants_write = true;
        return LT_EAGAIN;
    }
    return lt_err_sys(err, LT_ECLOSED, "sending to %s", c->address);
}

int conn_flush(struct conn *c, struct lt_err *err)
{
    while (conn_has_output(c)) {
        size_t n = 0;
        int rc = write_some(c, &n, err);
        if (rc == LT_EAGAIN)
            return 0;
        if (rc != 0)
            return rc;
        c->out_sent += n;
    }
    c->wants_write = false;
    c->out_len = c->out_sent = 0;
    return 0;
}

int conn_send(struct conn *c, const void *data, size_t len, struct lt_err *err)
{
    uint8_t *grown = realloc(c->out, c->out_len + len);
    if (grown == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    c->out = grown;
    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;
    return conn_flush(c, err);
}
