/*
 * Happy path: accept → connect upstream → two pumps, one per direction: read, shape, write.
 * Failure: an error on either side ends the connection on both; the record stays until the proxy goes.
 */
#include "proxy.h"
#include "proxy_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 10, CHUNK = 64 * 1024 };

static int wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, timeout_ms);
}

/* ---- one direction of one connection ---- */

static bool is_over(struct proxy_conn *cn)
{
    return atomic_load(&cn->cut) || atomic_load(&cn->px->stopping);
}

/* False when the connection is over. */
static bool send_all(struct proxy_conn *cn, int fd, const unsigned char *data, size_t len)
{
    while (len > 0) {
        size_t piece = atomic_load(&cn->px->split);
        if (piece == 0 || piece > len)
            piece = len;
        ssize_t n = send(fd, data, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n < 0)
            (void)wait_for(fd, POLLOUT, TICK_MS);
        if (is_over(cn))
            return false;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Change what the server sends as the controls say. seen: bytes that came before these. */
static void shape_to_client(struct proxy_conn *cn, uint64_t seen, unsigned char *data, size_t len)
{
    struct proxy *px = cn->px;
    if (seen == 0 && atomic_load(&px->strip_tls))
        proxy_strip_greeting(data, len);
    (void)pthread_mutex_lock(&px->lock);
    if (px->corrupt_at != PROXY_NOWHERE && px->corrupt_at >= seen && px->corrupt_at - seen < len) {
        data[px->corrupt_at - seen] ^= 0x01;
        px->corrupt_at = PROXY_NOWHERE;
    }
    if (px->corrupt_times > 0) {
        unsigned char *at = memmem(data, len, px->corrupt_text, strlen(px->corrupt_text));
        if (at != NULL) {
            size_t last = (size_t)(at - data) + strlen(px->corrupt_text) - 1;
            data[(last + px->corrupt_distance) % len] ^= px->corrupt_mask;
            px->corrupt_times--;
        }
    }
    (void)pthread_mutex_unlock(&px->lock);
}

static void record(struct proxy_conn *cn, const unsigned char *data, size_t len)
{
    struct proxy *px = cn->px;
    (void)pthread_mutex_lock(&px->lock);
    px->client_bytes += len;
    if (cn->rec_len + len <= PROXY_RECORD_MAX) {
        unsigned char *rec = realloc(cn->rec, cn->rec_len + len);
        if (rec == NULL)
            proc_die("out of memory");
        memcpy(rec + cn->rec_len, data, len);
        cn->rec = rec;
        cn->rec_len += len;
    }
    (void)pthread_mutex_unlock(&px->lock);
}

/* One piece from one side to the other. False when this direction has ended; *ret_eof tells an orderly end. */
static bool forward(struct proxy_conn *cn, enum proxy_direction dir, uint64_t *seen, unsigned char *buf, bool *ret_eof)
{
    struct proxy *px = cn->px;
    int from = dir == PROXY_TO_SERVER ? cn->client : cn->server;
    int to = dir == PROXY_TO_SERVER ? cn->server : cn->client;
    ssize_t n = recv(from, buf, CHUNK, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    *ret_eof = n == 0;
    if (n == 0)
        return false;
    size_t len = (size_t)n;
    if (dir == PROXY_TO_SERVER)
        record(cn, buf, len);
    else
        shape_to_client(cn, *seen, buf, len);
    *seen += len;
    unsigned delay = atomic_load(&px->delay_ms[dir]);
    if (delay != 0)
        proc_sleep_ms(delay);
    return atomic_load(&px->drop[dir]) || send_all(cn, to, buf, len);
}

static void pump(struct proxy_conn *cn, enum proxy_direction dir)
{
    int from = dir == PROXY_TO_SERVER ? cn->client : cn->server;
    int to = dir == PROXY_TO_SERVER ? cn->server : cn->client;
    unsigned char *buf = malloc(CHUNK);
    if (buf == NULL)
        proc_die("out of memory");
    uint64_t seen = 0;
    bool eof = false;
    bool open = true;
    while (open && !is_over(cn)) {
        if (atomic_load(&cn->px->pause[dir]))
            proc_sleep_ms(1);
        else if (wait_for(from, POLLIN, TICK_MS) > 0 && !atomic_load(&cn->px->pause[dir]))
            open = forward(cn, dir, &seen, buf, &eof);
    }
    free(buf);
    if (eof)
        (void)shutdown(to, SHUT_WR); /* the other direction may still have something to say */
    else
        atomic_store(&cn->cut, true);
}

static void close_conn(struct proxy_conn *cn)
{
    if (atomic_load(&cn->reset)) {
        struct linger hard = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(cn->client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        (void)setsockopt(cn->server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    }
    (void)close(cn->client);
    (void)close(cn->server);
    atomic_store(&cn->closed, true);
}

static void *pump_to_server(void *arg)
{
    pump(arg, PROXY_TO_SERVER);
    return NULL;
}

static void *conn_main(void *arg)
{
    struct proxy_conn *cn = arg;
    pthread_t other;
    if (pthread_create(&other, NULL, pump_to_server, cn) != 0)
        proc_die("cannot start a thread");
    pump(cn, PROXY_TO_CLIENT);
    (void)pthread_join(other, NULL);
    close_conn(cn);
    return NULL;
}

/* ---- accepting ---- */

static int connect_upstream(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static void add_conn(struct proxy *px, int client, int server)
{
    struct proxy_conn *cn = calloc(1, sizeof(*cn));
    if (cn == NULL)
        proc_die("out of memory");
    int one = 1;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    cn->px = px;
    cn->client = client;
    cn->server = server;
    (void)pthread_mutex_lock(&px->lock);
    struct proxy_conn **conns = realloc(px->conns, (px->n + 1) * sizeof(struct proxy_conn *));
    if (conns == NULL || pthread_create(&cn->thread, NULL, conn_main, cn) != 0)
        proc_die("cannot add a connection");
    px->conns = conns;
    conns[px->n++] = cn;
    (void)pthread_mutex_unlock(&px->lock);
}

static void take_connection(struct proxy *px)
{
    int client = accept4(px->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    bool accept = atomic_load(&px->accept) == PROXY_ACCEPT && atomic_load(&px->left) != 0;
    if (accept && atomic_load(&px->left) > 0)
        atomic_fetch_sub(&px->left, 1);
    int server = accept ? connect_upstream(px->upstream) : -1;
    if (server >= 0) {
        add_conn(px, client, server);
        return;
    }
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(client);
}

static void *accept_main(void *arg)
{
    struct proxy *px = arg;
    while (!atomic_load(&px->stopping)) {
        if (atomic_load(&px->accept) == PROXY_HANG)
            proc_sleep_ms(TICK_MS);
        else if (wait_for(px->listener, POLLIN, TICK_MS) > 0)
            take_connection(px);
    }
    return NULL;
}

struct proxy *proxy_start(uint16_t upstream_port)
{
    struct proxy *px = calloc(1, sizeof(*px));
    if (px == NULL || pthread_mutex_init(&px->lock, NULL) != 0)
        proc_die("out of memory");
    px->upstream = upstream_port;
    atomic_init(&px->left, -1);
    px->corrupt_at = PROXY_NOWHERE;
    px->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(sa);
    if (px->listener < 0 || bind(px->listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        listen(px->listener, 128) != 0 || getsockname(px->listener, (struct sockaddr *)&sa, &len) != 0)
        proc_die_errno("cannot listen");
    px->port = ntohs(sa.sin_port);
    if (pthread_create(&px->thread, NULL, accept_main, px) != 0)
        proc_die("cannot start a thread");
    return px;
}

void proxy_free(struct proxy *px)
{
    if (px == NULL)
        return;
    atomic_store(&px->stopping, true);
    (void)pthread_join(px->thread, NULL);
    for (size_t i = 0; i < px->n; i++) {
        (void)pthread_join(px->conns[i]->thread, NULL);
        free(px->conns[i]->rec);
        free(px->conns[i]);
    }
    (void)close(px->listener);
    (void)pthread_mutex_destroy(&px->lock);
    free(px->conns);
    free(px->corrupt_text);
    free(px);
}

void proxy_cut(struct proxy *px, enum proxy_cut how)
{
    (void)pthread_mutex_lock(&px->lock);
    size_t n = px->n;
    for (size_t i = 0; i < n; i++) {
        atomic_store(&px->conns[i]->reset, how == PROXY_CUT_RST);
        atomic_store(&px->conns[i]->cut, true);
    }
    (void)pthread_mutex_unlock(&px->lock);
    for (size_t i = 0; i < n; i++) {
        (void)pthread_mutex_lock(&px->lock);
        struct proxy_conn *cn = px->conns[i];
        (void)pthread_mutex_unlock(&px->lock);
        while (!atomic_load(&cn->closed))
            proc_sleep_ms(1);
    }
}
