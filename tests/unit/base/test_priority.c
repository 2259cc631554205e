#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cunit_main.h"

#include "base/priority.h"

struct seen {
    bool done;
    int nice_value;
    uint64_t slice_ns; /* 0: a kernel before 6.12, which knows of no such thing */
};

static void look(struct seen *seen)
{
    struct { /* struct sched_attr */
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } a = {.size = sizeof a};
    CU_ASSERT_EQUAL(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0u), 0);
    seen->nice_value = getpriority(PRIO_PROCESS, 0);
    seen->slice_ns = a.runtime_ns;
}

static void *behind(void *arg)
{
    struct seen *seen = arg;
    seen->done = priority_behind(7);
    look(seen);
    return NULL;
}

static void *first_of_the_low(void *arg)
{
    struct seen *seen = arg;
    seen->done = priority_behind(3) && priority_first();
    look(seen);
    return NULL;
}

static void *too_much(void *arg)
{
    struct seen *seen = arg;
    seen->done = priority_behind(1000);
    look(seen);
    return NULL;
}

static struct seen in_a_thread(void *(*fn)(void *))
{
    struct seen seen = {0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, fn, &seen) != 0 || pthread_join(thread, NULL) != 0)
        CU_FAIL("no thread");
    return seen;
}

static void one_thread_stands_back(void)
{
    struct seen before, after;
    look(&before);
    struct seen s = in_a_thread(behind);
    look(&after);
    CU_ASSERT(s.done);
    CU_ASSERT_EQUAL(s.nice_value, 7);
    CU_ASSERT(s.slice_ns == 0 || s.slice_ns == 50000000);
    CU_ASSERT_EQUAL(after.nice_value, before.nice_value);
    CU_ASSERT_EQUAL(after.slice_ns, before.slice_ns);
}

static void first_keeps_the_nice_value(void)
{
    struct seen s = in_a_thread(first_of_the_low);
    CU_ASSERT(s.done);
    CU_ASSERT_EQUAL(s.nice_value, 3);
    CU_ASSERT(s.slice_ns == 0 || s.slice_ns == 100000);
}

static void never_outside_the_range(void)
{
    struct seen s = in_a_thread(too_much);
    CU_ASSERT(s.nice_value <= 19);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"one thread stands back, the others do not", one_thread_stands_back},
        {"the first keeps its nice value", first_keeps_the_nice_value},
        {"a nice value that there is not", never_outside_the_range},
    };
    return cunit_run("priority", cases, sizeof cases / sizeof cases[0]);
}
