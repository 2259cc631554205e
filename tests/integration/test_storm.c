/*
 * Bad peers by the thousand at the admin socket and at the tail port, and a log that nobody reads, while the source commits: each commit gets its
 * ACK, the log stays within its limit for each place that writes, and says what it held back or dropped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "fake_rig.h"
#include "http_client.h"
#include "ops/admin/admin.h"
#include "watching.h"

static const char health[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* ---- the peers ---- */

static int connect_to(const struct sockaddr *sa, socklen_t len)
{
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        proc_die_errno("socket");
    while (connect(fd, sa, len) != 0) {
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: the Unix socket's queue is full */
            proc_die_errno("connect");
        proc_sleep_ms(1);
    }
    return fd;
}

static int connect_tail(const struct daemon *dm)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(dm->tail_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect_to((struct sockaddr *)&sa, sizeof sa);
}

static int connect_admin(const struct daemon *dm)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(dm->socket) >= sizeof sa.sun_path)
        proc_die("the path is too long for a Unix socket: %s", dm->socket);
    memcpy(sa.sun_path, dm->socket, strlen(dm->socket) + 1);
    return connect_to((struct sockaddr *)&sa, sizeof sa);
}

/* Until the daemon is done with this peer. */
static void read_to_the_end(int fd)
{
    char buf[512];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, RIG_WAIT_MS) == 1 && read(fd, buf, sizeof buf) > 0)
        ;
    (void)close(fd);
}

