/* The binlog files of the fake primary: bytes with an index of events; generated events have only their header and a seed. */
#include "fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "binlog/crc32.h"

uint64_t fake_file_end(const struct fake_file *f)
{
    return f->count ? f->events[f->count - 1].end : f->base;
}

bool fake_file_has_crc(const struct fake_file *f)
{
    if (f->count == 0 || f->events[0].is_virtual || f->events[0].head[4] != EVENT_FORMAT_DESCRIPTION)
        return f->count > 0 && f->events[0].crc;
    return f->bytes.p[f->events[0].at + f->events[0].len - 5] == CHECKSUM_CRC32;
}

struct fake_file *fake_file_find(struct fake_primary *fp, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < fp->file_count; i++) {
        if (strcmp(fp->files[i]->name, name) != 0)
            continue;
        if (ret_index)
            *ret_index = i;
        return fp->files[i];
    }
    return NULL;
}

static void file_free(struct fake_file *f)
{
    fake_bytes_fini(&f->bytes);
    free(f->events);
    free(f);
}

void fake_files_free(struct fake_primary *fp)
{
    for (size_t i = 0; i < fp->file_count; i++)
        file_free(fp->files[i]);
    free(fp->files);
    fp->files = NULL;
    fp->file_count = 0;
}

static void add_file(struct fake_primary *fp, const char *name, uint64_t base)
{
    struct fake_file *f = calloc(1, sizeof *f);
    struct fake_file **files = realloc(fp->files, (fp->file_count + 1) * sizeof(struct fake_file *));
    lt_assert(f && files);
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->base = base;
    fp->files = files;
    fp->files[fp->file_count++] = f;
    fp->gen.pos = base;
}

static struct fake_file *newest(struct fake_primary *fp)
{
    lt_assert(fp->file_count > 0);
    return fp->files[fp->file_count - 1];
}

static struct fake_pos end_of(struct fake_primary *fp)
{
    struct fake_pos at = {0};
    if (fp->file_count) {
        const struct fake_file *f = newest(fp);
        (void)snprintf(at.file, sizeof at.file, "%s", f->name);
        at.pos = fake_file_end(f);
    }
    return at;
}

static struct fake_event *add_event(struct fake_file *f, uint32_t len)
{
    uint64_t start = fake_file_end(f);
    f->events = fake_grow(f->events, f->count, &f->cap, sizeof *f->events);
    struct fake_event *ev = &f->events[f->count++];
    *ev = (struct fake_event){.len = len, .end = start + len};
    return ev;
}

static void append(struct fake_primary *fp, const uint8_t *p, size_t len, bool ack)
{
    struct fake_file *f = newest(fp);
    uint64_t at = f->bytes.len;
    fake_bytes_add(&f->bytes, p, len);
    while (len) {
        lt_assert(len >= EVENT_HEADER_LEN);
        uint32_t n = load_u32(p + 9);
        lt_assert(n >= EVENT_HEADER_LEN && n <= len);
        struct fake_event *ev = add_event(f, n);
        ev->at = at;
        memcpy(ev->head, p, EVENT_HEADER_LEN);
        ev->crc = n >= EVENT_HEADER_LEN + EVENT_CRC_LEN && event_crc_ok(p, n);
        ev->ack = ack && n == len;
        p += n;
        at += n;
        len -= n;
    }
    fp->gen.pos = fake_file_end(f);
}

static void append_virtual(struct fake_primary *fp, uint8_t type, uint32_t len, uint32_t seed, bool ack)
{
    struct fake_gen *g = &fp->gen;
    struct fake_event *ev = add_event(newest(fp), len);
    ev->is_virtual = true;
    ev->seed = seed;
    ev->ack = ack;
    ev->crc = g->crc;
    g->pos = ev->end;
    store_u32(ev->head, g->timestamp);
    ev->head[4] = type;
    store_u32(ev->head + 5, g->server_id);
    store_u32(ev->head + 9, len);
    store_u32(ev->head + 13, g->in_txn && g->zero_log_pos ? 0 : (uint32_t)g->pos);
}

bool fake_virtual_each(const struct fake_event *ev, fake_sink sink, void *arg)
{
    uint8_t block[65536];
    uint32_t crc = crc32_update(0, ev->head, sizeof ev->head);
    uint32_t left = ev->len - EVENT_HEADER_LEN - (ev->crc ? EVENT_CRC_LEN : 0);
    uint64_t at = 0;
    if (!sink(arg, ev->head, sizeof ev->head))
        return false;
    while (left) {
        uint32_t n = left < sizeof block ? left : (uint32_t)sizeof block;
        fake_fill(block, n, at, ev->seed);
        crc = crc32_update(crc, block, n);
        if (!sink(arg, block, n))
            return false;
        at += n;
        left -= n;
    }
    uint8_t tail[EVENT_CRC_LEN];
    store_u32(tail, crc);
    return !ev->crc || sink(arg, tail, sizeof tail);
}

