/*
 * - Buffers are released while a connection is idle: ten thousand of them must not cost 34 KiB each.
 * - No session tickets and no cache: a consumer connects rarely and stays.
 * Failure: everything about the files is found when the context is made, at start or reload.
 */
#include "access/tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

static int refuse(struct lt_err *err, const char *what, const char *path)
{
    char text[200] = "unknown reason";
    unsigned long code = ERR_peek_last_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return lt_err_set(err, LT_EINVAL, "%s %s: %s", what, path, text);
}

/* All of a chain is looked up: a CA in between may be revoked too. */
static int load_revoked(SSL_CTX *ctx, const char *crl, struct lt_err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL || X509_load_crl_file(lookup, crl, X509_FILETYPE_PEM) < 1)
        return refuse(err, "revocation list", crl);
    (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

static int load(SSL_CTX *ctx, const struct tls_files *f, struct lt_err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1)
        return refuse(err, "certificate", f->cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1)
        return refuse(err, "key", f->key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return refuse(err, "key that does not fit the certificate", f->key);
    if (f->ca == NULL)
        return 0;
    if (SSL_CTX_load_verify_locations(ctx, f->ca, NULL) != 1)
        return refuse(err, "certificates for clients", f->ca);
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(f->ca);
    if (names == NULL)
        return refuse(err, "certificates for clients", f->ca);
    SSL_CTX_set_client_CA_list(ctx, names);
    /* Not required: a user may also come with a token. Whoever brings neither is refused at Hello. */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return f->crl != NULL ? load_revoked(ctx, f->crl, err) : 0;
}

int tls_context(const struct tls_files *files, SSL_CTX **ret, struct lt_err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL)
        return lt_err_set(err, LT_ENOMEM, "TLS");
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    int rc = load(ctx, files, err);
    if (rc != 0) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *ret = ctx;
    return 0;
}

bool tls_crl_is_stale(SSL_CTX *ctx)
{
    bool stale = false;
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
        const ASN1_TIME *until = crl != NULL ? X509_CRL_get0_nextUpdate(crl) : NULL;
        stale = stale || (until != NULL && X509_cmp_current_time(until) < 0);
    }
    return stale;
}

bool tls_would_take(const SSL *ssl, SSL_CTX *ctx)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    X509_STORE_CTX *look = cert != NULL ? X509_STORE_CTX_new() : NULL;
    bool takes = look != NULL &&
                 X509_STORE_CTX_init(look, SSL_CTX_get_cert_store(ctx), cert, SSL_get_peer_cert_chain(ssl)) == 1 &&
                 X509_STORE_CTX_set_default(look, "ssl_client") == 1 && X509_verify_cert(look) == 1;
    X509_STORE_CTX_free(look);
    ERR_clear_error();
    return takes;
}

bool tls_has_client_certificate(const SSL *ssl)
{
    return SSL_get0_peer_certificate(ssl) != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
}

bool tls_client_name(const SSL *ssl, char *buf, size_t cap)
{
    if (!tls_has_client_certificate(ssl))
        return false;
    const X509 *cert = SSL_get0_peer_certificate(ssl);
    X509_NAME *subject = X509_get_subject_name(cert);
    int len = X509_NAME_get_text_by_NID(subject, NID_commonName, buf, (int)cap);
    /* A name that was cut, or has a NUL in it, is somebody else's. */
    return len > 0 && (size_t)len < cap - 1 && strlen(buf) == (size_t)len;
}
