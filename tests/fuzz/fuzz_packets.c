/*
 * Packets of a dump connection in arbitrary cuts: what the framer hands out must be independent of the cuts, and the readers of a
 * packet's first bytes must take anything. Byte 0 chooses the cuts, byte 1 whole_max, the rest is the stream.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "binlog/packet.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct total {
    size_t bytes;
    size_t packets;
    uint32_t hash; /* of the payload bytes and the packet ends */
    int rc;
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static void read_first(const struct packet_span *span)
{
    struct packet_first first;
    struct packet_greeting greeting;
    enum semi_sync_header header;
    uint16_t code;
    (void)!packet_parse_first(span->data, span->len, span->last, SEMI_SYNC_HEADER_ABSENT, &first);
    if (packet_parse_first(span->data, span->len, span->last, SEMI_SYNC_HEADER_PRESENT, &first) == 0)
        check(first.kind != PACKET_EVENT || first.prefix_len <= span->len);
    (void)!packet_detect_semi_sync(span->data, span->len, &header);
    (void)!packet_parse_greeting(span->data, span->len, &greeting, &code);
}

static struct total frame(const unsigned char *data, size_t size, size_t whole_max, size_t cut)
{
    struct packet_framer f = {0};
    struct total t = {.hash = 5381};
    size_t from = 0;
    size_t to = 0;
    for (;;) {
        struct packet_span span;
        size_t used = 0;
        t.rc = packet_next(&f, data + from, to - from, whole_max, &span, &used);
        if (t.rc == LT_EAGAIN && to < size) {
            to += cut < size - to ? cut : size - to;
            continue;
        }
        if (t.rc != 0)
            break;
        check(used > 0 && used <= to - from);
        check(span.data + span.len == data + from + used);
        check(span.len != 0 || span.last);
        if (span.first)
            read_first(&span);
        for (size_t i = 0; i < span.len; i++)
            t.hash = t.hash * 33 + span.data[i];
        if (span.last)
            t.hash = t.hash * 33 + 257;
        t.bytes += span.len;
        t.packets += span.last;
        from += used;
    }
    return t;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cut = 1 + data[0] % 64u;
    size_t whole_max = (size_t)data[1] * 16;
    struct total whole = frame(data + 2, size - 2, PACKET_MAX_PART, size);
    struct total pieces = frame(data + 2, size - 2, PACKET_MAX_PART, cut);
    check(whole.bytes == pieces.bytes && whole.packets == pieces.packets && whole.hash == pieces.hash);
    check(whole.rc == pieces.rc);
    /* A lower limit hands out more of an unfinished packet, never other packets. */
    struct total low = frame(data + 2, size - 2, whole_max, cut);
    check(low.packets == whole.packets && low.bytes >= whole.bytes && low.rc == whole.rc);
    return 0;
}
