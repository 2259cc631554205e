/*
 * - Resolve with a deadline, connect by address (by name where the certificate's name is to be verified), authenticate.
 * - A name with several addresses: each is tried in turn, whatever was wrong with the one before, and gets an equal part of the time that is
 *   left, at least a second. The one that worked last comes first. With the name given the library walks the addresses itself.
 * - TLS required: the greeting is looked at while the library holds it, before it answers (source_watch.c). After the login a cipher must be there.
 * - To whom the password itself may be given decides source_login.c; no file is ever sent (LOAD DATA LOCAL).
 * Failure: the text names each address and what was wrong there. The code is that of the address that worked last, else of the first one
 *   where a server answered.
 */
#include "ingest/source_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "ingest/resolve.h"
#include "ingest/source_login.h"
#include "ingest/source_watch.h"

/* What is known of goes that failed. */
struct tries {
    enum source_error code;
    size_t count;
    size_t untold; /* no room in the text */
    size_t len;
    char text[400];
};

void source_global_init(void)
{
    (void)mysql_library_init(0, NULL, NULL);
    source_login_install();
    source_watch_install();
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

static enum source_trust trust(const struct source_params *p, bool by_socket)
{
    if (by_socket || p->ssl == SOURCE_SSL_VERIFY_CA || p->ssl == SOURCE_SSL_VERIFY_IDENTITY)
        return SOURCE_TRUST_VERIFIED;
    return p->verified_login ? SOURCE_TRUST_NONE : SOURCE_TRUST_ASSUMED;
}

static void set_options(MYSQL *m, const struct source_params *p, bool by_socket, uint64_t connect_us)
{
    unsigned connect_s = seconds_up(connect_us);
    unsigned read_s = seconds_up(p->read_timeout_us);
    int protocol = by_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    my_bool on = 1;
    my_bool off = 0;
    unsigned no_files = 0;
    (void)mysql_optionsv(m, MARIADB_OPT_RESTRICTED_AUTH, source_login_ways(trust(p, by_socket)));
    (void)mysql_optionsv(m, MYSQL_OPT_LOCAL_INFILE, &no_files);
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
    case 2001: /* no socket can be made */
    case 2004:
        return SOURCE_ERR_FILES;
    case 1040: /* too many connections */
    case 1203: /* of this account, by max_user_connections */
    case 1226: /* by its own limit */
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
    case 5010: /* a way to log in that we do not go */
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

/* One go. */
struct go {
    const char *host;    /* what the library is given */
    const char *address; /* NULL: a Unix socket */
    uint64_t us;
    bool unreachable; /* no server was found there */
    char why[400];    /* without the place */
};

/* What we ended ourselves; SOURCE_OK: nothing. */
static enum source_error judge_ours(struct go *go, enum source_watched watched, const struct source_login *login)
{
    const char *why = NULL;
    enum source_error code = SOURCE_ERR_CONNECT;
    if (watched == SOURCE_WATCH_NO_TLS) {
        why = "offers no TLS, and source.ssl_mode requires it; no credentials were sent";
        code = SOURCE_ERR_TLS;
    } else if (login->refused) {
        why =
            "asks for the password itself, as until this account's first login since its start, and its certificate is "
            "not verified; it was not sent. Set source.ssl_mode = VERIFY_CA and source.ssl_ca";
        code = SOURCE_ERR_AUTH;
    } else if (watched == SOURCE_WATCH_NO_GREETING) {
        why = "begins with something that is no greeting of a server";
    } else if (watched == SOURCE_WATCH_TOO_MUCH) {
        why = "sends more during the login than any server has to say";
    } else if (watched == SOURCE_WATCH_TOO_SLOW) {
        why = "does not end the login in time";
    }
    if (why == NULL)
        return SOURCE_OK;
    (void)snprintf(go->why, sizeof go->why, "%s", why);
    return code;
}

static enum source_error judge(struct source *s, const struct source_params *p, struct go *go, bool ok, bool late)
{
    struct source_login login = source_login_end();
    enum source_watched watched = source_watch_end();
    if (ok && go->address != NULL && needs_tls(p) && mysql_get_ssl_cipher(s->mysql) == NULL)
        watched = SOURCE_WATCH_NO_TLS;
    enum source_error code = judge_ours(go, watched, &login);
    if (code != SOURCE_OK)
        return code;
    s->gave_password = login.gave;
    if (ok)
        return SOURCE_OK;
    struct source_said said = source_said(s->mysql);
    go->unreachable = source_is_unreachable(said.code);
    source_reason(s->mysql, go->address, p->port, late, go->why, sizeof go->why);
    return classify_connect_error(said.code, said.text);
}

/* Each read of the library has its own time-out; what drips ends here. */
#define LOGIN_US(us)  ((us)*2 + 1000000)
#define ANSWER_US(us) ((us)*6)

/* The library's copy. It connects only once. */
static void forget_password(MYSQL *m)
{
    if (m->passwd != NULL)
        explicit_bzero(m->passwd, strlen(m->passwd));
}

static enum source_error try_one(struct source *s, const struct source_params *p, struct go *go)
{
    bool tcp = go->address != NULL;
    uint64_t began = clock_mono_us();
    s->mysql = mysql_init(NULL);
    if (s->mysql == NULL) {
        (void)snprintf(go->why, sizeof go->why, "out of memory");
        return SOURCE_ERR_CONNECT;
    }
    set_options(s->mysql, p, !tcp, go->us);
    source_login_begin(trust(p, !tcp));
    source_watch_login(!tcp || !wants_tls(p) ? SOURCE_WATCH_TLS_UNUSED
                       : needs_tls(p)        ? SOURCE_WATCH_TLS_NEEDED
                                             : SOURCE_WATCH_TLS_WANTED,
                       LOGIN_US(go->us));
    MYSQL *ok = mysql_real_connect(s->mysql, go->host, p->user, p->password, NULL, tcp ? p->port : 0,
                                   tcp ? NULL : p->socket, 0);
    enum source_error code = judge(s, p, go, ok != NULL, clock_mono_us() - began >= go->us);
    forget_password(s->mysql);
    if (code != SOURCE_OK) {
        mysql_close(s->mysql);
        s->mysql = NULL;
    }
    return code;
}

static void note_failure(struct tries *t, const struct resolved *r, const char *address, enum source_error code,
                         const char *why)
{
    if (t->count++ == 0 || (t->code == SOURCE_ERR_CONNECT && !r->first_worked))
        t->code = code;
    char one[sizeof t->text];
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is never NULL
    const char *colon = address[0] != '\0' ? ": " : "";
    int n = snprintf(one, sizeof one, "%s%s%s%s", t->len > 0 ? "; " : "", address, colon, why);
    if (n < 0 || t->len + (size_t)n >= sizeof t->text) {
        t->untold++;
        return;
    }
    memcpy(t->text + t->len, one, (size_t)n + 1);
    t->len += (size_t)n;
}

/* The library has walked all of them. */
static void note_each(struct tries *t, const struct source_params *p, const struct resolved *r)
{
    char why[256];
    for (size_t i = 0; i < r->count; i++) {
        source_reason_of_address(r->address[i], p->port, false, why, sizeof why);
        note_failure(t, r, r->address[i], SOURCE_ERR_CONNECT, why);
    }
}

static void try_by_name(struct source *s, const struct source_params *p, const struct resolved *r, struct tries *t)
{
    struct go go = {.host = p->host, .address = r->address[0], .us = p->connect_timeout_us / r->count};
    enum source_error code = try_one(s, p, &go);
    if (go.unreachable && r->count > 1)
        note_each(t, p, r);
    else if (code != SOURCE_OK)
        note_failure(t, r, "", code, go.why);
}

static void try_each(struct source *s, const struct source_params *p, const struct resolved *r, struct tries *t)
{
    uint64_t until = clock_mono_us() + p->connect_timeout_us;
    bool is_name = strcmp(r->address[0], p->host) != 0;
    for (size_t i = 0; i < r->count; i++) {
        uint64_t now = clock_mono_us();
        struct go go = {.host = r->address[i], .address = r->address[i]};
        go.us = (until > now ? until - now : 0) / (r->count - i);
        enum source_error code = try_one(s, p, &go);
        if (code == SOURCE_OK) {
            resolve_worked(p->host, r->address[i]);
            return;
        }
        note_failure(t, r, is_name ? r->address[i] : "", code, go.why);
    }
}

static int connect_tcp(struct source *s, const struct source_params *p, enum source_error *ret_code, struct lt_err *err)
{
    struct resolved r;
    struct tries t = {0};
    int rc = resolve_host(p->host, p->connect_timeout_us, &r, err);
    if (rc != 0)
        return rc;
    if (p->ssl == SOURCE_SSL_VERIFY_IDENTITY)
        try_by_name(s, p, &r, &t);
    else
        try_each(s, p, &r, &t);
    resolve_fini(&r);
    if (s->mysql != NULL)
        return LT_OK;
    *ret_code = t.code;
    if (t.untold > 0)
        return lt_err_set(err, LT_ECLOSED, "%s:%u: %s; and %zu addresses more", p->host, p->port, t.text, t.untold);
    return lt_err_set(err, LT_ECLOSED, "%s:%u: %s", p->host, p->port, t.text);
}

static int connect_socket(struct source *s, const struct source_params *p, enum source_error *ret_code,
                          struct lt_err *err)
{
    struct go go = {.us = p->connect_timeout_us};
    *ret_code = try_one(s, p, &go);
    return *ret_code == SOURCE_OK ? LT_OK : lt_err_set(err, LT_ECLOSED, "%s: %s", p->socket, go.why);
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
    bool by_socket = p->socket != NULL && p->socket[0] != '\0';
    int rc = by_socket ? connect_socket(s, p, ret_code, err) : connect_tcp(s, p, ret_code, err);
    if (rc != 0) {
        free(s);
        return rc;
    }
    s->answer_us = ANSWER_US(p->read_timeout_us);
    tune_socket((int)mysql_get_socket(s->mysql));
    remember_server(s);
    *ret_code = SOURCE_OK;
    *ret = s;
    return LT_OK;
}
