/*
 * What a server keeps of a password, and whether a client's proof fits it: mysql_native_password, caching_sha2_password, client_ed25519.
 *
 *     *HEX                  40 digits: SHA1(SHA1(password))                               mysql_native_password
 *     $A$RRR$SALTDIGEST     RRR thousand rounds in hexadecimal, 20 bytes, 43 characters:  caching_sha2_password
 *                           SHA-256 crypt with a salt of 20 bytes, as SHOW CREATE USER prints it; the whole also as 0xHEX, which
 *                           print_identified_with_as_hex gives where the salt has bytes that do not print
 *     43 characters         base64 of an Ed25519 public key                               client_ed25519
 *
 * Layer: mysqlwire. Pure: OpenSSL computes; no I/O, no clock. Thread: any. Owns: nothing on the heap.
 * Errors: a text in none of these forms is LT_EINVAL; an empty password has no verifier and fits none. Proofs are compared in constant time.
 * Source: sha256crypt by U. Drepper, with MySQL's longer salt; checked against verifiers that MySQL 9.7 and MariaDB 10.11 made.
 */
#ifndef LT_MYSQLWIRE_VERIFIER_H
#define LT_MYSQLWIRE_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define VERIFIER_NONCE_LEN         20
#define VERIFIER_ED25519_NONCE_LEN 32
#define VERIFIER_SALT_LEN          20
#define VERIFIER_SHA2_TEXT_MAX     71 /* with its NUL */
#define VERIFIER_FAST_LEN          32
#define VERIFIER_PASSWORD_MAX      512 /* bytes; MySQL's own bound is 256 */

enum verifier_kind { VERIFIER_NATIVE, VERIFIER_SHA2, VERIFIER_ED25519 };
#define VERIFIER_KINDS 3

struct verifier {
    enum verifier_kind kind;
    unsigned rounds; /* of VERIFIER_SHA2 */
    uint8_t salt[VERIFIER_SALT_LEN];
    uint8_t digest[43]; /* 20 bytes native, 43 characters sha2, 32 bytes ed25519 */
};

/* The plugin's name, as greetings and switches say it. */
const char *verifier_plugin(enum verifier_kind kind);
/* False: none of ours. */
bool verifier_kind_of(const char *plugin, enum verifier_kind *ret);

int verifier_parse(const char *text, struct verifier *ret) LT_MUST_CHECK;
/* From a password; salt of bytes that print, without '$' and ':'. ret of VERIFIER_SHA2_TEXT_MAX bytes. */
int verifier_sha2_text(const char *password, const uint8_t salt[VERIFIER_SALT_LEN], char *ret) LT_MUST_CHECK;

/* The client's proof over the nonce that it was sent: 20 bytes, 64 bytes. */
bool verifier_native_fits(const struct verifier *v, const uint8_t nonce[VERIFIER_NONCE_LEN], const uint8_t *proof,
                          size_t len);
bool verifier_ed25519_fits(const struct verifier *v, const uint8_t nonce[VERIFIER_ED25519_NONCE_LEN],
                           const uint8_t *proof, size_t len);
/* The password itself: 5,000 rounds and more, milliseconds. ret_fast: by which the next login's proof is judged at once; secret, as the password is. */
bool verifier_sha2_fits(const struct verifier *v, const char *password, size_t len,
                        uint8_t ret_fast[VERIFIER_FAST_LEN]);
/* The proof of 32 bytes against what an earlier login left. */
bool verifier_fast_fits(const uint8_t fast[VERIFIER_FAST_LEN], const uint8_t nonce[VERIFIER_NONCE_LEN],
                        const uint8_t *proof, size_t len);

#endif
