/*
 * - A flood opens a connection, sends, reads what comes within a moment, and goes: hundreds in a second.
 * - A drip holds many connections and sends a byte in one after the other, so that each gets one now and then; closed ones are opened anew.
 * - The insider speaks the protocol until he is in.
 * Failure: a connection that is not to be had is no connection.
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
#include <sys/un.h>
#include <unistd.h>

#include "proc.h"
#include "tail_raw.h"

#define PAUSE_MS   1u
#define READ_MS    200
#define ANSWER_MS  20000u
#define HELD       96u /* connections of a drip */
#define SET_BYTES  700000u
#define SETS       8u
#define HEADERS    (256u << 10)
#define INSIDERS   16u
#define NAMES_MANY 400u

#define BYTES(text) (text), sizeof(text) - 1

enum style { FLOOD, DRIP, HALF_FRAMES, HUGE_SETS, MANY_NAMES };
enum surface { TAIL, HTTP, ADMIN };

struct attacker {
    struct hostile *h;
    enum hostile_kind kind;
    pthread_t thread;
    bool running;
    _Atomic uint64_t count;
    unsigned at; /* of the addresses */
};

struct hostile {
    struct hostile_target to;
    atomic_bool stop;
    uint8_t client_hello[4096];
    size_t client_hello_len;
    char *headers;
    char *set;
    struct attacker attackers[HOSTILE_KINDS];
};

static const struct {
    const char *name;
    enum surface at;
    enum style style;
    const char *bytes; /* NULL: see bytes_of */
    size_t len;
} kinds_of[HOSTILE_KINDS] = {
    [HOSTILE_TLS_FLOOD] = {"TLS handshakes", TAIL, FLOOD, NULL, 0},
    [HOSTILE_TLS_DRIP] = {"dripped handshakes", TAIL, DRIP, NULL, 0},
    [HOSTILE_GARBAGE] = {"garbage", TAIL, FLOOD, BYTES("\x16\x03\x01\xff\xff\x01\x02\x03 what is this\n\n\n\x80\x81")},
    [HOSTILE_PLAIN_FRAMES] = {"frames without TLS", TAIL, FLOOD, BYTES("LT\1\1\0\0\0\0\0\0\0\0")},
    [HOSTILE_HALF_FRAMES] = {"half frames", TAIL, HALF_FRAMES, BYTES("LT\1\3\0\0\1\0\0\0\0\0\n")},
    [HOSTILE_HUGE_SETS] = {"huge sets", TAIL, HUGE_SETS, NULL, 0},
    [HOSTILE_MANY_NAMES] = {"many names", TAIL, MANY_NAMES, NULL, 0},
    [HOSTILE_HTTP_DRIP] = {"dripped requests", HTTP, DRIP, BYTES("GET /metrics HTTP/1.1\r\nX-Slow: ")},
    [HOSTILE_HTTP_HEADERS] = {"long headers", HTTP, FLOOD, NULL, 0},
    [HOSTILE_HTTP_HOSTS] = {"wrong hosts", HTTP, FLOOD, BYTES("GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n")},
    [HOSTILE_HTTP_FLOOD] = {"requests", HTTP, FLOOD, BYTES("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")},
    [HOSTILE_ADMIN_IDLE] = {"idle admins", ADMIN, DRIP, BYTES("")},
    [HOSTILE_ADMIN_GARBAGE] = {"admin garbage", ADMIN, FLOOD,
                               BYTES("\"\"\"\x01\x02 nonsense \xff\xfe\nstatus status\n")},
    [HOSTILE_ADMIN_HALF_LINES] = {"half admin lines", ADMIN, DRIP, BYTES("statusstatusstatus")},
};

const char *hostile_name(enum hostile_kind kind)
{
    return kinds_of[kind].name;
}

static bool stopped(const struct attacker *a)
{
    return atomic_load(&a->h->stop);
}

static const void *bytes_of(const struct attacker *a, size_t *ret_len)
{
    const struct hostile *h = a->h;
    bool tls = a->kind == HOSTILE_TLS_FLOOD || a->kind == HOSTILE_TLS_DRIP;
    bool headers = a->kind == HOSTILE_HTTP_HEADERS;
    *ret_len = tls ? h->client_hello_len : headers ? HEADERS : kinds_of[a->kind].len;
    return tls ? (const char *)h->client_hello : headers ? h->headers : kinds_of[a->kind].bytes;
}

