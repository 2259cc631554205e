/*
 * Do consumers slow acknowledgements? The fake primary sends one flagged transaction at a time to logtailerd, in turn with no consumer and with many
 * (idle ones, that hold everything by GTID, and active ones). And: how long from durable to delivered for 1, 100 and 1,000; memory per consumer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_util.h"
#include "daemon.h"
#include "fake_primary.h"
#include "fanout_consumers.h"
#include "one_commit.h"

#define DELIVER_MS 120000

struct commit {
    uint64_t end;
    uint64_t acked_us;
};

struct run {
    struct fake_primary *fp;
    struct daemon *dm;
    unsigned count;
    unsigned pause_us;
    struct commit *commits; /* of one round */
    double *us;
};

static void commit_one(struct run *run, unsigned i)
{
    struct one_commit c;
    one_commit(run->fp, run->dm, 270, &c);
    run->us[i] = c.after_sent_us;
    run->commits[i] = (struct commit){.end = c.end, .acked_us = c.acked_us};
    if (run->pause_us > 0)
        (void)usleep(run->pause_us);
}

static void commits(struct run *run, struct bench_series *p50, struct bench_series *p99)
{
    for (unsigned i = 0; i < run->count; i++)
        commit_one(run, i);
    bench_add(p50, bench_quantile(run->us, run->count, 0.50));
    bench_add(p99, bench_quantile(run->us, run->count, 0.99));
}

/* Everything held, whatever comes: idle consumers get heartbeats only. */
static void held_set(const struct run *run, char *buf, size_t cap)
{
    json_t *answer = daemon_command(run->dm, "position");
    const char *set = json_string_value(json_object_get(answer, "gtid_executed"));
    const char *colon = set != NULL ? strchr(set, ':') : NULL;
    if (colon == NULL)
        proc_die("no executed GTID set");
    (void)snprintf(buf, cap, "%.*s:1-9000000000", (int)(colon - set), set);
    json_decref(answer);
}

/* From the ACK's arrival, which comes just after the sync, until each active consumer has the transaction. */
static void print_delivered(struct run *run, struct fanout *f, unsigned active)
{
    size_t n = 0;
    const struct fanout_sample *s = fanout_samples(f, &n);
    uint64_t *prev = calloc(active, sizeof *prev);
    double *us = calloc((size_t)active * run->count, sizeof *us);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned low = 0;
        while (low < run->count && run->commits[low].end <= prev[s[i].consumer])
            low++;
        for (; low < run->count && run->commits[low].end <= s[i].next_offset && k < (size_t)active * run->count; low++)
            us[k++] = s[i].at_us > run->commits[low].acked_us ? (double)(s[i].at_us - run->commits[low].acked_us) : 0;
        prev[s[i].consumer] = s[i].next_offset;
    }
    (void)printf(
        "  %5u active: from durable to delivered, us: p50 %.0f p99 %.0f max %.0f (%zu deliveries, %zu batches)\n",
        active, bench_quantile(us, k, 0.5), bench_quantile(us, k, 0.99), bench_quantile(us, k, 1), k, n);
    (void)fflush(stdout);
    free(prev);
    free(us);
}

static void deliver(struct run *run, unsigned active)
{
    struct bench_series p50 = {0};
    struct bench_series p99 = {0};
    struct fanout *f = fanout_start(run->dm->tail_port, 0, active, "");
    commit_one(run, 0);
    (void)fanout_wait(f, run->commits[0].end, DELIVER_MS);
    fanout_reset(f);
    commits(run, &p50, &p99);
    if (!fanout_wait(f, run->commits[run->count - 1].end, DELIVER_MS))
        proc_die("not everything was delivered");
    print_delivered(run, f, active);
    fanout_stop(f);
}

static void wait_alone(struct run *run)
{
    for (unsigned i = 0; i < 3000; i++) {
        json_t *answer = daemon_command(run->dm, "status");
        bool alone = json_integer_value(json_object_get(answer, "consumers")) == 0;
        json_decref(answer);
        if (alone)
            return;
        proc_sleep_ms(20);
    }
    proc_die("consumers stay connected");
}

