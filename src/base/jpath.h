/*
 * Reads fields of a JSON answer by path ("durable.file") without minding what is missing, null or of another type.
 *
 * Layer: base, a library of its own (it needs jansson). Thread: any. Borrows: the object, for what it returns.
 * Errors: none; what cannot be had is NULL, false or the fallback. Null counts as missing: not known is never 0.
 */
#ifndef LT_BASE_JPATH_H
#define LT_BASE_JPATH_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* Objects only, at most 8 steps of at most 63 bytes; NULL where any step is missing or null. */
const json_t *jpath(const json_t *object, const char *path);
const char *jpath_text(const json_t *object, const char *path, const char *fallback);
/* Integers and reals. */
bool jpath_number(const json_t *object, const char *path, double *ret_number);
/* Integers that are not negative. */
bool jpath_count(const json_t *object, const char *path, uint64_t *ret_count);
bool jpath_is_true(const json_t *object, const char *path);

#endif
