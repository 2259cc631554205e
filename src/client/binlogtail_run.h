/*
 * What binlogtail does with an event, at a pause and at the end.
 * Layer: client (program). Thread: main. Owns: the handle and what is open for output. Errors: exit codes (binlogtail_opts.h), -1 to go on.
 */
#ifndef LT_CLIENT_BINLOGTAIL_RUN_H
#define LT_CLIENT_BINLOGTAIL_RUN_H

#include <signal.h>
#include <time.h>

#include "client/binlogtail_opts.h"
#include "client/printer.h"
#include "client/progress.h"
#include "client/raw.h"
#include "client/span.h"

#define RUN_LOOK_EVERY 512 /* events between two looks at the clock, at signals and at the reader */

struct run {
    const struct opts *opts;
    bool (*stop)(void);
    sigset_t wait_mask;
    struct binlogtail *bt;
    struct printer printer;
    struct raw raw;
    struct span span;
    char ended_at[BINLOGTAIL_TOKEN_MAX]; /* --until: what the library handed out from here on was not written */
    struct progress progress;
    bool talkative; /* stderr is a terminal */
    bool was_lost;  /* a lost connection was told */
    char lost[512]; /* what was told of it, and when */
    uint64_t lost_us;
    bool reader_left; /* of stdout, or it took nothing until we were told to stop */
    uint64_t noted_us;
    char noted[BINLOGTAIL_TOKEN_MAX]; /* last token that was committed or written to the resume file */
    struct timespec tick;
};

/* stop: a signal said so; wait_mask: signals while something may take long. */
int run_open(struct run *r, const struct opts *opts, bool (*stop)(void), const sigset_t *wait_mask);
int run_event(struct run *r, const struct binlogtail_event *ev);
/* Write out; commit when it is time. idle: nothing more came. */
int run_housekeeping(struct run *r, bool idle);
/* How long to wait at most; NULL: for ever. */
const struct timespec *run_wait(struct run *r);
/* The library's final error, told. */
int run_error(struct run *r, int rc);
/* Write, commit, tell where to go on. Returns the exit code to end with. */
int run_close(struct run *r, int code);

/* ---- binlogtail_say.c: stderr ---- */
void say_error(const struct opts *opts, const struct binlogtail_error *e);
int say_exit_code(const struct binlogtail_error *e);
void say_mark(struct run *r, const struct binlogtail_event *ev);

#endif
