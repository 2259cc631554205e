/*
 * A connection of a fenced source that is kept open and read, so that its server goes on seeing a replica and goes on waiting for an ACK
 * that never comes. What arrives is thrown away; nothing is ever sent.
 *
 * Layer: ingest. Thread: holder_start from ingest, the rest from any, one at a time; reading happens on a thread of its own.
 * Owns: the connection, from a successful holder_start on. Errors: holder_start: LT_ENOMEM, LT_ESYS, and the connection stays the caller's.
 */
#ifndef LT_INGEST_HOLDER_H
#define LT_INGEST_HOLDER_H

#include <stdbool.h>

#include "ingest/source.h"

struct holder;

int holder_start(struct source *conn, const struct wire *wire, const char *source_id, struct holder **ret,
                 struct lt_err *err) LT_MUST_CHECK;
/* Closes the connection. NULL is fine. */
void holder_stop(struct holder *h);
const char *holder_source_id(const struct holder *h);
/* False once the server ended it. */
bool holder_is_open(const struct holder *h);

#endif
