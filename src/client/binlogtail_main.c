/*
 * binlogtail: the library's events to stdout or into files, until the end, a signal, or an error for good.
 *
 * - Before it waits, everything is written; what is written is committed (--name) and noted (--resume-file) at transaction boundaries, at most
 *   once a second and at the end.
 * - SIGINT and SIGTERM end it in order; the resume token goes to stderr. A reader of stdout that went away ends it quietly.
 * Failure: one sentence, the cure on the next line, an exit code (binlogtail_opts.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/binlogtail_opts.h"
#include "client/binlogtail_run.h"

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    stopped = 1;
}

static bool is_stopped(void)
{
    return stopped != 0;
}

/* Signals come only while ppoll waits, or between events: never between the question and the wait. */
static void catch_signals(sigset_t *ret_wait_mask)
{
    struct sigaction stop = {.sa_handler = on_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t block;
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGINT);
    (void)sigaddset(&block, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &block, ret_wait_mask);
    (void)sigdelset(ret_wait_mask, SIGINT);
    (void)sigdelset(ret_wait_mask, SIGTERM);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* Wait for the library, or look (timeout 0) whether a signal or the end of the reader came. False when it is time to end. */
static bool wait_for(struct run *r, const sigset_t *mask, const struct timespec *timeout)
{
    struct pollfd p[2] = {{.fd = binlogtail_fd(r->bt), .events = POLLIN}, {.fd = STDOUT_FILENO}};
    int n = ppoll(p, r->opts->format == FORMAT_RAW ? 1 : 2, timeout, mask);
    if (stopped) {
        if (r->talkative)
            (void)fputc('\n', stderr); /* behind the terminal's ^C */
        return false;
    }
    r->reader_left = n > 0 && (p[1].revents & (POLLERR | POLLNVAL));
    return !r->reader_left;
}

static int follow(struct run *r, const sigset_t *mask)
{
    static const struct timespec now = {0};
    const struct binlogtail_event *ev;
    unsigned since = 0;
    int code = -1;
    while (code < 0) {
        int rc = binlogtail_next(r->bt, &ev);
        if (rc == 1)
            code = run_event(r, ev);
        else if (rc < 0)
            code = run_error(r, rc);
        if (code >= 0 || (rc == 1 && ++since < RUN_LOOK_EVERY))
            continue;
        since = 0;
        code = run_housekeeping(r, rc == 0);
        if (code < 0 && !wait_for(r, mask, rc == 0 ? run_wait(r) : &now))
            code = EXIT_END;
        if (code < 0)
            lt_ignore(binlogtail_process(r->bt) < 0); /* binlogtail_next says it */
    }
    return code;
}

int main(int argc, char **argv)
{
    struct opts opts;
    struct run run;
    sigset_t mask;
    int code = opts_parse(argc, argv, &opts);
    if (code < 0) {
        catch_signals(&mask);
        code = run_open(&run, &opts, is_stopped, &mask);
        if (code < 0)
            code = follow(&run, &mask);
        code = run_close(&run, code);
    }
    opts_fini(&opts);
    if (code == EXIT_END && fflush(stdout) != 0 && errno != EPIPE)
        code = EXIT_LOCAL;
    return code;
}
