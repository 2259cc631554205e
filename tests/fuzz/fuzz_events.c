/*
 * A binlog file's bytes behind the magic: every event goes through the tracker, as a whole and with a short head, and through every
 * parser. Byte 0 says whether to mend headers' lengths and FDE checksums, so that mutations get past them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/txn.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void read_bodies(const uint8_t *event, size_t len, bool crc)
{
    struct event_fde fde;
    struct event_rotate rotate;
    struct event_heartbeat heartbeat;
    struct event_gtid gtid;
    enum query_kind kind;
    char text[GTID_TEXT_MAX];
    if (event_fde_parse(event, len, &fde) == 0)
        check(strlen(fde.server_version) <= 50);
    if (event_rotate_parse(event, len, crc, &rotate) == 0)
        check(binlog_name_ok(rotate.name) && binlog_name_number(rotate.name) <= UINT64_C(9999999999999999999));
    if (event_heartbeat_parse(event, len, crc, &heartbeat) == 0)
        check(binlog_name_ok(heartbeat.name));
    if (event_gtid_parse(event, len, crc, &gtid) == 0)
        check(strlen(gtid_format(&gtid.gtid, text, sizeof text)) < sizeof text);
    (void)!event_query_kind(event, len, len, crc, &kind);
    (void)event_fde_same_file(event, len, event, len);
}

static void change_copy(const uint8_t *event, size_t len)
{
    uint8_t *copy = malloc(len);
    if (copy == NULL)
        abort();
    memcpy(copy, event, len);
    event_make_encryption_stand_in(copy, len, true);
    check(len < EVENT_HEADER_LEN + EVENT_CRC_LEN || event_crc_ok(copy, len));
    free(copy);
}

static void check_tracker(const struct txn_tracker *t, const struct txn_step *step, uint64_t end)
{
    check(t->offset == end && t->boundary <= t->offset);
    check(step->boundary == !t->open);
    check(!step->boundary || t->boundary == t->offset);
    check(!step->completed || (step->start < t->offset && t->last_end == t->offset && t->have_last));
    check(!t->open || t->open_start < t->offset);
}

static void walk(const uint8_t *data, size_t size, size_t head_max)
{
    struct txn_tracker t;
    txn_reset(&t);
    size_t at = 0;
    while (at < size) {
        struct event_header h;
        struct txn_step step;
        if (event_header_parse(data + at, size - at, &h) != 0 || h.length > size - at)
            break;
        size_t head = h.length < head_max ? h.length : head_max;
        txn_feed(&t, &h, data + at, head, &step);
        (void)event_is_artificial(&h, BINLOG_MAGIC_LEN + at);
        (void)event_type_name(h.type);
        read_bodies(data + at, h.length, t.checksum == CHECKSUM_CRC32);
        change_copy(data + at, h.length);
        at += h.length;
        check_tracker(&t, &step, BINLOG_MAGIC_LEN + at);
    }
    struct txn_step step;
    bool was_open = t.open;
    check(txn_force_boundary(&t, &step) == was_open && step.boundary && t.boundary == t.offset);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 1 || size > (1u << 20))
        return 0;
    bool mend = data[0] & 1;
    size_t len = size - 1;
    uint8_t *copy = malloc(len ? len : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, data + 1, len);
    if (mend && len >= EVENT_HEADER_LEN && load_u32(copy + 9) > len)
        store_u32(copy + 9, (uint32_t)len);
    walk(copy, len, SIZE_MAX);
    walk(copy, len, 64);
    free(copy);
    return 0;
}