/* ---- connections */

static const char *next_address(struct attacker *a)
{
    const struct hostile_target *to = &a->h->to;
    return to->n_from > 0 ? to->from[a->at++ % to->n_from] : "127.0.0.1";
}

static int dial_tcp(struct attacker *a, uint16_t port)
{
    static const struct linger reset = {.l_onoff = 1};
    struct timeval patience = {.tv_sec = 2};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (inet_pton(AF_INET, next_address(a), &from.sin_addr) == 1 &&
        bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int dial_admin(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int dial(struct attacker *a)
{
    enum surface at = kinds_of[a->kind].at;
    int fd = at == ADMIN ? dial_admin(a->h->to.admin_socket)
                         : dial_tcp(a, at == TAIL ? a->h->to.tail_port : a->h->to.http_port);
    if (fd >= 0)
        (void)atomic_fetch_add(&a->count, 1);
    else
        proc_sleep_ms(10);
    return fd;
}

/* ---- styles */

static void flood(struct attacker *a)
{
    size_t len = 0;
    const void *bytes = bytes_of(a, &len);
    char buf[16384];
    while (!stopped(a)) {
        int fd = dial(a);
        if (fd < 0)
            continue;
        (void)send(fd, bytes, len, MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, READ_MS) == 1)
            (void)recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        (void)close(fd);
        proc_sleep_ms(PAUSE_MS);
    }
}

/* The connection is over, or nothing is wrong with it. */
static bool is_over(int fd)
{
    char buf[4096];
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0)
        ;
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

static void drip(struct attacker *a)
{
    struct {
        int fd;
        size_t sent;
    } held[HELD];
    size_t len = 0;
    const char *bytes = bytes_of(a, &len);
    for (unsigned i = 0; i < HELD; i++)
        held[i].fd = -1;
    for (unsigned i = 0; !stopped(a); i = (i + 1) % HELD) {
        if (held[i].fd < 0) {
            held[i].fd = dial(a);
            held[i].sent = 0;
        } else {
            const char *byte = held[i].sent < len ? bytes + held[i].sent : "x";
            bool whole = a->kind == HOSTILE_TLS_DRIP && held[i].sent + 1 >= len; /* the last byte never comes */
            if (len > 0 && !whole && send(held[i].fd, byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
                held[i].sent++;
            if (is_over(held[i].fd)) {
                (void)close(held[i].fd);
                held[i].fd = -1;
            }
        }
        proc_sleep_ms(5);
    }
    for (unsigned i = 0; i < HELD; i++) {
        if (held[i].fd >= 0)
            (void)close(held[i].fd);
    }
}

/* ---- the insider */

/* As tail_raw_hello, without a word about a refusal. */
static bool hello(const struct attacker *a, struct tail_raw *t, const char *name, struct tail_frame *ret_reply)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    m.min_version = m.max_version = 1;
    m.name = (char *)(name != NULL ? name : "");
    m.token = (char *)a->h->to.insider_token;
    return tail_raw_send_message(t, FRAME_HELLO, &m.base) &&
           tail_raw_next_word(t, ret_reply, ANSWER_MS) == TAIL_FRAME && ret_reply->type == FRAME_HELLO_REPLY;
}

static struct tail_raw *get_in(struct attacker *a, const char *name, struct tail_frame *ret_reply)
{
    struct tail_raw *t = tail_raw_connect_tls(a->h->to.tail_port, &(struct tail_raw_tls){.from = next_address(a)});
    if (t == NULL)
        return NULL;
    static const struct linger reset = {.l_onoff = 1};
    (void)setsockopt(tail_raw_fd(t), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)atomic_fetch_add(&a->count, 1);
    if (hello(a, t, name, ret_reply))
        return t;
    tail_frame_fini(ret_reply);
    *ret_reply = (struct tail_frame){0};
    tail_raw_free(t);
    return NULL;
}

static void half_frames(struct attacker *a)
{
    struct tail_raw *held[INSIDERS] = {0};
    for (unsigned i = 0; !stopped(a); i = (i + 1) % INSIDERS) {
        tail_raw_free(held[i]);
        struct tail_frame f = {0};
        held[i] = get_in(a, NULL, &f);
        tail_frame_fini(&f);
        if (held[i] != NULL)
            (void)tail_raw_send(held[i], kinds_of[a->kind].bytes, kinds_of[a->kind].len);
        proc_sleep_ms(100);
    }
    for (unsigned i = 0; i < INSIDERS; i++)
        tail_raw_free(held[i]);
}

static void huge_sets(struct attacker *a)
{
    struct tail_raw *held[SETS] = {0};
    const struct tail_start start = {.start = LOGTAILER__TAIL__START_KIND__START_GTIDS, .gtids = a->h->set};
    for (unsigned i = 0; !stopped(a); i = (i + 1) % SETS) {
        tail_raw_free(held[i]);
        struct tail_frame f = {0};
        held[i] = get_in(a, NULL, &f);
        tail_frame_fini(&f);
        if (held[i] != NULL)
            (void)tail_raw_subscribe(held[i], &start);
        proc_sleep_ms(200);
    }
    for (unsigned i = 0; i < SETS; i++)
        tail_raw_free(held[i]);
}

static void many_names(struct attacker *a)
{
    for (unsigned i = 0; !stopped(a); i++) {
        char name[64];
        struct tail_frame f = {0};
        (void)snprintf(name, sizeof name, "%s.%u", a->h->to.insider_name, i % NAMES_MANY);
        struct tail_raw *t = get_in(a, name, &f);
        const Logtailer__Tail__Position *end = t != NULL ? f.hello->durable : NULL;
        if (end != NULL)
            (void)tail_raw_commit(t, end->lineage, end->file, end->offset);
        tail_frame_fini(&f);
        proc_sleep_ms(20);
        tail_raw_free(t);
    }
}

static void *attack(void *arg)
{
    static void (*const styles[])(struct attacker *) = {[FLOOD] = flood,
                                                        [DRIP] = drip,
                                                        [HALF_FRAMES] = half_frames,
                                                        [HUGE_SETS] = huge_sets,
                                                        [MANY_NAMES] = many_names};
    struct attacker *a = arg;
    (void)setpriority(PRIO_PROCESS, 0, 19); /* this thread: who attacks is on another machine */
    styles[kinds_of[a->kind].style](a);
    return NULL;
}

/* ---- life */

static void make_client_hello(struct hostile *h)
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

static void make_texts(struct hostile *h)
{
    static const char begin[] = "GET /metrics HTTP/1.1\r\nX-Long: ";
    h->headers = malloc(HEADERS);
    h->set = malloc(SET_BYTES + 32);
    if (h->headers == NULL || h->set == NULL)
        proc_die("out of memory");
    memset(h->headers, 'a', HEADERS);
    memcpy(h->headers, begin, sizeof begin - 1);
    size_t len = 0;
    for (unsigned domain = 100; len < SET_BYTES; domain++) /* one interval each */
        len += (size_t)snprintf(h->set + len, 32, "%s%u-1-1", len > 0 ? "," : "", domain);
}

struct hostile *hostile_start(const struct hostile_target *target, unsigned kinds)
{
    struct hostile *h = calloc(1, sizeof *h);
    if (h == NULL)
        proc_die("out of memory");
    h->to = *target;
    make_client_hello(h);
    make_texts(h);
    for (int k = 0; k < HOSTILE_KINDS; k++) {
        struct attacker *a = &h->attackers[k];
        *a = (struct attacker){.h = h, .kind = (enum hostile_kind)k, .at = (unsigned)k};
        if ((kinds & 1u << k) == 0)
            continue;
        if (pthread_create(&a->thread, NULL, attack, a) != 0)
            proc_die("no thread");
        a->running = true;
    }
    return h;
}

uint64_t hostile_count(const struct hostile *h, enum hostile_kind kind)
{
    return atomic_load(&h->attackers[kind].count);
}

void hostile_stop(struct hostile *h)
{
    if (h == NULL)
        return;
    atomic_store(&h->stop, true);
    for (int k = 0; k < HOSTILE_KINDS; k++) {
        if (h->attackers[k].running)
            (void)pthread_join(h->attackers[k].thread, NULL);
    }
    free(h->headers);
    free(h->set);
    free(h);
}
