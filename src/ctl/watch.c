/*
 * Happy path: ask status and latency on one connection, remember the figures, draw, sleep until the next interval or a signal.
 * - The picture is made in memory and written at once, cut to the screen, so that it neither flickers nor scrolls.
 * - Signals are only taken while it sleeps (ppoll): nothing is half drawn. A new size of the terminal draws anew at once.
 */
#include "ctl/watch.h"

#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jpath.h"
#include "ctl/client.h"
#include "ctl/format.h"
#include "ctl/graph.h"
#include "ctl/history.h"
#include "ctl/show.h"
#include "ctl/table.h"

#define SCREEN_ON  "\033[?1049h\033[?25l"
#define SCREEN_OFF "\033[?25h\033[?1049l"

static volatile sig_atomic_t ended;
static volatile sig_atomic_t resized;

struct screen {
    bool terminal;
    bool utf8;
    size_t rows;
    size_t columns;
};

struct view {
    const struct watch_options *opt;
    struct client client;
    struct history history;
    struct screen screen;
    json_t *status;
    struct lt_err err; /* code 0: the last answer came */
};

static void on_signal(int sig)
{
    if (sig == SIGWINCH)
        resized = 1;
    else
        ended = 1;
}

static void catch_signals(sigset_t *ret_asleep)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t block;
    (void)sigemptyset(&block);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaddset(&block, signals[i]);
        (void)sigaction(signals[i], &action, NULL);
    }
    (void)pthread_sigmask(SIG_BLOCK, &block, ret_asleep);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigdelset(ret_asleep, signals[i]);
}

