/*
 * The admin Unix socket: a line in, one JSON object on a line out, the connection stays open.
 * Does not know any command but help, order and outcome (admin_order.h); the table gives the others. Whom mode and group admit is asked twice: by the kernel at the file, and here
 * from the peer's credentials (admin_peer.h).
 *
 * Layer: ops/admin. Thread: the one that runs the event base, all calls.
 * Owns: the socket file (removed by admin_close if it is still ours) and the connections. Borrows: base, the table and arg, until admin_close.
 * Errors: admin_open: LT_EBUSY when another process answers on the path, LT_EINVAL for a path, mode or group that cannot be, else LT_ESYS.
 *   Nothing a client does is an error of the daemon; a client that does not read is closed.
 * Re-entrancy: run may not call admin_close.
 * Limits: lines of ADMIN_LINE_MAX, ADMIN_WORDS_MAX words, ADMIN_CONNECTIONS_MAX connections (fewer where few files may be open; the idlest is closed for the
 *   next; it is refused only while all wait for answers), ADMIN_OUTPUT_MAX bytes of
 *   answers that wait for one client (an answer that is larger by itself still goes out), ADMIN_WRITE_DEADLINE_US without a byte taken.
 */
#ifndef LT_OPS_ADMIN_H
#define LT_OPS_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

#define ADMIN_LINE_MAX          (2 << 20) /* a GTID set of 100,000 wide intervals */
#define ADMIN_CONNECTIONS_MAX   64
#define ADMIN_OUTPUT_MAX        (1U << 20)
#define ADMIN_WRITE_DEADLINE_US 5000000U

struct admin;
struct event_base;

/*
 * argv[0] is the command's name; argv[argc] is NULL. LT_OK: *ret_answer is an object, or NULL for {"ok":true}. Else code and err->text become
 * the error, LT_EINVAL as bad_arguments; an object in *ret_answer goes with it as "details". The reference goes to the caller either way.
 * Runs on the event loop: it must not block. What takes longer answers later (admin_reply_later).
 */
typedef int (*admin_run_fn)(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err);

/* For a command without arguments: LT_EINVAL when there are some. */
int admin_no_arguments(int argc, char **argv, struct lt_err *err) LT_MUST_CHECK;

struct admin_command {
    const char *name;
    const char *help; /* arguments and one sentence */
    admin_run_fn run;
};

/*
 * group: name or number; NULL: the process's own. arg goes to every run. A socket file that a crash left is replaced: the caller holds the
 * store's lock, so nobody else is starting. A place that cannot be had now is tried for again every second; LT_EINVAL where only another
 * setting helps.
 */
int admin_open(struct event_base *base, const char *path, unsigned mode, const char *group,
               const struct admin_command *table, size_t n, void *arg, struct admin **ret_admin,
               struct lt_err *err) LT_MUST_CHECK;
/* Open connections get what can be sent at once. NULL is fine. */
void admin_close(struct admin *admin);

/*
 * An answer that comes later, from the loop's thread. Called inside run, which then returns LT_OK without an answer. Until it is sent the
 * connection runs no further line, so that answers keep their order; others go on. NULL: out of memory. Each reply is ended by one of
 * the two below, also when the client or the whole admin socket is gone by then.
 */
struct admin_reply;
struct admin_reply *admin_reply_later(struct admin *admin);
/* Both take the references. answer NULL: {"ok":true}. code: as clients see it; details: an object or NULL. */
void admin_reply_send(struct admin_reply *reply, json_t *answer);
void admin_reply_error(struct admin_reply *reply, const char *code, const char *message, json_t *details);

/* Somebody still waits for it. One who has only half-closed does (printf | socat). */
bool admin_reply_is_wanted(const struct admin_reply *reply);
/* An order that came with an id may still be begun. Asked once more by what waits before it takes force; the error not_begun is the answer else. */
bool admin_reply_in_time(const struct admin_reply *reply);

size_t admin_connections(const struct admin *admin);
/* Why nobody can connect; "" when they can. */
const char *admin_trouble(const struct admin *admin);
/* Test hook: for what is sent from now on. */
void admin_set_write_deadline(struct admin *admin, uint64_t us);
/* The error code that clients see for an LT_E* code. */
const char *admin_error_code(int code);

#endif
