/*
 * A source's name with several addresses, the server behind one of them: every connection comes through, whatever is behind the others, and what is
 * told of those that fail are plain words.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_rig.h"
#include "watching.h"

#define NAME    "source.test"
#define REFUSES "127.0.0.9"
#define SERVER  "127.0.0.1"

/* Somebody who listens at the primary's port, on another address. */
struct other {
    int fd;
    bool denies; /* answers with an error and closes; else takes connections and says nothing */
    pthread_t thread;
};

static void *deny_all(void *arg)
{
    struct other *o = arg;
    static const char packet[] = "\x2a\x00\x00\x00\xff\x6a\x04Host '127.0.0.1' is not allowed to connect";
    static const size_t len = sizeof packet - 1;
    for (;;) {
        int fd = accept(o->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        char whole[sizeof packet];
        memcpy(whole, packet, sizeof packet);
        whole[0] = (char)(len - 4);
        (void)send(fd, whole, len, MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
        (void)close(fd);
    }
}

static void other_start(struct other *o, const char *address, uint16_t port, bool denies)
{
    int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    *o = (struct other){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .denies = denies};
    (void)setsockopt(o->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1 || bind(o->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(o->fd, 64) != 0)
        proc_die_errno("listen on %s:%u", address, port);
    if (denies && pthread_create(&o->thread, NULL, deny_all, o) != 0)
        proc_die("no thread");
}

static void other_stop(struct other *o)
{
    (void)shutdown(o->fd, SHUT_RDWR);
    if (o->denies)
        (void)pthread_join(o->thread, NULL);
    (void)close(o->fd);
}

static void start_daemon(struct fake_rig *r, const char *addresses, char *const *more)
{
    struct proc_args w = {0};
    struct proc_args settings = {0};
    proc_args_add(&w, "env");
    proc_args_add(&w, "ASAN_OPTIONS=verify_asan_link_order=0");
    proc_args_add(&w, "LD_PRELOAD=%s", secure_getenv("LT_NAMES_SHIM"));
    proc_args_add(&w, "LT_NAMES=" NAME "=%s", addresses);
    proc_args_add(&settings, "source.host=" NAME);
    for (char *const *s = more; s != NULL && *s != NULL; s++)
        proc_args_add(&settings, "%s", *s);
    fake_rig_start_daemon_on(r, NULL, w.v, settings.v);
    proc_args_fini(&settings);
    proc_args_fini(&w);
}

static bool monitor_is_connected(struct fake_rig *r)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(50)) {
        json_t *status = daemon_command(r->rig.dm, "status");
        bool is = json_is_true(json_object_get(json_object_get(status, "monitor"), "connected"));
        json_decref(status);
        if (is)
            return true;
    }
    return false;
}

/* Stream, ACKs and the monitor come through; again after the source was away, and no slower. */
static void expect_streaming(const char *addresses, char *const *settings, const struct fake_options *opt)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, opt);
    start_daemon(&r, addresses, settings);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(monitor_is_connected(&r));
    fake_close_all(r.fp, true);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

static void test_the_server_is_not_the_first(void)
{
    expect_streaming("::1," SERVER, NULL, NULL);
    expect_streaming(REFUSES "," SERVER, NULL, NULL);
    expect_streaming(SERVER "," REFUSES, NULL, NULL);
}

/* Fifty addresses: no number is too large. */
static void test_many_addresses(void)
{
    char list[1024] = "";
    for (unsigned i = 10; i < 60; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), "127.0.0.%u,", i);
    (void)snprintf(list + strlen(list), sizeof list - strlen(list), SERVER);
    expect_streaming(list, NULL, NULL);
}

/* Where the certificate's name is verified too. */
static void test_with_the_name_verified(void)
{
    struct fake_certs certs;
    char *dir = proc_tempdir();
    fake_certs_make(dir, NAME, 30, &certs);
    char *ca = proc_fmt("source.ssl_ca=%s", certs.ca);
    expect_streaming(REFUSES "," SERVER, (char *[]){"source.ssl_mode=VERIFY_IDENTITY", ca, NULL},
                     &(struct fake_options){.version = "9.7.4", .tls_cert = certs.cert, .tls_key = certs.key});
    proc_remove_dir(dir);
    free(dir);
    free(ca);
}

/* One that takes the connection and says nothing, one that denies: neither is the end. The one that worked comes first from then on. */
static void expect_past(const char *address, bool denies)
{
    struct fake_rig r;
    struct other o;
    char *addresses = proc_fmt("%s," SERVER, address);
    fake_rig_start_primary(&r, NULL);
    other_start(&o, address, fake_port(r.fp), denies);
    start_daemon(&r, addresses, (char *[]){"source.connect_timeout=2s", NULL});
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(monitor_is_connected(&r));
    uint64_t began = proc_now_ms();
    fake_close_all(r.fp, true);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(denies || proc_now_ms() - began <
                                 5000); /* without the memory: three connections of 1 s, and more on a busy machine */
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    other_stop(&o);
    fake_rig_end(&r);
    free(addresses);
}

static void test_others_answer_there(void)
{
    expect_past("127.0.0.8", true);
    expect_past("127.0.0.7", false);
}

