/*
 * Who stands where a source is expected, and is none: a server on 127.0.0.1 that asks for the password in the ways of its choice, and answers
 * statements with what no server says. Remembers every byte it got, inside TLS too.
 * Does not check passwords, and speaks no SQL.
 *
 * Layer: tests/support. Thread: any may call; the rogue has one, for one connection at a time.
 * Owns: its listener and thread, until rogue_stop. Borrows: the texts in its options, until then. System calls that fail at start abort.
 */
#ifndef LT_SUPPORT_ROGUE_SOURCE_H
#define LT_SUPPORT_ROGUE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rogue_answer {
    ROGUE_ANSWER_OK,
    ROGUE_ANSWER_ROWS,    /* rows of 1 KiB, without end */
    ROGUE_ANSWER_ONE_ROW, /* one, of 64 packets of 16 MiB */
    ROGUE_ANSWER_COLUMNS, /* descriptions of columns, without end */
    ROGUE_ANSWER_CLAIM,   /* that there are four billion columns */
    ROGUE_ANSWER_UNASKED, /* OK, and behind it the same claim */
    ROGUE_ANSWER_DRIP,    /* a row that comes byte by byte, without end */
    ROGUE_ANSWER_FILE,    /* asks for a file of the client's */
};

struct rogue_options {
    const char *plugin;    /* in the greeting; NULL: mysql_native_password */
    const char *switch_to; /* asked for after the client's first answer; NULL: nothing */
    const char *data;      /* with it, in place of a salt */
    size_t long_version;   /* so many bytes more in the greeting's version: what follows stays in the client's buffer */
    size_t progress;       /* a report of progress, of so many bytes, comes before the greeting */
    size_t piece;          /* the greeting goes out in pieces of so many bytes; 0: whole */
    const char *cert;      /* PEM; TLS is offered where both are set */
    const char *key;
    bool full;        /* caching_sha2_password: asks for the password itself */
    bool login_flood; /* bytes without end in place of the login's answer */
    enum rogue_answer answer;
    const char *file; /* of ROGUE_ANSWER_FILE */
};

struct rogue;

struct rogue *rogue_start(const struct rogue_options *opt);
void rogue_stop(struct rogue *r);
uint16_t rogue_port(const struct rogue *r);
/* Did a client send this text, on the wire or inside TLS? Waits until the connection of the moment is over. */
bool rogue_got(struct rogue *r, const char *text);
/* Was this text sent encrypted for our RSA key? Waits as well. */
bool rogue_opened(struct rogue *r, const char *text);
/* Connections that are over; bytes sent in answers of all of them. */
unsigned rogue_served(struct rogue *r);
uint64_t rogue_sent(struct rogue *r);

#endif
