/*
 * - Forms of text are told apart by how they begin and how long they are.
 * - Each check computes over all bytes, whatever they are, and compares with CRYPTO_memcmp.
 * Failure: what OpenSSL cannot compute does not fit.
 */
#include "mysqlwire/verifier.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "mysqlwire/sha256_crypt.h"

#define SHA1_LEN    20
#define SHA256_LEN  32
#define ED25519_KEY 32
#define ED25519_SIG 64
#define ROUNDS_UNIT 1000u
#define ROUNDS_MAX  0xfffu
#define SHA2_LEN    (7 + VERIFIER_SALT_LEN + SHA256_CRYPT_TEXT)
#define OUR_ROUNDS  5u /* thousand: the servers' own */

const char *verifier_plugin(enum verifier_kind kind)
{
    static const char *const names[] = {"mysql_native_password", "caching_sha2_password", "client_ed25519"};
    return names[kind];
}

bool verifier_kind_of(const char *plugin, enum verifier_kind *ret)
{
    for (int i = 0; i < VERIFIER_KINDS; i++) {
        *ret = (enum verifier_kind)i;
        if (strcmp(plugin, verifier_plugin(*ret)) == 0)
            return true;
    }
    return false;
}

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch = (char)(ch | 0x20);
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Exactly len bytes, and the text ends with them. */
static bool from_hex(const char *text, uint8_t *ret, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* len is SHA2_LEN. */
static int parse_sha2(const char *text, struct verifier *ret)
{
    static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *digest = text + 7 + VERIFIER_SALT_LEN;
    unsigned rounds = 0;
    if (memcmp(text, "$A$", 3) != 0 || text[6] != '$')
        return LT_EINVAL;
    for (int i = 3; i < 6; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return LT_EINVAL;
        rounds = rounds << 4 | (unsigned)digit;
    }
    for (size_t i = 0; i < SHA256_CRYPT_TEXT; i++)
        if (digest[i] == '\0' || strchr(alphabet, digest[i]) == NULL)
            return LT_EINVAL;
    if (rounds == 0 || rounds > ROUNDS_MAX)
        return LT_EINVAL;
    ret->kind = VERIFIER_SHA2;
    ret->rounds = rounds * ROUNDS_UNIT;
    memcpy(ret->salt, text + 7, VERIFIER_SALT_LEN);
    memcpy(ret->digest, digest, SHA256_CRYPT_TEXT);
    return 0;
}

/* 43 characters for 32 bytes: the padding is left out. */
static int parse_ed25519(const char *text, struct verifier *ret)
{
    char padded[45];
    uint8_t raw[33]; /* OpenSSL counts the padding as a byte */
    memcpy(padded, text, 43);
    padded[43] = '=';
    padded[44] = '\0';
    if (strpbrk(text, "=\n\r\t -") != NULL || EVP_DecodeBlock(raw, (const unsigned char *)padded, 44) != 33)
        return LT_EINVAL;
    ret->kind = VERIFIER_ED25519;
    memcpy(ret->digest, raw, ED25519_KEY);
    return 0;
}

int verifier_parse(const char *text, struct verifier *ret)
{
    size_t len = strlen(text);
    *ret = (struct verifier){0};
    if (text[0] == '*') {
        ret->kind = VERIFIER_NATIVE;
        return from_hex(text + 1, ret->digest, SHA1_LEN) ? 0 : LT_EINVAL;
    }
    if (text[0] == '0' && (text[1] | 0x20) == 'x') {
        char raw[SHA2_LEN];
        return from_hex(text + 2, (uint8_t *)raw, sizeof raw) ? parse_sha2(raw, ret) : LT_EINVAL;
    }
    if (text[0] == '$')
        return len == SHA2_LEN ? parse_sha2(text, ret) : LT_EINVAL;
    return len == 43 ? parse_ed25519(text, ret) : LT_EINVAL;
}

int verifier_sha2_text(const char *password, const uint8_t salt[VERIFIER_SALT_LEN], char *ret)
{
    size_t len = strlen(password);
    if (len == 0 || len > VERIFIER_PASSWORD_MAX)
        return LT_EINVAL;
    memcpy(ret, "$A$005$", 7);
    memcpy(ret + 7, salt, VERIFIER_SALT_LEN);
    ret[SHA2_LEN] = '\0';
    return sha256_crypt((const uint8_t *)password, len, salt, VERIFIER_SALT_LEN, OUR_ROUNDS * ROUNDS_UNIT,
                        ret + 7 + VERIFIER_SALT_LEN);
}

/* One digest of a, then b; b may be empty. */
static bool digest(const EVP_MD *md, const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, a, a_len) == 1 &&
              (b_len == 0 || EVP_DigestUpdate(ctx, b, b_len) == 1) && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* proof = SHA1(password) XOR SHA1(nonce, stored) */
bool verifier_native_fits(const struct verifier *v, const uint8_t nonce[VERIFIER_NONCE_LEN], const uint8_t *proof,
                          size_t len)
{
    uint8_t once[SHA1_LEN];
    uint8_t twice[SHA1_LEN];
    if (v->kind != VERIFIER_NATIVE || len != SHA1_LEN ||
        !digest(EVP_sha1(), nonce, VERIFIER_NONCE_LEN, v->digest, SHA1_LEN, once))
        return false;
    for (size_t i = 0; i < SHA1_LEN; i++)
        once[i] ^= proof[i];
    bool fits = digest(EVP_sha1(), once, SHA1_LEN, NULL, 0, twice) && CRYPTO_memcmp(twice, v->digest, SHA1_LEN) == 0;
    OPENSSL_cleanse(once, sizeof once);
    return fits;
}

bool verifier_ed25519_fits(const struct verifier *v, const uint8_t nonce[VERIFIER_ED25519_NONCE_LEN],
                           const uint8_t *proof, size_t len)
{
    if (v->kind != VERIFIER_ED25519 || len != ED25519_SIG)
        return false;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, v->digest, ED25519_KEY);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fits = key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, proof, len, nonce, VERIFIER_ED25519_NONCE_LEN) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return fits;
}

