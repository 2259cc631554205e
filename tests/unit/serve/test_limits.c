/* Limits: consumers, addresses, descriptors, readers that stop, memory of the idle, and the goodbye. */
#include "base/listen.h"
#include "serve_rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc.h"

static void too_many(void)
{
    struct serve_rig r;
    struct tail_raw *t[4];
    struct serve_view v;
    serve_rig_start(&r, false, &(struct serve_options){.max_consumers = 3});
    serve_rig_txns(&r, 1, 10);
    for (int i = 0; i < 3; i++)
        t[i] = serve_rig_subscribe(&r, &RIG_EARLIEST);
    t[3] = tail_raw_connect(serve_port(r.serve));
    CU_ASSERT_TRUE(tail_raw_expect_error(t[3], RIG_ERROR(TOO_MANY), RIG_WAIT_MS));
    tail_raw_free(t[3]);
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_TRUE(v.connected == 3 && v.refused == 1 && v.limit == 3);
    tail_raw_free(t[0]);
    /* room again, as soon as the server has noticed */
    for (int i = 0; i < 200; i++) {
        struct tail_frame f;
        t[0] = tail_raw_connect(serve_port(r.serve));
        Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
        m.max_version = 1;
        (void)tail_raw_send_message(t[0], FRAME_HELLO, &m.base);
        bool in = tail_raw_next(t[0], &f, RIG_WAIT_MS) == TAIL_FRAME && f.type == FRAME_HELLO_REPLY;
        tail_frame_fini(&f);
        if (in || i == 199) {
            CU_ASSERT_TRUE(in);
            break;
        }
        tail_raw_free(t[0]);
        proc_sleep_ms(20);
    }
    for (int i = 0; i < 3; i++)
        tail_raw_free(t[i]);
    serve_rig_end(&r);
}

static void per_address(void)
{
    struct serve_rig r;
    serve_rig_start(&r, false, &(struct serve_options){.max_per_address = 2});
    struct tail_raw *a = serve_rig_hello(&r);
    struct tail_raw *b = serve_rig_hello(&r);
    struct tail_raw *c = tail_raw_connect(serve_port(r.serve));
    CU_ASSERT_TRUE(tail_raw_expect_error(c, RIG_ERROR(TOO_MANY), RIG_WAIT_MS));
    struct tail_raw *other = tail_raw_connect_from("127.0.0.2", serve_port(r.serve));
    CU_ASSERT_TRUE(tail_raw_hello(other, NULL, NULL, NULL));
    tail_raw_free(a);
    tail_raw_free(b);
    tail_raw_free(c);
    tail_raw_free(other);
    serve_rig_end(&r);
}

