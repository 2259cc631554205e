/* The admin socket's file: its rights, and what somebody else who may write in its folder can make of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cunit_main.h"
#include "proc.h"

#include "ops/admin/admin_listen.h"

static char *folder;
static char *path;
static char *victim;
static char *link_name;
static atomic_bool stop;
static atomic_uint swaps;

static mode_t mode_of(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void rights(void)
{
    struct lt_err err;
    struct stat st;
    int fd = -1;
    mode_t before = umask(0077);
    CU_ASSERT_EQUAL(admin_listen(path, 0660, NULL, &fd, &st, &err), LT_OK);
    CU_ASSERT_EQUAL(mode_of(path), 0660);
    CU_ASSERT(S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0660);
    (void)close(fd);
    CU_ASSERT_EQUAL(admin_listen(path, 0600, "1", &fd, &st, &err), geteuid() == 0 ? LT_OK : LT_ESYS);
    if (geteuid() == 0)
        CU_ASSERT(st.st_gid == 1 && mode_of(path) == 0600);
    (void)close(fd);
    (void)unlink(path);
    (void)umask(before);
}

/* As soon as a socket is there, a link to a file of the victim's takes its place. */
static void *attack(void *arg)
{
    while (!atomic_load(&stop)) {
        struct stat st;
        if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
            continue;
        if (rename(link_name, path) == 0)
            atomic_fetch_add(&swaps, 1);
        (void)unlink(path);
        if (symlink(victim, link_name) != 0)
            break;
    }
    return arg;
}

static void swapped_for_a_link(void)
{
    pthread_t thread;
    proc_write_file(victim, "secret");
    CU_ASSERT_EQUAL(chmod(victim, 0600) | symlink(victim, link_name), 0);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, attack, NULL), 0);
    for (uint64_t until = proc_now_ms() + 20000; atomic_load(&swaps) < 500 && proc_now_ms() < until;) {
        struct lt_err err;
        struct stat st;
        int fd = -1;
        if (admin_listen(path, 0666, NULL, &fd, &st, &err) == LT_OK) {
            CU_ASSERT_TRUE(S_ISSOCK(st.st_mode));
            (void)close(fd);
        }
    }
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    CU_ASSERT(atomic_load(&swaps) > 0);
    CU_ASSERT_EQUAL(mode_of(victim), 0600);
}

static const struct test_case cases[] = {
    {"rights", rights},
    {"swapped for a link", swapped_for_a_link},
};

int main(void)
{
    folder = proc_tempdir();
    path = proc_fmt("%s/admin.sock", folder);
    victim = proc_fmt("%s/victim", folder);
    link_name = proc_fmt("%s/link", folder);
    int bad = cunit_run("admin listen", cases, sizeof cases / sizeof cases[0]);
    proc_remove_dir(folder);
    free(folder);
    free(path);
    free(victim);
    free(link_name);
    return bad;
}
