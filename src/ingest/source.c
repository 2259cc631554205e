/*
 * A connection that is there (source_connect.c makes it): statements, facts, the handing over, the end.
 * - Statements go through the library; then the socket and the SSL session are taken over.
 * Teardown of a taken-over connection: shutdown(2), then mysql_close: its COM_QUIT finds a closed socket. On a MariaDB dump
 * connection a COM_QUIT that arrives would switch off all later ACKs.
 */
#include "ingest/source_internal.h"

#include <ma_pvio.h>

#include <ma_tls.h>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "ingest/source_watch.h"

bool source_value_is_on(const char *value)
{
    return strcmp(value, "1") == 0 || strcasecmp(value, "ON") == 0;
}

uint64_t source_value_number(const char *value)
{
    return strtoull(value, NULL, 10);
}

void source_close(struct source *s)
{
    if (s == NULL)
        return;
    if (s->taken_over)
        source_shutdown(s);
    mysql_close(s->mysql);
    free(s);
}

void source_shutdown(struct source *s)
{
    (void)shutdown(mysql_get_socket(s->mysql), SHUT_RDWR);
}

const char *source_version(const struct source *s)
{
    return s->version;
}

bool source_is_mariadb(const struct source *s)
{
    return s->mariadb;
}

uint64_t source_thread_id(const struct source *s)
{
    return mysql_thread_id(s->mysql);
}

const char *source_tls_cipher(const struct source *s)
{
    return s->cipher;
}

bool source_gave_password(const struct source *s)
{
    return s->gave_password;
}

int64_t source_peer_not_after(const struct source *s)
{
    struct tm tm;
    int64_t ret = 0;
    const MARIADB_PVIO *pvio = s->mysql->net.pvio;
    const SSL *tls = pvio->ctls != NULL ? pvio->ctls->ssl : NULL;
    X509 *cert = tls != NULL ? SSL_get1_peer_certificate(tls) : NULL;
    if (cert != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
        ret = (int64_t)timegm(&tm);
    X509_free(cert);
    return ret;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *x = (const struct sockaddr_in *)a;
        const struct sockaddr_in *y = (const struct sockaddr_in *)b;
        return x->sin_addr.s_addr == y->sin_addr.s_addr || (ntohl(y->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
    }
    const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *y = (const struct sockaddr_in6 *)b;
    return memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
}

bool source_is_local(const struct source *s)
{
    struct sockaddr_storage ours = {0};
    struct sockaddr_storage theirs = {0};
    socklen_t ours_len = sizeof ours;
    socklen_t theirs_len = sizeof theirs;
    int fd = (int)mysql_get_socket(s->mysql);
    if (getsockname(fd, (struct sockaddr *)&ours, &ours_len) != 0 ||
        getpeername(fd, (struct sockaddr *)&theirs, &theirs_len) != 0)
        return false;
    return theirs.ss_family == AF_UNIX || same_address(&ours, &theirs);
}

static void each_row(MYSQL_RES *result, source_row_fn fn, void *arg)
{
    unsigned columns = mysql_num_fields(result);
    MYSQL_ROW raw;
    while ((raw = mysql_fetch_row(result)) != NULL) {
        struct source_row row = {.columns = columns < SOURCE_COLUMNS_MAX ? columns : SOURCE_COLUMNS_MAX};
        for (unsigned i = 0; i < row.columns; i++)
            row.value[i] = raw[i];
        if (fn != NULL)
            fn(&row, arg);
    }
}

/* Row by row: nothing is gathered, however much comes. False: there are none. */
static bool take_rows(struct source *s, source_row_fn fn, void *arg, unsigned *ret_errno)
{
    MYSQL_RES *result = mysql_use_result(s->mysql);
    if (result != NULL) {
        source_watch_rows();
        each_row(result, fn, arg);
    }
    *ret_errno = mysql_errno(s->mysql);
    mysql_free_result(result);
    return result != NULL;
}

/* What came with the end of an answer would be taken for the next one, and nobody has looked at it. */
static bool has_unasked(const struct source *s)
{
    const MARIADB_PVIO *pvio = s->mysql->net.pvio;
    return pvio != NULL && pvio->cache != NULL && pvio->cache + pvio->cache_size > pvio->cache_pos;
}

int source_query(struct source *s, const char *sql, source_row_fn fn, void *arg, unsigned *ret_errno,
                 struct lt_err *err)
{
    bool rows = false;
    if (has_unasked(s)) {
        source_shutdown(s);
        *ret_errno = 0;
        return lt_err_set(err, LT_EPROTO, "the source says something that it was not asked");
    }
    source_watch_answer(s->answer_us);
    if (mysql_query(s->mysql, sql) != 0)
        *ret_errno = mysql_errno(s->mysql);
    else
        rows = take_rows(s, fn, arg, ret_errno);
    switch (source_watch_end()) {
    case SOURCE_WATCH_TOO_MUCH:
        return lt_err_set(err, LT_ETOOBIG, "the source answers \"%.60s\" with more than %s: no server does", sql,
                          rows ? "32 MiB" : "256 KiB before the first row");
    case SOURCE_WATCH_TOO_SLOW:
        return lt_err_set(err, LT_ECLOSED, "the source's answer to \"%.60s\" does not end in time", sql);
    case SOURCE_WATCH_FINE:
    case SOURCE_WATCH_NO_TLS:
    case SOURCE_WATCH_NO_GREETING:
        break;
    }
    return *ret_errno == 0 ? LT_OK : lt_err_set(err, LT_EPROTO, "%s (error %u)", mysql_error(s->mysql), *ret_errno);
}

int source_take_over(struct source *s, struct wire *ret, struct lt_err *err)
{
    MARIADB_PVIO *pvio = s->mysql->net.pvio;
    void *tls = pvio->ctls != NULL ? pvio->ctls->ssl : NULL;
    if (s->cipher[0] != '\0' && tls == NULL)
        return lt_err_set(err, LT_EUNSUPPORTED, "the client library hides its TLS session");
    s->taken_over = true;
    return wire_open_socket(ret, (int)mysql_get_socket(s->mysql), tls, err);
}
