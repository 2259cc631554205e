/*
 * TLS of the listener: one context made of certificate, key and, for client certificates, a CA.
 *
 * Layer: serve. Thread: any. Owns: what it returns. Errors: LT_EINVAL with the file and OpenSSL's reason.
 */
#ifndef LT_SERVE_TLS_H
#define LT_SERVE_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/err.h"

/* TLS 1.2 and above. ca may be NULL: client certificates are not asked for. */
int tls_context(const char *cert, const char *key, const char *ca, SSL_CTX **ret, struct lt_err *err) LT_MUST_CHECK;
/* The CN of the client's verified certificate into a buffer of cap bytes; false: there is none, or it does not fit. */
bool tls_client_name(const SSL *ssl, char *buf, size_t cap);
bool tls_has_client_certificate(const SSL *ssl);

#endif
