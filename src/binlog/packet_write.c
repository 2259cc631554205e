/* The packets we send. Each is one physical packet with sequence number 0. */
#include <string.h>

#include "base/cursor.h"
#include "binlog/packet.h"

#define COM_BINLOG_DUMP      0x12
#define COM_REGISTER_SLAVE   0x15
#define COM_BINLOG_DUMP_GTID 0x1e

static struct writer begin_packet(uint8_t *out, size_t cap, uint8_t first)
{
    struct writer w = writer_on(out, cap);
    writer_u32(&w, 0); /* length comes at the end, sequence number 0 */
    writer_u8(&w, first);
    return w;
}

static int end_packet(const struct writer *w, uint8_t *out, size_t *ret_len)
{
    if (w->failed)
        return LT_ETOOBIG;
    size_t payload = w->len - PACKET_HEADER_LEN;
    if (payload >= PACKET_MAX_PART)
        return LT_ETOOBIG;
    store_u24(out, (uint32_t)payload);
    *ret_len = w->len;
    return 0;
}

static void write_text(struct writer *w, const char *text, size_t len)
{
    writer_u8(w, (uint8_t)len);
    writer_bytes(w, text, len);
}

int packet_write_ack(uint8_t *out, size_t cap, const char *file, uint64_t pos, size_t *ret_len)
{
    size_t name_len = strlen(file);
    if (name_len == 0)
        return LT_EINVAL;
    if (name_len > PACKET_ACK_NAME_MAX)
        return LT_ETOOBIG;
    struct writer w = begin_packet(out, cap, PACKET_SEMI_SYNC_MAGIC);
    writer_u64(&w, pos);
    writer_bytes(&w, file, name_len);
    return end_packet(&w, out, ret_len);
}

int packet_write_register(uint8_t *out, size_t cap, uint32_t server_id, const char *host, uint16_t port,
                          size_t *ret_len)
{
    size_t host_len = strlen(host);
    if (host_len > UINT8_MAX)
        return LT_EINVAL;
    struct writer w = begin_packet(out, cap, COM_REGISTER_SLAVE);
    writer_u32(&w, server_id);
    write_text(&w, host, host_len);
    write_text(&w, "", 0); /* user */
    write_text(&w, "", 0); /* password */
    writer_u16(&w, port);
    writer_u32(&w, 0); /* rank */
    writer_u32(&w, 0); /* master id */
    return end_packet(&w, out, ret_len);
}

int packet_write_dump(uint8_t *out, size_t cap, const char *file, uint64_t pos, uint16_t flags, uint32_t server_id,
                      size_t *ret_len)
{
    if (pos > UINT32_MAX)
        return LT_EINVAL;
    struct writer w = begin_packet(out, cap, COM_BINLOG_DUMP);
    writer_u32(&w, (uint32_t)pos);
    writer_u16(&w, flags);
    writer_u32(&w, server_id);
    writer_bytes(&w, file, strlen(file));
    return end_packet(&w, out, ret_len);
}

/* As many arguments as the command has fields. NOLINTNEXTLINE(readability-function-size) */
int packet_write_dump_gtid(uint8_t *out, size_t cap, const char *file, uint64_t pos, uint16_t flags, uint32_t server_id,
                           const uint8_t *gtid_set, size_t gtid_set_len, size_t *ret_len)
{
    size_t name_len = strlen(file);
    if (name_len >= PACKET_MAX_PART || gtid_set_len >= PACKET_MAX_PART)
        return LT_ETOOBIG;
    struct writer w = begin_packet(out, cap, COM_BINLOG_DUMP_GTID);
    writer_u16(&w, flags);
    writer_u32(&w, server_id);
    writer_u32(&w, (uint32_t)name_len);
    writer_bytes(&w, file, name_len);
    writer_u64(&w, pos);
    writer_u32(&w, (uint32_t)gtid_set_len);
    writer_bytes(&w, gtid_set, gtid_set_len);
    return end_packet(&w, out, ret_len);
}
