/* Verifiers as MySQL 9.7.4 (SHOW CREATE USER with print_identified_with_as_hex) and MariaDB 10.11.19 made them; and what is none. */
#include "cunit_main.h"

#include <openssl/evp.h>

#include "mysqlwire/sha256_crypt.h"
#include "mysqlwire/verifier.h"

#define NATIVE  "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
#define ED25519 "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"
#define SHA2                                                                                                           \
    "0x2441243030412409376F31257A54666034675601103D17685E0B0F4A59354D434E504753356D4D7A6B58727130314C6E394279386768"   \
    "45614F654535705874423867356B4A34"
#define SHA2_LONG                                                                                                      \
    "0x244124303041244E17341253116D433F722566130F647F46554D4B77572F363147597062695635716362714E4F7169544666692E68722F" \
    "4653735863534D5762774B53495844"
#define LONG_PASSWORD "a much longer password of forty-six characters!"

static void test_sha2_of_a_server(void)
{
    static const char *const pairs[][2] = {{SHA2, "secret"}, {SHA2_LONG, LONG_PASSWORD}};
    for (size_t i = 0; i < 2; i++) {
        struct verifier v;
        uint8_t fast[VERIFIER_FAST_LEN];
        CU_ASSERT_EQUAL(verifier_parse(pairs[i][0], &v), 0);
        CU_ASSERT_EQUAL(v.kind, VERIFIER_SHA2);
        CU_ASSERT_EQUAL(v.rounds, 10000);
        const char *password = pairs[i][1];
        CU_ASSERT_TRUE(verifier_sha2_fits(&v, password, strlen(password), fast));
        CU_ASSERT_FALSE(verifier_sha2_fits(&v, password, strlen(password) - 1, fast));
        CU_ASSERT_FALSE(verifier_sha2_fits(&v, pairs[1 - i][1], strlen(pairs[1 - i][1]), fast));
        CU_ASSERT_FALSE(verifier_sha2_fits(&v, "", 0, fast));
    }
}

