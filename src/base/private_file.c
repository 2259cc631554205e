#include "base/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_open(const char *shown, struct lt_err *err)
{
    if (errno == ELOOP || errno == EMLINK)
        return lt_err_set(err, LT_EINVAL, "%s is a symbolic link: name what it points to", shown);
    return lt_err_sys(err, LT_ESYS, "%s", shown);
}

static int check_owner(const struct stat *st, const char *shown, struct lt_err *err)
{
    if (st->st_uid == geteuid())
        return LT_OK;
    return lt_err_set(err, LT_EINVAL, "%s belongs to user %u, who could change or read it: use a place of your own",
                      shown, (unsigned)st->st_uid);
}

/* A descriptor that failed a check is closed. */
static int give(int fd, int rc, int *ret_fd)
{
    if (rc != LT_OK)
        (void)close(fd);
    else
        *ret_fd = fd;
    return rc;
}

int private_folder(int at, const char *name, const char *shown, int *ret_fd, struct lt_err *err)
{
    struct stat st;
    if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return lt_err_sys(err, LT_ESYS, "%s", shown);
    /* With O_DIRECTORY a link is ENOTDIR, like a file: which one is asked for the text only. */
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        bool link = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
        errno = link ? ELOOP : error;
        return cannot_open(shown, err);
    }
    int rc = fstat(fd, &st) != 0 ? lt_err_sys(err, LT_ESYS, "%s", shown) : check_owner(&st, shown, err);
    if (rc == LT_OK && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        rc = lt_err_set(err, LT_EINVAL, "%s may be written by others: chmod go-w it, or use another", shown);
    return give(fd, rc, ret_fd);
}

int private_file(int at, const char *name, bool create, const char *shown, int *ret_fd, struct lt_err *err)
{
    struct stat st;
    /* O_NONBLOCK: a pipe that was put there must not hold us. */
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (create ? O_CREAT : 0);
    int fd = openat(at, name, flags, 0600);
    if (fd < 0)
        return cannot_open(shown, err);
    int rc = fstat(fd, &st) != 0 ? lt_err_sys(err, LT_ESYS, "%s", shown) : check_owner(&st, shown, err);
    if (rc == LT_OK && !S_ISREG(st.st_mode))
        rc = lt_err_set(err, LT_EINVAL, "%s is no regular file", shown);
    if (rc == LT_OK && st.st_nlink != 1)
        rc = lt_err_set(err, LT_EINVAL, "%s has another name somewhere, where it could be changed or read", shown);
    return give(fd, rc, ret_fd);
}

static int write_whole(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        left -= (size_t)n;
    }
    return fdatasync(fd);
}

static int sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): it works on a copy of our own
    int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = fd >= 0 ? fsync(fd) : -1;
    if (fd >= 0)
        (void)close(fd);
    free(copy);
    return rc;
}

int private_file_replace(const char *path, const char *content, struct lt_err *err)
{
    char *tmp = NULL;
    if (asprintf(&tmp, "%s.new", path) < 0)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    (void)unlink(tmp); /* a crash's, or what somebody put there: the next call says what is the matter with it */
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd >= 0 && write_whole(fd, content) == 0 ? LT_OK : lt_err_sys(err, LT_ESYS, "%s", path);
    if (fd >= 0 && close(fd) != 0 && rc == LT_OK)
        rc = lt_err_sys(err, LT_ESYS, "%s", path);
    if (rc == LT_OK && (rename(tmp, path) != 0 || sync_folder_of(path) != 0))
        rc = lt_err_sys(err, LT_ESYS, "%s", path);
    free(tmp);
    return rc;
}