/* Every descriptor taken: accepting pauses, nothing else is disturbed, and it goes on when one is free. */
static void out_of_descriptors(void)
{
    struct serve_rig r;
    struct rlimit was;
    struct serve_view v;
    struct tail_copy c = {0};
    int held[2048];
    size_t n = 0;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 1, 10);
    struct tail_raw *t = serve_rig_subscribe(&r, &RIG_EARLIEST);
    struct tail_raw *goes = serve_rig_hello(&r);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &was), 0);
    struct rlimit low = was;
    low.rlim_cur = 256;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < sizeof held / sizeof held[0] && (held[n] = dup(late)) >= 0)
        n++;
    /* The kernel completes the connection; the server cannot take it. */
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(serve_port(r.serve)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CU_ASSERT_EQUAL(connect(late, (struct sockaddr *)&to, sizeof to), 0);
    for (int i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
        if (v.accept_pauses > 0)
            break;
        proc_sleep_ms(10);
    }
    CU_ASSERT(v.accept_pauses > 0);
    serve_rig_txns(&r, 3, 500);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    tail_raw_free(goes); /* its descriptor at the server's end becomes free */
    for (int i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
        if (v.accepted == 3)
            break;
        proc_sleep_ms(10);
    }
    CU_ASSERT_EQUAL(v.accepted, 3);
    while (n > 0)
        (void)close(held[--n]);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
    (void)close(late);
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void stalled_reader(void)
{
    struct serve_rig r;
    struct serve_view v;
    struct tail_copy c = {0};
    struct tail_raw *stalled[3];
    int small = 4096;
    serve_rig_start(&r, false,
                    &(struct serve_options){.threads = 1, .send_timeout_us = 700000, .heartbeat_us = 100000});
    for (size_t i = 0; i < 3; i++) {
        stalled[i] = serve_rig_hello(&r);
        (void)setsockopt(tail_raw_fd(stalled[i]), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        CU_ASSERT_TRUE(tail_raw_subscribe(stalled[i], &RIG_EARLIEST)); /* and never read */
    }
    struct tail_raw *t = serve_rig_subscribe(&r, &RIG_EARLIEST);
    uint64_t longest = 0;
    for (int i = 0; i < 60; i++) {
        serve_rig_txns(&r, 2, 100000);
        uint64_t began = proc_now_ms();
        CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
        uint64_t took = proc_now_ms() - began;
        longest = took > longest ? took : longest;
    }
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
        if (v.connected == 1)
            break;
        (void)tail_raw_commit(stalled[0], 0, "", 0); /* what it sends does not count as taking */
        proc_sleep_ms(20);
    }
    CU_ASSERT(v.slow_closed >= 2); /* the one that sends nonsense may be closed for that */
    CU_ASSERT_EQUAL(v.connected, 1);
    for (size_t i = 0; i < 3; i++)
        tail_raw_free(stalled[i]);
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void goodbye(void)
{
    struct serve_rig r;
    struct tail_raw *t[20];
    struct tail_frame f;
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 2, 100);
    for (size_t i = 0; i < 20; i++)
        t[i] = i % 2 == 0 ? serve_rig_subscribe(&r, &RIG_EARLIEST) : serve_rig_hello(&r);
    uint64_t began = proc_now_ms();
    serve_stop(r.serve);
    r.serve = NULL;
    CU_ASSERT(proc_now_ms() - began < 5000);
    for (size_t i = 0; i < 20; i++) {
        struct tail_copy c = {0};
        do {
            CU_ASSERT_EQUAL(tail_raw_next_word(t[i], &f, RIG_WAIT_MS), TAIL_FRAME);
            tail_copy_take(&c, &f);
            if (f.type == FRAME_ERROR) {
                CU_ASSERT_TRUE(f.error->retry_after_ms >= 100 && f.error->retry_after_ms <= 5000);
                least = f.error->retry_after_ms < least ? f.error->retry_after_ms : least;
                most = f.error->retry_after_ms > most ? f.error->retry_after_ms : most;
            }
            tail_frame_fini(&f);
        } while (c.error == 0 && !c.wrong);
        CU_ASSERT_EQUAL(c.error, RIG_ERROR(STOPPING));
        CU_ASSERT_EQUAL(tail_raw_next(t[i], &f, RIG_WAIT_MS), TAIL_EOF);
        tail_copy_fini(&c);
        tail_raw_free(t[i]);
    }
    CU_ASSERT(most - least > 500); /* spread out */
    serve_rig_end(&r);
}

static void stop_beside_a_stalled_reader(void)
{
    struct serve_rig r;
    int small = 4096;
    serve_rig_start(&r, false, &(struct serve_options){.stop_us = 200000});
    serve_rig_txns(&r, 20, 1u << 20);
    struct tail_raw *t = serve_rig_hello(&r);
    (void)setsockopt(tail_raw_fd(t), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST));
    proc_sleep_ms(100);
    uint64_t began = proc_now_ms();
    serve_stop(r.serve);
    r.serve = NULL;
    CU_ASSERT(proc_now_ms() - began < 10000);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static unsigned descriptors_now(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL) // NOLINT(concurrency-mt-unsafe)
        n++;
    if (d != NULL)
        (void)closedir(d);
    return n;
}

/* More files than descriptors, read by as many as are let in: what is kept back for the source, the store and operators is never touched. */
static void more_files_than_descriptors(void)
{
    enum { LIMIT = 256, CONSUMERS = 40 }; /* more than the files that may be open at once */
    unsigned files = 120;
    struct tail_raw *t[CONSUMERS + 1] = {0};
    struct serve_rig r;
    struct serve_view v;
    struct rlimit was;
    char last[32];
    unsigned most = 0;
    unsigned in = 0;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    for (unsigned i = 1; i < files; i++) {
        serve_rig_txns(&r, 1, 50);
        serve_rig_rotate(&r);
    }
    serve_rig_txns(&r, 1, 50);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &was), 0);
    struct rlimit low = {.rlim_cur = LIMIT, .rlim_max = was.rlim_max};
    unsigned before = descriptors_now();
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.max_consumers = CONSUMERS}));
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0); /* the consumers are in this process too */
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_EQUAL(v.limit, CONSUMERS);
    for (unsigned i = 0; i < v.limit; i++)
        t[in++] = serve_rig_subscribe(&r, &RIG_EARLIEST);
    t[in] = tail_raw_connect(serve_port(r.serve)); /* the newest */
    CU_ASSERT_TRUE(tail_raw_expect_error(t[in], RIG_ERROR(TOO_MANY), RIG_WAIT_MS));
    (void)snprintf(last, sizeof last, "mysql-bin.%06u", files);
    for (unsigned i = 0; i < in; i++) {
        struct tail_copy c = {0};
        CU_ASSERT_TRUE(tail_copy_until(&c, t[i], last, r.gen.len, 120000));
        unsigned now = descriptors_now() - before - (in + 1);
        most = now > most ? now : most;
        tail_copy_fini(&c);
    }
    (void)printf("%u files, %u consumers, at most %u descriptors ", files, in, most);
    CU_ASSERT_TRUE(most <= LIMIT / 2 + 40); /* half is kept; the threads have some of their own */
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_EQUAL(v.connected, in);
    CU_ASSERT_EQUAL(v.accept_pauses, 0);
    for (unsigned i = 0; i <= in; i++)
        tail_raw_free(t[i]);
    serve_rig_end(&r);
}

