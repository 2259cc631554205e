#include "client/binlogtail_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/plain.h"
#include "base/private_file.h"
#include "client/begin_at.h"

#define NOTE_EVERY_US   1000000
#define CONFIRM_WAIT_MS 2000

static int local_error(struct run *r, const struct lt_err *err)
{
    progress_clear(&r->progress);
    plain_print(stderr, "binlogtail: %s\n", err->text);
    if (err->code == LT_EDIVERGED || err->code == LT_EGAP)
        (void)fputs("  what helps: look at both; to copy anew, use an empty folder\n", stderr);
    return err->code == LT_EDIVERGED || err->code == LT_EGAP ? EXIT_DIFFERENT : EXIT_LOCAL;
}

/* ---- opening ---- */

static int open_handle(struct run *r, const char *position)
{
    struct binlogtail_options lib = r->opts->lib;
    struct binlogtail_error e;
    if (position != NULL) {
        lib.start = BINLOGTAIL_START_POSITION;
        lib.position = position;
    }
    binlogtail_close(r->bt);
    r->bt = binlogtail_open(&lib, &e);
    if (r->bt != NULL)
        return -1;
    say_error(r->opts, &e);
    return say_exit_code(&e);
}

static int open_where_asked(struct run *r)
{
    char token[BINLOGTAIL_TOKEN_MAX];
    sigset_t before;
    if (r->opts->from.kind != WHERE_TIME)
        return open_handle(r, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &r->wait_mask, &before); /* it may take a while */
    int code = begin_at_time(r->opts, r->stop, token);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code >= 0 ? code : open_handle(r, token[0] != '\0' ? token : NULL);
}

int run_open(struct run *r, const struct opts *opts, bool (*stop)(void), const sigset_t *wait_mask)
{
    struct lt_err err;
    *r = (struct run){
        .opts = opts, .stop = stop, .wait_mask = *wait_mask, .raw = {.dir_fd = -1, .folder_fd = -1, .fd = -1}};
    r->talkative = isatty(STDERR_FILENO) == 1;
    /* A bar among lines that scroll by helps nobody. */
    r->progress.on = opts->progress && r->talkative && (opts->format == FORMAT_RAW || isatty(STDOUT_FILENO) != 1);
    printer_init(&r->printer, opts);
    if (span_init(&r->span, opts) != 0) {
        (void)lt_err_set(&err, LT_ENOMEM, "out of memory");
        return local_error(r, &err);
    }
    if (opts->format != FORMAT_RAW)
        return open_where_asked(r);
    if (raw_open(&r->raw, opts->out_dir, &err) != 0)
        return local_error(r, &err);
    if (r->raw.start[0] != '\0' && opts->from_given && !opts->quiet)
        plain_print(stderr, "binlogtail: %s has files already: going on at %s\n", opts->out_dir, r->raw.start);
    return r->raw.start[0] != '\0' ? open_handle(r, r->raw.start) : open_where_asked(r);
}

/* ---- events ---- */

static int flush_lines(struct run *r)
{
    sigset_t before;
    /* The only place that may wait for long: here a signal must get through. */
    (void)pthread_sigmask(SIG_SETMASK, &r->wait_mask, &before);
    int rc = printer_flush(&r->printer, r->stop);
    int error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return -1;
    errno = error;
    r->reader_left = error == EPIPE || error == EINTR;
    if (r->reader_left)
        return EXIT_END;
    struct lt_err err;
    (void)lt_err_sys(&err, LT_ESYS, "writing to stdout");
    return local_error(r, &err);
}

/* Files are copied from their beginning, wherever in them the subscription would begin. */
static int raw_begin_at(struct run *r, const struct binlogtail_position *pos)
{
    raw_file_start(pos, r->raw.start, sizeof r->raw.start);
    return open_handle(r, r->raw.start);
}

static int raw_take(struct run *r, const struct binlogtail_event *ev)
{
    struct lt_err err;
    bool begun = r->raw.start[0] != '\0' || r->raw.fd >= 0;
    if (ev->kind == BINLOGTAIL_CONNECTED && !begun && r->opts->lib.start == BINLOGTAIL_START_LATEST &&
        ev->server->durable.file[0] != '\0')
        return raw_begin_at(r, &ev->server->durable);
    int rc = raw_event(&r->raw, ev, &err);
    if (rc == LT_EGAP && !begun)
        return raw_begin_at(r, &ev->position);
    return rc == 0 ? -1 : local_error(r, &err);
}

/* The library handed it out, we do not: whoever goes on gets it. */
static int end_before(struct run *r, const struct binlogtail_event *ev)
{
    const struct binlogtail_position *pos = &ev->position;
    struct place p = {.lineage = pos->lineage, .offset = pos->offset};
    if (ev->kind == BINLOGTAIL_HEARTBEAT)
        return EXIT_END;
    (void)snprintf(p.file, sizeof p.file, "%s", pos->file);
    (void)snprintf(p.source_id, sizeof p.source_id, "%s", pos->source_id);
    if (place_format(&p, r->ended_at, sizeof r->ended_at) != 0)
        r->ended_at[0] = '\0';
    return EXIT_END;
}

