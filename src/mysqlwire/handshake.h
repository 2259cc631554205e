/*
 * The packets of a login, from the server's side: the greeting that we send, the client's answer, COM_CHANGE_USER, and what goes to and fro until
 * somebody is let in. Payloads only: the 4 bytes in front of each packet are the caller's.
 *
 * Layer: mysqlwire. Pure. Thread: any. Borrows: spans of a parsed login point into the payload.
 * Errors: LT_EPROTO for what no client sends; LT_EUNSUPPORTED for clients older than protocol 4.1; LT_ETOOBIG where a buffer is too small.
 */
#ifndef LT_MYSQLWIRE_HANDSHAKE_H
#define LT_MYSQLWIRE_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mysqlwire/verifier.h"

#define HANDSHAKE_USER_MAX   128 /* bytes without the NUL; servers allow 32 characters (MySQL), 128 bytes (MariaDB) */
#define HANDSHAKE_SCHEMA_MAX 256
#define HANDSHAKE_PLUGIN_MAX 64
/* A login is at most this long: attributes are at most 64 KiB by the servers' own bound. */
#define HANDSHAKE_LOGIN_MAX (68u * 1024)

struct handshake_greeting {
    const char *version;
    uint32_t thread_id;
    uint32_t capabilities;
    uint8_t nonce[VERIFIER_NONCE_LEN]; /* random, no byte is 0 */
    const char *plugin;
};

int handshake_write_greeting(const struct handshake_greeting *g, uint8_t *out, size_t cap,
                             size_t *ret_len) LT_MUST_CHECK;

struct handshake_login {
    uint32_t capabilities; /* the client's, as far as they were offered */
    uint32_t packet_max;
    uint8_t charset;
    bool wants_tls; /* a request for TLS: nothing else is set, the login follows inside */
    char user[HANDSHAKE_USER_MAX + 1];
    char schema[HANDSHAKE_SCHEMA_MAX + 1];
    char plugin[HANDSHAKE_PLUGIN_MAX + 1]; /* "": the client knows no plugins: mysql_native_password */
    const uint8_t *proof;
    size_t proof_len;
    const uint8_t *attrs; /* key, value, key, value, each with its length */
    size_t attrs_len;
};

/* offered: the greeting's capabilities. Clients set bits of others as well, and leave out their fields. */
int handshake_parse_login(const uint8_t *payload, size_t len, uint32_t offered,
                          struct handshake_login *ret) LT_MUST_CHECK;
/* The payload of COM_CHANGE_USER behind the command's byte. capabilities: what was agreed upon at login. */
int handshake_parse_change_user(const uint8_t *payload, size_t len, uint32_t capabilities,
                                struct handshake_login *ret) LT_MUST_CHECK;
/* One attribute by its name, cut to cap - 1 bytes, NUL-terminated. False: not there ("" then). */
bool handshake_attr(const struct handshake_login *l, const char *name, char *ret, size_t cap);

/* "Use this plugin, with this nonce." A nonce is sent with a NUL behind it. */
int handshake_write_switch(enum verifier_kind kind, const uint8_t *nonce, size_t nonce_len, uint8_t *out, size_t cap,
                           size_t *ret_len) LT_MUST_CHECK;
/* Data of a plugin: 01 in front. */
int handshake_write_more(const void *data, size_t data_len, uint8_t *out, size_t cap, size_t *ret_len) LT_MUST_CHECK;

#endif
