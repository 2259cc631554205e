/* The connection half of the raw consumer: bytes, frames, messages. */
#include "tail_raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tailwire/message.h"

struct tail_raw {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    uint8_t *buf;
    size_t len;
    size_t cap;
};

static uint64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

struct tail_raw *tail_raw_connect_from(const char *address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (inet_pton(AF_INET, address, &from.sin_addr) != 1 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(fd);
        return NULL;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct tail_raw *t = must(calloc(1, sizeof *t));
    t->fd = fd;
    return t;
}

struct tail_raw *tail_raw_connect(uint16_t port)
{
    return tail_raw_connect_from("127.0.0.1", port);
}

struct tail_raw *tail_raw_connect_tls(uint16_t port, const struct tail_raw_tls *tls)
{
    struct tail_raw *t = tail_raw_connect_from(tls->from != NULL ? tls->from : "127.0.0.1", port);
    if (t == NULL)
        return NULL;
    t->ctx = must(SSL_CTX_new(TLS_client_method()));
    bool ok = true;
    if (tls->ca != NULL) {
        SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
        ok = SSL_CTX_load_verify_locations(t->ctx, tls->ca, NULL) == 1;
    }
    if (tls->cert != NULL)
        ok = ok && SSL_CTX_use_certificate_chain_file(t->ctx, tls->cert) == 1 &&
             SSL_CTX_use_PrivateKey_file(t->ctx, tls->key, SSL_FILETYPE_PEM) == 1;
    t->ssl = must(SSL_new(t->ctx));
    if (!ok || SSL_set_fd(t->ssl, t->fd) != 1 || SSL_connect(t->ssl) != 1) {
        ERR_clear_error();
        tail_raw_free(t);
        return NULL;
    }
    return t;
}

void tail_raw_free(struct tail_raw *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    (void)close(t->fd);
    free(t->buf);
    free(t);
}

int tail_raw_fd(const struct tail_raw *t)
{
    return t->fd;
}

bool tail_raw_send(struct tail_raw *t, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = t->ssl != NULL ? SSL_write(t->ssl, p, (int)len) : send(t->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool tail_raw_send_message(struct tail_raw *t, uint8_t type, const ProtobufCMessage *m)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *frame = must(malloc(FRAME_HEADER_LEN + len));
    frame_header_write(frame, (enum frame_type)type, (uint32_t)len, 0);
    (void)protobuf_c_message_pack(m, frame + FRAME_HEADER_LEN);
    bool ok = tail_raw_send(t, frame, FRAME_HEADER_LEN + len);
    free(frame);
    return ok;
}

/* At least `want` bytes in the buffer. */
static enum tail_result fill(struct tail_raw *t, size_t want, uint64_t until)
{
    while (t->len < want) {
        if (t->cap < want || t->cap - t->len < 65536) {
            t->cap = want + 262144;
            t->buf = must(realloc(t->buf, t->cap));
        }
        uint64_t now = now_ms();
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        bool pending = t->ssl != NULL && SSL_pending(t->ssl) > 0;
        if (!pending && (now >= until || poll(&p, 1, (int)(until - now)) <= 0))
            return TAIL_TIMEOUT;
        ssize_t n = t->ssl != NULL ? SSL_read(t->ssl, t->buf + t->len, (int)(t->cap - t->len))
                                   : recv(t->fd, t->buf + t->len, t->cap - t->len, 0);
        if (n == 0 || (t->ssl != NULL && n < 0 && SSL_get_error(t->ssl, (int)n) == SSL_ERROR_ZERO_RETURN))
            return t->len == 0 ? TAIL_EOF : TAIL_BROKEN;
        if (n < 0)
            return TAIL_BROKEN;
        t->len += (size_t)n;
    }
    return TAIL_FRAME;
}

enum tail_result tail_raw_next(struct tail_raw *t, struct tail_frame *ret, unsigned timeout_ms)
{
    uint64_t until = now_ms() + timeout_ms;
    struct frame_limits limits = {.message_max = FRAME_REPLY_MAX, .payload_max = UINT32_MAX};
    struct frame_header h;
    struct lt_err err;
    memset(ret, 0, sizeof *ret);
    enum tail_result r = fill(t, FRAME_HEADER_LEN, until);
    if (r != TAIL_FRAME)
        return r;
    if (frame_header_parse(t->buf, t->len, &limits, &h, &err) != 0) {
        (void)fprintf(stderr, "raw consumer: %s\n", err.text);
        return TAIL_BROKEN;
    }
    size_t whole = (size_t)FRAME_HEADER_LEN + h.message_len + h.payload_len;
    r = fill(t, whole, until);
    if (r != TAIL_FRAME)
        return r;
    ret->type = h.type;
    ret->any = protobuf_c_message_unpack(message_of_reply(h.type), NULL, h.message_len, t->buf + FRAME_HEADER_LEN);
    if (ret->any == NULL)
        return TAIL_BROKEN;
    if (h.payload_len > 0) {
        ret->payload = must(malloc(h.payload_len));
        memcpy(ret->payload, t->buf + FRAME_HEADER_LEN + h.message_len, h.payload_len);
        ret->payload_len = h.payload_len;
    }
    t->len -= whole;
    memmove(t->buf, t->buf + whole, t->len);
    return TAIL_FRAME;
}

void tail_frame_fini(struct tail_frame *f)
{
    if (f->any != NULL)
        protobuf_c_message_free_unpacked(f->any, NULL);
    free(f->payload);
    memset(f, 0, sizeof *f);
}

enum tail_result tail_raw_next_word(struct tail_raw *t, struct tail_frame *ret, unsigned timeout_ms)
{
    uint64_t until = now_ms() + timeout_ms;
    for (;;) {
        uint64_t now = now_ms();
        enum tail_result r = tail_raw_next(t, ret, now < until ? (unsigned)(until - now) : 0);
        if (r != TAIL_FRAME || ret->type != FRAME_HEARTBEAT)
            return r;
        tail_frame_fini(ret);
    }
}

bool tail_raw_expect(struct tail_raw *t, uint8_t type, struct tail_frame *ret, unsigned timeout_ms)
{
    enum tail_result r = tail_raw_next_word(t, ret, timeout_ms);
    if (r == TAIL_FRAME && ret->type == type)
        return true;
    (void)fprintf(stderr, "raw consumer: wanted %s, got %s%s%s (result %d)\n", frame_type_name(type),
                  r == TAIL_FRAME ? frame_type_name(ret->type) : "nothing",
                  r == TAIL_FRAME && ret->type == FRAME_ERROR ? ": " : "",
                  r == TAIL_FRAME && ret->type == FRAME_ERROR ? ret->error->message : "", (int)r);
    tail_frame_fini(ret);
    return false;
}

bool tail_raw_expect_error(struct tail_raw *t, int code, unsigned timeout_ms)
{
    struct tail_frame f;
    if (!tail_raw_expect(t, FRAME_ERROR, &f, timeout_ms))
        return false;
    bool ok = (int)f.error->code == code && f.error->message[0] != '\0' && f.error->cure[0] != '\0';
    if (!ok)
        (void)fprintf(stderr, "raw consumer: wanted error %d, got %d: %s (%s)\n", code, (int)f.error->code,
                      f.error->message, f.error->cure);
    tail_frame_fini(&f);
    enum tail_result r = tail_raw_next(t, &f, timeout_ms);
    if (r != TAIL_EOF)
        (void)fprintf(stderr, "raw consumer: the connection goes on after an error (result %d)\n", (int)r);
    tail_frame_fini(&f);
    return ok && r == TAIL_EOF;
}

bool tail_raw_hello(struct tail_raw *t, const char *name, const char *token, struct tail_frame *ret)
{
    struct tail_frame f;
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    m.min_version = TAIL_VERSION_MIN;
    m.max_version = TAIL_VERSION_MAX;
    m.name = (char *)(name != NULL ? name : "");
    m.token = (char *)(token != NULL ? token : "");
    m.agent = (char *)"raw";
    if (!tail_raw_send_message(t, FRAME_HELLO, &m.base) || !tail_raw_expect(t, FRAME_HELLO_REPLY, &f, 10000))
        return false;
    if (ret != NULL)
        *ret = f;
    else
        tail_frame_fini(&f);
    return true;
}

bool tail_raw_subscribe(struct tail_raw *t, const struct tail_start *start)
{
    Logtailer__Tail__Subscribe m = LOGTAILER__TAIL__SUBSCRIBE__INIT;
    Logtailer__Tail__Position pos = LOGTAILER__TAIL__POSITION__INIT;
    m.start = (Logtailer__Tail__StartKind)start->start;
    m.gtid_set = (char *)(start->gtids != NULL ? start->gtids : "");
    m.until_end = start->until_end;
    m.max_batch_bytes = start->max_batch;
    if (start->file != NULL) {
        pos.lineage = start->lineage;
        pos.source_id = (char *)(start->source_id != NULL ? start->source_id : "");
        pos.file = (char *)start->file;
        pos.offset = start->offset;
        m.position = &pos;
    }
    return tail_raw_send_message(t, FRAME_SUBSCRIBE, &m.base);
}

bool tail_raw_commit(struct tail_raw *t, unsigned lineage, const char *file, uint64_t offset)
{
    Logtailer__Tail__Commit m = LOGTAILER__TAIL__COMMIT__INIT;
    Logtailer__Tail__Position pos = LOGTAILER__TAIL__POSITION__INIT;
    pos.lineage = lineage;
    pos.file = (char *)file;
    pos.offset = offset;
    m.position = &pos;
    return tail_raw_send_message(t, FRAME_COMMIT, &m.base);
}
