/*
 * What comes over HTTP, through the real server: whatever it is, what is answered is HTTP, and a health check that comes after it is answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ops/http/http.h"
#include "ops/http/http_access.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define TURNS_MAX 8000 /* of a quarter of a millisecond: less than HTTP_IDLE_S, so that who only waits is noticed */

static struct http *http;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void picture(void *arg, json_t **ret_status, json_t **ret_latency)
{
    (void)arg;
    *ret_status = json_pack("{s:s}", "state", "streaming");
    *ret_latency = json_object();
}

static void end(void)
{
    http_close(http);
}

static void begin_once(void)
{
    struct lt_err err = {0};
    if (http != NULL)
        return;
    (void)signal(SIGPIPE, SIG_IGN);
    struct http_access *access = NULL;
    check(http_access_make(&(struct http_access_options){0}, "127.0.0.1", &access, &err) == 0);
    check(http_open("127.0.0.1", 0, access, picture, NULL, &http, &err) == 0);
    (void)atexit(end);
}

static int connect_client(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(http_port(http))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    return fd;
}

/* The beginning of the answer to it; the length. Main ticks meanwhile. */
static size_t ask(const void *data, size_t size, char *answer, size_t cap)
{
    int fd = connect_client();
    size_t len = 0;
    (void)send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < TURNS_MAX; i++) {
        char rest[4096];
        ssize_t n = recv(fd, len < cap ? answer + len : rest, len < cap ? cap - len : sizeof rest, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            (void)close(fd);
            return len;
        }
        if (n > 0) {
            len += len < cap ? (size_t)n : 0;
            continue;
        }
        http_tick(http);
        (void)nanosleep(&(struct timespec){.tv_nsec = 250000}, NULL);
    }
    abort(); /* it neither answers nor ends */
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char health[] = "GET /healthz HTTP/1.0\r\n\r\n";
    static unsigned runs;
    char answer[256];
    begin_once();
    size_t len = ask(data, size, answer, sizeof answer);
    check(len == 0 || (len >= 5 && memcmp(answer, "HTTP/", 5) == 0));
    if (runs++ % 64 == 0) {
        len = ask(health, sizeof health - 1, answer, sizeof answer);
        check(len > 12 && memcmp(answer + 9, "200", 3) == 0);
    }
    return 0;
}
