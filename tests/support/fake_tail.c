#include "fake_tail.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct fake_tail {
    int listener;
    uint16_t port;
    pthread_t thread;
    fake_tail_script script;
    void *arg;
    SSL_CTX *ctx;
    atomic_uint connections;
    atomic_bool stop;
    atomic_int current; /* socket of the script's connection, for the cut; -1 none */
};

struct fake_conn {
    struct fake_tail *ft;
    int fd;
    SSL *ssl;
    uint64_t left; /* bytes that may still leave */
    bool orderly;  /* ... and then a FIN, no RST */
};

static bool wait_readable(struct fake_conn *c, unsigned timeout_ms)
{
    uint64_t end = clock_mono_us() + (uint64_t)timeout_ms * 1000;
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (c->ssl != NULL && SSL_pending(c->ssl) > 0)
        return true;
    while (!atomic_load(&c->ft->stop) && clock_mono_us() < end) {
        if (poll(&p, 1, 20) > 0)
            return true;
    }
    return false;
}

static bool read_all(struct fake_conn *c, uint8_t *buf, size_t len)
{
    while (len > 0) {
        if (!wait_readable(c, 60000))
            return false;
        ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, buf, (int)len) : recv(c->fd, buf, len, 0);
        if (n <= 0)
            return false;
        buf += n;
        len -= (size_t)n;
    }
    return true;
}

static const ProtobufCMessageDescriptor *descriptor(enum frame_type type)
{
    return type == FRAME_HELLO       ? &logtailer__tail__hello__descriptor
           : type == FRAME_SUBSCRIBE ? &logtailer__tail__subscribe__descriptor
                                     : &logtailer__tail__commit__descriptor;
}

ProtobufCMessage *fake_read(struct fake_conn *c, enum frame_type type)
{
    static const struct frame_limits limits = {.from_client = true, .message_max = FRAME_REQUEST_MAX};
    uint8_t head[FRAME_HEADER_LEN];
    struct frame_header h;
    struct lt_err err;
    if (!read_all(c, head, sizeof head) || frame_header_parse(head, sizeof head, &limits, &h, &err) != 0 ||
        h.type != type)
        return NULL;
    uint8_t *body = malloc(h.message_len + 1);
    ProtobufCMessage *m = NULL;
    if (body != NULL && read_all(c, body, h.message_len))
        m = protobuf_c_message_unpack(descriptor(type), NULL, h.message_len, body);
    free(body);
    return m;
}

bool fake_skip(struct fake_conn *c, enum frame_type type)
{
    ProtobufCMessage *m = fake_read(c, type);
    if (m == NULL)
        return false;
    protobuf_c_message_free_unpacked(m, NULL);
    return true;
}