static void compare(struct run *run, unsigned rounds, unsigned idle, unsigned active)
{
    struct bench_series p50[2] = {0};
    struct bench_series p99[2] = {0};
    char held[200];
    double before_kib = (double)daemon_rss_kib(run->dm);
    double with_kib = 0;
    held_set(run, held, sizeof held);
    for (unsigned i = 0; i < rounds; i++) {
        wait_alone(run);
        commits(run, &p50[0], &p99[0]);
        struct fanout *f = fanout_start(run->dm->tail_port, idle, active, held);
        double kib = (double)daemon_rss_kib(run->dm);
        with_kib = kib > with_kib ? kib : with_kib;
        commits(run, &p50[1], &p99[1]);
        if (!fanout_wait(f, run->commits[run->count - 1].end, DELIVER_MS))
            proc_die("not everything was delivered");
        if (i == rounds - 1)
            print_delivered(run, f, active);
        kib = (double)daemon_rss_kib(run->dm);
        with_kib = kib > with_kib ? kib : with_kib;
        fanout_stop(f);
    }
    struct bench_series r50 = bench_ratio(&p50[1], &p50[0]);
    struct bench_series r99 = bench_ratio(&p99[1], &p99[0]);
    (void)printf("%u idle and %u active consumers, %u rounds of %u transactions, %u us apart; microseconds\n", idle,
                 active, rounds, run->count, run->pause_us);
    (void)printf("  ACK without   p50 %-22s p99 %s\n", bench_text(&p50[0], 0), bench_text(&p99[0], 0));
    (void)printf("  ACK with      p50 %-22s p99 %s\n", bench_text(&p50[1], 0), bench_text(&p99[1], 0));
    (void)printf("  ratio         p50 %-22s p99 %s (target 1.2)\n", bench_text(&r50, 2), bench_text(&r99, 2));
    (void)printf("  memory        %.0f KiB alone, %.0f with; %.1f KiB per consumer (target 16 and 32 MiB)\n",
                 before_kib, with_kib, (with_kib - before_kib) / (idle + active));
}

static void start(struct run *run)
{
    run->fp = fake_primary_start(&(struct fake_options){.version = "9.7.4"});
    fake_open_file(run->fp, "binlog.000001");
    (void)fake_commit_quiet(run->fp, &(struct fake_txn_spec){.blob_len = 100});
    run->dm = daemon_start(&(struct daemon_options){
        .port = fake_port(run->fp), .settings = (char *[]){"tail.max_consumers=20000", "log.level=notice", NULL}});
    if (!fake_wait_live(run->fp, FAKE_DUMP_SEMI_SYNC, 1, 20000)) {
        daemon_show_log(run->dm);
        proc_die("logtailerd opens no semi-sync dump");
    }
}

int main(void)
{
    bool full = secure_getenv("LT_FULL") != NULL;
    struct run run = {.count = bench_env("LT_COUNT", 1000), .pause_us = bench_env("LT_PAUSE_US", 1000)};
    unsigned idle = bench_env("LT_IDLE", full ? 10000 : 1000);
    unsigned active = bench_env("LT_ACTIVE", full ? 1000 : 100);
    run.commits = calloc(run.count, sizeof *run.commits);
    run.us = calloc(run.count, sizeof *run.us);
    start(&run);
    for (unsigned i = 0; i < 200 && i < run.count; i++)
        commit_one(&run, i); /* warm up */
    compare(&run, bench_env("LT_ROUNDS", 5), idle, active);
    for (unsigned n = 1; n <= 1000; n *= n == 1 ? 100 : 10) {
        wait_alone(&run);
        deliver(&run, n);
    }
    daemon_free(run.dm);
    fake_primary_stop(run.fp);
    free(run.commits);
    free(run.us);
    return 0;
}
