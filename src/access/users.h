/*
 * The users file: who may consume, or ask over HTTP, and whether a token is theirs.
 *
 *     # comment
 *     USER:sha256$SALT$HEX          HEX = SHA-256 of SALT followed by SECRET, in hexadecimal
 *     NAME:replica:VERIFIER         not for us: replica_users.h
 *
 * A token is USER:SECRET. Secrets are made by machines, not by people (`openssl rand -hex 24`), so one round of a hash is enough: what
 * cannot be guessed needs no slow hash, and ten thousand consumers that come back at once need a fast one. `logtailerctl user` makes a line.
 *
 * Layer: access. Thread: any after users_load; a table never changes. Owns: its memory.
 * Errors: LT_EINVAL with file and line, LT_ESYS, LT_ENOMEM.
 */
#ifndef LT_ACCESS_USERS_H
#define LT_ACCESS_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define USERS_NAME_MAX       63
#define USERS_NEW_SECRET_MAX 512 /* of a line that is made here; every client sends as much */

struct users;

/* *ret_exposed: the file can be read by every local user; worth a warning. */
int users_load(const char *path, struct users **ret, bool *ret_exposed, struct lt_err *err) LT_MUST_CHECK;
int users_parse(const char *name, const char *text, size_t len, struct users **ret, struct lt_err *err) LT_MUST_CHECK;
/*
 * The line, with its line end, that lets USER:SECRET in; a salt of its own each time. The caller frees it. LT_EINVAL: a name that is none, or a secret
 * that a file's line, or a client, could not carry: empty, too long, with a control character.
 */
int users_make_line(const char *user, const char *secret, char **ret, struct lt_err *err) LT_MUST_CHECK;
void users_free(struct users *u); /* NULL is fine */
size_t users_count(const struct users *u);

/* Takes as long whether the user exists or not. ret_user: of USERS_NAME_MAX + 1 bytes; written when true. u may be NULL. */
bool users_check(const struct users *u, const char *token, char *ret_user);
/* What changes with the user's token: kept by who was let in by it, and compared when there is another table. False: no such user. */
#define USERS_MARK_LEN 32
bool users_mark(const struct users *u, const char *user, unsigned char ret_mark[USERS_MARK_LEN]);
/* A user may use the consumer names USER and USER.anything. */
bool users_may_use(const char *user, const char *consumer);
/* Whether some user of the table owns this consumer name. */
bool users_own(const struct users *u, const char *consumer);
/* [A-Za-z0-9_-], 1 to USERS_NAME_MAX characters. */
bool users_name_ok(const char *name);

#endif
