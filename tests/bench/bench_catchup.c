/*
 * Downloading a primary's binlogs: logtailerd from an empty store until its watermark is the primary's end, against mysqlbinlog --raw of the
 * same flavour until it exits, and against the floor: the same stream received, written and synced every 8 MiB, and nothing looked at. Large rows
 * and small transactions, in turn, on a primary without semi-sync.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_util.h"
#include "daemon.h"
#include "filled_primary.h"
#include "raw_replica.h"
#include "server.h"
#include "sql.h"

#define CATCH_UP_MS 600000
#define READ_BYTES  (1024ul * 1024)
#define SYNC_BYTES  (8ul * 1024 * 1024)

struct figures {
    struct bench_series mb_s;
    struct bench_series synced_mb_s; /* mysqlbinlog, and a sync when it is done */
    struct bench_series cpu_s_gb;
    struct bench_series rss_mib;
};

/* ------------------------------------------------------------------ one download ------------------------------------------------- */

static double children_cpu_s(void)
{
    struct rusage ru;
    if (getrusage(RUSAGE_CHILDREN, &ru) != 0)
        return 0;
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* User and system time of a process that still runs. */
static double process_cpu_s(pid_t pid)
{
    char *path = proc_fmt("/proc/%d/stat", (int)pid);
    char *text = proc_read_file(path, NULL);
    const char *p = text ? strrchr(text, ')') : NULL;
    double ticks = 0;
    /* utime and stime are the 12th and 13th field behind the name. */
    for (int field = 0; p && field < 13; field++) {
        p = strchr(p + 1, ' ');
        if (p && field >= 11)
            ticks += strtod(p + 1, NULL);
    }
    free(text);
    free(path);
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

static void add(const struct filled *b, struct figures *f, uint64_t ms, double cpu_s, double rss_mib)
{
    bench_add(&f->mb_s, b->bytes / 1e6 / ((double)(ms ? ms : 1) / 1e3));
    bench_add(&f->cpu_s_gb, cpu_s / (b->bytes / 1e9));
    bench_add(&f->rss_mib, rss_mib);
}

static void run_logtailerd(const struct filled *b, struct figures *f)
{
    char *settings[] = {"source.semi_sync=no", "source.ssl_mode=DISABLED", "source.start=earliest", "log.level=warn",
                        NULL};
    sync();
    uint64_t from = proc_now_ms();
    struct daemon *dm = daemon_start(&(struct daemon_options){.server = b->primary, .settings = settings});
    if (!daemon_wait_position(dm, b->last, b->last_size, CATCH_UP_MS)) {
        daemon_show_log(dm);
        proc_die("logtailerd did not catch up");
    }
    add(b, f, proc_now_ms() - from, process_cpu_s(dm->pid), (double)daemon_peak_rss_kib(dm) / 1024);
    daemon_free(dm);
}

static void run_mysqlbinlog(const struct filled *b, struct figures *f)
{
    char *dir = proc_tempdir();
    sync();
    double cpu = children_cpu_s();
    uint64_t from = proc_now_ms();
    uint64_t ms = filled_download(b, b->primary->port, false, dir);
    sync();
    uint64_t synced_ms = proc_now_ms() - from;
    add(b, f, ms, children_cpu_s() - cpu, 0);
    bench_add(&f->synced_mb_s, b->bytes / 1e6 / ((double)(synced_ms ? synced_ms : 1) / 1e3));
    proc_remove_dir(dir);
    free(dir);
}

static double thread_cpu_s(void)
{
    struct rusage ru;
    if (getrusage(RUSAGE_THREAD, &ru) != 0)
        return 0;
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* As many bytes as the files have, packet headers and all. */
static void receive_and_write(const struct filled *b, int from, int to)
{
    char *buf = malloc(READ_BYTES);
    uint64_t unsynced = 0;
    if (fcntl(from, F_SETFL, fcntl(from, F_GETFL) & ~O_NONBLOCK) != 0)
        proc_die_errno("the floor: fcntl");
    for (uint64_t at = 0; buf && at < (uint64_t)b->bytes;) {
        ssize_t n = recv(from, buf, READ_BYTES, 0);
        if (n <= 0)
            proc_die_errno("the floor: received %llu bytes", (unsigned long long)at);
        if (write(to, buf, (size_t)n) != n)
            proc_die_errno("the floor: write");
        at += (uint64_t)n;
        unsynced += (uint64_t)n;
        if (unsynced < SYNC_BYTES && at < (uint64_t)b->bytes)
            continue;
        if (fdatasync(to) != 0)
            proc_die_errno("the floor: fdatasync");
        unsynced = 0;
    }
    free(buf);
}

static void run_floor(const struct filled *b, struct figures *f)
{
    struct raw_options opt = {.port = b->primary->port,
                              .user = SERVER_REPL_USER,
                              .password = SERVER_REPL_PASSWORD,
                              .server_id = 9002,
                              .uuid = "1dea1000-0000-4000-8000-000000000002",
                              .timeout_ms = 30000};
    char *dir = proc_tempdir();
    char *path = proc_fmt("%s/stream", dir);
    struct lt_err err = {0};
    sync();
    double cpu = thread_cpu_s();
    uint64_t from = proc_now_ms();
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct raw_replica *r = raw_open(&opt, &err);
    if (fd < 0 || !r || raw_dump(r, b->first, 4) != 0)
        proc_die("the floor: %s", r ? raw_error_text(r) : err.text);
    receive_and_write(b, raw_fd(r), fd);
    add(b, f, proc_now_ms() - from, thread_cpu_s() - cpu, 0);
    raw_close(r);
    (void)close(fd);
    proc_remove_dir(dir);
    free(path);
    free(dir);
}

static void run_load(enum server_flavor flavor, const struct filled_load *load, unsigned rounds)
{
    struct filled b = {.flavor = flavor};
    struct figures ours = {0};
    struct figures theirs = {0};
    struct figures floor = {0};
    filled_start(&b, load);
    for (unsigned i = 0; i < rounds; i++) {
        /* In turn, and who is first changes. */
        if (i % 2)
            run_logtailerd(&b, &ours);
        run_mysqlbinlog(&b, &theirs);
        run_floor(&b, &floor);
        if (i % 2 == 0)
            run_logtailerd(&b, &ours);
    }
    struct bench_series ratio = bench_ratio(&ours.mb_s, &theirs.mb_s);
    struct bench_series synced = bench_ratio(&ours.mb_s, &theirs.synced_mb_s);
    struct bench_series to_floor = bench_ratio(&ours.mb_s, &floor.mb_s);
    (void)printf("%s, %s, %.0f MB: median [smallest-largest]\n", server_flavor_name(flavor), load->name, b.bytes / 1e6);
    (void)printf("  logtailerd         MB/s %-22s CPU s/GB %-18s max RSS MiB %s\n", bench_text(&ours.mb_s, 0),
                 bench_text(&ours.cpu_s_gb, 2), bench_text(&ours.rss_mib, 1));
    (void)printf("  mysqlbinlog --raw  MB/s %-22s CPU s/GB %s\n", bench_text(&theirs.mb_s, 0),
                 bench_text(&theirs.cpu_s_gb, 2));
    (void)printf("  ... and one sync   MB/s %s\n", bench_text(&theirs.synced_mb_s, 0));
    (void)printf("  the floor          MB/s %-22s CPU s/GB %s\n", bench_text(&floor.mb_s, 0),
                 bench_text(&floor.cpu_s_gb, 2));
    (void)printf("  ratio              %-22s to mysqlbinlog and one sync %-18s to the floor %s\n",
                 bench_text(&ratio, 2), bench_text(&synced, 2), bench_text(&to_floor, 2));
    (void)fflush(stdout);
    filled_stop(&b);
}

int main(int argc, char **argv)
{
    const char *full_text = secure_getenv("LT_FULL");
    bool full = full_text && strcmp(full_text, "1") == 0;
    const struct filled_load loads[] = {
        {.name = "large rows", .large_rows = full ? 1000 : 200},
        {.name = "small transactions", .small_txns = full ? 500000 : 50000},
    };
    for (int f = SERVER_MARIADB; f <= SERVER_MYSQL; f++) {
        enum server_flavor flavor = (enum server_flavor)f;
        if (argc > 1 && strcmp(argv[1], server_flavor_name(flavor)) != 0)
            continue;
        if (!server_is_installed(flavor)) {
            (void)printf("%s is not installed\n", server_flavor_name(flavor));
            continue;
        }
        for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
            run_load(flavor, &loads[i], bench_env("LT_ROUNDS", 5));
    }
    return 0;
}
