/* Much and for long: transactions of many events larger than a packet, positions past 4 GiB, many reconnects, long TLS streams. */
#include <fcntl.h>
#include <stdio.h>

#include "base/cursor.h"
#include "binlog/crc32.h"
#include "fake_rig.h"

#define MIB (1024u * 1024u)

static unsigned rss_mib(const struct fake_rig *r)
{
    return (unsigned)(daemon_peak_rss_kib(r->rig.dm) / 1024);
}

/* Memory stays bounded while one transaction of events larger than 16 MiB passes, compared and appended. */
static void test_huge_transaction(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    struct fake_pos end = fake_commit_huge(r.fp, rig_rounds(6, 50), 21 * MIB);
    CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, 4 * RIG_WAIT_MS));
    fake_close_all(r.fp, true); /* it is the last complete one, so it comes again */
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    printf("\n  %llu MiB, RSS at most %u MiB ", (unsigned long long)(end.pos / MIB), rss_mib(&r));
    CU_ASSERT(rss_mib(&r) < 64);
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* ---- past 4 GiB ---- */

/* An event of zeros, written as a hole. */
static void write_hollow_event(int fd, uint64_t at, uint32_t len)
{
    static const uint8_t zeros[MIB];
    uint8_t head[EVENT_HEADER_LEN] = {0};
    uint8_t crc_bytes[EVENT_CRC_LEN];
    head[4] = EVENT_WRITE_ROWS;
    store_u32(head + 9, len);
    store_u32(head + 13, (uint32_t)(at + len));
    uint32_t crc = crc32_update(0, head, sizeof head);
    for (uint64_t left = len - sizeof head - sizeof crc_bytes; left > 0;) {
        size_t n = left < sizeof zeros ? (size_t)left : sizeof zeros;
        crc = crc32_update(crc, zeros, n);
        left -= n;
    }
    store_u32(crc_bytes, crc);
    if (pwrite(fd, head, sizeof head, (off_t)at) != sizeof head ||
        pwrite(fd, crc_bytes, sizeof crc_bytes, (off_t)(at + len - sizeof crc_bytes)) != sizeof crc_bytes)
        proc_die_errno("writing the segment");
}

/* What the generator made goes to the primary's file and to our copy of it. */
static struct fake_pos put_in_both(struct fake_rig *r, const struct fake_gen *g, int fd, uint64_t at, bool ack)
{
    if (pwrite(fd, g->out.p, g->out.len, (off_t)at) != (ssize_t)g->out.len)
        proc_die_errno("writing the segment");
    return fake_gen_unlock(r->fp, ack);
}

static uint64_t body_length(const struct fake_gen *g, uint64_t rows)
{
    struct fake_gen dry = *g;
    dry.out = (struct fake_bytes){0};
    fake_gen_query(&dry, "test", "BEGIN");
    fake_gen_table_map(&dry);
    fake_gen_xid(&dry, 1);
    uint64_t len = dry.out.len + rows;
    fake_gen_fini(&dry);
    return len;
}

/* A transaction of more than 4 GiB and a small one behind it, on the primary and in the store. */
static void grow_past_4_gib(struct fake_rig *r, int fd)
{
    enum { EVENTS = 5 };
    const uint32_t len = 1024 * MIB - 100;
    struct fake_pos at = fake_end(r->fp);
    struct fake_gen *g = fake_gen_lock(r->fp);
    fake_gen_gtid(g, &(struct fake_gtid_spec){.seq = 2, .body_len = body_length(g, (uint64_t)EVENTS * len)});
    fake_gen_query(g, "test", "BEGIN");
    fake_gen_table_map(g);
    at = put_in_both(r, g, fd, at.pos, false);
    for (unsigned i = 0; i < EVENTS; i++) {
        write_hollow_event(fd, at.pos, len);
        at = fake_append_virtual(r->fp, EVENT_WRITE_ROWS, len, i, false);
    }
    g = fake_gen_lock(r->fp);
    fake_gen_xid(g, 1);
    at = put_in_both(r, g, fd, at.pos, true);
    g = fake_gen_lock(r->fp);
    fake_gen_txn(g, &(struct fake_txn_spec){.seq = 3, .blob_len = 100});
    (void)put_in_both(r, g, fd, at.pos, true);
}

