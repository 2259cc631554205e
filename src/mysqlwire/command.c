/*
 * - Fields at fixed places, then names with a length, or up to the payload's end. A name with a NUL in it ends there, as servers read it.
 */
#include "mysqlwire/command.h"

#include <string.h>

#include "base/cursor.h"

/* False: longer than cap - 1. */
static bool take_name(struct cursor *c, size_t len, char *ret, size_t cap)
{
    const uint8_t *at = cursor_bytes(c, len);
    if (at == NULL || len >= cap)
        return false;
    size_t n = strnlen((const char *)at, len);
    memcpy(ret, at, n);
    ret[n] = '\0';
    return true;
}

int command_parse_dump(const uint8_t *payload, size_t len, struct command_dump *ret)
{
    struct cursor c = cursor_on(payload, len);
    *ret = (struct command_dump){.gtid_set = payload};
    ret->pos = cursor_u32(&c);
    ret->flags = cursor_u16(&c);
    ret->server_id = cursor_u32(&c);
    return cursor_ok(&c) && take_name(&c, c.left, ret->file, sizeof ret->file) ? 0 : LT_EPROTO;
}

int command_parse_dump_gtid(const uint8_t *payload, size_t len, struct command_dump *ret)
{
    struct cursor c = cursor_on(payload, len);
    *ret = (struct command_dump){.by_gtid = true, .gtid_set = payload};
    ret->flags = cursor_u16(&c);
    ret->server_id = cursor_u32(&c);
    uint32_t name_len = cursor_u32(&c);
    if (!cursor_ok(&c) || !take_name(&c, name_len, ret->file, sizeof ret->file))
        return LT_EPROTO;
    ret->pos = cursor_u64(&c);
    ret->gtid_set_len = cursor_u32(&c);
    ret->gtid_set = cursor_bytes(&c, ret->gtid_set_len);
    return cursor_ok(&c) ? 0 : LT_EPROTO;
}

int command_parse_register(const uint8_t *payload, size_t len, struct command_replica *ret)
{
    struct cursor c = cursor_on(payload, len);
    *ret = (struct command_replica){0};
    ret->server_id = cursor_u32(&c);
    char password[256];
    bool ok = take_name(&c, cursor_u8(&c), ret->host, sizeof ret->host) &&
              take_name(&c, cursor_u8(&c), ret->user, sizeof ret->user) &&
              take_name(&c, cursor_u8(&c), password, sizeof password);
    explicit_bzero(password, sizeof password);
    ret->port = cursor_u16(&c);
    (void)cursor_u32(&c); /* a rank, which no server uses */
    ret->source_id = cursor_u32(&c);
    return ok && cursor_ok(&c) ? 0 : LT_EPROTO;
}
