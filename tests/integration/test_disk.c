/* The disk under the running daemon is full, hangs, or fails a sync: nothing doubtful is acknowledged, and it goes on by itself where it can. */
#include <limits.h>
#include <stdio.h>

#include "disk.h"
#include "fake_rig.h"

struct disk_rig {
    struct fake_rig r;
    struct disk *disk;
    char *dir;
};

static void disk_rig_start(struct disk_rig *dr, unsigned mib, char *const *settings)
{
    dr->disk = disk_new(mib);
    dr->dir = proc_fmt("%s/store", disk_dir(dr->disk));
    fake_rig_start_primary(&dr->r, NULL);
    fake_rig_start_daemon_on(&dr->r, dr->dir, disk_wrapper(dr->disk), settings);
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr->r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&dr->r));
}

static void disk_rig_end(struct disk_rig *dr)
{
    CU_ASSERT_TRUE(fake_rig_identical(&dr->r));
    fake_rig_end(&dr->r);
    disk_free(dr->disk);
    free(dr->dir);
}

static void test_full_and_room_again(void)
{
    struct disk_rig dr;
    struct fake_pos end = {0};
    disk_rig_start(&dr, 64, NULL);
    for (int round = 0; round < 2; round++) {
        disk_fill(dr.disk, 6);
        for (int i = 0; i < 12; i++)
            end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 1000000});
        CU_ASSERT_TRUE(fake_rig_wait_error(&dr.r, "disk_full"));
        CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "error"));
        /* Not left mute: the source has an acknowledger less. */
        CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_ANY, 0, RIG_WAIT_MS));
        CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 500));
        disk_make_room(dr.disk);
        CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
        CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
        CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    }
    disk_rig_end(&dr);
}

/* Without checksums a repair has a second file to write: the disk that is full to the last block must be no end either, nor a start on it. */
static void test_full_without_checksums(void)
{
    struct disk_rig dr;
    struct fake_pos end = {0};
    dr.disk = disk_new(64);
    dr.dir = proc_fmt("%s/store", disk_dir(dr.disk));
    fake_rig_start_primary(&dr.r, &(struct fake_options){.version = "9.7.4", .no_checksum = true});
    fake_rig_start_daemon_on(&dr.r, dr.dir, disk_wrapper(dr.disk), NULL);
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    disk_fill(dr.disk, 3);
    for (int i = 0; i < 12; i++)
        end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 1000000});
    CU_ASSERT_TRUE(fake_rig_wait_error(&dr.r, "disk_full"));
    disk_fill(dr.disk, 0);
    CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 500));
    fake_rig_restart_daemon(&dr.r);
    CU_ASSERT_TRUE(fake_rig_wait_error(&dr.r, "disk_full"));
    disk_make_room(dr.disk);
    CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
    disk_rig_end(&dr);
}

static void test_hangs(void)
{
    struct disk_rig dr;
    disk_rig_start(&dr, 64, (char *[]){"store.stall_disconnect=1s", NULL});
    CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_SEMI_SYNC, 1, RIG_WAIT_MS));
    disk_freeze(dr.disk);
    struct fake_pos end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 10000});
    CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_SEMI_SYNC, 0, RIG_WAIT_MS));
    /* Operators get their answer while the disk hangs. */
    uint64_t began = proc_now_ms();
    json_t *status = daemon_command(dr.r.rig.dm, "status");
    uint64_t took = proc_now_ms() - began;
    CU_ASSERT_PTR_NOT_NULL(status);
    json_decref(status);
    printf("\n  status in %llu ms ", (unsigned long long)took);
    CU_ASSERT(took < 10000); /* 2 s; a busy machine adds its own */
    CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 500));
    disk_thaw(dr.disk);
    CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_log_contains(dr.r.rig.dm, "disk_stalled"));
    CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    disk_rig_end(&dr);
}

static bool is_true(const json_t *answer, const char *key)
{
    return json_is_true(json_object_get(answer, key));
}

/* Unfenced, the commit that waited is acknowledged. */
static void release_and_end(struct disk_rig *dr, const struct fake_pos *end)
{
    json_t *answer = daemon_command_within(dr->r.rig.dm, "unfence", RIG_WAIT_MS);
    CU_ASSERT_TRUE(is_true(answer, "released"));
    json_decref(answer);
    CU_ASSERT_TRUE(fake_wait_released(dr->r.fp, end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr->r, "streaming"));
    disk_rig_end(dr);
}

/* The answer comes while a sync hangs, says what it is worth, and holds from then on. */
static void test_fence_while_it_hangs(void)
{
    struct disk_rig dr;
    disk_rig_start(&dr, 64, NULL);
    disk_freeze(dr.disk);
    struct fake_pos end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 10000});
    uint64_t began = proc_now_ms();
    json_t *answer = daemon_command_within(dr.r.rig.dm, "fence --mode drop the disk hangs", RIG_WAIT_MS);
    printf("\n  fence in %llu ms ", (unsigned long long)(proc_now_ms() - began));
    CU_ASSERT_TRUE(json_is_false(json_object_get(answer, "persisted")));
    json_decref(answer);
    disk_thaw(dr.disk);
    bool settled = false;
    for (int i = 0; i < 60 && !settled; i++) {
        answer = daemon_command_within(dr.r.rig.dm, "fence --mode drop the disk hangs", RIG_WAIT_MS);
        settled = is_true(answer, "persisted") && is_true(answer, "final");
        json_decref(answer);
    }
    CU_ASSERT_TRUE(settled);
    CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_ANY, 0, RIG_WAIT_MS));
    CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 1000));
    release_and_end(&dr, &end);
}

