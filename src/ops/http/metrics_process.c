/*
 * - When the process started comes from the kernel, in time since the boot; what the wall clock said then is told by what it says now.
 */
#include "ops/http/metrics_process.h"

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STARTED_FIELD 22 /* of /proc/self/stat */

static void put(FILE *out, const char *name, const char *type, const char *help, double value)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static double seconds_of(clockid_t clock)
{
    struct timespec ts = {0};
    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* One line; "" when it cannot be read. */
static void read_line(const char *path, char *buf, int cap)
{
    buf[0] = '\0';
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return;
    if (fgets(buf, cap, f) == NULL)
        buf[0] = '\0';
    (void)fclose(f);
}

static void put_memory(FILE *out)
{
    char line[128];
    double page = (double)sysconf(_SC_PAGESIZE);
    read_line("/proc/self/statm", line, sizeof line);
    char *rest = line;
    double all = strtod(line, &rest);
    double resident = strtod(rest, NULL);
    if (rest == line)
        return;
    put(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", all * page);
    put(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident * page);
}

static void put_descriptors(FILE *out)
{
    struct rlimit rl;
    DIR *dir = opendir("/proc/self/fd");
    if (dir != NULL) {
        double n = -3;               /* "." and "..", and this one */
        while (readdir(dir) != NULL) // NOLINT(concurrency-mt-unsafe): the stream is ours
            n++;
        (void)closedir(dir);
        put(out, "process_open_fds", "gauge", "Number of open file descriptors.", n);
    }
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
        put(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.", (double)rl.rlim_cur);
}

/* Once: a step of the wall clock would else look like a restart. 0: not known. */
static double started;
static pthread_once_t looked = PTHREAD_ONCE_INIT;

static void look_when_started(void)
{
    char line[1024];
    read_line("/proc/self/stat", line, sizeof line);
    char *at = strrchr(line, ')'); /* behind the name, which may hold anything */
    for (int field = 2; at != NULL && field < STARTED_FIELD; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return;
    double since_boot = strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
    started = seconds_of(CLOCK_REALTIME) - (seconds_of(CLOCK_BOOTTIME) - since_boot);
}

static void put_start(FILE *out)
{
    (void)pthread_once(&looked, look_when_started);
    if (started > 0)
        put(out, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
            started);
}

void metrics_put_process(FILE *out)
{
    put(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
        seconds_of(CLOCK_PROCESS_CPUTIME_ID));
    put_memory(out);
    put_descriptors(out);
    put_start(out);
}
