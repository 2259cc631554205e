/*
 * - A Query event's body: thread (4), seconds (4), length of the database's name (1), error (2), length of status variables (2), those, the name, 0, the text.
 */
#include "mysqlwire/substitute.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/event.h"

#define FLAG_THREAD_SPECIFIC 0x0004u
#define FLAG_SUPPRESS_USE    0x0008u
#define QUERY_FIXED_LEN      13u
#define GTID_BODY_LEN        19u
#define GTID_COMMIT_ID_LEN   2u /* what one with a commit id has more than one without */
#define TIME_ZONE_CODE       5u
#define USER_VAR_FIXED_LEN   5u /* length of the name, NULL */

enum substitute substitute_for(uint8_t type, bool standalone, unsigned capability, bool annotate_wanted)
{
    enum substitute unknown = capability >= MARIADB_KNOWS_HOLES ? SUBSTITUTE_NOTHING_SENT : SUBSTITUTE_COMMENT;
    switch (type) {
    case EVENT_MARIADB_ANNOTATE_ROWS:
        if (annotate_wanted || capability == MARIADB_KNOWS_ANNOTATE)
            return SUBSTITUTE_NONE;
        return unknown;
    case EVENT_MARIADB_GTID:
        if (capability >= MARIADB_KNOWS_GTID)
            return SUBSTITUTE_NONE;
        return standalone ? unknown : SUBSTITUTE_BEGIN;
    case EVENT_MARIADB_BINLOG_CHECKPOINT:
        return capability >= MARIADB_KNOWS_CHECKPOINT ? SUBSTITUTE_NONE : unknown;
    case EVENT_MARIADB_GTID_LIST:
        return capability >= MARIADB_KNOWS_GTID ? SUBSTITUTE_NONE : unknown;
    default:
        return SUBSTITUTE_NONE;
    }
}

static void become(uint8_t *event, uint8_t type)
{
    uint16_t flags = load_u16(event + 17);
    flags = (uint16_t)((flags & ~FLAG_THREAD_SPECIFIC) | FLAG_SUPPRESS_USE);
    event[4] = type;
    store_u16(event + 17, flags);
}

static void put_comment(uint8_t *body, size_t len, unsigned type)
{
    char text[80];
    size_t n =
        (size_t)snprintf(text, sizeof text, "# Dummy event replacing event type %u that slave cannot handle.", type);
    memset(body, 0, QUERY_FIXED_LEN + 1);
    body += QUERY_FIXED_LEN + 1;
    len -= QUERY_FIXED_LEN + 1;
    memset(body, ' ', len);
    memcpy(body, text, n < len ? n : len);
}

static void put_variable(uint8_t *body, size_t len)
{
    size_t n = len - USER_VAR_FIXED_LEN;
    store_u32(body, (uint32_t)n);
    memcpy(body + 4, "!dummyvar", n);
    body[4 + n] = 1;
}

int substitute_comment(uint8_t *event, size_t len, bool crc)
{
    size_t overhead = EVENT_HEADER_LEN + (crc ? EVENT_CRC_LEN : 0);
    if (len < overhead + USER_VAR_FIXED_LEN + 1)
        return LT_EUNSUPPORTED;
    size_t body_len = len - overhead;
    unsigned type = event[4];
    bool is_query = body_len >= QUERY_FIXED_LEN + 2;
    become(event, is_query ? EVENT_QUERY : EVENT_USER_VAR);
    if (is_query)
        put_comment(event + EVENT_HEADER_LEN, body_len, type);
    else
        put_variable(event + EVENT_HEADER_LEN, body_len);
    if (crc)
        event_crc_set(event, len);
    return 0;
}

int substitute_begin(uint8_t *event, size_t len, bool crc)
{
    size_t overhead = EVENT_HEADER_LEN + (crc ? EVENT_CRC_LEN : 0);
    uint8_t *body = event + EVENT_HEADER_LEN;
    if (len != overhead + GTID_BODY_LEN && len != overhead + GTID_BODY_LEN + GTID_COMMIT_ID_LEN)
        return LT_EUNSUPPORTED;
    bool commit_id = len == overhead + GTID_BODY_LEN + GTID_COMMIT_ID_LEN;
    become(event, EVENT_QUERY);
    memset(body, 0, QUERY_FIXED_LEN);
    uint8_t *at = body + QUERY_FIXED_LEN;
    if (commit_id) { /* the two bytes more: a time zone without a name */
        store_u16(body + QUERY_FIXED_LEN - 2, 2);
        *at++ = TIME_ZONE_CODE;
        *at++ = 0;
    }
    *at++ = 0;
    memcpy(at, "BEGIN", 5);
    if (crc)
        event_crc_set(event, len);
    return 0;
}
