/*
 * The listener that speaks MySQL's protocol. Given "read", "tools" or "acks" only that:
 * - read: one client, everything in the page cache, against a bare sendfile loop over the same files to the same kind of sink;
 * - tools: the servers' own mysqlbinlog --raw from logtailerd against the same from the primary;
 * - acks: sixteen transactions at a time from the fake primary, in turn with no replica, one, ten, and one beside attackers of all kinds; from durable to received; memory of
 *   idle replicas.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bench_util.h"
#include "cached_segments.h"
#include "daemon.h"
#include "fake_primary.h"
#include "filled_primary.h"
#include "hostile_replicas.h"
#include "proc.h"
#include "raw_replica.h"
#include "replicas/replicas.h"
#include "replicas_followers.h"

#define WAIT_MS 120000
#define FILE1   "binlog.000001"

/* ---- read */

static double served_seconds(void *arg)
{
    uint16_t port = replicas_port(arg);
    uint64_t began = clock_mono_us();
    pid_t pid = fork();
    if (pid == 0) {
        struct lt_err err;
        struct raw_replica *raw = raw_open(&(struct raw_options){.port = port, .user = "anybody"}, &err);
        if (raw == NULL || raw_dump(raw, "mysql-bin.000001", 4) != 0 || fcntl(raw_fd(raw), F_SETFL, 0) != 0)
            _exit(1);
        cached_sink(raw_fd(raw));
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        proc_die("the client failed");
    return (double)(clock_mono_us() - began) / 1e6;
}

static void bench_read(uint64_t bytes, size_t row, double target)
{
    char *dir = proc_tempdir();
    struct replicas *replicas = NULL;
    struct lt_err err;
    struct replicas_view v;
    unsigned segments;
    uint64_t total;
    struct store *s = cached_fill(dir, bytes, row, &segments, &total);
    struct replicas_options opt = {
        .store = s, .host = "127.0.0.1", .server_id = 4711, .server_uuid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"};
    opt.max_replicas = 10;
    if (replicas_start(&opt, &replicas, &err) != 0)
        proc_die("%s", err.text);
    (void)printf("%.1f GB in %u segments, transactions with rows of %zu bytes, MB/s: median [smallest-largest]\n",
                 (double)total / 1e9, segments, row);
    cached_compare(dir, segments, total, served_seconds, replicas, target);
    replicas_view_get(replicas, &v);
    if (v.sent_bytes < total * bench_env("LT_ROUNDS", 5))
        proc_die("not all was sent");
    replicas_stop(replicas);
    store_close(s);
    proc_remove_dir(dir);
    free(dir);
}

/* ---- tools */

static double children_cpu_s(void)
{
    struct rusage ru;
    if (getrusage(RUSAGE_CHILDREN, &ru) != 0)
        return 0;
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* busy: the share of the time in which the tool itself had the processor. */
static double download_mb_s(const struct filled *b, unsigned port, struct bench_series *busy)
{
    char *dir = proc_tempdir();
    double cpu = children_cpu_s();
    uint64_t ms = filled_download(b, port, true, dir);
    bench_add(busy, 1e3 * (children_cpu_s() - cpu) / (double)(ms ? ms : 1));
    proc_remove_dir(dir);
    free(dir);
    return b->bytes / 1e6 / ((double)(ms ? ms : 1) / 1e3);
}

static void bench_tool(enum server_flavor flavor, const struct filled_load *load, double target)
{
    struct filled b = {.flavor = flavor};
    struct bench_series theirs = {0};
    struct bench_series ours = {0};
    struct bench_series busy[2] = {0};
    uint16_t port = proc_free_port();
    char *settings[] = {"source.semi_sync=no",
                        "source.ssl_mode=DISABLED",
                        "source.start=earliest",
                        "log.level=warn",
                        proc_fmt("replicas.listen=127.0.0.1:%u", port),
                        NULL};
    filled_start(&b, load);
    struct daemon *dm = daemon_start(&(struct daemon_options){.server = b.primary, .settings = settings});
    if (!daemon_wait_position(dm, b.last, b.last_size, WAIT_MS))
        proc_die("logtailerd did not catch up");
    for (unsigned i = 0; i < bench_env("LT_ROUNDS", 5); i++) {
        if (i % 2 == 0)
            bench_add(&theirs, download_mb_s(&b, b.primary->port, &busy[0]));
        bench_add(&ours, download_mb_s(&b, port, &busy[1]));
        if (i % 2 == 1)
            bench_add(&theirs, download_mb_s(&b, b.primary->port, &busy[0]));
    }
    struct bench_series ratio = bench_ratio(&ours, &theirs);
    (void)printf("%s, mysqlbinlog --raw, %s, %.0f MB, MB/s: median [smallest-largest]\n", server_flavor_name(flavor),
                 load->name, b.bytes / 1e6);
    (void)printf("  primary %-22s logtailerd %-22s ratio %s (target %.1f)\n", bench_text(&theirs, 0),
                 bench_text(&ours, 0), bench_text(&ratio, 2), target);
    (void)printf("  the tool itself had the processor for %s and %s of the time\n", bench_text(&busy[0], 2),
                 bench_text(&busy[1], 2));
    (void)fflush(stdout);
    daemon_free(dm);
    filled_stop(&b);
    free(settings[4]);
}

static void bench_tools(void)
{
    bool full = secure_getenv("LT_FULL") != NULL;
    const struct filled_load small = {.name = "small transactions", .small_txns = full ? 2500000 : 100000};
    const struct filled_load large = {.name = "large rows", .large_rows = full ? 1000 : 200};
    for (int f = SERVER_MARIADB; f <= SERVER_MYSQL; f++) {
        if (!server_is_installed((enum server_flavor)f))
            continue;
        bench_tool((enum server_flavor)f, &small, 1.3);
        bench_tool((enum server_flavor)f, &large, 1.0);
    }
}

/* ---- acks */

struct acks {
    struct fake_primary *fp;
    struct daemon *dm;
    uint16_t port;
    unsigned count;
    unsigned burst;
    double *us;
    struct followers_sample *commits; /* of one round: where each burst ends, and when its ACK came */
};

/* As sixteen writers that wait for one another: all are sent, then the last one's ACK is awaited. */
static void one_burst(struct acks *a, unsigned i)
{
    struct fake_pos end = {0};
    struct fake_counters n;
    struct fake_sent sent;
    struct fake_ack ack;
    for (unsigned k = 0; k < a->burst; k++)
        end = fake_commit(a->fp, &(struct fake_txn_spec){.blob_len = 270});
    if (!fake_wait_ack(a->fp, &end, WAIT_MS))
        proc_die("no ACK");
    fake_counters(a->fp, &n);
    if (!fake_last_sent(a->fp, &sent) || !fake_ack_get(a->fp, n.acks - 1, &ack) || sent.at.pos != end.pos)
        proc_die("no record of the ACK");
    a->us[i] = ack.at_us > sent.before_us ? (double)(ack.at_us - sent.before_us) : 0;
    a->commits[i] = (struct followers_sample){.end = end.pos, .at_us = ack.at_us};
    (void)usleep(1000);
}

static void bursts(struct acks *a, struct bench_series *p50, struct bench_series *p99)
{
    for (unsigned i = 0; i < a->count; i++)
        one_burst(a, i);
    bench_add(p50, bench_quantile(a->us, a->count, 0.50));
    bench_add(p99, bench_quantile(a->us, a->count, 0.99));
}

/* From the ACK's arrival, which comes just after the sync, until the replica has the last event. */
static void add_received(struct acks *a, struct followers *f, struct bench_series *p50, struct bench_series *p99)
{
    size_t n = 0;
    size_t k = 0;
    const struct followers_sample *s = followers_samples(f, 0, &n);
    double *us = calloc(a->count, sizeof *us);
    for (size_t i = 0, c = 0; i < n && c < a->count; i++) {
        while (c < a->count && a->commits[c].end < s[i].end)
            c++;
        if (c < a->count && a->commits[c].end == s[i].end)
            us[k++] = s[i].at_us > a->commits[c].at_us ? (double)(s[i].at_us - a->commits[c].at_us) : 0;
    }
    if (k < a->count)
        proc_die("%zu of %u bursts were received", k, a->count);
    bench_add(p50, bench_quantile(us, k, 0.50));
    bench_add(p99, bench_quantile(us, k, 0.99));
    free(us);
}

enum { WORLDS = 4, ATTACKED = 3 };
static const struct {
    const char *name;
    unsigned replicas;
} worlds[WORLDS] = {{"no replica", 0}, {"1 replica", 1}, {"10 replicas", 10}, {"1, and attackers", 1}};

static void compare_acks(struct acks *a, unsigned rounds)
{
    const struct hostile_replicas_target target = {.port = a->port, .file = FILE1};
    struct bench_series p50[WORLDS] = {0};
    struct bench_series p99[WORLDS] = {0};
    struct bench_series got50[WORLDS] = {0};
    struct bench_series got99[WORLDS] = {0};
    uint64_t attacks = 0;
    double rss = 0;
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned w = 0; w < WORLDS; w++) {
            unsigned n = worlds[w].replicas;
            struct followers *f = n > 0 ? followers_start(a->port, FILE1, fake_end(a->fp).pos, 0, n) : NULL;
            struct hostile_replicas *h =
                w == ATTACKED ? hostile_replicas_start(&target, bench_env("LT_KINDS", UINT32_MAX)) : NULL;
            bursts(a, &p50[w], &p99[w]);
            for (unsigned k = 0; h != NULL && k < HOSTILE_REPLICA_KINDS; k++)
                attacks += hostile_replicas_count(h, (enum hostile_replica)k);
            rss = h != NULL ? (double)daemon_rss_kib(a->dm) : rss;
            hostile_replicas_stop(h);
            if (f != NULL && !followers_wait(f, a->commits[a->count - 1].end, WAIT_MS))
                proc_die("not everything was received");
            if (f != NULL)
                add_received(a, f, &got50[w], &got99[w]);
            followers_stop(f);
        }
    }
    (void)printf("ACK of %u transactions sent at once, us, %u rounds of %u: median [smallest-largest]\n", a->burst,
                 rounds, a->count);
    for (unsigned w = 0; w < WORLDS; w++) {
        struct bench_series ratio = bench_ratio(&p99[w], &p99[0]);
        (void)printf("  %-17s p50 %-18s p99 %-20s of p99 without %s (target 1.1)\n", worlds[w].name,
                     bench_text(&p50[w], 0), bench_text(&p99[w], 0), bench_text(&ratio, 2));
        if (w > 0)
            (void)printf("                    from durable to received p50 %-18s p99 %s\n", bench_text(&got50[w], 0),
                         bench_text(&got99[w], 0));
    }
    (void)printf("  %llu attackers' connections; %.0f KiB with them\n", (unsigned long long)attacks, rss);
    (void)fflush(stdout);
}

static void weigh_idle(const struct acks *a, unsigned idle)
{
    double before = (double)daemon_rss_kib(a->dm);
    struct followers *f = followers_start(a->port, FILE1, 4, idle, 0);
    double with = (double)daemon_rss_kib(a->dm);
    (void)printf("memory: %.0f KiB alone, %.0f with %u idle replicas: %.1f KiB each (target 16)\n", before, with, idle,
                 (with - before) / idle);
    (void)fflush(stdout);
    followers_stop(f);
}

static void bench_acks(void)
{
    struct acks a = {.count = bench_env("LT_COUNT", 500), .burst = bench_env("LT_BURST", 16), .port = proc_free_port()};
    struct fake_certs certs;
    char *folder = proc_tempdir();
    fake_certs_make(folder, "localhost", 10, &certs);
    unsigned idle = bench_env("LT_IDLE", 1000);
    char *settings[] = {proc_fmt("replicas.listen=127.0.0.1:%u", a.port),
                        proc_fmt("replicas.max_replicas=%u", idle + 500),
                        proc_fmt("replicas.ssl_cert=%s", certs.cert),
                        proc_fmt("replicas.ssl_key=%s", certs.key),
                        "log.level=error",
                        NULL};
    a.us = calloc(a.count, sizeof *a.us);
    a.commits = calloc(a.count, sizeof *a.commits);
    a.fp = fake_primary_start(&(struct fake_options){.version = "9.7.4"});
    fake_open_file(a.fp, FILE1);
    (void)fake_commit_quiet(a.fp, &(struct fake_txn_spec){.blob_len = 100});
    a.dm = daemon_start(&(struct daemon_options){.port = fake_port(a.fp), .settings = settings});
    if (!fake_wait_live(a.fp, FAKE_DUMP_SEMI_SYNC, 1, WAIT_MS))
        proc_die("logtailerd opens no semi-sync dump");
    weigh_idle(&a, idle);
    for (unsigned i = 0; i < 50 && i < a.count; i++)
        one_burst(&a, i); /* warm up */
    compare_acks(&a, bench_env("LT_ROUNDS", 5));
    daemon_free(a.dm);
    fake_primary_stop(a.fp);
    for (unsigned i = 0; i < 4; i++)
        free(settings[i]);
    proc_remove_dir(folder);
    free(folder);
    free(a.commits);
    free(a.us);
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    uint64_t mib = bench_env("LT_MIB", secure_getenv("LT_FULL") != NULL ? 4096 : 512);
    (void)signal(SIGPIPE, SIG_IGN);
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    if (*only == '\0' || strcmp(only, "read") == 0) {
        bench_read(mib << 20, 8000, 0.8);
        bench_read(mib << 20, 200, 0.4);
        bench_read(mib << 20, 1000000, 0.8);
    }
    if (*only == '\0' || strcmp(only, "acks") == 0)
        bench_acks();
    if (*only == '\0' || strcmp(only, "tools") == 0)
        bench_tools();
    return 0;
}
