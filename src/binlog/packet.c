#include "binlog/packet.h"

#include <string.h>

#include "base/cursor.h"
#include "binlog/event.h"

#define FIRST_EVENT        0x00
#define FIRST_EOF          0xfe
#define FIRST_ERR          0xff
#define EOF_LEN_MAX        8
#define PREFIX_PLAIN       1
#define PREFIX_SEMI_SYNC   3
#define SEMI_SYNC_FLAG_ACK 0x01

#define EVENT_OFF_TYPE   4
#define EVENT_OFF_LENGTH 9

/* The header of a physical part that is there up to its first piece. */
static int take_part_header(struct packet_framer *f, const uint8_t *buf, size_t len, size_t whole_max)
{
    if (len < PACKET_HEADER_LEN)
        return LT_EAGAIN;
    uint32_t part = load_u24(buf);
    if (part == 0 && !f->started)
        return LT_EPROTO;
    size_t need = part <= whole_max ? part : whole_max;
    if (need == 0 && part != 0)
        need = 1;
    if (len - PACKET_HEADER_LEN < need)
        return LT_EAGAIN;
    if (!f->started) {
        f->started = true;
        f->first = true;
    }
    f->part_len = part;
    f->part_left = part;
    f->more_parts = part == PACKET_MAX_PART;
    f->seq = buf[3];
    f->in_part = true;
    return 0;
}

int packet_next(struct packet_framer *f, const uint8_t *buf, size_t len, size_t whole_max, struct packet_span *ret_span,
                size_t *ret_used)
{
    size_t used = 0;
    *ret_used = 0;
    if (!f->in_part) {
        int rc = take_part_header(f, buf, len, whole_max);
        if (rc != 0)
            return rc;
        used = PACKET_HEADER_LEN;
    } else if (len == 0) {
        return LT_EAGAIN;
    }
    size_t n = len - used;
    if (n >= f->part_left) {
        n = f->part_left;
        f->in_part = false;
    }
    f->part_left -= (uint32_t)n;
    bool last = !f->in_part && !f->more_parts;
    ret_span->data = buf + used;
    ret_span->len = n;
    ret_span->first = f->first;
    ret_span->last = last;
    ret_span->seq = f->seq;
    ret_span->part_len = f->part_len;
    f->first = false;
    f->started = !last;
    *ret_used = used + n;
    return 0;
}

static bool holds_rotate(const uint8_t *payload, size_t len, size_t prefix)
{
    if (len < prefix + EVENT_HEADER_LEN)
        return false;
    const uint8_t *event = payload + prefix;
    return event[EVENT_OFF_TYPE] == EVENT_ROTATE && load_u32(event + EVENT_OFF_LENGTH) == len - prefix;
}

int packet_detect_semi_sync(const uint8_t *payload, size_t len, enum semi_sync_header *ret_header)
{
    if (len == 0 || payload[0] != FIRST_EVENT)
        return LT_EPROTO;
    bool absent = holds_rotate(payload, len, PREFIX_PLAIN);
    bool present = holds_rotate(payload, len, PREFIX_SEMI_SYNC) && payload[1] == PACKET_SEMI_SYNC_MAGIC;
    if (absent == present)
        return LT_EPROTO;
    *ret_header = present ? SEMI_SYNC_HEADER_PRESENT : SEMI_SYNC_HEADER_ABSENT;
    return 0;
}

/* Texts of a peer end up in logs. */
static char printable(uint8_t ch)
{
    if (ch < 0x20 || ch == 0x7f)
        return ' ';
    return (char)ch;
}

static int parse_err(const uint8_t *payload, size_t len, struct packet_first *ret)
{
    struct cursor c = cursor_on(payload, len);
    (void)cursor_u8(&c);
    struct packet_first first = {.kind = PACKET_ERR, .err_code = cursor_u16(&c), .err_state = "HY000"};
    if (!cursor_ok(&c))
        return LT_EPROTO;
    if (c.left >= 6 && c.p[0] == '#') {
        const uint8_t *state = cursor_bytes(&c, 6);
        for (size_t i = 0; i < 5; i++)
            first.err_state[i] = printable(state[i + 1]);
    }
    size_t n = c.left < sizeof first.err_text - 1 ? c.left : sizeof first.err_text - 1;
    for (size_t i = 0; i < n; i++)
        first.err_text[i] = printable(c.p[i]);
    *ret = first;
    return 0;
}

int packet_parse_first(const uint8_t *payload, size_t len, bool whole, enum semi_sync_header header,
                       struct packet_first *ret)
{
    if (len == 0)
        return LT_EPROTO;
    if (payload[0] == FIRST_ERR)
        return parse_err(payload, len, ret);
    if (payload[0] == FIRST_EOF && whole && len <= EOF_LEN_MAX) {
        *ret = (struct packet_first){.kind = PACKET_EOF};
        return 0;
    }
    if (payload[0] != FIRST_EVENT)
        return LT_EPROTO;
    if (header == SEMI_SYNC_HEADER_UNKNOWN)
        return LT_EINVAL;
    size_t prefix = PREFIX_PLAIN;
    bool ack = false;
    if (header == SEMI_SYNC_HEADER_PRESENT) {
        prefix = PREFIX_SEMI_SYNC;
        if (len < prefix || payload[1] != PACKET_SEMI_SYNC_MAGIC)
            return LT_EPROTO;
        ack = payload[2] & SEMI_SYNC_FLAG_ACK;
    }
    /* The text buffers stay as they are: an event costs no clearing of them. */
    ret->kind = PACKET_EVENT;
    ret->prefix_len = prefix;
    ret->ack_wanted = ack;
    ret->err_code = 0;
    ret->err_state[0] = '\0';
    ret->err_text[0] = '\0';
    return 0;
}

int packet_parse_greeting(const uint8_t *payload, size_t len, struct packet_greeting *ret, uint16_t *ret_err_code)
{
    struct cursor c = cursor_on(payload, len);
    uint8_t protocol = cursor_u8(&c);
    *ret_err_code = 0;
    if (protocol == FIRST_ERR && c.left >= 2)
        *ret_err_code = cursor_u16(&c);
    if (!cursor_ok(&c) || protocol != 10)
        return LT_EPROTO;
    const uint8_t *end = memchr(c.p, 0, c.left);
    if (end == NULL)
        return LT_EPROTO;
    size_t version_len = (size_t)(end - c.p);
    struct packet_greeting g = {0};
    for (size_t i = 0; i < version_len && i < sizeof g.version - 1; i++)
        g.version[i] = printable(c.p[i]);
    g.is_mariadb = strcasestr((const char *)c.p, "mariadb") != NULL;
    (void)cursor_bytes(&c, version_len + 1);
    g.thread_id = cursor_u32(&c);
    (void)cursor_bytes(&c, 9); /* salt, 00 */
    g.capabilities = cursor_u16(&c);
    if (!cursor_ok(&c))
        return LT_EPROTO;
    if (c.left >= 5) {
        (void)cursor_bytes(&c, 3); /* character set, status */
        g.capabilities |= (uint32_t)cursor_u16(&c) << 16;
    }
    *ret = g;
    return 0;
}