/* ------------------------------------------------------------------ what tests call ---------------------------------------------- */

void fake_add_file(struct fake_primary *fp, const char *name, uint64_t base_offset)
{
    fake_lock(fp);
    add_file(fp, name, base_offset);
    fake_notify(fp);
    fake_unlock(fp);
}

struct fake_pos fake_append(struct fake_primary *fp, const void *events, size_t len, bool ack)
{
    fake_lock(fp);
    append(fp, events, len, ack);
    struct fake_pos end = end_of(fp);
    fake_notify(fp);
    fake_unlock(fp);
    return end;
}

struct fake_pos fake_append_virtual(struct fake_primary *fp, uint8_t type, uint32_t len, uint32_t seed, bool ack)
{
    fake_lock(fp);
    append_virtual(fp, type, len, seed, ack);
    struct fake_pos end = end_of(fp);
    fake_notify(fp);
    fake_unlock(fp);
    return end;
}

struct fake_gen *fake_gen_lock(struct fake_primary *fp)
{
    fake_lock(fp);
    fake_gen_clear(&fp->gen);
    return &fp->gen;
}

static void take_generated(struct fake_primary *fp, bool ack)
{
    append(fp, fp->gen.out.p, fp->gen.out.len, ack);
    fake_gen_clear(&fp->gen);
}

struct fake_pos fake_gen_unlock(struct fake_primary *fp, bool ack)
{
    take_generated(fp, ack);
    struct fake_pos end = end_of(fp);
    fake_notify(fp);
    fake_unlock(fp);
    return end;
}

static void executed_text(struct fake_primary *fp, char *buf, size_t cap)
{
    buf[0] = '\0';
    (void)fake_system_var(fp, fake_is_mariadb(fp) ? "gtid_binlog_pos" : "gtid_executed", buf, cap);
}

static void open_file(struct fake_primary *fp, const char *name)
{
    char gtids[512];
    bool first = fp->file_count == 0;
    executed_text(fp, gtids, sizeof gtids);
    add_file(fp, name, BINLOG_MAGIC_LEN);
    fake_gen_clear(&fp->gen);
    fp->gen.in_txn = false;
    fake_gen_file_start(&fp->gen, name, gtids, first);
    take_generated(fp, false);
}

void fake_open_file(struct fake_primary *fp, const char *name)
{
    fake_lock(fp);
    open_file(fp, name);
    fake_notify(fp);
    fake_unlock(fp);
}

void fake_rotate(struct fake_primary *fp)
{
    char next[BINLOG_NAME_MAX + 1];
    fake_lock(fp);
    const char *name = newest(fp)->name;
    const char *dot = strrchr(name, '.');
    (void)snprintf(next, sizeof next, "%.*s.%06llu", (int)(dot - name), name,
                   (unsigned long long)binlog_name_number(name) + 1);
    bool crc = fp->gen.crc;
    fp->gen.crc = fake_file_has_crc(newest(fp)); /* a switch is for the file that follows */
    fake_gen_clear(&fp->gen);
    fake_gen_rotate(&fp->gen, next, BINLOG_MAGIC_LEN);
    take_generated(fp, false);
    fp->gen.crc = crc;
    open_file(fp, next);
    fake_notify(fp);
    fake_unlock(fp);
}

static struct fake_pos commit(struct fake_primary *fp, const struct fake_txn_spec *spec, bool ack)
{
    struct fake_txn_spec own = *spec;
    fake_lock(fp);
    if (own.seq == 0)
        own.seq = fp->next_seq;
    fp->next_seq = own.seq + 1;
    fake_gen_clear(&fp->gen);
    fake_gen_txn(&fp->gen, &own);
    take_generated(fp, ack);
    struct fake_pos end = end_of(fp);
    fake_notify(fp);
    fake_unlock(fp);
    return end;
}

struct fake_pos fake_commit(struct fake_primary *fp, const struct fake_txn_spec *spec)
{
    return commit(fp, spec, true);
}

struct fake_pos fake_commit_quiet(struct fake_primary *fp, const struct fake_txn_spec *spec)
{
    return commit(fp, spec, false);
}

