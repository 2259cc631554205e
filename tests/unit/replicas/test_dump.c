/* A dump by file and position, by MySQL's set and MariaDB's state: the bytes of the file, and what servers put around them. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog/packet.h"
#include "proc.h"
#include "replicas_rig.h"

static struct replicas_rig r;

static const struct world {
    bool mariadb;
    bool crc;
} worlds[] = {{false, true}, {false, false}, {true, true}, {true, false}};
#define N_WORLDS (sizeof worlds / sizeof worlds[0])

static uint8_t *segment(const char *name, size_t *ret_len)
{
    char *path = proc_fmt("%s/lineages/0001-11111111-2222-3333-4444-555555555555/%s", r.log.dir, name);
    char *data = proc_read_file(path, ret_len);
    CU_ASSERT_FATAL(data != NULL);
    free(path);
    return (uint8_t *)data;
}

/* The file's stored bytes, without what is pre-written. */
static uint8_t *stored(const char *name, size_t *ret_len)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    uint8_t *data = segment(name, ret_len);
    CU_ASSERT_EQUAL_FATAL(store_list(r.log.store, &list, &n), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].file, name) == 0)
            *ret_len = (size_t)list[i].bytes;
    }
    free(list);
    return data;
}

/* From pos on, the file `name` comes as it is stored. */
static void check_dump(const char *from, uint64_t pos, const char *name, uint64_t name_from)
{
    struct received got;
    size_t len = 0;
    uint8_t *want = stored(name, &len);
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, from, pos), 0);
    receive_all(raw, name, &got);
    CU_ASSERT_EQUAL(got.end, LT_EOS);
    CU_ASSERT_STRING_EQUAL(got.first_rotate, from);
    CU_ASSERT_EQUAL(got.first_pos, pos);
    CU_ASSERT_EQUAL(got.len, len - name_from);
    CU_ASSERT(got.len == len - name_from && (got.len == 0 || memcmp(got.data, want + name_from, got.len) == 0));
    received_fini(&got);
    raw_close(raw);
    free(want);
}

static void test_files(void)
{
    for (size_t i = 0; i < N_WORLDS; i++) {
        replicas_rig_start(&r, worlds[i].mariadb, worlds[i].crc, NULL);
        serve_rig_txns(&r.log, 20, 200);
        serve_rig_rotate(&r.log);
        serve_rig_txns(&r.log, 3, 150000); /* larger than what is read at once */
        check_dump(RIG_FILE, 4, RIG_FILE, 4);
        check_dump(RIG_FILE, 4, RIG_FILE2, 4);
        check_dump(RIG_FILE2, 4, RIG_FILE2, 4);
        replicas_rig_end(&r);
    }
}

/* From each event of the file. */
static void test_middle(void)
{
    for (size_t i = 0; i < N_WORLDS; i++) {
        replicas_rig_start(&r, worlds[i].mariadb, worlds[i].crc, NULL);
        serve_rig_txns(&r.log, 3, 100);
        size_t len = 0;
        uint8_t *data = stored(RIG_FILE, &len);
        for (size_t at = 4; at < len; at += load_u32(data + at + 9))
            check_dump(RIG_FILE, at, RIG_FILE, at);
        check_dump(RIG_FILE, len, RIG_FILE, len);
        free(data);
        replicas_rig_end(&r);
    }
}

/* Packets whose length is one below, at and above what a packet can hold, once and twice. */
static void test_large(void)
{
    static const uint32_t payloads[] = {PACKET_MAX_PART - 1, PACKET_MAX_PART,         PACKET_MAX_PART + 1,
                                        2 * PACKET_MAX_PART, 2 * PACKET_MAX_PART + 1, 40u << 20};
    replicas_rig_start(&r, false, true, NULL);
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        size_t body = payloads[i] - 1 - EVENT_HEADER_LEN - EVENT_CRC_LEN;
        uint8_t *rows = calloc(1, body);
        CU_ASSERT_FATAL(rows != NULL);
        gen_gtid(&r.log.gen);
        gen_query(&r.log.gen, "BEGIN");
        gen_event(&r.log.gen, EVENT_WRITE_ROWS, rows, body, 0);
        gen_xid(&r.log.gen);
        serve_rig_sync(&r.log);
        free(rows);
    }
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    struct raw_event ev;
    size_t seen = 0;
    int rc;
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, RIG_FILE, 4), 0);
    while ((rc = raw_next(raw, &ev)) == 0) {
        CU_ASSERT(ev.crc_ok);
        if (ev.h.type == EVENT_WRITE_ROWS) {
            CU_ASSERT_EQUAL(ev.h.length + 1, payloads[seen]);
            CU_ASSERT_EQUAL(ev.parts, payloads[seen] / PACKET_MAX_PART + 1);
            seen++;
        }
    }
    CU_ASSERT_EQUAL(rc, LT_EOS);
    CU_ASSERT_EQUAL(seen, sizeof payloads / sizeof payloads[0]);
    raw_close(raw);
    replicas_rig_end(&r);
}

