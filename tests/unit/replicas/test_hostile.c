/* Clients that no server wants: what comes before a login, packets that are none, and who talks while he is streamed to. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "proc.h"
#include "replicas_client.h"

static struct replicas_rig r;

static void wait_for_nobody(void)
{
    struct replicas_view v = {.connected = 1};
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; v.connected > 0 && proc_now_ms() < until; proc_sleep_ms(1))
        replicas_view_get(r.replicas, &v);
    CU_ASSERT_EQUAL(v.connected, 0);
}

static void test_before_login(void)
{
    static uint8_t junk[70000];
    uint8_t buf[4096];
    struct replicas_options opt = {.login_us = 300000};
    memset(junk, 0xa5, sizeof junk);
    replicas_rig_start(&r, false, true, &opt);
    for (unsigned what = 0; what < 6; what++) {
        int fd = raw_client_connect(&r, "127.0.0.1");
        CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
        switch (what) {
        case 0: /* nothing at all */
            break;
        case 1: /* a packet that never ends */
            (void)send(fd, "\xff\xff\x00\x01x", 5, MSG_NOSIGNAL);
            break;
        case 2: /* longer than any login */
            (void)send(fd, "\x00\x00\x02\x01", 4, MSG_NOSIGNAL);
            break;
        case 3: /* out of order */
            raw_client_send(fd, 7, junk, 40);
            break;
        case 4: /* garbage */
            raw_client_send(fd, 1, junk, 60000);
            break;
        default: /* TLS, which there is not */
            memset(buf, 0, sizeof buf);
            store_u32(buf, 0x00000a00u | 0x8000u | 0x80000u);
            raw_client_send(fd, 1, buf, 32);
        }
        raw_client_expect_end(fd);
    }
    wait_for_nobody();
    replicas_rig_end(&r);
}

static void test_after_login(void)
{
    uint8_t buf[4096];
    replicas_rig_start(&r, false, true, NULL);
    /* Commands that are none, and too short: an error each, and the connection goes on. */
    int fd = raw_client_log_in(&r, "127.0.0.1");
    for (unsigned code = 0; code < 256; code++) {
        uint8_t c = (uint8_t)code;
        if (code == 0x01 || code == 0x11 || code == 0x12 || code == 0x1e)
            continue; /* it ends; it asks anew; it is a dump */
        raw_client_send(fd, 0, &c, 1);
        if (code == 0x18 || code == 0x19) { /* about statements that are not prepared: these have no answer */
            raw_client_send(fd, 0, "\x0e", 1);
            CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0 && buf[0] == 0);
            continue;
        }
        CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    }
    raw_client_send(fd, 0, "\x17\x05\0\0\0\0\x01\0\0\0", 10);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0 && buf[0] == 0xff && load_u16(buf + 1) == 1243);
    raw_client_send(fd, 0, "", 0);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    raw_client_send(fd, 0, "\x12", 1);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    CU_ASSERT_EQUAL(buf[0], 0xff);
    raw_client_send(fd, 0, "\x0e", 1);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    CU_ASSERT_EQUAL(buf[0], 0);
    /* A packet out of order, and one that is larger than is taken. */
    raw_client_send(fd, 3, "\x0e", 1);
    raw_client_expect_end(fd);
    fd = raw_client_log_in(&r, "127.0.0.1");
    for (uint8_t seq = 0; seq < 3; seq++) {
        uint8_t *part = calloc(1, 0xffffff);
        CU_ASSERT_FATAL(part != NULL);
        raw_client_send(fd, seq, part, 0xffffff);
        free(part);
    }
    raw_client_expect_end(fd);
    wait_for_nobody();
    replicas_rig_end(&r);
}

/* Pings are passed over while it is streamed to, without an answer among the events; a flood ends it. */
static void test_talks(void)
{
    static const uint8_t ping[] = {1, 0, 0, 0, 0x0e};
    struct raw_event ev;
    int rc = 0;
    replicas_rig_start(&r, false, true, NULL);
    struct raw_replica *raw = replicas_rig_client(&r, &(struct raw_options){.server_id = 5});
    CU_ASSERT_EQUAL_FATAL(raw_dump(raw, RIG_FILE, 4), 0);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(raw_send(raw, ping, sizeof ping), 0);
        serve_rig_txns(&r.log, 1, 100);
        do {
            rc = raw_next(raw, &ev);
        } while (rc == 0 && ev.end < r.log.gen.len);
        CU_ASSERT_EQUAL(rc, 0);
    }
    for (int i = 0; i < 40000 && raw_send(raw, ping, sizeof ping) == 0; i++)
        ;
    raw_close(raw);
    wait_for_nobody();
    replicas_rig_end(&r);
}

static size_t resident_kib(void)
{
    char *text = proc_read_file("/proc/self/statm", NULL);
    CU_ASSERT_FATAL(text != NULL);
    size_t pages = strtoul(strchr(text, ' '), NULL, 10);
    free(text);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* Commands one behind the other, as many as fit, and not one answer read: memory stays. */
static void test_pipeline(void)
{
    enum { ROUNDS = 3 };
    static const uint8_t commands[] = {1,   0,   0,   0,   0x09, 20,  0,   0,   0,   3,   'S', 'H', 'O', 'W', ' ',
                                       'G', 'L', 'O', 'B', 'A',  'L', ' ', 'V', 'A', 'R', 'I', 'A', 'B', 'L'};
    static const uint8_t rest[] = "ES";
    static uint8_t block[64 * (sizeof commands + sizeof rest - 1)];
    uint8_t buf[8192];
    for (size_t at = 0; at < sizeof block; at += sizeof commands + sizeof rest - 1) {
        memcpy(block + at, commands, sizeof commands);
        memcpy(block + at + sizeof commands, rest, sizeof rest - 1);
        store_u24(block + at + 5, 22);
    }
    replicas_rig_start(&r, false, true, NULL);
    serve_rig_txns(&r.log, 1, 100);
    int fd = raw_client_log_in(&r, "127.0.0.1");
    size_t before = resident_kib();
    size_t sent = 0;
    for (int stuck = 0; stuck < ROUNDS;) { /* until neither side takes anything */
        ssize_t n =
            send(fd, block + sent % sizeof block, sizeof block - sent % sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT);
        stuck = n > 0 ? 0 : stuck + 1;
        sent += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            proc_sleep_ms(20);
    }
    CU_ASSERT(sent > sizeof block);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what was freed */
    CU_ASSERT(resident_kib() < before + 1024);
#else
    (void)before;
#endif
    int other = raw_client_log_in(&r, "127.0.0.1");
    raw_client_send(other, 0, "\x0e", 1);
    CU_ASSERT(raw_client_packet(other, buf, sizeof buf) > 0 && buf[0] == 0);
    (void)close(other);
    (void)close(fd);
    wait_for_nobody();
    replicas_rig_end(&r);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"before a login", test_before_login},
        {"after a login", test_after_login},
        {"talks while it is streamed to", test_talks},
        {"commands without reading", test_pipeline},
    };
    return cunit_run("replicas_hostile", cases, sizeof cases / sizeof cases[0]);
}