static void measure_screen(struct screen *s)
{
    struct winsize size = {0};
    const char *term = secure_getenv("TERM");
    s->terminal = isatty(STDOUT_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
    s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0; // NOLINT(concurrency-mt-unsafe): one thread
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    s->rows = size.ws_row >= 4 ? size.ws_row : 24;
    s->columns = size.ws_col >= 20 ? size.ws_col : 80;
}

static bool is_error(const json_t *answer)
{
    return json_is_object(json_object_get(answer, "error"));
}

static void ask(struct view *v)
{
    json_t *latency = NULL;
    struct lt_err err = {0};
    json_decref(v->status);
    v->status = NULL;
    v->err = (struct lt_err){0};
    int rc = client_ask(&v->client, "status", v->opt->timeout_us, &v->status, NULL, &v->err);
    if (rc == LT_OK && is_error(v->status))
        (void)lt_err_set(&v->err, LT_EPROTO, "%s", jpath_text(v->status, "error.message", "refused"));
    /* Not known to an older daemon: no graph of latencies then. */
    if (rc == LT_OK && client_ask(&v->client, "latency", v->opt->timeout_us, &latency, NULL, &err) != LT_OK)
        latency = NULL;
    history_add(&v->history, v->status, latency, clock_mono_us());
    json_decref(latency);
}

static void time_text(char *buf, size_t cap)
{
    struct tm tm;
    time_t now = (time_t)(clock_wall_us() / 1000000);
    buf[0] = '\0';
    if (gmtime_r(&now, &tm) != NULL && strftime(buf, cap, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        buf[0] = '\0';
}

static const char *or_unknown(double value, const char *(*format)(double, char *), char *buf)
{
    return isnan(value) ? "unknown" : format(value, buf);
}

static const char *format_rate(double rate, char *buf)
{
    (void)snprintf(buf, FORMAT_SMALL, "%.0f/s", rate);
    return buf;
}

/* Without a terminal. */
static void print_line(const struct view *v)
{
    char when[32];
    char buf[4][FORMAT_SMALL];
    const struct history *h = &v->history;
    double seconds = (double)NAN;
    time_text(when, sizeof when);
    if (v->err.code != 0) {
        char *why = format_clean(v->err.text);
        (void)printf("%s unreachable %s\n", when, why != NULL ? why : "");
        free(why);
        return;
    }
    lt_ignore(jpath_number(v->status, "lag.source_seconds", &seconds));
    char *state = format_clean(jpath_text(v->status, "state", "unknown"));
    (void)printf("%s %s, source lag %s, %s, acks %s, ack p99 %s\n", when, state != NULL ? state : "",
                 or_unknown(h->lag_bytes[h->n - 1], format_bytes, buf[0]), or_unknown(seconds, format_seconds, buf[1]),
                 or_unknown(h->acks_per_second[h->n - 1], format_rate, buf[2]),
                 or_unknown(h->ack_p99_us[h->n - 1], format_us, buf[3]));
    free(state);
}

/* height 0: title, graph and figures in one line. */
static void draw_graph(const struct view *v, FILE *out, const char *title, const double *values,
                       const char *(*format)(double, char *), size_t height)
{
    char buf[2][FORMAT_SMALL];
    size_t n = v->history.n;
    size_t columns = v->screen.columns < HISTORY_SAMPLES ? v->screen.columns : HISTORY_SAMPLES;
    struct graph_style style = {.utf8 = v->screen.utf8, .width = columns - 2, .height = height, .line_end = "\n"};
    if (height == 0) {
        style.width = columns > 60 ? columns - 50 : 10;
        style.height = 1;
        style.line_end = "";
        (void)fprintf(out, "%-14s ", title);
        graph_print(out, &style, values, n);
    } else {
        (void)fprintf(out, "%s", title);
    }
    (void)fprintf(out, " now %s, most %s\n", or_unknown(values[n - 1], format, buf[0]),
                  format(graph_top(&style, values, n), buf[1]));
    if (height > 0)
        graph_print(out, &style, values, n);
}

static void compose_graphs(const struct view *v, FILE *out, size_t height)
{
    draw_graph(v, out, "source lag", v->history.lag_bytes, format_bytes, height);
    draw_graph(v, out, "acks", v->history.acks_per_second, format_rate, height);
    draw_graph(v, out, "ack p99", v->history.ack_p99_us, format_us, height);
}

static void compose_text(const struct view *v, FILE *out)
{
    if (v->err.code != 0) {
        show_line(out, "UNREACHABLE", v->err.text);
    } else if (v->opt->whole_status) {
        show_status(out, v->status);
    } else {
        show_line(out, "state", jpath_text(v->status, "state", "unknown"));
        show_lag(out, v->status);
    }
}

static FILE *open_text(char **text, size_t *len)
{
    FILE *out = open_memstream(text, len);
    if (out == NULL)
        ctl_out_of_memory();
    return out;
}

static void close_text(FILE *out)
{
    if (fclose(out) != 0)
        ctl_out_of_memory();
}

/* The graphs stand on top and take what the text below leaves free. The caller frees. */
static char *compose(const struct view *v)
{
    char when[32];
    char *text = NULL;
    char *all = NULL;
    size_t len = 0;
    size_t used = 1;
    FILE *out = open_text(&text, &len);
    compose_text(v, out);
    close_text(out);
    for (size_t i = 0; i < len; i++)
        used += text[i] == '\n';
    size_t height = v->screen.rows >= used + 6 ? (v->screen.rows - used) / 3 - 1 : 0;
    time_text(when, sizeof when);
    out = open_text(&all, &len);
    (void)fprintf(out, "logtailerctl %s   every %.1f s, Ctrl-C ends\n", when, (double)v->opt->interval_us / 1e6);
    compose_graphs(v, out, height < 8 ? height : 8);
    (void)fputs(text, out);
    close_text(out);
    free(text);
    return all;
}

/* Bytes of text that fill at most columns. */
static size_t fit(const char *text, size_t len, size_t columns)
{
    size_t i = 0;
    while (i < len) {
        if (((unsigned char)text[i] & 0xc0) != 0x80 && columns-- == 0)
            break;
        i++;
    }
    return i;
}

/* Each line cut to the screen's width and cleared behind; as many as there are rows. */
static void paint(const struct screen *s, const char *text)
{
    (void)fputs("\033[H", stdout);
    for (size_t row = 0; row < s->rows && *text != '\0'; row++) {
        size_t len = strcspn(text, "\n");
        (void)fputs(row > 0 ? "\r\n" : "", stdout);
        (void)fwrite(text, 1, fit(text, len, s->columns), stdout);
        (void)fputs("\033[K", stdout);
        text += len + (text[len] == '\n');
    }
    (void)fputs("\033[J", stdout);
}

static void draw(const struct view *v)
{
    if (!v->screen.terminal) {
        print_line(v);
        return;
    }
    char *text = compose(v);
    paint(&v->screen, text);
    free(text);
}

/* Until the time has come, the end was asked for or the output is gone; draws when the size of the screen changes. */
static void rest(struct view *v, uint64_t until_us, const sigset_t *asleep)
{
    uint64_t now = 0;
    while (ended == 0 && (now = clock_mono_us()) < until_us) {
        struct timespec t = {.tv_sec = (time_t)((until_us - now) / 1000000),
                             .tv_nsec = (long)((until_us - now) % 1000000 * 1000)};
        struct pollfd p = {.fd = STDOUT_FILENO}; /* POLLERR and POLLHUP: nobody reads any more */
        if (ppoll(&p, 1, &t, asleep) > 0) {
            ended = 1;
            return;
        }
        if (resized != 0) {
            resized = 0;
            measure_screen(&v->screen);
            draw(v);
            (void)fflush(stdout);
        }
    }
}

int watch_run(const struct watch_options *opt)
{
    sigset_t asleep;
    struct view *v = calloc(1, sizeof *v);
    if (v == NULL)
        ctl_out_of_memory();
    v->opt = opt;
    client_init(&v->client, opt->socket);
    measure_screen(&v->screen);
    catch_signals(&asleep);
    v->client.asleep = &asleep;
    v->client.cancel = &ended;
    if (v->screen.terminal)
        (void)fputs(SCREEN_ON, stdout);
    while (ended == 0) {
        uint64_t next_us = clock_mono_us() + opt->interval_us;
        ask(v);
        draw(v);
        if (fflush(stdout) != 0 && errno != EINTR)
            break;
        rest(v, next_us, &asleep);
    }
    if (v->screen.terminal) {
        (void)fputs(SCREEN_OFF, stdout);
        (void)fflush(stdout);
    }
    json_decref(v->status);
    client_close(&v->client);
    free(v);
    return 0;
}
