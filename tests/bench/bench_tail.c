/*
 * One consumer, everything in the page cache: logtailerd's serve layer against a bare sendfile loop over the same files to the same kind of sink. And
 * the time to the first batch of a GTID subscription among thousands of segments.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bench_util.h"
#include "binlog_gen.h"
#include "proc.h"
#include "serve/serve.h"
#include "tail_raw.h"

#define SEGMENT_BYTES (256u << 20)
#define PIECE         (1u << 20)

/* ---- stores that are made quickly: nothing here is about syncs */

static int no_sync(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
    return 0;
}

static struct vfs quick_vfs;

static struct store *new_store(const char *dir)
{
    struct store *s = NULL;
    struct lt_err err;
    struct store_options so = {.dir = dir, .allow_unsafe_fs = true};
    quick_vfs = vfs_posix;
    quick_vfs.fsync = quick_vfs.fdatasync = no_sync;
    if (store_open(&so, &quick_vfs, &s, &err) != 0 || store_lineage_begin(s, "bench", &err) != 0)
        proc_die("%s", err.text);
    return s;
}

static void begin_segment(struct store *s, unsigned number)
{
    struct lt_err err;
    char name[32];
    (void)snprintf(name, sizeof name, "mysql-bin.%06u", number);
    if (store_segment_begin(s, name, &err) != 0)
        proc_die("%s", err.text);
}

static void feed(struct store *s, const struct binlog_gen *g, size_t from)
{
    struct lt_err err;
    size_t end;
    if (gen_feed(s, g->data, g->len, from, SIZE_MAX / 2, false, &end) != 0 || store_sync(s, &err) != 0)
        proc_die("feeding the store");
}

/* ---- reading */

struct sink {
    int fd; /* the sender's end */
    pid_t pid;
};

/* A process that reads and forgets. */
static void run_sink(int fd)
{
    static uint8_t buf[256 * 1024];
    while (recv(fd, buf, sizeof buf, 0) > 0)
        ;
    _exit(0);
}

static struct sink start_sink(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(lfd, (struct sockaddr *)&sa, len) != 0 || listen(lfd, 1) != 0 ||
        getsockname(lfd, (struct sockaddr *)&sa, &len) != 0)
        proc_die_errno("listen");
    struct sink s = {.pid = fork()};
    if (s.pid == 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&sa, len) != 0)
            _exit(1);
        run_sink(fd);
    }
    s.fd = accept(lfd, NULL, NULL);
    (void)close(lfd);
    return s;
}

