/*
 * Host names with a deadline: getaddrinfo in a thread of its own, so that a slow resolver cannot hold the ingest thread.
 * Layer: ingest. Thread: any. The last good address of a name is kept and used when a look-up fails or is late.
 */
#ifndef LT_INGEST_RESOLVE_H
#define LT_INGEST_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Numeric address of host into buf (cap >= 64). LT_ENOTFOUND / LT_ETIMEOUT with the name in the text. */
int resolve_host(const char *host, uint64_t timeout_us, char *buf, size_t cap, struct lt_err *err) LT_MUST_CHECK;

#endif
