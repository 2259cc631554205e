/* The HTTP server with real connections: routes, methods, limits, clients that misbehave, a main that hangs. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "cunit_main.h"
#include "http_client.h"
#include "http_stage.h"
#include "proc.h"
#include "prom_check.h"

#include "base/listen.h"
#include "ops/http/http.h"
#include "ops/http/http_access.h"

static uint16_t port;

static struct http_access *everybody(void)
{
    struct http_access *a = NULL;
    struct lt_err err;
    if (http_access_make(&(struct http_access_options){0}, "127.0.0.1", &a, &err) != LT_OK)
        abort();
    return a;
}

static bool starts_with(const char *text, const char *what)
{
    bool yes = text != NULL && strncmp(text, what, strlen(what)) == 0;
    if (!yes)
        (void)fprintf(stderr, "not %s: %.300s\n", what, text != NULL ? text : "(nothing)");
    return yes;
}

static bool has(const char *text, const char *what)
{
    bool yes = text != NULL && strcasestr(text, what) != NULL;
    if (!yes)
        (void)fprintf(stderr, "lacks %s: %.600s\n", what, text != NULL ? text : "(nothing)");
    return yes;
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        (void)closedir(d);
    return n;
}

static void routes(void)
{
    char why[200] = "";
    double sent = 0;
    char *a = http_client_get(port, "/healthz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    CU_ASSERT_STRING_EQUAL(http_client_body(a), "alive\n");
    free(a);
    a = http_client_get(port, "/readyz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    free(a);
    a = http_client_get(port, "/metrics");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    CU_ASSERT(has(a, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    CU_ASSERT(prom_check(http_client_body(a), why, sizeof why));
    CU_ASSERT(prom_sample(http_client_body(a), "logtailer_acks_sent_total", &sent) && sent >= 48000);
    free(a);
    a = http_client_get(port, "/status?x=1");
    CU_ASSERT(has(a, "Content-Type: application/json\r\n"));
    CU_ASSERT(has(a, "X-Content-Type-Options: nosniff\r\n"));
    json_t *status = json_loads(http_client_body(a), 0, NULL);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(status, "state")), "streaming");
    json_decref(status);
    free(a);
    a = http_client_get(port, "/latency");
    json_t *latency = json_loads(http_client_body(a), 0, NULL);
    CU_ASSERT(json_array_size(json_object_get(latency, "le_us")) > 10);
    json_decref(latency);
    free(a);
    a = http_client_get(port, "/nothing");
    CU_ASSERT(starts_with(a, "HTTP/1.1 404 Not Found\r\n"));
    free(a);
}

static void the_page_and_its_policy(void)
{
    char *a = http_client_get(port, "/");
    char *b = http_client_get(port, "/");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    CU_ASSERT(has(a, "Content-Type: text/html; charset=utf-8\r\n"));
    CU_ASSERT(has(a, "default-src 'none'; script-src 'nonce-"));
    CU_ASSERT(has(a, "frame-ancestors 'none'\r\n"));
    const char *nonce = a != NULL ? strstr(a, "nonce-") : NULL;
    char tag[64] = "";
    if (nonce != NULL)
        (void)snprintf(tag, sizeof tag, "<script nonce=\"%.32s\">", nonce + 6);
    CU_ASSERT(has(a, tag));
    CU_ASSERT_FALSE(b != NULL && strstr(b, tag) != NULL); /* another one each time */
    CU_ASSERT_PTR_NULL(strstr(http_client_body(a), "@NONCE@"));
    /* Nothing from outside. */
    CU_ASSERT_PTR_NULL(strstr(http_client_body(a), "src=\""));
    CU_ASSERT_PTR_NULL(strstr(http_client_body(a), "url("));
    CU_ASSERT_PTR_NULL(strstr(http_client_body(a), "https:"));
    CU_ASSERT(has(http_client_body(a), "</html>\n"));
    free(a);
    free(b);
}

static void not_ready(void)
{
    stage_set_status(stage_fenced);
    proc_sleep_ms(150); /* the last picture may be shown so long */
    char *a = http_client_get(port, "/readyz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 503 Service Unavailable\r\n"));
    CU_ASSERT(has(a, "not streaming: fenced\n"));
    free(a);
    a = http_client_get(port, "/healthz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    free(a);
    /* Memory is short on main: no answers. */
    stage_set_status(NULL);
    proc_sleep_ms(150);
    static const char *const paths[] = {"/status", "/latency", "/metrics", "/readyz"};
    for (size_t i = 0; i < 4; i++) {
        a = http_client_get(port, paths[i]);
        CU_ASSERT(starts_with(a, "HTTP/1.1 503 Service Unavailable\r\n"));
        free(a);
    }
    stage_set_status(stage_streaming);
    proc_sleep_ms(150);
}

