/*
 * What is looked at while the client library reads from a source: the greeting, before it is answered, and how much comes. The library itself
 * goes on in clear text where TLS is not offered, and keeps whatever it is sent. Does not read itself.
 *
 * Layer: ingest. Thread: what is begun and ended concerns reads of the calling thread, which has one connection at a time in the library.
 * Errors: a read that breaks a rule ends in a shut-down socket; source_watch_end says which rule it was.
 * Units: bytes as the library gets them, out of TLS.
 */
#ifndef LT_INGEST_SOURCE_WATCH_H
#define LT_INGEST_SOURCE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* All that a source may say to one statement. A set of a million intervals and a hundred thousand threads fit. */
#define SOURCE_ANSWER_MAX (32ull * 1024 * 1024)
/* Before its rows: the library keeps descriptions of columns, several times as large as they come. */
#define SOURCE_HEAD_MAX      (256ull * 1024)
#define SOURCE_COLUMNS_LIMIT 4096u
/* And while a login goes on. */
#define SOURCE_LOGIN_MAX (64ull * 1024)

enum source_watched {
    SOURCE_WATCH_FINE,
    SOURCE_WATCH_NO_TLS,      /* the greeting offers none, or is none, and TLS is needed */
    SOURCE_WATCH_NO_GREETING, /* something else comes first, on which the library would stumble */
    SOURCE_WATCH_TOO_MUCH,    /* more bytes than allowed */
    SOURCE_WATCH_TOO_SLOW,    /* they come, and do not end in time */
};

enum source_watch_tls {
    SOURCE_WATCH_TLS_UNUSED, /* whether the greeting offers it does not matter */
    SOURCE_WATCH_TLS_WANTED, /* without it the library is told that there is none */
    SOURCE_WATCH_TLS_NEEDED, /* without it nothing is sent */
};

/* Once, before any thread. */
void source_watch_install(void);
void source_watch_login(enum source_watch_tls tls, uint64_t us);
/* A statement, and from source_watch_rows on its rows. */
void source_watch_answer(uint64_t us);
void source_watch_rows(void);
enum source_watched source_watch_end(void);

#endif
