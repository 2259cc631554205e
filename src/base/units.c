#include "base/units.h"

#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"B", 1},          {"K", 1ULL << 10},   {"KiB", 1ULL << 10}, {"M", 1ULL << 20},     {"MiB", 1ULL << 20},
    {"G", 1ULL << 30}, {"GiB", 1ULL << 30}, {"T", 1ULL << 40},   {"TiB", 1ULL << 40},   {"kB", 1000},
    {"KB", 1000},      {"MB", 1000000},     {"GB", 1000000000},  {"TB", 1000000000000},
};

static const struct unit time_units[] = {
    {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"min", 60000000ULL}, {"h", 3600000000}, {"d", 86400000000},
};

/* The largest unit first: what the formatters choose from. */
static const struct unit byte_names[] = {
    {"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1},
};
static const struct unit time_names[] = {
    {"d", 86400000000}, {"h", 3600000000}, {"min", 60000000ULL}, {"s", 1000000}, {"ms", 1000}, {"us", 1},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    }
    return NULL;
}

/* Decimal digits at *p, at least one and at most max_digits of them (0: any number); *p moves past them. */
static int take_digits(const char **p, unsigned max_digits, uint64_t *ret_value, unsigned *ret_digits)
{
    uint64_t v = 0;
    unsigned n = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++, n++) {
        if (__builtin_mul_overflow(v, 10U, &v) || __builtin_add_overflow(v, (uint64_t)(**p - '0'), &v))
            return LT_EINVAL;
    }
    if (n == 0 || (max_digits != 0 && n > max_digits))
        return LT_EINVAL;
    *ret_value = v;
    *ret_digits = n;
    return LT_OK;
}

int units_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t v = 0;
    unsigned digits = 0;
    if (take_digits(&text, 0, &v, &digits) != LT_OK || *text != '\0' || v > max)
        return LT_EINVAL;
    *ret_value = v;
    return LT_OK;
}

int units_parse_bytes(const char *text, uint64_t *ret_bytes)
{
    if (strcmp(text, "0") == 0) {
        *ret_bytes = 0;
        return LT_OK;
    }
    uint64_t v = 0;
    unsigned digits = 0;
    if (take_digits(&text, 0, &v, &digits) != LT_OK)
        return LT_EINVAL;
    const struct unit *unit = find_unit(byte_units, COUNT(byte_units), text);
    if (unit == NULL || __builtin_mul_overflow(v, unit->factor, &v))
        return LT_EINVAL;
    *ret_bytes = v;
    return LT_OK;
}

int units_parse_duration(const char *text, uint64_t *ret_us)
{
    if (strcmp(text, "0") == 0) {
        *ret_us = 0;
        return LT_OK;
    }
    uint64_t whole = 0;
    uint64_t part = 0;
    unsigned digits = 0;
    unsigned part_digits = 0;
    if (take_digits(&text, 0, &whole, &digits) != LT_OK)
        return LT_EINVAL;
    if (*text == '.') {
        text++;
        /* Six digits of the largest unit still fit in 64 bits. */
        if (take_digits(&text, 6, &part, &part_digits) != LT_OK)
            return LT_EINVAL;
    }
    const struct unit *unit = find_unit(time_units, COUNT(time_units), text);
    if (unit == NULL)
        return LT_EINVAL;
    uint64_t scaled = part * unit->factor;
    for (unsigned i = 0; i < part_digits; i++)
        scaled /= 10;
    uint64_t us = 0;
    if (__builtin_mul_overflow(whole, unit->factor, &us) || __builtin_add_overflow(us, scaled, &us))
        return LT_EINVAL;
    /* Something below a microsecond is not "nothing", which switches features off. */
    if (us == 0 && part != 0)
        return LT_EINVAL;
    *ret_us = us;
    return LT_OK;
}

static const char *format(uint64_t v, const struct unit *units, size_t n, char *buf, size_t cap)
{
    if (cap == 0)
        return "";
    if (v == 0) {
        (void)snprintf(buf, cap, "0");
        return buf;
    }
    size_t i = 0;
    while (i + 1 < n && v % units[i].factor != 0)
        i++;
    (void)snprintf(buf, cap, "%llu%s", (unsigned long long)(v / units[i].factor), units[i].name);
    return buf;
}

const char *units_format_bytes(uint64_t bytes, char *buf, size_t cap)
{
    return format(bytes, byte_names, COUNT(byte_names), buf, cap);
}

const char *units_format_duration(uint64_t us, char *buf, size_t cap)
{
    return format(us, time_names, COUNT(time_names), buf, cap);
}

int units_take_text(char *dst, size_t cap, const char *text)
{
    size_t len = strlen(text);
    if (len >= cap)
        return LT_EINVAL;
    memcpy(dst, text, len + 1);
    return LT_OK;
}