static void head_and_other_methods(void)
{
    int fd = http_client_connect(port);
    char *a = http_client_talk(fd, "HEAD / HTTP/1.0\r\n\r\n");
    CU_ASSERT(starts_with(a, "HTTP/1.0 200 OK\r\n"));
    const char *length = a != NULL ? strcasestr(a, "Content-Length: ") : NULL;
    CU_ASSERT(length != NULL && strtoul(length + 16, NULL, 10) > 5000);
    CU_ASSERT_STRING_EQUAL(http_client_body(a), "");
    free(a);
    (void)close(fd);
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char *request =
            proc_fmt("%s /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", methods[i]);
        fd = http_client_connect(port);
        a = http_client_talk(fd, request);
        CU_ASSERT(starts_with(a, "HTTP/1.1 405 Method Not Allowed\r\n"));
        CU_ASSERT(has(a, "Allow: GET, HEAD\r\n"));
        free(a);
        free(request);
        (void)close(fd);
    }
    /* Two on one connection, sent at once. */
    fd = http_client_connect(port);
    a = http_client_talk(
        fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    char *b = http_client_talk(fd, NULL);
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    CU_ASSERT(has(a, "alive\n") && (has(b, "404 Not Found") || has(a, "404 Not Found")));
    free(a);
    free(b);
    (void)close(fd);
}

