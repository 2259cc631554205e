/*
 * What comes over the admin socket, through the real one: however it is cut into lines and words, every line that ends is answered by one JSON
 * object on a line, in order, and nothing but that is said.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/admin/admin.h"
#include "ops/admin/admin_words.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define TURNS_MAX 100000 /* far more than any input needs */

static struct event_base *base;
static struct admin *admin;
static char path[64];

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Says how many words there were; some are an error, so that what they contain comes back in a message. */
static int say(void *arg, int argc, char **argv, json_t **ret, struct lt_err *err)
{
    (void)arg;
    check(argc > 0 && argc <= ADMIN_WORDS_MAX && argv[argc] == NULL && strcmp(argv[0], "say") == 0);
    if (argc > 2)
        return lt_err_set(err, LT_EINVAL, "what is %s?", argv[2]);
    *ret = json_pack("{s:i}", "words", argc);
    return LT_OK;
}

static void end(void)
{
    admin_close(admin);
    event_base_free(base);
}

static void begin_once(void)
{
    static const struct admin_command table[] = {{"say", "anything", say}};
    struct lt_err err = {0};
    if (base != NULL)
        return;
    base = event_base_new();
    check(base != NULL);
    (void)snprintf(path, sizeof path, "/tmp/fuzz-admin-%d", (int)getpid());
    check(admin_open(base, path, 0600, NULL, table, sizeof table / sizeof table[0], NULL, &admin, &err) == 0);
    (void)atexit(end);
}

static int connect_client(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(a.sun_path, path, strlen(path) + 1);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

static void check_answer(const char *line, size_t len)
{
    json_t *answer = json_loadb(line, len, 0, NULL);
    check(json_is_object(answer));
    json_decref(answer);
}

struct heard {
    char *text; /* a line that has not ended */
    size_t len;
    size_t lines;
};

static void hear(struct heard *h, const char *data, size_t len)
{
    h->text = realloc(h->text, h->len + len);
    check(h->text != NULL);
    memcpy(h->text + h->len, data, len);
    h->len += len;
    for (char *nl; (nl = memchr(h->text, '\n', h->len)) != NULL;) {
        size_t n = (size_t)(nl - h->text);
        check_answer(h->text, n);
        h->lines++;
        h->len -= n + 1;
        memmove(h->text, nl + 1, h->len);
    }
}

/* All of it goes out, then the end; until the other side has closed. */
static void talk(int fd, const unsigned char *data, size_t size, struct heard *h)
{
    static char buf[65536];
    size_t sent = 0;
    bool ended = false;
    for (int i = 0; i < TURNS_MAX; i++) {
        ssize_t n = sent < size ? send(fd, data + sent, size - sent, MSG_NOSIGNAL) : 0;
        if (n < 0 && errno != EAGAIN)
            sent = size; /* it has had enough of us */
        sent += n > 0 ? (size_t)n : 0;
        if (sent == size && !ended)
            ended = shutdown(fd, SHUT_WR) == 0;
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
        n = recv(fd, buf, sizeof buf, 0);
        if (n > 0)
            hear(h, buf, (size_t)n);
        else if (n == 0 || errno != EAGAIN)
            return;
    }
    abort(); /* it neither answers nor ends */
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct heard h = {.lines = 0};
    begin_once();
    int fd = connect_client();
    talk(fd, data, size, &h);
    check(h.len == 0);
    size_t ends = 0;
    for (size_t i = 0; i < size; i++)
        ends += data[i] == '\n';
    check(h.lines <= ends + 1);
    free(h.text);
    (void)close(fd);
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    return 0;
}
