/*
 * What a server sends, in arbitrary cuts: the events that come out must not depend on the cuts, must be whole and follow each other. Byte 0 chooses
 * the cuts and the subscription, the rest is the stream; after a failure the same bytes come again over a "new connection".
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/stream.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct total {
    uint32_t hash;
    size_t events;
    int rc;
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static void hash_bytes(struct total *t, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        t->hash = t->hash * 33 + p[i];
}

/* Every field is read, so that a sanitizer sees one that points nowhere. */
static void take(struct total *t, const struct binlogtail_event *ev)
{
    t->events++;
    hash_bytes(t, &ev->kind, sizeof ev->kind);
    hash_bytes(t, &ev->marks, sizeof ev->marks);
    hash_bytes(t, &ev->position.offset, sizeof ev->position.offset);
    if (ev->position.file != NULL)
        hash_bytes(t, ev->position.file, strlen(ev->position.file));
    if (ev->position.source_id != NULL)
        hash_bytes(t, ev->position.source_id, strlen(ev->position.source_id));
    hash_bytes(t, ev->data, ev->length);
    hash_bytes(t, ev->gtid, strlen(ev->gtid));
    if (ev->kind == BINLOGTAIL_EVENT) {
        check(ev->length >= EVENT_HEADER_LEN && ev->end_offset == ev->position.offset + ev->length);
        check(ev->type_name[0] != '\0');
    }
}

static int step(struct stream *st, struct inbuf *in, struct total *t, const struct place *start)
{
    struct binlogtail_event ev;
    struct lt_err err = {0};
    int rc = stream_next(st, in, &ev, &err);
    if (rc < 0)
        check(err.text[0] != '\0');
    if (rc == STREAM_EVENT)
        take(t, &ev);
    if (rc == STREAM_HELLO)
        stream_subscribed(st, &(struct stream_ask){.resumed = st->begun, .start = st->begun ? NULL : start});
    return rc;
}

/* One connection: bytes in pieces, until they are used up or something is wrong. */
static void connection(struct stream *st, struct total *t, const unsigned char *data, size_t size, size_t cut,
                       const struct place *start)
{
    struct inbuf in = {0};
    size_t at = 0;
    stream_connected(st);
    for (;;) {
        t->rc = step(st, &in, t, start);
        if (t->rc < 0 || t->rc == STREAM_REFUSED)
            break;
        if (t->rc != STREAM_MORE)
            continue;
        uint8_t *room = NULL;
        size_t n = 0;
        if (at == size || inbuf_room(&in, st->need, &room, &n) != 0 || n == 0)
            break;
        n = n < cut ? n : cut;
        n = n < size - at ? n : size - at;
        memcpy(room, data + at, n);
        inbuf_added(&in, n);
        at += n;
    }
    inbuf_fini(&in);
}

static struct total run(const unsigned char *data, size_t size, size_t cut, unsigned mode)
{
    struct total t = {.hash = 5381};
    struct stream st = {.max_event = 1u << 20, .by_gtids = mode & 1, .no_checksum = mode & 2};
    struct place start = {.lineage = 1, .offset = 4, .file = "mysql-bin.000001"};
    start.skip = mode & 8 ? 300 : 0;
    connection(&st, &t, data, size, cut, mode & 4 ? &start : NULL);
    struct place where = stream_exact(&st);
    char text[BINLOGTAIL_TOKEN_MAX];
    if (st.begun)
        check(place_format(&where, text, sizeof text) == 0 && place_parse(text, &where) == 0);
    connection(&st, &t, data, size, cut, mode & 4 ? &start : NULL);
    stream_fini(&st);
    return t;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned mode = data[0] >> 4;
    struct total whole = run(data + 1, size - 1, size, mode);
    struct total pieces = run(data + 1, size - 1, 1 + data[0] % 16u * 7, mode);
    check(whole.hash == pieces.hash && whole.events == pieces.events && whole.rc == pieces.rc);
    return 0;
}
