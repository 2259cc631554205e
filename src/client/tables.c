/*
 * Table_map: header | table_id:6 flags:2 | db_len:1 db 00 | table_len:1 table 00 | …
 * Rows:      header | table_id:6 flags:2 | …
 * Query:     header | thread:4 time:4 db_len:1 error:2 status_len:2 | status | db 00 | statement | [crc]
 */
#include "client/tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/event.h"

void tables_reset(struct tables *t)
{
    for (size_t i = 0; i < TABLES_SLOTS; i++) {
        free(t->slots[i]);
        t->slots[i] = NULL;
    }
}

void tables_fini(struct tables *t)
{
    tables_reset(t);
}

bool tables_is_rows(uint8_t type)
{
    return (type >= EVENT_WRITE_ROWS_V1 && type <= EVENT_DELETE_ROWS_V1) ||
           (type >= EVENT_WRITE_ROWS && type <= EVENT_DELETE_ROWS) || type == EVENT_PARTIAL_UPDATE_ROWS ||
           (type >= EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1 && type <= EVENT_MARIADB_DELETE_ROWS_COMPRESSED);
}

static struct cursor body_of(const uint8_t *event, size_t len)
{
    struct cursor c = cursor_on(event, len);
    (void)cursor_bytes(&c, EVENT_HEADER_LEN);
    return c;
}

static uint64_t take_id(struct cursor *c)
{
    uint64_t low = cursor_u32(c);
    return low | (uint64_t)cursor_u16(c) << 32;
}

static void take_name(struct cursor *c, char *ret)
{
    size_t n = cursor_u8(c);
    const uint8_t *p = cursor_bytes(c, n);
    (void)cursor_u8(c);
    if (p == NULL || !cursor_ok(c))
        return;
    memcpy(ret, p, n);
    ret[n] = '\0';
}

static const struct table_name *learn(struct tables *t, const uint8_t *event, size_t len)
{
    struct table_name name = {0};
    struct cursor c = body_of(event, len);
    name.id = take_id(&c);
    (void)cursor_u16(&c);
    take_name(&c, name.database);
    take_name(&c, name.table);
    if (!cursor_ok(&c))
        return NULL;
    struct table_name **slot = &t->slots[name.id % TABLES_SLOTS];
    if (*slot == NULL)
        *slot = malloc(sizeof name);
    if (*slot != NULL)
        **slot = name;
    return *slot;
}

const struct table_name *tables_look(struct tables *t, uint8_t type, const uint8_t *event, size_t len)
{
    if (type == EVENT_TABLE_MAP)
        return learn(t, event, len);
    if (!tables_is_rows(type))
        return NULL;
    struct cursor c = body_of(event, len);
    uint64_t id = take_id(&c);
    const struct table_name *name = t->slots[id % TABLES_SLOTS];
    return cursor_ok(&c) && name != NULL && name->id == id ? name : NULL;
}

bool tables_query(uint8_t type, const uint8_t *event, size_t len, bool crc, struct query_text *ret)
{
    bool load = type == EVENT_EXECUTE_LOAD_QUERY;
    if ((type != EVENT_QUERY && type != EVENT_MARIADB_QUERY_COMPRESSED && !load) || len < (crc ? EVENT_CRC_LEN : 0u))
        return false;
    struct cursor c = body_of(event, len - (crc ? EVENT_CRC_LEN : 0));
    (void)cursor_u64(&c);
    size_t database_len = cursor_u8(&c);
    (void)cursor_u16(&c);
    size_t status_len = cursor_u16(&c);
    if (load) /* file_id:4, where in the statement its name stands:4+4, duplicates:1 */
        (void)cursor_bytes(&c, 13);
    (void)cursor_bytes(&c, status_len);
    const uint8_t *database = cursor_bytes(&c, database_len);
    (void)cursor_u8(&c);
    if (!cursor_ok(&c))
        return false;
    *ret = (struct query_text){.database = (const char *)database, .database_len = database_len};
    if (type != EVENT_MARIADB_QUERY_COMPRESSED) {
        ret->statement = (const char *)c.p;
        ret->statement_len = c.left;
    }
    return true;
}