/* The fence finds its place on a full disk, and a restart finds the fence. */
static void test_fence_on_a_full_disk(void)
{
    struct disk_rig dr;
    struct fake_pos end = {0};
    disk_rig_start(&dr, 64, NULL);
    disk_fill(dr.disk, 6);
    for (int i = 0; i < 12; i++)
        end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 1000000});
    CU_ASSERT_TRUE(fake_rig_wait_error(&dr.r, "disk_full"));
    disk_fill(dr.disk, 0);
    json_t *answer = daemon_command_within(dr.r.rig.dm, "fence the disk is full", RIG_WAIT_MS);
    if (!disk_is_real(dr.disk)) { /* giving up the reserve helps only where it makes room */
        CU_ASSERT_FALSE(is_true(answer, "persisted"));
        disk_make_room(dr.disk);
    }
    for (int i = 0; i < 60 && !is_true(answer, "persisted"); i++) {
        json_decref(answer);
        answer = daemon_command_within(dr.r.rig.dm, "fence the disk is full", RIG_WAIT_MS);
    }
    CU_ASSERT_TRUE(is_true(answer, "persisted"));
    json_decref(answer);
    fake_rig_restart_daemon(&dr.r);
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "fenced"));
    disk_make_room(dr.disk);
    CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 500));
    release_and_end(&dr, &end);
}

static void test_a_sync_fails(void)
{
    struct disk_rig dr;
    disk_rig_start(&dr, 64, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        disk_fail_syncs(dr.disk, 1);
        CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
        CU_ASSERT_EQUAL(disk_failed_syncs(dr.disk), i);
    }
    CU_ASSERT_TRUE(daemon_log_contains(dr.r.rig.dm, "disk_failed"));
    CU_ASSERT_TRUE(daemon_log_contains(dr.r.rig.dm, "cut back to its watermark"));
    disk_rig_end(&dr);
}

/* The repair cannot sync either: the process ends with status 3, and a start on a healthy disk goes on. */
static void test_syncs_keep_failing(void)
{
    struct disk_rig dr;
    int status = 0;
    disk_rig_start(&dr, 64, NULL);
    disk_fail_syncs(dr.disk, UINT_MAX);
    struct fake_pos end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 10000});
    CU_ASSERT_TRUE(daemon_exited(dr.r.rig.dm, RIG_WAIT_MS, &status));
    CU_ASSERT_EQUAL(status, 3);
    CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 300));
    disk_fail_syncs(dr.disk, 0);
    fake_rig_restart_daemon(&dr.r);
    CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    disk_rig_end(&dr);
}

/* A disk that hung, a fence that came meanwhile, and the next hang after its release: the source loses its acknowledger again. */
static void test_hangs_again_after_a_fence(void)
{
    struct disk_rig dr;
    disk_rig_start(&dr, 64, (char *[]){"store.stall_disconnect=1s", NULL});
    CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_SEMI_SYNC, 1, RIG_WAIT_MS));
    disk_freeze(dr.disk);
    (void)fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 10000});
    CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_SEMI_SYNC, 0, RIG_WAIT_MS));
    json_decref(daemon_command_within(dr.r.rig.dm, "fence --mode drop the disk hangs", RIG_WAIT_MS));
    disk_thaw(dr.disk);
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "fenced"));
    json_t *answer = daemon_command_within(dr.r.rig.dm, "unfence", RIG_WAIT_MS);
    CU_ASSERT_TRUE(is_true(answer, "released"));
    json_decref(answer);
    CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    disk_freeze(dr.disk);
    struct fake_pos end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 10000});
    CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_SEMI_SYNC, 0, 20000));
    disk_thaw(dr.disk);
    CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
    disk_rig_end(&dr);
}

static const struct test_case cases[] = {
    {"full, and room again", test_full_and_room_again},
    {"full without checksums", test_full_without_checksums},
    {"a disk that hangs", test_hangs},
    {"a fence while it hangs", test_fence_while_it_hangs},
    {"it hangs again after a fence", test_hangs_again_after_a_fence},
    {"a fence on a full disk", test_fence_on_a_full_disk},
    {"a sync fails", test_a_sync_fails},
    {"syncs keep failing", test_syncs_keep_failing},
};

int main(void)
{
    bool real = disk_private_mounts();
    printf("%s\n", real ? "ext4 on a loop device" : "no right to mount: full and frozen by the library");
    return cunit_run("disk", cases, sizeof cases / sizeof cases[0]);
}
