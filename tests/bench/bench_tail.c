/*
 * One consumer, everything in the page cache: logtailerd's serve layer against a bare sendfile loop over the same files to the same kind of sink. And
 * the time to the first batch of a GTID subscription among thousands of segments.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bench_util.h"
#include "cached_segments.h"
#include "proc.h"
#include "serve/serve.h"
#include "tail_raw.h"

static double served_seconds(void *arg)
{
    uint16_t port = serve_port(arg);
    uint64_t began = clock_mono_us();
    pid_t pid = fork();
    if (pid == 0) {
        struct tail_raw *t = tail_raw_connect(port);
        if (t == NULL || !tail_raw_hello(t, NULL, NULL, NULL) ||
            !tail_raw_subscribe(t, &(struct tail_start){.start = 1, .until_end = true}))
            _exit(1);
        cached_sink(tail_raw_fd(t));
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        proc_die("the consumer failed");
    return (double)(clock_mono_us() - began) / 1e6;
}

static void bench_read(uint64_t bytes, size_t row)
{
    char *dir = proc_tempdir();
    struct serve *serve = NULL;
    struct lt_err err;
    unsigned segments;
    uint64_t total;
    struct store *s = cached_fill(dir, bytes, row, &segments, &total);
    if (serve_start(&(struct serve_options){.store = s, .host = "127.0.0.1"}, &serve, &err) != 0)
        proc_die("%s", err.text);
    (void)printf("%.1f GB in %u segments, transactions with rows of %zu bytes, MB/s: median [smallest-largest]\n",
                 (double)total / 1e9, segments, row);
    cached_compare(dir, segments, total, served_seconds, serve, 0.8);
    serve_stop(serve);
    store_close(s);
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
    struct store *s = cached_new_store(dir);
    struct binlog_gen g;
    struct serve *serve = NULL;
    struct lt_err err;
    double ms[2][200];
    gen_init(&g, false, true);
    for (unsigned i = 1; i <= segments; i++) {
        cached_begin_segment(s, i);
        gen_file(&g, true);
        for (int k = 0; k < 20; k++)
            gen_txn(&g, 200);
        cached_feed(s, &g, BINLOG_MAGIC_LEN);
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
