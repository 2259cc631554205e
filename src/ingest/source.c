/*
 * - Resolve with a deadline, connect by address (by name where the certificate's name is to be verified), authenticate.
 * - TLS required: the greeting is looked at while the library holds it, before it answers: without CLIENT_SSL the socket is shut down,
 *   so that no credential leaves. The library itself would go on in clear text. After the login a cipher must be there.
 * - Statements go through the library; then the socket and the SSL session are taken over.
 * Teardown of a taken-over connection: shutdown(2), then mysql_close: its COM_QUIT finds a closed socket. On a MariaDB dump
 * connection a COM_QUIT that arrives would switch off all later ACKs.
 */
/* Connector/C's installed internals need both of these before they can be read. */
#define HAVE_TLS 1
typedef unsigned char uchar;

#include <mysql.h>

#include <ma_pvio.h>

#include <ma_tls.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "binlog/packet.h"
#include "ingest/resolve.h"
#include "ingest/source.h"

#ifndef MARIADB_BASE_VERSION
#error "logtailer needs MariaDB Connector/C (default-libmysqlclient-dev on Debian)"
#endif

#define ERR_TOO_MANY_CONNECTIONS 1040

struct source {
    MYSQL *mysql;
    bool taken_over;
    bool mariadb;
    char version[64];
    char cipher[64];
};

/* What the read callback must look for while this thread connects. */
struct greeting_watch {
    bool armed;
    bool needed; /* shut the connection down rather than go on in clear text */
    bool refused;
};
static _Thread_local struct greeting_watch greeting_watch;

/* Exported by the library; its header declares it without the length's type agreeing across versions, so we state what it calls. */
int ma_pvio_register_callback(my_bool enable, void (*fn)(int mode, MYSQL *mysql, const uchar *buf, size_t len));

#define PVIO_CALLBACK_READ 0

static void watch_greeting(int mode, MYSQL *mysql, const uchar *buf, size_t len)
{
    if (!greeting_watch.armed || mode != PVIO_CALLBACK_READ || mysql == NULL)
        return;
    greeting_watch.armed = false; /* the first read of a connection is the greeting */
    struct packet_greeting g;
    uint16_t code;
    if (len <= PACKET_HEADER_LEN || len > SIZE_MAX / 2)
        return;
    if (packet_parse_greeting(buf + PACKET_HEADER_LEN, len - PACKET_HEADER_LEN, &g, &code) != 0) {
        if (code != 0)
            return; /* an ERR packet: the library reports it, and sends nothing */
    } else if (g.capabilities & PACKET_CLIENT_SSL) {
        return;
    }
    if (!greeting_watch.needed) {
        /* The library takes "wanted" for "there" when it chooses how to send a password, and would send it in clear text. */
        my_bool off = 0;
        (void)mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &off);
        mysql->client_flag &= ~(unsigned long)CLIENT_SSL;
        return;
    }
    greeting_watch.refused = true;
    (void)shutdown(mysql_get_socket(mysql), SHUT_RDWR);
}

void source_global_init(void)
{
    (void)mysql_library_init(0, NULL, NULL);
    ma_pvio_register_callback(1, watch_greeting);
}

static unsigned seconds_up(uint64_t us)
{
    uint64_t s = (us + 999999) / 1000000;
    return s == 0 ? 1 : (unsigned)s;
}

static bool wants_tls(const struct source_params *p)
{
    return p->ssl != SOURCE_SSL_DISABLED;
}

static bool needs_tls(const struct source_params *p)
{
    return p->ssl == SOURCE_SSL_REQUIRED || p->ssl == SOURCE_SSL_VERIFY_CA || p->ssl == SOURCE_SSL_VERIFY_IDENTITY;
}

