/*
 * Child processes, temporary folders and free ports of a test; what is left when the test dies is cleaned up by a guardian.
 * It does not know what it starts: server.h and daemon.h do.
 *
 * Layer: tests/support. Thread: any (start the first child or folder before other threads exist).
 * Owns: the guardian, a shell that holds the other end of a pipe. When the pipe closes, by exit or by SIGKILL of the test, it
 *   kills the process groups and removes the folders that are still registered.
 * Errors: what a test cannot go on without ends the process with a message (proc_die), the rest is returned.
 * Units: milliseconds.
 */
#ifndef LT_SUPPORT_PROC_H
#define LT_SUPPORT_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SUPPORT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* A growing argument vector, always ended by NULL. Zero-initialise. */
struct proc_args {
    char **v;
    size_t n;
};

void proc_args_add(struct proc_args *args, const char *fmt, ...) SUPPORT_PRINTF(2, 3);
void proc_args_fini(struct proc_args *args);

/* Print and end the process with status 1; the guardian cleans up. */
_Noreturn void proc_die(const char *fmt, ...) SUPPORT_PRINTF(1, 2);
/* As proc_die, with errno's meaning behind the text. */
_Noreturn void proc_die_errno(const char *fmt, ...) SUPPORT_PRINTF(1, 2);

/* asprintf that cannot fail. The caller frees. */
char *proc_fmt(const char *fmt, ...) SUPPORT_PRINTF(1, 2);

/* The whole file with a NUL after it; NULL when it cannot be read. The caller frees. */
char *proc_read_file(const char *path, size_t *ret_len);
/* The last bytes of a log, to stderr. */
void proc_show_log(const char *path);
/* Replace the file's content. */
void proc_write_file(const char *path, const char *text);

/* A new folder under $LT_TMP or /tmp that goes when the test ends. The caller frees the string. */
char *proc_tempdir(void);
/* Remove it now. */
void proc_remove_dir(const char *dir);

/* A loopback TCP port that nobody listens on, outside the range the kernel gives to clients, so that it stays free over a restart. */
uint16_t proc_free_port(void);

/* Start argv[0] (searched in PATH) in its own process group, output appended to log_path, stdin from /dev/null. */
pid_t proc_spawn(char *const argv[], const char *log_path);
/* Run to its end with stdout and stderr in out_path (NULL: /dev/null), stdin from in_path (NULL: /dev/null); returns the exit
 * status, 128 + signal when killed. */
int proc_run(char *const argv[], const char *in_path, const char *out_path);
/* Signal the whole process group. */
void proc_signal(pid_t pid, int sig);
/* Wait for the end; true when it ended within the time, with the raw wait status. timeout_ms 0 asks once. */
bool proc_wait(pid_t pid, unsigned timeout_ms, int *ret_status);

/* CLOCK_MONOTONIC. */
uint64_t proc_now_ms(void);
void proc_sleep_ms(unsigned ms);

#endif
