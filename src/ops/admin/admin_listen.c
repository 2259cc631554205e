#include "ops/admin/admin_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/units.h"

#define BACKLOG 64

static int make_address(const char *path, struct sockaddr_un *ret_addr, struct lt_err *err)
{
    *ret_addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] == '\0' || strlen(path) >= sizeof ret_addr->sun_path)
        return lt_err_set(err, LT_EINVAL, "admin socket: a path has 1 to %zu bytes: %.120s",
                          sizeof ret_addr->sun_path - 1, path);
    memcpy(ret_addr->sun_path, path, strlen(path) + 1);
    return LT_OK;
}

static int open_socket(struct lt_err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 ? fd : lt_err_sys(err, LT_ESYS, "admin socket");
}

/* Only a socket that refuses connections is left from a crash; everything else under that name is somebody's. */
static int remove_stale(const struct sockaddr_un *addr, struct lt_err *err)
{
    const char *path = addr->sun_path;
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? LT_OK : lt_err_sys(err, LT_ESYS, "admin socket %s", path);
    if (!S_ISSOCK(st.st_mode))
        return lt_err_set(err, LT_EINVAL, "admin socket %s: there is something that is no socket", path);
    int fd = open_socket(err);
    if (fd < 0)
        return fd;
    int sys = connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 ? 0 : errno;
    (void)close(fd);
    if (sys == 0 || sys == EAGAIN)
        return lt_err_set(err, LT_EBUSY, "admin socket %s: another process answers there", path);
    errno = sys;
    if (sys != ECONNREFUSED && sys != ENOENT)
        return lt_err_sys(err, LT_ESYS, "admin socket %s", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return lt_err_sys(err, LT_ESYS, "admin socket %s: cannot remove the old one", path);
    return LT_OK;
}

static int find_group(const char *name, gid_t *ret_gid, struct lt_err *err)
{
    struct group group;
    struct group *found = NULL;
    char buf[16384];
    uint64_t number = 0;
    int sys = getgrnam_r(name, &group, buf, sizeof buf, &found);
    if (found != NULL) {
        *ret_gid = group.gr_gid;
        return LT_OK;
    }
    if (units_parse_u64(name, UINT32_MAX - 1, &number) == LT_OK) {
        *ret_gid = (gid_t)number;
        return LT_OK;
    }
    if (sys != 0) {
        errno = sys;
        return lt_err_sys(err, LT_ESYS, "admin socket: cannot look up the group %.60s", name);
    }
    return lt_err_set(err, LT_EINVAL, "admin socket: there is no group %.60s", name);
}

/*
 * Group and mode of what bind() made, and of nothing that was put in its place meanwhile: by a descriptor, which follows no link. The kernel sets
 * no mode by a descriptor of this kind, but by its name in /proc, which leads to that very file.
 */
static int set_rights(const char *path, unsigned mode, gid_t gid, struct stat *ret_st)
{
    char name[48];
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int rc = fstat(fd, ret_st);
    if (rc == 0 && (!S_ISSOCK(ret_st->st_mode) || ret_st->st_uid != geteuid())) {
        errno = EEXIST;
        rc = -1;
    }
    if (rc == 0 && gid != (gid_t)-1)
        rc = fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH);
    if (rc == 0)
        rc = chmod(name, (mode_t)mode);
    if (rc == 0)
        rc = fstat(fd, ret_st);
    int sys = errno;
    (void)close(fd);
    errno = sys;
    return rc;
}

/* Until listen() every connect is refused, so nobody gets in before mode and group are right, and the process's umask is left alone. */
static int bind_and_listen(int fd, const struct sockaddr_un *addr, unsigned mode, gid_t gid, struct stat *ret_st,
                           struct lt_err *err)
{
    const char *path = addr->sun_path;
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)addr, sizeof *addr) != 0)
        return lt_err_sys(err, LT_ESYS, "admin socket %s", path);
    if (set_rights(path, mode, gid, ret_st) != 0 || listen(fd, BACKLOG) != 0) {
        int rc = lt_err_sys(err, LT_ESYS, "admin socket %s: cannot set group and mode %04o", path, mode);
        (void)unlink(path);
        return rc;
    }
    return LT_OK;
}

int admin_listen(const char *path, unsigned mode, const char *group, int *ret_fd, struct stat *ret_st,
                 struct lt_err *err)
{
    struct sockaddr_un addr;
    struct stat st;
    gid_t gid = (gid_t)-1;
    if (mode > 0777)
        return lt_err_set(err, LT_EINVAL, "admin socket %s: the mode %o is not possible", path, mode);
    int rc = make_address(path, &addr, err);
    if (rc == LT_OK && group != NULL)
        rc = find_group(group, &gid, err);
    if (rc == LT_OK)
        rc = remove_stale(&addr, err);
    if (rc != LT_OK)
        return rc;
    int fd = open_socket(err);
    if (fd < 0)
        return fd;
    rc = bind_and_listen(fd, &addr, mode, gid, &st, err);
    if (rc != LT_OK) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    *ret_st = st;
    return LT_OK;
}
