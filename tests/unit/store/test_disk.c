/*
 * The same on a real disk: the happy path, a repair with O_DIRECT, the lock, tmpfs, and damage too far from the end to be a torn tail.
 */
#include "cunit_main.h"
#include "store_test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int syncs_to_fail;

static int failing_fdatasync(void *ctx, int fd)
{
    if (syncs_to_fail > 0 && syncs_to_fail-- == 1)
        return -EIO;
    return vfs_posix.fdatasync(ctx, fd);
}

static void remove_tree(const char *dir)
{
    char cmd[128];

    (void)snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    CU_ASSERT_EQUAL(system(cmd), 0); // NOLINT(cert-env33-c,concurrency-mt-unsafe): a test's own folder, one thread
}

static bool path_is(const char *dir, const char *file, const uint8_t *data, size_t len)
{
    char path[256];
    uint8_t *have = malloc(len + 1);
    (void)snprintf(path, sizeof path, "%s/lineages/0001-%s/%s", dir, TEST_SOURCE, file);
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(have, 1, len + 1, f) : 0;
    bool same = n == len && memcmp(have, data, len) == 0;

    if (f != NULL)
        (void)fclose(f);
    free(have);
    return same;
}

static void real_disk_of(bool crc)
{
    struct vfs vfs = vfs_posix;
    struct binlog_gen g;
    struct lt_err err;
    struct store *s;
    struct store *other;
    struct store_view v;
    char dir[] = "store_disk_XXXXXX";

    if (mkdtemp(dir) == NULL)
        abort();
    vfs.fdatasync = failing_fdatasync;
    struct store_options opt = {.dir = dir, .allow_unsafe_fs = true, .prewrite = true};
    CU_ASSERT_EQUAL(store_open(&opt, &vfs, &s, &err), 0);
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &other, &err), LT_EBUSY);
    CU_ASSERT_EQUAL(store_lineage_begin(s, TEST_SOURCE, &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
    gen_init(&g, false, crc);
    gen_file(&g, true);
    for (unsigned i = 0; i < 50; i++)
        gen_txn(&g, i * 100);
    size_t half = g.len;
    CU_ASSERT_TRUE(test_feed(s, &g, 4, half));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    while (store_idle(s))
        ;
    for (unsigned i = 0; i < 50; i++)
        gen_txn(&g, i * 100);
    CU_ASSERT_TRUE(test_feed(s, &g, half, g.len));
    syncs_to_fail = 1;
    CU_ASSERT_EQUAL(store_sync(s, &err), LT_ESYNC);
    CU_ASSERT_EQUAL(store_repair(s, &err), 0);
    CU_ASSERT_EQUAL(store_appended(s), half);
    CU_ASSERT_TRUE(path_is(dir, TEST_FILE, g.data, half));
    CU_ASSERT_TRUE(test_feed(s, &g, half, g.len));
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    CU_ASSERT_TRUE(path_is(dir, TEST_FILE, g.data, g.len));
    store_close(s);
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &s, &err), 0);
    CU_ASSERT_EQUAL(store_recovered(s)->removed_files, 1);
    CU_ASSERT_EQUAL(store_view_get(s, &v), 0);
    CU_ASSERT_EQUAL(v.watermark, g.len);
    CU_ASSERT_EQUAL(gtid_set_count(&v.gtid_executed), 100);
    store_view_fini(&v);
    store_close(s);
    gen_fini(&g);
    remove_tree(dir);
}

static void real_disk(void)
{
    real_disk_of(true);
    real_disk_of(false);
}

/* A store of files without checksums (with a sidecar, so that all there is has to be synced): a sealed one, one with half a transaction. */
static struct vfs_sim *half_done(bool fresh)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct binlog_gen g;
    struct lt_err err;
    struct store *s = fresh ? NULL : test_begin(vfs_sim_vfs(sim), false);
    if (s == NULL)
        return sim;
    gen_init(&g, false, false);
    gen_file(&g, true);
    gen_txn(&g, 100);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    store_close(s);
    vfs_sim_put(sim, TEST_LINEAGE "/" TEST_FILE2 ".crc", "", 0); /* nothing of it is proved: it is cut */
    gen_fini(&g);
    return sim;
}