static void requests_that_are_none(void)
{
    static const char *const wrong[] = {
        "\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET /status HTTP/9.9.9\r\n\r\n",
        "GET http://[bad/ HTTP/1.1\r\n\r\n",
        "GET /status HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "\x16\x03\x01\x02\x01\xfc\x03\x03",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int fd = http_client_connect(port);
        (void)send(fd, wrong[i], strlen(wrong[i]), MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
        char *a = http_client_talk(fd, NULL);
        CU_ASSERT_PTR_NOT_NULL(a);
        CU_ASSERT_FALSE(a != NULL && strncmp(a, "HTTP/1.1 200", 12) == 0);
        free(a);
        (void)close(fd);
    }
    char *a = http_client_get(port, "/healthz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    free(a);
}

static void headers_without_end(void)
{
    static char header[HTTP_HEADER_MAX + 100];
    memset(header, 'x', sizeof header - 1);
    int fd = http_client_connect(port);
    (void)send(fd, "GET /status HTTP/1.1\r\nA: ", 25, MSG_NOSIGNAL);
    char *a = http_client_talk(fd, header);
    CU_ASSERT_PTR_NOT_NULL(a);
    CU_ASSERT_FALSE(a != NULL && strncmp(a, "HTTP/1.1 200", 12) == 0);
    free(a);
    (void)close(fd);
}

static void many_connections(void)
{
    int fds[HTTP_CONNECTIONS_MAX + 20];
    unsigned before = open_descriptors();
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        fds[i] = http_client_connect(port);
    proc_sleep_ms(300);
    /* Both ends are ours: the clients' and what the server took. */
    unsigned taken = open_descriptors() - before - (unsigned)(sizeof fds / sizeof fds[0]);
    CU_ASSERT(taken <= HTTP_CONNECTIONS_MAX + 1);
    CU_ASSERT(taken >= HTTP_CONNECTIONS_MAX / 2);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        (void)close(fds[i]);
    char *a = http_client_get(port, "/healthz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    free(a);
}

/* Who drips a request byte by byte, in any number, keeps no health check out, and is closed in the end. */
/* Connections that there is no descriptor for: they wait, the thread does not turn over them, and they are served when there is one. */
static void no_descriptor_for_accept(void)
{
    struct rlimit was;
    struct timespec before;
    struct timespec after;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &was), 0);
    int fd = http_client_connect(port);
    char *a =
        http_client_talk(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); /* all else is at rest */
    free(a);
    (void)close(fd);
    proc_sleep_ms(200);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int lowest = dup(fd);
    (void)close(lowest);
    struct rlimit low = {.rlim_cur = (rlim_t)lowest, .rlim_max = was.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    proc_sleep_ms(500);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
    double cpu_s = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    CU_ASSERT(cpu_s < 0.1);
    a = http_client_talk(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    free(a);
    (void)close(fd);
}

static void dripping_connections(void)
{
    enum { DRIPS = 160 };
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: dripping-dripping-dripping-dripping-dripping";
    int fds[DRIPS];
    uint64_t began = proc_now_ms();
    for (int i = 0; i < DRIPS; i++)
        fds[i] = http_client_connect(port);
    for (size_t at = 0; at < 20; at++) {
        for (int i = 0; i < DRIPS; i++)
            (void)send(fds[i], request + at, 1, MSG_NOSIGNAL);
        uint64_t asked = proc_now_ms();
        char *a = http_client_get(port, at % 2 == 0 ? "/healthz" : "/readyz");
        CU_ASSERT(starts_with(a, "HTTP/1.1 "));
        CU_ASSERT(!starts_with(a, "HTTP/1.1 503 Service Unavailable\r\n") || at % 2 != 0);
        CU_ASSERT(proc_now_ms() - asked < 2000);
        free(a);
    }
    size_t open = DRIPS;
    for (size_t at = 20; open > 0 && proc_now_ms() - began < 40000; at++) { /* a byte now and then is no request */
        open = 0;
        for (int i = 0; i < DRIPS; i++) {
            char c = 0;
            (void)send(fds[i], request + at % (sizeof request - 1), 1, MSG_NOSIGNAL);
            ssize_t n = recv(fds[i], &c, 1, MSG_DONTWAIT);
            open += n < 0 && errno == EAGAIN;
        }
        proc_sleep_ms(100);
    }
    CU_ASSERT_EQUAL(open, 0);
    for (int i = 0; i < DRIPS; i++)
        (void)close(fds[i]);
}

static void a_main_that_hangs(void)
{
    stage_hang(true);
    proc_sleep_ms(150);
    int gone = http_client_connect(port);
    (void)send(gone, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL);
    proc_sleep_ms(50);
    (void)close(gone); /* while it is parked */
    uint64_t began = proc_now_ms();
    char *a = http_client_get(port, "/healthz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 503 Service Unavailable\r\n"));
    CU_ASSERT(has(a, "the main loop does not answer"));
    CU_ASSERT(proc_now_ms() - began >= HTTP_PARKED_US / 1000);
    free(a);
    stage_hang(false);
    a = http_client_get(port, "/healthz");
    CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
    free(a);
}

static void main_makes_few_pictures(void)
{
    unsigned before = stage_pictures();
    uint64_t began = proc_now_ms();
    for (int i = 0; i < 200; i++) {
        char *a = http_client_get(port, "/status");
        CU_ASSERT(starts_with(a, "HTTP/1.1 200 OK\r\n"));
        free(a);
    }
    CU_ASSERT(stage_pictures() - before <= (proc_now_ms() - began) / 100 + 2);
}

static void nothing_pictured(void *arg, json_t **ret_status, json_t **ret_latency)
{
    (void)arg;
    (void)ret_status;
    (void)ret_latency;
}

static void addresses(void)
{
    struct lt_err err = {0};
    struct http *other = NULL;
    char trouble[200];
    uint16_t taken = 0;
    int fd = -1;
    /* no such name: a mistake, which no waiting mends */
    CU_ASSERT_EQUAL(http_open("no such host", 0, everybody(), nothing_pictured, NULL, &other, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "http.listen: no such host: "));
    /* taken for a moment: there as soon as it can be had */
    CU_ASSERT_EQUAL(listen_tcp("test", "127.0.0.1", 0, 1, &fd, &taken, &err), LT_OK);
    CU_ASSERT_EQUAL(http_open("127.0.0.1", taken, everybody(), nothing_pictured, NULL, &other, &err), LT_OK);
    CU_ASSERT_EQUAL(http_port(other), 0);
    http_get_trouble(other, trouble, sizeof trouble);
    CU_ASSERT_PTR_NOT_NULL(strstr(trouble, "http.listen: 127.0.0.1:"));
    (void)close(fd);
    for (int i = 0; i < 1000 && http_port(other) == 0; i++)
        proc_sleep_ms(10);
    CU_ASSERT_EQUAL(http_port(other), taken);
    http_get_trouble(other, trouble, sizeof trouble);
    CU_ASSERT_STRING_EQUAL(trouble, "");
    http_close(other);
    CU_ASSERT_EQUAL(http_open("::1", 0, everybody(), nothing_pictured, NULL, &other, &err), LT_OK);
    CU_ASSERT_NOT_EQUAL(http_port(other), 0);
    http_tick(other); /* nobody asked */
    http_close(other);
    http_tick(NULL);
    http_close(NULL);
}

/* Closed with a request that waits for its picture. */
static void closed_while_one_is_parked(void)
{
    struct lt_err err = {0};
    struct http *other = NULL;
    if (http_open("127.0.0.1", 0, everybody(), nothing_pictured, NULL, &other, &err) != LT_OK)
        abort();
    int fd = http_client_connect(http_port(other));
    (void)send(fd, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL);
    proc_sleep_ms(100);
    http_close(other);
    (void)close(fd);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"routes", routes},
        {"the page and its policy", the_page_and_its_policy},
        {"not ready", not_ready},
        {"HEAD and other methods", head_and_other_methods},
        {"requests that are none", requests_that_are_none},
        {"headers without end", headers_without_end},
        {"many connections", many_connections},
        {"no descriptor for accept", no_descriptor_for_accept},
        {"dripping connections", dripping_connections},
        {"a main that hangs", a_main_that_hangs},
        {"main makes few pictures", main_makes_few_pictures},
        {"addresses", addresses},
        {"closed while one is parked", closed_while_one_is_parked},
    };
    port = stage_start();
    int bad = cunit_run("http", cases, sizeof cases / sizeof cases[0]);
    stage_stop();
    return bad;
}
