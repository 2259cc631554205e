#include "base/jpath.h"

#include <string.h>

#define STEPS_MAX 8

const json_t *jpath(const json_t *object, const char *path)
{
    const json_t *at = object;
    for (int i = 0; i < STEPS_MAX && at != NULL; i++) {
        char key[64];
        size_t len = strcspn(path, ".");
        if (len >= sizeof key)
            return NULL;
        memcpy(key, path, len);
        key[len] = '\0';
        at = json_object_get(at, key);
        if (path[len] == '\0')
            return json_is_null(at) ? NULL : at;
        path += len + 1;
    }
    return NULL;
}

const char *jpath_text(const json_t *object, const char *path, const char *fallback)
{
    const char *text = json_string_value(jpath(object, path));
    return text != NULL ? text : fallback;
}

bool jpath_number(const json_t *object, const char *path, double *ret_number)
{
    const json_t *value = jpath(object, path);
    if (!json_is_number(value))
        return false;
    *ret_number = json_number_value(value);
    return true;
}

bool jpath_count(const json_t *object, const char *path, uint64_t *ret_count)
{
    const json_t *value = jpath(object, path);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_count = (uint64_t)json_integer_value(value);
    return true;
}

bool jpath_is_true(const json_t *object, const char *path)
{
    return json_is_true(jpath(object, path));
}
