/* Generated files, served as logtailerd serves its store: whole events in batches of random sizes, FileBegin and FileEnd around them. */
#include "fake_tail.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "binlog/txn.h"

void fake_source_init(struct fake_source *s, bool mariadb)
{
    *s = (struct fake_source){.mariadb = mariadb, .seed = 1};
}

void fake_source_fini(struct fake_source *s)
{
    for (size_t i = 0; i < s->count; i++)
        gen_fini(&s->files[i].gen);
}

struct fake_file *fake_source_add(struct fake_source *s, uint32_t lineage, const char *source, const char *name,
                                  unsigned n, size_t bytes)
{
    struct fake_file *before = s->count > 0 ? &s->files[s->count - 1] : NULL;
    struct fake_file *f = &s->files[s->count];
    if (s->count == FAKE_FILES_MAX)
        abort();
    *f = (struct fake_file){.lineage = lineage, .source = source, .name = name};
    gen_init(&f->gen, s->mariadb, true);
    if (before != NULL && before->lineage == lineage) {
        gen_rotate(&before->gen, name);
        f->gen.seq = before->gen.seq;
    }
    gen_file(&f->gen, true);
    for (unsigned i = 0; i < n; i++)
        gen_txn(&f->gen, bytes);
    s->count++;
    return f;
}

static Logtailer__Tail__Position position(const struct fake_file *f, uint64_t offset)
{
    Logtailer__Tail__Position p = LOGTAILER__TAIL__POSITION__INIT;
    p.lineage = f->lineage;
    p.file = (char *)f->name;
    p.offset = offset;
    p.source_id = (char *)f->source;
    return p;
}

Logtailer__Tail__Position fake_source_end(struct fake_source *s)
{
    const struct fake_file *f = &s->files[s->count - 1];
    return position(f, f->gen.len);
}

static uint32_t random_below(struct fake_source *s, uint32_t n)
{
    s->seed = s->seed * 1664525u + 1013904223u;
    return (s->seed >> 8) % n;
}

static uint32_t length_at(const struct fake_file *f, uint64_t offset)
{
    struct event_header h;
    if (event_header_parse(f->gen.data + offset, f->gen.len - offset, &h) != 0)
        abort();
    return h.length;
}

static bool send_begin(struct fake_source *s, struct fake_conn *c, const struct fake_file *f, uint64_t offset,
                       bool other)
{
    Logtailer__Tail__FileBegin m = LOGTAILER__TAIL__FILE_BEGIN__INIT;
    Logtailer__Tail__Position p = position(f, offset);
    m.position = &p;
    m.format_description.data = f->gen.data + BINLOG_MAGIC_LEN;
    m.format_description.len = length_at(f, BINLOG_MAGIC_LEN);
    m.new_lineage = other;
    m.flavor = s->mariadb ? "mariadb" : "mysql";
    return fake_send_message(c, FRAME_FILE_BEGIN, &m.base, NULL, 0);
}

/* One batch of a random number of events. */
static bool send_batch(struct fake_source *s, struct fake_conn *c, const struct fake_file *f, struct txn_tracker *t)
{
    Logtailer__Tail__Batch m = LOGTAILER__TAIL__BATCH__INIT;
    uint64_t from = t->offset;
    uint32_t want = 1 + random_below(s, 9);
    while (m.count < want && t->offset < f->gen.len) {
        struct event_header h;
        struct txn_step step;
        const uint8_t *event = f->gen.data + t->offset;
        if (event_header_parse(event, f->gen.len - t->offset, &h) != 0)
            abort();
        txn_feed(t, &h, event, h.length, &step);
        m.boundary = step.boundary;
        m.count++;
    }
    m.lineage = f->lineage;
    m.file = (char *)f->name;
    m.offset = from;
    m.next_offset = t->offset;
    s->batches_sent++;
    return fake_send_message(c, FRAME_BATCH, &m.base, f->gen.data + from, t->offset - from);
}

static bool send_file(struct fake_source *s, struct fake_conn *c, const struct fake_file *f, uint64_t offset)
{
    struct txn_tracker t;
    txn_reset(&t);
    while (t.offset < offset) { /* to know what is open there */
        struct event_header h;
        struct txn_step step;
        const uint8_t *event = f->gen.data + t.offset;
        if (event_header_parse(event, f->gen.len - t.offset, &h) != 0)
            abort();
        txn_feed(&t, &h, event, h.length, &step);
    }
    while (t.offset < f->gen.len) {
        if (!send_batch(s, c, f, &t))
            return false;
    }
    return true;
}

static bool send_file_end(struct fake_conn *c, const struct fake_file *f)
{
    Logtailer__Tail__FileEnd m = LOGTAILER__TAIL__FILE_END__INIT;
    Logtailer__Tail__Position p = position(f, f->gen.len);
    m.position = &p;
    return fake_send_message(c, FRAME_FILE_END, &m.base, NULL, 0);
}

static void heartbeats(struct fake_source *s, struct fake_conn *c)
{
    Logtailer__Tail__Heartbeat m = LOGTAILER__TAIL__HEARTBEAT__INIT;
    Logtailer__Tail__Position p = fake_source_end(s);
    m.durable = &p;
    while (fake_send_message(c, FRAME_HEARTBEAT, &m.base, NULL, 0) && !fake_wait_gone(c, 50)) {
    }
}

static size_t first_file(struct fake_source *s, const Logtailer__Tail__Subscribe *sub, uint64_t *ret_offset)
{
    *ret_offset = BINLOG_MAGIC_LEN;
    if (sub->start == LOGTAILER__TAIL__START_KIND__START_LATEST) {
        *ret_offset = s->files[s->count - 1].gen.len;
        return s->count - 1;
    }
    for (size_t i = 0; sub->position != NULL && i < s->count; i++) {
        if ((sub->position->lineage == 0 || sub->position->lineage == s->files[i].lineage) &&
            strcmp(sub->position->file, s->files[i].name) == 0) {
            *ret_offset = sub->position->offset;
            return i;
        }
    }
    return 0;
}

void fake_source_stream(struct fake_source *s, struct fake_conn *c, const Logtailer__Tail__Subscribe *sub)
{
    uint64_t offset;
    size_t first = first_file(s, sub, &offset);
    for (size_t i = first; i < s->count; i++) {
        const struct fake_file *f = &s->files[i];
        bool other = i > first && f->lineage != s->files[i - 1].lineage;
        if (!send_begin(s, c, f, i == first ? offset : BINLOG_MAGIC_LEN, other) ||
            !send_file(s, c, f, i == first ? offset : BINLOG_MAGIC_LEN) || (i + 1 < s->count && !send_file_end(c, f)))
            return;
    }
    if (sub->until_end) {
        Logtailer__Tail__End m = LOGTAILER__TAIL__END__INIT;
        Logtailer__Tail__Position p = fake_source_end(s);
        m.position = &p;
        if (fake_send_message(c, FRAME_END, &m.base, NULL, 0))
            (void)fake_wait_gone(c, 10000);
        return;
    }
    heartbeats(s, c);
}

void fake_source_serve(struct fake_source *s, struct fake_conn *c)
{
    Logtailer__Tail__Position end = fake_source_end(s);
    if (!fake_hello(c, 20000, &end))
        return;
    ProtobufCMessage *m = fake_read(c, FRAME_SUBSCRIBE);
    if (m == NULL)
        return;
    fake_source_stream(s, c, (Logtailer__Tail__Subscribe *)(void *)m);
    protobuf_c_message_free_unpacked(m, NULL);
}
