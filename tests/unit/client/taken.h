/*
 * What a handle handed out, collected, for comparison with what a fake server has. Header only.
 * Layer: tests/unit/client. Thread: the test's. Owns: the bytes (taken_fini).
 */
#ifndef LT_UNIT_CLIENT_TAKEN_H
#define LT_UNIT_CLIENT_TAKEN_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "binlogtail/binlogtail.h"
#include "cunit_main.h"
#include "fake_tail.h"

#define TAKEN_FILES   8
#define TAKEN_KINDS   16
#define TAKEN_WAIT_MS 60000

struct taken_file {
    uint32_t lineage;
    char name[256];
    uint64_t from;
    uint8_t *bytes;
    size_t len;
};

struct taken {
    struct taken_file files[TAKEN_FILES];
    size_t count;
    unsigned kinds[TAKEN_KINDS];
    unsigned transactions; /* whole ones */
    unsigned halves;       /* marks that contradict each other */
    unsigned holes;        /* an event that does not begin where the one before ended */
    unsigned cuts;         /* TXN_CUT */
    bool inside;
    int last_rc;
    char last_gtid[64];
    char server[128];
};

static inline void taken_fini(struct taken *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->files[i].bytes);
    *t = (struct taken){0};
}

static inline void taken_event(struct taken *t, const struct binlogtail_event *ev)
{
    struct taken_file *f = t->count > 0 ? &t->files[t->count - 1] : NULL;
    if (f == NULL || f->lineage != ev->position.lineage || strcmp(f->name, ev->position.file) != 0) {
        if (t->count == TAKEN_FILES)
            abort();
        f = &t->files[t->count++];
        *f = (struct taken_file){.lineage = ev->position.lineage, .from = ev->position.offset};
        snprintf(f->name, sizeof f->name, "%s", ev->position.file);
    }
    if (f->from + f->len != ev->position.offset || ev->end_offset != ev->position.offset + ev->length)
        t->holes++;
    f->bytes = realloc(f->bytes, f->len + ev->length);
    if (f->bytes == NULL)
        abort();
    memcpy(f->bytes + f->len, ev->data, ev->length);
    f->len += ev->length;
    bool begin = ev->marks & BINLOGTAIL_TXN_BEGIN;
    bool part = ev->marks & BINLOGTAIL_TXN_PART;
    bool end = ev->marks & BINLOGTAIL_TXN_END;
    if (ev->marks & BINLOGTAIL_TXN_CUT)
        t->inside = false;
    if (begin == t->inside || (part && !begin && !t->inside) || (!part && (begin || end || t->inside)))
        t->halves += begin || part || t->inside;
    t->inside = part && !end;
    t->transactions += end;
    if (end)
        snprintf(t->last_gtid, sizeof t->last_gtid, "%s", ev->gtid);
}

static inline void taken_take(struct taken *t, const struct binlogtail_event *ev)
{
    t->kinds[ev->kind]++;
    t->cuts += (ev->marks & BINLOGTAIL_TXN_CUT) != 0;
    if (ev->kind == BINLOGTAIL_EVENT)
        taken_event(t, ev);
    if (ev->kind == BINLOGTAIL_CONNECTED)
        snprintf(t->server, sizeof t->server, "%s", ev->server->agent);
    if (ev->kind == BINLOGTAIL_FILE_BEGIN && (ev->marks & BINLOGTAIL_TXN_CUT))
        t->inside = false;
}

/* Until an event of this kind (0: until the final error), which is the result; the wait has an end. */
static inline bool taken_until(struct taken *t, struct binlogtail *bt, int kind)
{
    uint64_t end = clock_mono_us() + TAKEN_WAIT_MS * 1000ull;
    while (clock_mono_us() < end) {
        const struct binlogtail_event *ev;
        t->last_rc = binlogtail_wait_event(bt, TAKEN_WAIT_MS, &ev);
        if (t->last_rc != 1)
            return t->last_rc < 0 && kind == 0;
        taken_take(t, ev);
        if ((int)ev->kind == kind)
            return true;
    }
    return false;
}

/* n more binlog events. */
static inline bool taken_events(struct taken *t, struct binlogtail *bt, unsigned n)
{
    while (n > 0 && taken_until(t, bt, BINLOGTAIL_EVENT))
        n--;
    return n == 0;
}

/* Each file from `from` on is the server's. */
static inline bool taken_equals(const struct taken *t, const struct fake_source *s)
{
    size_t i = 0;
    while (i < s->count && t->count > 0 &&
           (s->files[i].lineage != t->files[0].lineage || strcmp(s->files[i].name, t->files[0].name) != 0))
        i++;
    if (t->count != s->count - i)
        return false;
    for (size_t k = 0; k < t->count; k++, i++) {
        const struct taken_file *f = &t->files[k];
        const struct fake_file *theirs = &s->files[i];
        if (f->lineage != theirs->lineage || strcmp(f->name, theirs->name) != 0 ||
            f->from + f->len != theirs->gen.len || memcmp(f->bytes, theirs->gen.data + f->from, f->len) != 0)
            return false;
    }
    return t->holes == 0 && t->halves == 0;
}

static inline struct binlogtail_options taken_options(struct fake_tail *ft)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.port = fake_tail_port(ft);
    o.start = BINLOGTAIL_START_EARLIEST;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 4;
    return o;
}

static inline struct binlogtail *taken_open(const struct binlogtail_options *o)
{
    struct binlogtail_error e;
    struct binlogtail *bt = binlogtail_open(o, &e);
    if (bt == NULL) {
        (void)fprintf(stderr, "binlogtail_open: %s\n", e.message);
        abort();
    }
    return bt;
}

static inline void script_source(struct fake_conn *c, unsigned n, void *arg)
{
    (void)n;
    fake_source_serve(arg, c);
}

/* The error that a subscription ends with, for good. Stops the server. */
static inline const struct binlogtail_error *final_error(struct fake_tail *ft, struct binlogtail_options *o,
                                                         struct binlogtail **ret)
{
    struct taken t = {0};
    *ret = taken_open(o);
    CU_ASSERT_TRUE(taken_until(&t, *ret, 0));
    const struct binlogtail_error *e = binlogtail_last_error(*ret);
    CU_ASSERT_EQUAL(t.last_rc, e->code);
    /* Final is final. */
    const struct binlogtail_event *ev;
    CU_ASSERT_EQUAL(binlogtail_next(*ret, &ev), e->code);
    CU_ASSERT_EQUAL(binlogtail_process(*ret), e->code);
    CU_ASSERT_EQUAL(binlogtail_wanted(*ret), 0);
    CU_ASSERT_EQUAL(binlogtail_commit(*ret, NULL), BINLOGTAIL_ESTATE);
    taken_fini(&t);
    fake_tail_free(ft);
    return e;
}

#endif
