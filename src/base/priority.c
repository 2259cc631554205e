#include "base/priority.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHORT_NS 100000u /* the kernel's least */
#define LONG_NS  50000000u

struct sched_request { /* the kernel's struct sched_attr, first version; the C library has no name for it yet */
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

static bool ask(int nice_value, uint64_t slice_ns)
{
    struct sched_request r = {.size = sizeof r, .policy = SCHED_OTHER, .nice = nice_value, .runtime_ns = slice_ns};
    return syscall(SYS_sched_setattr, 0, &r, 0u) == 0;
}

bool priority_first(void)
{
    errno = 0;
    int nice_value = getpriority(PRIO_PROCESS, 0); /* 0 is this thread */
    return errno == 0 && ask(nice_value, SHORT_NS);
}

bool priority_behind(int nice_value)
{
    return ask(nice_value, LONG_NS) || setpriority(PRIO_PROCESS, 0, nice_value) == 0;
}
