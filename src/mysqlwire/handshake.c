/*
 * - A login's fields come one after another, each in the form that a capability says; a last string may lack its NUL, as old clients leave it out.
 * - Everything is copied or pointed to only after its bounds are known; a field that is too long for us refuses the login.
 */
#include "mysqlwire/handshake.h"

#include <string.h>

#include "base/cursor.h"
#include "mysqlwire/capability.h"

#define PROTOCOL        10
#define NONCE_FIRST     8
#define GREETING_ZEROS  10
#define CHARSET_UTF8MB4 45
#define LOGIN_FILLER    23
#define TLS_REQUEST_LEN 32
#define MORE_DATA       0x01
#define AUTH_SWITCH     0xfe

static int written(const struct writer *w, size_t *ret_len)
{
    *ret_len = w->len;
    return w->failed ? LT_ETOOBIG : 0;
}

int handshake_write_greeting(const struct handshake_greeting *g, uint8_t *out, size_t cap, size_t *ret_len)
{
    static const uint8_t zeros[GREETING_ZEROS];
    struct writer w = writer_on(out, cap);
    writer_u8(&w, PROTOCOL);
    writer_bytes(&w, g->version, strlen(g->version) + 1);
    writer_u32(&w, g->thread_id);
    writer_bytes(&w, g->nonce, NONCE_FIRST);
    writer_u8(&w, 0);
    writer_u16(&w, (uint16_t)g->capabilities);
    writer_u8(&w, CHARSET_UTF8MB4);
    writer_u16(&w, STATUS_AUTOCOMMIT);
    writer_u16(&w, (uint16_t)(g->capabilities >> 16));
    writer_u8(&w, VERIFIER_NONCE_LEN + 1);
    writer_bytes(&w, zeros, sizeof zeros);
    writer_bytes(&w, g->nonce + NONCE_FIRST, VERIFIER_NONCE_LEN - NONCE_FIRST);
    writer_u8(&w, 0);
    writer_bytes(&w, g->plugin, strlen(g->plugin) + 1);
    return written(&w, ret_len);
}

/* A string that ends with a NUL, or with the payload. False: none, or longer than cap - 1. */
static bool take_string(struct cursor *c, char *ret, size_t cap)
{
    const uint8_t *nul = c->left > 0 ? memchr(c->p, 0, c->left) : NULL;
    size_t len = nul != NULL ? (size_t)(nul - c->p) : c->left;
    if (!cursor_ok(c) || len >= cap)
        return false;
    if (len > 0)
        memcpy(ret, c->p, len);
    ret[len] = '\0';
    (void)cursor_bytes(c, len + (nul != NULL));
    return true;
}

static bool take_proof(struct cursor *c, uint32_t capabilities, struct handshake_login *ret)
{
    uint64_t len;
    if (capabilities & CAP_LENENC_AUTH) {
        len = cursor_lenenc(c);
    } else if (capabilities & CAP_SECURE_CONNECTION) {
        len = cursor_u8(c);
    } else { /* as the oldest of them write it: up to a NUL */
        const uint8_t *nul = c->left > 0 ? memchr(c->p, 0, c->left) : NULL;
        ret->proof_len = nul != NULL ? (size_t)(nul - c->p) : c->left;
        ret->proof = cursor_bytes(c, ret->proof_len);
        if (nul != NULL)
            (void)cursor_u8(c);
        return cursor_ok(c);
    }
    if (!cursor_ok(c) || len > c->left)
        return false;
    ret->proof_len = (size_t)len;
    ret->proof = cursor_bytes(c, (size_t)len);
    return cursor_ok(c);
}

/* Plugin and attributes, which stand last in both packets; what is missing altogether is fine. */
static bool take_tail(struct cursor *c, uint32_t capabilities, struct handshake_login *ret)
{
    if ((capabilities & CAP_PLUGIN_AUTH) && !take_string(c, ret->plugin, sizeof ret->plugin))
        return false;
    if ((capabilities & CAP_CONNECT_ATTRS) == 0 || c->left == 0)
        return cursor_ok(c);
    uint64_t len = cursor_lenenc(c);
    if (!cursor_ok(c) || len > c->left)
        return false;
    ret->attrs_len = (size_t)len;
    ret->attrs = cursor_bytes(c, (size_t)len);
    return cursor_ok(c);
}

