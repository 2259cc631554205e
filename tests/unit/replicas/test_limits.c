/* Who takes the places, the memory and the time of others, and does not get them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "proc.h"
#include "replicas_client.h"

static struct replicas_rig r;

static struct replicas_view view(void)
{
    struct replicas_view v;
    replicas_view_get(r.replicas, &v);
    return v;
}

/* Greeted: it is a connection that the listener holds, and that has not logged in. */
static int half_open(const char *from)
{
    uint8_t buf[4096];
    int fd = raw_client_connect(&r, from);
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 0);
    return fd;
}

static bool is_closed(int fd)
{
    uint8_t byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 || (errno != EAGAIN && errno != EINTR);
}

static bool gets_closed(int fd)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(1)) {
        if (is_closed(fd))
            return true;
    }
    return false;
}

static void wait_connected(uint64_t n)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; view().connected != n && proc_now_ms() < until; proc_sleep_ms(1))
        ;
    CU_ASSERT_EQUAL(view().connected, n);
}

/* One address begins login after login: it loses its own oldest ones, and another address gets in as ever. */
static void test_one_address(void)
{
    enum { PLACES = 256, MAY = 16, MANY = 60 }; /* a quarter of a quarter */
    int fds[MANY];
    struct replicas_options opt = {.max_replicas = PLACES, .limit_loopback = true};
    replicas_rig_start(&r, false, true, &opt);
    for (int i = 0; i < MANY; i++)
        fds[i] = half_open("127.0.0.66");
    for (int i = 0; i < MANY - MAY; i++)
        CU_ASSERT_TRUE(gets_closed(fds[i]));
    for (int i = MANY - MAY; i < MANY; i++)
        CU_ASSERT_FALSE(is_closed(fds[i]));
    wait_connected(MAY);
    CU_ASSERT_EQUAL(view().refused, MANY - MAY);
    int good = raw_client_log_in(&r, "127.0.0.5");
    int same = raw_client_log_in(&r, "127.0.0.66"); /* whoever else is there gets in too */
    CU_ASSERT_FALSE(is_closed(good) || is_closed(same));
    (void)close(good);
    (void)close(same);
    for (int i = 0; i < MANY; i++)
        (void)close(fds[i]);
    wait_connected(0);
    replicas_rig_end(&r);
}

/* From many addresses: those who never log in share a quarter of the places; who has most gives up first. */
static void test_many_addresses(void)
{
    enum { PLACES = 128, MAY = 32, GREEDY = 14, OTHERS = 30 };
    int greedy[GREEDY];
    int others[OTHERS];
    struct replicas_options opt = {.max_replicas = PLACES, .limit_loopback = true};
    replicas_rig_start(&r, false, true, &opt);
    for (int i = 0; i < GREEDY; i++)
        greedy[i] = half_open("127.0.0.66");
    for (int i = 0; i < OTHERS; i++) {
        char from[32];
        (void)snprintf(from, sizeof from, "127.0.1.%d", i + 1);
        others[i] = half_open(from);
    }
    for (int i = 0; i < GREEDY + OTHERS - MAY; i++)
        CU_ASSERT_TRUE(gets_closed(greedy[i]));
    for (int i = 0; i < OTHERS; i++)
        CU_ASSERT_FALSE(is_closed(others[i]));
    int good = raw_client_log_in(&r, "127.0.0.5");
    CU_ASSERT_FALSE(is_closed(good));
    (void)close(good);
    for (int i = 0; i < GREEDY; i++)
        (void)close(greedy[i]);
    for (int i = 0; i < OTHERS; i++)
        (void)close(others[i]);
    wait_connected(0);
    replicas_rig_end(&r);
}