/*
 * Connections that never say who they are get a part of the places only, from one address a part of that; who has said it before from where
 * he is, gets in meanwhile.
 */
static void strangers(void)
{
    enum { PLACES = 128 }; /* a quarter, 32, for strangers; 16 from one address */
    struct serve_rig r;
    struct tail_raw *t[33];
    unsigned n = 0;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    struct serve_options opt = {.max_consumers = PLACES, .max_per_address = PLACES};
    /* SHA-256 of "saltsecret" */
    opt.users_file = serve_rig_file(
        &r, "users", "alice:sha256$salt$bede90386d450cea8b77b822f8887065e4e5abf132c2f9dccfcc7fbd4cba5e35\n");
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    uint16_t port = serve_port(r.serve);
    struct tail_raw *alice = tail_raw_connect_from("127.0.0.5", port);
    CU_ASSERT_TRUE(tail_raw_hello(alice, NULL, "alice:secret", NULL));
    tail_raw_free(alice);
    for (; n < 16; n++)
        t[n] = tail_raw_connect_from("127.0.0.2", port);
    t[n] = tail_raw_connect_from("127.0.0.2", port);
    CU_ASSERT_TRUE(tail_raw_expect_error(t[n], RIG_ERROR(TOO_MANY), RIG_WAIT_MS));
    tail_raw_free(t[n]);
    for (; n < 32; n++)
        t[n] = tail_raw_connect_from("127.0.0.3", port);
    t[n] = tail_raw_connect_from("127.0.0.4", port);
    CU_ASSERT_TRUE(tail_raw_expect_error(t[n], RIG_ERROR(TOO_MANY), RIG_WAIT_MS));
    tail_raw_free(t[n]);
    alice = tail_raw_connect_from("127.0.0.5", port);
    CU_ASSERT_TRUE(tail_raw_hello(alice, NULL, "alice:secret", NULL));
    tail_raw_free(alice);
    for (unsigned i = 0; i < n; i++)
        tail_raw_free(t[i]);
    /* their places are free again, as soon as the server has noticed */
    bool in = false;
    for (int i = 0; i < 200 && !in; i++) {
        struct tail_raw *again = tail_raw_connect_from("127.0.0.4", port);
        in = tail_raw_hello(again, NULL, "alice:secret", NULL);
        tail_raw_free(again);
        proc_sleep_ms(20);
    }
    CU_ASSERT_TRUE(in);
    serve_rig_end(&r);
}

/* "UUID:1:3:5:...": every number an interval of its own. */
static char *wide_set(unsigned intervals)
{
    size_t cap = 64 + (size_t)intervals * 8;
    char *text = malloc(cap);
    size_t len = text != NULL ? (size_t)snprintf(text, cap, "3e11fa47-71ca-11e1-9e33-c80aa9429562") : 0;
    for (unsigned i = 0; text != NULL && i < intervals; i++)
        len += (size_t)snprintf(text + len, cap - len, ":%u", 2 * i + 1000001);
    return text;
}

/*
 * A hundred consumers with large sets: their memory stays within the budget, the newest goes, and who was there before is served.
 */
