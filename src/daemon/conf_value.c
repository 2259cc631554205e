#include "daemon/conf_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loopback.h"
#include "base/units.h"

/* No control characters: they would go into log lines, option packets and path names. */
static bool is_printable(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    }
    return true;
}

/* earliest, latest, or a binlog file's name: no folder, and a number at the end. */
static bool is_start(const char *s)
{
    if (strcmp(s, "earliest") == 0 || strcmp(s, "latest") == 0)
        return true;
    const char *dot = strrchr(s, '.');
    if (dot == NULL || dot == s || dot[1] == '\0' || strchr(s, '/') != NULL)
        return false;
    return dot[1 + strspn(dot + 1, "0123456789")] == '\0';
}

static bool is_text_good(const struct conf_row *row, const char *value)
{
    if (strlen(value) > row->max || !is_printable(value))
        return false;
    if (row->type == CONF_STRING)
        return strpbrk(value, " \t") == NULL;
    return row->type != CONF_START || is_start(value);
}

static int parse_text(const struct conf_row *row, const char *value, char **place)
{
    if (!is_text_good(row, value))
        return LT_EINVAL;
    char *copy = NULL;
    if (value[0] != '\0') {
        copy = strdup(value);
        if (copy == NULL)
            return LT_ENOMEM;
    }
    free(*place);
    *place = copy;
    return LT_OK;
}

static int parse_bool(const char *value, bool *place)
{
    bool yes = strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0)
        return LT_EINVAL;
    *place = yes;
    return LT_OK;
}

static int parse_mode(const struct conf_row *row, const char *value, uint32_t *place)
{
    size_t n = strspn(value, "01234567");
    if (n < 3 || n > 4 || value[n] != '\0')
        return LT_EINVAL;
    uint32_t mode = 0;
    for (size_t i = 0; i < n; i++)
        mode = mode << 3 | (uint32_t)(value[i] - '0');
    if (mode > row->max)
        return LT_EINVAL;
    *place = mode;
    return LT_OK;
}

static int parse_enum(const struct conf_row *row, const char *value, int *place)
{
    for (int i = 0; row->names[i] != NULL; i++) {
        if (strcmp(row->names[i], value) == 0) {
            *place = i;
            return LT_OK;
        }
    }
    return LT_EINVAL;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return loopback_v4(&v4);
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return loopback_v6(&v6);
    return strcmp(host, "localhost") == 0;
}

/* host:port, [ipv6]:port or off. */
static int parse_listen(const struct conf_row *row, const char *value, struct conf_listen *place)
{
    struct conf_listen addr = {0};
    if (strcmp(value, "off") == 0) {
        *place = addr;
        return LT_OK;
    }
    const char *colon = strrchr(value, ':');
    uint64_t port = 0;
    if (colon == NULL || units_parse_u64(colon + 1, row->max, &port) != LT_OK)
        return LT_EINVAL;
    const char *host = value;
    size_t len = (size_t)(colon - value);
    bool bracketed = value[0] == '[';
    if (bracketed) {
        if (len < 2 || colon[-1] != ']')
            return LT_EINVAL;
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof addr.host)
        return LT_EINVAL;
    memcpy(addr.host, host, len);
    struct in6_addr v6;
    if (bracketed ? inet_pton(AF_INET6, addr.host, &v6) != 1
                  : strpbrk(addr.host, " \t:[]*/") != NULL || !is_printable(addr.host))
        return LT_EINVAL;
    addr.on = true;
    addr.port = (uint16_t)port;
    addr.loopback = is_loopback(addr.host);
    *place = addr;
    return LT_OK;
}

static int parse_u64(const struct conf_row *row, const char *value, uint64_t *ret_value)
{
    uint64_t v = 0;
    int rc = LT_EINVAL;
    if (row->type == CONF_BYTES)
        rc = units_parse_bytes(value, &v);
    else if (row->type == CONF_DURATION)
        rc = units_parse_duration(value, &v);
    else
        rc = units_parse_u64(value, row->max, &v);
    if (rc != LT_OK || v < row->min || v > row->max)
        return LT_EINVAL;
    *ret_value = v;
    return LT_OK;
}

