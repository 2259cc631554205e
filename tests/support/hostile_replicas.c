/*
 * - Each kind has one round, which it does over and over: a connection (or some that are held), what it has to say, and away.
 * Failure: a connection that is not to be had is no connection.
 */
#include "hostile_replicas.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "proc.h"

#define READ_MS    200
#define HELD       48u
#define HUGE_BYTES (64u << 20)
#define COMMANDS   20000u
#define CAPS       (0x200u | 0x8000u | 0x80000u | 1u)
#define CAP_TLS    0x800u

struct attacker {
    struct hostile_replicas *h;
    enum hostile_replica kind;
    pthread_t thread;
    bool running;
    _Atomic uint64_t count;
    unsigned at; /* of the addresses */
    int held[HELD];
    unsigned next;
};

struct hostile_replicas {
    struct hostile_replicas_target to;
    atomic_bool stop;
    uint8_t client_hello[4096];
    size_t client_hello_len;
    struct attacker attackers[HOSTILE_REPLICA_KINDS];
};

static bool stopped(const struct attacker *a)
{
    return atomic_load(&a->h->stop);
}

/* ---- connections and packets */

static int dial(struct attacker *a)
{
    static const struct linger reset = {.l_onoff = 1};
    struct timeval patience = {.tv_sec = 2};
    const struct hostile_replicas_target *t = &a->h->to;
    const char *address = t->n_from > 0 ? t->from[a->at++ % t->n_from] : "127.0.0.1";
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(t->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (inet_pton(AF_INET, address, &from.sin_addr) == 1 && bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
        connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
        (void)atomic_fetch_add(&a->count, 1);
        return fd;
    }
    (void)close(fd);
    proc_sleep_ms(10);
    return -1;
}

static bool read_n(int fd, uint8_t *buf, size_t n)
{
    while (n > 0) {
        ssize_t got = recv(fd, buf, n, 0);
        if (got <= 0)
            return false;
        buf += got;
        n -= (size_t)got;
    }
    return true;
}

/* Its length; -1 when there is none. */
static int read_packet(int fd, uint8_t *buf, size_t cap)
{
    uint8_t head[4];
    if (!read_n(fd, head, sizeof head) || load_u24(head) > cap || !read_n(fd, buf, load_u24(head)))
        return -1;
    return (int)load_u24(head);
}

static bool send_all(int fd, const void *data, size_t len)
{
    return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool send_packet(int fd, uint8_t seq, const void *payload, size_t len)
{
    uint8_t packet[1024];
    store_u24(packet, (uint32_t)len);
    packet[3] = seq;
    memcpy(packet + 4, payload, len);
    return send_all(fd, packet, 4 + len);
}

static int greeted(struct attacker *a, uint8_t nonce[20])
{
    uint8_t buf[1024];
    int fd = dial(a);
    int len = fd >= 0 ? read_packet(fd, buf, sizeof buf) : -1;
    const uint8_t *end = len > 0 && buf[0] == 10 ? memchr(buf + 1, 0, (size_t)len - 1) : NULL;
    if (end == NULL || (size_t)(end - buf) + 1 + 4 + 8 + 19 + 12 > (size_t)len) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    memcpy(nonce, end + 5, 8);
    memcpy(nonce + 8, end + 5 + 8 + 19, 12);
    return fd;
}

static size_t write_login(uint8_t *out, const char *user, const void *proof, uint8_t proof_len, const char *plugin)
{
    size_t n = 32;
    memset(out, 0, n);
    store_u32(out, CAPS);
    store_u32(out + 4, 1u << 24);
    out[8] = 45;
    n += (size_t)sprintf((char *)out + n, "%.60s", user) + 1;
    out[n++] = proof_len;
    memcpy(out + n, proof, proof_len);
    n += proof_len;
    return n + (size_t)sprintf((char *)out + n, "%s", plugin) + 1;
}

/* ---- passwords */

static void sha1(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t ret[20])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) != 1 || EVP_DigestUpdate(ctx, a, a_len) != 1 ||
        EVP_DigestUpdate(ctx, b, b_len) != 1 || EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
        proc_die("no SHA1");
    EVP_MD_CTX_free(ctx);
}

void hostile_replica_verifier(const char *password, char ret[42])
{
    uint8_t once[20];
    uint8_t twice[20];
    sha1(password, strlen(password), "", 0, once);
    sha1(once, sizeof once, "", 0, twice);
    ret[0] = '*';
    for (size_t i = 0; i < sizeof twice; i++)
        (void)snprintf(ret + 1 + 2 * i, 3, "%02X", twice[i]);
}

static void prove(const char *password, const uint8_t nonce[20], uint8_t ret[20])
{
    uint8_t once[20];
    uint8_t twice[20];
    sha1(password, strlen(password), "", 0, once);
    sha1(once, sizeof once, "", 0, twice);
    sha1(nonce, 20, twice, sizeof twice, ret);
    for (size_t i = 0; i < sizeof once; i++)
        ret[i] ^= once[i];
}