/* COM_BINLOG_DUMP has 32 bits for a position: MySQL is asked by COM_BINLOG_DUMP_GTID; ACKs have 64. */
static void test_past_4_gib(void)
{
    struct fake_rig r;
    struct fake_counters n;
    struct fake_dump d;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    char *path = binlogs_segment_path(r.rig.dm->dir, FAKE_FILE1);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        proc_die_errno("%s", path);
    grow_past_4_gib(&r, fd);
    (void)close(fd);
    free(path);
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_wait_live(r.fp, FAKE_DUMP_SEMI_SYNC, 1, RIG_WAIT_MS));
    fake_counters(r.fp, &n);
    CU_ASSERT_TRUE(fake_dump_get(r.fp, n.dumps, &d));
    CU_ASSERT(d.semi_sync && d.gtid && d.pos > UINT32_MAX);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.seq = 4, .blob_len = 100});
    CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_wait_position(r.rig.dm, end.file, end.pos, RIG_WAIT_MS));
    CU_ASSERT(end.pos > UINT32_MAX && rss_mib(&r) < 64);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_rig_end(&r);
}

/* ---- reconnects ---- */

static void reconnect_often(const struct fake_options *opt, char *const *settings)
{
    struct fake_rig r;
    struct fake_counters n;
    unsigned rounds = rig_rounds(60, 1000);
    fake_rig_start(&r, opt, settings);
    for (unsigned i = 0; i < rounds; i++) {
        fake_close_all(r.fp, i % 2 == 0);
        struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 100});
        CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    }
    fake_counters(r.fp, &n);
    printf("\n  %u dumps, RSS at most %u MiB ", n.dumps, rss_mib(&r));
    CU_ASSERT(n.semi_sync_dumps >= rounds);
    CU_ASSERT_EQUAL(n.shared_ids, 0);
    for (unsigned i = 1; i <= n.dumps; i++) {
        struct fake_dump d;
        CU_ASSERT_TRUE(fake_dump_get(r.fp, i, &d));
        CU_ASSERT_EQUAL(d.tls, opt->tls_cert != NULL);
    }
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r); /* a leak is the daemon's exit status under a sanitizer */
}

struct tls {
    char *dir;
    char *ca;
    struct fake_certs certs;
};

static void tls_make(struct tls *t)
{
    t->dir = proc_tempdir();
    fake_certs_make(t->dir, "localhost", 10, &t->certs);
    t->ca = proc_fmt("source.ssl_ca=%s", t->certs.ca);
}

static void tls_free(struct tls *t)
{
    proc_remove_dir(t->dir);
    free(t->dir);
    free(t->ca);
}

static void test_reconnects_plain(void)
{
    reconnect_often(&(struct fake_options){.version = "9.7.4"}, (char *[]){"source.retry_min=10ms", NULL});
    reconnect_often(&(struct fake_options){.version = "5.5.5-10.11.19-MariaDB-log"},
                    (char *[]){"source.retry_min=10ms", NULL});
}

static void test_reconnects_tls(void)
{
    struct tls t;
    tls_make(&t);
    reconnect_often(
        &(struct fake_options){
            .version = "9.7.4", .auth = FAKE_AUTH_SHA2_FULL, .tls_cert = t.certs.cert, .tls_key = t.certs.key},
        (char *[]){"source.retry_min=10ms", "source.ssl_mode=VERIFY_CA", t.ca, NULL});
    tls_free(&t);
}

/* Keys change in the middle of the stream, and we are asked to change ours: between two reads, where ACKs go the other way. */
static void test_tls_key_updates(void)
{
    struct tls t;
    struct fake_rig r;
    struct fake_counters before;
    struct fake_counters after;
    tls_make(&t);
    struct fake_options opt = {.version = "9.7.4",
                               .auth = FAKE_AUTH_SHA2_FULL,
                               .tls_cert = t.certs.cert,
                               .tls_key = t.certs.key,
                               .tls_key_update_every = 7};
    fake_rig_start(&r, &opt, (char *[]){"source.ssl_mode=VERIFY_CA", t.ca, NULL});
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_counters(r.fp, &before);
    for (unsigned i = 0; i < rig_rounds(300, 5000); i++) {
        struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = i % 50 == 0 ? 900000 : 500});
        CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    }
    struct fake_pos end = fake_commit_huge(r.fp, rig_rounds(3, 50), 20 * MIB);
    CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, 4 * RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    CU_ASSERT_TRUE(fake_wait_live(r.fp, FAKE_DUMP_ANY, 0, RIG_WAIT_MS));
    fake_counters(r.fp, &after);
    printf("\n  %u key updates ", after.key_updates);
    CU_ASSERT_EQUAL(after.dumps, before.dumps);
    if (after.dumps != before.dumps)
        daemon_show_log(r.rig.dm);
    CU_ASSERT(after.key_updates > 100);
    fake_rig_end(&r);
    tls_free(&t);
}

static const struct test_case cases[] = {
    {"a transaction larger than memory", test_huge_transaction},
    {"positions past 4 GiB", test_past_4_gib},
    {"many reconnects, plain", test_reconnects_plain},
    {"many reconnects, TLS", test_reconnects_tls},
    {"a long TLS stream with key updates", test_tls_key_updates},
};

int main(void)
{
    return cunit_run("long", cases, sizeof cases / sizeof cases[0]);
}
