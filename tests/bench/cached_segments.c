#include "cached_segments.h"

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
#include "bench_util.h"
#include "proc.h"

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

struct store *cached_new_store(const char *dir)
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

void cached_begin_segment(struct store *s, unsigned number)
{
    struct lt_err err;
    char name[32];
    (void)snprintf(name, sizeof name, "mysql-bin.%06u", number);
    if (store_segment_begin(s, name, &err) != 0)
        proc_die("%s", err.text);
}

void cached_feed(struct store *s, const struct binlog_gen *g, size_t from)
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

void cached_sink(int fd)
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
        cached_sink(fd);
    }
    s.fd = accept(lfd, NULL, NULL);
    (void)close(lfd);
    return s;
}

double cached_bare_seconds(const char *dir, unsigned segments)
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

struct store *cached_fill(const char *dir, uint64_t bytes, size_t row, unsigned *ret_segments, uint64_t *ret_total)
{
    struct store *s = cached_new_store(dir);
    struct binlog_gen g;
    unsigned segments = 0;
    uint64_t total = 0;
    gen_init(&g, false, true);
    gen_file(&g, true);
    size_t head = g.len;
    while (g.len < 16u << 20)
        gen_txn(&g, row);
    while (total < bytes) {
        cached_begin_segment(s, ++segments);
        cached_feed(s, &g, BINLOG_MAGIC_LEN);
        uint64_t at = g.len;
        for (; at + g.len < SEGMENT_BYTES && total + at < bytes; at += g.len - head)
            cached_feed(s, &g, head);
        total += at;
    }
    gen_fini(&g);
    *ret_segments = segments;
    *ret_total = total;
    return s;
}

void cached_compare(const char *dir, unsigned segments, uint64_t total, cached_served served_seconds, void *arg,
                    double target)
{
    struct bench_series bare = {0};
    struct bench_series served = {0};
    (void)cached_bare_seconds(dir, segments); /* into the page cache */
    for (unsigned i = 0; i < bench_env("LT_ROUNDS", 5); i++) {
        bench_add(&bare, (double)total / 1e6 / cached_bare_seconds(dir, segments));
        bench_add(&served, (double)total / 1e6 / served_seconds(arg));
    }
    struct bench_series ratio = bench_ratio(&served, &bare);
    (void)printf("  bare sendfile   %s\n", bench_text(&bare, 0));
    (void)printf("  served          %s\n", bench_text(&served, 0));
    (void)printf("  ratio           %s (target %.1f)\n", bench_text(&ratio, 2), target);
    (void)fflush(stdout);
}
