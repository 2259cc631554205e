/*
 * What clients send: the parser alone (the same requests whatever the cuts), then a real server over a small store, which must answer with nothing but
 * whole frames of its own and serve the next one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "binlog_gen.h"
#include "serve/request.h"
#include "serve/serve.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define REPLY_MAX (1u << 20)

static struct serve *server;

#define check(cond) check_that((cond) ? 1 : 0, #cond, __LINE__)

static void check_that(int holds, const char *what, int line)
{
    if (holds)
        return;
    (void)fprintf(stderr, "line %d does not hold: %s (errno: %s)\n", line, what, strerrorname_np(errno));
    abort();
}

static void feed(struct store *s, struct binlog_gen *g)
{
    struct lt_err err;
    size_t end;
    check(gen_feed(s, g->data, g->len, BINLOG_MAGIC_LEN, 4096, false, &end) == 0 && store_sync(s, &err) == 0);
}

static char dir[] = "/tmp/lt_fuzz_tail_XXXXXX";

static void remove_dir(void)
{
    char cmd[64];
    (void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    check(system(cmd) == 0);
}

static void start_server(void)
{
    struct store *s = NULL;
    struct lt_err err;
    struct binlog_gen g;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    check(mkdtemp(dir) != NULL && atexit(remove_dir) == 0);
    struct store_options so = {.dir = dir, .allow_unsafe_fs = true};
    check(store_open(&so, &vfs_posix, &s, &err) == 0 && store_lineage_begin(s, "s", &err) == 0);
    gen_init(&g, false, true);
    for (int file = 1; file <= 2; file++) {
        check(store_segment_begin(s, file == 1 ? "mysql-bin.000001" : "mysql-bin.000002", &err) == 0);
        gen_file(&g, true);
        for (int i = 0; i < 5; i++)
            gen_txn(&g, 50);
        if (file == 1)
            gen_rotate(&g, "mysql-bin.000002");
        feed(s, &g);
    }
    gen_fini(&g);
    struct serve_options opt = {
        .store = s, .host = "127.0.0.1", .threads = 1, .heartbeat_us = 3600000000u, .auth_delay_us = 1};
    check(serve_start(&opt, &server, &err) == 0);
}

/* The fuzzer's alarm clock may interrupt any of these calls: an interrupted connect goes on by itself. And thousands of connections a second
 * may leave no port free for a moment. */
static int connect_through(int fd, const struct sockaddr_in *to)
{
    int error = 0;
    socklen_t len = sizeof error;
    for (int tries = 0; connect(fd, (const struct sockaddr *)to, sizeof *to) != 0; tries++) {
        if (errno == EINTR)
            break;
        if (errno != EADDRNOTAVAIL || tries == 500)
            return -1;
        (void)usleep(10000);
    }
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return -1;
    errno = error;
    return error == 0 ? 0 : -1;
}

static int connect_server(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(serve_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger now = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect_through(fd, &to) == 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* no port in TIME_WAIT for each input */
    return fd;
}

/* Whole frames of a server, but for the last one, which our own end may have cut. */
static void check_reply(const unsigned char *p, size_t len)
{
    struct frame_limits limits = {.message_max = FRAME_REPLY_MAX, .payload_max = UINT32_MAX};
    while (len >= FRAME_HEADER_LEN) {
        struct frame_header h;
        struct lt_err err;
        check(frame_header_parse(p, len, &limits, &h, &err) == 0);
        size_t whole = (size_t)FRAME_HEADER_LEN + h.message_len + h.payload_len;
        if (whole > len)
            return;
        p += whole;
        len -= whole;
    }
}

static void converse(const unsigned char *data, size_t size)
{
    static unsigned char reply[REPLY_MAX];
    size_t len = 0;
    int fd = connect_server();
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* it has closed already */
        data += n;
        size -= (size_t)n;
    }
    (void)shutdown(fd, SHUT_WR);
    while (len < sizeof reply) {
        ssize_t n = recv(fd, reply + len, sizeof reply - len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    (void)close(fd);
    check_reply(reply, len);
}

/* How many requests, and how it ends; fed so many bytes at a time. */
static int parse(const unsigned char *data, size_t size, size_t cut, size_t *ret_count)
{
    size_t from = 0;
    size_t to = 0;
    *ret_count = 0;
    for (;;) {
        struct request r;
        struct lt_err err;
        size_t used = 0;
        int rc = request_parse(data + from, to - from, FRAME_REQUEST_MAX, &r, &used, &err);
        if (rc == LT_ESHORT && to < size) {
            to += cut < size - to ? cut : size - to;
            continue;
        }
        if (rc != 0)
            return rc;
        check(used >= FRAME_HEADER_LEN && used <= to - from);
        request_fini(&r);
        from += used;
        ++*ret_count;
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t whole;
    size_t pieces;
    if (server == NULL)
        start_server();
    int rc = parse(data, size, size > 0 ? size : 1, &whole);
    check(parse(data, size, 1 + size / 7, &pieces) == rc && whole == pieces);
    converse(data, size);
    return 0;
}
