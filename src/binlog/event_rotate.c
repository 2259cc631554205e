/* Events that name a file: Rotate and the heartbeats. And what a file name may look like. */
#include <string.h>

#include "binlog/event_body.h"

#define NAME_MIN_DIGITS 6
#define NAME_MAX_DIGITS 19 /* as many as always fit 64 bits */

enum heartbeat_field { HEARTBEAT_END = 0, HEARTBEAT_NAME = 1, HEARTBEAT_POS = 2 };

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

bool binlog_name_ok(const char *name)
{
    size_t len = strlen(name);
    if (len > BINLOG_NAME_MAX || name[0] == '.')
        return false;
    size_t digits = 0;
    while (digits < len && is_digit(name[len - 1 - digits]))
        digits++;
    if (digits < NAME_MIN_DIGITS || digits > NAME_MAX_DIGITS || digits + 2 > len || name[len - 1 - digits] != '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)name[i];
        if (ch < 0x20 || ch == 0x7f || ch == '/')
            return false;
    }
    return true;
}

uint64_t binlog_name_number(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL || dot[1] == '\0')
        return 0;
    uint64_t number = 0;
    size_t digits = 0;
    for (const char *p = dot + 1; *p != '\0'; p++) {
        if (!is_digit(*p) || ++digits > NAME_MAX_DIGITS)
            return 0;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    return number;
}

bool binlog_name_follows(const char *prev, const char *next)
{
    const char *prev_dot = strrchr(prev, '.');
    const char *next_dot = strrchr(next, '.');
    if (prev_dot == NULL || next_dot == NULL || prev_dot - prev != next_dot - next)
        return false;
    if (memcmp(prev, next, (size_t)(prev_dot - prev)) != 0)
        return false;
    uint64_t number = binlog_name_number(next);
    return number != 0 && number == binlog_name_number(prev) + 1;
}

static int copy_name(const uint8_t *data, size_t len, char ret_name[BINLOG_NAME_MAX + 1])
{
    char name[BINLOG_NAME_MAX + 1];
    if (len == 0 || len > BINLOG_NAME_MAX || memchr(data, 0, len) != NULL)
        return LT_EPROTO;
    memcpy(name, data, len);
    name[len] = '\0';
    if (!binlog_name_ok(name))
        return LT_EPROTO;
    memcpy(ret_name, name, len + 1);
    return 0;
}

int event_rotate_parse(const uint8_t *event, size_t len, bool crc, struct event_rotate *ret)
{
    struct event_header h;
    struct cursor c;
    int rc = event_body(event, len, crc, &h, &c);
    if (rc != 0)
        return rc;
    if (h.type != EVENT_ROTATE)
        return LT_EPROTO;
    uint64_t pos = cursor_u64(&c);
    if (!cursor_ok(&c))
        return LT_ESHORT;
    rc = copy_name(c.p, c.left, ret->name);
    if (rc == 0)
        ret->pos = pos;
    return rc;
}

static int parse_heartbeat_v1(const struct event_header *h, struct cursor *c, struct event_heartbeat *ret)
{
    /* MariaDB past 4 GiB: the header's position is 0 and the real one stands before the name. */
    uint64_t pos = h->log_pos != 0 ? h->log_pos : cursor_u64(c);
    if (!cursor_ok(c))
        return LT_ESHORT;
    int rc = copy_name(c->p, c->left, ret->name);
    if (rc == 0)
        ret->pos = pos;
    return rc;
}

static int parse_heartbeat_v2(struct cursor *c, struct event_heartbeat *ret)
{
    struct cursor name = {0};
    uint64_t pos = 0;
    bool have_pos = false;
    for (;;) {
        uint64_t field = cursor_lenenc(c);
        if (!cursor_ok(c))
            return LT_ESHORT;
        if (field == HEARTBEAT_END)
            break;
        struct cursor value = cursor_child(c, cursor_lenenc(c));
        if (field == HEARTBEAT_NAME) {
            name = value;
        } else if (field == HEARTBEAT_POS) {
            pos = cursor_lenenc(&value);
            have_pos = cursor_ok(&value);
        }
    }
    if (!have_pos || name.p == NULL)
        return LT_EPROTO;
    int rc = copy_name(name.p, name.left, ret->name);
    if (rc == 0)
        ret->pos = pos;
    return rc;
}

int event_heartbeat_parse(const uint8_t *event, size_t len, bool crc, struct event_heartbeat *ret)
{
    struct event_header h;
    struct cursor c;
    int rc = event_body(event, len, crc, &h, &c);
    if (rc != 0)
        return rc;
    if (h.type == EVENT_HEARTBEAT)
        return parse_heartbeat_v1(&h, &c, ret);
    if (h.type == EVENT_HEARTBEAT_V2)
        return parse_heartbeat_v2(&c, ret);
    return LT_EPROTO;
}
