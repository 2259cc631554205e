/*
 * All that a client says until it is let in: the first byte chooses what the server has of it, then come payloads with a length of two bytes. Without
 * knowing the password nobody gets in; and each conversation ends.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "mysqlwire/auth.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static const char *const verifiers[] = {
    "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7",
    "$A$001$aaaaaaaaaaaaaaaaaaaaJY5MCNPGS5mMzkXrq01Ln9By8ghEaOeE5pXtB8g5kJ4",
    "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY",
};

/* A copy of its own length, so that a byte too many is seen. */
static uint8_t *take(struct cursor *c, size_t *ret_len)
{
    size_t len = c->left >= 2 ? cursor_u16(c) : 0;
    *ret_len = len < c->left ? len : c->left;
    uint8_t *copy = malloc(*ret_len + (*ret_len == 0));
    check(copy != NULL);
    if (*ret_len > 0)
        memcpy(copy, cursor_bytes(c, *ret_len), *ret_len);
    return copy;
}

static void converse(struct cursor *c, const struct handshake_login *login, unsigned choice)
{
    static const uint8_t nonce[VERIFIER_ED25519_NONCE_LEN] = "thirty-two bytes that are random";
    static const uint8_t fast[VERIFIER_FAST_LEN] = "of an earlier login";
    struct verifier v[3];
    for (size_t i = 0; i < 3; i++)
        check(verifier_parse(verifiers[i], &v[i]) == 0);
    struct auth_account account = {.verifiers = &v[choice % 3], .count = choice & 4 ? 3 - choice % 3 : 0};
    account.fast = choice & 8 ? fast : NULL;
    struct auth_ways ways = {.private_way = choice & 16, .usual = choice & 32 ? VERIFIER_SHA2 : VERIFIER_NATIVE};
    struct auth a;
    enum auth_state state = AUTH_DENIED;
    int turns = 0;
    int rc = auth_begin(&a, &account, &ways, nonce, login, &state);
    while (rc == 0 && state == AUTH_SEND) {
        size_t len;
        check(a.packet_len > 0 && ++turns < 5);
        uint8_t *payload = take(c, &len);
        rc = auth_input(&a, payload, len, &state);
        free(payload);
    }
    check(rc != 0 || state == AUTH_DENIED);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct cursor c = cursor_on(data, size);
    struct handshake_login login;
    char value[32];
    size_t len;
    unsigned choice = size > 0 ? cursor_u8(&c) : 0;
    uint8_t *payload = take(&c, &len);
    int rc = choice & 64 ? handshake_parse_change_user(payload, len, UINT32_MAX, &login)
                         : handshake_parse_login(payload, len, UINT32_MAX, &login);
    if (rc == 0 && !login.wants_tls) {
        check(strlen(login.user) <= HANDSHAKE_USER_MAX && login.proof_len <= len && login.attrs_len <= len);
        (void)handshake_attr(&login, "program_name", value, sizeof value);
        converse(&c, &login, choice);
    }
    free(payload);
    char *text = strndup((const char *)data, size);
    struct verifier v;
    check(text != NULL);
    check(verifier_parse(text, &v) == 0 || verifier_parse(text, &v) == LT_EINVAL);
    free(text);
    return 0;
}
