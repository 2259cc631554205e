/*
 * A logtailerd for a test: configuration, start and stop, its admin socket, its log.
 * It does not start a primary (server.h).
 *
 * Layer: tests/support. Thread: one at a time per daemon.
 * Owns: the process and a folder with the configuration, the log and (when not given) the store. All of it goes with daemon_free, and
 *   also when the test dies (proc.h).
 * Errors: a daemon that cannot be started ends the test; one that exits by itself is a result (daemon_exited).
 * Environment: LT_DAEMON is the program; meson sets it.
 */
#ifndef LT_SUPPORT_DAEMON_H
#define LT_SUPPORT_DAEMON_H

#include "server.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct daemon_options {
    const struct server *server; /* host, port and, with our certificates, ssl_ca */
    uint16_t port;               /* not 0: this instead of the server's port (a proxy) */
    const char *dir;             /* the store; NULL: <folder>/store */
    const char *user;            /* NULL: repl */
    const char *password;        /* NULL: secret; goes to a file of mode 0600 */
    /* "section.key=value" lines, ended by NULL; they replace the defaults above and those of daemon.c. */
    char *const *settings;
    /* A program and its arguments to run the daemon under, ended by NULL (strace). Signals go to the whole group. */
    char *const *wrapper;
};

struct daemon {
    pid_t pid; /* 0 while stopped */
    char *folder;
    char *config;
    char *log;
    char *dir;          /* the store */
    char *socket;       /* the admin socket */
    uint16_t tail_port; /* where consumers connect, unless settings say otherwise; stays over a restart */
    struct proc_args wrapper;
    int status; /* raw wait status of the last end */
};

/* Writes the configuration, starts. Does not wait for anything. */
struct daemon *daemon_start(const struct daemon_options *opt);
/* Write the configuration anew, for a reload or the next start; opt as for daemon_start, dir and wrapper are not looked at. */
void daemon_configure(struct daemon *dm, const struct daemon_options *opt);
/* Start again with the same configuration and store. */
void daemon_restart(struct daemon *dm);
/* SIGTERM and wait; returns the exit status, 128 + signal when it was killed, -1 when it does not end within 30 s (then it is
 * killed). */
int daemon_stop(struct daemon *dm);
/* SIGKILL and wait. */
void daemon_kill(struct daemon *dm);
void daemon_signal(struct daemon *dm, int sig);
/* True when the process has ended by itself within the time; its exit status as daemon_stop returns it. */
bool daemon_exited(struct daemon *dm, unsigned timeout_ms, int *ret_status);
/* Kills it when it runs; removes the folder. NULL is fine. */
void daemon_free(struct daemon *dm);

/* Run the program to its end with these arguments (ended by NULL), output into a text that the caller frees. */
int daemon_run(char *const *args, char **ret_output);

/* Send one command over the admin socket; NULL when there is no answer within 5 s. The caller calls json_decref. */
json_t *daemon_command(const struct daemon *dm, const char *command);
/* The same for commands that take longer. */
json_t *daemon_command_within(const struct daemon *dm, const char *command, unsigned timeout_ms);
/* status's "state" is this one within the time. */
bool daemon_wait_state(struct daemon *dm, const char *state, unsigned timeout_ms);
/* status's last_error.code is this one within the time. */
bool daemon_wait_error(struct daemon *dm, const char *code, unsigned timeout_ms);
/* The answer to `position`. False when there is none. file holds at least file_size bytes. */
bool daemon_position(const struct daemon *dm, char *file, size_t file_size, uint64_t *ret_offset);
/* The watermark is at or behind this place within the time (files compared by their number). */
bool daemon_wait_position(const struct daemon *dm, const char *file, uint64_t offset, unsigned timeout_ms);
/* As above, with the primary's own current end. Call it while no commit waits. */
bool daemon_wait_caught_up(const struct daemon *dm, struct sql *root, unsigned timeout_ms);

/* Resident memory now and the most there was, in KiB; 0 when it does not run. */
uint64_t daemon_rss_kib(const struct daemon *dm);
uint64_t daemon_peak_rss_kib(const struct daemon *dm);
bool daemon_log_contains(const struct daemon *dm, const char *text);
/* Print the last lines of the log to stderr, for a failed check. */
void daemon_show_log(const struct daemon *dm);

#endif
