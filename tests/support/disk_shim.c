/*
 * Loaded before libc into a daemon under test (LD_PRELOAD): file calls fail or hang as the shared page says. Writes by position and syncs
 * only: what the store uses.
 */
#include "disk_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static struct disk_shim *page;

__attribute__((constructor)) static void shim_open(void)
{
    const char *path = secure_getenv("LT_DISK_SHIM");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (at == MAP_FAILED)
        abort();
    (void)close(fd);
    page = at;
}

static void wait_for_thaw(void)
{
    while (atomic_load(&page->frozen) != 0)
        (void)usleep(1000);
}

/* The same function of the next library, which is libc: a cast from void * is not ISO C. */
static void real_function(const char *name, void *ret, size_t size)
{
    void *at = dlsym(RTLD_NEXT, name);
    if (at == NULL)
        abort();
    memcpy(ret, &at, size);
}

static int io_error(void)
{
    errno = EIO;
    return -1;
}

static int sync_call(const char *name, int fd)
{
    int (*real)(int) = NULL;
    if (atomic_load(&page->lying) != 0)
        return 0;
    real_function(name, &real, sizeof real);
    wait_for_thaw();
    if (atomic_load(&page->sync_us) != 0)
        (void)usleep(atomic_load(&page->sync_us));
    if (atomic_load(&page->off) != 0)
        return io_error();
    unsigned left = atomic_load(&page->fail_syncs);
    while (left > 0 && !atomic_compare_exchange_weak(&page->fail_syncs, &left, left - 1))
        ;
    if (left == 0)
        return real(fd);
    (void)atomic_fetch_add(&page->failed_syncs, 1);
    return io_error();
}

#define SHIM_EXPORT __attribute__((visibility("default")))

SHIM_EXPORT int fdatasync(int fd)
{
    return sync_call("fdatasync", fd);
}

SHIM_EXPORT int fsync(int fd)
{
    return sync_call("fsync", fd);
}

/* With 64-bit offsets the headers make this pwrite64, for the daemon as for us. */
SHIM_EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = NULL;
    real_function("pwrite64", &real, sizeof real);
    wait_for_thaw();
    if (atomic_load(&page->off) != 0)
        return io_error();
    struct stat st;
    bool grows = fstat(fd, &st) == 0 && at + (off_t)len > st.st_size; /* what is there already needs no room */
    if (atomic_load(&page->full) == 0 || !grows)
        return real(fd, data, len, at);
    errno = ENOSPC;
    return -1;
}
