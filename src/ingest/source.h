/*
 * The connection to a source: the only place that includes mysql.h. Connects, authenticates, sets up TLS, runs session statements
 * through the client library, and then hands the bare socket (and TLS session) over for the dump.
 *
 * Layer: ingest. Thread: one connection belongs to one thread; source_global_init once before any thread.
 * Owns: the MYSQL handle, until source_close. Blocking, each call bounded by the time-outs given.
 * Errors: *ret_code (enum source_error) classifies for the caller; text names host and the server's words. Passwords never appear in it.
 */
#ifndef LT_INGEST_SOURCE_H
#define LT_INGEST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ingest/wire.h"

enum source_ssl {
    SOURCE_SSL_PREFERRED,
    SOURCE_SSL_DISABLED,
    SOURCE_SSL_REQUIRED,
    SOURCE_SSL_VERIFY_CA,
    SOURCE_SSL_VERIFY_IDENTITY
};

struct source_params {
    const char *host; /* name or address; ignored with socket */
    unsigned port;
    const char *socket; /* Unix socket path, NULL or "" for TCP */
    const char *user;
    const char *password;
    enum source_ssl ssl;
    const char *ssl_ca;
    const char *ssl_cert;
    const char *ssl_key;
    bool verified_login; /* the password itself only to one whose certificate was verified, or by Unix socket */
    uint64_t connect_timeout_us;
    uint64_t read_timeout_us; /* of a statement */
};

/* A copy that owns its strings (password: NULL), until source_params_fini. LT_ENOMEM: *dst is as it was. */
int source_params_copy(struct source_params *dst, const struct source_params *src) LT_MUST_CHECK;
void source_params_fini(struct source_params *p);
/* The same host, port, socket and user. */
bool source_params_same_address(const struct source_params *a, const struct source_params *b);

/* Why a source refused or failed, as status reports it (last_error.code). */
enum source_error {
    SOURCE_OK,
    SOURCE_ERR_CONNECT,
    SOURCE_ERR_TLS,
    SOURCE_ERR_AUTH,
    SOURCE_ERR_PRIVILEGE,
    SOURCE_ERR_BUSY,  /* 1040: too many connections; retried fast */
    SOURCE_ERR_QUERY, /* a statement failed */
    SOURCE_ERR_FILES, /* no descriptor for a socket */
};

struct source;

void source_global_init(void);

/* Connected and authenticated, or an error. */
int source_connect(const struct source_params *p, struct source **ret, enum source_error *ret_code,
                   struct lt_err *err) LT_MUST_CHECK;
/* Taken over: shutdown first, so that the library's COM_QUIT cannot leave (it would harm a dump connection). NULL is fine. */
void source_close(struct source *s);

const char *source_version(const struct source *s);
bool source_is_mariadb(const struct source *s);
uint64_t source_thread_id(const struct source *s);
const char *source_tls_cipher(const struct source *s); /* "" without TLS */
/* The login gave the password itself to a peer that nobody vouched for. */
bool source_gave_password(const struct source *s);
/* End of validity of the certificate the server showed, seconds since the epoch; 0 without TLS. */
int64_t source_peer_not_after(const struct source *s);
/* The server runs on this machine: a Unix socket, a loopback address, or one address at both ends. */
bool source_is_local(const struct source *s);

#define SOURCE_COLUMNS_MAX 16
struct source_row {
    unsigned columns;
    const char *value[SOURCE_COLUMNS_MAX]; /* NULL = SQL NULL; valid during the callback */
};
typedef void (*source_row_fn)(const struct source_row *row, void *arg);
/* A value as servers show it: 1 or ON; a number, 0 for what is none. */
bool source_value_is_on(const char *value);
uint64_t source_value_number(const char *value);

/* Run a statement; fn (may be NULL) is called for each row. *ret_errno gets the server's error number. */
int source_query(struct source *s, const char *sql, source_row_fn fn, void *arg, unsigned *ret_errno,
                 struct lt_err *err) LT_MUST_CHECK;

/* The socket and the TLS session of an idle connection, non-blocking from now on. The source still owns both. */
int source_take_over(struct source *s, struct wire *ret, struct lt_err *err) LT_MUST_CHECK;

/* Stop whatever goes on, from another thread: shuts the socket down if `s` is open. Caller holds the lock that guards `s`. */
void source_shutdown(struct source *s);

#endif
