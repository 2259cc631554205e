/*
 * A torn tail at every byte of the last 4 KiB: cut off, zeros, garbage. What is whole stays, what is not goes, and nothing else.
 */
#include "cunit_main.h"
#include "script.h"

#include "base/cursor.h"

#define TAIL 4096u

struct torn {
    struct binlog_gen gen;
    uint8_t *bytes;
    struct vfs_sim *sim;
};

/* End of the last event, and of the last transaction, that lies wholly below `same`. */
static void expected(const struct binlog_gen *g, size_t same, size_t *ret_end, size_t *ret_boundary)
{
    size_t at = BINLOG_MAGIC_LEN;
    bool open = false;

    *ret_boundary = at;
    while (at < g->len && at + load_u32(g->data + at + 9) <= same) {
        uint8_t type = g->data[at + 4];
        at += load_u32(g->data + at + 9);
        open = type == EVENT_GTID || (open && type != EVENT_XID);
        if (!open)
            *ret_boundary = at;
    }
    *ret_end = at;
}

static bool reopen_and_check(struct torn *t, size_t len)
{
    struct store *s;
    struct lt_err err;
    struct store_view v;
    size_t same = 0;
    size_t end;
    size_t boundary;

    while (same < len && same < t->gen.len && t->bytes[same] == t->gen.data[same])
        same++;
    expected(&t->gen, same, &end, &boundary);
    vfs_sim_put(t->sim, TEST_LINEAGE "/" TEST_FILE, t->bytes, len);
    if (test_open(vfs_sim_vfs(t->sim), false, &s, &err) < 0 || store_view_get(s, &v) < 0) {
        (void)fprintf(stderr, "open: %s\n", err.text);
        return false;
    }
    bool ok = store_appended(s) == end && v.watermark == boundary && v.durable == end;
    store_view_fini(&v);
    store_close(s);
    if (ok)
        ok = test_file_is(t->sim, TEST_LINEAGE "/" TEST_FILE, t->gen.data, end);
    if (!ok)
        (void)fprintf(stderr, "same %zu of %zu, want %zu\n", same, len, end);
    return ok;
}

static void every_byte(void)
{
    struct torn t = {.sim = vfs_sim_new(1)};
    uint64_t rng = 42;
    bool ok = true;

    gen_init(&t.gen, false, true);
    gen_file(&t.gen, true);
    while (t.gen.len < 2 * TAIL)
        gen_txn(&t.gen, 20 + t.gen.len % 300);
    t.bytes = malloc(t.gen.len);
    for (size_t from = t.gen.len - TAIL; ok && from < t.gen.len; from++) {
        memcpy(t.bytes, t.gen.data, t.gen.len);
        ok = reopen_and_check(&t, from);
        memset(t.bytes + from, 0, t.gen.len - from);
        ok = ok && reopen_and_check(&t, t.gen.len);
        for (size_t i = from; i < t.gen.len; i++)
            t.bytes[i] = (uint8_t)script_random(&rng);
        ok = ok && reopen_and_check(&t, t.gen.len);
        /* one bit, everything behind it valid */
        memcpy(t.bytes, t.gen.data, t.gen.len);
        t.bytes[from] ^= (uint8_t)(1u << (script_random(&rng) % 8));
        ok = ok && reopen_and_check(&t, t.gen.len);
    }
    CU_ASSERT_TRUE(ok);
    CU_ASSERT_EQUAL(vfs_sim_open_fds(t.sim), 0);
    free(t.bytes);
    gen_fini(&t.gen);
    vfs_sim_free(t.sim);
}

static const struct test_case cases[] = {
    {"every byte of the last 4 KiB", every_byte},
};

int main(void)
{
    return cunit_run("torn tail", cases, sizeof cases / sizeof cases[0]);
}
