/*
 * A whole conversation with the replicas' listener, over a small store: login, commands, dump. The first byte says how the rest is sent: as it is, or behind a login as commands, each with
 * a length of two bytes. The server answers with nothing but whole packets, sends nothing that is not durable, ends the conversation when its client does, and serves the next one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/log.h"
#include "binlog_gen.h"
#include "replicas/replicas.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define REPLY_MAX (1u << 20)
#define SENT_MAX  (256u << 10)
#define SECRET    "this is appended, and not durable"

enum { AS_COMMANDS = 1, IN_PIECES = 4, PATIENT = 8 };

static struct replicas *server;
static char dir[] = "/tmp/lt_fuzz_replica_XXXXXX";

#define check(cond) check_that((cond) ? 1 : 0, #cond, __LINE__)

static void check_that(int holds, const char *what, int line)
{
    if (holds)
        return;
    (void)fprintf(stderr, "line %d does not hold: %s (errno: %s)\n", line, what, strerrorname_np(errno));
    abort();
}

static void remove_dir(void)
{
    char cmd[64];
    (void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    check(system(cmd) == 0);
}

static void feed(struct store *s, const struct binlog_gen *g, size_t from, bool sync)
{
    struct lt_err err;
    size_t end;
    check(gen_feed(s, g->data, g->len, from, 4096, false, &end) == 0);
    check(!sync || store_sync(s, &err) == 0);
}

/* Two files, and a transaction behind them that no sync has seen. */
static struct store *make_store(void)
{
    struct store *s = NULL;
    struct lt_err err;
    struct binlog_gen g;
    struct store_options so = {.dir = dir, .allow_unsafe_fs = true};
    check(store_open(&so, &vfs_posix, &s, &err) == 0 &&
          store_lineage_begin(s, "11111111-2222-3333-4444-555555555555", &err) == 0);
    gen_init(&g, false, true);
    for (int file = 1; file <= 2; file++) {
        check(store_segment_begin(s, file == 1 ? "mysql-bin.000001" : "mysql-bin.000002", &err) == 0);
        gen_file(&g, true);
        for (int i = 0; i < 5; i++)
            gen_txn(&g, i == 4 ? 70000 : 50);
        if (file == 1)
            gen_rotate(&g, "mysql-bin.000002");
        feed(s, &g, BINLOG_MAGIC_LEN, true);
    }
    size_t durable = g.len;
    gen_gtid(&g);
    gen_query(&g, SECRET);
    feed(s, &g, durable, false);
    gen_fini(&g);
    return s;
}

static void start_server(void)
{
    struct lt_err err;
    char users[64];
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    check(mkdtemp(dir) != NULL && atexit(remove_dir) == 0);
    (void)snprintf(users, sizeof users, "%s/users", dir);
    FILE *f = fopen(users, "we");
    check(f != NULL && fputs("repl:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\n"
                             "sha2:replica:$A$001$aaaaaaaaaaaaaaaaaaaaJY5MCNPGS5mMzkXrq01Ln9By8ghEaOeE5pXtB8g5kJ4\n"
                             "ed:replica:ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY\n",
                             f) >= 0);
    check(fclose(f) == 0);
    struct replicas_options opt = {.host = "127.0.0.1",
                                   .server_uuid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
                                   .server_id = 4711,
                                   .users_file = users,
                                   .anonymous = ANONYMOUS_LOOPBACK,
                                   .auth_delay_us = 1};
    opt.store = make_store();
    check(replicas_start(&opt, &server, &err) == 0);
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
        .sin_family = AF_INET, .sin_port = htons(replicas_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger now = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect_through(fd, &to) == 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* no port in TIME_WAIT for each input */
    return fd;
}

/* Whole packets, but for the last one, which the end of the conversation may have cut. */
static void check_reply(const unsigned char *p, size_t len)
{
    check(len == 0 || memmem(p, len, SECRET, strlen(SECRET)) == NULL);
    while (len >= 4) {
        size_t whole = 4 + (size_t)load_u24(p);
        if (whole > len)
            return;
        /* An event's length is the packet's. */
        if (whole >= 4 + 1 + 19 && p[4] == 0 && p[5 + 4] != 0 && load_u32(p + 5 + 5) == 4711)
            check(load_u32(p + 5 + 9) == whole - 5);
        p += whole;
        len -= whole;
    }
}

static size_t put_packet(unsigned char *out, size_t at, uint8_t seq, const unsigned char *payload, size_t len)
{
    store_u24(out + at, (uint32_t)len);
    out[at + 3] = seq;
    memcpy(out + at + 4, payload, len);
    return at + 4 + len;
}

/* A login, then the input's pieces as commands, and a farewell. */
static size_t as_commands(unsigned char *out, const unsigned char *data, size_t size)
{
    static const unsigned char login[36] = {0x85, 0xa2, 0x0a, 0, 0, 0, 0, 1, 45, [32] = 'm', 'e', 0, 0};
    struct cursor c = cursor_on(data, size);
    size_t at = put_packet(out, 0, 1, login, sizeof login);
    static const unsigned char quit = 1;
    while (c.left >= 2) {
        size_t len = cursor_u16(&c);
        len = len < c.left ? len : c.left;
        if (at + 4 + len + 5 > SENT_MAX)
            break;
        at = put_packet(out, at, 0, cursor_bytes(&c, len), len);
    }
    return put_packet(out, at, 0, &quit, 1);
}

static void converse(const unsigned char *data, size_t size, size_t piece, int patience_ms)
{
    static unsigned char reply[REPLY_MAX];
    size_t len = 0;
    int fd = connect_server();
    while (size > 0) {
        ssize_t n = send(fd, data, size < piece ? size : piece, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* it has closed already */
        data += n;
        size -= (size_t)n;
    }
    bool ended = false;
    while (len < sizeof reply) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (!ended && poll(&p, 1, patience_ms) == 0) {
            (void)shutdown(fd, SHUT_WR); /* it waits for more, and so do we */
            ended = true;
        }
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

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static unsigned char sent[SENT_MAX];
    if (server == NULL)
        start_server();
    if (size == 0)
        return 0;
    unsigned how = data[0];
    size_t piece = how & IN_PIECES ? 1 + size / 7 : SENT_MAX;
    if (how & AS_COMMANDS) {
        size_t len = as_commands(sent, data + 1, size - 1);
        converse(sent, len, piece, 10);
    } else {
        converse(data + 1, size - 1, piece, how & PATIENT ? 10 : 0);
    }
    return 0;
}