int conf_value_parse(const struct conf_row *row, const char *value, struct conf *conf)
{
    void *place = conf_value_place(row, conf);
    uint64_t v = 0;
    int rc = LT_OK;
    switch (row->type) {
    case CONF_STRING:
    case CONF_PATH:
    case CONF_FILE:
    case CONF_START:
        return parse_text(row, value, place);
    case CONF_BOOL:
        return parse_bool(value, place);
    case CONF_MODE:
        return parse_mode(row, value, place);
    case CONF_ENUM:
        return parse_enum(row, value, place);
    case CONF_LISTEN:
        return parse_listen(row, value, place);
    case CONF_U32:
        rc = parse_u64(row, value, &v);
        if (rc == LT_OK)
            *(uint32_t *)place = (uint32_t)v;
        return rc;
    case CONF_BYTES:
    case CONF_DURATION:
        return parse_u64(row, value, place);
    }
    return LT_EINVAL;
}

static void format_listen(const struct conf_listen *addr, char *buf, size_t cap)
{
    bool v6 = strchr(addr->host, ':') != NULL;
    if (addr->on)
        (void)snprintf(buf, cap, v6 ? "[%s]:%u" : "%s:%u", addr->host, (unsigned)addr->port);
    else
        (void)snprintf(buf, cap, "off");
}

void conf_value_format(const struct conf_row *row, const struct conf *conf, char *buf, size_t cap)
{
    const void *place = conf_value_look(row, conf);
    const char *text = NULL;
    switch (row->type) {
    case CONF_STRING:
    case CONF_PATH:
    case CONF_FILE:
    case CONF_START:
        text = *(char *const *)place;
        break;
    case CONF_BOOL:
        text = *(const bool *)place ? "yes" : "no";
        break;
    case CONF_ENUM:
        text = row->names[*(const int *)place];
        break;
    case CONF_U32:
        (void)snprintf(buf, cap, "%u", (unsigned)*(const uint32_t *)place);
        return;
    case CONF_MODE:
        (void)snprintf(buf, cap, "%04o", (unsigned)*(const uint32_t *)place);
        return;
    case CONF_BYTES:
        (void)units_format_bytes(*(const uint64_t *)place, buf, cap);
        return;
    case CONF_DURATION:
        (void)units_format_duration(*(const uint64_t *)place, buf, cap);
        return;
    case CONF_LISTEN:
        format_listen(place, buf, cap);
        return;
    }
    (void)snprintf(buf, cap, "%s", text != NULL ? text : "");
}

static void describe_names(const struct conf_row *row, char *buf, size_t cap)
{
    size_t len = 0;
    (void)snprintf(buf, cap, "one of");
    for (size_t i = 0; row->names[i] != NULL; i++) {
        len = strlen(buf);
        (void)snprintf(buf + len, cap - len, "%s %s", i > 0 ? "," : "", row->names[i]);
    }
}

void conf_value_describe(const struct conf_row *row, char *buf, size_t cap)
{
    char min[32];
    char max[32];
    switch (row->type) {
    case CONF_STRING:
        (void)snprintf(buf, cap, "at most %u characters without blanks", (unsigned)row->max);
        break;
    case CONF_PATH:
        (void)snprintf(buf, cap, "a path of at most %u bytes", (unsigned)row->max);
        break;
    case CONF_FILE:
        (void)snprintf(buf, cap, "the path of a readable file");
        break;
    case CONF_START:
        (void)snprintf(buf, cap, "earliest, latest or a binlog file name such as mysql-bin.000007");
        break;
    case CONF_BOOL:
        (void)snprintf(buf, cap, "yes or no");
        break;
    case CONF_MODE:
        (void)snprintf(buf, cap, "an octal mode from 000 to %04o", (unsigned)row->max);
        break;
    case CONF_U32:
        (void)snprintf(buf, cap, "a number from %u to %u", (unsigned)row->min, (unsigned)row->max);
        break;
    case CONF_BYTES:
        (void)snprintf(
            buf, cap,
            "a size with its unit, such as 200G: a whole number with B, K, M, G, T (or KiB, ...), or kB, MB, GB, TB");
        break;
    case CONF_DURATION:
        (void)snprintf(buf, cap, "a duration from %s to %s: a number with us, ms, s, min, h or d",
                       units_format_duration(row->min, min, sizeof min),
                       units_format_duration(row->max, max, sizeof max));
        break;
    case CONF_ENUM:
        describe_names(row, buf, cap);
        break;
    case CONF_LISTEN:
        (void)snprintf(buf, cap, "host:port, [ipv6]:port or off");
        break;
    }
}