int handshake_parse_login(const uint8_t *payload, size_t len, uint32_t offered, struct handshake_login *ret)
{
    struct cursor c = cursor_on(payload, len);
    *ret = (struct handshake_login){.proof = payload, .attrs = payload};
    ret->capabilities = cursor_u32(&c) & offered;
    if (len >= 2 && (load_u16(payload) & CAP_PROTOCOL_41) == 0)
        return LT_EUNSUPPORTED;
    ret->packet_max = cursor_u32(&c);
    ret->charset = cursor_u8(&c);
    (void)cursor_bytes(&c, LOGIN_FILLER);
    if (!cursor_ok(&c))
        return LT_EPROTO;
    if (len == TLS_REQUEST_LEN && (ret->capabilities & CAP_TLS)) {
        ret->wants_tls = true;
        return 0;
    }
    if (!take_string(&c, ret->user, sizeof ret->user) || !take_proof(&c, ret->capabilities, ret))
        return LT_EPROTO;
    if ((ret->capabilities & CAP_CONNECT_WITH_DB) && !take_string(&c, ret->schema, sizeof ret->schema))
        return LT_EPROTO;
    return take_tail(&c, ret->capabilities, ret) ? 0 : LT_EPROTO;
}

int handshake_parse_change_user(const uint8_t *payload, size_t len, uint32_t capabilities, struct handshake_login *ret)
{
    struct cursor c = cursor_on(payload, len);
    *ret = (struct handshake_login){.capabilities = capabilities, .proof = payload, .attrs = payload};
    if (!take_string(&c, ret->user, sizeof ret->user) ||
        !take_proof(&c, (capabilities & ~CAP_LENENC_AUTH) | CAP_SECURE_CONNECTION, ret) ||
        !take_string(&c, ret->schema, sizeof ret->schema))
        return LT_EPROTO;
    if (c.left == 0)
        return 0;
    ret->charset = (uint8_t)cursor_u16(&c);
    return cursor_ok(&c) && take_tail(&c, capabilities, ret) ? 0 : LT_EPROTO;
}

static bool take_span(struct cursor *c, const uint8_t **ret, size_t *ret_len)
{
    uint64_t len = cursor_lenenc(c);
    if (!cursor_ok(c) || len > c->left)
        return false;
    *ret_len = (size_t)len;
    *ret = cursor_bytes(c, (size_t)len);
    return true;
}

bool handshake_attr(const struct handshake_login *l, const char *name, char *ret, size_t cap)
{
    struct cursor c = cursor_on(l->attrs, l->attrs_len);
    const uint8_t *key;
    const uint8_t *value;
    size_t key_len;
    size_t value_len;
    ret[0] = '\0';
    while (c.left > 0 && take_span(&c, &key, &key_len) && take_span(&c, &value, &value_len)) {
        if (key_len != strlen(name) || memcmp(key, name, key_len) != 0)
            continue;
        size_t n = value_len < cap ? value_len : cap - 1;
        memcpy(ret, value, n);
        ret[n] = '\0';
        return true;
    }
    return false;
}

int handshake_write_switch(enum verifier_kind kind, const uint8_t *nonce, size_t nonce_len, uint8_t *out, size_t cap,
                           size_t *ret_len)
{
    struct writer w = writer_on(out, cap);
    const char *plugin = verifier_plugin(kind);
    writer_u8(&w, AUTH_SWITCH);
    writer_bytes(&w, plugin, strlen(plugin) + 1);
    writer_bytes(&w, nonce, nonce_len);
    if (kind != VERIFIER_ED25519) /* MariaDB's plugin takes all that comes for the nonce */
        writer_u8(&w, 0);
    return written(&w, ret_len);
}

int handshake_write_more(const void *data, size_t data_len, uint8_t *out, size_t cap, size_t *ret_len)
{
    struct writer w = writer_on(out, cap);
    writer_u8(&w, MORE_DATA);
    writer_bytes(&w, data, data_len);
    return written(&w, ret_len);
}