/* A client that takes what it has found for a web server. */
static void bad_peer(int fd)
{
    static const char words[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    (void)send(fd, words, sizeof words - 1, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    read_to_the_end(fd);
}

struct storm {
    const struct daemon *dm;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint peers; /* of each kind, so far */
    uint64_t began_ms;
    uint64_t ended_ms;
};

static void one_of_each(struct storm *s)
{
    bad_peer(connect_admin(s->dm));
    bad_peer(connect_tail(s->dm));
    (void)atomic_fetch_add(&s->peers, 1);
}

static void *blow(void *arg)
{
    struct storm *s = arg;
    while (!atomic_load(&s->stop)) {
        one_of_each(s);
        proc_sleep_ms(1); /* or the machine has no free port left for others */
    }
    return NULL;
}

static void storm_start(struct storm *s, const struct daemon *dm)
{
    *s = (struct storm){.dm = dm, .began_ms = proc_now_ms()};
    if (pthread_create(&s->thread, NULL, blow, s) != 0)
        proc_die("no thread for the storm");
}

static void storm_end(struct storm *s)
{
    atomic_store(&s->stop, true);
    (void)pthread_join(s->thread, NULL);
    s->ended_ms = proc_now_ms();
}

/* The admin socket is full: for each that comes now the idlest goes, and every so many of those leave a line. */
static void fill_admin(const struct daemon *dm, int fds[ADMIN_CONNECTIONS_MAX])
{
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        fds[i] = connect_admin(dm);
}

/* ---- the log ---- */

/* What one place wrote. */
struct written {
    const char *module;
    const char *words; /* of its lines */
    unsigned lines;
    unsigned notes; /* that lines were held back */
    unsigned held;
};

static void count_line(struct written *w, const char *module, const char *msg)
{
    unsigned n = 0;
    char rest[32] = "";
    if (strcmp(module, w->module) != 0)
        return;
    if (sscanf(msg, "%u more lines like the next one were held %31s", &n, rest) == 2 && strcmp(rest, "back") == 0) {
        w->notes++;
        w->held += n;
    }
    w->lines += strstr(msg, w->words) != NULL;
}

static void split_json(const char *line, struct written *w, size_t n)
{
    static const char *const keys[] = {"ts", "level", "module", "msg"};
    json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    CU_ASSERT_PTR_NOT_NULL(o);
    if (o == NULL)
        fprintf(stderr, "not JSON: %s\n", line);
    CU_ASSERT_EQUAL(json_object_size(o), sizeof keys / sizeof keys[0]);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        CU_ASSERT_TRUE(json_is_string(json_object_get(o, keys[i])));
    for (size_t i = 0; o != NULL && i < n; i++)
        count_line(&w[i], json_string_value(json_object_get(o, "module")),
                   json_string_value(json_object_get(o, "msg")));
    json_decref(o);
}

static void split_text(const char *line, struct written *w, size_t n)
{
    char ts[32];
    char level[16];
    char module[16];
    int at = 0;
    int fields = sscanf(line, "%31s %15s %15s %n", ts, level, module, &at);
    CU_ASSERT_EQUAL(fields, 3);
    if (fields != 3)
        fprintf(stderr, "not a line: %s\n", line);
    for (size_t i = 0; fields == 3 && i < n; i++)
        count_line(&w[i], module, line + at);
}

static void read_log(const char *path, bool json, struct written *w, size_t n)
{
    char *text = proc_read_file(path, NULL);
    char *save = NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (json)
            split_json(line, w, n);
        else
            split_text(line, w, n);
    }
    free(text);
}

/* At most LOG_BURST lines in a second, whenever it begins; and no line is missing in the sum, unless the log says that it
 * dropped some: on a busy machine a thread may wait too long for the other that writes. */
static void check_written(const struct written *w, const struct storm *s, unsigned peers, bool dropped)
{
    unsigned windows =
        (unsigned)((s->ended_ms - s->began_ms) / 1000) + 3; /* the one under way at each end, and the last peer's */
    printf("\n    %s: %u peers, %u lines, %u held back in %u notes ", w->module, peers, w->lines, w->held, w->notes);
    CU_ASSERT(w->lines <= LOG_BURST * windows);
    CU_ASSERT(w->notes > 0 && w->notes <= windows);
    CU_ASSERT(w->lines + w->held == peers || (dropped && w->lines + w->held < peers));
}

/* ---- the tests ---- */

/* Commits one after the other for so long, at least three; returns how many. */
static unsigned commit_for(struct fake_rig *r, unsigned ms, uint64_t *ret_slowest_ms)
{
    unsigned n = 0;
    for (uint64_t until = proc_now_ms() + ms; n < 3 || proc_now_ms() < until; n++) {
        uint64_t began = proc_now_ms();
        bool acked = fake_rig_commit(r);
        uint64_t took = proc_now_ms() - began;
        CU_ASSERT_TRUE(acked);
        if (!acked)
            return n;
        *ret_slowest_ms = took > *ret_slowest_ms ? took : *ret_slowest_ms;
    }
    return n;
}

static void storm_into(bool json)
{
    struct fake_rig r;
    struct storm s;
    int held[ADMIN_CONNECTIONS_MAX];
    uint64_t slowest = 0;
    struct written w[] = {{.module = "admin", .words = "those idle for longest are closed"},
                          {.module = "serve", .words = " name= user=: "},
                          {.module = "log", .words = "lines dropped"}};
    fake_rig_start(&r, NULL, (char *[]){json ? "log.format=json" : "log.format=text", NULL});
    fill_admin(r.rig.dm, held);
    storm_start(&s, r.rig.dm);
    unsigned commits = commit_for(&r, rig_rounds(4000, 30000), &slowest);
    while (atomic_load(&s.peers) < 200) /* more than any second lets through */
        proc_sleep_ms(10);
    storm_end(&s);
    proc_sleep_ms(1100); /* the last second is over: one more of each tells what it held back */
    one_of_each(&s);
    s.ended_ms = proc_now_ms();
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        (void)close(held[i]);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    printf("\n    %u commits acknowledged meanwhile, the slowest after %llu ms ", commits, (unsigned long long)slowest);
    read_log(r.rig.dm->log, json, w, sizeof w / sizeof w[0]);
    CU_ASSERT(w[0].lines > 0 && w[0].lines <= atomic_load(&s.peers) / ADMIN_CONNECTIONS_MAX + 1);
    check_written(&w[1], &s, atomic_load(&s.peers), w[2].lines > 0);
    fake_rig_end(&r);
}

static void test_storm_as_text(void)
{
    storm_into(false);
}

static void test_storm_as_json(void)
{
    storm_into(true);
}

/* A pipe as the daemon's stderr; what is read from it goes to a file, while somebody reads. */
struct log_pipe {
    char *dir;
    char *path;
    char *copy;
    int fd;
    FILE *out;
    pthread_t reader;
    atomic_bool reads;
    atomic_bool stop;
};

static void *read_pipe(void *arg)
{
    struct log_pipe *p = arg;
    char buf[4096];
    while (!atomic_load(&p->stop)) {
        ssize_t n = atomic_load(&p->reads) ? read(p->fd, buf, sizeof buf) : -1;
        if (n > 0 && fwrite(buf, 1, (size_t)n, p->out) != (size_t)n)
            proc_die_errno("%s", p->copy);
        if (n <= 0)
            proc_sleep_ms(5);
    }
    return NULL;
}

static void pipe_open(struct log_pipe *p)
{
    *p = (struct log_pipe){.dir = proc_tempdir()};
    p->path = proc_fmt("%s/stderr", p->dir);
    p->copy = proc_fmt("%s/copy", p->dir);
    if (mkfifo(p->path, 0600) != 0)
        proc_die_errno("%s", p->path);
    p->fd = open(p->path, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* both ends, so that the daemon's open does not wait */
    p->out = fopen(p->copy, "we");
    if (p->fd < 0 || p->out == NULL || fcntl(p->fd, F_SETPIPE_SZ, 16384) < 0)
        proc_die_errno("%s", p->path);
    atomic_store(&p->reads, true);
    if (pthread_create(&p->reader, NULL, read_pipe, p) != 0)
        proc_die("no thread for the reader");
}

/* All that was written is in the copy. */
static void pipe_settle(struct log_pipe *p)
{
    proc_sleep_ms(200); /* the daemon has ended, the pipe holds 16 KiB at most */
    atomic_store(&p->stop, true);
    (void)pthread_join(p->reader, NULL);
    CU_ASSERT_EQUAL(fclose(p->out), 0);
    (void)close(p->fd);
}

static void pipe_free(struct log_pipe *p)
{
    proc_remove_dir(p->dir);
    free(p->dir);
    free(p->path);
    free(p->copy);
}

static void check_dropped(const struct log_pipe *p)
{
    static const char words[] = "lines dropped because stderr would have blocked: count=";
    char *text = proc_read_file(p->copy, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    const char *at = strstr(text, words);
    CU_ASSERT_PTR_NOT_NULL(at);
    CU_ASSERT(at != NULL && strtoul(at + sizeof words - 1, NULL, 10) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "log_dropped: over"));
    split_text(strtok(text, "\n"), NULL, 0); // NOLINT(concurrency-mt-unsafe): the reader has ended
    free(text);
}

/* Nobody reads stderr: commits and answers go on, the warning is there; somebody reads again, and it goes. */
static void test_nobody_reads(void)
{
    struct fake_rig r;
    struct storm s;
    struct log_pipe p;
    uint64_t slowest = 0;
    pipe_open(&p);
    char *redirect = proc_fmt("exec \"$@\" 2>%s", p.path);
    fake_rig_start_primary(&r, NULL);
    fake_rig_start_daemon_on(&r, NULL, (char *[]){"sh", "-c", redirect, "sh", NULL},
                             (char *[]){"log.level=debug", NULL});
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_FALSE(watching_has(&r.rig, "log_dropped", NULL));
    atomic_store(&p.reads, false);
    storm_start(&s, r.rig.dm);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "log_dropped", RIG_WAIT_MS));
    unsigned commits = commit_for(&r, 2000, &slowest);
    CU_ASSERT_TRUE(watching_has(&r.rig, "log_dropped", NULL));
    storm_end(&s);
    printf("\n    %u commits acknowledged meanwhile, the slowest after %llu ms ", commits, (unsigned long long)slowest);
    atomic_store(&p.reads, true);
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "log_dropped", RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
    pipe_settle(&p);
    check_dropped(&p);
    pipe_free(&p);
    free(redirect);
}

