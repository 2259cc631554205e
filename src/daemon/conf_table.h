/*
 * The table of configuration keys, and what the types of values can do. Private to the configuration.
 *
 * Layer: daemon. Thread: any (the table is constant).
 * Invariants: 1. a row's default parses; 2. rows of a section stand together; 3. section and key name one row.
 */
#ifndef LT_DAEMON_CONF_TABLE_H
#define LT_DAEMON_CONF_TABLE_H

#include "daemon/conf.h"

enum conf_type {
    CONF_STRING,   /* char *; max: length */
    CONF_PATH,     /* char *; max: length */
    CONF_FILE,     /* as CONF_PATH, and must be a readable file (checked by conf_finish) */
    CONF_START,    /* char * */
    CONF_BOOL,     /* bool */
    CONF_U32,      /* uint32_t */
    CONF_MODE,     /* uint32_t, octal */
    CONF_BYTES,    /* uint64_t */
    CONF_DURATION, /* uint64_t, microseconds */
    CONF_ENUM,     /* int, index in names */
    CONF_LISTEN,   /* struct conf_listen */
};

#define CONF_RELOAD 1U /* a running daemon takes it over; without: needs a restart */
#define CONF_SECRET 2U /* tells where credentials are: not shown */

struct conf_row {
    const char *section;
    const char *key;
    const char *fallback; /* default as text; "" is not set */
    const char *help;
    const char *const *names; /* CONF_ENUM: NULL-terminated */
    uint64_t min;
    uint64_t max;
    size_t offset; /* in struct conf */
    enum conf_type type;
    unsigned flags;
};

extern const struct conf_row conf_rows[];
extern const size_t conf_n_rows;

const struct conf_row *conf_find(const char *section, const char *key);
bool conf_has_section(const char *section);
/* "source, store, ..." and "host, port, ..." for error texts; always terminated. */
void conf_list_sections(char *buf, size_t cap);
void conf_list_keys(const char *section, char *buf, size_t cap);

#define CONF_TEXT_MAX 4400 /* holds any value as text */

static inline bool conf_is_text(enum conf_type type)
{
    return type == CONF_STRING || type == CONF_PATH || type == CONF_FILE || type == CONF_START;
}

/* Parse value into its place; LT_EINVAL leaves the place as it was. */
int conf_value_parse(const struct conf_row *row, const char *value, struct conf *conf) LT_MUST_CHECK;
/* The value as text that parses back to it. */
void conf_value_format(const struct conf_row *row, const struct conf *conf, char *buf, size_t cap);
/* "a number from 1 to 65535" */
void conf_value_describe(const struct conf_row *row, char *buf, size_t cap);
/* Where the row's value is. */
static inline const void *conf_value_look(const struct conf_row *row, const struct conf *conf)
{
    return (const char *)conf + row->offset;
}

static inline void *conf_value_place(const struct conf_row *row, struct conf *conf)
{
    return (char *)conf + row->offset;
}

#endif
