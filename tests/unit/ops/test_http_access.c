/* Who may ask over HTTP: users, loopback, strangers, names that lead here, TLS, and all of it changed while connections are open. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cunit_main.h"
#include "fake_primary.h"
#include "http_client.h"
#include "http_stage.h"
#include "netns.h"
#include "proc.h"

#include "ops/http/http_access.h"

#define ALICE "Authorization: Basic YWxpY2U6d29uZGVybGFuZA==\r\n" /* alice:wonderland */
#define WRONG "Authorization: Basic YWxpY2U6Z3Vlc3NlZA==\r\n"     /* alice:guessed */

static uint16_t port;
static char *folder;
static char *users;

static int connect_from(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, address, &from.sin_addr) != 1 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        proc_die_errno("connect from %s", address);
    return fd;
}

/* The answer's status; its text into ret (may be NULL), which the caller frees. */
static int ask(const char *from, const char *path, const char *host, const char *more, char **ret)
{
    int fd = connect_from(from);
    char *request = proc_fmt("GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", path, host, more);
    char *answer = http_client_talk(fd, request);
    int status = answer != NULL ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
    free(request);
    (void)close(fd);
    if (ret != NULL)
        *ret = answer;
    else
        free(answer);
    return status;
}

static int status_for(const char *from, const char *more)
{
    return ask(from, "/status", "127.0.0.1", more, NULL);
}

static void start(const struct http_access_options *opt)
{
    stage_access = opt;
    port = stage_start();
}

static void who_may_ask(void)
{
    start(&(struct http_access_options){0});
    CU_ASSERT_EQUAL(status_for(netns_local(), ""), 200);
    CU_ASSERT_EQUAL(status_for(netns_stranger(), ""), 401); /* however it got here */
    CU_ASSERT_EQUAL(status_for(netns_local(), WRONG), 200); /* there are no users that one could be wrong about */
    stage_adopt(&(struct http_access_options){.users_file = users});
    CU_ASSERT_EQUAL(status_for(netns_local(), ""), 401);
    CU_ASSERT_EQUAL(status_for(netns_local(), ALICE), 200);
    CU_ASSERT_EQUAL(status_for(netns_local(), WRONG), 401);
    CU_ASSERT_EQUAL(status_for(netns_stranger(), ""), 401);
    CU_ASSERT_EQUAL(status_for(netns_stranger(), ALICE), 403); /* in the clear */
    char *text = NULL;
    CU_ASSERT_EQUAL(ask(netns_local(), "/metrics", "127.0.0.1", "", &text), 401);
    CU_ASSERT(text != NULL && strstr(text, "WWW-Authenticate: Basic realm=") != NULL);
    free(text);
    stage_adopt(&(struct http_access_options){.users_file = users, .anonymous = ANONYMOUS_LOOPBACK});
    CU_ASSERT_EQUAL(status_for(netns_local(), ""), 200);
    CU_ASSERT_EQUAL(status_for(netns_local(), WRONG), 401); /* who says who he is must be it */
    CU_ASSERT_EQUAL(status_for(netns_stranger(), ""), 401);
    stage_adopt(&(struct http_access_options){.anonymous = ANONYMOUS_YES});
    CU_ASSERT_EQUAL(status_for(netns_stranger(), ""), 200);
    stage_adopt(&(struct http_access_options){.anonymous = ANONYMOUS_NO});
    CU_ASSERT_EQUAL(status_for(netns_local(), ""), 401);
    stage_stop();
}

static void odd_authorizations(void)
{
    static const char *const odd[] = {"",
                                      "Basic",
                                      "Basic ",
                                      "Basic =",
                                      "Basic ====",
                                      "Basic YWxpY2U6d29uZGVybGFuZA=",
                                      "Basic YWxpY2U6d29uZGVybGFuZAA=", /* a zero byte behind it */
                                      "Basic !!!!",
                                      "Bearer YWxpY2U6d29uZGVybGFuZA==",
                                      "Basic YWxpY2U=",
                                      "Basic OndvbmRlcmxhbmQ="};
    start(&(struct http_access_options){.users_file = users});
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char *header = proc_fmt("Authorization: %s\r\n", odd[i]);
        CU_ASSERT_EQUAL(status_for(netns_local(), header), 401);
        free(header);
    }
    char *longer = proc_fmt("Authorization: Basic %04000d\r\n", 0);
    CU_ASSERT_EQUAL(status_for(netns_local(), longer), 401);
    free(longer);
    CU_ASSERT_EQUAL(status_for(netns_local(), "Authorization: basic YWxpY2U6d29uZGVybGFuZA==\r\n"), 200);
    stage_stop();
}