/* Who has logged in is in nobody's way: he stays, and one address has no more than its share of such places. */
static void test_logged_in(void)
{
    enum { PLACES = 80, SHARE = 20 };
    int fds[SHARE];
    uint8_t buf[4096];
    struct replicas_options opt = {.max_replicas = PLACES, .limit_loopback = true};
    replicas_rig_start(&r, false, true, &opt);
    for (int i = 0; i < SHARE; i++)
        fds[i] = raw_client_log_in(&r, "127.0.0.66");
    int fd = raw_client_connect(&r, "127.0.0.66");
    CU_ASSERT(raw_client_packet(fd, buf, sizeof buf) > 2);
    CU_ASSERT(buf[0] == 0xff && load_u16(buf + 1) == 1040);
    CU_ASSERT_TRUE(gets_closed(fd));
    (void)close(fd);
    int good = raw_client_log_in(&r, "127.0.0.5");
    for (int i = 0; i < SHARE; i++)
        CU_ASSERT_FALSE(is_closed(fds[i]));
    (void)close(good);
    for (int i = 0; i < SHARE; i++)
        (void)close(fds[i]);
    wait_connected(0);
    replicas_rig_end(&r);
}

/* On loopback, which is not counted, strangers may take all places: they go as soon as somebody wants one. */
static void test_full(void)
{
    enum { PLACES = 20 };
    int fds[PLACES];
    struct replicas_options opt = {.max_replicas = PLACES};
    replicas_rig_start(&r, false, true, &opt);
    for (int i = 0; i < PLACES; i++)
        fds[i] = half_open("127.0.0.1");
    int good = raw_client_log_in(&r, "127.0.0.1");
    CU_ASSERT_TRUE(gets_closed(fds[0]));
    for (int i = 1; i < PLACES; i++) {
        CU_ASSERT_FALSE(is_closed(fds[i]));
        (void)close(fds[i]);
    }
    wait_connected(1);
    (void)close(fds[0]);
    (void)close(good);
    replicas_rig_end(&r);
}

/* A command that does not end is given up, whole or drip by drip; who only waits stays, also one who took an answer slowly. */
static void test_slow_command(void)
{
    struct replicas_options opt = {.send_timeout_us = 300000};
    uint8_t buf[4096];
    replicas_rig_start(&r, false, true, &opt);
    int waits = raw_client_log_in(&r, "127.0.0.1");
    int begun = raw_client_log_in(&r, "127.0.0.1");
    int drips = raw_client_log_in(&r, "127.0.0.1");
    CU_ASSERT_EQUAL(send(begun, "\x00", 1, MSG_NOSIGNAL), 1);
    CU_ASSERT_EQUAL(send(drips, "\xff\xff\x00\x00\x03", 5, MSG_NOSIGNAL), 5);
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !is_closed(drips) && proc_now_ms() < until; proc_sleep_ms(10))
        (void)send(drips, "x", 1, MSG_NOSIGNAL);
    CU_ASSERT_TRUE(is_closed(drips));
    CU_ASSERT_TRUE(gets_closed(begun));
    raw_client_send(waits, 0, "\x0e", 1);
    CU_ASSERT(raw_client_packet(waits, buf, sizeof buf) > 0 && buf[0] == 0);
    (void)close(waits);
    (void)close(begun);
    (void)close(drips);
    wait_connected(0);
    replicas_rig_end(&r);
}

/* Memory of commands that are not there whole: who holds most of it goes when others need some. */
static void test_memory(void)
{
    enum { HOARDERS = 5 };
    static uint8_t junk[1u << 20];
    int fds[HOARDERS];
    uint8_t buf[4096];
    struct replicas_options opt = {.input_memory = 4u << 20};
    replicas_rig_start(&r, false, true, &opt);
    for (int i = 0; i < HOARDERS; i++) {
        fds[i] = raw_client_log_in(&r, "127.0.0.1");
        CU_ASSERT_EQUAL(send(fds[i], "\xff\xff\x1f\x00", 4, MSG_NOSIGNAL), 4); /* 2 MiB, of which half comes */
        CU_ASSERT_EQUAL(send(fds[i], junk, sizeof junk, MSG_NOSIGNAL), sizeof junk);
    }
    unsigned closed = 0;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; closed == 0 && proc_now_ms() < until; proc_sleep_ms(1)) {
        for (int i = 0; i < HOARDERS; i++)
            closed += is_closed(fds[i]);
    }
    CU_ASSERT(closed > 0);
    int good = raw_client_log_in(&r, "127.0.0.1");
    uint8_t *query = calloc(1, 300000);
    CU_ASSERT_FATAL(query != NULL);
    memset(query, ' ', 300000);
    query[0] = 3;
    memcpy(query + 1, "SELECT 1", 8);
    raw_client_send(good, 0, query, 300000);
    CU_ASSERT(raw_client_packet(good, buf, sizeof buf) > 0 && buf[0] == 1); /* one column */
    free(query);
    (void)close(good);
    for (int i = 0; i < HOARDERS; i++)
        (void)close(fds[i]);
    wait_connected(0);
    replicas_rig_end(&r);
}

