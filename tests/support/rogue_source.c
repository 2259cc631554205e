/* See the header. Plain blocking calls with time-outs: a client that has had enough closes, and then a write or a read fails. */
#include "rogue_source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/packet.h"

#define SALT     "abcdefghijklmnopqrst"
#define SALT_LEN 20
#define CAPS     0x0039a20du

struct rogue {
    struct rogue_options opt;
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    SSL_CTX *tls;
    atomic_uint served;
    _Atomic uint64_t sent;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    bool busy; /* under the lock, as is what was got */
    uint8_t *got;
    size_t got_len;
    uint8_t opened[512];
};

struct visit {
    struct rogue *r;
    int fd;
    SSL *ssl;
    uint8_t seq;
};

static EVP_PKEY *rsa; /* one for all: it takes long to make */

static void make_rsa(void)
{
    rsa = EVP_RSA_gen(2048);
    lt_assert(rsa != NULL);
}

static void remember(struct rogue *r, const void *data, size_t len)
{
    (void)pthread_mutex_lock(&r->lock);
    r->got = realloc(r->got, r->got_len + len);
    lt_assert(r->got != NULL);
    memcpy(r->got + r->got_len, data, len);
    r->got_len += len;
    (void)pthread_mutex_unlock(&r->lock);
}

static bool put(struct visit *v, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = v->ssl != NULL ? SSL_write(v->ssl, p, (int)len) : send(v->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
        (void)atomic_fetch_add(&v->r->sent, (uint64_t)n);
    }
    return true;
}

static bool put_packet(struct visit *v, const void *data, size_t len)
{
    uint8_t head[PACKET_HEADER_LEN];
    store_u24(head, (uint32_t)len);
    head[3] = v->seq++;
    return put(v, head, sizeof head) && put(v, data, len);
}

static bool take(struct visit *v, uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = v->ssl != NULL ? SSL_read(v->ssl, buf, (int)len) : recv(v->fd, buf, len, 0);
        if (n <= 0)
            return false;
        remember(v->r, buf, (size_t)n);
        buf += n;
        len -= (size_t)n;
    }
    return true;
}

/* Length, or -1 at the end. */
static long take_packet(struct visit *v, uint8_t *buf, size_t cap)
{
    uint8_t head[PACKET_HEADER_LEN];
    if (!take(v, head, sizeof head))
        return -1;
    size_t len = load_u24(head);
    v->seq = (uint8_t)(head[3] + 1);
    return len <= cap && take(v, buf, len) ? (long)len : -1;
}

static void put_progress(struct writer *w, size_t len)
{
    writer_u32(w, (uint32_t)len);
    writer_u8(w, 0xff);
    writer_u16(w, 0xffff);
    for (size_t i = 3; i < len; i++)
        writer_u8(w, 0);
}

static bool greet(struct visit *v)
{
    static const uint8_t zeros[10];
    const struct rogue_options *opt = &v->r->opt;
    const char *plugin = opt->plugin != NULL ? opt->plugin : "mysql_native_password";
    uint8_t buf[8192] = {0};
    uint32_t caps = CAPS | (v->r->tls != NULL ? PACKET_CLIENT_SSL : 0);
    struct writer w = writer_on(buf, sizeof buf);
    if (opt->progress > 0)
        put_progress(&w, opt->progress);
    uint8_t *header = buf + w.len;
    writer_u32(&w, 0);
    writer_u8(&w, 10);
    writer_bytes(&w, "8.0.46", 6);
    for (size_t i = 0; i < opt->long_version; i++)
        writer_u8(&w, '-');
    writer_u8(&w, 0);
    writer_u32(&w, 1);
    writer_bytes(&w, SALT, 8);
    writer_u8(&w, 0);
    writer_u16(&w, (uint16_t)caps);
    writer_u8(&w, 45);
    writer_u16(&w, 2);
    writer_u16(&w, (uint16_t)(caps >> 16));
    writer_u8(&w, SALT_LEN + 1);
    writer_bytes(&w, zeros, sizeof zeros);
    writer_bytes(&w, &SALT[8], SALT_LEN - 8 + 1);
    writer_bytes(&w, plugin, strlen(plugin) + 1);
    store_u24(header, (uint32_t)(buf + w.len - header - PACKET_HEADER_LEN));
    size_t piece = opt->piece > 0 ? opt->piece : w.len;
    for (size_t at = 0; at < w.len; at += piece) {
        if (!put(v, buf + at, piece < w.len - at ? piece : w.len - at))
            return false;
        if (piece < w.len) /* each piece is to be a read of its own */
            (void)nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    }
    v->seq = 1;
    return true;
}