/* Every address, and why it failed, in words; no number of the system's. */
static void test_plain_words(void)
{
    struct fake_rig r;
    struct other o;
    fake_rig_start_primary(&r, NULL);
    other_start(&o, "127.0.0.8", fake_port(r.fp), true);
    fake_primary_pause(r.fp);
    start_daemon(&r, REFUSES ",127.0.0.8," SERVER, NULL);
    char *want = proc_fmt(NAME ":%u: " REFUSES
                               ": Connection refused; 127.0.0.8: Host '127.0.0.1' is not allowed to connect (error "
                               "1130); " SERVER ": Connection refused",
                          fake_port(r.fp));
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "auth"));
    json_t *status = daemon_command(r.rig.dm, "status");
    const char *message = json_string_value(json_object_get(json_object_get(status, "last_error"), "message"));
    CU_ASSERT_PTR_NOT_NULL(message);
    if (message != NULL)
        CU_ASSERT_STRING_EQUAL(message, want);
    json_decref(status);
    fake_primary_resume(r.fp);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    /* The one that worked counts: a source that starts anew is asked often. */
    fake_primary_pause(r.fp);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "connect"));
    fake_primary_resume(r.fp);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_FALSE(daemon_log_contains(r.rig.dm, "(115)"));
    CU_ASSERT_FALSE(daemon_log_contains(r.rig.dm, "(111)"));
    CU_ASSERT_FALSE(daemon_log_contains(r.rig.dm, "error 200"));
    other_stop(&o);
    fake_rig_end(&r);
    free(want);
}

static bool comes_to_the_log(struct fake_rig *r, const char *text)
{
    bool there = false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !there && proc_now_ms() < until; proc_sleep_ms(20))
        there = daemon_log_contains(r->rig.dm, text);
    return there;
}

/* One address: the same words. */
static void test_plain_words_of_one(void)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, NULL);
    fake_primary_pause(r.fp);
    fake_rig_start_daemon(&r, NULL);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "connect"));
    char *refused = proc_fmt("connect: 127.0.0.1:%u: Connection refused; ", fake_port(r.fp));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, refused));
    fake_primary_resume(r.fp);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    fake_login_rule(r.fp, &(struct fake_login_rule){.close = true});
    fake_close_all(r.fp, true);
    CU_ASSERT_TRUE(comes_to_the_log(&r, "the connection was closed during the handshake"));
    fake_clear_rules(r.fp);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    fake_rig_end(&r);
    free(refused);
}

/* Instead of a greeting, where TLS is wanted as well: the library says "TLS", the server meant something else. */
static void test_too_many_connections(void)
{
    struct fake_rig r;
    struct fake_certs certs;
    char *dir = proc_tempdir();
    fake_certs_make(dir, "localhost", 30, &certs);
    fake_rig_start(&r, &(struct fake_options){.version = "9.7.4", .tls_cert = certs.cert, .tls_key = certs.key}, NULL);
    fake_login_rule(r.fp, &(struct fake_login_rule){.err = 1040});
    fake_close_all(r.fp, true);
    CU_ASSERT_TRUE(comes_to_the_log(&r, "warn ingest connect: 127.0.0.1:"));
    CU_ASSERT_TRUE(comes_to_the_log(&r, "(error 1040)"));
    CU_ASSERT_FALSE(daemon_log_contains(r.rig.dm, "warn ingest tls"));
    fake_clear_rules(r.fp);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_rig_end(&r);
    proc_remove_dir(dir);
    free(dir);
}

static void test_plain_words_of_a_socket(void)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, NULL);
    r.rig.dm = daemon_start(
        &(struct daemon_options){.settings = (char *[]){"source.socket=/nonexistent/mysqld.sock", "source.host=", NULL},
                                 .port = fake_port(r.fp)});
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "connect"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "/nonexistent/mysqld.sock: No such file or directory; "));
    fake_rig_end(&r);
}

/* A candidate of a repoint is reached in the same way: it is examined, and known as the fenced one. */
static void test_a_candidate(void)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, NULL);
    (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 100});
    start_daemon(&r, REFUSES "," SERVER, NULL);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    json_decref(daemon_command_within(r.rig.dm, "fence a candidate", RIG_WAIT_MS));
    char *repoint = proc_fmt("repoint " NAME ":%u", fake_port(r.fp));
    json_t *answer = daemon_command_within(r.rig.dm, repoint, RIG_WAIT_MS);
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    CU_ASSERT_STRING_EQUAL(code != NULL ? code : "", "fenced");
    CU_ASSERT_TRUE(json_is_string(json_object_get(json_object_get(answer, "details"), "source_id")));
    json_decref(answer);
    free(repoint);
    fake_rig_end(&r);
}

static const struct test_case cases[] = {
    {"the server is not the first", test_the_server_is_not_the_first},
    {"many addresses", test_many_addresses},
    {"with the name verified", test_with_the_name_verified},
    {"others answer there", test_others_answer_there},
    {"plain words", test_plain_words},
    {"plain words of one address", test_plain_words_of_one},
    {"plain words of a socket", test_plain_words_of_a_socket},
    {"too many connections", test_too_many_connections},
    {"a candidate", test_a_candidate},
};

int main(void)
{
    return cunit_run("addresses", cases, sizeof cases / sizeof cases[0]);
}