struct fake_pos fake_commit_huge(struct fake_primary *fp, unsigned events, uint32_t event_len)
{
    bool mariadb = fake_is_mariadb(fp);
    fake_lock(fp);
    struct fake_gen *g = &fp->gen;
    struct fake_gen dry = *g;
    dry.out = (struct fake_bytes){0};
    if (!mariadb)
        fake_gen_query(&dry, "test", "BEGIN");
    fake_gen_table_map(&dry);
    fake_gen_xid(&dry, 1);
    uint64_t body = dry.out.len + (uint64_t)events * event_len;
    fake_gen_fini(&dry);

    fake_gen_clear(g);
    fake_gen_gtid(g, &(struct fake_gtid_spec){.seq = fp->next_seq++, .body_len = body, .flags2 = 0x04 | 0x08});
    if (!mariadb)
        fake_gen_query(g, "test", "BEGIN");
    fake_gen_table_map(g);
    take_generated(fp, false);
    for (unsigned i = 0; i < events; i++)
        append_virtual(fp, mariadb ? EVENT_WRITE_ROWS_V1 : EVENT_WRITE_ROWS, event_len, i * 7919, false);
    fake_gen_xid(g, 1);
    take_generated(fp, true);
    struct fake_pos end = end_of(fp);
    fake_notify(fp);
    fake_unlock(fp);
    return end;
}

void fake_set_checksum(struct fake_primary *fp, bool crc)
{
    fake_lock(fp);
    fp->gen.crc = crc;
    fake_unlock(fp);
}

void fake_purge(struct fake_primary *fp, size_t n)
{
    fake_lock(fp);
    if (n > fp->file_count)
        n = fp->file_count;
    for (size_t i = 0; i < n; i++)
        file_free(fp->files[i]);
    fp->file_count -= n;
    if (n)
        memmove(fp->files, fp->files + n, fp->file_count * sizeof(struct fake_file *));
    fake_notify(fp);
    fake_unlock(fp);
}

void fake_reset(struct fake_primary *fp)
{
    fake_lock(fp);
    fake_files_free(fp);
    fp->history++;
    fp->next_seq = 1;
    fp->acked = fp->released = fp->sent_to = (struct fake_pos){0};
    fake_notify(fp);
    fake_unlock(fp);
}

void fake_lose_tail(struct fake_primary *fp, size_t n)
{
    fake_lock(fp);
    struct fake_file *f = newest(fp);
    f->count = n < f->count ? f->count - n : 0;
    fp->gen.pos = fake_file_end(f);
    fp->history++;
    fp->acked = fp->released = fp->sent_to = (struct fake_pos){0};
    fake_unlock(fp);
    fake_close_all(fp, true);
}

struct fake_pos fake_end(struct fake_primary *fp)
{
    fake_lock(fp);
    struct fake_pos end = end_of(fp);
    fake_unlock(fp);
    return end;
}

/* ------------------------------------------------------------------ files as on a disk ------------------------------------------- */

static bool sink_to_bytes(void *arg, const uint8_t *data, size_t len)
{
    fake_bytes_add(arg, data, len);
    return true;
}

static bool sink_to_stream(void *arg, const uint8_t *data, size_t len)
{
    return fwrite(data, 1, len, arg) == len;
}

static bool each_byte(struct fake_primary *fp, const char *name, fake_sink sink, void *arg)
{
    fake_lock(fp);
    const struct fake_file *f = fake_file_find(fp, name, NULL);
    bool ok = f && sink(arg, binlog_magic, BINLOG_MAGIC_LEN);
    for (size_t i = 0; ok && i < f->count; i++) {
        const struct fake_event *ev = &f->events[i];
        ok = ev->is_virtual ? fake_virtual_each(ev, sink, arg) : sink(arg, f->bytes.p + ev->at, ev->len);
    }
    fake_unlock(fp);
    return ok;
}

uint8_t *fake_file_bytes(struct fake_primary *fp, const char *name, size_t *ret_len)
{
    struct fake_bytes out = {0};
    if (!each_byte(fp, name, sink_to_bytes, &out)) {
        fake_bytes_fini(&out);
        return NULL;
    }
    *ret_len = out.len;
    return out.p;
}

bool fake_file_write(struct fake_primary *fp, const char *name, const char *path)
{
    FILE *out = fopen(path, "we");
    if (!out)
        return false;
    bool ok = each_byte(fp, name, sink_to_stream, out);
    return fclose(out) == 0 && ok;
}
