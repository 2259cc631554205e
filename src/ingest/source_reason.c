/*
 * Plain words for a connect that failed.
 * - The library looks at errno after it waited for the socket, and so names EINPROGRESS ("(115)") whatever the reason was. The kernel is asked
 *   once more: a refusal or a missing route is answered at once. A time-out is not asked for a second time.
 * - Errors of a server keep their number: its manual lists them.
 */
#include "ingest/source_internal.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ERR_SOCKET    2001
#define ERR_IP_SOCKET 2004
#define ERR_NO_SOCKET 2002
#define ERR_NO_HOST   2003
#define ERR_LOST      2013
#define ERR_NOT_OURS  5010
#define ASK_MS        200

/* A server's error in place of its greeting ("too many connections") comes before TLS, and the library wraps it up. */
#define WRAPPED "cannot be verified: "

struct source_said source_said(MYSQL *m)
{
    struct source_said said = {.code = mysql_errno(m), .text = mysql_error(m)};
    const char *at = said.code == ERR_NO_SOCKET ? strstr(said.text, WRAPPED) : NULL;
    char *end = NULL;
    unsigned long code = at != NULL ? strtoul(at + strlen(WRAPPED), &end, 10) : 0;
    if (code == 0 || code > UINT16_MAX || strncmp(end, " - ", 3) != 0)
        return said;
    return (struct source_said){.code = (unsigned)code, .text = end + 3};
}

bool source_is_unreachable(unsigned code)
{
    return code == ERR_NO_SOCKET || code == ERR_NO_HOST;
}

/* The number behind the last `mark` of the library's text; -1: none. */
static int number_after(const char *text, const char *mark)
{
    const char *at = NULL;
    for (const char *next = strstr(text, mark); next != NULL; next = strstr(next + 1, mark))
        at = next + strlen(mark);
    if (at == NULL || *at < '0' || *at > '9')
        return -1;
    long n = strtol(at, NULL, 10);
    return n <= 4095 ? (int)n : -1;
}

static int finish(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    if (poll(&p, 1, ASK_MS) == 0)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

/* 0: it can be reached. */
static int ask_kernel(const char *address, unsigned port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *ai = NULL;
    char service[16];
    (void)snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(address, service, &hints, &ai) != 0)
        return EADDRNOTAVAIL;
    int sys = 0;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen) != 0)
        sys = errno;
    if (sys == EINPROGRESS)
        sys = finish(fd);
    if (fd >= 0)
        (void)close(fd);
    freeaddrinfo(ai);
    return sys;
}

static void put(char *buf, size_t cap, int sys)
{
    const char *words = strerrordesc_np(sys);
    (void)snprintf(buf, cap, "%s", words != NULL ? words : "it cannot be reached");
}

void source_reason_of_address(const char *address, unsigned port, bool late, char *buf, size_t cap)
{
    int sys = late ? ETIMEDOUT : ask_kernel(address, port);
    if (sys == 0)
        (void)snprintf(buf, cap, "it took no connection at first, and does now");
    else
        put(buf, cap, sys);
}

/* The handshake ended early; the number is the system's, where it is one. */
static void reason_of_loss(int sys, char *buf, size_t cap)
{
    if (sys == ETIMEDOUT)
        (void)snprintf(buf, cap, "connected, and no answer came in time");
    else if (sys <= 0 || sys == EINPROGRESS || sys == ENOENT || sys == EAGAIN) /* left over from a read that waited */
        (void)snprintf(buf, cap, "the connection was closed during the handshake");
    else
        put(buf, cap, sys);
}

/* The library's own text names the greeting's way, not the one that it refused. */
#define NOT_OURS                                                                                                       \
    "asks to log in in a way that can give the password away (mysql_clear_password, dialog, ...); it was not sent. "   \
    "Let "                                                                                                             \
    "the account use caching_sha2_password, mysql_native_password or MariaDB's ed25519; sha256_password needs "        \
    "source.ssl_mode = VERIFY_CA"

void source_reason(MYSQL *m, const char *address, unsigned port, bool late, char *buf, size_t cap)
{
    struct source_said said = source_said(m);
    int sys = number_after(said.text, "(");
    if (source_is_unreachable(said.code) && address != NULL && (sys <= 0 || sys == EINPROGRESS))
        source_reason_of_address(address, port, late, buf, cap);
    else if ((source_is_unreachable(said.code) || said.code == ERR_SOCKET || said.code == ERR_IP_SOCKET) && sys > 0)
        put(buf, cap, sys);
    else if (said.code == ERR_NOT_OURS)
        (void)snprintf(buf, cap, NOT_OURS);
    else if (said.code == ERR_LOST)
        reason_of_loss(late ? ETIMEDOUT : number_after(said.text, "system error: "), buf, cap);
    else
        (void)snprintf(buf, cap, "%s (error %u)", said.text, said.code);
}
