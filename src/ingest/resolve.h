/*
 * Host names with a deadline: getaddrinfo in a thread of its own, so that a slow resolver cannot hold the ingest thread.
 * Layer: ingest. Thread: any. The last good addresses of a name are kept and used when a look-up fails or is late, and the one that led to the
 * source last is tried first.
 */
#ifndef LT_INGEST_RESOLVE_H
#define LT_INGEST_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RESOLVE_ADDRESS_LEN 64

struct resolved {
    size_t count;                         /* at least 1 after a resolve_host that went well */
    char (*address)[RESOLVE_ADDRESS_LEN]; /* numeric, none twice, in the resolver's order but for the first */
    bool first_worked;                    /* the first is the one of resolve_worked */
};

/* All numeric addresses of host, for resolve_fini. LT_ENOTFOUND / LT_ETIMEOUT / LT_ENOMEM with the name in the text: nothing to free. */
int resolve_host(const char *host, uint64_t timeout_us, struct resolved *ret, struct lt_err *err) LT_MUST_CHECK;
void resolve_fini(struct resolved *r);
/* A source answered there. */
void resolve_worked(const char *host, const char *address);

#endif
