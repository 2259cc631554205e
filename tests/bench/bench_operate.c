/*
 * Does operating it delay an ACK? The same transactions, one at a time from the fake primary, in turn: quietly; with a reload every 10 ms, half
 * of them of a bad file (which lies in memory: to write it would be work for the disk that is measured); with a storm of nonsense from bad peers
 * on the admin socket, each line of it refused and some of it logged; with a status every millisecond; with a flood of TLS handshakes at the tail port.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/priority.h"
#include "bench_util.h"
#include "daemon.h"
#include "hostile.h"
#include "one_commit.h"
#include "proc.h"

enum what { QUIET, RELOADS, STORM, STATUS, TLS_FLOOD, WHATS };
enum { FLOODS = 4 };
static const char *const names[WHATS] = {"quiet", "reloads, half of them bad", "a storm of bad peers",
                                         "status all the time", "a flood of TLS handshakes"};
static const char *const targets[WHATS] = {"1", "1.2", "1.2", "1.2", "1.1"};

struct run {
    struct fake_primary *fp;
    struct daemon *dm;
    char *tls[2]; /* settings */
    struct hostile *floods[FLOODS];
    unsigned count;
    double *us;
    struct bench_series p50[WHATS], p99[WHATS];
    atomic_bool stop;
    enum what what;
    unsigned long disturbed; /* how often, in the present round */
};

static void reload_once(struct run *run, unsigned i)
{
    char *good[] = {"store.min_free=1MiB", "source.retry_max=7s", run->tls[0], run->tls[1], NULL};
    char *bad[] = {"store.min_free=1MiB", "source.retry_max=soon", run->tls[0], run->tls[1], NULL};
    daemon_configure(run->dm,
                     &(struct daemon_options){.port = fake_port(run->fp), .settings = i % 2 == 0 ? good : bad});
    json_decref(daemon_command(run->dm, "reload"));
    (void)usleep(10000);
}

static void nonsense_once(struct run *run)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char line[2048];
    memset(line, '"', sizeof line);
    line[sizeof line - 1] = '\n';
    memcpy(sa.sun_path, run->dm->socket, strlen(run->dm->socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        (void)send(fd, line, sizeof line, MSG_NOSIGNAL);
    json_decref(daemon_command(run->dm, "log nonsense"));
    if (fd >= 0)
        (void)close(fd);
}

static void *disturb(void *arg)
{
    struct run *run = arg;
    if (!priority_behind(19)) /* who disturbs is another program, seldom on this machine, and not in the source's way */
        proc_die_errno("lowering a priority");
    for (unsigned i = 0; !atomic_load(&run->stop); i++) {
        if (run->what == RELOADS)
            reload_once(run, i);
        else if (run->what == STORM)
            nonsense_once(run);
        else
            json_decref(daemon_command(run->dm, "status"));
        run->disturbed++;
        if (run->what == STATUS)
            (void)usleep(1000);
    }
    return NULL;
}

static void commit_one(struct run *run, unsigned i)
{
    struct one_commit c;
    one_commit(run->fp, run->dm, 270, &c);
    run->us[i] = c.since_sending_us;
}

static void flood(struct run *run)
{
    const struct hostile_target target = {.tail_port = run->dm->tail_port};
    for (int i = 0; i < FLOODS; i++)
        run->floods[i] = hostile_start(&target, 1u << HOSTILE_TLS_FLOOD);
}

static void end_flood(struct run *run)
{
    for (int i = 0; i < FLOODS; i++) {
        run->disturbed += (unsigned long)hostile_count(run->floods[i], HOSTILE_TLS_FLOOD);
        hostile_stop(run->floods[i]);
    }
}

static void one_round(struct run *run, enum what what)
{
    pthread_t thread;
    bool by_thread = what != QUIET && what != TLS_FLOOD;
    run->what = what;
    run->disturbed = 0;
    atomic_store(&run->stop, false);
    if (what == TLS_FLOOD)
        flood(run);
    if (by_thread && pthread_create(&thread, NULL, disturb, run) != 0)
        proc_die("no thread");
    for (unsigned i = 0; i < run->count; i++)
        commit_one(run, i);
    atomic_store(&run->stop, true);
    if (by_thread)
        (void)pthread_join(thread, NULL);
    if (what == TLS_FLOOD)
        end_flood(run);
    bench_add(&run->p50[what], bench_quantile(run->us, run->count, 0.50));
    bench_add(&run->p99[what], bench_quantile(run->us, run->count, 0.99));
}

/* The configuration goes to a file without a name that this process holds; the daemon's way to it is a symbolic link. */
static int configuration_to_memory(const struct daemon *dm)
{
    int fd = memfd_create("logtailerd.conf", 0);
    char *path = proc_fmt("/proc/%d/fd/%d", (int)getpid(), fd);
    if (fd < 0 || unlink(dm->config) != 0 || symlink(path, dm->config) != 0)
        proc_die_errno("%s", dm->config);
    free(path);
    return fd;
}

static void start(struct run *run, const char *folder)
{
    struct fake_certs certs;
    fake_certs_make(folder, "localhost", 10, &certs);
    run->tls[0] = proc_fmt("tail.ssl_cert=%s", certs.cert);
    run->tls[1] = proc_fmt("tail.ssl_key=%s", certs.key);
    run->us = calloc(run->count, sizeof(double));
    run->fp = fake_primary_start(&(struct fake_options){.version = "9.7.4"});
    fake_open_file(run->fp, "binlog.000001");
    (void)fake_commit_quiet(run->fp, &(struct fake_txn_spec){.blob_len = 100});
    run->dm = daemon_start(
        &(struct daemon_options){.port = fake_port(run->fp), .settings = (char *[]){run->tls[0], run->tls[1], NULL}});
    if (run->us == NULL || !fake_wait_live(run->fp, FAKE_DUMP_SEMI_SYNC, 1, 20000))
        proc_die("logtailerd opens no semi-sync dump");
}

static void print(const struct run *run, const unsigned long disturbed[WHATS])
{
    for (int w = 0; w < WHATS; w++) {
        struct bench_series ratio = bench_ratio(&run->p99[w], &run->p99[QUIET]);
        (void)printf("  %-28s p50 %-18s p99 %-20s of quiet's p99 (target %s) %-18s %lu times\n", names[w],
                     bench_text(&run->p50[w], 0), bench_text(&run->p99[w], 0), targets[w], bench_text(&ratio, 2),
                     disturbed[w]);
    }
}

int main(void)
{
    unsigned rounds = bench_env("LT_ROUNDS", 9);
    struct run run = {.count = bench_env("LT_COUNT", 2000)};
    unsigned long disturbed[WHATS] = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    char *folder = proc_tempdir();
    start(&run, folder);
    int memory = configuration_to_memory(run.dm);
    for (unsigned round = 0; round < rounds; round++) {
        for (int w = 0; w < WHATS; w++) {
            one_round(&run, (enum what)w);
            disturbed[w] += run.disturbed;
        }
    }
    (void)printf("from the write of a transaction to its ACK, microseconds; %u rounds of %u\n", rounds, run.count);
    print(&run, disturbed);
    daemon_free(run.dm);
    (void)close(memory);
    fake_primary_stop(run.fp);
    proc_remove_dir(folder);
    free(folder);
    free(run.tls[0]);
    free(run.tls[1]);
    free(run.us);
    return 0;
}
