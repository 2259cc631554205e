/* Copies of connection parameters, for those who outlive the configuration they came from. */
#include <stdlib.h>
#include <string.h>

#include "ingest/source.h"

#define FIELDS 6

/* The strings; not the password, which is read anew for each connection. */
static void fields_of(struct source_params *p, const char **ret[FIELDS])
{
    ret[0] = &p->host;
    ret[1] = &p->socket;
    ret[2] = &p->user;
    ret[3] = &p->ssl_ca;
    ret[4] = &p->ssl_cert;
    ret[5] = &p->ssl_key;
}

int source_params_copy(struct source_params *dst, const struct source_params *src)
{
    struct source_params copy = *src;
    const char **fields[FIELDS];
    bool failed = false;
    fields_of(&copy, fields);
    copy.password = NULL;
    for (size_t i = 0; i < FIELDS; i++) {
        if (*fields[i] == NULL)
            continue;
        *fields[i] = strdup(*fields[i]);
        failed = failed || *fields[i] == NULL;
    }
    if (failed) {
        source_params_fini(&copy);
        return LT_ENOMEM;
    }
    *dst = copy;
    return LT_OK;
}

void source_params_fini(struct source_params *p)
{
    const char **fields[FIELDS];
    fields_of(p, fields);
    for (size_t i = 0; i < FIELDS; i++) {
        free((char *)*fields[i]);
        *fields[i] = NULL;
    }
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool source_params_same_address(const struct source_params *a, const struct source_params *b)
{
    return same_text(a->host, b->host) && a->port == b->port && same_text(a->socket, b->socket) &&
           same_text(a->user, b->user);
}