/* Events around each size at which it changes how one is sent, each in front of each, and small ones between: the bytes of the file, in order. */
static void test_sizes(void)
{
    static const size_t sizes[] = {4096, 32768, 65536, 131072};
    static const int off[] = {-60, -40, -1, 0, 1, 40};
    for (size_t i = 0; i < N_WORLDS; i++) {
        replicas_rig_start(&r, worlds[i].mariadb, worlds[i].crc, NULL);
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            for (size_t m = 0; m < sizeof off / sizeof off[0]; m++) {
                serve_rig_txns(&r.log, 1, sizes[k] + (size_t)off[m]);
                serve_rig_txns(&r.log, (unsigned)m % 3, 150000);
                serve_rig_txns(&r.log, (unsigned)m * 20, 40 * k);
            }
        }
        check_dump(RIG_FILE, 4, RIG_FILE, 4);
        replicas_rig_end(&r);
    }
}

static void check_refused(const struct raw_options *opt, const char *file, uint64_t pos, const char *text)
{
    struct received got;
    struct raw_replica *raw = replicas_rig_client(&r, opt);
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, file, pos), 0);
    receive_all(raw, RIG_FILE, &got);
    CU_ASSERT_EQUAL(got.end, LT_EPROTO);
    CU_ASSERT_EQUAL(raw_error_code(raw), 1236);
    CU_ASSERT(strstr(raw_error_text(raw), text) != NULL);
    received_fini(&got);
    raw_close(raw);
}

static void test_refused(void)
{
    for (size_t i = 0; i < N_WORLDS; i++) {
        const struct world *w = &worlds[i];
        replicas_rig_start(&r, w->mariadb, w->crc, NULL);
        serve_rig_txns(&r.log, 2, 100);
        check_refused(NULL, "other.000001", 4, "Could not find first log file name in binary log index file");
        check_refused(NULL, "../lock", 4, "Could not find first log file name in binary log index file");
        check_refused(NULL, RIG_FILE2, 4, "Could not find first log file name in binary log index file");
        check_refused(NULL, RIG_FILE, 3, w->mariadb ? "impossible position" : "position < 4");
        check_refused(NULL, RIG_FILE, 1u << 30, w->mariadb ? "impossible position" : "position > file size");
        check_refused(NULL, RIG_FILE, 5,
                      "; the first event '" RIG_FILE "' at 5, the last event read from '" RIG_FILE "' at 4, ");
        if (w->crc)
            check_refused(&(struct raw_options){.no_checksum_var = true}, RIG_FILE, 4,
                          "can not handle replication events with the checksum");
        replicas_rig_end(&r);
    }
}

