/* The servers' own client library logs in to a server made of this layer: each plugin, right and wrong, by a switch, over TCP and a Unix socket. */
#include "cunit_main.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mysql.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cursor.h"
#include "binlog/packet.h"
#include "mysqlwire/auth.h"
#include "mysqlwire/capability.h"
#include "mysqlwire/command.h"
#include "mysqlwire/reply.h"

#define NATIVE  "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
#define ED25519 "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"
#define SHA2                                                                                                           \
    "0x2441243030412409376F31257A54666034675601103D17685E0B0F4A59354D434E504753356D4D7A6B58727130314C6E394279386768"   \
    "45614F654535705874423867356B4A34"

struct server {
    int listen_fd;
    uint16_t port;
    char path[64]; /* "": TCP */
    pthread_t thread;
    const char *verifier; /* NULL: no such user */
    enum verifier_kind usual;
    bool remembers;   /* an earlier login left the fast way */
    uint32_t without; /* capabilities that it does not offer */
    EVP_PKEY *rsa;
    char *rsa_pem;
    /* what it saw */
    struct handshake_login login;
    char program[64];
    bool accepted;
    bool had_fast;
    unsigned packets;
    char query[64];
};

static bool read_all(int fd, uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, data + at, len - at, 0);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* One packet's payload; its number in *ret_seq. */
static bool read_packet(int fd, uint8_t *payload, size_t cap, size_t *ret_len, uint8_t *ret_seq)
{
    uint8_t header[PACKET_HEADER_LEN];
    if (!read_all(fd, header, sizeof header) || load_u24(header) > cap)
        return false;
    *ret_len = load_u24(header);
    *ret_seq = header[3];
    return read_all(fd, payload, *ret_len);
}

static void flush(int fd, struct reply *r)
{
    CU_ASSERT_FALSE(r->failed);
    (void)send(fd, r->data, r->len, MSG_NOSIGNAL);
    reply_fini(r);
}

static void greet(const struct server *s, int fd, const uint8_t *nonce)
{
    uint8_t out[256];
    size_t len = 0;
    struct reply r;
    struct handshake_greeting g = {.version = "9.7.4-logtailer",
                                   .thread_id = 7,
                                   .capabilities = CAP_OFFERED & ~s->without,
                                   .plugin = verifier_plugin(s->usual)};
    memcpy(g.nonce, nonce, sizeof g.nonce);
    CU_ASSERT_EQUAL(handshake_write_greeting(&g, out, sizeof out, &len), 0);
    reply_begin(&r, 0, UINT8_MAX);
    reply_raw(&r, out, len);
    flush(fd, &r);
}

/* Each turn: what is due goes out, until there is a yes or a no. */
static bool converse(struct server *s, int fd, struct auth *a, enum auth_state state, uint8_t seq)
{
    uint8_t payload[2048];
    size_t len = 0;
    struct reply r;
    int rc = 0;
    while (rc == 0 && state == AUTH_SEND) {
        reply_begin(&r, s->login.capabilities, seq);
        reply_raw(&r, a->packet, a->packet_len);
        flush(fd, &r);
        s->packets++;
        if (!read_packet(fd, payload, sizeof payload, &len, &seq))
            return false;
        rc = auth_input(a, payload, len, &state);
    }
    reply_begin(&r, s->login.capabilities, seq);
    if (rc == 0 && state == AUTH_ACCEPTED && a->packet_len > 0)
        reply_raw(&r, a->packet, a->packet_len);
    if (rc == 0 && state == AUTH_ACCEPTED)
        reply_ok(&r);
    else
        reply_errf(&r, 1045, "28000", "Access denied for user '%s'", s->login.user);
    flush(fd, &r);
    return rc == 0 && state == AUTH_ACCEPTED;
}

static bool login(struct server *s, int fd)
{
    static uint8_t payload[HANDSHAKE_LOGIN_MAX];
    static const uint8_t nonce[VERIFIER_ED25519_NONCE_LEN] = "thirty-two bytes that are random";
    uint8_t fast[VERIFIER_FAST_LEN];
    struct verifier v;
    struct auth a;
    enum auth_state state = AUTH_DENIED;
    size_t len = 0;
    uint8_t seq = 0;
    greet(s, fd, nonce);
    if (!read_packet(fd, payload, sizeof payload, &len, &seq))
        return false;
    CU_ASSERT_EQUAL(handshake_parse_login(payload, len, CAP_OFFERED & ~s->without, &s->login), 0);
    (void)handshake_attr(&s->login, "program_name", s->program, sizeof s->program);
    struct auth_account account = {.verifiers = &v, .count = s->verifier != NULL};
    if (s->verifier != NULL)
        CU_ASSERT_EQUAL(verifier_parse(s->verifier, &v), 0);
    if (s->remembers && verifier_sha2_fits(&v, "secret", 6, fast))
        account.fast = fast;
    struct auth_ways ways = {
        .private_way = s->path[0] != '\0', .rsa = s->rsa, .rsa_pem = s->rsa_pem, .usual = s->usual};
    CU_ASSERT_EQUAL(auth_begin(&a, &account, &ways, nonce, &s->login, &state), 0);
    bool in = converse(s, fd, &a, state, seq);
    s->had_fast = a.has_fast;
    return in;
}