static uint64_t cpu_us(void)
{
    struct rusage ru;
    CU_ASSERT_EQUAL_FATAL(getrusage(RUSAGE_SELF, &ru), 0);
    return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

/* Out of descriptors: who knocks waits, nothing spins, who is in is served, and it goes on when there are some again. */
static void test_descriptors(void)
{
    struct rlimit was;
    uint8_t buf[4096];
    replicas_rig_start(&r, false, true, NULL);
    int in = raw_client_log_in(&r, "127.0.0.1");
    int knocks = raw_client_socket("127.0.0.1");
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &was), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = was.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    raw_client_reach(&r, knocks);
    uint64_t before = cpu_us();
    for (int i = 0; i < 50; i++) {
        raw_client_send(in, 0, "\x0e", 1);
        CU_ASSERT(raw_client_packet(in, buf, sizeof buf) > 0);
        proc_sleep_ms(10);
    }
    CU_ASSERT(cpu_us() - before < 250000);
    CU_ASSERT_EQUAL(view().connected, 1);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
    CU_ASSERT(raw_client_packet(knocks, buf, sizeof buf) > 0);
    (void)close(knocks);
    (void)close(in);
    wait_connected(0);
    replicas_rig_end(&r);
}

/* More places by a reload: descriptors for them are had, and fewer are closed to newcomers only. */
static void test_reload(void)
{
    struct replicas_options opt = {.max_replicas = 1};
    struct replicas_policy *p = NULL;
    struct lt_err err;
    struct rlimit was;
    uint8_t buf[4096];
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &was), 0);
    struct rlimit few = {.rlim_cur = 600, .rlim_max = was.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    replicas_rig_start(&r, false, true, &opt);
    int in = raw_client_log_in(&r, "127.0.0.1");
    int out = raw_client_connect(&r, "127.0.0.1");
    CU_ASSERT(raw_client_packet(out, buf, sizeof buf) > 0 && buf[0] == 0xff);
    opt.max_replicas = 400;
    CU_ASSERT_EQUAL_FATAL(replicas_prepare(r.replicas, &opt, &p, &err), 0);
    replicas_adopt(r.replicas, p);
    struct rlimit now;
    CU_ASSERT(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur >= 600 + 3 * 399);
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS;
         proc_now_ms() < until;) { /* the listener's thread takes it over soon */
        int fd = raw_client_connect(&r, "127.0.0.1");
        bool greeted = raw_client_packet(fd, buf, sizeof buf) > 0 && buf[0] != 0xff;
        (void)close(fd);
        if (greeted)
            break;
    }
    wait_connected(1);
    int fds[300];
    for (int i = 0; i < 300; i++)
        fds[i] = raw_client_log_in(&r, "127.0.0.1");
    CU_ASSERT_EQUAL(view().connected, 301);
    for (int i = 0; i < 300; i++)
        (void)close(fds[i]);
    (void)close(in);
    (void)close(out);
    wait_connected(0);
    replicas_rig_end(&r);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"one address", test_one_address},
        {"many addresses", test_many_addresses},
        {"who has logged in", test_logged_in},
        {"all places, on loopback", test_full},
        {"commands that do not end", test_slow_command},
        {"memory of commands", test_memory},
        {"few descriptors", test_descriptors},
        {"more places by a reload", test_reload},
    };
    return cunit_run("replicas_limits", cases, sizeof cases / sizeof cases[0]);
}
