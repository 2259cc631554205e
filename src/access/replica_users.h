/*
 * Who may come with MySQL's own protocol: the lines of a users file that give somebody the role `replica`.
 *
 *     # comment
 *     NAME:replica:VERIFIER         a verifier as SHOW CREATE USER prints it (mysqlwire/verifier.h), to the end of the line
 *
 * One name may have a line for each kind of verifier. The lines of consumers (NAME:sha256$SALT$HEX, users.h) are let be: one file serves both.
 *
 * Layer: access. Thread: any after the load; a table never changes. Owns: its memory.
 * Errors: LT_EINVAL with file and line, never its text; LT_ESYS, LT_ETOOBIG, LT_ENOMEM.
 */
#ifndef LT_ACCESS_REPLICA_USERS_H
#define LT_ACCESS_REPLICA_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "mysqlwire/verifier.h"

#define REPLICA_USER_NAME_MAX 63

struct replica_user {
    char name[REPLICA_USER_NAME_MAX + 1];
    struct verifier verifiers[VERIFIER_KINDS]; /* in the order of their lines */
    size_t count;
};

struct replica_users;

int replica_users_load(const char *path, struct replica_users **ret, struct lt_err *err) LT_MUST_CHECK;
/* text is changed. */
int replica_users_parse(const char *name, char *text, struct replica_users **ret, struct lt_err *err) LT_MUST_CHECK;
/* The line of a new user, with its line end: caching_sha2_password's verifier, with salt of its own. *ret is the caller's to free. */
int replica_users_make_line(const char *name, const char *password, char **ret, struct lt_err *err) LT_MUST_CHECK;
void replica_users_free(struct replica_users *us); /* NULL is fine */
size_t replica_users_count(const struct replica_users *us);
/* us may be NULL. NULL: nobody of that name. *ret_index (may be NULL): below replica_users_count. */
const struct replica_user *replica_users_find(const struct replica_users *us, const char *name, size_t *ret_index);

#endif
