/*
 * - Plain: recv, sendmsg with MSG_MORE where a payload follows, sendfile.
 * - TLS: one record at a time; a record that did not go out whole is made of the same bytes again, which OpenSSL wants and which is sure,
 *   because durable bytes do not change.
 * Failure: reset, broken pipe and TLS alerts are all LT_ECLOSED: the peer is gone.
 */
#include "channel/channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_FILE_MAX (1u << 30)

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value); /* best effort; Unix socket pairs have none of these */
}

int channel_open(struct channel *ch, int fd, uint64_t user_timeout_us, struct lt_err *err)
{
    uint64_t ms = user_timeout_us / 1000;
    *ch = (struct channel){.fd = fd};
    if (fd < 0)
        return lt_err_set(err, LT_EINVAL, "no socket");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ms < 10000 ? 10000 : ms > INT32_MAX ? INT32_MAX : (int)ms);
    return 0;
}

void channel_close(struct channel *ch, bool reset)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (ch->ssl != NULL)
        SSL_free(ch->ssl);
    ch->ssl = NULL;
    if (ch->fd < 0)
        return;
    if (reset)
        (void)setsockopt(ch->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)close(ch->fd);
    ch->fd = -1;
}

void channel_finish(struct channel *ch)
{
    if (ch->ssl != NULL && SSL_is_init_finished(ch->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(ch->ssl);
    }
    (void)shutdown(ch->fd, SHUT_WR);
}

static int broken(struct lt_err *err, const char *what)
{
    return lt_err_sys(err, LT_ECLOSED, "%s", what);
}

int channel_peek(struct channel *ch, uint8_t *ret, struct lt_err *err)
{
    ssize_t n = recv(ch->fd, ret, 1, MSG_PEEK);
    if (n > 0)
        return 0;
    if (n == 0)
        return LT_EOS;
    return errno == EAGAIN || errno == EINTR ? LT_EAGAIN : broken(err, "receive");
}

int channel_start_tls(struct channel *ch, SSL_CTX *ctx, struct lt_err *err)
{
    ch->ssl = SSL_new(ctx);
    if (ch->ssl == NULL || SSL_set_fd(ch->ssl, ch->fd) != 1)
        return lt_err_set(err, LT_ENOMEM, "TLS");
    SSL_set_accept_state(ch->ssl);
    return 0;
}

static int tls_result(struct channel *ch, int rc, const char *what, struct lt_err *err)
{
    char text[200] = "";
    ch->wants_write = false;
    switch (SSL_get_error(ch->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return LT_EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        ch->wants_write = true;
        return LT_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return LT_EOS;
    case SSL_ERROR_SYSCALL:
        return lt_err_set(err, LT_ECLOSED, "%s: the connection broke", what);
    default:
        ERR_error_string_n(ERR_get_error(), text, sizeof text);
        return lt_err_set(err, LT_ECLOSED, "%s: %s", what, text);
    }
}

int channel_handshake(struct channel *ch, struct lt_err *err)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(ch->ssl);
    return rc == 1 ? 0 : tls_result(ch, rc, "TLS handshake", err);
}

int channel_read(struct channel *ch, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    if (ch->ssl != NULL) {
        ERR_clear_error();
        int rc = SSL_read_ex(ch->ssl, buf, cap, ret_len);
        return rc == 1 ? 0 : tls_result(ch, rc, "receive", err);
    }
    ssize_t n = recv(ch->fd, buf, cap, 0);
    if (n > 0) {
        *ret_len = (size_t)n;
        return 0;
    }
    if (n == 0)
        return LT_EOS;
    return errno == EAGAIN || errno == EINTR ? LT_EAGAIN : broken(err, "receive");
}

static int wait_to_write(struct channel *ch)
{
    ch->wants_write = true;
    return LT_EAGAIN;
}

static int tls_write(struct channel *ch, const void *data, size_t len, size_t *ret_len, struct lt_err *err)
{
    ERR_clear_error();
    int rc = SSL_write_ex(ch->ssl, data, len, ret_len);
    return rc == 1 ? 0 : tls_result(ch, rc, "send", err);
}

int channel_write(struct channel *ch, const struct iovec *iov, int n, bool more, size_t *ret_len, struct lt_err *err)
{
    ch->wants_write = false;
    if (ch->ssl != NULL) /* the first piece alone: what is tried again must be the same bytes */
        return tls_write(ch, iov[0].iov_base, iov[0].iov_len, ret_len, err);
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    ssize_t sent = sendmsg(ch->fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (sent >= 0) {
        *ret_len = (size_t)sent;
        return 0;
    }
    return errno == EAGAIN || errno == EINTR ? wait_to_write(ch) : broken(err, "send");
}

static int tls_send_file(struct channel *ch, struct feed_file *f, uint64_t off, uint64_t len, uint8_t *scratch,
                         size_t *ret_len, struct lt_err *err)
{
    size_t n = len < CHANNEL_TLS_CHUNK ? (size_t)len : CHANNEL_TLS_CHUNK;
    int rc = store_reader_pread(f->reader, scratch, n, off, err);
    return rc != 0 ? rc : tls_write(ch, scratch, n, ret_len, err);
}

int channel_send_file(struct channel *ch, struct feed_file *f, uint64_t off, uint64_t len, uint8_t *scratch,
                      size_t *ret_len, struct lt_err *err)
{
    off_t at = (off_t)off;
    ch->wants_write = false;
    if (ch->ssl != NULL)
        return tls_send_file(ch, f, off, len, scratch, ret_len, err);
    ssize_t n = sendfile(ch->fd, file_descriptor(f), &at, len < SEND_FILE_MAX ? (size_t)len : SEND_FILE_MAX);
    if (n > 0) {
        *ret_len = (size_t)n;
        return 0;
    }
    if (n == 0)
        return lt_err_set(err, LT_ECORRUPT, "%s ends at offset %llu, before its durable end", f->info.file,
                          (unsigned long long)off);
    if (errno == EAGAIN || errno == EINTR)
        return wait_to_write(ch);
    return errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT || errno == ENOTCONN
               ? broken(err, "send")
               : lt_err_sys(err, LT_ESYS, "read %s", f->info.file);
}
