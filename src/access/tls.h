/*
 * TLS of a listener: one context made of certificate, key and, for client certificates, a CA and lists of what was revoked.
 *
 * Layer: access. Thread: any. Owns: what it returns. Errors: LT_EINVAL with the file and OpenSSL's reason.
 */
#ifndef LT_ACCESS_TLS_H
#define LT_ACCESS_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/err.h"

struct tls_files {
    const char *cert;
    const char *key;
    const char *ca;  /* NULL: client certificates are not asked for */
    const char *crl; /* NULL: none; else of every CA in the chains, or their certificates are not taken */
};

/* TLS 1.2 and above. */
int tls_context(const struct tls_files *files, SSL_CTX **ret, struct lt_err *err) LT_MUST_CHECK;
/* A list of the context's is past its time: no certificate of its CA is taken. Before others have the context. */
bool tls_crl_is_stale(SSL_CTX *ctx);
/* The CN of the client's verified certificate into a buffer of cap bytes; false: there is none, or it does not fit. */
bool tls_client_name(const SSL *ssl, char *buf, size_t cap);
bool tls_has_client_certificate(const SSL *ssl);
/* Would this context, which need not be the connection's, take the client's certificate now? */
bool tls_would_take(const SSL *ssl, SSL_CTX *ctx);

#endif
