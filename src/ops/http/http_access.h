/*
 * Who may ask over HTTP, and under which name: users by Basic authentication, loopback, anybody; the Host that a request names. Made whole, then taken
 * over whole by the server (http_adopt).
 *
 * Layer: ops/http. Thread: made on main; judged under the server's lock. Owns: what it read of its files.
 * Errors: LT_EINVAL, LT_ESYS, LT_ENOMEM, as users.h and tls.h.
 *
 * A browser that was led here by somebody's web page sends that page's name as Host, also when its name was turned to this address meanwhile (DNS
 * rebinding): such a request could read what loopback may read. So a name must be an address, one without a dot, this host's, or one that was allowed.
 */
#ifndef LT_OPS_HTTP_ACCESS_H
#define LT_OPS_HTTP_ACCESS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "access/anonymous.h"
#include "base/err.h"

struct evhttp_request;

struct http_access_options {
    const char *users_file; /* NULL: no users */
    const char *ssl_cert;   /* NULL: no TLS */
    const char *ssl_key;
    const char *names; /* further names of this server, with commas between them; "*" any; NULL none */
    enum anonymous anonymous;
};

struct http_access;
/* host: as in http.listen. */
int http_access_make(const struct http_access_options *opt, const char *host, struct http_access **ret,
                     struct lt_err *err) LT_MUST_CHECK;
void http_access_free(struct http_access *a);          /* NULL is fine */
SSL_CTX *http_access_tls(const struct http_access *a); /* NULL: none; borrowed */
/* Who gets in without a user, for the log; the text is constant. */
const char *http_access_text(const struct http_access *a);

enum http_verdict {
    HTTP_MAY_ASK,
    HTTP_WRONG_NAME, /* 421 */
    HTTP_NEEDS_USER, /* 401 */
    HTTP_NEEDS_TLS,  /* 403: a secret was sent in the clear beyond loopback */
};
/* What the answer says, with a cure. */
const char *http_verdict_text(enum http_verdict v);
enum http_verdict http_access_judge(const struct http_access *a, struct evhttp_request *req);

/* Pure, for tests: may a request name this Host? */
bool http_access_host_ok(const struct http_access *a, const char *host);

#endif
