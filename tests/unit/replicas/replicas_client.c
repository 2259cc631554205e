#include "replicas_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"

int raw_client_socket(const char *from)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_FATAL(fd >= 0 && inet_pton(AF_INET, from, &sa.sin_addr) == 1 &&
                    bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
    return fd;
}

void raw_client_reach(const struct replicas_rig *r, int fd)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(replicas_port(r->replicas)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CU_ASSERT_FATAL(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
}

int raw_client_connect(const struct replicas_rig *r, const char *from)
{
    int fd = raw_client_socket(from);
    raw_client_reach(r, fd);
    return fd;
}

static bool read_n(int fd, uint8_t *buf, size_t n)
{
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, RIG_WAIT_MS) != 1)
            return false;
        ssize_t got = recv(fd, buf, n, 0);
        if (got <= 0)
            return false;
        buf += got;
        n -= (size_t)got;
    }
    return true;
}

int raw_client_packet(int fd, uint8_t *buf, size_t cap)
{
    uint8_t head[4];
    if (!read_n(fd, head, sizeof head))
        return -1;
    size_t len = load_u24(head);
    CU_ASSERT_FATAL(len <= cap);
    return read_n(fd, buf, len) ? (int)len : -1;
}

void raw_client_send(int fd, uint8_t seq, const void *payload, size_t len)
{
    uint8_t head[4];
    store_u24(head, (uint32_t)len);
    head[3] = seq;
    (void)send(fd, head, sizeof head, MSG_NOSIGNAL | (len > 0 ? MSG_MORE : 0));
    (void)send(fd, payload, len, MSG_NOSIGNAL);
}

void raw_client_expect_end(int fd)
{
    uint8_t buf[4096];
    ssize_t n = 1;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (n > 0 && poll(&p, 1, RIG_WAIT_MS) == 1)
        n = recv(fd, buf, sizeof buf, 0);
    CU_ASSERT(n == 0 || errno == ECONNRESET);
    (void)close(fd);
}

int raw_client_log_in(const struct replicas_rig *r, const char *from)
{
    uint8_t buf[4096];
    uint8_t login[64] = {0};
    int fd = raw_client_connect(r, from);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    store_u32(login, 0x00000200u | 0x8000u);
    store_u32(login + 4, 1u << 24);
    login[8] = 45;
    memcpy(login + 32, "me", 3);
    raw_client_send(fd, 1, login, 36);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    CU_ASSERT_EQUAL(buf[0], 0);
    return fd;
}
