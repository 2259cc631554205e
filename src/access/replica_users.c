/*
 * - A line is split at its first two colons; a verifier may hold any byte but a line's end, colons too.
 * - The table is in the order of the file, and small: a login looks through it once.
 * Failure: one bad line refuses the whole file, with its number, never its text.
 */
#include "access/replica_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "access/users.h"
#include "base/file_text.h"

#define FILE_MAX (4u << 20)

_Static_assert(REPLICA_USER_NAME_MAX == USERS_NAME_MAX, "one length of names");

struct replica_users {
    struct replica_user *list;
    size_t count;
    size_t cap;
};

static struct replica_user *find_or_add(struct replica_users *us, const char *name)
{
    for (size_t i = 0; i < us->count; i++) {
        if (strcmp(us->list[i].name, name) == 0)
            return &us->list[i];
    }
    if (us->count == us->cap) {
        size_t cap = us->cap > 0 ? us->cap * 2 : 16;
        struct replica_user *grown = reallocarray(us->list, cap, sizeof *grown);
        if (grown == NULL)
            return NULL;
        us->list = grown;
        us->cap = cap;
    }
    struct replica_user *u = &us->list[us->count++];
    *u = (struct replica_user){0};
    memcpy(u->name, name, strlen(name) + 1);
    return u;
}

static bool has_kind(const struct replica_user *u, enum verifier_kind kind)
{
    for (size_t i = 0; i < u->count; i++) {
        if (u->verifiers[i].kind == kind)
            return true;
    }
    return false;
}

static int add_line(struct replica_users *us, const char *file, unsigned number, char *line, struct lt_err *err)
{
    struct verifier v;
    char *role = strchr(line, ':');
    char *text = role != NULL ? strchr(role + 1, ':') : NULL;
    if (role != NULL && strncmp(role + 1, "sha256$", 7) == 0)
        return 0; /* a consumer's */
    if (text == NULL)
        return lt_err_set(err, LT_EINVAL, "%s:%u: not NAME:replica:VERIFIER", file, number);
    *role++ = '\0';
    *text++ = '\0';
    if (!users_name_ok(line))
        return lt_err_set(err, LT_EINVAL, "%s:%u: a name is 1 to %u letters, digits, '_' and '-'", file, number,
                          REPLICA_USER_NAME_MAX);
    if (strcmp(role, "replica") != 0)
        return lt_err_set(err, LT_EINVAL, "%s:%u: the role is not 'replica'", file, number);
    if (verifier_parse(text, &v) != 0)
        return lt_err_set(err, LT_EINVAL,
                          "%s:%u: not a verifier of mysql_native_password, caching_sha2_password or client_ed25519",
                          file, number);
    struct replica_user *u = find_or_add(us, line);
    if (u == NULL)
        return lt_err_set(err, LT_ENOMEM, "users");
    if (has_kind(u, v.kind))
        return lt_err_set(err, LT_EINVAL, "%s:%u: user %s has two verifiers of one kind", file, number, u->name);
    u->verifiers[u->count++] = v;
    return 0;
}

static int parse_lines(struct replica_users *us, const char *file, char *text, struct lt_err *err)
{
    unsigned number = 0;
    int rc = 0;
    for (char *line = text; rc == 0 && line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        size_t len = strlen(line);
        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        if (line[0] != '\0' && line[0] != '#')
            rc = add_line(us, file, number, line, err);
        line = next;
    }
    return rc;
}

int replica_users_parse(const char *name, char *text, struct replica_users **ret, struct lt_err *err)
{
    struct replica_users *us = calloc(1, sizeof *us);
    int rc = us == NULL ? lt_err_set(err, LT_ENOMEM, "users") : parse_lines(us, name, text, err);
    if (rc != 0)
        replica_users_free(us);
    else
        *ret = us;
    return rc;
}

int replica_users_load(const char *path, struct replica_users **ret, struct lt_err *err)
{
    char *text = NULL;
    int rc = file_text_read(path, FILE_MAX, &text, err);
    if (rc == 0)
        rc = replica_users_parse(path, text, ret, err);
    free(text);
    return rc;
}

void replica_users_free(struct replica_users *us)
{
    if (us == NULL)
        return;
    free(us->list);
    free(us);
}

size_t replica_users_count(const struct replica_users *us)
{
    return us != NULL ? us->count : 0;
}

const struct replica_user *replica_users_find(const struct replica_users *us, const char *name, size_t *ret_index)
{
    for (size_t i = 0; us != NULL && i < us->count; i++) {
        if (strcmp(us->list[i].name, name) != 0)
            continue;
        if (ret_index != NULL)
            *ret_index = i;
        return &us->list[i];
    }
    return NULL;
}

int replica_users_make_line(const char *name, const char *password, char **ret, struct lt_err *err)
{
    static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint8_t salt[VERIFIER_SALT_LEN];
    char text[VERIFIER_SHA2_TEXT_MAX];
    if (!users_name_ok(name))
        return lt_err_set(err, LT_EINVAL, "a user's name has 1 to %d letters, digits, _ and -", USERS_NAME_MAX);
    if (password[0] == '\0' || strlen(password) > USERS_NEW_SECRET_MAX)
        return lt_err_set(err, LT_EINVAL, "a password has 1 to %d bytes", USERS_NEW_SECRET_MAX);
    if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
        return lt_err_sys(err, LT_ESYS, "a random salt");
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)letters[salt[i] % 64];
    if (verifier_sha2_text(password, salt, text) != 0)
        return lt_err_set(err, LT_ENOMEM, "SHA-256");
    if (asprintf(ret, "%s:replica:%s\n", name, text) < 0)
        return lt_err_set(err, LT_ENOMEM, "a line of users");
    return LT_OK;
}
