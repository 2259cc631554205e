#include "admin_script.h"

#include "proc.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES 70000
#define RULES_MAX      64

struct admin_script {
    const struct admin_rule *rules;
    size_t n;
    unsigned asked[RULES_MAX];
    int listener;
    int stop[2]; /* closed at one end: the thread ends */
    char *path;
    pthread_t thread;
    pthread_mutex_t lock; /* last */
    char last[LINE_MAX_BYTES];
    char shown[LINE_MAX_BYTES];
};

/* False: the test wants the thread to end. */
static bool wait_readable(const struct admin_script *s, int fd)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};
    while (poll(p, 2, -1) <= 0)
        ;
    return p[1].revents == 0;
}

static const struct admin_rule *find_rule(const struct admin_script *s, const char *line)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t len = strlen(s->rules[i].line);
        bool prefix = len > 0 && s->rules[i].line[len - 1] == '*';
        if (prefix ? strncmp(s->rules[i].line, line, len - 1) == 0 : strcmp(s->rules[i].line, line) == 0)
            return &s->rules[i];
    }
    return NULL;
}

static void send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

/* False: the connection ends here. */
static bool answer_line(struct admin_script *s, int fd, const char *line)
{
    static const char unknown[] =
        "{\"error\":{\"code\":\"unknown_command\",\"message\":\"there is no such command; help lists them\"}}";
    const struct admin_rule *rule = find_rule(s, line);
    if (rule == NULL && strncmp(line, "order ", 6) == 0) {
        line = strchr(line + 6, ' ') != NULL ? strchr(line + 6, ' ') + 1 : line;
        rule = find_rule(s, line);
    }
    (void)pthread_mutex_lock(&s->lock);
    (void)snprintf(s->last, sizeof s->last, "%s", line);
    (void)pthread_mutex_unlock(&s->lock);
    if (rule != NULL && rule->manner == ADMIN_CLOSES)
        return false;
    if (rule != NULL && rule->manner == ADMIN_HANGS)
        return true;
    char *made = rule != NULL && rule->make != NULL ? rule->make(s->asked[rule - s->rules]++) : NULL;
    const char *text = made != NULL ? made : rule != NULL ? rule->answer : unknown;
    size_t half = strlen(text) / 2;
    send_all(fd, text, half);
    proc_sleep_ms(1);
    send_all(fd, text + half, strlen(text) - half);
    send_all(fd, "\n", 1);
    free(made);
    return true;
}

static void serve_client(struct admin_script *s, int fd)
{
    static _Thread_local char line[LINE_MAX_BYTES]; /* a test may run two scripts */
    size_t len = 0;
    while (wait_readable(s, fd)) {
        ssize_t n = read(fd, line + len, 1);
        if (n != 1)
            return;
        if (line[len] != '\n') {
            len += len + 1 < sizeof line;
            continue;
        }
        line[len] = '\0';
        len = 0;
        if (!answer_line(s, fd, line))
            return;
    }
}

static void *serve(void *arg)
{
    struct admin_script *s = arg;
    while (wait_readable(s, s->listener)) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve_client(s, fd);
        (void)close(fd);
    }
    return NULL;
}

struct admin_script *admin_script_start(const char *path, const struct admin_rule *rules, size_t n)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct admin_script *s = calloc(1, sizeof *s);
    if (s == NULL || n > RULES_MAX)
        proc_die("admin_script: no memory, or too many rules");
    s->rules = rules;
    s->n = n;
    s->path = proc_fmt("%s", path);
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        listen(s->listener, 8) != 0 || pipe2(s->stop, O_CLOEXEC) != 0)
        proc_die_errno("admin_script %s", path);
    (void)pthread_mutex_init(&s->lock, NULL);
    if (pthread_create(&s->thread, NULL, serve, s) != 0)
        proc_die("admin_script: no thread");
    return s;
}

void admin_script_stop(struct admin_script *s)
{
    (void)close(s->stop[1]);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->stop[0]);
    (void)close(s->listener);
    (void)unlink(s->path);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

const char *admin_script_last(struct admin_script *s)
{
    (void)pthread_mutex_lock(&s->lock);
    memcpy(s->shown, s->last, sizeof s->shown);
    (void)pthread_mutex_unlock(&s->lock);
    return s->shown;
}
