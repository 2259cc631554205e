/*
 * Plain sockets by recv and one send(MSG_NOSIGNAL); TLS by SSL_read and one SSL_write, over a socket BIO of our own: the client
 * library's BIO would wait for data inside a read.
 */
#include "ingest/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int wire_read(struct wire *w, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    return w->ops->read(w, buf, cap, ret_len, err);
}

int wire_send_whole(struct wire *w, const void *buf, size_t len, struct lt_err *err)
{
    return w->ops->send_whole(w, buf, len, err);
}

static int plain_read(struct wire *w, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    ssize_t n;
    do {
        n = recv(w->fd, buf, cap, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        *ret_len = (size_t)n;
        return LT_OK;
    }
    if (n == 0)
        return lt_err_set(err, LT_ECLOSED, "the source closed the connection");
    if (errno == EAGAIN)
        return LT_EAGAIN;
    return lt_err_sys(err, LT_ECLOSED, "reading from the source");
}

static int plain_send_whole(struct wire *w, const void *buf, size_t len, struct lt_err *err)
{
    ssize_t n;
    do {
        n = send(w->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return LT_OK;
    if (n < 0)
        return lt_err_sys(err, LT_ECLOSED, "sending %zu bytes to the source", len);
    /* Half an ACK blocks every other acknowledger of a MySQL source until this connection is gone. */
    return lt_err_set(err, LT_ECLOSED, "sent %zd of %zu bytes to the source", n, len);
}

static int tls_error(struct wire *w, int ssl_error, const char *doing, struct lt_err *err)
{
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
        return LT_EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        w->want_write = true;
        return LT_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return lt_err_set(err, LT_ECLOSED, "the source closed the TLS session");
    case SSL_ERROR_SYSCALL:
        if (code == 0)
            return lt_err_set(err, LT_ECLOSED, "the source closed the connection");
        break;
    default:
        break;
    }
    const char *reason = ERR_reason_error_string(code);
    return lt_err_set(err, LT_ECLOSED, "TLS error while %s: %s", doing, reason ? reason : "connection lost");
}

static int tls_read(struct wire *w, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    int want = cap > (1u << 30) ? 1 << 30 : (int)cap;
    w->want_write = false;
    ERR_clear_error();
    int n = SSL_read(w->tls, buf, want);
    if (n > 0) {
        *ret_len = (size_t)n;
        return LT_OK;
    }
    return tls_error(w, SSL_get_error(w->tls, n), "reading", err);
}

static int tls_send_whole(struct wire *w, const void *buf, size_t len, struct lt_err *err)
{
    ERR_clear_error();
    int n = SSL_write(w->tls, buf, (int)len);
    if (n == (int)len)
        return LT_OK;
    int rc = tls_error(w, SSL_get_error(w->tls, n), "sending", err);
    if (rc == LT_EAGAIN)
        return lt_err_set(err, LT_ECLOSED, "%zu bytes to the source did not leave at once", len);
    return rc;
}

static const struct wire_ops plain_ops = {plain_read, plain_send_whole};
static const struct wire_ops tls_ops = {tls_read, tls_send_whole};

int wire_open_socket(struct wire *w, int fd, void *tls, struct lt_err *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return lt_err_sys(err, LT_ESYS, "making the source's socket non-blocking");
    *w = (struct wire){.ops = tls ? &tls_ops : &plain_ops, .fd = fd, .tls = tls};
    if (tls == NULL)
        return LT_OK;
    if (SSL_set_fd(tls, fd) != 1)
        return lt_err_set(err, LT_ESYS, "giving the TLS session a socket of its own");
    SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
    return LT_OK;
}

int wire_wait(const struct wire *w, int wake_fd, uint64_t timeout_us, bool *ret_woken)
{
    *ret_woken = false;
    if (w->tls != NULL && SSL_pending(w->tls) > 0)
        return LT_OK;
    struct pollfd p[2] = {{.fd = w->fd, .events = w->want_write ? POLLOUT : POLLIN}, {.fd = wake_fd, .events = POLLIN}};
    struct timespec ts = {.tv_sec = (time_t)(timeout_us / 1000000), .tv_nsec = (long)(timeout_us % 1000000) * 1000};
    int n = ppoll(p, 2, &ts, NULL);
    if (n < 0 && errno != EINTR)
        return LT_ESYS;
    *ret_woken = n > 0 && p[1].revents != 0;
    return n > 0 ? LT_OK : LT_EAGAIN;
}
