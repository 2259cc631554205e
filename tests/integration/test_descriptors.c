/*
 * Few descriptors and many files, consumers and operators: whatever comes, the stream and its ACKs go on, operators get answers, and descriptors are
 * bounded. And none left at all: said by its name, and over by itself.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_rig.h"
#include "raw_replica.h"
#include "tail_raw.h"

enum { LIMIT = 256, CONSUMERS = 100, OPERATORS = 64, REPLICAS = 60, LOOK_EVERY = 50, WAIT_MS = 60000 };

struct crowd {
    struct fake_rig r;
    struct tail_raw *consumers[CONSUMERS];
    int admin[OPERATORS];
    int http[OPERATORS];
    unsigned refused; /* consumers, cleanly */
    unsigned most;    /* descriptors of the daemon */
};

static unsigned files_wanted(void)
{
    const char *full = getenv("LT_FULL"); // NOLINT(concurrency-mt-unsafe): one thread
    return full != NULL && strcmp(full, "1") == 0 ? 5000 : 500;
}

/* *ret_free: the lowest number that is not in use. */
static unsigned count_descriptors(const struct daemon *dm, unsigned *ret_free)
{
    bool used[4096] = {false};
    unsigned n = 0;
    char *path = proc_fmt("/proc/%d/fd", (int)dm->pid);
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        unsigned long fd = strtoul(e->d_name, NULL, 10);
        if (e->d_name[0] == '.' || fd >= sizeof used)
            continue;
        used[fd] = true;
        n++;
    }
    if (d != NULL)
        (void)closedir(d);
    free(path);
    *ret_free = 0;
    while (used[*ret_free])
        ++*ret_free;
    return n;
}

static int open_admin(const struct daemon *dm)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", dm->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        proc_die_errno("connect to %s", dm->socket);
    return fd;
}

static int open_tcp(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0)
        proc_die_errno("connect to port %u", port);
    return fd;
}

static struct tail_raw *come(const struct daemon *dm, const struct tail_start *start)
{
    struct tail_raw *t = tail_raw_connect(dm->tail_port);
    if (t != NULL && tail_raw_hello(t, NULL, NULL, NULL) && tail_raw_subscribe(t, start))
        return t;
    tail_raw_free(t);
    return NULL;
}

static const struct tail_start earliest = {.start = LOGTAILER__TAIL__START_KIND__START_EARLIEST};

static void fill(struct crowd *c, uint16_t http_port)
{
    struct daemon *dm = c->r.rig.dm;
    for (int i = 0; i < OPERATORS; i++) {
        c->admin[i] = open_admin(dm);
        c->http[i] = open_tcp(http_port);
    }
    for (int i = 0; i < CONSUMERS; i++) {
        c->consumers[i] = tail_raw_connect(dm->tail_port);
        struct tail_frame f = {0};
        bool in = c->consumers[i] != NULL && tail_raw_hello(c->consumers[i], NULL, NULL, &f) &&
                  tail_raw_subscribe(c->consumers[i], &earliest);
        tail_frame_fini(&f);
        if (in)
            continue;
        tail_raw_free(c->consumers[i]);
        c->consumers[i] = NULL;
        c->refused++;
    }
}

static void look(struct crowd *c)
{
    unsigned lowest = 0;
    unsigned now = count_descriptors(c->r.rig.dm, &lowest);
    c->most = now > c->most ? now : c->most;
    json_t *status = daemon_command(c->r.rig.dm, "status");
    const char *state = json_string_value(json_object_get(status, "state"));
    CU_ASSERT_STRING_EQUAL(state != NULL ? state : "(no answer)", "streaming");
    json_decref(status);
}

static void rotate_on(struct crowd *c, unsigned files)
{
    for (unsigned i = 1; i < files; i++) {
        struct fake_pos end = fake_commit(c->r.fp, &(struct fake_txn_spec){.blob_len = 50});
        if (i % LOOK_EVERY == 0) {
            CU_ASSERT_TRUE(fake_wait_ack(c->r.fp, &end, RIG_WAIT_MS));
            look(c);
        }
        fake_rotate(c->r.fp);
    }
    CU_ASSERT_TRUE(fake_rig_commit(&c->r));
}

