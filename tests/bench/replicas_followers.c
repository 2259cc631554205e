#include "replicas_followers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/priority.h"
#include "proc.h"
#include "raw_replica.h"

#define SAMPLES_MAX (256u << 10)
#define READY_MS    120000

struct follower {
    _Atomic uint64_t end;
    _Atomic size_t count;
    struct followers_sample samples[SAMPLES_MAX];
};

struct shared {
    atomic_uint ready;
    uint16_t port;
    char file[64];
    uint64_t pos;
    struct follower active[FOLLOWERS_ACTIVE_MAX];
};

struct followers {
    pid_t pid;
    unsigned active;
    struct shared *sh;
};

static struct shared *shared; /* the child's */

static struct raw_replica *attach(const struct shared *sh, unsigned number)
{
    struct lt_err err = {0};
    struct raw_event ev;
    struct raw_replica *raw = raw_open(&(struct raw_options){.port = sh->port,
                                                             .user = "anybody",
                                                             .server_id = 100000 + number,
                                                             .heartbeat_ms = 30000,
                                                             .timeout_ms = 3600000},
                                       &err);
    if (raw == NULL || raw_dump(raw, sh->file, sh->pos) != 0 || raw_next(raw, &ev) != 0)
        proc_die("replica %u: %s", number, raw != NULL ? raw_error_text(raw) : err.text);
    return raw;
}

static void *follow(void *arg)
{
    static pthread_mutex_t one =
        PTHREAD_MUTEX_INITIALIZER; /* the client library finds its plugins for one thread at a time */
    struct follower *me = arg;
    struct raw_event ev;
    (void)pthread_mutex_lock(&one);
    struct raw_replica *raw = attach(shared, (unsigned)(me - shared->active));
    (void)pthread_mutex_unlock(&one);
    atomic_fetch_add(&shared->ready, 1);
    while (raw_next(raw, &ev) == 0) {
        size_t i = atomic_load_explicit(&me->count, memory_order_relaxed);
        if (ev.artificial)
            continue;
        if (i < SAMPLES_MAX) {
            me->samples[i] = (struct followers_sample){.end = ev.end, .at_us = clock_mono_us()};
            atomic_store_explicit(&me->count, i + 1, memory_order_release);
        }
        atomic_store(&me->end, ev.end);
    }
    proc_die("a replica was cut off: %s", raw_error_text(raw));
}

static void be_replicas(unsigned idle, unsigned active)
{
    struct rlimit rl = {.rlim_cur = idle + active + 100, .rlim_max = idle + active + 100};
    struct rlimit was;
    pthread_t thread;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!priority_behind(19)) /* they would be on other machines: no processor that the daemon or the primary wants */
        proc_die_errno("lowering a priority");
    if (getrlimit(RLIMIT_NOFILE, &was) == 0 && was.rlim_cur < rl.rlim_cur && setrlimit(RLIMIT_NOFILE, &rl) != 0)
        proc_die_errno("%u descriptors", idle + active);
    for (unsigned i = 0; i < active; i++) {
        if (pthread_create(&thread, NULL, follow, &shared->active[i]) != 0)
            proc_die("no thread");
    }
    while (atomic_load(&shared->ready) < active)
        proc_sleep_ms(1);
    for (unsigned i = 0; i < idle; i++) {
        (void)attach(shared, FOLLOWERS_ACTIVE_MAX + i);
        atomic_fetch_add(&shared->ready, 1);
    }
    for (;;)
        (void)pause();
}

struct followers *followers_start(uint16_t port, const char *file, uint64_t pos, unsigned idle, unsigned active)
{
    struct followers *f = calloc(1, sizeof *f);
    f->active = active;
    f->sh = mmap(NULL, sizeof *f->sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->sh == MAP_FAILED || active > FOLLOWERS_ACTIVE_MAX)
        proc_die_errno("mmap");
    f->sh->port = port;
    f->sh->pos = pos;
    for (size_t i = 0; i + 1 < sizeof f->sh->file && file[i] != '\0'; i++)
        f->sh->file[i] = file[i];
    f->pid = fork();
    if (f->pid == 0) {
        shared = f->sh;
        be_replicas(idle, active);
    }
    uint64_t until = proc_now_ms() + READY_MS;
    while (atomic_load(&f->sh->ready) < idle + active) {
        if (proc_now_ms() > until || waitpid(f->pid, NULL, WNOHANG) == f->pid)
            proc_die("%u of %u replicas are attached", atomic_load(&f->sh->ready), idle + active);
        proc_sleep_ms(5);
    }
    return f;
}

bool followers_wait(struct followers *f, uint64_t end, unsigned ms)
{
    uint64_t until = proc_now_ms() + ms;
    for (unsigned i = 0; i < f->active; proc_sleep_ms(1)) {
        while (i < f->active && atomic_load(&f->sh->active[i].end) >= end)
            i++;
        if (proc_now_ms() > until)
            return false;
    }
    return true;
}

const struct followers_sample *followers_samples(struct followers *f, unsigned which, size_t *ret_count)
{
    *ret_count = atomic_load(&f->sh->active[which].count);
    return f->sh->active[which].samples;
}

void followers_stop(struct followers *f)
{
    if (f == NULL)
        return;
    (void)kill(f->pid, SIGKILL);
    (void)waitpid(f->pid, NULL, 0);
    (void)munmap(f->sh, sizeof *f->sh);
    free(f);
}