/* Blocking: what becomes durable comes, what is appended only does not; and while nothing comes, heartbeats say where it stands. */
static void test_follows(void)
{
    for (size_t i = 0; i < N_WORLDS; i++) {
        struct raw_event ev;
        replicas_rig_start(&r, worlds[i].mariadb, worlds[i].crc, NULL);
        serve_rig_txns(&r.log, 1, 100);
        struct raw_replica *raw = replicas_rig_client(&r, &(struct raw_options){.server_id = 77, .heartbeat_ms = 20});
        CU_ASSERT_EQUAL_FATAL(raw_dump(raw, RIG_FILE, r.log.gen.len), 0);
        for (unsigned round = 0; round < 3; round++) {
            unsigned beats = 0;
            uint64_t end = r.log.gen.len;
            while (beats < 3) {
                CU_ASSERT_EQUAL_FATAL(raw_next(raw, &ev), 0);
                bool beat = ev.h.type == EVENT_HEARTBEAT || ev.h.type == EVENT_HEARTBEAT_V2;
                CU_ASSERT_EQUAL(ev.crc_ok, true);
                CU_ASSERT(ev.artificial);
                if (beat) {
                    CU_ASSERT_EQUAL(ev.h.type, worlds[i].mariadb ? EVENT_HEARTBEAT : EVENT_HEARTBEAT_V2);
                    CU_ASSERT(ev.h.type == EVENT_HEARTBEAT_V2 || ev.h.log_pos == end);
                    beats++;
                }
            }
            serve_rig_txns(&r.log, 1, 300);
            do {
                CU_ASSERT_EQUAL_FATAL(raw_next(raw, &ev), 0);
            } while (ev.h.type == EVENT_HEARTBEAT || ev.h.type == EVENT_HEARTBEAT_V2 || ev.end < r.log.gen.len);
            CU_ASSERT_EQUAL(ev.end, r.log.gen.len);
        }
        raw_close(raw);
        replicas_rig_end(&r);
    }
}

/* A history that ends: who has a file and a position is told where to go, and gets nothing of the other. */
static void test_lineage(void)
{
    replicas_rig_start(&r, false, true, NULL);
    serve_rig_txns(&r.log, 2, 100);
    serve_rig_lineage(&r.log, "99999999-2222-3333-4444-555555555555");
    serve_rig_txns(&r.log, 2, 100);
    struct received got;
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    /* The newest lineage that has the file is asked; the older one has it by a number that only it has. */
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, "", 4), 0);
    receive_all(raw, RIG_FILE, &got);
    CU_ASSERT_EQUAL(got.end, LT_EPROTO);
    CU_ASSERT_EQUAL(raw_error_code(raw), 1236);
    CU_ASSERT(strstr(raw_error_text(raw), "'" RIG_FILE "' position 4") != NULL);
    received_fini(&got);
    raw_close(raw);
    replicas_rig_end(&r);
}

/* By GTID it goes on: all of both histories, each once, and a Rotate between them. */
static void test_lineage_by_gtid(void)
{
    replicas_rig_start(&r, false, true, NULL);
    serve_rig_txns(&r.log, 3, 100);
    serve_rig_lineage(&r.log, "99999999-2222-3333-4444-555555555555");
    serve_rig_txns(&r.log, 4, 100);
    struct raw_event ev;
    unsigned txns = 0;
    unsigned rotates = 0;
    int rc;
    struct raw_replica *raw = replicas_rig_client(&r, NULL);
    CU_ASSERT_EQUAL_FATAL(raw_dump_gtid(raw, "", 4, NULL, 0), 0);
    while ((rc = raw_next(raw, &ev)) == 0) {
        txns += ev.h.type == EVENT_XID;
        rotates += ev.h.type == EVENT_ROTATE;
    }
    CU_ASSERT_EQUAL(rc, LT_EOS);
    CU_ASSERT_EQUAL(txns, 7);
    CU_ASSERT_EQUAL(rotates, 2);
    raw_close(raw);
    replicas_rig_end(&r);
}

/* Who takes nothing is closed, and holds no more memory than one chunk meanwhile. */
static void test_slow(void)
{
    struct replicas_options opt = {.send_timeout_us = 200000};
    struct replicas_view v = {0};
    replicas_rig_start(&r, false, true, &opt);
    serve_rig_txns(&r.log, 40, 1u << 20);
    struct raw_replica *raw = replicas_rig_client(&r, &(struct raw_options){.server_id = 3});
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, RIG_FILE, 4), 0);
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; v.slow_closed == 0 && proc_now_ms() < until; proc_sleep_ms(1))
        replicas_view_get(r.replicas, &v);
    CU_ASSERT_EQUAL(v.slow_closed, 1);
    raw_close(raw);
    replicas_rig_end(&r);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"whole files, across files", test_files}, {"from every event of a file", test_middle},
        {"packets past 16 MiB", test_large},       {"events of all sizes", test_sizes},
        {"places that are none", test_refused},    {"follows, with heartbeats", test_follows},
        {"another history begins", test_lineage},  {"another history, by GTID", test_lineage_by_gtid},
        {"who takes nothing", test_slow},
    };
    return cunit_run("replicas_dump", cases, sizeof cases / sizeof cases[0]);
}