/* The insider is in; -1: not this time. */
static int get_in(struct attacker *a)
{
    const struct hostile_replicas_target *to = &a->h->to;
    uint8_t nonce[20];
    uint8_t proof[20];
    uint8_t buf[1024];
    int fd = greeted(a, nonce);
    if (fd < 0)
        return -1;
    prove(to->insider_password != NULL ? to->insider_password : "", nonce, proof);
    size_t n = write_login(buf, to->insider != NULL ? to->insider : "anybody", proof,
                           to->insider_password != NULL ? sizeof proof : 0, "mysql_native_password");
    if (send_packet(fd, 1, buf, n) && read_packet(fd, buf, sizeof buf) > 0 && buf[0] == 0)
        return fd;
    (void)close(fd);
    proc_sleep_ms(10);
    return -1;
}

/* For a moment, whatever comes. */
static void hear(int fd)
{
    uint8_t buf[16384];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, READ_MS) == 1)
        (void)recv(fd, buf, sizeof buf, MSG_DONTWAIT);
}

/* In place of the one that was held for longest. */
static void hold(struct attacker *a, int fd)
{
    unsigned at = a->next++ % HELD;
    if (a->held[at] >= 0)
        (void)close(a->held[at]);
    a->held[at] = fd;
}

/* ---- strangers; each of these is one round */

static void garbage(struct attacker *a)
{
    static const char text[] = "\x20\x01\x00\x01GET / HTTP/1.1\r\nHost: \xff\xfe\xfd\r\n\r\n";
    uint8_t junk[2000];
    int fd = dial(a);
    if (fd < 0)
        return;
    memset(junk, 0xa5, sizeof junk);
    store_u24(junk, sizeof junk - 4);
    junk[3] = 1;
    (void)(a->at % 2 == 0 ? send_all(fd, text, sizeof text - 1) : send_all(fd, junk, sizeof junk));
    hear(fd);
    (void)close(fd);
}

static void tls(struct attacker *a)
{
    uint8_t nonce[20];
    uint8_t request[32] = {0};
    int fd = greeted(a, nonce);
    if (fd < 0)
        return;
    store_u32(request, CAPS | CAP_TLS);
    if (send_packet(fd, 1, request, sizeof request) && send_all(fd, a->h->client_hello, a->h->client_hello_len))
        hear(fd);
    (void)close(fd);
}

static void half(struct attacker *a)
{
    uint8_t nonce[20];
    int fd = greeted(a, nonce);
    if (fd >= 0 && send_all(fd, "\x30\x00\x00\x01x", 5))
        hold(a, fd);
    else if (fd >= 0)
        (void)close(fd);
}

/* The server's key, and something that was not sealed with it; then the answer takes its time, which is not waited for. */
static void password(struct attacker *a)
{
    uint8_t buf[4096];
    uint8_t junk[256];
    uint8_t nonce[20];
    int fd = greeted(a, nonce);
    if (fd < 0)
        return;
    memset(junk, 0x17, sizeof junk);
    size_t n = write_login(buf, "root", junk, 32, "caching_sha2_password");
    bool ok = send_packet(fd, 1, buf, n) && read_packet(fd, buf, sizeof buf) > 0 && send_packet(fd, 3, "\x02", 1) &&
              read_packet(fd, buf, sizeof buf) > 0 && send_packet(fd, 5, junk, sizeof junk);
    if (ok)
        hold(a, fd);
    else
        (void)close(fd);
}

static void endless(struct attacker *a)
{
    static const uint8_t heads[][5] = {{0xff, 0xff, 0xff, 1, 'x'}, {0xff, 0xff, 0, 1, 'x'}, {1, 0, 0, 9, 'x'}};
    uint8_t nonce[20];
    int fd = greeted(a, nonce);
    if (fd < 0)
        return;
    (void)send_all(fd, heads[a->at % 3], sizeof heads[0]);
    hear(fd);
    (void)close(fd);
}

/* ---- the insider */

static void huge(struct attacker *a)
{
    static const uint8_t bytes[65536];
    int fd = get_in(a);
    if (fd < 0)
        return;
    uint8_t head[4] = {0xff, 0xff, 0xff, 0};
    size_t part = 0xffffff;
    for (size_t sent = 0; sent < HUGE_BYTES && !stopped(a); sent += part, head[3]++) {
        bool ok = send_all(fd, head, sizeof head);
        for (size_t n = 0; ok && n < part && !stopped(a); n += sizeof bytes)
            ok = send_all(fd, bytes, part - n < sizeof bytes ? part - n : sizeof bytes);
        if (!ok)
            break;
    }
    (void)close(fd);
}

static void pipeline(struct attacker *a)
{
    static const uint8_t two[] = {1, 0, 0, 0, 0x0e, 1, 0, 0, 0, 0x09};
    int fd = get_in(a);
    if (fd < 0)
        return;
    for (unsigned i = 0; i < COMMANDS && !stopped(a) && send(fd, two, sizeof two, MSG_NOSIGNAL | MSG_DONTWAIT) > 0; i++)
        ;
    hold(a, fd);
    proc_sleep_ms(20);
}

