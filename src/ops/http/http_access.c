/*
 * - The name first, then who: a password that is sent must be right, whoever may come without one.
 * - Basic has the user's secret in every request, so beyond loopback it is taken over TLS only.
 * Failure: a user's line that is wrong refuses the whole file (users.h).
 */
#include "ops/http/http_access.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/tls.h"
#include "access/users.h"
#include "base/log.h"
#include "base/loopback.h"

#define HOST_MAX  255
#define BASIC_MAX 1600 /* base64 of the longest token */

struct http_access {
    struct users *users;
    SSL_CTX *tls;
    char *names;
    char listen[HOST_MAX + 1];
    char own[HOST_MAX + 1];
    enum anonymous anonymous; /* not AUTO */
};

int http_access_make(const struct http_access_options *opt, const char *host, struct http_access **ret,
                     struct lt_err *err)
{
    bool exposed = false;
    int rc = LT_OK;
    struct http_access *a = calloc(1, sizeof *a);
    if (a == NULL)
        return lt_err_set(err, LT_ENOMEM, "http: out of memory");
    (void)snprintf(a->listen, sizeof a->listen, "%s", host);
    if (gethostname(a->own, sizeof a->own - 1) != 0)
        a->own[0] = '\0';
    a->anonymous = opt->anonymous;
    if (a->anonymous == ANONYMOUS_AUTO)
        a->anonymous = opt->users_file != NULL ? ANONYMOUS_NO : ANONYMOUS_LOOPBACK;
    if (opt->names != NULL && (a->names = strdup(opt->names)) == NULL)
        rc = lt_err_set(err, LT_ENOMEM, "http: out of memory");
    if (rc == LT_OK && opt->users_file != NULL)
        rc = users_load(opt->users_file, &a->users, &exposed, err);
    if (rc == LT_OK && exposed)
        log_warn("http", "the users file can be read by every local user");
    if (rc == LT_OK && opt->ssl_cert != NULL)
        rc = tls_context(&(struct tls_files){.cert = opt->ssl_cert, .key = opt->ssl_key}, &a->tls, err);
    if (rc != LT_OK) {
        http_access_free(a);
        return rc;
    }
    *ret = a;
    return LT_OK;
}

void http_access_free(struct http_access *a)
{
    if (a == NULL)
        return;
    users_free(a->users);
    SSL_CTX_free(a->tls);
    free(a->names);
    free(a);
}

SSL_CTX *http_access_tls(const struct http_access *a)
{
    return a->tls;
}

const char *http_access_text(const struct http_access *a)
{
    switch (a->anonymous) {
    case ANONYMOUS_YES:
        return "anybody may ask (http.allow_anonymous = yes)";
    case ANONYMOUS_LOOPBACK:
        return "whoever is on this machine may ask";
    case ANONYMOUS_AUTO:
    case ANONYMOUS_NO:
    default:
        return a->users != NULL ? "who asks needs a user"
                                : "nobody may ask: http.allow_anonymous = no, and there are no users";
    }
}

/* ---- names ---- */

/* Without the port, the brackets and a dot at the end. False: no name at all. */
static bool bare_name(const char *host, char *buf, size_t cap)
{
    size_t len = 0;
    if (host[0] == '[') {
        host++;
        len = strcspn(host, "]");
        if (host[len] != ']')
            return false;
    } else {
        len = strcspn(host, ":");
        while (len > 0 && host[len - 1] == '.')
            len--;
    }
    if (len == 0 || len >= cap)
        return false;
    memcpy(buf, host, len);
    buf[len] = '\0';
    return true;
}

static bool is_address(const char *name)
{
    struct in_addr v4;
    struct in6_addr v6;
    return inet_pton(AF_INET, name, &v4) == 1 || inet_pton(AF_INET6, name, &v6) == 1;
}

static bool is_listed(const char *names, const char *name)
{
    size_t len = strlen(name);
    while (names != NULL && *names != '\0') {
        size_t n = strcspn(names, ",");
        if ((n == 1 && names[0] == '*') || (n == len && strncasecmp(names, name, n) == 0))
            return true;
        names += n + (names[n] == ',');
    }
    return false;
}

bool http_access_host_ok(const struct http_access *a, const char *host)
{
    char name[HOST_MAX + 1];
    if (is_listed(a->names, "*"))
        return true;
    if (!bare_name(host, name, sizeof name))
        return false;
    return is_address(name) || strchr(name, '.') == NULL || strcasecmp(name, a->listen) == 0 ||
           strcasecmp(name, a->own) == 0 || is_listed(a->names, name);
}

/* ---- who ---- */

static bool is_loopback(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
        return false;
    if (sa.ss_family == AF_INET)
        return loopback_v4(&((const struct sockaddr_in *)(const void *)&sa)->sin_addr);
    return sa.ss_family == AF_INET6 && loopback_v6(&((const struct sockaddr_in6 *)(const void *)&sa)->sin6_addr);
}

/* Base64 of USER:SECRET, as users_check takes it. */
static bool check_basic(const struct users *users, const char *text)
{
    unsigned char token[BASIC_MAX];
    char user[USERS_NAME_MAX + 1];
    size_t len = strlen(text);
    if (len == 0 || len % 4 != 0 || len > BASIC_MAX)
        return false;
    int n = EVP_DecodeBlock(token, (const unsigned char *)text, (int)len);
    if (n <= 0)
        return false;
    n -= (text[len - 1] == '=') + (text[len - 2] == '='); /* it counts the padding */
    token[n] = '\0';
    bool ok = strlen((const char *)token) == (size_t)n && users_check(users, (const char *)token, user);
    OPENSSL_cleanse(token, sizeof token);
    return ok;
}

const char *http_verdict_text(enum http_verdict v)
{
    switch (v) {
    case HTTP_WRONG_NAME:
        return "this server is not known by that name: ask by its address, or have the operator add the name to "
               "http.names\n";
    case HTTP_NEEDS_TLS:
        return "a user's secret is taken over TLS only: http.ssl_cert turns it on\n";
    case HTTP_NEEDS_USER:
        return "a user of http.users_file is needed\n";
    case HTTP_MAY_ASK:
    default:
        return "welcome\n";
    }
}

enum http_verdict http_access_judge(const struct http_access *a, struct evhttp_request *req)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    struct evhttp_connection *conn = evhttp_request_get_connection(req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
    const char *host = evhttp_find_header(headers, "Host");
    const char *who = evhttp_find_header(headers, "Authorization");
    bool tls = bufferevent_openssl_get_ssl(bev) != NULL;
    bool loopback = is_loopback(bufferevent_getfd(bev));
    if (!tls && host != NULL && !http_access_host_ok(a, host)) /* a certificate is for a name already */
        return HTTP_WRONG_NAME;
    if (who != NULL && a->users != NULL) {
        if (!tls && !loopback)
            return HTTP_NEEDS_TLS;
        return strncasecmp(who, "Basic ", 6) == 0 && check_basic(a->users, who + 6) ? HTTP_MAY_ASK : HTTP_NEEDS_USER;
    }
    bool nobody = a->anonymous == ANONYMOUS_YES || (a->anonymous == ANONYMOUS_LOOPBACK && loopback);
    return nobody ? HTTP_MAY_ASK : HTTP_NEEDS_USER;
}