/* One question is answered with two columns and three rows. */
static void answer(struct server *s, int fd)
{
    static const struct reply_column columns[] = {{"Log_name", REPLY_TEXT}, {"File_size", REPLY_NUMBER}};
    static const char *const rows[][2] = {{"binlog.000001", "157"}, {"binlog.000002", NULL}, {"", "0"}};
    uint8_t payload[256];
    size_t len = 0;
    uint8_t seq = 0;
    struct reply r;
    while (read_packet(fd, payload, sizeof payload - 1, &len, &seq) && len > 0 && payload[0] == COMMAND_INIT_DB) {
        reply_begin(&r, s->login.capabilities, seq);
        reply_ok(&r);
        flush(fd, &r);
    }
    if (len == 0 || payload[0] != COMMAND_QUERY)
        return;
    payload[len] = '\0';
    (void)snprintf(s->query, sizeof s->query, "%.60s", (const char *)payload + 1);
    reply_begin(&r, s->login.capabilities, seq);
    reply_columns(&r, columns, 2);
    for (size_t i = 0; i < 3; i++)
        reply_row(&r, rows[i], 2);
    reply_end(&r);
    flush(fd, &r);
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    s->accepted = fd >= 0 && login(s, fd);
    if (s->accepted)
        answer(s, fd);
    uint8_t rest[64];
    while (fd >= 0 && recv(fd, rest, sizeof rest, 0) > 0)
        ;
    (void)close(fd);
    return NULL;
}

static void start(struct server *s, bool unix_socket)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof in;
    s->path[0] = '\0';
    s->listen_fd = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (unix_socket) {
        (void)snprintf(s->path, sizeof s->path, "/tmp/mysqlwire-%d", (int)getpid());
        (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", s->path);
        (void)unlink(s->path);
        CU_ASSERT_EQUAL(bind(s->listen_fd, (struct sockaddr *)&un, sizeof un), 0);
    } else {
        CU_ASSERT_EQUAL(bind(s->listen_fd, (struct sockaddr *)&in, sizeof in), 0);
        CU_ASSERT_EQUAL(getsockname(s->listen_fd, (struct sockaddr *)&in, &len), 0);
        s->port = ntohs(in.sin_port);
    }
    CU_ASSERT_EQUAL(listen(s->listen_fd, 1), 0);
    CU_ASSERT_EQUAL(pthread_create(&s->thread, NULL, serve, s), 0);
}

struct client {
    const char *password;
    const char *schema;
    const char *plugin; /* the client's own choice before it saw the greeting */
};

/* 0 or the error's number. */
static unsigned connect_client(struct server *s, bool unix_socket, const struct client *c)
{
    start(s, unix_socket);
    MYSQL *m = mysql_init(NULL);
    (void)mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "test_login");
    if (c->plugin != NULL)
        (void)mysql_options(m, MYSQL_DEFAULT_AUTH, c->plugin);
    bool in = mysql_real_connect(m, unix_socket ? NULL : "127.0.0.1", "repl", c->password, c->schema, s->port,
                                 unix_socket ? s->path : NULL, 0) != NULL;
    unsigned error = in ? 0 : mysql_errno(m);
    if (!in && error == 0)
        error = UINT16_MAX;
    if (in) {
        CU_ASSERT_EQUAL(mysql_query(m, "SHOW BINARY LOGS"), 0);
        MYSQL_RES *res = mysql_store_result(m);
        CU_ASSERT_PTR_NOT_NULL(res);
        CU_ASSERT_EQUAL(res != NULL ? mysql_num_rows(res) : 0, 3);
        MYSQL_ROW row = res != NULL ? mysql_fetch_row(res) : NULL;
        CU_ASSERT_TRUE(row != NULL && strcmp(row[0], "binlog.000001") == 0 && strcmp(row[1], "157") == 0);
        row = res != NULL ? mysql_fetch_row(res) : NULL;
        CU_ASSERT_TRUE(row != NULL && row[1] == NULL);
        mysql_free_result(res);
    }
    mysql_close(m);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->listen_fd);
    if (s->path[0] != '\0')
        (void)unlink(s->path);
    return error;
}

