/* The disk under the running daemon is full, hangs, or fails a sync: nothing doubtful is acknowledged, and it goes on by itself where it can. */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "disk.h"
#include "fake_rig.h"

struct disk_rig {
    struct fake_rig r;
    struct disk *disk;
    char *dir;
};

static void disk_rig_start_with(struct disk_rig *dr, const struct fake_options *opt, char *const *settings)
{
    dr->disk = disk_new(64);
    dr->dir = proc_fmt("%s/store", disk_dir(dr->disk));
    fake_rig_start_primary(&dr->r, opt);
    fake_rig_start_daemon_on(&dr->r, dr->dir, disk_wrapper(dr->disk), settings);
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr->r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&dr->r));
}

static void disk_rig_start(struct disk_rig *dr, char *const *settings)
{
    disk_rig_start_with(dr, NULL, settings);
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
    disk_rig_start(&dr, NULL);
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

/* Whoever can spare no more than a few MiB: what is free is used, and commits do not wait for a number that nobody told. */
static void test_a_little_room(void)
{
    struct disk_rig dr;
    struct fake_pos end = {0};
    disk_rig_start(&dr, NULL);
    disk_fill(dr.disk, 3);
    for (int i = 0; i < 8; i++)
        end = fake_commit(dr.r.fp, &(struct fake_txn_spec){.blob_len = 1000000});
    CU_ASSERT_TRUE(fake_rig_wait_error(&dr.r, "disk_full"));
    CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 500));
    disk_make_some_room(dr.disk, 9);
    CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
    disk_make_room(dr.disk);
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
    disk_rig_start(&dr, (char *[]){"store.stall_disconnect=1s", NULL});
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

static struct fake_pos commit_small(struct fake_primary *fp)
{
    return fake_commit(fp, &(struct fake_txn_spec){.blob_len = 100});
}

static struct fake_pos commit_large_row(struct fake_primary *fp)
{
    return fake_commit(fp, &(struct fake_txn_spec){.blob_len = 3000000});
}

static struct fake_pos commit_many_rows(struct fake_primary *fp)
{
    return fake_commit_huge(fp, 1500, 1024);
}

static struct fake_pos rotate(struct fake_primary *fp)
{
    fake_rotate(fp);
    return fake_commit(fp, &(struct fake_txn_spec){.blob_len = 100});
}

/* What the writer is doing when the disk begins to hang. */
static const struct {
    const char *name;
    struct fake_pos (*commit)(struct fake_primary *fp);
    bool checksums;
    bool always; /* the others with LT_FULL */
} hang_moments[] = {
    {"a small commit", commit_small, true, false},
    {"a row of 3 MB, mostly in write", commit_large_row, true, true},
    {"1.5 MB of small rows", commit_many_rows, true, true},
    {"a rotation", rotate, true, false},
    {"a small commit without checksums", commit_small, false, false},
    {"a rotation without checksums", rotate, false, true},
};

static bool status_says(const struct daemon *dm, const char *text)
{
    json_t *status = daemon_command(dm, "status");
    char *all = status != NULL ? json_dumps(status, JSON_COMPACT) : NULL;
    bool found = all != NULL && strstr(all, text) != NULL;
    free(all);
    json_decref(status);
    return found;
}

static bool wait_status_says(const struct daemon *dm, const char *text)
{
    uint64_t until = proc_now_ms() + RIG_WAIT_MS;
    while (!status_says(dm, text)) {
        if (proc_now_ms() > until)
            return false;
        proc_sleep_ms(20);
    }
    return true;
}

/* The source is let go, and status says why, whichever call hangs; after the thaw all goes on by itself. */
static void test_hangs_in_any_call(void)
{
    for (size_t i = 0; i < sizeof hang_moments / sizeof hang_moments[0]; i++) {
        struct disk_rig dr;
        if (rig_rounds(hang_moments[i].always, 1) == 0)
            continue;
        disk_rig_start_with(&dr, &(struct fake_options){.no_checksum = !hang_moments[i].checksums},
                            (char *[]){"store.stall_disconnect=1500ms", NULL});
        const struct daemon *dm = dr.r.rig.dm;
        printf("\n  %s ", hang_moments[i].name);
        CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_SEMI_SYNC, 1, RIG_WAIT_MS));
        disk_freeze(dr.disk);
        struct fake_pos end = hang_moments[i].commit(dr.r.fp);
        CU_ASSERT_TRUE(wait_status_says(dm, "\"storage_delays\""));
        CU_ASSERT_TRUE(wait_status_says(dm, "\"storage_slow\""));
        CU_ASSERT_TRUE(fake_wait_live(dr.r.fp, FAKE_DUMP_ANY, 0, RIG_WAIT_MS));
        CU_ASSERT_TRUE(wait_status_says(dm, "\"disk_stalled\""));
        CU_ASSERT_FALSE(status_says(dm, "\"state\":\"streaming\""));
        CU_ASSERT_FALSE(fake_wait_released(dr.r.fp, &end, 100));
        disk_thaw(dr.disk);
        CU_ASSERT_TRUE(fake_wait_released(dr.r.fp, &end, RIG_WAIT_MS));
        CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
        CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
        disk_rig_end(&dr);
    }
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
    disk_rig_start(&dr, NULL);
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
    disk_rig_start(&dr, NULL);
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
    disk_rig_start(&dr, NULL);
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
    disk_rig_start(&dr, NULL);
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

