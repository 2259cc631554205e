/*
 * Happy path: unshare the mounts → image, mkfs.ext4, mount → fill, freeze, fail → undo, unmount.
 * The image's loop device goes with its mount, the mount with the last process of the namespace. A frozen file system would hold the
 * daemon for ever, so a child waits on a pipe from the test, and thaws when the pipe closes.
 */
#include "disk.h"

#include "disk_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fs.h>

/* Of fs/ext4/ext4.h; the headers for programs do not have them. */
#define EXT4_SHUTDOWN    _IOR('X', 125, uint32_t)
#define EXT4_NO_LOGFLUSH 2u

static bool private_mounts;

struct disk {
    char *folder;
    char *dir;
    char *image;
    char *filling; /* the file that takes the room */
    bool mounted;
    int dir_fd;
    int thaw_pipe; /* closing it thaws */
    pid_t thawer;
    struct disk_shim *shim;
    struct proc_args wrapper;
};

bool disk_private_mounts(void)
{
    private_mounts = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return private_mounts;
}

static bool mount_image(const struct disk *d)
{
    return proc_run((char *[]){"mount", "-o", "loop", d->image, d->dir, NULL}, NULL, NULL) == 0;
}

static bool make_image(const struct disk *d, unsigned mib)
{
    char *size = proc_fmt("%uM", mib);
    bool ok = proc_run((char *[]){"truncate", "-s", size, d->image, NULL}, NULL, NULL) == 0 &&
              proc_run((char *[]){"mkfs.ext4", "-q", "-m", "0", "-F", d->image, NULL}, NULL, NULL) == 0;
    free(size);
    return ok;
}

/* Sockets of the test's fakes would otherwise stay open with the child. */
static void keep_only(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b);
    unsigned high = (unsigned)(a < b ? b : a);
    if (low > 3)
        (void)close_range(3, low - 1, 0);
    if (high > low + 1)
        (void)close_range(low + 1, high - 1, 0);
    (void)close_range(high + 1, UINT_MAX, 0);
}

static void start_thawer(struct disk *d)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        proc_die_errno("pipe");
    d->thawer = fork();
    if (d->thawer < 0)
        proc_die_errno("fork");
    if (d->thawer == 0) {
        char byte;
        (void)setsid();
        (void)signal(SIGTERM, SIG_IGN);
        keep_only(ends[0], d->dir_fd);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
            ;
        (void)ioctl(d->dir_fd, FITHAW, 0); /* an error says that it was not frozen */
        _exit(0);
    }
    (void)close(ends[0]);
    d->thaw_pipe = ends[1];
}

static void open_dir(struct disk *d)
{
    d->dir_fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->dir_fd < 0)
        proc_die_errno("%s", d->dir);
    d->thaw_pipe = -1;
    if (d->mounted)
        start_thawer(d);
}

static void close_dir(struct disk *d)
{
    if (d->mounted) {
        (void)close(d->thaw_pipe);
        (void)waitpid(d->thawer, NULL, 0);
    }
    (void)close(d->dir_fd);
}

static void make_wrapper(struct disk *d)
{
    const char *library = secure_getenv("LT_DISK_SHIM_LIBRARY");
    const char *asan = secure_getenv("ASAN_OPTIONS");
    if (library == NULL)
        proc_die("LT_DISK_SHIM_LIBRARY is not set (run the test through meson)");
    char *path = proc_fmt("%s/shim", d->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *d->shim) != 0)
        proc_die_errno("%s", path);
    d->shim = mmap(NULL, sizeof *d->shim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (d->shim == MAP_FAILED)
        proc_die_errno("%s", path);
    (void)close(fd);
    proc_args_add(&d->wrapper, "env");
    proc_args_add(&d->wrapper, "LT_DISK_SHIM=%s", path);
    proc_args_add(&d->wrapper, "LD_PRELOAD=%s", library);
    proc_args_add(&d->wrapper, "ASAN_OPTIONS=%s:verify_asan_link_order=0", asan != NULL ? asan : "");
    free(path);
}

struct disk *disk_new(unsigned mib)
{
    struct disk *d = calloc(1, sizeof *d);
    if (d == NULL)
        proc_die("out of memory");
    d->folder = proc_tempdir();
    d->dir = proc_fmt("%s/disk", d->folder);
    d->image = proc_fmt("%s/image", d->folder);
    d->filling = proc_fmt("%s/filling", d->dir);
    if (proc_run((char *[]){"mkdir", d->dir, NULL}, NULL, NULL) != 0)
        proc_die("mkdir %s", d->dir);
    d->mounted = private_mounts && make_image(d, mib) && mount_image(d);
    open_dir(d);
    make_wrapper(d);
    return d;
}