bool fake_send(struct fake_conn *c, const void *data, size_t len)
{
    const char *p = data;
    bool cut = len > c->left;
    if (cut)
        len = (size_t)c->left;
    c->left -= len;
    while (len > 0) {
        int piece = len > 1 << 20 ? 1 << 20 : (int)len;
        ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, p, piece) : send(c->fd, p, (size_t)piece, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return !cut;
}

bool fake_send_message(struct fake_conn *c, enum frame_type type, const ProtobufCMessage *m, const void *payload,
                       size_t len)
{
    size_t message_len = protobuf_c_message_get_packed_size(m);
    uint8_t *frame = malloc(FRAME_HEADER_LEN + message_len);
    if (frame == NULL)
        abort();
    frame_header_write(frame, type, (uint32_t)message_len, (uint32_t)len);
    (void)protobuf_c_message_pack(m, frame + FRAME_HEADER_LEN);
    bool ok = fake_send(c, frame, FRAME_HEADER_LEN + message_len) && (len == 0 || fake_send(c, payload, len));
    free(frame);
    return ok;
}

bool fake_wait_gone(struct fake_conn *c, unsigned timeout_ms)
{
    char b;
    return wait_readable(c, timeout_ms) && (c->ssl != NULL ? SSL_read(c->ssl, &b, 1) : recv(c->fd, &b, 1, 0)) <= 0;
}

void fake_cut_after(struct fake_conn *c, uint64_t bytes)
{
    c->left = bytes;
}

void fake_end_after(struct fake_conn *c, uint64_t bytes)
{
    c->left = bytes;
    c->orderly = true;
}

bool fake_hello(struct fake_conn *c, uint32_t heartbeat_ms, const Logtailer__Tail__Position *durable)
{
    Logtailer__Tail__HelloReply m = LOGTAILER__TAIL__HELLO_REPLY__INIT;
    if (!fake_skip(c, FRAME_HELLO))
        return false;
    m.version = 1;
    m.agent = "fake_tail";
    m.flavor = "mysql";
    m.heartbeat_ms = heartbeat_ms;
    m.max_request_bytes = FRAME_REQUEST_MAX;
    m.durable = (Logtailer__Tail__Position *)durable;
    return fake_send_message(c, FRAME_HELLO_REPLY, &m.base, NULL, 0);
}

bool fake_error(struct fake_conn *c, int code, const char *message, const char *cure, uint32_t retry_after_ms)
{
    Logtailer__Tail__Error m = LOGTAILER__TAIL__ERROR__INIT;
    m.code = (Logtailer__Tail__ErrorCode)code;
    m.message = (char *)message;
    m.cure = (char *)cure;
    m.retry_after_ms = retry_after_ms;
    return fake_send_message(c, FRAME_ERROR, &m.base, NULL, 0);
}

/* ---- server ---- */

static void run_connection(struct fake_tail *ft, int fd)
{
    struct fake_conn c = {.ft = ft, .fd = fd, .left = UINT64_MAX};
    struct linger hard = {.l_onoff = 1};
    unsigned n = atomic_fetch_add(&ft->connections, 1);
    int on = 1;
    atomic_store(&ft->current, fd);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bool ok = true;
    if (ft->ctx != NULL) {
        c.ssl = SSL_new(ft->ctx);
        ok = c.ssl != NULL && SSL_set_fd(c.ssl, fd) == 1 && SSL_accept(c.ssl) == 1;
    }
    if (ok)
        ft->script(&c, n, ft->arg);
    if (c.left == 0 && !c.orderly) /* a cut, as of a network: no orderly end */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    atomic_store(&ft->current, -1);
    SSL_free(c.ssl);
    (void)shutdown(fd, SHUT_WR);
    (void)close(fd);
}

static void *serve(void *arg)
{
    struct fake_tail *ft = arg;
    struct pollfd p = {.fd = ft->listener, .events = POLLIN};
    sigset_t pipe_signal;
    /* Of this thread only: that the client raises none is a thing to be tested. */
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    while (!atomic_load(&ft->stop)) {
        if (poll(&p, 1, 20) <= 0)
            continue;
        int fd = accept4(ft->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            run_connection(ft, fd);
    }
    return NULL;
}

static void open_listener(struct fake_tail *ft)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    ft->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ft->listener < 0 || bind(ft->listener, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        listen(ft->listener, 64) != 0 || getsockname(ft->listener, (struct sockaddr *)&sa, &len) != 0)
        abort();
    ft->port = ntohs(sa.sin_port);
}

struct fake_tail *fake_tail_start_tls(fake_tail_script script, void *arg, const char *cert, const char *key)
{
    struct fake_tail *ft = calloc(1, sizeof *ft);
    if (ft == NULL)
        abort();
    ft->script = script;
    ft->arg = arg;
    atomic_store(&ft->current, -1);
    if (cert != NULL) {
        ft->ctx = SSL_CTX_new(TLS_server_method());
        if (ft->ctx == NULL || SSL_CTX_use_certificate_chain_file(ft->ctx, cert) != 1 ||
            SSL_CTX_use_PrivateKey_file(ft->ctx, key, SSL_FILETYPE_PEM) != 1)
            abort();
    }
    open_listener(ft);
    if (pthread_create(&ft->thread, NULL, serve, ft) != 0)
        abort();
    return ft;
}

struct fake_tail *fake_tail_start(fake_tail_script script, void *arg)
{
    return fake_tail_start_tls(script, arg, NULL, NULL);
}

void fake_tail_free(struct fake_tail *ft)
{
    if (ft == NULL)
        return;
    atomic_store(&ft->stop, true);
    int fd = atomic_load(&ft->current);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
    (void)pthread_join(ft->thread, NULL);
    (void)close(ft->listener);
    SSL_CTX_free(ft->ctx);
    free(ft);
}

uint16_t fake_tail_port(const struct fake_tail *ft)
{
    return ft->port;
}

unsigned fake_tail_connections(struct fake_tail *ft)
{
    return atomic_load(&ft->connections);
}

bool fake_tail_wait_connections(struct fake_tail *ft, unsigned n, unsigned timeout_ms)
{
    uint64_t end = clock_mono_us() + (uint64_t)timeout_ms * 1000;
    while (fake_tail_connections(ft) < n && clock_mono_us() < end)
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    return fake_tail_connections(ft) >= n;
}
