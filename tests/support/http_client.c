#include "http_client.h"

#include "proc.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 20000, ANSWER_BYTES = 1 << 20 };

int http_client_connect(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

const char *http_client_body(const char *answer)
{
    const char *end = answer != NULL ? strstr(answer, "\r\n\r\n") : NULL;
    return end != NULL ? end + 4 : "";
}

/* Head and as many bytes as Content-Length says. A HEAD answer is whole with its head: the caller's connection ends it. */
static bool is_whole(const char *answer, size_t len)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "\r\nContent-Length: ");
    if (end == NULL || length == NULL || length > end)
        return false;
    return len - (size_t)(end + 4 - answer) >= strtoull(length + 18, NULL, 10);
}

char *http_client_talk(int fd, const char *request)
{
    char *answer = calloc(1, ANSWER_BYTES);
    size_t len = 0;
    uint64_t end = proc_now_ms() + ANSWER_MS;
    if (answer == NULL)
        proc_die("out of memory");
    if (request != NULL)
        (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (!is_whole(answer, len) && len + 1 < ANSWER_BYTES) {
        uint64_t now = proc_now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= end) {
            free(answer);
            return NULL;
        }
        if (poll(&p, 1, (int)(end - now)) <= 0)
            continue;
        ssize_t n = recv(fd, answer + len, ANSWER_BYTES - len - 1, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return answer;
}

char *http_client_get(uint16_t port, const char *path)
{
    int fd = http_client_connect(port);
    if (fd < 0)
        return NULL;
    char *request = proc_fmt("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    char *answer = http_client_talk(fd, request);
    free(request);
    (void)close(fd);
    return answer;
}
