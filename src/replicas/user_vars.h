/*
 * What a client keeps in @variables: names in any case, texts or NULL. Bounded, so that nobody fills our memory with them.
 *
 * Layer: replicas. Thread: the owner's. Owns: its memory (user_vars_fini). Zero-initialised is empty.
 * Errors: LT_ETOOBIG past USER_VARS_MAX or USER_VARS_BYTES, LT_ENOMEM.
 */
#ifndef LT_REPLICAS_USER_VARS_H
#define LT_REPLICAS_USER_VARS_H

#include <stddef.h>

#include "base/err.h"

#define USER_VARS_MAX   64u
#define USER_VARS_BYTES (1u << 20)

struct user_var {
    char name[65];
    char *value; /* NULL: NULL */
};

struct user_vars {
    struct user_var *list;
    size_t count;
    size_t bytes;
};

int user_vars_set(struct user_vars *v, const char *name, size_t name_len, const char *value) LT_MUST_CHECK;
/* NULL: not set, or set to NULL. */
const char *user_vars_get(const struct user_vars *v, const char *name, size_t name_len);
void user_vars_fini(struct user_vars *v);

#endif