bool verifier_sha2_fits(const struct verifier *v, const char *password, size_t len, uint8_t ret_fast[VERIFIER_FAST_LEN])
{
    char text[SHA256_CRYPT_TEXT];
    uint8_t once[SHA256_LEN];
    if (v->kind != VERIFIER_SHA2 || len == 0 || len > VERIFIER_PASSWORD_MAX ||
        sha256_crypt((const uint8_t *)password, len, v->salt, VERIFIER_SALT_LEN, v->rounds, text) != 0 ||
        CRYPTO_memcmp(text, v->digest, SHA256_CRYPT_TEXT) != 0)
        return false;
    bool ok =
        digest(EVP_sha256(), password, len, NULL, 0, once) && digest(EVP_sha256(), once, SHA256_LEN, NULL, 0, ret_fast);
    OPENSSL_cleanse(once, sizeof once);
    return ok;
}

/* proof = SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce) */
bool verifier_fast_fits(const uint8_t fast[VERIFIER_FAST_LEN], const uint8_t nonce[VERIFIER_NONCE_LEN],
                        const uint8_t *proof, size_t len)
{
    uint8_t once[SHA256_LEN];
    uint8_t twice[SHA256_LEN];
    if (len != SHA256_LEN || !digest(EVP_sha256(), fast, VERIFIER_FAST_LEN, nonce, VERIFIER_NONCE_LEN, once))
        return false;
    for (size_t i = 0; i < SHA256_LEN; i++)
        once[i] ^= proof[i];
    bool fits = digest(EVP_sha256(), once, SHA256_LEN, NULL, 0, twice) && CRYPTO_memcmp(twice, fast, SHA256_LEN) == 0;
    OPENSSL_cleanse(once, sizeof once);
    return fits;
}
