#include "fanout_consumers.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/priority.h"
#include "proc.h"
#include "tail.pb-c.h"
#include "tailwire/frame.h"

#define SAMPLES_MAX (4u << 20)
#define READY_MS    120000

struct shared {
    atomic_uint ready;
    atomic_uint lost;
    _Atomic uint64_t slowest; /* the least offset of all active ones, as of the last look */
    _Atomic size_t count;
    struct fanout_sample samples[SAMPLES_MAX];
};

struct fanout {
    pid_t pid;
    struct shared *sh;
};

struct consumer {
    int fd;
    bool active;
    bool ready;
    uint64_t offset;
    uint8_t *part; /* of a frame */
    size_t part_len;
};

static void send_message(int fd, uint8_t type, const ProtobufCMessage *m)
{
    uint8_t frame[4096];
    size_t len = protobuf_c_message_get_packed_size(m);
    if (len > sizeof frame - FRAME_HEADER_LEN)
        proc_die("the set is too long");
    frame_header_write(frame, (enum frame_type)type, (uint32_t)len, 0);
    (void)protobuf_c_message_pack(m, frame + FRAME_HEADER_LEN);
    if (send(fd, frame, FRAME_HEADER_LEN + len, MSG_NOSIGNAL) != (ssize_t)(FRAME_HEADER_LEN + len))
        proc_die_errno("send");
}

static void connect_one(struct consumer *c, uint16_t port, const char *held)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    Logtailer__Tail__Hello hello = LOGTAILER__TAIL__HELLO__INIT;
    Logtailer__Tail__Subscribe sub = LOGTAILER__TAIL__SUBSCRIBE__INIT;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        proc_die_errno("connect");
    hello.min_version = hello.max_version = 1;
    send_message(c->fd, FRAME_HELLO, &hello.base);
    sub.start = c->active ? LOGTAILER__TAIL__START_KIND__START_LATEST : LOGTAILER__TAIL__START_KIND__START_GTIDS;
    sub.gtid_set = (char *)(c->active ? "" : held);
    send_message(c->fd, FRAME_SUBSCRIBE, &sub.base);
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void note(struct shared *sh, uint32_t number, struct consumer *c, uint64_t next_offset)
{
    size_t i = atomic_load_explicit(&sh->count, memory_order_relaxed);
    c->offset = next_offset;
    if (!c->active || i == SAMPLES_MAX)
        return;
    sh->samples[i] = (struct fanout_sample){.consumer = number, .next_offset = next_offset, .at_us = clock_mono_us()};
    atomic_store_explicit(&sh->count, i + 1, memory_order_release);
}

static void take_frame(struct shared *sh, uint32_t number, struct consumer *c, const uint8_t *frame)
{
    if (frame[3] == FRAME_FILE_BEGIN && !c->ready) {
        c->ready = true;
        atomic_fetch_add(&sh->ready, 1);
    } else if (frame[3] == FRAME_BATCH) {
        Logtailer__Tail__Batch *m = logtailer__tail__batch__unpack(NULL, load_u32(frame + 4), frame + FRAME_HEADER_LEN);
        if (m == NULL)
            proc_die("a batch that does not parse");
        note(sh, number, c, m->next_offset);
        logtailer__tail__batch__free_unpacked(m, NULL);
    } else if (frame[3] == FRAME_ERROR) {
        Logtailer__Tail__Error *m = logtailer__tail__error__unpack(NULL, load_u32(frame + 4), frame + FRAME_HEADER_LEN);
        proc_die("consumer %u: %s", number, m != NULL ? m->message : "error");
    }
}

static void read_one(struct shared *sh, uint32_t number, struct consumer *c)
{
    static uint8_t buf[4u << 20];
    memcpy(buf, c->part, c->part_len);
    ssize_t n = recv(c->fd, buf + c->part_len, sizeof buf - c->part_len, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        atomic_fetch_add(&sh->lost, 1);
        (void)close(c->fd);
        return;
    }
    size_t len = c->part_len + (size_t)n;
    size_t at = 0;
    while (len - at >= FRAME_HEADER_LEN) {
        size_t whole = (size_t)FRAME_HEADER_LEN + load_u32(buf + at + 4) + load_u32(buf + at + 8);
        if (whole > len - at)
            break;
        take_frame(sh, number, c, buf + at);
        at += whole;
    }
    free(c->part);
    c->part_len = len - at;
    c->part = c->part_len > 0 ? malloc(c->part_len) : NULL;
    if (c->part_len > 0)
        memcpy(c->part, buf + at, c->part_len);
}

static void find_slowest(struct shared *sh, const struct consumer *all, unsigned n)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < n; i++) {
        if (all[i].active && all[i].offset < least)
            least = all[i].offset;
    }
    atomic_store(&sh->slowest, least);
}

static void consume(struct shared *sh, uint16_t port, unsigned idle, unsigned active, const char *held)
{
    struct rlimit rl = {.rlim_cur = idle + active + 100, .rlim_max = idle + active + 100};
    struct rlimit was;
    struct epoll_event events[512];
    unsigned n = idle + active;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!priority_behind(19)) /* they would be on other machines: no processor that the daemon or the primary wants */
        proc_die_errno("lowering a priority");
    if (getrlimit(RLIMIT_NOFILE, &was) == 0 && was.rlim_cur < rl.rlim_cur && setrlimit(RLIMIT_NOFILE, &rl) != 0)
        proc_die_errno("%u descriptors", n);
    struct consumer *all = calloc(n, sizeof *all);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < n; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
        all[i].active = i < active;
        connect_one(&all[i], port, held);
        (void)epoll_ctl(ep, EPOLL_CTL_ADD, all[i].fd, &ev);
    }
    for (;;) {
        int k = epoll_wait(ep, events, 512, 100);
        for (int i = 0; i < k; i++)
            read_one(sh, events[i].data.u32, &all[events[i].data.u32]);
        find_slowest(sh, all, active);
    }
}

struct fanout *fanout_start(uint16_t port, unsigned idle, unsigned active, const char *held)
{
    struct fanout *f = calloc(1, sizeof *f);
    f->sh = mmap(NULL, sizeof *f->sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->sh == MAP_FAILED)
        proc_die_errno("mmap");
    f->pid = fork();
    if (f->pid == 0) {
        consume(f->sh, port, idle, active, held);
        _exit(0);
    }
    uint64_t until = proc_now_ms() + READY_MS;
    while (atomic_load(&f->sh->ready) < idle + active) {
        if (proc_now_ms() > until || atomic_load(&f->sh->lost) > 0 || waitpid(f->pid, NULL, WNOHANG) == f->pid)
            proc_die("%u of %u consumers are connected, %u were lost", atomic_load(&f->sh->ready), idle + active,
                     atomic_load(&f->sh->lost));
        proc_sleep_ms(10);
    }
    return f;
}

bool fanout_wait(struct fanout *f, uint64_t offset, unsigned ms)
{
    uint64_t until = proc_now_ms() + ms;
    while (atomic_load(&f->sh->slowest) < offset) {
        if (proc_now_ms() > until)
            return false;
        proc_sleep_ms(5);
    }
    return true;
}

const struct fanout_sample *fanout_samples(struct fanout *f, size_t *ret_count)
{
    *ret_count = atomic_load(&f->sh->count);
    return f->sh->samples;
}

void fanout_reset(struct fanout *f)
{
    atomic_store(&f->sh->count, 0);
}

void fanout_stop(struct fanout *f)
{
    (void)kill(f->pid, SIGKILL);
    (void)waitpid(f->pid, NULL, 0);
    (void)munmap(f->sh, sizeof *f->sh);
    free(f);
}
