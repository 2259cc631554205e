/*
 * The admin socket from the other side: one line out, one JSON object back, within a time.
 *
 * Layer: ctl. Thread: main. Owns: the connection, from the first ask to client_close; it is kept open between asks.
 * Errors: LT_ECLOSED: nobody there, or no permission (the text says which, and what to do); LT_ETIMEOUT: there, and silent;
 *   LT_EPROTO: an answer that is no JSON object; LT_EINVAL: a path or a line that cannot be. After a failure the connection is closed;
 *   the next ask opens another. An answer {"error": ...} is an answer, no error.
 */
#ifndef LT_CTL_CLIENT_H
#define LT_CTL_CLIENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

struct client {
    const char *path; /* borrowed */
    int fd;           /* -1: not connected */
    bool went_out;    /* the last line, whole; else nobody can have read it whole */
    /* For who blocks signals: they are taken while an ask waits, which ends it as if the time were over once *cancel is not 0. */
    const sigset_t *asleep;
    const volatile sig_atomic_t *cancel;
};

void client_init(struct client *client, const char *path);
void client_close(struct client *client);
/* line without its end. *ret_text (may be NULL): the line as it came, which the caller frees. */
int client_ask(struct client *client, const char *line, uint64_t timeout_us, json_t **ret_answer, char **ret_text,
               struct lt_err *err) LT_MUST_CHECK;

/* The words as one line: quoted where they must be. LT_EINVAL: a word holds a line end. The caller frees. */
int client_join_words(const char *const *words, size_t n, char **ret_line, struct lt_err *err) LT_MUST_CHECK;

#endif
