/*
 * caching_sha2_password, as a plugin in the client library's own table:
 * - 20 bytes of salt come, a proof goes out: SHA256(pw) ^ SHA256(SHA256(SHA256(pw)) salt). A server that has seen the account log in since its
 *   start says 3, and that was all.
 * - Else it says 4 and wants the password: inside TLS or over a Unix socket as it is, elsewhere XORed with the salt and encrypted for the RSA key
 *   that it sends on request (2).
 * TLS counts where the connection has it, not where it was asked for: the library's own plugin goes by the wish, and sends the password in clear
 * text where the wish was not fulfilled.
 * Ways that are not in the table below are refused by the library before anything is sent: mysql_clear_password and dialog are the password itself,
 * mysql_old_password is as good as that. sha256_password is the password itself inside TLS.
 */
#include "ingest/source_internal.h"

#include <ma_pvio.h>
#include <mysql/plugin_auth.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "ingest/source_login.h"

#define SALT_LEN    20
#define PROOF_LEN   32
#define RSA_MAX     1024 /* bytes of a key's modulus */
#define ASK_FOR_KEY 2
#define KNOWN       3
#define TELL_ME     4

#define PROOFS "mysql_native_password,client_ed25519,parsec,caching_sha2_password"

/* The library's header for plugins includes one that is not installed: what it declares, as far as an authentication needs it. */
#define PLUGIN_TYPE_AUTHENTICATION 2
struct login_plugin {
    int type;
    unsigned interface_version;
    const char *name;
    const char *author;
    const char *desc;
    unsigned version[3];
    const char *license;
    void *mysql_api;
    int (*init)(char *, size_t, int, va_list);
    int (*deinit)(void);
    int (*options)(const char *option, const void *);
    int (*authenticate_user)(MYSQL_PLUGIN_VIO *vio, MYSQL *mysql);
    int (*hash_password)(MYSQL *mysql, unsigned char *out, size_t *out_len); /* from version 0x0101 on */
};

static _Thread_local enum source_trust trusted;
static _Thread_local struct source_login so_far;

/* The library looks for a name anywhere in this text: none here may contain another one that is not wanted. */
const char *source_login_ways(enum source_trust trust)
{
    return trust == SOURCE_TRUST_VERIFIED ? PROOFS ",sha256_password" : PROOFS;
}

void source_login_begin(enum source_trust trust)
{
    trusted = trust;
    so_far = (struct source_login){.gave = false};
}

struct source_login source_login_end(void)
{
    return so_far;
}

static bool sha256(const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[PROOF_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, a, a_len) == 1 &&
              EVP_DigestUpdate(ctx, b, b_len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool make_proof(const char *password, const uint8_t salt[SALT_LEN], uint8_t out[PROOF_LEN])
{
    uint8_t once[PROOF_LEN];
    uint8_t twice[PROOF_LEN];
    bool ok = sha256(password, strlen(password), "", 0, once) && sha256(once, sizeof once, "", 0, twice) &&
              sha256(twice, sizeof twice, salt, SALT_LEN, out);
    for (size_t i = 0; ok && i < PROOF_LEN; i++)
        out[i] ^= once[i];
    explicit_bzero(once, sizeof once);
    explicit_bzero(twice, sizeof twice);
    return ok;
}

/* out: RSA_MAX bytes. 0: not encrypted. */
static size_t seal(EVP_PKEY *key, const uint8_t *text, size_t len, uint8_t *out)
{
    size_t n = RSA_MAX;
    EVP_PKEY_CTX *ctx = EVP_PKEY_is_a(key, "RSA") == 1 ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool ok = ctx != NULL && EVP_PKEY_get_size(key) <= RSA_MAX && EVP_PKEY_encrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_encrypt(ctx, out, &n, text, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? n : 0;
}

static int give_by_rsa(MYSQL_PLUGIN_VIO *vio, const char *password, const uint8_t salt[SALT_LEN])
{
    const uint8_t request = ASK_FOR_KEY;
    uint8_t text[RSA_MAX];
    uint8_t sealed[RSA_MAX];
    uint8_t *pem;
    size_t len = strlen(password) + 1;
    if (len > sizeof text || vio->write_packet(vio, &request, 1) != 0)
        return CR_ERROR;
    int n = vio->read_packet(vio, &pem);
    BIO *bio = n > 0 ? BIO_new_mem_buf(pem, n) : NULL;
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)((uint8_t)password[i] ^ salt[i % SALT_LEN]);
    size_t sealed_len = key != NULL ? seal(key, text, len, sealed) : 0;
    explicit_bzero(text, sizeof text);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return sealed_len > 0 && vio->write_packet(vio, sealed, (int)sealed_len) == 0 ? CR_OK : CR_ERROR;
}

static int give_password(MYSQL_PLUGIN_VIO *vio, MYSQL *m, const uint8_t salt[SALT_LEN])
{
    const MARIADB_PVIO *pvio = m->net.pvio;
    bool sealed = pvio->ctls != NULL || pvio->type == PVIO_TYPE_UNIXSOCKET;
    if (trusted == SOURCE_TRUST_NONE || (trusted == SOURCE_TRUST_VERIFIED && !sealed)) {
        so_far.refused = true;
        return CR_ERROR;
    }
    so_far.gave = trusted != SOURCE_TRUST_VERIFIED;
    if (!sealed)
        return give_by_rsa(vio, m->passwd, salt);
    return vio->write_packet(vio, (const uint8_t *)m->passwd, (int)strlen(m->passwd) + 1) == 0 ? CR_OK : CR_ERROR;
}

static int log_in(MYSQL_PLUGIN_VIO *vio, MYSQL *m)
{
    uint8_t salt[SALT_LEN];
    uint8_t proof[PROOF_LEN];
    uint8_t *in;
    int n = vio->read_packet(vio, &in);
    if (n != SALT_LEN + 1)
        return CR_ERROR;
    memcpy(salt, in, sizeof salt);
    if (m->passwd == NULL || m->passwd[0] == '\0')
        return vio->write_packet(vio, NULL, 0) == 0 ? CR_OK : CR_ERROR;
    if (!make_proof(m->passwd, salt, proof) || vio->write_packet(vio, proof, sizeof proof) != 0)
        return CR_ERROR;
    n = vio->read_packet(vio, &in);
    if (n == 1 && in[0] == KNOWN)
        return CR_OK;
    return n == 1 && in[0] == TELL_ME ? give_password(vio, m, salt) : CR_ERROR;
}

void source_login_install(void)
{
    static const unsigned versions[] = {0x0100, 0x0101}; /* of Connector/C 3.3, 3.4 */
    static struct login_plugin ours = {
        .type = PLUGIN_TYPE_AUTHENTICATION,
        .name = "caching_sha2_password",
        .author = "logtailer",
        .desc = "caching_sha2_password that knows whom it speaks with",
        .version = {1, 0, 0},
        .license = "GPL",
        .authenticate_user = log_in,
    };
    MYSQL *m = mysql_init(NULL);
    bool taken = false;
    for (size_t i = 0; m != NULL && !taken && i < sizeof versions / sizeof versions[0]; i++) {
        ours.interface_version = versions[i];
        taken = mysql_client_register_plugin(m, (struct st_mysql_client_plugin *)(void *)&ours) != NULL;
    }
    lt_assert(taken);
    mysql_close(m);
}
