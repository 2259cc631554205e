/*
 * - Two queues under one mutex: to run, and run. The thread takes from the first and adds to the second; an eventfd tells the loop.
 * Failure: none while it runs; a job keeps its own result.
 */
#include "ops/common/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/thread.h"

STAILQ_HEAD(job_queue, worker_job);

struct worker {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job_queue queued;
    struct job_queue finished;
    bool stop;
    int done_fd;
    struct event *on_done;
};

static struct worker_job *take(struct worker *w, struct job_queue *q)
{
    struct worker_job *job = STAILQ_FIRST(q);
    (void)w;
    if (job != NULL)
        STAILQ_REMOVE_HEAD(q, link);
    return job;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    const uint64_t one = 1;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct worker_job *job = take(w, &w->queued);
        if (job == NULL && w->stop)
            break;
        if (job == NULL) {
            pthread_cond_wait(&w->more, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
        STAILQ_INSERT_TAIL(&w->finished, job, link);
        (void)!write(w->done_fd, &one, sizeof one);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void call_done(struct worker *w)
{
    struct worker_job *job;
    do {
        pthread_mutex_lock(&w->lock);
        job = take(w, &w->finished);
        pthread_mutex_unlock(&w->lock);
        if (job != NULL)
            job->done(job);
    } while (job != NULL);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;
    (void)what;
    (void)!read(fd, &n, sizeof n);
    call_done(arg);
}

int worker_open(struct event_base *base, struct worker **ret, struct lt_err *err)
{
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return lt_err_set(err, LT_ENOMEM, "starting a worker thread");
    STAILQ_INIT(&w->queued);
    STAILQ_INIT(&w->finished);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = w->done_fd < 0 ? lt_err_sys(err, LT_ESYS, "eventfd") : LT_OK;
    if (rc == 0) {
        w->on_done = event_new(base, w->done_fd, EV_READ | EV_PERSIST, on_done, w);
        if (w->on_done == NULL || event_add(w->on_done, NULL) != 0)
            rc = lt_err_set(err, LT_ENOMEM, "starting a worker thread");
    }
    if (rc == 0) {
        w->started = thread_start(&w->thread, NULL, work, w) == 0;
        if (!w->started)
            rc = lt_err_set(err, LT_ESYS, "starting a worker thread");
    }
    if (rc != 0) {
        worker_close(w);
        return rc;
    }
    *ret = w;
    return LT_OK;
}

void worker_close(struct worker *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (w->started)
        (void)pthread_join(w->thread, NULL);
    call_done(w);
    if (w->on_done != NULL)
        event_free(w->on_done);
    if (w->done_fd >= 0)
        (void)close(w->done_fd);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->more);
    free(w);
}

void worker_submit(struct worker *w, struct worker_job *job)
{
    pthread_mutex_lock(&w->lock);
    STAILQ_INSERT_TAIL(&w->queued, job, link);
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}
