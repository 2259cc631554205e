/* The thread is detached and shares a counted object with its owner; whoever lets go last frees it. */
#include "ops/watch/disk_probe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

struct disk_probe {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    disk_probe_fn fn;
    char *path;
    /* Under lock: */
    unsigned refs;
    bool stop;
    uint64_t at_us;
    uint64_t free_bytes;
};

static int ask_statvfs(const char *path, uint64_t *ret_free_bytes)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return -1;
    *ret_free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

static void unref(struct disk_probe *p)
{
    (void)pthread_mutex_lock(&p->lock);
    bool last = --p->refs == 0;
    (void)pthread_mutex_unlock(&p->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->wake);
    free(p->path);
    free(p);
}

static void *probe_thread(void *arg)
{
    struct disk_probe *p = arg;
    bool go_on = true;
    while (go_on) {
        uint64_t free_bytes = 0;
        bool ok = p->fn(p->path, &free_bytes) == 0;
        uint64_t until_us = clock_mono_us() + DISK_PROBE_PERIOD_US;
        struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
        (void)pthread_mutex_lock(&p->lock);
        if (ok) {
            p->at_us = clock_mono_us();
            p->free_bytes = free_bytes;
        }
        while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
            ;
        go_on = !p->stop;
        (void)pthread_mutex_unlock(&p->lock);
    }
    unref(p);
    return NULL;
}

static bool start_detached(struct disk_probe *p)
{
    pthread_attr_t attr;
    pthread_t thread;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = thread_start(&thread, &attr, probe_thread, p);
    (void)pthread_attr_destroy(&attr);
    return rc == 0;
}

int disk_probe_start(const char *path, disk_probe_fn fn, struct disk_probe **ret, struct lt_err *err)
{
    pthread_condattr_t attr;
    struct disk_probe *p = calloc(1, sizeof *p);
    char *copy = strdup(path);
    if (p == NULL || copy == NULL) {
        free(p);
        free(copy);
        return lt_err_set(err, LT_ENOMEM, "watching free space");
    }
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    p->path = copy;
    p->fn = fn != NULL ? fn : ask_statvfs;
    p->refs = 2;
    if (!start_detached(p)) {
        p->refs = 1;
        unref(p);
        return lt_err_set(err, LT_ESYS, "watching free space: no thread");
    }
    *ret = p;
    return LT_OK;
}

void disk_probe_stop(struct disk_probe *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    unref(p);
}

bool disk_probe_get(struct disk_probe *p, uint64_t *ret_free_bytes)
{
    (void)pthread_mutex_lock(&p->lock);
    bool fresh = p->at_us != 0 && clock_mono_us() - p->at_us < DISK_PROBE_FRESH_US;
    if (fresh)
        *ret_free_bytes = p->free_bytes;
    (void)pthread_mutex_unlock(&p->lock);
    return fresh;
}
