/*
 * The users file, and tokens against it: the first line is the token, the rest the file. Whoever is let in must be named in the file.
 */
#include <stdlib.h>
#include <string.h>

#include "access/users.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const unsigned char *nl = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t token_len = nl != NULL ? (size_t)(nl - data) : size;
    const char *text = nl != NULL ? (const char *)nl + 1 : "";
    size_t len = nl != NULL ? size - token_len - 1 : 0;
    char user[USERS_NAME_MAX + 1];
    struct users *u = NULL;
    struct lt_err err;
    char *token = strndup((const char *)data, token_len);
    check(token != NULL);
    int rc = users_parse("users", text, len, &u, &err);
    check(rc == 0 || (rc == LT_EINVAL && strncmp(err.text, "users:", 6) == 0));
    if (rc == 0 && users_check(u, token, user)) {
        check(users_name_ok(user) && users_own(u, user) && users_may_use(user, user));
        check(memmem(text, len, user, strlen(user)) != NULL);
    }
    check(!users_check(NULL, token, user));
    users_free(u);
    free(token);
    return 0;
}