void disk_free(struct disk *d)
{
    if (d == NULL)
        return;
    disk_thaw(d);
    close_dir(d);
    if (d->mounted && umount2(d->dir, 0) != 0 && umount2(d->dir, MNT_DETACH) != 0)
        proc_die_errno("umount %s", d->dir);
    (void)munmap(d->shim, sizeof *d->shim);
    proc_args_fini(&d->wrapper);
    proc_remove_dir(d->folder);
    free(d->folder);
    free(d->filling);
    free(d->image);
    free(d->dir);
    free(d);
}

const char *disk_dir(const struct disk *d)
{
    return d->dir;
}

char *const *disk_wrapper(const struct disk *d)
{
    return d->wrapper.v;
}

bool disk_is_real(const struct disk *d)
{
    return d->mounted;
}

void disk_fill(struct disk *d, unsigned leave_mib)
{
    struct statvfs fs;
    if (!d->mounted) {
        atomic_store(&d->shim->full, 1);
        return;
    }
    int fd = open(d->filling, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        proc_die_errno("%s", d->filling);
    int error = ENOSPC;
    for (int tries = 0; error == ENOSPC && tries < 100; tries++) { /* a daemon at work takes room meanwhile */
        struct stat st;
        if (fstatvfs(fd, &fs) != 0 || fstat(fd, &st) != 0)
            proc_die_errno("%s", d->filling);
        off_t room = (off_t)(fs.f_bavail * fs.f_frsize) - (off_t)leave_mib * 1024 * 1024;
        error = room > 0 ? posix_fallocate(fd, st.st_blocks * 512, room) : 0;
    }
    if (error != 0 && error != ENOSPC)
        proc_die("cannot fill %s", d->dir);
    (void)close(fd);
}

/* Where nothing can be mounted the library knows only full and not full. */
void disk_make_some_room(struct disk *d, unsigned mib)
{
    struct stat st;
    atomic_store(&d->shim->full, 0);
    if (!d->mounted)
        return;
    if (stat(d->filling, &st) != 0 || truncate(d->filling, st.st_size - (off_t)mib * 1024 * 1024) != 0)
        proc_die_errno("%s", d->filling);
}

void disk_make_room(struct disk *d)
{
    atomic_store(&d->shim->full, 0);
    if (d->mounted && unlink(d->filling) != 0)
        proc_die_errno("%s", d->filling);
}

void disk_freeze(struct disk *d)
{
    if (!d->mounted)
        atomic_store(&d->shim->frozen, 1);
    else if (ioctl(d->dir_fd, FIFREEZE, 0) != 0)
        proc_die_errno("FIFREEZE");
}

void disk_thaw(struct disk *d)
{
    atomic_store(&d->shim->frozen, 0);
    if (d->mounted)
        (void)ioctl(d->dir_fd, FITHAW, 0); /* an error says that it was not frozen */
}

void disk_cut_power(struct disk *d)
{
    uint32_t how = EXT4_NO_LOGFLUSH;
    if (!d->mounted)
        atomic_store(&d->shim->off, 1);
    else if (ioctl(d->dir_fd, EXT4_SHUTDOWN, &how) != 0)
        proc_die_errno("EXT4_IOC_SHUTDOWN");
}

void disk_power_back(struct disk *d)
{
    atomic_store(&d->shim->off, 0);
    if (!d->mounted)
        return;
    close_dir(d);
    if (umount2(d->dir, 0) != 0)
        proc_die_errno("umount %s", d->dir);
    if (!mount_image(d))
        proc_die("cannot mount %s again", d->image);
    open_dir(d);
}

void disk_fail_syncs(struct disk *d, unsigned times)
{
    atomic_store(&d->shim->fail_syncs, times);
}

void disk_lie(struct disk *d, bool lie)
{
    atomic_store(&d->shim->lying, lie ? 1 : 0);
}

void disk_sync_takes(struct disk *d, unsigned us)
{
    atomic_store(&d->shim->sync_us, us);
}

unsigned disk_failed_syncs(const struct disk *d)
{
    return atomic_load(&d->shim->failed_syncs);
}