static EVP_PKEY *make_key(char **ret_pem)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    (void)PEM_write_bio_PUBKEY(out, key);
    long len = BIO_get_mem_data(out, &data);
    *ret_pem = strndup(data, (size_t)len);
    BIO_free(out);
    return key;
}

static const char *const texts[] = {NATIVE, SHA2, ED25519};

/* Whatever the greeting names and the client would choose, over both ways: the right password, and others. */
static void test_every_plugin(void)
{
    static const char *const passwords[] = {"secret", "Secret", "secre", "", "secret1"};
    char *pem;
    EVP_PKEY *key = make_key(&pem);
    for (unsigned i = 0; i < 3u * 2 * 2; i++) {
        const char *verifier = texts[i / 4];
        bool unix_socket = i & 1;
        for (size_t k = 0; k < sizeof passwords / sizeof passwords[0]; k++) {
            struct server s = {
                .verifier = verifier, .usual = i & 2 ? VERIFIER_NATIVE : VERIFIER_SHA2, .rsa = key, .rsa_pem = pem};
            unsigned error = connect_client(&s, unix_socket, &(struct client){.password = passwords[k]});
            CU_ASSERT_EQUAL(error, k == 0 ? 0 : 1045);
            CU_ASSERT_EQUAL(s.accepted, k == 0);
            CU_ASSERT_EQUAL(s.had_fast, k == 0 && verifier == texts[1]);
            if (error != (k == 0 ? 0 : 1045u))
                (void)printf("%s%s, usual %d, '%s': %u ", verifier, unix_socket ? ", unix" : "", s.usual, passwords[k],
                             error);
            CU_ASSERT_STRING_EQUAL(s.login.user, "repl");
            CU_ASSERT_STRING_EQUAL(s.program, "test_login");
            CU_ASSERT_STRING_EQUAL(s.query, k == 0 ? "SHOW BINARY LOGS" : "");
        }
    }
    EVP_PKEY_free(key);
    free(pem);
}

static void test_fast_way(void)
{
    for (int right = 0; right < 2; right++) {
        struct server s = {.verifier = SHA2, .usual = VERIFIER_SHA2, .remembers = true};
        unsigned error = connect_client(&s, false, &(struct client){.password = right ? "secret" : "wrong"});
        CU_ASSERT_EQUAL(error == 0, right);
        CU_ASSERT_EQUAL(s.packets, right ? 0 : 1); /* without a key of ours nothing else can be asked for over TCP */
    }
}

static void test_nobody(void)
{
    char *pem;
    EVP_PKEY *key = make_key(&pem);
    for (int i = 0; i < 4; i++) {
        struct server s = {.usual = (enum verifier_kind)(i / 2), .rsa = key, .rsa_pem = pem};
        unsigned error = connect_client(&s, i & 1, &(struct client){.password = "secret"});
        CU_ASSERT_EQUAL(error, 1045);
        CU_ASSERT_FALSE(s.accepted);
    }
    EVP_PKEY_free(key);
    free(pem);
}

/* What old servers' capabilities lead to: other forms of the same packets. */
static void test_capabilities(void)
{
    static const uint32_t without[] = {CAP_DEPRECATE_EOF, CAP_LENENC_AUTH, CAP_CONNECT_ATTRS,
                                       CAP_DEPRECATE_EOF | CAP_LENENC_AUTH | CAP_CONNECT_ATTRS | CAP_CONNECT_WITH_DB};
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        struct server s = {.verifier = NATIVE, .usual = VERIFIER_NATIVE, .without = without[i]};
        unsigned error = connect_client(&s, false, &(struct client){.password = "secret", .schema = "test"});
        CU_ASSERT_EQUAL(error, 0);
        if (error != 0)
            (void)printf("%zu: %u ", i, error);
        CU_ASSERT_EQUAL(strcmp(s.login.schema, "test") == 0, (without[i] & CAP_CONNECT_WITH_DB) == 0);
    }
}

static const struct test_case cases[] = {
    {"every plugin, either way", test_every_plugin},
    {"the fast way", test_fast_way},
    {"nobody of that name", test_nobody},
    {"capabilities", test_capabilities},
};

int main(void)
{
    (void)mysql_library_init(0, NULL, NULL);
    int bad = cunit_run("login", cases, sizeof cases / sizeof cases[0]);
    mysql_library_end();
    return bad;
}
