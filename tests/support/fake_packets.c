/* What a server makes up while it sends: prefixes, artificial Rotates, heartbeats, the file's head again for a start behind it. */
#include "fake_internal.h"

#include <string.h>

#include "base/cursor.h"
#include "binlog/packet.h"

void fake_send_prefix(struct fake_stream *st, uint64_t event_len, bool flag)
{
    uint8_t prefix[3] = {0, PACKET_SEMI_SYNC_MAGIC, flag};
    for (size_t i = 0; i < st->rule_count; i++)
        if (st->rules[i].first_byte)
            prefix[0] = st->rules[i].first_byte;
    size_t n = st->header ? 3 : 1;
    fake_packet_begin(&st->cn->io, event_len + n);
    fake_packet_add(&st->cn->io, prefix, n);
}

void fake_send_event(struct fake_stream *st, const uint8_t *event, size_t len, bool flag)
{
    fake_send_prefix(st, len, flag);
    fake_packet_add(&st->cn->io, event, len);
}

/* Header of something that is in no file. */
static struct writer start_event(const struct fake_stream *st, uint8_t *buf, size_t cap, uint8_t type, uint16_t flags)
{
    struct writer w = writer_on(buf, cap);
    writer_u32(&w, 0);
    writer_u8(&w, type);
    writer_u32(&w, st->cn->fp->server_id);
    writer_u32(&w, 0);
    writer_u32(&w, 0);
    writer_u16(&w, flags);
    return w;
}

static void finish_event(struct fake_stream *st, struct writer *w, bool crc)
{
    if (crc)
        writer_u32(w, 0);
    store_u32(w->p + 9, (uint32_t)w->len);
    if (crc)
        event_crc_set(w->p, w->len);
    fake_send_event(st, w->p, w->len, false);
}

void fake_send_rotate(struct fake_stream *st, const char *name, uint64_t pos, bool crc, uint32_t timestamp)
{
    uint8_t buf[512];
    struct writer w = start_event(st, buf, sizeof buf, EVENT_ROTATE, EVENT_FLAG_ARTIFICIAL);
    store_u32(buf, timestamp);
    writer_u64(&w, pos);
    writer_bytes(&w, name, strlen(name));
    finish_event(st, &w, crc);
}

static void write_heartbeat_v2(struct writer *w, const char *name, uint64_t pos)
{
    writer_u8(w, 1);
    writer_u8(w, (uint8_t)strlen(name));
    writer_bytes(w, name, strlen(name));
    writer_u8(w, 2);
    if (pos <= 0xffff) {
        writer_u8(w, 3);
        writer_u8(w, 0xfc);
        writer_u16(w, (uint16_t)pos);
    } else {
        writer_u8(w, 9);
        writer_u8(w, 0xfe);
        writer_u64(w, pos);
    }
    writer_u8(w, 0);
}

void fake_send_heartbeat(struct fake_stream *st)
{
    uint8_t buf[512];
    uint64_t pos = st->pos;
    for (size_t i = 0; i < st->rule_count; i++) {
        if (st->rules[i].no_heartbeat)
            return;
        if (st->rules[i].heartbeat_pos)
            pos = st->rules[i].heartbeat_pos;
    }
    struct writer w = start_event(st, buf, sizeof buf, st->heartbeat_v2 ? EVENT_HEARTBEAT_V2 : EVENT_HEARTBEAT, 0);
    if (st->heartbeat_v2) {
        write_heartbeat_v2(&w, st->file, pos);
    } else {
        if (pos <= UINT32_MAX || !fake_is_mariadb(st->cn->fp))
            store_u32(buf + 13, (uint32_t)pos);
        else
            writer_u64(&w, pos);
        writer_bytes(&w, st->file, strlen(st->file));
    }
    finish_event(st, &w, st->crc);
}

static void send_changed(struct fake_stream *st, const struct fake_file *f, const struct fake_event *ev)
{
    bool fde = ev->head[4] == EVENT_FORMAT_DESCRIPTION;
    st->event.len = 0;
    fake_bytes_add(&st->event, f->bytes.p + ev->at, ev->len);
    store_u32(st->event.p + 13, 0);
    if (fde)
        store_u32(st->event.p + 71, 0);
    if (fde || ev->crc)
        event_crc_set(st->event.p, ev->len);
    fake_send_event(st, st->event.p, ev->len, false);
}

void fake_send_file_head(struct fake_stream *st, const struct fake_file *f)
{
    for (size_t i = 0; i < st->next && i < f->count; i++) {
        const struct fake_event *ev = &f->events[i];
        if (!ev->is_virtual &&
            (ev->head[4] == EVENT_FORMAT_DESCRIPTION || ev->head[4] == EVENT_MARIADB_START_ENCRYPTION))
            send_changed(st, f, ev);
    }
}