static bool start_tls(struct visit *v)
{
    v->ssl = SSL_new(v->r->tls);
    return v->ssl != NULL && SSL_set_fd(v->ssl, v->fd) == 1 && SSL_accept(v->ssl) == 1;
}

/* What was encrypted for our key, without the salt. */
static void open_sealed(struct rogue *r, const uint8_t *data, size_t len)
{
    uint8_t text[sizeof r->opened];
    size_t n = sizeof text;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(rsa, NULL);
    bool ok = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_decrypt(ctx, text, &n, data, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    (void)pthread_mutex_lock(&r->lock);
    for (size_t i = 0; ok && i < n; i++)
        r->opened[i] = text[i] ^ (uint8_t)SALT[i % SALT_LEN];
    (void)pthread_mutex_unlock(&r->lock);
}

/* The password itself is asked for, and a key given to whoever wants one. */
static bool ask_for_all(struct visit *v)
{
    uint8_t buf[4096];
    if (!put_packet(v, "\1\4", 2))
        return false;
    long n = take_packet(v, buf, sizeof buf);
    if (n != 1 || (buf[0] != 2 && buf[0] != 1))
        return n >= 0;
    BIO *bio = BIO_new(BIO_s_mem());
    lt_assert(bio != NULL && PEM_write_bio_PUBKEY(bio, rsa) == 1);
    char *pem;
    long len = BIO_get_mem_data(bio, &pem);
    buf[0] = 1;
    memcpy(buf + 1, pem, (size_t)len);
    BIO_free(bio);
    n = put_packet(v, buf, (size_t)len + 1) ? take_packet(v, buf, sizeof buf) : -1;
    if (n > 0)
        open_sealed(v->r, buf, (size_t)n);
    return n > 0;
}

static bool switch_way(struct visit *v)
{
    const struct rogue_options *opt = &v->r->opt;
    const char *data = opt->data != NULL ? opt->data : SALT;
    uint8_t buf[4096];
    struct writer w = writer_on(buf, sizeof buf);
    writer_u8(&w, 0xfe);
    writer_bytes(&w, opt->switch_to, strlen(opt->switch_to) + 1);
    writer_bytes(&w, data, strlen(data) + 1);
    return put_packet(v, buf, w.len) && take_packet(v, buf, sizeof buf) >= 0;
}

/* A packet of 16 MiB after another, each goes on in the next. */
static bool flood(struct visit *v)
{
    uint8_t *part = calloc(1, PACKET_MAX_PART);
    lt_assert(part != NULL);
    while (put_packet(v, part, PACKET_MAX_PART))
        ;
    free(part);
    return false;
}

static bool let_in(struct visit *v)
{
    const struct rogue_options *opt = &v->r->opt;
    uint8_t buf[4096];
    long n = greet(v) ? take_packet(v, buf, sizeof buf) : -1;
    if (n == 32 && v->r->tls != NULL)
        n = start_tls(v) ? take_packet(v, buf, sizeof buf) : -1;
    if (n < 0)
        return false;
    if (opt->login_flood)
        return flood(v);
    if (opt->switch_to != NULL && !switch_way(v))
        return false;
    if (opt->full && !ask_for_all(v))
        return false;
    return put_packet(v, "\0\0\0\2\0\0\0", 7);
}

static bool put_column(struct visit *v)
{
    static const uint8_t column[] = "\3def\0\0\0\1c\0\x0c\x2d\0\0\4\0\0\xfd\0\0\0\0"; /* one zero is the literal's */
    return put_packet(v, column, sizeof column);
}

static bool answer_rows(struct visit *v)
{
    uint8_t row[1027] = {0xfc, 0, 4};
    memset(row + 3, 'x', sizeof row - 3);
    bool ok = put_packet(v, "\1", 1) && put_column(v) && put_packet(v, "\xfe\0\0\2\0", 5);
    while (ok)
        ok = put_packet(v, row, sizeof row);
    return false;
}

static bool answer_one_row(struct visit *v)
{
    size_t len = PACKET_MAX_PART;
    uint8_t *part = calloc(1, len);
    lt_assert(part != NULL);
    bool ok = put_packet(v, "\1", 1) && put_column(v) && put_packet(v, "\xfe\0\0\2\0", 5);
    part[0] = 0xfe;
    for (int i = 0; ok && i < 64; i++)
        ok = put_packet(v, part, len);
    free(part);
    return false;
}

static bool answer_drip(struct visit *v)
{
    bool ok =
        put_packet(v, "\1", 1) && put_column(v) && put_packet(v, "\xfe\0\0\2\0", 5) && put(v, "\0\4\0\4\xfc\xfd\3", 7);
    while (ok) {
        ok = put(v, "x", 1);
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return false;
}

static bool answer(struct visit *v)
{
    const char *file = v->r->opt.file;
    uint8_t buf[512];
    switch (v->r->opt.answer) {
    case ROGUE_ANSWER_OK:
        return put_packet(v, "\0\0\0\2\0\0\0", 7);
    case ROGUE_ANSWER_ROWS:
        return answer_rows(v);
    case ROGUE_ANSWER_ONE_ROW:
        return answer_one_row(v);
    case ROGUE_ANSWER_COLUMNS:
        (void)put_packet(v, "\1", 1);
        while (put_column(v))
            ;
        return false;
    case ROGUE_ANSWER_CLAIM:
        return put_packet(v, "\xfe\0\0\0\0\1\0\0\0", 9) && put_column(v);
    case ROGUE_ANSWER_UNASKED:
        return put(v, "\7\0\0\1\0\0\0\2\0\0\0\x9\0\0\1\xfe\0\0\0\0\1\0\0\0", 24);
    case ROGUE_ANSWER_DRIP:
        return answer_drip(v);
    case ROGUE_ANSWER_FILE:
        buf[0] = 0xfb;
        memcpy(buf + 1, file, strlen(file));
        return put_packet(v, buf, strlen(file) + 1) && take_packet(v, buf, sizeof buf) >= 0 &&
               put_packet(v, "\0\0\0\2\0\0\0", 7);
    }
    return false;
}

static void serve(struct rogue *r, int fd)
{
    struct visit v = {.r = r, .fd = fd};
    uint8_t buf[4096];
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(struct timeval));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = 20}, sizeof(struct timeval));
    if (let_in(&v))
        while (take_packet(&v, buf, sizeof buf) > 0 && buf[0] == 3 && answer(&v))
            ;
    SSL_free(v.ssl);
    (void)close(fd);
}

