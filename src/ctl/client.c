/*
 * Happy path: connect (once), send the line, read up to the end of the answer's line, parse it.
 * A daemon that hangs is told from one that is not there: the kernel accepts for it, so connect works and nothing comes.
 */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define ANSWER_MAX (64U << 20)

void client_init(struct client *client, const char *path)
{
    *client = (struct client){.path = path, .fd = -1};
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        (void)close(client->fd);
    client->fd = -1;
}

static int not_reached(const struct client *client, struct lt_err *err)
{
    const char *path = client->path;
    if (errno == ENOENT || errno == ENOTDIR)
        return lt_err_set(err, LT_ECLOSED, "no logtailerd listens on %s: is it running? is this its socket?", path);
    if (errno == ECONNREFUSED)
        return lt_err_set(err, LT_ECLOSED,
                          "nobody listens on %s any more: logtailerd has ended without an orderly stop", path);
    if (errno == EACCES || errno == EPERM)
        return lt_err_set(err, LT_ECLOSED,
                          "no permission for %s: be root, the daemon's user or in the group of admin.group", path);
    return lt_err_sys(err, LT_ECLOSED, "cannot connect to %s", path);
}

static int silent(const struct client *client, uint64_t timeout_us, struct lt_err *err)
{
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    (void)getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    return lt_err_set(err, LT_ETIMEOUT,
                      "logtailerd (pid %d) does not answer within %.1f s on %s: it hangs or is stopped; see its log",
                      (int)peer.pid, (double)timeout_us / 1e6, client->path);
}

/* Ready within the deadline, or false. */
static bool wait_for(const struct client *client, short events, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now = clock_mono_us();
        struct pollfd p = {.fd = client->fd, .events = events};
        if (now >= deadline_us || (client->cancel != NULL && *client->cancel != 0))
            return false;
        struct timespec t = {.tv_sec = (time_t)((deadline_us - now) / 1000000),
                             .tv_nsec = (long)((deadline_us - now) % 1000000 * 1000)};
        int n = ppoll(&p, 1, &t, client->asleep);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static int open_connection(struct client *client, uint64_t timeout_us, uint64_t deadline_us, struct lt_err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (client->path[0] == '\0' || strlen(client->path) >= sizeof addr.sun_path)
        return lt_err_set(err, LT_EINVAL, "a socket's path has 1 to %zu bytes: %.120s", sizeof addr.sun_path - 1,
                          client->path);
    memcpy(addr.sun_path, client->path, strlen(client->path) + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        return lt_err_sys(err, LT_ECLOSED, "socket");
    while (connect(client->fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return not_reached(client, err);
        if (clock_mono_us() >= deadline_us) /* its queue is full: nobody accepts */
            return silent(client, timeout_us, err);
        (void)poll(NULL, 0, 20);
    }
    return LT_OK;
}

static int send_line(struct client *client, const char *line, uint64_t deadline_us)
{
    size_t len = strlen(line);
    size_t sent = 0;
    while (sent <= len) {
        const char *part = sent < len ? line + sent : "\n";
        ssize_t n = send(client->fd, part, sent < len ? len - sent : 1, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return LT_ECLOSED;
        else if (errno == EAGAIN && !wait_for(client, POLLOUT, deadline_us))
            return LT_ETIMEOUT;
    }
    return LT_OK;
}

/* *ret_text is set (and the caller's) with LT_OK only; it has no line end. */
static int read_line(struct client *client, uint64_t deadline_us, char **ret_text)
{
    size_t len = 0;
    size_t cap = 65536;
    char *text = malloc(cap);
    int rc = text != NULL ? LT_OK : LT_ENOMEM;
    while (rc == LT_OK && (len == 0 || text[len - 1] != '\n')) {
        if (len + 1 == cap) {
            char *more = cap < ANSWER_MAX ? realloc(text, cap * 2) : NULL;
            if (more == NULL) {
                rc = LT_ETOOBIG;
                break;
            }
            text = more;
            cap *= 2;
        }
        ssize_t n = recv(client->fd, text + len, cap - len - 1, 0);
        if (n > 0)
            len += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            rc = LT_ECLOSED;
        else if (errno == EAGAIN && !wait_for(client, POLLIN, deadline_us))
            rc = LT_ETIMEOUT;
    }
    if (rc != LT_OK) {
        free(text);
        return rc;
    }
    text[len - 1] = '\0';
    *ret_text = text;
    return LT_OK;
}

static int exchange(struct client *client, const char *line, uint64_t timeout_us, char **ret_text, struct lt_err *err)
{
    uint64_t deadline_us = clock_mono_us() + timeout_us;
    bool fresh = client->fd < 0;
    client->went_out = false;
    int rc = fresh ? open_connection(client, timeout_us, deadline_us, err) : LT_OK;
    if (rc != LT_OK)
        return rc;
    rc = send_line(client, line, deadline_us);
    client->went_out = rc == LT_OK;
    if (rc == LT_OK || (rc == LT_ECLOSED && fresh)) /* a refusal may be there to read */
        rc = read_line(client, deadline_us, ret_text);
    if (rc == LT_ETIMEOUT)
        return silent(client, timeout_us, err);
    if (rc == LT_ECLOSED)
        return lt_err_set(err, rc, "logtailerd on %s closed the connection before it answered", client->path);
    if (rc != LT_OK)
        return lt_err_set(err, LT_EPROTO, "the answer is longer than %u MiB", ANSWER_MAX >> 20);
    return LT_OK;
}

int client_ask(struct client *client, const char *line, uint64_t timeout_us, json_t **ret_answer, char **ret_text,
               struct lt_err *err)
{
    char *text = NULL;
    json_t *answer = NULL;
    int rc = exchange(client, line, timeout_us, &text, err);
    if (rc == LT_OK) {
        answer = json_loads(text, 0, NULL);
        if (!json_is_object(answer))
            rc = lt_err_set(err, LT_EPROTO, "what answers on %s is no logtailerd: no JSON object came", client->path);
    }
    if (rc != LT_OK) {
        json_decref(answer);
        free(text);
        client_close(client);
        return rc;
    }
    *ret_answer = answer;
    if (ret_text != NULL)
        *ret_text = text;
    else
        free(text);
    return LT_OK;
}

static bool is_plain(const char *word)
{
    return word[0] != '\0' && strpbrk(word, " \t\r\"\\") == NULL;
}

int client_join_words(const char *const *words, size_t n, char **ret_line, struct lt_err *err)
{
    size_t cap = 1;
    for (size_t i = 0; i < n; i++) {
        if (strchr(words[i], '\n') != NULL)
            return lt_err_set(err, LT_EINVAL, "an argument holds a line end");
        cap += strlen(words[i]) * 2 + 3;
    }
    char *line = malloc(cap);
    char *out = line;
    if (line == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        bool plain = is_plain(words[i]);
        if (i > 0)
            *out++ = ' ';
        if (!plain)
            *out++ = '"';
        for (const char *p = words[i]; *p != '\0'; p++) {
            if (*p == '"' || *p == '\\')
                *out++ = '\\';
            *out++ = *p;
        }
        if (!plain)
            *out++ = '"';
    }
    *out = '\0';
    *ret_line = line;
    return LT_OK;
}