static void memory_of_requests(void)
{
    enum { MANY = 100, LIMIT_MIB = 12 };
    struct serve_rig r;
    struct serve_view v;
    struct tail_copy c = {0};
    struct tail_raw *t[MANY];
    char *small = wide_set(2000);
    char *large = wide_set(100000); /* 800 kB of text, 2 MiB in memory */
    uint64_t most = 0;
    unsigned told = 0;
    serve_rig_start(&r, false, &(struct serve_options){.memory_bytes = LIMIT_MIB << 20});
    serve_rig_txns(&r, 1, 10);
    struct tail_start wide = {.start = LOGTAILER__TAIL__START_KIND__START_GTIDS, .gtids = small};
    struct tail_raw *good = serve_rig_hello(&r);
    CU_ASSERT_TRUE(tail_raw_subscribe(good, &wide));
    CU_ASSERT_TRUE(tail_copy_until(&c, good, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    wide.gtids = large;
    for (int i = 0; i < MANY; i++) {
        t[i] = serve_rig_hello(&r);
        (void)tail_raw_subscribe(t[i], &wide);
        CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
        most = v.memory_bytes > most ? v.memory_bytes : most;
    }
    for (int i = 0; i < MANY; i++) { /* what it was asked has been read */
        struct tail_frame f;
        enum tail_result got = tail_raw_next(t[i], &f, RIG_WAIT_MS);
        told += got == TAIL_FRAME && f.type == FRAME_ERROR;
        if (got == TAIL_FRAME)
            tail_frame_fini(&f);
    }
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    (void)printf("%u of %d went, at most %.1f MiB ", (unsigned)v.shed, MANY, (double)most / (1 << 20));
    CU_ASSERT(v.shed >= MANY - LIMIT_MIB && v.shed < MANY);
    CU_ASSERT(told > MANY / 2);
    CU_ASSERT(v.memory_bytes <= LIMIT_MIB << 20);
    CU_ASSERT(most <= (LIMIT_MIB + 4u * 4) << 20); /* each thread looks when it has read a request */
    serve_rig_txns(&r, 3, 100);
    CU_ASSERT_TRUE(tail_copy_until(&c, good, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    for (int i = 0; i < MANY; i++)
        tail_raw_free(t[i]);
    for (int i = 0; i < 500 && v.memory_bytes >= 1 << 20; i++) {
        proc_sleep_ms(10);
        CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    }
    CU_ASSERT(v.memory_bytes > 0 && v.memory_bytes < 1 << 20); /* the good one's */
    tail_raw_free(good);
    tail_copy_fini(&c);
    free(small);
    free(large);
    serve_rig_end(&r);
}

static void start_errors(void)
{
    struct serve_rig r;
    struct lt_err err;
    struct serve *second = NULL;
    serve_rig_start(&r, false, NULL);
    struct serve_options opt = r.opt;
    opt.users_file = "/nonexistent";
    CU_ASSERT_EQUAL(serve_start(&opt, &second, &err), LT_ESYS);
    opt.users_file = NULL;
    opt.ssl_cert = opt.ssl_key = "/nonexistent";
    CU_ASSERT_EQUAL(serve_start(&opt, &second, &err), LT_EINVAL);
    CU_ASSERT_PTR_NULL(second);
    serve_rig_end(&r);
}

/* Starts all the same, says what is wrong, and is there as soon as the address can be had. */
static void address_not_there_yet(void)
{
    struct serve_rig r;
    struct lt_err err;
    struct serve_view v;
    uint16_t taken = 0;
    int fd = -1;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.host = "192.0.2.1"})); /* not ours */
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(v.listen_trouble, "tail.listen: 192.0.2.1:"));
    serve_stop(r.serve);
    CU_ASSERT_EQUAL_FATAL(listen_tcp("test", "127.0.0.1", 0, 1, &fd, &taken, &err), 0);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.host = "127.0.0.1", .port = taken}));
    CU_ASSERT_EQUAL(serve_port(r.serve), 0);
    (void)close(fd);
    for (int i = 0; i < 1000 && serve_port(r.serve) == 0; i++)
        proc_sleep_ms(10);
    CU_ASSERT_EQUAL(serve_port(r.serve), taken);
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_STRING_EQUAL(v.listen_trouble, "");
    struct tail_raw *t = tail_raw_connect(taken);
    CU_ASSERT_PTR_NOT_NULL(t);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void over_ipv6(void)
{
    struct serve_rig r;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    if (!serve_rig_serve(&r, &(struct serve_options){.host = "::1"}) || serve_port(r.serve) == 0) {
        (void)fprintf(stderr, "no IPv6 on this machine\n");
        serve_rig_end(&r);
        return;
    }
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(serve_port(r.serve)), .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    struct serve_consumer *list = NULL;
    size_t n = 0;
    for (int i = 0; i < 500 && n == 0; i++) {
        free(list);
        CU_ASSERT_EQUAL(serve_list(r.serve, &list, &n), 0);
        if (n == 0)
            proc_sleep_ms(10);
    }
    CU_ASSERT_TRUE(n == 1 && strncmp(list[0].address, "[::1]:", 6) == 0);
    CU_ASSERT_STRING_EQUAL(list[0].state, "handshake");
    free(list);
    (void)close(fd);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"memory of requests", memory_of_requests},
    {"strangers", strangers},
    {"more consumers than are taken", too_many},
    {"more than one address may have", per_address},
    {"out of descriptors", out_of_descriptors},
    {"a reader that stops", stalled_reader},
    {"goodbye", goodbye},
    {"stop beside a reader that stopped", stop_beside_a_stalled_reader},
    {"more files than descriptors", more_files_than_descriptors},
    {"what cannot be started", start_errors},
    {"an address that is not there yet", address_not_there_yet},
    {"IPv6", over_ipv6},
};

int main(void)
{
    return cunit_run("serve limits", cases, sizeof cases / sizeof cases[0]);
}