static int where_we_are(const struct run *r, char *token)
{
    if (r->ended_at[0] == '\0')
        return binlogtail_token(r->bt, BINLOGTAIL_TOKEN_BOUNDARY, token, BINLOGTAIL_TOKEN_MAX);
    memcpy(token, r->ended_at, BINLOGTAIL_TOKEN_MAX);
    return 0;
}

int run_event(struct run *r, const struct binlogtail_event *ev)
{
    bool end = ev->kind == BINLOGTAIL_END;
    int code = -1;
    enum span_word word = span_before(&r->span, ev);
    if (word == SPAN_END)
        return end_before(r, ev);
    if (ev->kind != BINLOGTAIL_EVENT)
        say_mark(r, ev);
    progress_event(&r->progress, ev);
    if (r->opts->format == FORMAT_RAW)
        code = raw_take(r, ev);
    else if (word == SPAN_TAKE)
        printer_event(&r->printer, ev);
    end = span_after(&r->span, ev) || end;
    if (code < 0 && r->printer.out.len >= PRINTER_FLUSH_AT)
        code = flush_lines(r);
    return code < 0 && end ? EXIT_END : code;
}

/* ---- noting where we are ---- */

static int write_resume_file(const char *path, const char *token, struct lt_err *err)
{
    char line[BINLOGTAIL_TOKEN_MAX + 1];
    (void)snprintf(line, sizeof line, "%s\n", token);
    return private_file_replace(path, line, err);
}

static bool notes(const struct run *r)
{
    return r->opts->lib.name != NULL || r->opts->resume_file != NULL;
}

/* All output is written; make it durable and say so to the server and in the file. */
static int note(struct run *r)
{
    struct lt_err err;
    char token[BINLOGTAIL_TOKEN_MAX];
    r->noted_us = clock_mono_us();
    if (where_we_are(r, token) != 0 || strcmp(token, r->noted) == 0)
        return -1;
    if (r->opts->format == FORMAT_RAW && raw_sync(&r->raw, &err) != 0)
        return local_error(r, &err);
    if (r->opts->resume_file != NULL && write_resume_file(r->opts->resume_file, token, &err) != 0)
        return local_error(r, &err);
    if (r->opts->lib.name != NULL)
        lt_ignore(binlogtail_commit(r->bt, token) < 0); /* refused: binlogtail_next tells */
    (void)snprintf(r->noted, sizeof r->noted, "%s", token);
    return -1;
}

int run_housekeeping(struct run *r, bool idle)
{
    struct lt_err err;
    int code = -1;
    progress_tick(&r->progress);
    bool due = notes(r) && clock_mono_us() - r->noted_us >= NOTE_EVERY_US;
    if (!idle && !due)
        return -1;
    if (r->opts->format != FORMAT_RAW)
        code = flush_lines(r);
    else if (raw_flush(&r->raw, &err) != 0)
        code = local_error(r, &err);
    return code < 0 && due ? note(r) : code;
}

const struct timespec *run_wait(struct run *r)
{
    if (!notes(r) && !r->progress.drawn)
        return NULL;
    r->tick = (struct timespec){.tv_sec = 1};
    return &r->tick;
}

int run_error(struct run *r, int rc)
{
    const struct binlogtail_error *e = binlogtail_last_error(r->bt);
    progress_clear(&r->progress);
    if (rc == BINLOGTAIL_ESTATE)
        return EXIT_END;
    say_error(r->opts, e);
    return say_exit_code(e);
}

/* ---- the end ---- */

/* Until the server says that the commit is durable; what else comes is not ours to show any more. */
static void await_confirmation(struct run *r)
{
    const struct binlogtail_event *ev;
    uint64_t until = clock_mono_us() + CONFIRM_WAIT_MS * 1000;
    uint64_t now;
    if (r->opts->lib.name == NULL || r->noted[0] == '\0')
        return;
    while ((now = clock_mono_us()) < until) {
        int rc = binlogtail_wait_event(r->bt, (int)((until - now) / 1000) + 1, &ev);
        if (rc < 0 || (rc == 1 && (ev->kind == BINLOGTAIL_COMMITTED || ev->kind == BINLOGTAIL_DISCONNECTED)))
            return;
    }
}

static int write_last(struct run *r, int code)
{
    struct lt_err err;
    int last = -1;
    if (r->reader_left) /* what it got and what not is not known */
        return code;
    if (r->opts->format != FORMAT_RAW)
        last = flush_lines(r);
    else if (r->raw.fd >= 0 && raw_sync(&r->raw, &err) != 0)
        last = local_error(r, &err);
    if (last >= 0)
        return code == EXIT_END ? last : code;
    if (code == EXIT_END && notes(r)) {
        last = note(r);
        if (last < 0)
            await_confirmation(r);
    }
    return last >= 0 ? last : code;
}

int run_close(struct run *r, int code)
{
    char token[BINLOGTAIL_TOKEN_MAX];
    progress_clear(&r->progress);
    if (r->bt != NULL) {
        bool known = where_we_are(r, token) == 0;
        code = write_last(r, code);
        if (known && !r->reader_left && r->opts->format != FORMAT_RAW)
            plain_print(stderr, "binlogtail: to go on from here: --from %s\n", token);
    }
    binlogtail_close(r->bt);
    printer_fini(&r->printer);
    span_fini(&r->span);
    raw_close(&r->raw);
    return code;
}
