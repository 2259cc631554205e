/*
 * Follows a binlog in a blocking loop and prints a line for every transaction: GTID, events, bytes.
 *
 *     follow HOST PORT TOKEN-FILE [--until-end]
 *
 * Where it stopped is kept in TOKEN-FILE: started again, it goes on there. A real consumer stores the token together with what it made of the
 * transaction, in one transaction of its own database; then nothing is lost and nothing counts twice, whatever crashes.
 *
 * Build: cc follow.c $(pkg-config --cflags --libs libbinlogtail)
 */
#include <binlogtail/binlogtail.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    stopped = 1;
}

/* The token of the last run; "" when there is none. */
static void load_token(const char *path, char token[BINLOGTAIL_TOKEN_MAX])
{
    FILE *f = fopen(path, "r");
    token[0] = '\0';
    if (f == NULL)
        return;
    if (fgets(token, BINLOGTAIL_TOKEN_MAX, f) != NULL)
        token[strcspn(token, "\n")] = '\0';
    (void)fclose(f);
}

static int save_token(const struct binlogtail *bt, const char *path)
{
    char token[BINLOGTAIL_TOKEN_MAX];
    char tmp[4096];
    if (binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token) != 0)
        return 0; /* nothing has come yet */
    (void)snprintf(tmp, sizeof tmp, "%s.new", path);
    (void)unlink(tmp);
    /* For us only, and not where a link points that somebody left here. */
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL || fprintf(f, "%s\n", token) < 0 || fclose(f) != 0 || rename(tmp, path) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

struct transaction {
    unsigned long events;
    unsigned long bytes;
};

static void take(struct transaction *t, const struct binlogtail_event *ev)
{
    if (ev->marks & (BINLOGTAIL_TXN_BEGIN | BINLOGTAIL_TXN_CUT))
        *t = (struct transaction){0};
    if (ev->kind != BINLOGTAIL_EVENT || !(ev->marks & BINLOGTAIL_TXN_PART))
        return;
    t->events++;
    t->bytes += ev->length;
    if (ev->marks & BINLOGTAIL_TXN_END)
        (void)printf("%s %lu events %lu bytes\n", ev->gtid[0] != '\0' ? ev->gtid : "anonymous", t->events, t->bytes);
}

static int follow(struct binlogtail *bt)
{
    struct transaction t = {0};
    while (!stopped) {
        const struct binlogtail_event *ev;
        int rc = binlogtail_wait_event(bt, -1, &ev);
        if (rc == BINLOGTAIL_ESTATE) /* the end that was asked for */
            return 0;
        if (rc < 0) {
            const struct binlogtail_error *e = binlogtail_last_error(bt);
            (void)fprintf(stderr, "follow: %s\n%s\n", e->message, e->cure);
            return 1;
        }
        if (rc == 0) /* a signal */
            continue;
        if (ev->kind == BINLOGTAIL_DISCONNECTED)
            (void)fprintf(stderr, "follow: %s, trying again\n", ev->error->message);
        take(&t, ev);
    }
    return 0;
}

int main(int argc, char **argv)
{
    char token[BINLOGTAIL_TOKEN_MAX];
    struct binlogtail_options opt = BINLOGTAIL_OPTIONS_INIT;
    struct binlogtail_error error;
    struct sigaction action = {.sa_handler = on_signal};
    if (argc < 4) {
        (void)fprintf(stderr, "usage: follow HOST PORT TOKEN-FILE [--until-end]\n");
        return 2;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    load_token(argv[3], token);
    opt.host = argv[1];
    opt.port = (uint16_t)strtoul(argv[2], NULL, 10);
    opt.start = token[0] != '\0' ? BINLOGTAIL_START_POSITION : BINLOGTAIL_START_EARLIEST;
    opt.position = token;
    opt.until_end = argc > 4 && strcmp(argv[4], "--until-end") == 0;
    struct binlogtail *bt = binlogtail_open(&opt, &error);
    if (bt == NULL) {
        (void)fprintf(stderr, "follow: %s\n", error.message);
        return 1;
    }
    int status = follow(bt);
    if (fflush(stdout) != 0 || save_token(bt, argv[3]) != 0)
        status = 1;
    binlogtail_close(bt);
    return status;
}