/* Whoever asks, under whatever name: a health check needs no account. */
static void health_is_for_all(void)
{
    char *text = NULL;
    start(&(struct http_access_options){.users_file = users});
    CU_ASSERT_EQUAL(ask(netns_stranger(), "/healthz", "evil.example", WRONG, NULL), 200);
    CU_ASSERT_EQUAL(ask(netns_stranger(), "/readyz", "evil.example", "", &text), 200);
    free(text);
    stage_set_status(stage_error);
    for (uint64_t until = proc_now_ms() + 20000; ask(netns_local(), "/readyz", "localhost", ALICE, NULL) != 503;) {
        if (proc_now_ms() > until)
            break; /* a picture from before is shown for a moment */
    }
    CU_ASSERT_EQUAL(ask(netns_local(), "/readyz", "localhost", ALICE, &text), 503);
    CU_ASSERT_STRING_NOT_EQUAL(http_client_body(text), "not ready\n");
    free(text);
    CU_ASSERT_EQUAL(ask(netns_stranger(), "/readyz", "evil.example", "", &text), 503);
    CU_ASSERT_STRING_EQUAL(http_client_body(text), "not ready\n"); /* and no reasons */
    free(text);
    stage_stop();
}

static void names(void)
{
    static const struct {
        const char *host;
        bool ok;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.0.0.1:9306", true},
        {"[::1]:9306", true},
        {"10.1.2.3:80", true},
        {"localhost", true},
        {"LOCALHOST:1", true},
        {"tailer-1:9306", true},
        {"db.example", true},
        {"DB.Example.:1", true},
        {"b.example:1", true},
        {"evil.example", false},
        {"evil.example:9306", false},
        {"xdb.example", false},
        {"db.example.x", false},
        {"", false},
        {"[::1", false},
        {"127.0.0.1.evil.example", false},
        {"a.b,db.example", false},
        {".", false},
    };
    struct http_access *a = NULL;
    struct lt_err err;
    char own[256] = "";
    CU_ASSERT_EQUAL_FATAL(
        http_access_make(&(struct http_access_options){.names = "db.example,b.example"}, "127.0.0.1", &a, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(http_access_host_ok(a, cases[i].host), cases[i].ok);
        if (http_access_host_ok(a, cases[i].host) != cases[i].ok)
            (void)fprintf(stderr, "%s\n", cases[i].host);
    }
    CU_ASSERT_EQUAL(gethostname(own, sizeof own - 1), 0);
    CU_ASSERT_TRUE(http_access_host_ok(a, own));
    http_access_free(a);
    CU_ASSERT_EQUAL_FATAL(http_access_make(&(struct http_access_options){.names = "*"}, "m.example", &a, &err), 0);
    CU_ASSERT_TRUE(http_access_host_ok(a, "evil.example"));
    http_access_free(a);
    CU_ASSERT_EQUAL_FATAL(http_access_make(&(struct http_access_options){0}, "m.example", &a, &err), 0);
    CU_ASSERT_TRUE(http_access_host_ok(a, "m.example:9306")); /* as in http.listen */
    http_access_free(a);

    /* a web page whose name was turned to this address */
    start(&(struct http_access_options){0});
    char *text = NULL;
    CU_ASSERT_EQUAL(ask(netns_local(), "/status", "evil.example:9306", "", &text), 421);
    CU_ASSERT(text != NULL && strstr(text, "http.names") != NULL);
    free(text);
    CU_ASSERT_EQUAL(ask(netns_local(), "/", "evil.example", "", NULL), 421);
    stage_adopt(&(struct http_access_options){.names = "evil.example"}); /* the cure */
    CU_ASSERT_EQUAL(ask(netns_local(), "/status", "evil.example:9306", "", NULL), 200);
    stage_stop();
}

/* One request over TLS; 0: no TLS came about. */
static int ask_tls(const char *from, const char *ca, const char *more)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char answer[4096] = "";
    int len = 0;
    int fd = connect_from(from);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    CU_ASSERT_EQUAL(SSL_CTX_load_verify_locations(ctx, ca, NULL), 1);
    SSL *ssl = SSL_new(ctx);
    char *request = proc_fmt("GET /status HTTP/1.1\r\nHost: any.example\r\n%sConnection: close\r\n\r\n", more);
    if (SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 && SSL_write(ssl, request, (int)strlen(request)) > 0) {
        int n;
        while (len < (int)sizeof answer - 1 && (n = SSL_read(ssl, answer + len, (int)sizeof answer - 1 - len)) > 0)
            len += n;
    }
    answer[len] = '\0';
    free(request);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return len > 0 ? atoi(answer + strlen("HTTP/1.1 ")) : 0;
}