static double bare_seconds(const char *dir, unsigned segments)
{
    struct sink s = start_sink();
    uint64_t began = clock_mono_us();
    for (unsigned i = 1; i <= segments; i++) {
        char *path = proc_fmt("%s/lineages/0001-bench/mysql-bin.%06u", dir, i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;
        while ((n = sendfile(s.fd, fd, NULL, PIECE)) > 0)
            ;
        if (fd < 0 || n < 0)
            proc_die_errno("%s", path);
        (void)close(fd);
        free(path);
    }
    (void)close(s.fd);
    (void)waitpid(s.pid, NULL, 0);
    return (double)(clock_mono_us() - began) / 1e6;
}

static double served_seconds(uint16_t port)
{
    uint64_t began = clock_mono_us();
    pid_t pid = fork();
    if (pid == 0) {
        struct tail_raw *t = tail_raw_connect(port);
        if (t == NULL || !tail_raw_hello(t, NULL, NULL, NULL) ||
            !tail_raw_subscribe(t, &(struct tail_start){.start = 1, .until_end = true}))
            _exit(1);
        run_sink(tail_raw_fd(t));
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        proc_die("the consumer failed");
    return (double)(clock_mono_us() - began) / 1e6;
}

static void bench_read(uint64_t bytes, size_t row)
{
    char *dir = proc_tempdir();
    struct store *s = new_store(dir);
    struct binlog_gen g;
    struct serve *serve = NULL;
    struct lt_err err;
    unsigned segments = 0;
    uint64_t total = 0;
    gen_init(&g, false, true);
    gen_file(&g, true);
    size_t head = g.len;
    while (g.len < 16u << 20)
        gen_txn(&g, row);
    while (total < bytes) {
        begin_segment(s, ++segments);
        feed(s, &g, BINLOG_MAGIC_LEN);
        uint64_t at = g.len;
        for (; at + g.len < SEGMENT_BYTES && total + at < bytes; at += g.len - head)
            feed(s, &g, head);
        total += at;
    }
    if (serve_start(&(struct serve_options){.store = s, .host = "127.0.0.1"}, &serve, &err) != 0)
        proc_die("%s", err.text);
    struct bench_series bare = {0};
    struct bench_series served = {0};
    (void)bare_seconds(dir, segments); /* into the page cache */
    for (unsigned i = 0; i < bench_env("LT_ROUNDS", 5); i++) {
        bench_add(&bare, (double)total / 1e6 / bare_seconds(dir, segments));
        bench_add(&served, (double)total / 1e6 / served_seconds(serve_port(serve)));
    }
    struct bench_series ratio = bench_ratio(&served, &bare);
    (void)printf("%.1f GB in %u segments, transactions with rows of %zu bytes, MB/s: median [smallest-largest]\n",
                 (double)total / 1e9, segments, row);
    (void)printf("  bare sendfile   %s\n", bench_text(&bare, 0));
    (void)printf("  served          %s\n", bench_text(&served, 0));
    (void)printf("  ratio           %s (target 0.8)\n", bench_text(&ratio, 2));
    (void)fflush(stdout);
    serve_stop(serve);
    store_close(s);
    gen_fini(&g);
    proc_remove_dir(dir);
    free(dir);
}

/* ---- seeking */

static void drop_cache(const char *dir, unsigned segments)
{
    for (unsigned i = 1; i <= segments; i++) {
        char *path = proc_fmt("%s/lineages/0001-bench/mysql-bin.%06u", dir, i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        (void)fdatasync(fd);
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(fd);
        free(path);
    }
}

/* From the Subscribe to the first batch. */
static double seek_ms(uint16_t port, const char *set)
{
    struct tail_frame f;
    struct tail_raw *t = tail_raw_connect(port);
    if (t == NULL || !tail_raw_hello(t, NULL, NULL, NULL))
        proc_die("no Hello");
    uint64_t began = clock_mono_us();
    if (!tail_raw_subscribe(t, &(struct tail_start){.start = 3, .gtids = set}))
        proc_die("no Subscribe");
    do {
        if (tail_raw_next(t, &f, 60000) != TAIL_FRAME || f.type == FRAME_ERROR)
            proc_die("no batch");
        if (f.type == FRAME_BATCH)
            break;
        tail_frame_fini(&f);
    } while (true);
    double ms = (double)(clock_mono_us() - began) / 1000;
    tail_frame_fini(&f);
    tail_raw_free(t);
    return ms;
}

static void bench_seek(unsigned segments)
{
    char *dir = proc_tempdir();
    struct store *s = new_store(dir);
    struct binlog_gen g;
    struct serve *serve = NULL;
    struct lt_err err;
    double ms[2][200];
    gen_init(&g, false, true);
    for (unsigned i = 1; i <= segments; i++) {
        begin_segment(s, i);
        gen_file(&g, true);
        for (int k = 0; k < 20; k++)
            gen_txn(&g, 200);
        feed(s, &g, BINLOG_MAGIC_LEN);
    }
    if (serve_start(&(struct serve_options){.store = s, .host = "127.0.0.1"}, &serve, &err) != 0)
        proc_die("%s", err.text);
    for (int cold = 1; cold >= 0; cold--) {
        for (unsigned i = 0; i < (cold ? 20u : 200u); i++) {
            char set[100];
            (void)snprintf(set, sizeof set, "68b1e7ed-0102-0304-0506-0708090a0b0c:1-%llu",
                           (unsigned long long)(g.seq * ((uint64_t)i * 7919 % 1000) / 1000 + 1));
            if (cold)
                drop_cache(dir, segments);
            ms[cold][i] = seek_ms(serve_port(serve), set);
        }
    }
    (void)printf("GTID seek among %u segments, ms to the first batch (target 50)\n", segments);
    (void)printf("  in the page cache       p50 %.2f max %.2f\n", bench_quantile(ms[0], 200, 0.5),
                 bench_quantile(ms[0], 200, 1));
    (void)printf("  page cache dropped      p50 %.2f max %.2f\n", bench_quantile(ms[1], 20, 0.5),
                 bench_quantile(ms[1], 20, 1));
    serve_stop(serve);
    store_close(s);
    gen_fini(&g);
    proc_remove_dir(dir);
    free(dir);
}

int main(void)
{
    bool full = secure_getenv("LT_FULL") != NULL;
    uint64_t mib = bench_env("LT_MIB", full ? 4096 : 512);
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    bench_seek(bench_env("LT_SEGMENTS", 5000));
    bench_read(mib << 20, 8000);
    bench_read(mib << 20, 200);
    return 0;
}