static int connect_http(uint16_t port)
{
    int fd = http_client_connect(port);
    if (fd < 0)
        proc_die("no connection to port %u", port);
    return fd;
}

/*
 * While the daemon does not run for a moment, a health check and an operator come and ask, and behind them more than there are places for. Those who
 * asked are answered: nobody is idle before he could be heard.
 */
static void test_asked_before_a_crowd(void)
{
    enum { CROWD = ADMIN_CONNECTIONS_MAX + 20, QUEUE = 60 /* that wait at a Unix socket */ };
    struct fake_rig r;
    uint16_t port = proc_free_port();
    char *listen = proc_fmt("http.listen=127.0.0.1:%u", port);
    int http[CROWD];
    int admin[QUEUE];
    char buf[16] = "";
    fake_rig_start(&r, NULL, (char *[]){listen, NULL});
    for (unsigned round = 0; round < 3; round++) {
        daemon_signal(r.rig.dm, SIGSTOP);
        int healthy = connect_http(port);
        CU_ASSERT(send(healthy, health, sizeof health - 1, MSG_NOSIGNAL) > 0);
        int op = connect_admin(r.rig.dm);
        CU_ASSERT(send(op, "status\n", 7, MSG_NOSIGNAL) == 7);
        for (int i = 0; i < CROWD; i++)
            http[i] = connect_http(port);
        for (int i = 0; i < QUEUE; i++)
            admin[i] = connect_admin(r.rig.dm);
        daemon_signal(r.rig.dm, SIGCONT);
        char *answer = http_client_talk(healthy, NULL);
        CU_ASSERT_PTR_NOT_NULL(answer != NULL ? strstr(answer, " 200 ") : NULL);
        struct pollfd p = {.fd = op, .events = POLLIN};
        CU_ASSERT_EQUAL(poll(&p, 1, RIG_WAIT_MS), 1);
        CU_ASSERT(recv(op, buf, 2, 0) == 2 && memcmp(buf, "{\"", 2) == 0);
        free(answer);
        (void)close(healthy);
        (void)close(op);
        for (int i = 0; i < CROWD; i++)
            (void)close(http[i]);
        for (int i = 0; i < QUEUE; i++)
            (void)close(admin[i]);
        answer = http_client_get(port, "/healthz"); /* the queues are empty again */
        CU_ASSERT_PTR_NOT_NULL(answer != NULL ? strstr(answer, " 200 ") : NULL);
        free(answer);
        json_decref(daemon_command(r.rig.dm, "status"));
    }
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_rig_end(&r);
    free(listen);
}

static const struct test_case cases[] = {
    {"who asked before a crowd came", test_asked_before_a_crowd},
    {"a storm of bad peers, the log as text", test_storm_as_text},
    {"a storm of bad peers, the log as JSON", test_storm_as_json},
    {"nobody reads the log", test_nobody_reads},
};

int main(void)
{
    return cunit_run("storm", cases, sizeof cases / sizeof cases[0]);
}
