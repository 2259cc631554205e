/*
 * Follows a binlog inside a libevent loop, as a program does that has other work in the same thread: here a timer that prints a line a second.
 *
 *     in_libevent HOST PORT [--until-end]
 *
 * Two calls are all there is to it: binlogtail_process when the descriptor is readable, then binlogtail_next until it has nothing more. The descriptor
 * stays the same over reconnects and becomes readable for time-outs too, so one persistent event is enough.
 *
 * Build: cc in_libevent.c $(pkg-config --cflags --libs libbinlogtail libevent_core)
 */
#include <binlogtail/binlogtail.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct app {
    struct event_base *base;
    struct binlogtail *bt;
    unsigned long transactions;
    unsigned long events;
    unsigned long bytes;
    int status;
};

static void finish(struct app *app, int rc)
{
    const struct binlogtail_error *e = binlogtail_last_error(app->bt);
    if (rc != BINLOGTAIL_ESTATE) { /* which is the end that was asked for */
        (void)fprintf(stderr, "in_libevent: %s\n%s\n", e->message, e->cure);
        app->status = 1;
    }
    (void)event_base_loopbreak(app->base);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;
    const struct binlogtail_event *ev;
    (void)fd;
    (void)what;
    int rc = binlogtail_process(app->bt);
    while (rc == 0 && (rc = binlogtail_next(app->bt, &ev)) == 1) {
        rc = 0;
        if (ev->kind != BINLOGTAIL_EVENT)
            continue;
        app->events++;
        app->bytes += ev->length;
        if (ev->marks & BINLOGTAIL_TXN_END)
            app->transactions++;
    }
    if (rc < 0)
        finish(app, rc);
}

static void print_counts(const struct app *app)
{
    char token[BINLOGTAIL_TOKEN_MAX];
    if (binlogtail_token(app->bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token) != 0)
        (void)snprintf(token, sizeof token, "nowhere yet");
    (void)printf("%lu transactions %lu events %lu bytes at %s\n", app->transactions, app->events, app->bytes, token);
    (void)fflush(stdout);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    print_counts(arg);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    struct app *app = arg;
    (void)sig;
    (void)what;
    (void)event_base_loopbreak(app->base);
}

static int run(struct app *app)
{
    const struct timeval second = {.tv_sec = 1};
    struct event *readable = event_new(app->base, binlogtail_fd(app->bt), EV_READ | EV_PERSIST, on_readable, app);
    struct event *timer = event_new(app->base, -1, EV_PERSIST, on_second, app);
    struct event *interrupt = evsignal_new(app->base, SIGINT, on_signal, app);
    int status = 1;
    if (readable != NULL && timer != NULL && interrupt != NULL && event_add(readable, NULL) == 0 &&
        event_add(timer, &second) == 0 && event_add(interrupt, NULL) == 0)
        status = event_base_dispatch(app->base) < 0;
    if (readable != NULL)
        event_free(readable);
    if (timer != NULL)
        event_free(timer);
    if (interrupt != NULL)
        event_free(interrupt);
    return status;
}

int main(int argc, char **argv)
{
    struct app app = {0};
    struct binlogtail_options opt = BINLOGTAIL_OPTIONS_INIT;
    struct binlogtail_error error;
    if (argc < 3) {
        (void)fprintf(stderr, "usage: in_libevent HOST PORT [--until-end]\n");
        return 2;
    }
    opt.host = argv[1];
    opt.port = (uint16_t)strtoul(argv[2], NULL, 10);
    opt.start = BINLOGTAIL_START_EARLIEST;
    opt.until_end = argc > 3 && strcmp(argv[3], "--until-end") == 0;
    app.base = event_base_new();
    app.bt = binlogtail_open(&opt, &error);
    if (app.base == NULL || app.bt == NULL) {
        (void)fprintf(stderr, "in_libevent: %s\n", app.base == NULL ? "no event loop" : error.message);
        return 1;
    }
    if (run(&app) != 0)
        app.status = 1;
    print_counts(&app);
    binlogtail_close(app.bt);
    event_base_free(app.base);
    return app.status;
}
