/*
 * TLS over a BIO of our own, because OpenSSL's socket BIO writes with write(2), which raises SIGPIPE.
 * Failure: what concerns certificates and the TLS protocol is CONN_ETLS with OpenSSL's reason; a socket that broke is LT_ECLOSED.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#include "client/conn.h"

static int bio_write(BIO *bio, const char *data, int len)
{
    const struct conn *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(c->fd, data, (size_t)len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int bio_read(BIO *bio, char *buf, int cap)
{
    const struct conn *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(c->fd, buf, (size_t)cap, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "binlogtail socket");
    if (m == NULL || BIO_meth_set_write(m, bio_write) != 1 || BIO_meth_set_read(m, bio_read) != 1 ||
        BIO_meth_set_ctrl(m, bio_ctrl) != 1) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* OpenSSL's first reason, or a word of our own. */
static int tls_error(struct lt_err *err, const char *what)
{
    char text[200] = "unknown reason";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return lt_err_set(err, CONN_ETLS, "%s: %s", what, reason != NULL ? reason : text);
}

static int load_files(struct conn *c, const struct conn_tls *tls, struct lt_err *err)
{
    ERR_clear_error();
    int ok = tls->ca != NULL ? SSL_CTX_load_verify_locations(c->ctx, tls->ca, NULL)
                             : SSL_CTX_set_default_verify_paths(c->ctx);
    if (ok != 1)
        return tls_error(err, tls->ca != NULL ? tls->ca : "trusted certificates of the system");
    if (tls->cert == NULL)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(c->ctx, tls->cert) != 1)
        return tls_error(err, tls->cert);
    const char *key = tls->key != NULL ? tls->key : tls->cert;
    if (SSL_CTX_use_PrivateKey_file(c->ctx, key, SSL_FILETYPE_PEM) != 1)
        return tls_error(err, key);
    return 0;
}

int conn_tls_init(struct conn *c, const struct conn_tls *tls, struct lt_err *err)
{
    c->peer_name = tls->name;
    c->verify = tls->verify;
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->bio = make_method();
    if (c->ctx == NULL || c->bio == NULL || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1)
        return lt_err_set(err, LT_ENOMEM, "TLS");
    SSL_CTX_set_verify(c->ctx, c->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return load_files(c, tls, err);
}

void conn_tls_fini(struct conn *c)
{
    SSL_CTX_free(c->ctx);
    BIO_meth_free(c->bio);
    c->ctx = NULL;
    c->bio = NULL;
}

static bool is_address(const char *name)
{
    struct in6_addr any;
    return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

static bool set_peer_name(struct conn *c)
{
    if (is_address(c->peer_name))
        return !c->verify || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), c->peer_name) == 1;
    return SSL_set_tlsext_host_name(c->ssl, c->peer_name) == 1 &&
           (!c->verify || SSL_set1_host(c->ssl, c->peer_name) == 1);
}

int conn_tls_begin(struct conn *c, struct lt_err *err)
{
    BIO *bio = BIO_new(c->bio);
    c->ssl = SSL_new(c->ctx);
    if (bio == NULL || c->ssl == NULL) {
        BIO_free(bio);
        return lt_err_set(err, LT_ENOMEM, "TLS");
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_connect_state(c->ssl);
    if (!set_peer_name(c))
        return lt_err_set(err, LT_ENOMEM, "TLS");
    return 0;
}

static int tls_result(struct conn *c, int rc, const char *what, struct lt_err *err)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return LT_EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        c->wants_write = true;
        return LT_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return lt_err_set(err, LT_ECLOSED, "%s closed the connection", c->address);
    case SSL_ERROR_SYSCALL:
        if (errno != 0)
            return lt_err_sys(err, LT_ECLOSED, "%s with %s", what, c->address);
        return lt_err_set(err, LT_ECLOSED, "%s with %s: the connection broke", what, c->address);
    default:
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            ERR_clear_error();
            return lt_err_set(err, LT_ECLOSED, "%s closed the connection", c->address);
        }
        if (c->verify && SSL_get_verify_result(c->ssl) != X509_V_OK) {
            ERR_clear_error();
            return lt_err_set(err, CONN_ETLS, "the certificate of %s: %s", c->address,
                              X509_verify_cert_error_string(SSL_get_verify_result(c->ssl)));
        }
        return tls_error(err, what);
    }
}

int conn_tls_handshake(struct conn *c, struct lt_err *err)
{
    c->wants_write = false;
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(c->ssl);
    if (rc != 1)
        return tls_result(c, rc, "TLS handshake", err);
    c->state = CONN_OPEN;
    return 0;
}

int conn_tls_read(struct conn *c, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_read_ex(c->ssl, buf, cap, ret_len);
    return rc == 1 ? 0 : tls_result(c, rc, "TLS", err);
}

int conn_tls_write(struct conn *c, const void *data, size_t len, size_t *ret_len, struct lt_err *err)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_write_ex(c->ssl, data, len, ret_len);
    if (rc == 1)
        return 0;
    rc = tls_result(c, rc, "TLS", err);
    c->wants_write = c->wants_write || rc == LT_EAGAIN;
    return rc;
}
