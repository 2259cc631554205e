/*
 * Preloaded into a program under test: names that no resolver knows. LT_NAMES is "NAME=ADDRESS,ADDRESS..." of one name, in the order in which
 * getaddrinfo gives them.
 * Layer: tests/support. Thread: any.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef int (*lookup_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* One address after the other: each look-up's list is linked behind the one before; freeaddrinfo walks them. */
static int look_up_all(lookup_fn real, char *list, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
    struct addrinfo numeric = hints != NULL ? *hints : (struct addrinfo){0};
    struct addrinfo **end = ret;
    char *save = NULL;
    numeric.ai_flags = AI_NUMERICHOST;
    *ret = NULL;
    for (char *one = strtok_r(list, ",", &save); one != NULL; one = strtok_r(NULL, ",", &save)) {
        int rc = real(one, service, &numeric, end);
        if (rc != 0)
            return rc;
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return *ret != NULL ? 0 : EAI_NONAME;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict host, const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict ret)
{
    lookup_fn real = NULL;
    void *at = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *names = getenv("LT_NAMES"); // NOLINT(concurrency-mt-unsafe): nobody changes it
    if (at == NULL)
        abort();
    memcpy(&real, &at, sizeof real);
    const char *is = names != NULL ? strchr(names, '=') : NULL;
    if (host == NULL || is == NULL || strlen(host) != (size_t)(is - names) || strncmp(host, names, strlen(host)) != 0)
        return real(host, service, hints, ret);
    char *list = strdup(is + 1);
    if (list == NULL)
        return EAI_MEMORY;
    int rc = look_up_all(real, list, service, hints, ret);
    free(list);
    return rc;
}
