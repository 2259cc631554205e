/*
 * How the password may be given to a source: which ways of the library are allowed, and caching_sha2_password by ourselves, because only
 * there the same way may give a proof or the password itself. Does not connect.
 *
 * Layer: ingest. Thread: source_login_install once before any; what is begun concerns logins of the calling thread.
 * Errors: a login that is refused fails in the library; source_login_end says why. Passwords appear in no text.
 */
#ifndef LT_INGEST_SOURCE_LOGIN_H
#define LT_INGEST_SOURCE_LOGIN_H

#include <stdbool.h>

/* What the password itself may be given to. */
enum source_trust {
    SOURCE_TRUST_NONE, /* nobody vouches for the peer, and it is to get proofs of the password only */
    SOURCE_TRUST_ASSUMED, /* nobody vouches for it, and it may get the password by caching_sha2_password: by RSA, or inside TLS */
    SOURCE_TRUST_VERIFIED, /* its certificate was verified, or it is at the other end of a Unix socket */
};

struct source_login {
    bool gave;    /* the password itself, to one that nobody vouched for */
    bool refused; /* it was asked for, and not given */
};

void source_login_install(void);
/* For MARIADB_OPT_RESTRICTED_AUTH. */
const char *source_login_ways(enum source_trust trust);
void source_login_begin(enum source_trust trust);
struct source_login source_login_end(void);

#endif
