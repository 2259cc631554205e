/* What is made is for its owner; what somebody else could have put there is refused. As root also with another user's folder. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cunit_main.h"

#include "base/private_file.h"

static char dir[] = "/tmp/private-file-XXXXXX";
static int at;

static unsigned mode_of(const char *name)
{
    struct stat st = {0};
    CU_ASSERT_EQUAL(fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777u;
}

static int folder(const char *name)
{
    struct lt_err err = {0};
    int fd = -1;
    int rc = private_folder(at, name, name, &fd, &err);
    CU_ASSERT_EQUAL(rc == 0, fd >= 0);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int file(const char *name, bool create)
{
    struct lt_err err = {0};
    int fd = -1;
    int rc = private_file(at, name, create, name, &fd, &err);
    CU_ASSERT_EQUAL(rc == 0, fd >= 0);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static void test_folders(void)
{
    mode_t old = umask(0);
    CU_ASSERT_EQUAL(folder("new"), 0);
    CU_ASSERT_EQUAL(mode_of("new"), 0700);
    CU_ASSERT_EQUAL(folder("new"), 0);
    CU_ASSERT_EQUAL(symlinkat("new", at, "link"), 0);
    CU_ASSERT_EQUAL(folder("link"), LT_EINVAL);
    CU_ASSERT_EQUAL(symlinkat("nowhere", at, "dangling"), 0);
    CU_ASSERT_EQUAL(folder("dangling"), LT_EINVAL);
    CU_ASSERT_EQUAL(mkdirat(at, "open", 0777), 0);
    CU_ASSERT_EQUAL(folder("open"), LT_EINVAL);
    CU_ASSERT_EQUAL(fchmodat(at, "open", 0755, 0), 0);
    CU_ASSERT_EQUAL(folder("open"), 0);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(fchownat(at, "open", 4242, 4242, 0), 0);
        CU_ASSERT_EQUAL(folder("open"), LT_EINVAL);
    }
    CU_ASSERT_EQUAL(folder("new/deep/deeper"), LT_ESYS);
    (void)umask(old);
}

static void test_files(void)
{
    mode_t old = umask(0);
    CU_ASSERT_EQUAL(file("f", false), LT_ESYS);
    CU_ASSERT_EQUAL(file("f", true), 0);
    CU_ASSERT_EQUAL(mode_of("f"), 0600);
    CU_ASSERT_EQUAL(file("f", false), 0);
    CU_ASSERT_EQUAL(symlinkat("f", at, "flink"), 0);
    CU_ASSERT_EQUAL(file("flink", true), LT_EINVAL);
    CU_ASSERT_EQUAL(symlinkat("victim", at, "fdangling"), 0);
    CU_ASSERT_EQUAL(file("fdangling", true), LT_EINVAL);
    CU_ASSERT_NOT_EQUAL(faccessat(at, "victim", F_OK, 0), 0);
    CU_ASSERT_EQUAL(linkat(at, "f", at, "second", 0), 0);
    CU_ASSERT_EQUAL(file("f", false), LT_EINVAL);
    CU_ASSERT_EQUAL(mkfifoat(at, "pipe", 0600), 0);
    CU_ASSERT_EQUAL(file("pipe", false), LT_EINVAL);
    (void)umask(old);
}

static void test_replace(void)
{
    char path[sizeof dir + 20];
    char tmp[sizeof path + 4];
    struct lt_err err = {0};
    struct stat st;
    mode_t old = umask(0);
    (void)snprintf(path, sizeof path, "%s/token", dir);
    (void)snprintf(tmp, sizeof tmp, "%s.new", path);
    CU_ASSERT_EQUAL(symlinkat("victim", at, "token.new"), 0); /* put there by somebody */
    CU_ASSERT_EQUAL(private_file_replace(path, "one\n", &err), 0);
    CU_ASSERT_EQUAL(mode_of("token"), 0600);
    CU_ASSERT_NOT_EQUAL(faccessat(at, "victim", F_OK, 0), 0);
    CU_ASSERT_EQUAL(fchmodat(at, "token", 0666, 0), 0); /* an older version's */
    CU_ASSERT_EQUAL(private_file_replace(path, "second\n", &err), 0);
    CU_ASSERT_EQUAL(mode_of("token"), 0600);
    CU_ASSERT_TRUE(stat(path, &st) == 0 && st.st_size == 7);
    CU_ASSERT_NOT_EQUAL(access(tmp, F_OK), 0);
    CU_ASSERT_EQUAL(private_file_replace("/nonexistent/token", "x", &err), LT_ESYS);
    (void)umask(old);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"folders", test_folders}, {"files", test_files}, {"replace", test_replace}};
    if (mkdtemp(dir) == NULL || (at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 1;
    int bad = cunit_run("private_file", cases, sizeof cases / sizeof cases[0]);
    static const char *const names[] = {"f", "flink", "fdangling", "second", "pipe", "link", "dangling", "token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlinkat(at, names[i], 0);
    (void)unlinkat(at, "new", AT_REMOVEDIR);
    (void)unlinkat(at, "open", AT_REMOVEDIR);
    (void)close(at);
    return bad || rmdir(dir) != 0;
}
