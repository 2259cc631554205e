/* - A short list: real clients set a dozen. */
#include "replicas/user_vars.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct user_var *find(const struct user_vars *v, const char *name, size_t len)
{
    for (size_t i = 0; i < v->count; i++) {
        if (strlen(v->list[i].name) == len && strncasecmp(v->list[i].name, name, len) == 0)
            return &v->list[i];
    }
    return NULL;
}

static struct user_var *add(struct user_vars *v, const char *name, size_t len)
{
    struct user_var *grown = reallocarray(v->list, v->count + 1, sizeof *grown);
    if (grown == NULL)
        return NULL;
    v->list = grown;
    struct user_var *var = &v->list[v->count++];
    *var = (struct user_var){0};
    memcpy(var->name, name, len);
    return var;
}

int user_vars_set(struct user_vars *v, const char *name, size_t name_len, const char *value)
{
    struct user_var *var = find(v, name, name_len);
    size_t len = value != NULL ? strlen(value) : 0;
    size_t before = var != NULL && var->value != NULL ? strlen(var->value) : 0;
    if (name_len >= sizeof var->name || (var == NULL && v->count == USER_VARS_MAX) ||
        len > USER_VARS_BYTES - (v->bytes - before))
        return LT_ETOOBIG;
    char *copy = value != NULL ? strdup(value) : NULL;
    if (value != NULL && copy == NULL)
        return LT_ENOMEM;
    if (var == NULL)
        var = add(v, name, name_len);
    if (var == NULL) {
        free(copy);
        return LT_ENOMEM;
    }
    free(var->value);
    var->value = copy;
    v->bytes = v->bytes - before + len;
    return 0;
}

const char *user_vars_get(const struct user_vars *v, const char *name, size_t name_len)
{
    const struct user_var *var = find(v, name, name_len);
    return var != NULL ? var->value : NULL;
}

void user_vars_fini(struct user_vars *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->list[i].value);
    free(v->list);
    *v = (struct user_vars){0};
}