/* The same algorithm with crypt(3)'s shorter salts: what crypt(3) of glibc says. */
static void test_crypt_vectors(void)
{
    static const struct {
        const char *salt;
        unsigned rounds;
        const char *password;
        const char *text;
    } vectors[] = {
        {"saltstring", 5000, "Hello world!", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
        {"saltstringsaltst", 10000, "Hello world!", "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"},
        {"toolongsaltstrin", 5000, "This is just a test", "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"},
        {"anotherlongsalts", 1400,
         "a very much longer text to encrypt.  This one even stretches over morethan one line.",
         "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[SHA256_CRYPT_TEXT];
        CU_ASSERT_EQUAL(sha256_crypt((const uint8_t *)vectors[i].password, strlen(vectors[i].password),
                                     (const uint8_t *)vectors[i].salt, strlen(vectors[i].salt), vectors[i].rounds,
                                     text),
                        0);
        CU_ASSERT_EQUAL(memcmp(text, vectors[i].text, sizeof text), 0);
        if (memcmp(text, vectors[i].text, sizeof text) != 0)
            (void)printf("%zu: %.43s ", i, text);
    }
}

static void digest(const EVP_MD *md, const void *a, size_t a_len, const void *b, size_t b_len, uint8_t *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    (void)EVP_DigestInit_ex(ctx, md, NULL);
    (void)EVP_DigestUpdate(ctx, a, a_len);
    (void)EVP_DigestUpdate(ctx, b, b_len);
    (void)EVP_DigestFinal_ex(ctx, ret, NULL);
    EVP_MD_CTX_free(ctx);
}

static const uint8_t nonce[VERIFIER_NONCE_LEN] = "twenty random bytes!";

/* As a client computes it. */
static void test_native(void)
{
    struct verifier v;
    uint8_t once[20];
    uint8_t twice[20];
    uint8_t proof[20];
    CU_ASSERT_EQUAL(verifier_parse(NATIVE, &v), 0);
    CU_ASSERT_EQUAL(v.kind, VERIFIER_NATIVE);
    digest(EVP_sha1(), "secret", 6, "", 0, once);
    digest(EVP_sha1(), once, 20, "", 0, twice);
    digest(EVP_sha1(), nonce, sizeof nonce, twice, 20, proof);
    for (size_t i = 0; i < 20; i++)
        proof[i] ^= once[i];
    CU_ASSERT_TRUE(verifier_native_fits(&v, nonce, proof, 20));
    CU_ASSERT_FALSE(verifier_native_fits(&v, nonce, proof, 19));
    CU_ASSERT_FALSE(verifier_native_fits(&v, nonce, proof, 0));
    for (size_t bit = 0; bit < 160; bit++) {
        proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_FALSE(verifier_native_fits(&v, nonce, proof, 20));
        proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_fast(void)
{
    struct verifier v;
    uint8_t fast[VERIFIER_FAST_LEN];
    uint8_t once[32];
    uint8_t proof[32];
    CU_ASSERT_EQUAL(verifier_parse(SHA2, &v), 0);
    CU_ASSERT_TRUE(verifier_sha2_fits(&v, "secret", 6, fast));
    digest(EVP_sha256(), "secret", 6, "", 0, once);
    digest(EVP_sha256(), fast, 32, nonce, sizeof nonce, proof);
    for (size_t i = 0; i < 32; i++)
        proof[i] ^= once[i];
    CU_ASSERT_TRUE(verifier_fast_fits(fast, nonce, proof, 32));
    CU_ASSERT_FALSE(verifier_fast_fits(fast, nonce, proof, 31));
    proof[31] ^= 1;
    CU_ASSERT_FALSE(verifier_fast_fits(fast, nonce, proof, 32));
}

static void test_made_by_us(void)
{
    struct verifier v;
    char text[VERIFIER_SHA2_TEXT_MAX];
    uint8_t fast[VERIFIER_FAST_LEN];
    char longest[VERIFIER_PASSWORD_MAX + 2];
    CU_ASSERT_EQUAL(verifier_sha2_text("pass:word", nonce, text), 0);
    CU_ASSERT_EQUAL(verifier_parse(text, &v), 0);
    CU_ASSERT_TRUE(verifier_sha2_fits(&v, "pass:word", 9, fast));
    CU_ASSERT_EQUAL(verifier_sha2_text("", nonce, text), LT_EINVAL);
    memset(longest, 'x', sizeof longest);
    longest[VERIFIER_PASSWORD_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(verifier_sha2_text(longest, nonce, text), LT_EINVAL);
    CU_ASSERT_FALSE(verifier_sha2_fits(&v, longest, sizeof longest - 1, fast));
}

static void test_ed25519_text(void)
{
    struct verifier v;
    uint8_t long_nonce[VERIFIER_ED25519_NONCE_LEN] = {1};
    uint8_t proof[64] = {0};
    CU_ASSERT_EQUAL(verifier_parse(ED25519, &v), 0);
    CU_ASSERT_EQUAL(v.kind, VERIFIER_ED25519);
    CU_ASSERT_FALSE(verifier_ed25519_fits(&v, long_nonce, proof, 64));
    CU_ASSERT_FALSE(verifier_ed25519_fits(&v, long_nonce, proof, 0));
}

static void test_no_verifier(void)
{
    static const char *const texts[] = {
        "",
        "*",
        "*14E6",
        NATIVE "0",
        "*14E65567ABDB5135D0CFD9A70B3032C179A49EEG",
        "secret",
        "$",
        "$A$005$",
        "$A$000$aaaaaaaaaaaaaaaaaaaaJY5MCNPGS5mMzkXrq01Ln9By8ghEaOeE5pXtB8g5kJ4", /* no rounds */
        "$A$005$aaaaaaaaaaaaaaaaaaaaJY5MCNPGS5mMzkXrq01Ln9By8ghEaOeE5pXtB8g5kJ",  /* short */
        "$A$005$aaaaaaaaaaaaaaaaaaaaJY5MCNPGS5mMzkXrq01Ln9By8ghEaOeE5pXtB8g5kJ!", /* no digit of crypt's */
        "$B$005$aaaaaaaaaaaaaaaaaaaaJY5MCNPGS5mMzkXrq01Ln9By8ghEaOeE5pXtB8g5kJ4",
        "$5$rounds=5000$x$aaaa",
        "0x",
        "0x24",
        SHA2 "00",
        "0xzz",
        "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ",
        "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ!",
        "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJ=",
        ED25519 "=",
        ED25519 "Y"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct verifier v;
        CU_ASSERT_EQUAL(verifier_parse(texts[i], &v), LT_EINVAL);
    }
}

static const struct test_case cases[] = {
    {"caching_sha2_password, as a server keeps it", test_sha2_of_a_server},
    {"SHA-256 crypt", test_crypt_vectors},
    {"mysql_native_password", test_native},
    {"caching_sha2_password's fast way", test_fast},
    {"a verifier of our own", test_made_by_us},
    {"ed25519", test_ed25519_text},
    {"what is no verifier", test_no_verifier},
};

int main(void)
{
    return cunit_run("verifier", cases, sizeof cases / sizeof cases[0]);
}
