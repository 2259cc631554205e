/* The worker: jobs run elsewhere and in order, their ends come to the loop, close forgets none. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "cunit_main.h"
#include "ops/common/worker.h"

struct job {
    struct worker_job job;
    unsigned number;
    pthread_t ran_on;
};

static pthread_t main_thread;
static unsigned runs;
static unsigned ends;
static unsigned disorder;

static void run(struct worker_job *job)
{
    struct job *j = (struct job *)job;
    j->ran_on = pthread_self();
    disorder += j->number != runs;
    runs++;
}

static void done(struct worker_job *job)
{
    struct job *j = (struct job *)job;
    CU_ASSERT_FALSE(pthread_equal(j->ran_on, main_thread));
    CU_ASSERT_TRUE(pthread_equal(pthread_self(), main_thread));
    CU_ASSERT_EQUAL(j->number, ends);
    ends++;
    free(j);
}

static void submit(struct worker *w, unsigned number)
{
    struct job *j = calloc(1, sizeof *j);
    j->job = (struct worker_job){.run = run, .done = done};
    j->number = number;
    worker_submit(w, &j->job);
}

static void test_order(void)
{
    struct event_base *base = event_base_new();
    struct worker *w = NULL;
    struct lt_err err;
    uint64_t until = clock_mono_us() + 30000000;
    main_thread = pthread_self();
    runs = ends = disorder = 0;
    CU_ASSERT_EQUAL_FATAL(worker_open(base, &w, &err), 0);
    for (unsigned i = 0; i < 100; i++)
        submit(w, i);
    while (ends < 100 && clock_mono_us() < until)
        (void)event_base_loop(base, EVLOOP_ONCE);
    CU_ASSERT_EQUAL(ends, 100);
    CU_ASSERT_EQUAL(disorder, 0);
    worker_close(w);
    event_base_free(base);
}

static void test_close_runs_what_is_there(void)
{
    struct event_base *base = event_base_new();
    struct worker *w = NULL;
    struct lt_err err;
    main_thread = pthread_self();
    runs = ends = disorder = 0;
    CU_ASSERT_EQUAL_FATAL(worker_open(base, &w, &err), 0);
    for (unsigned i = 0; i < 20; i++)
        submit(w, i);
    worker_close(w);
    CU_ASSERT_EQUAL(runs, 20);
    CU_ASSERT_EQUAL(ends, 20);
    worker_close(NULL);
    event_base_free(base);
}

static const struct test_case cases[] = {
    {"in order, on its own thread", test_order},
    {"close runs what is there", test_close_runs_what_is_there},
};

int main(void)
{
    return cunit_run("worker", cases, sizeof cases / sizeof cases[0]);
}
