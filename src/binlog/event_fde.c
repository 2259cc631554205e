/*
 * Format description: header | version:2 | server version:50 | created:4 | header length:1 | post-header lengths | alg:1 | crc:4.
 * The number of post-header lengths is what is left; it differs between releases and tells MariaDB from MySQL where the version text
 * does not (MariaDB's own types begin at 160).
 */
#include <string.h>

#include "binlog/event_body.h"

#define VERSION_LEN       50
#define FDE_TAIL_LEN      (1 + EVENT_CRC_LEN)
#define OFF_LOG_POS       13
#define OFF_CREATED       (EVENT_HEADER_LEN + 2 + VERSION_LEN)
#define OFF_AFTER_CREATED (OFF_CREATED + 4)

static unsigned take_number(const char **text)
{
    unsigned n = 0;
    const char *p = *text;
    for (; *p >= '0' && *p <= '9' && n < 10000; p++)
        n = n * 10 + (unsigned)(*p - '0');
    *text = *p == '.' ? p + 1 : p;
    return n;
}

/* Releases from before checksums have no algorithm byte: what stands there is a post-header length. */
static bool lacks_checksum_byte(const char *version, bool is_mariadb)
{
    if (*version < '0' || *version > '9')
        return false;
    unsigned major = take_number(&version);
    unsigned minor = take_number(&version);
    unsigned patch = take_number(&version);
    unsigned number = major * 1000000 + minor * 1000 + patch;
    return number < (is_mariadb ? 5003000u : 5006001u);
}

static char printable(uint8_t ch)
{
    if (ch < 0x20 || ch == 0x7f)
        return '?';
    return (char)ch;
}

static void copy_version(const uint8_t *from, char ret_text[VERSION_LEN + 1])
{
    size_t n = 0;
    for (; n < VERSION_LEN && from[n] != 0; n++)
        ret_text[n] = printable(from[n]);
    memset(ret_text + n, 0, VERSION_LEN + 1 - n);
}

int event_fde_parse(const uint8_t *event, size_t len, struct event_fde *ret)
{
    struct event_header h;
    struct cursor c;
    int rc = event_body(event, len, true, &h, &c);
    if (rc != 0)
        return rc;
    if (h.type != EVENT_FORMAT_DESCRIPTION)
        return LT_EPROTO;
    struct event_fde fde = {.binlog_version = cursor_u16(&c)};
    const uint8_t *version = cursor_bytes(&c, VERSION_LEN);
    fde.created = cursor_u32(&c);
    fde.header_len = cursor_u8(&c);
    if (!cursor_ok(&c) || c.left < 1)
        return LT_ESHORT;
    size_t types = c.left - 1;
    (void)cursor_bytes(&c, types);
    uint8_t alg = cursor_u8(&c);
    if (fde.binlog_version != 4 || fde.header_len != EVENT_HEADER_LEN || alg > CHECKSUM_CRC32)
        return LT_EUNSUPPORTED;
    fde.checksum = (enum checksum_alg)alg;
    copy_version(version, fde.server_version);
    fde.is_mariadb = types >= EVENT_MARIADB_ANNOTATE_ROWS || strcasestr(fde.server_version, "mariadb") != NULL;
    if (lacks_checksum_byte(fde.server_version, fde.is_mariadb))
        return LT_EUNSUPPORTED;
    *ret = fde;
    return 0;
}

bool event_fde_same_file(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    if (a_len != b_len || a_len < OFF_AFTER_CREATED + FDE_TAIL_LEN)
        return false;
    return memcmp(a, b, OFF_LOG_POS) == 0 &&
           memcmp(a + EVENT_HEADER_LEN, b + EVENT_HEADER_LEN, OFF_CREATED - EVENT_HEADER_LEN) == 0 &&
           memcmp(a + OFF_AFTER_CREATED, b + OFF_AFTER_CREATED, a_len - EVENT_CRC_LEN - OFF_AFTER_CREATED) == 0;
}
