#include "scripted.h"

#include "base/cursor.h"

static int scripted_read(struct wire *w, void *buf, size_t cap, size_t *ret_len, struct lt_err *err)
{
    struct scripted *sc = (struct scripted *)w;
    (void)err;
    if (sc->at == sc->len)
        return LT_EAGAIN;
    if (sc->breathe && !sc->ready) {
        sc->ready = true;
        return LT_EAGAIN;
    }
    sc->ready = false;
    size_t n = sc->len - sc->at < sc->chunk ? sc->len - sc->at : sc->chunk;
    if (n > cap)
        n = cap;
    memcpy(buf, sc->bytes + sc->at, n);
    sc->at += n;
    *ret_len = n;
    return LT_OK;
}

/* The durable image must hold all that the ACK covers, byte for byte. */
static bool is_on_disk(const struct scripted *sc, uint64_t pos)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    return vfs_sim_get_durable(sc->sim, TEST_LINEAGE "/" TEST_FILE, &data, &len) && len >= pos && pos <= sc->gen->len &&
           memcmp(data, sc->gen->data, pos) == 0;
}

static int scripted_send(struct wire *w, const void *buf, size_t len, struct lt_err *err)
{
    struct scripted *sc = (struct scripted *)w;
    const uint8_t *p = buf;
    if (sc->send_fails)
        return lt_err_set(err, LT_ECLOSED, "the peer is gone");
    if (len > 13 && p[4] == PACKET_SEMI_SYNC_MAGIC) {
        uint64_t pos = load_u64(p + 5);
        sc->acks++;
        sc->acked = pos > sc->acked ? pos : sc->acked;
        if (!is_on_disk(sc, pos))
            sc->not_durable++;
    }
    return LT_OK;
}

static const struct wire_ops scripted_ops = {scripted_read, scripted_send};

void scripted_init(struct scripted *sc, struct vfs_sim *sim, const struct binlog_gen *gen)
{
    *sc = (struct scripted){.wire = {.ops = &scripted_ops, .fd = -1}, .sim = sim, .gen = gen, .chunk = SIZE_MAX};
}

void scripted_fini(struct scripted *sc)
{
    free(sc->bytes);
    sc->bytes = NULL;
}

static void put(struct scripted *sc, const void *data, size_t len)
{
    if (sc->len + len > sc->cap) {
        sc->cap = (sc->len + len) * 2;
        sc->bytes = realloc(sc->bytes, sc->cap);
        lt_assert(sc->bytes != NULL);
    }
    memcpy(sc->bytes + sc->len, data, len);
    sc->len += len;
}

void scripted_packet(struct scripted *sc, const uint8_t *event, size_t len, bool semi_sync, bool flag)
{
    uint8_t prefix[3] = {0, PACKET_SEMI_SYNC_MAGIC, flag};
    size_t prefix_len = semi_sync ? 3 : 1;
    size_t left = prefix_len + len;
    size_t sent = 0;
    for (;;) {
        size_t part = left < PACKET_MAX_PART ? left : PACKET_MAX_PART;
        uint8_t header[4];
        store_u24(header, (uint32_t)part);
        header[3] = 1;
        put(sc, header, 4);
        size_t body = part;
        if (sent == 0) {
            put(sc, prefix, prefix_len);
            body -= prefix_len;
        }
        put(sc, event + sent, body);
        sent += body;
        left -= part;
        if (part < PACKET_MAX_PART)
            return;
    }
}

void scripted_rotate(struct scripted *sc, const char *name, uint64_t pos)
{
    uint8_t ev[300] = {0};
    size_t len = EVENT_HEADER_LEN + 8 + strlen(name) + EVENT_CRC_LEN;
    ev[4] = EVENT_ROTATE;
    store_u32(ev + 9, (uint32_t)len);
    store_u16(ev + 17, EVENT_FLAG_ARTIFICIAL);
    store_u64(ev + EVENT_HEADER_LEN, pos);
    memcpy(ev + EVENT_HEADER_LEN + 8, name, strlen(name));
    event_crc_set(ev, len);
    scripted_packet(sc, ev, len, true, false);
}

void scripted_events(struct scripted *sc, size_t from)
{
    scripted_events_flagged(sc, from, 0);
}

void scripted_events_flagged(struct scripted *sc, size_t from, size_t odd)
{
    for (size_t off = from; off < sc->gen->len;) {
        const uint8_t *ev = sc->gen->data + off;
        uint32_t len = load_u32(ev + 9);
        scripted_packet(sc, ev, len, true, ev[4] == EVENT_XID || off == odd);
        off += len;
    }
}
