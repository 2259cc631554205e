/*
 * Events of 1 GiB and places past 4 GiB, in a file that is mostly a hole: as they are sent, whole or left out, and in which memory. The plain run reads one such event; LT_FULL=1 the file.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cursor.h"
#include "binlog/packet.h"
#include "proc.h"
#include "replicas_rig.h"

#define LARGE    (1u << 30) /* of each rows event, its header and all */
#define LARGES   4u
#define SOURCE   "11111111-2222-3333-4444-555555555555"
#define MORE_MAX 16384u /* KiB, of which a tenth is the client's */

static struct replicas_rig r;
static uint64_t far_end;            /* of the file, in front of its Rotate */
static uint64_t begins[LARGES + 1]; /* of the transactions; the last is small, and past 4 GiB */

static void write_at(int fd, uint64_t at, const void *data, size_t len)
{
    CU_ASSERT_FATAL(pwrite(fd, data, len, (off_t)at) == (ssize_t)len);
}

/* What gen has from `from` on goes behind what there is; every event says where it ends. */
static uint64_t put(int fd, struct binlog_gen *g, size_t from, uint64_t at)
{
    for (size_t off = from; off < g->len;) {
        uint32_t len = load_u32(g->data + off + 9);
        store_u32(g->data + off + 13, (uint32_t)(at + len));
        event_crc_set(g->data + off, len);
        write_at(fd, at, g->data + off, len);
        at += len;
        off += len;
    }
    return at;
}

/* The header of a rows event; its body is the hole behind it. */
static uint64_t put_large(int fd, struct binlog_gen *g, uint64_t at)
{
    size_t from = g->len;
    gen_rows(g, 100);
    store_u32(g->data + from + 9, LARGE);
    store_u32(g->data + from + 13, (uint32_t)(at + LARGE));
    write_at(fd, at, g->data + from, EVENT_HEADER_LEN);
    return at + LARGE;
}

static void write_file(const char *path)
{
    struct binlog_gen g;
    gen_init(&g, false, true);
    gen_file(&g, true);
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    CU_ASSERT_FATAL(fd >= 0);
    write_at(fd, 0, g.data, BINLOG_MAGIC_LEN);
    uint64_t at = put(fd, &g, BINLOG_MAGIC_LEN, BINLOG_MAGIC_LEN);
    for (unsigned i = 0; i <= LARGES; i++) {
        size_t from = g.len;
        begins[i] = at;
        gen_gtid(&g);
        gen_query(&g, "BEGIN");
        at = put(fd, &g, from, at);
        if (i < LARGES)
            at = put_large(fd, &g, at);
        from = g.len;
        gen_xid(&g);
        at = put(fd, &g, from, at);
    }
    far_end = at;
    size_t from = g.len;
    gen_rotate(&g, RIG_FILE2);
    (void)put(fd, &g, from, at);
    (void)close(fd);
    gen_fini(&g);
}

