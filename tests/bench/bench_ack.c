/*
 * How long an acknowledgement takes: the fake primary sends one flagged transaction at a time to a logtailerd process; in the same loop
 * the same bytes are written and synced to two bare files in the same folder, one growing, one written with zeros before.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench_util.h"
#include "daemon.h"
#include "one_commit.h"

enum what { ACK_AFTER, ACK_BEFORE, BARE_GROWING, BARE_PREWRITTEN, WHATS };
static const char *const names[WHATS] = {
    "ack, from the write's return",
    "ack, from the write's begin",
    "bare write+fdatasync, growing",
    "bare write+fdatasync, pre-written",
};

struct bare {
    int fd;
    uint64_t at;
};

struct run {
    struct fake_primary *fp;
    struct daemon *dm;
    struct bare growing;
    struct bare prewritten;
    unsigned count;
    uint8_t *data;
    double *us[WHATS]; /* of one round */
    struct bench_series p50[WHATS];
    struct bench_series p99[WHATS];
    struct bench_series p999[WHATS];
};

static struct bare open_bare(const char *dir, const char *name, uint64_t zeros)
{
    static const uint8_t block[1 << 20];
    char *path = proc_fmt("%s/%s", dir, name);
    struct bare b = {.fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (b.fd < 0)
        proc_die_errno("%s", path);
    for (uint64_t at = 0; at < zeros; at += sizeof block)
        if (pwrite(b.fd, block, sizeof block, (off_t)at) != (ssize_t)sizeof block)
            proc_die_errno("%s", path);
    if (fsync(b.fd) != 0)
        proc_die_errno("%s", path);
    free(path);
    return b;
}

static double write_bare(struct bare *b, const uint8_t *data, size_t len)
{
    uint64_t from = clock_mono_us();
    if (pwrite(b->fd, data, len, (off_t)b->at) != (ssize_t)len || fdatasync(b->fd) != 0)
        proc_die_errno("bare write");
    b->at += len;
    return (double)(clock_mono_us() - from);
}

/* Bytes of the transaction. */
static size_t commit_one(struct run *run, size_t blob, unsigned i)
{
    struct one_commit c;
    one_commit(run->fp, run->dm, blob, &c);
    run->us[ACK_AFTER][i] = c.after_sent_us;
    run->us[ACK_BEFORE][i] = c.since_sending_us;
    return (size_t)c.bytes;
}

static size_t one_round(struct run *run, size_t blob)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < run->count; i++) {
        bytes = commit_one(run, blob, i);
        run->us[BARE_GROWING][i] = write_bare(&run->growing, run->data, bytes);
        run->us[BARE_PREWRITTEN][i] = write_bare(&run->prewritten, run->data, bytes);
    }
    for (size_t w = 0; w < WHATS; w++) {
        bench_add(&run->p50[w], bench_quantile(run->us[w], run->count, 0.50));
        bench_add(&run->p99[w], bench_quantile(run->us[w], run->count, 0.99));
        bench_add(&run->p999[w], bench_quantile(run->us[w], run->count, 0.999));
    }
    return bytes;
}

static void print_ratio(const struct run *run, enum what ack, enum what bare, const char *text)
{
    struct bench_series p50 = bench_ratio(&run->p50[ack], &run->p50[bare]);
    struct bench_series p99 = bench_ratio(&run->p99[ack], &run->p99[bare]);
    struct bench_series p999 = bench_ratio(&run->p999[ack], &run->p999[bare]);
    (void)printf("  %-42s p50 %-18s p99 %-18s p99.9 %s\n", text, bench_text(&p50, 2), bench_text(&p99, 2),
                 bench_text(&p999, 2));
}

static void measure(struct run *run, size_t blob, unsigned rounds)
{
    size_t bytes = 0;
    for (size_t w = 0; w < WHATS; w++)
        run->p50[w] = run->p99[w] = run->p999[w] = (struct bench_series){0};
    for (unsigned i = 0; i < rounds; i++)
        bytes = one_round(run, blob);
    (void)printf("transactions of %zu bytes, %u rounds of %u, microseconds: median of the rounds [smallest-largest]\n",
                 bytes, rounds, run->count);
    for (size_t w = 0; w < WHATS; w++)
        (void)printf("  %-42s p50 %-18s p99 %-18s p99.9 %s\n", names[w], bench_text(&run->p50[w], 0),
                     bench_text(&run->p99[w], 0), bench_text(&run->p999[w], 0));
    print_ratio(run, ACK_AFTER, BARE_GROWING, "ratio to growing (targets 1.25, 2)");
    print_ratio(run, ACK_BEFORE, BARE_GROWING, "ratio to growing, from the write's begin");
    print_ratio(run, ACK_AFTER, BARE_PREWRITTEN, "ratio to pre-written");
    (void)fflush(stdout);
}

static void start(struct run *run)
{
    run->fp = fake_primary_start(&(struct fake_options){.version = "9.7.4"});
    fake_open_file(run->fp, "binlog.000001");
    (void)fake_commit_quiet(run->fp, &(struct fake_txn_spec){.blob_len = 100});
    run->dm = daemon_start(&(struct daemon_options){.port = fake_port(run->fp)});
    if (!fake_wait_live(run->fp, FAKE_DUMP_SEMI_SYNC, 1, 20000)) {
        daemon_show_log(run->dm);
        proc_die("logtailerd opens no semi-sync dump");
    }
}

int main(void)
{
    unsigned rounds = bench_env("LT_ROUNDS", 5);
    struct run run = {.count = bench_env("LT_COUNT", 2000)};
    static const size_t blobs[] = {270, 4890, 20000}; /* transactions of 500 bytes, 5 KiB and 20 KB */
    run.data = calloc(1, 1 << 20);
    for (size_t w = 0; w < WHATS; w++)
        run.us[w] = calloc(run.count, sizeof(double));
    start(&run);
    uint64_t room = rounds * run.count * 30000ull;
    run.growing = open_bare(run.dm->folder, "bare-growing", 0);
    run.prewritten = open_bare(run.dm->folder, "bare-prewritten", room);
    for (unsigned i = 0; i < 200 && i < run.count; i++)
        (void)commit_one(&run, 100, i); /* warm up */
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++)
        measure(&run, blobs[i], rounds);
    (void)close(run.growing.fd);
    (void)close(run.prewritten.fd);
    daemon_free(run.dm);
    fake_primary_stop(run.fp);
    for (size_t w = 0; w < WHATS; w++)
        free(run.us[w]);
    free(run.data);
    return 0;
}