/* Signals come to main alone: a handler on a thread inside a sync would end it with EINTR. */
static void test_signals_come_to_main_alone(void)
{
    static const int ours[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGWINCH};
    struct disk_rig dr;
    unsigned threads = 0;
    disk_rig_start(&dr, (char *[]){"http.listen=127.0.0.1:0", NULL});
    char *dir = proc_fmt("/proc/%d/task", (int)dr.r.rig.dm->pid);
    DIR *tasks = opendir(dir);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tasks);
    for (const struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) { // NOLINT(concurrency-mt-unsafe)
        char *path = proc_fmt("%s/%s/status", dir, e->d_name);
        char *text = e->d_name[0] != '.' ? proc_read_file(path, NULL) : NULL;
        const char *mask = text != NULL ? strstr(text, "SigBlk:") : NULL;
        free(path);
        if (mask != NULL) {
            unsigned long long blocked = strtoull(mask + 7, NULL, 16);
            bool is_main = atoi(e->d_name) == (int)dr.r.rig.dm->pid;
            threads += !is_main;
            for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
                CU_ASSERT_EQUAL((blocked >> (ours[i] - 1)) & 1, is_main ? 0u : 1u);
        }
        free(text);
    }
    (void)closedir(tasks);
    CU_ASSERT_TRUE(threads >= 6); /* ingest, serve, commits, monitor, http, workers */
    free(dir);
    disk_rig_end(&dr);
}

/* What systemd is told until READY, or for so long. Returns how often more time was asked for. */
static unsigned notices(int fd, unsigned for_ms, bool *ret_ready)
{
    uint64_t until = proc_now_ms() + for_ms;
    unsigned extended = 0;
    while (!*ret_ready && proc_now_ms() < until) {
        char text[512] = "";
        if (recv(fd, text, sizeof text - 1, MSG_DONTWAIT) <= 0) {
            proc_sleep_ms(10);
            continue;
        }
        extended += strstr(text, "EXTEND_TIMEOUT_USEC=120000000") != NULL;
        *ret_ready = strstr(text, "READY=1") != NULL;
    }
    return extended;
}

/* A start that takes long asks for time while it goes on, and not while it hangs. */
static void test_a_slow_start(void)
{
    struct disk_rig dr;
    bool ready = false;
    char *dir = proc_tempdir();
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s/notify", dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    disk_rig_start(&dr, NULL);
    CU_ASSERT_EQUAL(daemon_stop(dr.r.rig.dm), 0);
    CU_ASSERT_EQUAL(setenv("NOTIFY_SOCKET", sa.sun_path, 1), 0); // NOLINT(concurrency-mt-unsafe)
    disk_freeze(dr.disk);
    daemon_restart(dr.r.rig.dm);
    CU_ASSERT_TRUE(notices(fd, 3500, &ready) <= 1); /* the calls before the one that hangs */
    CU_ASSERT_FALSE(ready);
    disk_sync_takes(dr.disk, 700000);
    disk_thaw(dr.disk);
    unsigned extended = notices(fd, RIG_WAIT_MS, &ready);
    CU_ASSERT_TRUE(ready);
    CU_ASSERT_TRUE(extended >= 2);
    disk_sync_takes(dr.disk, 0);
    (void)unsetenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe)
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    disk_rig_end(&dr);
    (void)close(fd);
    proc_remove_dir(dir);
    free(dir);
}

/* Every call fails at the start, for a moment: a status that a restart is made for, and the restart goes on. */
static void test_fails_at_the_start(void)
{
    struct disk_rig dr;
    int status = 0;
    disk_rig_start(&dr, NULL);
    CU_ASSERT_EQUAL(daemon_stop(dr.r.rig.dm), 0);
    disk_cut_power(dr.disk);
    daemon_restart(dr.r.rig.dm);
    CU_ASSERT_TRUE(daemon_exited(dr.r.rig.dm, RIG_WAIT_MS, &status));
    CU_ASSERT_EQUAL(status, 1);
    disk_power_back(dr.disk);
    daemon_restart(dr.r.rig.dm);
    CU_ASSERT_TRUE(fake_rig_wait_state(&dr.r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&dr.r));
    disk_rig_end(&dr);
}

/* A disk that hung, a fence that came meanwhile, and the next hang after its release: the source loses its acknowledger again. */
static void test_hangs_again_after_a_fence(void)
{
    struct disk_rig dr;
    disk_rig_start(&dr, (char *[]){"store.stall_disconnect=1s", NULL});
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
    {"a little room", test_a_little_room},
    {"full without checksums", test_full_without_checksums},
    {"a disk that hangs", test_hangs},
    {"a disk that hangs in any call", test_hangs_in_any_call},
    {"a fence while it hangs", test_fence_while_it_hangs},
    {"it hangs again after a fence", test_hangs_again_after_a_fence},
    {"a fence on a full disk", test_fence_on_a_full_disk},
    {"a sync fails", test_a_sync_fails},
    {"syncs keep failing", test_syncs_keep_failing},
    {"it fails at the start", test_fails_at_the_start},
    {"a slow start", test_a_slow_start},
    {"signals come to main alone", test_signals_come_to_main_alone},
};

int main(void)
{
    bool real = disk_private_mounts();
    printf("%s\n", real ? "ext4 on a loop device" : "no right to mount: full and frozen by the library");
    return cunit_run("disk", cases, sizeof cases / sizeof cases[0]);
}