static void set_busy(struct rogue *r, bool busy)
{
    (void)pthread_mutex_lock(&r->lock);
    r->busy = busy;
    (void)pthread_cond_broadcast(&r->idle);
    (void)pthread_mutex_unlock(&r->lock);
}

static void *run(void *arg)
{
    struct rogue *r = arg;
    int fd;
    while ((fd = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        set_busy(r, true);
        serve(r, fd);
        (void)atomic_fetch_add(&r->served, 1);
        set_busy(r, false);
    }
    return NULL;
}

struct rogue *rogue_start(const struct rogue_options *opt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct rogue *r = calloc(1, sizeof *r);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    lt_assert(r != NULL);
    r->opt = *opt;
    r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    lt_assert(bind(r->listen_fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(r->listen_fd, 16) == 0 &&
              getsockname(r->listen_fd, (struct sockaddr *)&a, &len) == 0);
    r->port = ntohs(a.sin_port);
    (void)pthread_once(&once, make_rsa);
    if (opt->cert != NULL && opt->key != NULL) {
        r->tls = SSL_CTX_new(TLS_server_method());
        lt_assert(SSL_CTX_use_certificate_chain_file(r->tls, opt->cert) == 1 &&
                  SSL_CTX_use_PrivateKey_file(r->tls, opt->key, SSL_FILETYPE_PEM) == 1);
    }
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->idle, NULL);
    lt_assert(pthread_create(&r->thread, NULL, run, r) == 0);
    return r;
}

void rogue_stop(struct rogue *r)
{
    (void)shutdown(r->listen_fd, SHUT_RDWR); /* accept returns */
    (void)pthread_join(r->thread, NULL);
    (void)close(r->listen_fd);
    SSL_CTX_free(r->tls);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->idle);
    free(r->got);
    free(r);
}

uint16_t rogue_port(const struct rogue *r)
{
    return r->port;
}

static void lock_idle(struct rogue *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->busy)
        (void)pthread_cond_wait(&r->idle, &r->lock);
}

bool rogue_opened(struct rogue *r, const char *text)
{
    lock_idle(r);
    bool same = strcmp((const char *)r->opened, text) == 0;
    (void)pthread_mutex_unlock(&r->lock);
    return same;
}

bool rogue_got(struct rogue *r, const char *text)
{
    lock_idle(r);
    bool found = r->got_len > 0 && memmem(r->got, r->got_len, text, strlen(text)) != NULL;
    (void)pthread_mutex_unlock(&r->lock);
    return found;
}

unsigned rogue_served(struct rogue *r)
{
    return atomic_load(&r->served);
}

uint64_t rogue_sent(struct rogue *r)
{
    return atomic_load(&r->sent);
}