/* To the end, over as many connections as it takes; told to come back later is no failure. */
static bool serve_to_the_end(struct crowd *c, struct tail_raw *t, const struct fake_pos *end)
{
    struct tail_copy copy = {0};
    bool there = false;
    for (uint64_t until = proc_now_ms() + WAIT_MS; !there && !copy.wrong && proc_now_ms() < until;) {
        if (t == NULL && (t = come(c->r.rig.dm, copy.at[0] != '\0' ? &copy.resume : &earliest)) == NULL) {
            proc_sleep_ms(20);
            continue;
        }
        struct tail_frame f;
        enum tail_result res = tail_raw_next(t, &f, 1000);
        if (res == TAIL_FRAME)
            tail_copy_take(&copy, &f);
        tail_frame_fini(&f);
        if (copy.error != 0 || res == TAIL_EOF || res == TAIL_BROKEN) {
            CU_ASSERT_TRUE(copy.error == 0 || copy.error == LOGTAILER__TAIL__ERROR_CODE__ERROR_TOO_MANY);
            copy.error = 0;
            copy.begun = false;
            tail_raw_free(t);
            t = NULL;
        }
        there = strcmp(copy.at, end->file) == 0 && copy.resume.offset >= end->pos;
    }
    CU_ASSERT_TRUE(!there || tail_copy_equals(&copy, c->r.rig.dm->dir));
    tail_raw_free(t);
    tail_copy_fini(&copy);
    return there;
}

static void test_many_files_and_a_crowd(void)
{
    struct crowd c = {0};
    unsigned files = files_wanted();
    uint16_t http_port = proc_free_port();
    char *http = proc_fmt("http.listen=127.0.0.1:%u", http_port);
    char *limit = proc_fmt("--nofile=%u", LIMIT);
    fake_rig_start_primary(&c.r, NULL);
    fake_rig_start_daemon_on(&c.r, NULL, (char *[]){"prlimit", limit, NULL}, (char *[]){http, NULL});
    CU_ASSERT_TRUE(fake_rig_wait_state(&c.r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&c.r));
    fill(&c, http_port);
    look(&c);
    rotate_on(&c, files);
    struct fake_pos end = fake_end(c.r.fp);
    unsigned served = 0;
    for (int i = 0; i < CONSUMERS; i++) {
        served += serve_to_the_end(&c, c.consumers[i], &end);
        if (i % LOOK_EVERY == 0)
            look(&c);
    }
    CU_ASSERT_EQUAL(served, CONSUMERS);
    CU_ASSERT(c.refused < CONSUMERS / 10);
    CU_ASSERT(c.most <= LIMIT - 16);
    (void)printf("%u files, %u consumers, %u refused at first, at most %u descriptors ", files, served, c.refused,
                 c.most);
    CU_ASSERT_TRUE(fake_rig_commit(&c.r));
    CU_ASSERT_FALSE(daemon_log_contains(c.r.rig.dm, "Too many open files"));
    /* A consumer that is told to come back, for want of a file's place ("no descriptor for ..."), is well. */
    CU_ASSERT_FALSE(daemon_log_contains(c.r.rig.dm, "no descriptor or memory"));
    CU_ASSERT_FALSE(daemon_log_contains(c.r.rig.dm, "no_descriptors"));
    CU_ASSERT_TRUE(fake_rig_identical(&c.r));
    for (int i = 0; i < OPERATORS; i++) {
        (void)close(c.admin[i]);
        (void)close(c.http[i]);
    }
    fake_rig_end(&c.r);
    free(http);
    free(limit);
}

