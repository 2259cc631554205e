/* The wire: whole sends or a broken connection, plain and TLS; what a peer that goes away or sends nonsense looks like. */
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cunit_main.h"
#include "fake_primary.h"
#include "ingest/wire.h"
#include "proc.h"

static void make_pair(int fd[2])
{
    int small = 4096;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        abort();
    for (int i = 0; i < 2; i++)
        if (setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) != 0)
            abort();
}

/* Send until the socket is full: what does not leave whole breaks the connection. */
static void fill(struct wire *w, const char *words)
{
    static const uint8_t block[3000];
    struct lt_err err = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 10000; i++)
        rc = wire_send_whole(w, block, sizeof block, &err);
    CU_ASSERT_EQUAL(rc, LT_ECLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
}

static void test_plain(void)
{
    int fd[2];
    struct wire w;
    struct lt_err err = {0};
    uint8_t buf[64];
    size_t n = 0;
    bool woken = true;
    make_pair(fd);
    CU_ASSERT_EQUAL(wire_open_socket(&w, fd[0], NULL, &err), 0);
    CU_ASSERT_EQUAL(wire_read(&w, buf, sizeof buf, &n, &err), LT_EAGAIN);
    CU_ASSERT_EQUAL(wire_wait(&w, -1, 1000, &woken), LT_EAGAIN);
    CU_ASSERT_FALSE(woken);
    CU_ASSERT_EQUAL(write(fd[1], "abc", 3), 3);
    CU_ASSERT_EQUAL(wire_wait(&w, -1, 10000000, &woken), 0);
    CU_ASSERT_EQUAL(wire_read(&w, buf, sizeof buf, &n, &err), 0);
    CU_ASSERT(n == 3 && memcmp(buf, "abc", 3) == 0);
    fill(&w, "sending 3000 bytes");
    CU_ASSERT_EQUAL(wire_wait(&w, fd[1], 10000000, &woken), 0); /* the other end has what we sent */
    CU_ASSERT_TRUE(woken);
    (void)close(fd[1]);
    int rc = wire_read(&w, buf, sizeof buf, &n, &err);
    CU_ASSERT_EQUAL(rc, LT_ECLOSED);
    CU_ASSERT_EQUAL(wire_send_whole(&w, "x", 1, &err), LT_ECLOSED);
    (void)close(fd[0]);
    CU_ASSERT_EQUAL(wire_open_socket(&w, fd[0], NULL, &err), LT_ESYS);
}

static void test_plain_end(void)
{
    int fd[2];
    struct wire w;
    struct lt_err err = {0};
    uint8_t buf[8];
    size_t n = 0;
    make_pair(fd);
    CU_ASSERT_EQUAL(wire_open_socket(&w, fd[0], NULL, &err), 0);
    (void)shutdown(fd[1], SHUT_WR);
    CU_ASSERT_EQUAL(wire_read(&w, buf, sizeof buf, &n, &err), LT_ECLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "closed the connection"));
    (void)close(fd[0]);
    (void)close(fd[1]);
}

struct tls_pair {
    char *dir;
    int fd[2];
    SSL_CTX *ctx[2]; /* ours, the source's */
    SSL *ssl[2];
    struct wire w;
};

static void tls_begin(struct tls_pair *t)
{
    struct fake_certs certs;
    struct lt_err err = {0};
    t->dir = proc_tempdir();
    fake_certs_make(t->dir, "localhost", 10, &certs);
    make_pair(t->fd);
    t->ctx[0] = SSL_CTX_new(TLS_client_method());
    t->ctx[1] = SSL_CTX_new(TLS_server_method());
    CU_ASSERT_EQUAL(SSL_CTX_use_certificate_file(t->ctx[1], certs.cert, SSL_FILETYPE_PEM), 1);
    CU_ASSERT_EQUAL(SSL_CTX_use_PrivateKey_file(t->ctx[1], certs.key, SSL_FILETYPE_PEM), 1);
    for (int i = 0; i < 2; i++) {
        t->ssl[i] = SSL_new(t->ctx[i]);
        CU_ASSERT_EQUAL(SSL_set_fd(t->ssl[i], t->fd[i]), 1);
        CU_ASSERT_EQUAL(fcntl(t->fd[i], F_SETFL, O_NONBLOCK), 0);
    }
    int done = 0;
    for (int i = 0; i < 1000 && done != 3; i++) {
        done = SSL_connect(t->ssl[0]) == 1 ? 1 : 0;
        done |= SSL_accept(t->ssl[1]) == 1 ? 2 : 0;
    }
    CU_ASSERT_EQUAL(done, 3);
    CU_ASSERT_EQUAL(wire_open_socket(&t->w, t->fd[0], t->ssl[0], &err), 0);
}