static unsigned descriptors(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void tls(void)
{
    struct fake_certs a;
    struct fake_certs b;
    char *dir_a = proc_fmt("%s/a", folder);
    char *dir_b = proc_fmt("%s/b", folder);
    CU_ASSERT_EQUAL(mkdir(dir_a, 0700) | mkdir(dir_b, 0700), 0);
    fake_certs_make(dir_a, "localhost", 10, &a);
    fake_certs_make(dir_b, "localhost", 10, &b);
    struct http_access_options opt = {.users_file = users, .ssl_cert = a.cert, .ssl_key = a.key};
    start(&opt);
    CU_ASSERT_EQUAL(ask_tls(netns_stranger(), a.ca, ALICE), 200);
    CU_ASSERT_EQUAL(ask_tls(netns_stranger(), a.ca, WRONG), 401);
    CU_ASSERT_EQUAL(ask_tls(netns_stranger(), a.ca, ""), 401);
    CU_ASSERT_EQUAL(ask_tls(netns_stranger(), b.ca, ALICE), 0);
    CU_ASSERT_EQUAL(status_for(netns_local(), ALICE), 0); /* plain text gets no answer */
    opt.ssl_cert = b.cert;
    opt.ssl_key = b.key;
    stage_adopt(&opt);
    CU_ASSERT_EQUAL(ask_tls(netns_stranger(), b.ca, ALICE), 200);
    /* nothing of them is left behind: neither of those that were answered, nor of those that leave in the middle */
    unsigned before = descriptors();
    for (int i = 0; i < 100; i++) {
        int fd = connect_from(netns_stranger());
        CU_ASSERT(send(fd, "\026\003\001\002", 4, MSG_NOSIGNAL) == 4);
        (void)close(fd);
        CU_ASSERT_EQUAL(i % 10 == 0 ? ask_tls(netns_stranger(), b.ca, ALICE) : 200, 200);
    }
    CU_ASSERT_EQUAL(ask_tls(netns_stranger(), b.ca, ALICE), 200); /* all before it were accepted */
    bool gone = false;
    for (uint64_t until = proc_now_ms() + 20000; !gone && proc_now_ms() < until; proc_sleep_ms(20))
        gone = descriptors() <= before;
    CU_ASSERT_TRUE(gone);
    struct http_access *bad = NULL;
    struct lt_err err;
    opt.ssl_key = a.key; /* does not fit */
    CU_ASSERT_EQUAL(http_access_make(&opt, "h", &bad, &err), LT_EINVAL);
    stage_stop();
    free(dir_a);
    free(dir_b);
}

/* Silent and dripping connections, more than there is room for: whoever asks is answered, with TLS too. */
static void crowded(void)
{
    enum { MANY = 160 };
    struct fake_certs c;
    int fd[MANY];
    char *dir = proc_fmt("%s/c", folder);
    CU_ASSERT_EQUAL(mkdir(dir, 0700), 0);
    fake_certs_make(dir, "localhost", 10, &c);
    struct http_access_options opt = {.ssl_cert = c.cert, .ssl_key = c.key, .anonymous = ANONYMOUS_YES};
    start(&opt);
    for (int i = 0; i < MANY; i++) {
        fd[i] = connect_from(netns_stranger());
        if (i % 2 == 0)
            (void)send(fd[i], "\026\003\001", 3, MSG_NOSIGNAL);
        if (i % 16 == 0)
            CU_ASSERT_EQUAL(ask_tls(netns_stranger(), c.ca, ""), 200);
    }
    CU_ASSERT_EQUAL(ask_tls(netns_local(), c.ca, ""), 200);
    for (int i = 0; i < MANY; i++)
        (void)close(fd[i]);
    stage_stop();
    free(dir);
}

/* A crowd from one address, and behind it somebody who was slow to ask: the crowd makes room for its own. */
static void crowd_of_one(void)
{
    enum { MANY = 100 };
    int fd[MANY];
    char from[64];
    start(&(struct http_access_options){.anonymous = ANONYMOUS_YES});
    int slow = connect_from(netns_local());
    (void)snprintf(from, sizeof from, "%s", netns_local());
    for (int i = 0; i < MANY; i++)
        fd[i] = connect_from(from);
    CU_ASSERT_EQUAL(status_for(netns_local(), ""), 200); /* all before it were accepted */
    char *answer = http_client_talk(slow, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CU_ASSERT_PTR_NOT_NULL(answer != NULL ? strstr(answer, " 200 ") : NULL);
    free(answer);
    (void)close(slow);
    for (int i = 0; i < MANY; i++)
        (void)close(fd[i]);
    stage_stop();
}

static void write_users(void)
{
    unsigned char digest[32];
    char hex[65] = "";
    static const char both[] = "5a17wonderland";
    (void)EVP_Digest(both, sizeof both - 1, digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    char *text = proc_fmt("alice:sha256$5a17$%s\n", hex);
    users = proc_fmt("%s/users", folder);
    proc_write_file(users, text);
    if (chmod(users, 0600) != 0)
        proc_die_errno("%s", users);
    free(text);
}

static const struct test_case cases[] = {
    {"who may ask", who_may_ask},
    {"odd authorizations", odd_authorizations},
    {"health is for all", health_is_for_all},
    {"names", names},
    {"TLS", tls},
    {"crowded", crowded},
    {"a crowd of one", crowd_of_one},
};

int main(void)
{
    netns_enter();
    folder = proc_tempdir();
    write_users();
    int bad = cunit_run("http access", cases, sizeof cases / sizeof cases[0]);
    proc_remove_dir(folder);
    free(folder);
    free(users);
    return bad;
}