static void set_options(MYSQL *m, const struct source_params *p, bool by_socket)
{
    unsigned connect_s = seconds_up(p->connect_timeout_us);
    unsigned read_s = seconds_up(p->read_timeout_us);
    int protocol = by_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    my_bool on = 1;
    my_bool off = 0;
    (void)mysql_optionsv(m, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_optionsv(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    (void)mysql_optionsv(m, MYSQL_OPT_READ_TIMEOUT, &read_s);
    (void)mysql_optionsv(m, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
    (void)mysql_optionsv(m, MYSQL_OPT_RECONNECT, &off);
    (void)mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_optionsv(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "logtailerd");
    if (!wants_tls(p) || by_socket)
        return;
    (void)mysql_optionsv(m, MYSQL_OPT_SSL_ENFORCE, &on);
    if (p->ssl >= SOURCE_SSL_VERIFY_CA && p->ssl_ca != NULL)
        (void)mysql_optionsv(m, MYSQL_OPT_SSL_CA, p->ssl_ca);
    if (p->ssl_cert != NULL && p->ssl_cert[0] != '\0') {
        (void)mysql_optionsv(m, MYSQL_OPT_SSL_CERT, p->ssl_cert);
        (void)mysql_optionsv(m, MYSQL_OPT_SSL_KEY, p->ssl_key);
    }
    if (p->ssl == SOURCE_SSL_VERIFY_IDENTITY)
        (void)mysql_optionsv(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
}

/* Error numbers of servers and of the client library, by what an operator must do about them. */
static enum source_error classify_connect_error(unsigned code, const char *text)
{
    switch (code) {
    case ERR_TOO_MANY_CONNECTIONS:
    case 1203: /* max_user_connections */
    case 1226: /* the account's MAX_USER_CONNECTIONS */

        return SOURCE_ERR_BUSY;
    case 1044: /* access to the database */
    case 1045: /* wrong password, no such user */
    case 1130: /* host is not allowed */
    case 1129: /* host is blocked after too many errors */
    case 1251: /* client does not support the authentication */
    case 1275:
    case 1524: /* plugin is not loaded */
    case 1820: /* password must be changed */
    case 1862: /* password expired */
    case 2059: /* client-side plugin cannot be loaded */
    case 2061: /* caching_sha2: needs a secure connection */
    case 3118: /* account locked */
    case 3159: /* require_secure_transport */
    case 4151: /* account locked, MariaDB */
        return SOURCE_ERR_AUTH;
    case 1227: /* an admin_port wants SERVICE_CONNECTION_ADMIN */
        return SOURCE_ERR_PRIVILEGE;
    case 2026: /* CR_SSL_CONNECTION_ERROR */
        return SOURCE_ERR_TLS;
    default:
        break;
    }
    return strstr(text, "SSL") != NULL || strstr(text, "TLS") != NULL ? SOURCE_ERR_TLS : SOURCE_ERR_CONNECT;
}

static int refuse_clear_text(const struct source_params *p, enum source_error *ret_code, struct lt_err *err)
{
    *ret_code = SOURCE_ERR_TLS;
    return lt_err_set(err, LT_ECLOSED, "%s:%u offers no TLS, and source.ssl_mode requires it; no credentials were sent",
                      p->host, p->port);
}

static int connect_handle(struct source *s, const struct source_params *p, enum source_error *ret_code,
                          struct lt_err *err)
{
    bool by_socket = p->socket != NULL && p->socket[0] != '\0';
    char address[64] = "";
    *ret_code = SOURCE_ERR_CONNECT;
    if (!by_socket) {
        int rc = resolve_host(p->host, p->connect_timeout_us, address, sizeof address, err);
        if (rc != 0)
            return rc;
    }
    set_options(s->mysql, p, by_socket);
    const char *host = p->ssl == SOURCE_SSL_VERIFY_IDENTITY ? p->host : address;
    bool tls_needed = !by_socket && needs_tls(p);
    greeting_watch = (struct greeting_watch){.armed = !by_socket && wants_tls(p), .needed = tls_needed};
    MYSQL *ok = mysql_real_connect(s->mysql, by_socket ? NULL : host, p->user, p->password, NULL,
                                   by_socket ? 0 : p->port, by_socket ? p->socket : NULL, 0);
    greeting_watch.armed = false;
    if (greeting_watch.refused)
        return refuse_clear_text(p, ret_code, err);
    if (ok == NULL) {
        unsigned code = mysql_errno(s->mysql);
        *ret_code = classify_connect_error(code, mysql_error(s->mysql));
        if (by_socket)
            return lt_err_set(err, LT_ECLOSED, "%s: %s (error %u)", p->socket, mysql_error(s->mysql), code);
        return lt_err_set(err, LT_ECLOSED, "%s:%u: %s (error %u)", p->host, p->port, mysql_error(s->mysql), code);
    }
    if (tls_needed && mysql_get_ssl_cipher(s->mysql) == NULL)
        return refuse_clear_text(p, ret_code, err);
    return LT_OK;
}

static void remember_server(struct source *s)
{
    const char *version = mysql_get_server_info(s->mysql);
    const char *cipher = mysql_get_ssl_cipher(s->mysql);
    strncpy(s->version, version ? version : "", sizeof s->version - 1);
    strncpy(s->cipher, cipher ? cipher : "", sizeof s->cipher - 1);
    s->mariadb = strcasestr(s->version, "mariadb") != NULL || mariadb_connection(s->mysql);
}

/* No delay for ACKs; a peer that vanished without a word is noticed by the kernel too. No effect on a Unix socket. */
static void tune_socket(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},   {IPPROTO_TCP, TCP_NODELAY, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 5},
        {IPPROTO_TCP, TCP_KEEPINTVL, 2}, {IPPROTO_TCP, TCP_KEEPCNT, 3}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

int source_connect(const struct source_params *p, struct source **ret, enum source_error *ret_code, struct lt_err *err)
{
    struct source *s = calloc(1, sizeof *s);
    *ret_code = SOURCE_ERR_CONNECT;
    if (s == NULL)
        return lt_err_set(err, LT_ENOMEM, "connecting");
    s->mysql = mysql_init(NULL);
    if (s->mysql == NULL) {
        free(s);
        return lt_err_set(err, LT_ENOMEM, "connecting");
    }
    int rc = connect_handle(s, p, ret_code, err);
    if (rc != 0) {
        source_close(s);
        return rc;
    }
    tune_socket((int)mysql_get_socket(s->mysql));
    remember_server(s);
    *ret_code = SOURCE_OK;
    *ret = s;
    return LT_OK;
}

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
        fn(&row, arg);
    }
}

int source_query(struct source *s, const char *sql, source_row_fn fn, void *arg, unsigned *ret_errno,
                 struct lt_err *err)
{
    *ret_errno = 0;
    if (mysql_query(s->mysql, sql) != 0) {
        *ret_errno = mysql_errno(s->mysql);
        return lt_err_set(err, LT_EPROTO, "%s (error %u)", mysql_error(s->mysql), *ret_errno);
    }
    MYSQL_RES *result = mysql_store_result(s->mysql);
    if (result == NULL) {
        *ret_errno = mysql_errno(s->mysql);
        return *ret_errno == 0 ? LT_OK : lt_err_set(err, LT_EPROTO, "%s (error %u)", mysql_error(s->mysql), *ret_errno);
    }
    if (fn != NULL)
        each_row(result, fn, arg);
    mysql_free_result(result);
    return LT_OK;
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