static bool begin_dump(struct attacker *a, int fd)
{
    static const char checksum[] = "\003SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'";
    uint8_t buf[512];
    size_t name = strlen(a->h->to.file);
    if (!send_packet(fd, 0, checksum, sizeof checksum - 1) || read_packet(fd, buf, sizeof buf) < 0)
        return false;
    memset(buf, 0, 11);
    buf[0] = 0x12;
    store_u32(buf + 1, 4);
    store_u32(buf + 7, 900000 + a->at); /* nobody's */
    memcpy(buf + 11, a->h->to.file, name);
    return send_packet(fd, 0, buf, 11 + name);
}

static void slow(struct attacker *a)
{
    int fd = get_in(a);
    if (fd >= 0 && begin_dump(a, fd))
        hold(a, fd);
    else if (fd >= 0)
        (void)close(fd);
    proc_sleep_ms(20);
}

static void talks(struct attacker *a)
{
    static const uint8_t query[] = {9, 0, 0, 0, 3, 'S', 'E', 'L', 'E', 'C', 'T', ' ', '1'};
    int fd = get_in(a);
    if (fd < 0)
        return;
    bool ok = begin_dump(a, fd);
    for (unsigned i = 0; ok && i < COMMANDS && !stopped(a); i++)
        ok = send_all(fd, query, sizeof query);
    (void)close(fd);
}

static void closed(struct attacker *a)
{
    int fd = get_in(a);
    if (fd < 0)
        return;
    if (a->at % 2 == 0 && !begin_dump(a, fd)) {
        (void)close(fd);
        return;
    }
    (void)shutdown(fd, SHUT_WR);
    hold(a, fd);
    proc_sleep_ms(20);
}

/* ---- life */

static const struct {
    const char *name;
    void (*round)(struct attacker *a);
} kinds_of[HOSTILE_REPLICA_KINDS] = {
    [HOSTILE_REPLICA_GARBAGE] = {"garbage", garbage},
    [HOSTILE_REPLICA_TLS] = {"TLS handshakes", tls},
    [HOSTILE_REPLICA_HALF] = {"half logins", half},
    [HOSTILE_REPLICA_PASSWORD] = {"wrong passwords", password},
    [HOSTILE_REPLICA_ENDLESS] = {"endless packets", endless},
    [HOSTILE_REPLICA_HUGE] = {"huge statements", huge},
    [HOSTILE_REPLICA_PIPELINE] = {"pipelined commands", pipeline},
    [HOSTILE_REPLICA_SLOW] = {"dumps not read", slow},
    [HOSTILE_REPLICA_TALKS] = {"commands in dumps", talks},
    [HOSTILE_REPLICA_CLOSED] = {"half-closed", closed},
};

const char *hostile_replica_name(enum hostile_replica kind)
{
    return kinds_of[kind].name;
}

static void *attack(void *arg)
{
    struct attacker *a = arg;
    (void)setpriority(PRIO_PROCESS, 0, 19); /* this thread: who attacks is on another machine */
    while (!stopped(a)) {
        kinds_of[a->kind].round(a);
        proc_sleep_ms(1);
    }
    for (unsigned i = 0; i < HELD; i++) {
        if (a->held[i] >= 0)
            (void)close(a->held[i]);
    }
    return NULL;
}

static void make_client_hello(struct hostile_replicas *h)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (ssl == NULL || in == NULL || out == NULL)
        proc_die("out of memory");
    SSL_set_bio(ssl, in, out);
    (void)SSL_connect(ssl);
    int n = BIO_read(out, h->client_hello, (int)sizeof h->client_hello);
    if (n <= 0)
        proc_die("no ClientHello");
    h->client_hello_len = (size_t)n;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

struct hostile_replicas *hostile_replicas_start(const struct hostile_replicas_target *target, unsigned kinds)
{
    struct hostile_replicas *h = calloc(1, sizeof *h);
    if (h == NULL)
        proc_die("out of memory");
    h->to = *target;
    make_client_hello(h);
    for (int k = 0; k < HOSTILE_REPLICA_KINDS; k++) {
        struct attacker *a = &h->attackers[k];
        *a = (struct attacker){.h = h, .kind = (enum hostile_replica)k, .at = (unsigned)k};
        memset(a->held, 0xff, sizeof a->held);
        if ((kinds & 1u << k) == 0)
            continue;
        if (pthread_create(&a->thread, NULL, attack, a) != 0)
            proc_die("no thread");
        a->running = true;
    }
    return h;
}

uint64_t hostile_replicas_count(const struct hostile_replicas *h, enum hostile_replica kind)
{
    return atomic_load(&h->attackers[kind].count);
}

void hostile_replicas_stop(struct hostile_replicas *h)
{
    if (h == NULL)
        return;
    atomic_store(&h->stop, true);
    for (int k = 0; k < HOSTILE_REPLICA_KINDS; k++) {
        if (h->attackers[k].running)
            (void)pthread_join(h->attackers[k].thread, NULL);
    }
    free(h);
}
