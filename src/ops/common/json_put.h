/*
 * Small makers of JSON values for answers. Not known is null, never 0.
 * Layer: ops/common. Thread: any. Out of memory shows as a missing key.
 */
#ifndef LT_OPS_JSON_PUT_H
#define LT_OPS_JSON_PUT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/hist.h"
#include "binlog/gtid.h"

static inline void put(json_t *object, const char *key, json_t *value)
{
    lt_ignore(json_object_set_new(object, key, value));
}

static inline void put_item(json_t *array, json_t *value)
{
    lt_ignore(json_array_append_new(array, value));
}

static inline json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static inline json_t *count(uint64_t v)
{
    return json_integer((json_int_t)v);
}

json_t *wall_time(uint64_t us);                                  /* "2026-11-23T09:10:58.123Z"; null for 0 */
json_t *file_offset(const char *file, uint64_t offset);          /* {file, offset}; null for "" */
json_t *gtids(const struct gtid_set *gs);                        /* text */
json_t *histogram(const struct hist *h, const char *count_name); /* {count_name, p50_us, p99_us, max_us} */

#endif
