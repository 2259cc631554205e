/*
 * A login's conversation after the client's first answer, as a state machine: which packet goes out next, and in the end yes or no.
 *
 *     auth_begin(login) -> AUTH_SEND a packet, then auth_input(the client's next payload) -> ... -> AUTH_ACCEPTED or AUTH_DENIED
 *
 * mysql_native_password   proof of 20 bytes over the greeting's nonce, or over the one of a switch
 * caching_sha2_password   proof of 32 bytes, judged at once where an earlier login left `fast`; else 04 asks for the password itself, which comes in
 *                         clear text where the way is private (TLS, a Unix socket), or sealed for our RSA key: 02 asks for the key
 * client_ed25519          a signature over a nonce of 32 bytes; always by a switch
 *
 * Who is not there, or has no verifier, is led the way of the usual plugin to its end, and denied there. Nobody logs in with an empty password.
 *
 * Layer: mysqlwire. Pure: what is random and what was remembered comes from the caller. Thread: any. Owns: nothing on the heap; holds a password only
 *   within one call, and wipes it. Borrows: verifiers and the key, until the end.
 * Errors: LT_EPROTO for an answer of a form that no client sends; the caller hangs up.
 */
#ifndef LT_MYSQLWIRE_AUTH_H
#define LT_MYSQLWIRE_AUTH_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mysqlwire/handshake.h"
#include "mysqlwire/verifier.h"

/* Holds a PEM of an RSA key of 4096 bits. */
#define AUTH_PACKET_MAX 1024

struct auth_account {
    const struct verifier *verifiers; /* may be NULL */
    size_t count;
    const uint8_t *fast; /* VERIFIER_FAST_LEN bytes of an earlier login by the sha2 verifier, or NULL */
};

struct auth_ways {
    bool private_way; /* TLS, or a Unix socket: a password may come in clear text */
    EVP_PKEY *rsa;    /* NULL: without a private way there is no full caching_sha2_password */
    const char *rsa_pem;
    enum verifier_kind usual; /* the greeting's plugin */
};

enum auth_state { AUTH_SEND, AUTH_ACCEPTED, AUTH_DENIED };

struct auth {
    struct auth_account account;
    struct auth_ways ways;
    const struct verifier *verifier; /* NULL: there is none that could fit */
    enum verifier_kind kind;
    int waits_for; /* of auth.c */
    uint8_t nonce[VERIFIER_ED25519_NONCE_LEN];
    uint8_t fast[VERIFIER_FAST_LEN]; /* for the caller to remember where has_fast; to be wiped */
    bool has_fast;
    uint8_t packet[AUTH_PACKET_MAX]; /* what AUTH_SEND means */
    size_t packet_len;
};

/* nonce: 32 random bytes without a 0; the first VERIFIER_NONCE_LEN are the greeting's. */
int auth_begin(struct auth *a, const struct auth_account *account, const struct auth_ways *ways,
               const uint8_t nonce[VERIFIER_ED25519_NONCE_LEN], const struct handshake_login *login,
               enum auth_state *ret) LT_MUST_CHECK;
int auth_input(struct auth *a, const uint8_t *payload, size_t len, enum auth_state *ret) LT_MUST_CHECK;

#endif