/* Whichever sync of a start fails, of a file or of a folder: durability is in doubt, and no other start makes it sure. */
static void every_sync_of_a_start(void)
{
    static const enum vfs_op ops[] = {VFS_OP_FSYNC, VFS_OP_FDATASYNC};
    static const int errors[] = {EIO, EROFS, ENOSPC};
    for (size_t i = 0; i < 2 * 2 * 3; i++) {
        unsigned met = 0;
        for (bool again = true; again; met += again) {
            struct vfs_sim *sim = half_done(i / 2 % 2 == 1);
            struct store *s = NULL;
            struct lt_err err;
            vfs_sim_fail(sim, ops[i % 2], met + 1, VFS_FAULT_ERROR, errors[i / 4], false);
            int rc = test_open(vfs_sim_vfs(sim), false, &s, &err);
            again = vfs_sim_failed(sim);
            bool lacks = errors[i / 4] == ENOSPC; /* refused, or it opens, broken, and waits for room */
            CU_ASSERT(rc == (!again ? 0 : lacks ? LT_EFULL : LT_ESYNC) || (lacks && rc == 0));
            CU_ASSERT(rc == 0 || (err.code == rc && err.sys_errno == errors[i / 4]));
            vfs_sim_heal(sim);
            store_close(s);
            CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
            vfs_sim_free(sim);
        }
        CU_ASSERT(met >= (i % 2 == 0 ? 3 : i / 2 % 2 == 1 ? 0 : 2));
    }
}

static void tmpfs_is_refused(void)
{
    struct vfs_fs_info info;
    struct lt_err err;
    struct store *s;
    char dir[] = "/dev/shm/store_XXXXXX";

    if (vfs_posix.fs_info(NULL, "/dev/shm", &info) < 0 || strcmp(info.type, "tmpfs") != 0 || mkdtemp(dir) == NULL) {
        (void)printf("(no tmpfs here) ");
        return;
    }
    struct store_options opt = {.dir = dir};
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &s, &err), LT_EUNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tmpfs"));
    opt.allow_unsafe_fs = true;
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &s, &err), 0);
    store_close(s);
    remove_tree(dir);
}

/* A bad event with far more data behind it than is ever left unsynced is no torn tail. */
static void far_damage_is_not_cut(void)
{
    struct binlog_gen g;
    struct lt_err err;
    struct store *s;
    char dir[] = "store_far_XXXXXX";
    char path[128];
    const off_t far = 200 << 20;

    if (mkdtemp(dir) == NULL)
        abort();
    struct store_options opt = {.dir = dir, .allow_unsafe_fs = true};
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &s, &err), 0);
    CU_ASSERT_EQUAL(store_lineage_begin(s, TEST_SOURCE, &err), 0);
    CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
    gen_init(&g, false, true);
    gen_file(&g, true);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    store_close(s);
    (void)snprintf(path, sizeof path, "%s/lineages/0001-%s/%s", dir, TEST_SOURCE, TEST_FILE);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(ftruncate(fd, far), 0);
    CU_ASSERT_EQUAL(pwrite(fd, "x", 1, far - 1), 1);
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &s, &err), LT_ECORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, TEST_FILE));
    CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), far);
    CU_ASSERT_EQUAL(ftruncate(fd, far - 1), 0); /* only zeros now */
    CU_ASSERT_EQUAL(store_open(&opt, &vfs_posix, &s, &err), 0);
    CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), (off_t)g.len);
    (void)close(fd);
    store_close(s);
    gen_fini(&g);
    remove_tree(dir);
}

static const struct test_case cases[] = {
    {"append, repair with O_DIRECT, reopen", real_disk},
    {"every sync of a start", every_sync_of_a_start},
    {"tmpfs is refused", tmpfs_is_refused},
    {"far damage is not cut", far_damage_is_not_cut},
};

int main(void)
{
    return cunit_run("store on disk", cases, sizeof cases / sizeof cases[0]);
}