/* Replicas: as many as there are descriptors for, the others told so; those who are in get all files, and none of it is at the source's cost. */
static void test_replicas(void)
{
    struct crowd c = {0};
    struct raw_replica *in[REPLICAS];
    unsigned n = 0;
    uint16_t port = proc_free_port();
    char *listen_at = proc_fmt("replicas.listen=127.0.0.1:%u", port);
    char *limit = proc_fmt("--nofile=%u", LIMIT);
    fake_rig_start_primary(&c.r, NULL);
    fake_rig_start_daemon_on(&c.r, NULL, (char *[]){"prlimit", limit, NULL}, (char *[]){listen_at, NULL});
    CU_ASSERT_TRUE(fake_rig_wait_state(&c.r, "streaming"));
    struct fake_pos begin = fake_end(c.r.fp);
    CU_ASSERT_TRUE(fake_rig_commit(&c.r));
    for (int i = 0; i < REPLICAS; i++) {
        struct lt_err err = {0};
        struct raw_options opt = {
            .port = port, .user = "anybody", .server_id = 100 + (uint32_t)i, .timeout_ms = RIG_WAIT_MS};
        in[n] = raw_open(&opt, &err);
        c.refused += in[n] == NULL;
        CU_ASSERT(in[n] != NULL || strstr(err.text, "1040") != NULL);
        if (in[n] != NULL)
            CU_ASSERT_EQUAL(raw_dump(in[n++], begin.file, 4), 0);
    }
    look(&c);
    rotate_on(&c, files_wanted() / 5);
    struct fake_pos end = fake_end(c.r.fp);
    for (unsigned i = 0; i < n; i++) {
        struct raw_event ev = {0};
        int rc = 0;
        while (rc == 0 && (strcmp(ev.file, end.file) != 0 || ev.end < end.pos))
            rc = raw_next(in[i], &ev);
        CU_ASSERT_EQUAL(rc, 0);
        raw_close(in[i]);
    }
    look(&c);
    CU_ASSERT(n >= 16 && c.refused > 0);
    CU_ASSERT(c.most <= LIMIT - 16);
    (void)printf("%u replicas, %u refused, at most %u descriptors ", n, c.refused, c.most);
    CU_ASSERT_TRUE(fake_rig_commit(&c.r));
    CU_ASSERT_FALSE(daemon_log_contains(c.r.rig.dm, "Too many open files"));
    CU_ASSERT_FALSE(daemon_log_contains(c.r.rig.dm, "no descriptor or memory"));
    CU_ASSERT_FALSE(daemon_log_contains(c.r.rig.dm, "no_descriptors"));
    CU_ASSERT_TRUE(fake_rig_identical(&c.r));
    fake_rig_end(&c.r);
    free(listen_at);
    free(limit);
}

static void set_limit(const struct daemon *dm, rlim_t cur)
{
    struct rlimit rl;
    if (prlimit(dm->pid, RLIMIT_NOFILE, NULL, &rl) != 0)
        proc_die_errno("prlimit");
    rl.rlim_cur = cur;
    if (prlimit(dm->pid, RLIMIT_NOFILE, &rl, NULL) != 0)
        proc_die_errno("prlimit");
}

static bool comes_to_the_log(struct fake_rig *r, const char *text)
{
    bool there = false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !there && proc_now_ms() < until; proc_sleep_ms(20))
        there = daemon_log_contains(r->rig.dm, text);
    return there;
}

/* Not one is left for the next file: its own error, no exit, and the cure is all that it takes. */
static void test_none_left(void)
{
    struct fake_rig r;
    unsigned lowest = 0;
    int status = 0;
    struct rlimit was;
    fake_rig_start(&r, NULL, NULL);
    if (prlimit(r.rig.dm->pid, RLIMIT_NOFILE, NULL, &was) != 0)
        proc_die_errno("prlimit");
    (void)count_descriptors(r.rig.dm, &lowest);
    set_limit(r.rig.dm, lowest);
    fake_rotate(r.fp);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 100});
    CU_ASSERT_TRUE(comes_to_the_log(&r, "warn ingest no_descriptors: "));
    CU_ASSERT_TRUE(comes_to_the_log(&r, "raise the limit of open files"));
    CU_ASSERT_FALSE(fake_wait_ack(r.fp, &end, 2500));
    CU_ASSERT_FALSE(daemon_exited(r.rig.dm, 100, &status));
    set_limit(r.rig.dm, 0); /* not for a socket either */
    CU_ASSERT_FALSE(fake_wait_ack(r.fp, &end, 2500));
    CU_ASSERT_FALSE(daemon_exited(r.rig.dm, 100, &status));
    set_limit(r.rig.dm, was.rlim_cur);
    CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    json_t *answer = daemon_command(r.rig.dm, "status");
    CU_ASSERT_TRUE(json_is_false(json_object_get(json_object_get(answer, "last_error"), "current")));
    json_decref(answer);
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

static const struct test_case cases[] = {
    {"many files and a crowd at a limit of 256", test_many_files_and_a_crowd},
    {"replicas at a limit of 256", test_replicas},
    {"none left", test_none_left},
};

int main(void)
{
    return cunit_run("descriptors", cases, sizeof cases / sizeof cases[0]);
}
