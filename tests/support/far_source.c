/*
 * Preloaded into a program under test: while a file of the name LT_FAR_WHILE is there, whoever it is connected to seems to be on another
 * machine, at an address that is kept for examples.
 * Layer: tests/support. Thread: any.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAR_ADDRESS 0xcb007107u /* 203.0.113.7 */

__attribute__((visibility("default"))) int getpeername(int fd, __SOCKADDR_ARG to, socklen_t *restrict len)
{
    struct sockaddr *addr = to.__sockaddr__; /* glibc's parameter is a union of all address types */
    int (*real)(int, struct sockaddr *, socklen_t *) = NULL;
    void *at = dlsym(RTLD_NEXT, "getpeername");     /* a cast from void * is not ISO C */
    const char *condition = getenv("LT_FAR_WHILE"); // NOLINT(concurrency-mt-unsafe): nobody changes it
    if (at == NULL)
        abort();
    memcpy(&real, &at, sizeof real);
    int rc = real(fd, addr, len);
    int saved = errno;
    if (rc == 0 && addr->sa_family == AF_INET && condition != NULL && access(condition, F_OK) == 0) {
        struct sockaddr_in far = {
            .sin_family = AF_INET, .sin_port = htons(3306), .sin_addr.s_addr = htonl(FAR_ADDRESS)};
        memcpy(addr, &far, *len < sizeof far ? *len : sizeof far);
    }
    errno = saved;
    return rc;
}
