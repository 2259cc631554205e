/*
 * Answers to commands: OK, ERR, EOF, and text result sets, as whole packets with their 4 bytes in front, in one growing buffer.
 *
 *     reply_begin(&r, capabilities, seq of the command)
 *     reply_ok(&r)  |  reply_err(&r, 1064, "42000", "...")  |  reply_columns(&r, ...), reply_row(&r, ...)..., reply_end(&r)
 *
 * Layer: mysqlwire. Pure but for malloc. Thread: any. Owns: the buffer, until reply_fini.
 * Errors: sticky `failed` when memory is short or an answer is past REPLY_MAX; nothing of it must be sent then.
 */
#ifndef LT_MYSQLWIRE_REPLY_H
#define LT_MYSQLWIRE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* SHOW BINARY LOGS of a hundred thousand files is 5 MiB; a set of a million intervals 20. */
#define REPLY_MAX (64u << 20)

struct reply {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t packet; /* where the packet of the moment begins */
    uint32_t capabilities;
    uint8_t seq; /* of the next packet */
    bool failed;
};

enum reply_type { REPLY_TEXT, REPLY_NUMBER };

struct reply_column {
    const char *name;
    enum reply_type type;
};

void reply_begin(struct reply *r, uint32_t capabilities, uint8_t command_seq);
void reply_fini(struct reply *r);

void reply_ok(struct reply *r);
/* Text of any length is cut to 512 bytes, as servers' own is; state: 5 characters. */
void reply_err(struct reply *r, uint16_t code, const char *state, const char *text);
void reply_errf(struct reply *r, uint16_t code, const char *state, const char *fmt, ...) LT_PRINTF(4, 5);
void reply_eof(struct reply *r);
/* A payload as it is: handshakes, statistics. */
void reply_raw(struct reply *r, const void *payload, size_t len);

void reply_columns(struct reply *r, const struct reply_column *columns, size_t count);
/* As many values as there are columns; NULL is NULL. */
void reply_row(struct reply *r, const char *const *values, size_t count);
void reply_end(struct reply *r);

#endif
