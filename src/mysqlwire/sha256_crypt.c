/*
 * - Digest B: password, salt, password. Digest A: password, salt, as many bytes of B as the password has, then B or the password for each bit of its
 *   length.
 * - P is a digest of the password, once for each of its bytes; S of the salt, 16 + A[0] times. Both are used at their own lengths, repeated.
 * - The rounds mix A with P and S by the round's number; the result is written in crypt's alphabet, in its order of bytes.
 */
#include "mysqlwire/sha256_crypt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#define DIGEST 32

struct mix {
    EVP_MD_CTX *ctx;
    bool failed;
};

static void begin(struct mix *m)
{
    m->failed = m->failed || EVP_DigestInit_ex(m->ctx, EVP_sha256(), NULL) != 1;
}

static void add(struct mix *m, const void *data, size_t len)
{
    m->failed = m->failed || EVP_DigestUpdate(m->ctx, data, len) != 1;
}

/* len bytes of a digest that is repeated as often as it takes. */
static void add_repeated(struct mix *m, const uint8_t digest[DIGEST], size_t len)
{
    for (; len > DIGEST; len -= DIGEST)
        add(m, digest, DIGEST);
    add(m, digest, len);
}

static void end(struct mix *m, uint8_t ret[DIGEST])
{
    m->failed = m->failed || EVP_DigestFinal_ex(m->ctx, ret, NULL) != 1;
}

struct input {
    const uint8_t *password;
    size_t password_len;
    const uint8_t *salt;
    size_t salt_len;
};

static void digest_a(struct mix *m, const struct input *in, uint8_t ret[DIGEST])
{
    uint8_t b[DIGEST];
    begin(m);
    add(m, in->password, in->password_len);
    add(m, in->salt, in->salt_len);
    add(m, in->password, in->password_len);
    end(m, b);
    begin(m);
    add(m, in->password, in->password_len);
    add(m, in->salt, in->salt_len);
    add_repeated(m, b, in->password_len);
    for (size_t bits = in->password_len; bits > 0; bits >>= 1) {
        if (bits & 1)
            add(m, b, DIGEST);
        else
            add(m, in->password, in->password_len);
    }
    end(m, ret);
    OPENSSL_cleanse(b, sizeof b);
}

static void repeated(struct mix *m, const uint8_t *data, size_t len, size_t times, uint8_t ret[DIGEST])
{
    begin(m);
    for (size_t i = 0; i < times; i++)
        add(m, data, len);
    end(m, ret);
}

static void one_round(struct mix *m, const struct input *in, const uint8_t p[DIGEST], const uint8_t s[DIGEST],
                      unsigned round, uint8_t a[DIGEST])
{
    begin(m);
    if (round & 1)
        add_repeated(m, p, in->password_len);
    else
        add(m, a, DIGEST);
    if (round % 3 != 0)
        add_repeated(m, s, in->salt_len);
    if (round % 7 != 0)
        add_repeated(m, p, in->password_len);
    if (round & 1)
        add(m, a, DIGEST);
    else
        add_repeated(m, p, in->password_len);
    end(m, a);
}

static char *put(char *at, unsigned bits, int chars)
{
    static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (; chars > 0; chars--, bits >>= 6)
        *at++ = alphabet[bits & 0x3f];
    return at;
}

static void write_text(const uint8_t a[DIGEST], char ret[SHA256_CRYPT_TEXT])
{
    static const uint8_t order[10][3] = {{0, 10, 20}, {21, 1, 11}, {12, 22, 2}, {3, 13, 23}, {24, 4, 14},
                                         {15, 25, 5}, {6, 16, 26}, {27, 7, 17}, {18, 28, 8}, {9, 19, 29}};
    char *at = ret;
    for (size_t i = 0; i < 10; i++)
        at = put(at, (unsigned)a[order[i][0]] << 16 | (unsigned)a[order[i][1]] << 8 | a[order[i][2]], 4);
    (void)put(at, (unsigned)a[31] << 8 | a[30], 3);
}

int sha256_crypt(const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len, unsigned rounds,
                 char ret[SHA256_CRYPT_TEXT])
{
    struct mix m = {.ctx = EVP_MD_CTX_new()};
    struct input in = {password, password_len, salt, salt_len};
    uint8_t a[DIGEST] = {0};
    uint8_t p[DIGEST] = {0};
    uint8_t s[DIGEST] = {0};
    if (m.ctx == NULL)
        return LT_ENOMEM;
    digest_a(&m, &in, a);
    repeated(&m, password, password_len, password_len, p);
    repeated(&m, salt, salt_len, 16u + a[0], s);
    for (unsigned i = 0; i < rounds && !m.failed; i++)
        one_round(&m, &in, p, s, i, a);
    EVP_MD_CTX_free(m.ctx);
    write_text(a, ret);
    OPENSSL_cleanse(a, sizeof a);
    OPENSSL_cleanse(p, sizeof p);
    return m.failed ? LT_ENOMEM : 0;
}
