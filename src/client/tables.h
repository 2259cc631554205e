/*
 * Which table a row event is about: remembers the table maps of a file.
 *
 * Layer: client (program). Pure but for memory. Thread: one at a time. Owns: the names (tables_fini).
 * Errors: bytes that do not parse give no name. Only the last TABLES_SLOTS table maps are known, more than a statement can have open.
 */
#ifndef LT_CLIENT_TABLES_H
#define LT_CLIENT_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLES_SLOTS    4096
#define TABLES_NAME_MAX 255 /* bytes of a database or table name */

struct table_name {
    uint64_t id;
    char database[TABLES_NAME_MAX + 1];
    char table[TABLES_NAME_MAX + 1];
};

struct tables {
    struct table_name *slots[TABLES_SLOTS]; /* by id modulo their number */
};

void tables_fini(struct tables *t);
/* A new file: table ids begin anew. */
void tables_reset(struct tables *t);

/* The table of a Table_map (remembers it) or row event; NULL for other events and where it is not known. */
const struct table_name *tables_look(struct tables *t, uint8_t type, const uint8_t *event, size_t len);
bool tables_is_rows(uint8_t type);

/* What a Query event says; views into the event, not terminated. */
struct query_text {
    const char *database;
    size_t database_len;
    const char *statement; /* NULL where it is compressed */
    size_t statement_len;
};
bool tables_query(uint8_t type, const uint8_t *event, size_t len, bool crc, struct query_text *ret);

#endif
