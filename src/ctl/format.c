#include "ctl/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/plain.h"

const char *format_bytes(double bytes, char *buf)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t i = 0;
    while (bytes >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        i++;
    }
    (void)snprintf(buf, FORMAT_SMALL, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
    return buf;
}

const char *format_us(double us, char *buf)
{
    if (us < 1000)
        (void)snprintf(buf, FORMAT_SMALL, "%.0f us", us);
    else if (us < 1e6)
        (void)snprintf(buf, FORMAT_SMALL, "%.1f ms", us / 1e3);
    else
        return format_seconds(us / 1e6, buf);
    return buf;
}

const char *format_seconds(double seconds, char *buf)
{
    if (seconds < 120)
        (void)snprintf(buf, FORMAT_SMALL, "%.1f s", seconds);
    else if (seconds < 7200)
        (void)snprintf(buf, FORMAT_SMALL, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        (void)snprintf(buf, FORMAT_SMALL, "%.1f h", seconds / 3600);
    else
        (void)snprintf(buf, FORMAT_SMALL, "%.1f d", seconds / 86400);
    return buf;
}

const char *format_count(uint64_t n, char *buf)
{
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *out = buf;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return buf;
}

char *format_clean(const char *text)
{
    char *copy = strdup(text);
    if (copy != NULL)
        plain_bytes(copy, strlen(copy), '?');
    return copy;
}

size_t format_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int ends_in(const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t s = strlen(suffix);
    return n >= s && strcmp(name + n - s, suffix) == 0;
}

/* Seconds since the epoch. */
static const char *format_time(double seconds, char *buf)
{
    struct tm tm;
    time_t s = (time_t)seconds;
    if (!(seconds > 0 && seconds < 253402300800.0) || gmtime_r(&s, &tm) == NULL ||
        strftime(buf, FORMAT_SMALL, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(buf, FORMAT_SMALL, "%.0f", seconds);
    return buf;
}

static const char *format_number(const char *name, const json_t *value, char *buf)
{
    double number = json_number_value(value);
    if (ends_in(name, "bytes"))
        return format_bytes(number, buf);
    if (ends_in(name, "_us"))
        return format_us(number, buf);
    if (ends_in(name, "seconds"))
        return format_seconds(number, buf);
    if (ends_in(name, "_at_s") || ends_in(name, "_since_s"))
        return format_time(number, buf);
    if (json_is_integer(value))
        (void)snprintf(buf, FORMAT_SMALL, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        (void)snprintf(buf, FORMAT_SMALL, "%.3f", number);
    return buf;
}

char *format_value(const char *name, const json_t *value)
{
    char buf[FORMAT_SMALL];
    if (json_is_string(value))
        return format_clean(json_string_value(value));
    if (json_is_number(value))
        return strdup(format_number(name, value, buf));
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "yes" : "no");
    if (json_is_array(value)) {
        (void)snprintf(buf, sizeof buf, "%zu", json_array_size(value));
        return strdup(buf);
    }
    const char *file = json_string_value(json_object_get(value, "file"));
    char *text = NULL;
    if (file != NULL) {
        const json_t *offset = json_object_get(value, "offset");
        if (asprintf(&text, "%s:%" JSON_INTEGER_FORMAT, file, json_integer_value(offset)) < 0)
            return NULL;
        char *clean = format_clean(text);
        free(text);
        return clean;
    }
    if (json_is_object(value) && json_object_size(value) > 0) {
        text = json_dumps(value, JSON_COMPACT);
        char *clean = text != NULL ? format_clean(text) : NULL;
        free(text);
        return clean;
    }
    return strdup("-");
}
