/*
 * - The client's own plugin is taken where the account has a verifier of that kind; else it is told to switch to the account's first.
 * - Each answer is judged by what is waited for. A proof that does not fit is the end, but for caching_sha2_password's first, which only decides
 *   whether the password itself is asked for.
 * Failure: what cannot be computed or opened is denied.
 */
#include "mysqlwire/auth.h"

#include <openssl/crypto.h>
#include <openssl/rsa.h>
#include <string.h>

#define SHA2_FAST_OK     3
#define SHA2_FULL        4
#define SHA2_WANTS_KEY   2
#define SEALED_MAX       1024
#define NATIVE_PROOF_LEN 20

enum { WAIT_PROOF, WAIT_PASSWORD, WAIT_SEALED };

static const struct verifier *verifier_of(const struct auth_account *account, enum verifier_kind kind)
{
    for (size_t i = 0; i < account->count; i++)
        if (account->verifiers[i].kind == kind)
            return &account->verifiers[i];
    return NULL;
}

static int say(int rc, enum auth_state *ret)
{
    *ret = AUTH_SEND;
    return rc;
}

static int say_byte(struct auth *a, uint8_t byte, enum auth_state *ret)
{
    return say(handshake_write_more(&byte, 1, a->packet, sizeof a->packet, &a->packet_len), ret);
}

static int tell(bool fits, enum auth_state *ret)
{
    *ret = fits ? AUTH_ACCEPTED : AUTH_DENIED;
    return 0;
}

/* An account that was never there is asked for its password as well: the answer takes as many packets. */
static int judge_sha2_proof(struct auth *a, const uint8_t *proof, size_t len, enum auth_state *ret)
{
    if (len == 0 || (len == 1 && proof[0] == 0))
        return tell(false, ret); /* an empty password */
    if (len != VERIFIER_FAST_LEN)
        return LT_EPROTO;
    if (a->verifier != NULL && a->account.fast != NULL && verifier_fast_fits(a->account.fast, a->nonce, proof, len)) {
        /* 03 and the OK behind it go out together. */
        int rc = say_byte(a, SHA2_FAST_OK, ret);
        *ret = AUTH_ACCEPTED;
        return rc;
    }
    a->waits_for = WAIT_PASSWORD;
    return say_byte(a, SHA2_FULL, ret);
}

static int judge_proof(struct auth *a, const uint8_t *proof, size_t len, enum auth_state *ret)
{
    switch (a->kind) {
    case VERIFIER_NATIVE:
        if (len != 0 && len != NATIVE_PROOF_LEN)
            return LT_EPROTO;
        return tell(a->verifier != NULL && verifier_native_fits(a->verifier, a->nonce, proof, len), ret);
    case VERIFIER_ED25519:
        return tell(a->verifier != NULL && verifier_ed25519_fits(a->verifier, a->nonce, proof, len), ret);
    case VERIFIER_SHA2:
        break;
    }
    return judge_sha2_proof(a, proof, len, ret);
}

int auth_begin(struct auth *a, const struct auth_account *account, const struct auth_ways *ways,
               const uint8_t nonce[VERIFIER_ED25519_NONCE_LEN], const struct handshake_login *login,
               enum auth_state *ret)
{
    *a = (struct auth){.account = *account, .ways = *ways, .waits_for = WAIT_PROOF};
    memcpy(a->nonce, nonce, sizeof a->nonce);
    enum verifier_kind theirs = VERIFIER_NATIVE;
    bool known = login->plugin[0] == '\0' || verifier_kind_of(login->plugin, &theirs);
    a->kind = account->count > 0 ? account->verifiers[0].kind : ways->usual;
    if (known && verifier_of(account, theirs) != NULL)
        a->kind = theirs;
    a->verifier = verifier_of(account, a->kind);
    /* The proof that came is over the greeting's nonce; an Ed25519 signature never can be. */
    if (known && theirs == a->kind && a->kind != VERIFIER_ED25519)
        return judge_proof(a, login->proof, login->proof_len, ret);
    if (login->plugin[0] == '\0')
        return tell(false, ret); /* it cannot switch */
    size_t nonce_len = a->kind == VERIFIER_ED25519 ? VERIFIER_ED25519_NONCE_LEN : VERIFIER_NONCE_LEN;
    return say(handshake_write_switch(a->kind, a->nonce, nonce_len, a->packet, sizeof a->packet, &a->packet_len), ret);
}

static int judge_password(struct auth *a, const char *password, size_t len, enum auth_state *ret)
{
    /* Somebody who is not there takes as long. */
    static const struct verifier nobody = {.kind = VERIFIER_SHA2, .rounds = 5000};
    bool fits = verifier_sha2_fits(a->verifier != NULL ? a->verifier : &nobody, password, len, a->fast);
    a->has_fast = fits && a->verifier != NULL;
    return tell(a->has_fast, ret);
}

/* OAEP; what is inside was XORed with the nonce, and ends with a NUL. */
static int judge_sealed(struct auth *a, const uint8_t *sealed, size_t len, enum auth_state *ret)
{
    uint8_t opened[SEALED_MAX];
    size_t n = sizeof opened;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(a->ways.rsa, NULL);
    bool ok = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              (size_t)EVP_PKEY_get_size(a->ways.rsa) <= sizeof opened &&
              EVP_PKEY_decrypt(ctx, opened, &n, sealed, len) == 1 && n > 0;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return tell(false, ret);
    for (size_t i = 0; i < n; i++)
        opened[i] ^= a->nonce[i % VERIFIER_NONCE_LEN];
    int rc = opened[n - 1] == '\0' ? judge_password(a, (const char *)opened, n - 1, ret) : tell(false, ret);
    OPENSSL_cleanse(opened, sizeof opened);
    return rc;
}

/* Clients that go by their own settings ask for the key on a private way as well. */
static int take_password(struct auth *a, const uint8_t *payload, size_t len, enum auth_state *ret)
{
    bool wants_key = len == 1 && payload[0] == SHA2_WANTS_KEY;
    if (wants_key && a->ways.rsa != NULL) {
        a->waits_for = WAIT_SEALED;
        return say(
            handshake_write_more(a->ways.rsa_pem, strlen(a->ways.rsa_pem), a->packet, sizeof a->packet, &a->packet_len),
            ret);
    }
    if (wants_key || !a->ways.private_way)
        return tell(false, ret); /* in clear text, where everybody reads it: it is not looked at */
    if (len == 0 || payload[len - 1] != '\0')
        return LT_EPROTO;
    return judge_password(a, (const char *)payload, len - 1, ret);
}

int auth_input(struct auth *a, const uint8_t *payload, size_t len, enum auth_state *ret)
{
    a->packet_len = 0;
    switch (a->waits_for) {
    case WAIT_PASSWORD:
        return take_password(a, payload, len, ret);
    case WAIT_SEALED:
        return judge_sealed(a, payload, len, ret);
    default:
        return judge_proof(a, payload, len, ret);
    }
}
