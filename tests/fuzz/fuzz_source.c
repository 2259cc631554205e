/*
 * All that a source says: its greeting, the login's answers, then the answers to two statements, in one go, whatever we send. The client library reads
 * it inside source_connect and source_query; nothing may be read past its end, and both end.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/source.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define PASSWORD "what nobody is to see"

static int listen_fd = -1;
static uint16_t port;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void begin_once(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    if (listen_fd >= 0)
        return;
    (void)signal(SIGPIPE, SIG_IGN);
    source_global_init();
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(listen_fd >= 0 && bind(listen_fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(listen_fd, 8) == 0 &&
          getsockname(listen_fd, (struct sockaddr *)&a, &len) == 0);
    port = ntohs(a.sin_port);
}

struct script {
    const unsigned char *data;
    size_t size;
};

/* Says its piece, then hears the client out: the password is nowhere in it. */
static void *play(void *arg)
{
    const struct script *s = arg;
    static unsigned char heard[65536];
    size_t len = 0;
    ssize_t n = 1;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    check(fd >= 0);
    for (size_t at = 0; n > 0 && at < s->size; at += (size_t)(n > 0 ? n : 0))
        n = send(fd, s->data + at, s->size - at, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (len < sizeof heard && (n = recv(fd, heard + len, sizeof heard - len, 0)) > 0)
        len += (size_t)n;
    check(memmem(heard, len, PASSWORD, strlen(PASSWORD)) == NULL);
    /* No waiting for the kernel's minute: thousands of these connections come one after another. */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    (void)close(fd);
    return NULL;
}

static void look(const struct source_row *row, void *arg)
{
    size_t *sum = arg;
    for (unsigned i = 0; i < row->columns; i++)
        *sum += row->value[i] != NULL ? strlen(row->value[i]) : 1;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const statements[] = {"SELECT 1", "SHOW GRANTS"};
    struct script script = {data, size};
    struct source *s = NULL;
    enum source_error code;
    struct lt_err err = {0};
    size_t sum = 0;
    pthread_t thread;
    begin_once();
    struct source_params p = {.host = "127.0.0.1",
                              .port = port,
                              .user = "u",
                              .password = PASSWORD,
                              .ssl = SOURCE_SSL_PREFERRED,
                              .connect_timeout_us = 5000000,
                              .read_timeout_us = 5000000};
    check(pthread_create(&thread, NULL, play, &script) == 0);
    int rc = source_connect(&p, &s, &code, &err);
    check((rc == 0) == (s != NULL));
    for (size_t i = 0; s != NULL && i < sizeof statements / sizeof statements[0]; i++) {
        unsigned number;
        (void)!source_query(s, statements[i], look, &sum, &number, &err);
    }
    source_close(s);
    (void)pthread_join(thread, NULL);
    return 0;
}
