/*
 * What the files of a source's connection share. Not for others: it brings mysql.h.
 * Layer: ingest. Thread: a connection belongs to one.
 */
#ifndef LT_INGEST_SOURCE_INTERNAL_H
#define LT_INGEST_SOURCE_INTERNAL_H

/* Connector/C's installed internals need both of these before they can be read. */
#define HAVE_TLS 1
typedef unsigned char uchar;

#include <mysql.h>

#include "ingest/source.h"

#ifndef MARIADB_BASE_VERSION
#error "logtailer needs MariaDB Connector/C (default-libmysqlclient-dev on Debian)"
#endif

struct source {
    MYSQL *mysql;
    bool taken_over;
    bool mariadb;
    bool gave_password;
    uint64_t answer_us; /* for all of an answer */
    char version[64];
    char cipher[64];
};

/* The error of a connect as the server or the library meant it; text borrows from m. */
struct source_said {
    unsigned code;
    const char *text;
};
struct source_said source_said(MYSQL *m);
/* Why a connect failed, in words without numbers of the system's: the library names the wrong one. address NULL: a Unix socket; late: the
 * time-out is over. */
void source_reason(MYSQL *m, const char *address, unsigned port, bool late, char *buf, size_t cap);
/* What the kernel says of that address now. */
void source_reason_of_address(const char *address, unsigned port, bool late, char *buf, size_t cap);
/* No server was reached there. */
bool source_is_unreachable(unsigned code);

#endif
