#include "base/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

bool lt_errno_is_setting(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
        return true;
    default:
        return false;
    }
}

static int listen_on(const struct addrinfo *ai, int backlog)
{
    const int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    int sys = errno;
    (void)close(fd);
    return -sys;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 sa = {0}; /* the port stands at the same place in an IPv4 address */
    socklen_t len = sizeof sa;
    _Static_assert(offsetof(struct sockaddr_in6, sin6_port) == offsetof(struct sockaddr_in, sin_port), "ports");
    return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 ? ntohs(sa.sin6_port) : 0;
}

int listen_tcp(const char *key, const char *host, uint16_t port, int backlog, int *ret_fd, uint16_t *ret_port,
               struct lt_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    int rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) /* a name that there is not is a mistake; one that cannot be asked for now may be had in a moment */
        return lt_err_set(err, rc == EAI_NONAME ? LT_EINVAL : LT_ENOTFOUND, "%s: %.200s: %s", key, host,
                          gai_strerror(rc));
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
        fd = listen_on(ai, backlog);
    freeaddrinfo(list);
    if (fd < 0) {
        errno = -fd;
        int code = fd == -EADDRINUSE ? LT_EBUSY : lt_errno_is_setting(-fd) ? LT_EINVAL : LT_ESYS;
        return lt_err_sys(err, code, "%s: %.200s:%u", key, host, port);
    }
    *ret_fd = fd;
    *ret_port = port_of(fd);
    return LT_OK;
}