static void tls_end(struct tls_pair *t)
{
    for (int i = 0; i < 2; i++) {
        SSL_free(t->ssl[i]);
        SSL_CTX_free(t->ctx[i]);
        (void)close(t->fd[i]);
    }
    proc_remove_dir(t->dir);
    free(t->dir);
}

static void test_tls(void)
{
    struct tls_pair t;
    struct lt_err err = {0};
    uint8_t buf[64];
    size_t n = 0;
    bool woken;
    tls_begin(&t);
    CU_ASSERT_EQUAL(wire_read(&t.w, buf, sizeof buf, &n, &err), LT_EAGAIN);
    CU_ASSERT_EQUAL(SSL_write(t.ssl[1], "abcdef", 6), 6);
    CU_ASSERT_EQUAL(wire_read(&t.w, buf, 3, &n, &err), 0);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_EQUAL(wire_wait(&t.w, -1, 10000000, &woken), 0); /* the rest is in the session, not in the socket */
    CU_ASSERT_EQUAL(wire_read(&t.w, buf, sizeof buf, &n, &err), 0);
    CU_ASSERT(n == 3 && memcmp(buf, "def", 3) == 0);
    CU_ASSERT_EQUAL(wire_send_whole(&t.w, "ack", 3, &err), 0);
    CU_ASSERT_EQUAL(SSL_read(t.ssl[1], buf, sizeof buf), 3);
    fill(&t.w, "did not leave at once");
    tls_end(&t);
}

/* The keys change while our side is full: the answer to it has to wait until the socket takes something. */
static void test_tls_key_update_into_a_full_socket(void)
{
    struct tls_pair t;
    struct lt_err err = {0};
    uint8_t buf[4096];
    size_t n = 0;
    int rc = 0;
    tls_begin(&t);
    fill(&t.w, "did not leave at once");
    CU_ASSERT_EQUAL(SSL_key_update(t.ssl[1], SSL_KEY_UPDATE_REQUESTED), 1);
    CU_ASSERT_EQUAL(SSL_write(t.ssl[1], "abc", 3), 3);
    for (int i = 0; i < 10 && rc == 0; i++)
        rc = wire_read(&t.w, buf, sizeof buf, &n, &err);
    CU_ASSERT(rc == LT_EAGAIN || rc == LT_ECLOSED);
    tls_end(&t);
}

static void test_tls_ends(void)
{
    struct tls_pair t;
    struct lt_err err = {0};
    uint8_t buf[64];
    size_t n = 0;
    tls_begin(&t);
    CU_ASSERT(SSL_shutdown(t.ssl[1]) >= 0);
    CU_ASSERT_EQUAL(wire_read(&t.w, buf, sizeof buf, &n, &err), LT_ECLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "closed the TLS session"));
    tls_end(&t);
    tls_begin(&t);
    (void)shutdown(t.fd[1], SHUT_WR); /* without a goodbye: cut off, perhaps by somebody else */
    CU_ASSERT_EQUAL(wire_read(&t.w, buf, sizeof buf, &n, &err), LT_ECLOSED);
    tls_end(&t);
    tls_begin(&t);
    CU_ASSERT_EQUAL(write(t.fd[1], "this is no TLS record", 21), 21);
    CU_ASSERT_EQUAL(wire_read(&t.w, buf, sizeof buf, &n, &err), LT_ECLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "TLS error while reading"));
    tls_end(&t);
}

static const struct test_case cases[] = {
    {"plain", test_plain},
    {"a plain connection ends", test_plain_end},
    {"TLS", test_tls},
    {"a key update into a full socket", test_tls_key_update_into_a_full_socket},
    {"a TLS session ends", test_tls_ends},
};

int main(void)
{
    return cunit_run("wire", cases, sizeof cases / sizeof cases[0]);
}
