/*
 * The digest of a caching_sha2_password verifier: SHA-256 crypt (U. Drepper), whose salt is 20 bytes here where crypt(3) takes at most 16.
 *
 * Layer: mysqlwire. Pure. Thread: any. Errors: LT_ENOMEM where OpenSSL cannot compute.
 */
#ifndef LT_MYSQLWIRE_SHA256_CRYPT_H
#define LT_MYSQLWIRE_SHA256_CRYPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SHA256_CRYPT_TEXT 43

/* ret: 43 characters, no NUL. salt_len and password_len may be anything. */
int sha256_crypt(const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len, unsigned rounds,
                 char ret[SHA256_CRYPT_TEXT]) LT_MUST_CHECK;

#endif