/* A store whose first file, which is sealed, is exchanged for the one with the hole. */
static void begin(void)
{
    struct lt_err err = {0};
    struct replicas_options o = {.server_uuid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", .server_id = 4711};
    r = (struct replicas_rig){0};
    serve_rig_store(&r.log, false);
    serve_rig_lineage(&r.log, SOURCE);
    r.log.gen.seq = LARGES + 1; /* what the second file's list says came before */
    serve_rig_rotate(&r.log);
    serve_rig_txns(&r.log, 1, 100);
    store_close(r.log.store);
    char *path = proc_fmt("%s/lineages/0001-" SOURCE "/" RIG_FILE, r.log.dir);
    write_file(path);
    free(path);
    struct store_options so = {.dir = r.log.dir, .allow_unsafe_fs = true};
    if (store_open(&so, &vfs_posix, &r.log.store, &err) != 0)
        proc_die("%s", err.text);
    o.store = r.log.store;
    o.host = "127.0.0.1";
    if (replicas_start(&o, &r.replicas, &err) != 0)
        proc_die("%s", err.text);
}

static uint64_t peak_kib(void)
{
    struct rusage ru;
    CU_ASSERT_EQUAL_FATAL(getrusage(RUSAGE_SELF, &ru), 0);
    return (uint64_t)ru.ru_maxrss;
}

/* From there: so many large events and transactions of the first file, each whole, each where it is. */
static void check_from(struct raw_replica *raw, uint64_t at, unsigned want_large, unsigned want_txns)
{
    struct raw_event ev;
    unsigned large = 0;
    unsigned txns = 0;
    int rc;
    while ((rc = raw_next(raw, &ev)) == 0) {
        if (ev.artificial || strcmp(ev.file, RIG_FILE) != 0)
            continue;
        at += ev.h.length;
        if (ev.h.length == LARGE) {
            large++;
            CU_ASSERT_EQUAL(ev.parts, (LARGE + 1) / PACKET_MAX_PART + 1);
        } else {
            CU_ASSERT_TRUE(ev.crc_ok);
        }
        txns += ev.h.type == EVENT_XID;
        CU_ASSERT_EQUAL(ev.h.log_pos, (uint32_t)at);
    }
    CU_ASSERT_EQUAL(rc, LT_EOS);
    CU_ASSERT_EQUAL(large, want_large);
    CU_ASSERT_EQUAL(txns, want_txns);
}

/* By file and position: over the border of 4 GiB within an event. */
static void test_large(void)
{
    bool full = secure_getenv("LT_FULL") != NULL;
    unsigned from = full ? 0 : LARGES - 1;
    begin();
    CU_ASSERT_FATAL(begins[LARGES - 1] < UINT32_MAX && begins[LARGES] > UINT32_MAX);
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    uint64_t before = peak_kib();
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, RIG_FILE, full ? 4 : begins[from]), 0);
    check_from(raw, full ? 4 : begins[from], LARGES - from, LARGES + 1 - from);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what was freed */
    CU_ASSERT(peak_kib() < before + MORE_MAX);
#else
    (void)before;
#endif
    raw_close(raw);
    replicas_rig_end(&r);
}

/* By GTID: 4 GiB that are held are walked over, not sent, and a heartbeat says in 64 bits how far that went. */
static void test_left_out(void)
{
    struct gtid_set set = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    struct raw_event ev;
    uint64_t skipped = 0;
    unsigned txns = 0;
    int rc;
    begin();
    char *text = proc_fmt("68b1e7ed-0102-0304-0506-0708090a0b0c:1-%u", LARGES);
    CU_ASSERT_EQUAL_FATAL(gtid_set_parse(GTID_MYSQL, text, &set), 0);
    CU_ASSERT_EQUAL_FATAL(gtid_set_encode_mysql(&set, &data, &len), 0);
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    CU_ASSERT_EQUAL_FATAL(raw_dump_gtid(raw, "", 4, data, len), 0);
    while ((rc = raw_next(raw, &ev)) == 0) {
        struct event_heartbeat beat;
        if (ev.h.type == EVENT_HEARTBEAT_V2 && event_heartbeat_parse(ev.data, ev.len, true, &beat) == 0)
            skipped = skipped == 0 ? beat.pos : skipped;
        txns += ev.h.type == EVENT_XID && ev.h.log_pos == (uint32_t)far_end;
        CU_ASSERT(ev.h.length < LARGE);
    }
    CU_ASSERT_EQUAL(rc, LT_EOS);
    CU_ASSERT_EQUAL(txns, 1);
    CU_ASSERT_EQUAL(skipped, begins[LARGES]);
    raw_close(raw);
    free(text);
    free(data);
    gtid_set_fini(&set);
    replicas_rig_end(&r);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"events of 1 GiB", test_large},
        {"4 GiB left out", test_left_out},
    };
    return cunit_run("replicas_far", cases, sizeof cases / sizeof cases[0]);
}
