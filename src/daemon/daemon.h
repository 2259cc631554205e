/*
 * The running daemon: builds the parts in order, runs the event loop of the main thread, takes them down in order.
 * Layer: daemon. Thread: main.
 */
#ifndef LT_DAEMON_DAEMON_H
#define LT_DAEMON_DAEMON_H

#include "daemon/conf.h"
#include "daemon/exit_code.h"

struct daemon_options {
    const char *conf_path;
    const char *const *sets; /* --set, kept for reloads */
    size_t n_sets;
};

/* Hold back SIGTERM, SIGINT and SIGHUP: main does, first of all; daemon_run lets them come once its loop can take them. */
void daemon_hold_signals(bool hold);
/* Runs until a signal, `stop` or a fatal failure; returns the process's exit code. Replaces *conf on a reload. */
int daemon_run(struct conf *conf, const struct daemon_options *opt);

#endif
