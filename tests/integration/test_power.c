/*
 * The power goes under the running daemon, in the middle of commits: nothing that was acknowledged is missing when it comes back. A real ext4 is shut
 * down without its journal and replayed; the many more states that a disk may be left in are the store's own power-cut test (unit/store, disk).
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "disk.h"
#include "fake_rig.h"

#define WRITERS 4

struct load {
    struct fake_primary *fp;
    atomic_bool stop;
    pthread_t threads[WRITERS];
};

/* Commits as a session does: the next one when this one was acknowledged, or after a moment in vain. */
static void *write_commits(void *arg)
{
    struct load *l = arg;
    for (unsigned i = 1; !atomic_load(&l->stop); i++) {
        struct fake_pos end =
            fake_commit(l->fp, &(struct fake_txn_spec){.blob_len = i % 16 == 0 ? 60000 : 100 + i % 3000});
        (void)fake_wait_ack(l->fp, &end, 20);
    }
    return NULL;
}

static void load_start(struct load *l, struct fake_primary *fp)
{
    l->fp = fp;
    atomic_init(&l->stop, false);
    for (int i = 0; i < WRITERS; i++)
        if (pthread_create(&l->threads[i], NULL, write_commits, l) != 0)
            proc_die("no thread");
}

static void load_stop(struct load *l)
{
    atomic_store(&l->stop, true);
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(l->threads[i], NULL);
}

/* One cut. What was released then must be held before the source can send it again. */
static uint64_t cut_and_back(struct fake_rig *r, struct disk *disk, unsigned after_ms, bool rotate)
{
    struct load l;
    struct fake_counters n;
    load_start(&l, r->fp);
    proc_sleep_ms(after_ms);
    if (rotate)
        fake_rotate(r->fp);            /* a new file is being made */
    daemon_signal(r->rig.dm, SIGSTOP); /* disk.h says why */
    disk_cut_power(disk);
    daemon_kill(r->rig.dm);
    load_stop(&l);
    CU_ASSERT_TRUE(fake_wait_live(r->fp, FAKE_DUMP_ANY, 0, RIG_WAIT_MS));
    fake_primary_pause(r->fp);
    struct fake_pos released = fake_released(r->fp);
    fake_counters(r->fp, &n);
    disk_power_back(disk);
    daemon_restart(r->rig.dm);
    CU_ASSERT_TRUE(daemon_wait_position(r->rig.dm, released.file, released.pos, RIG_WAIT_MS));
    fake_primary_resume(r->fp);
    CU_ASSERT_TRUE(fake_rig_wait_state(r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(r));
    return n.acks;
}

static void test_power_cuts(void)
{
    struct fake_rig r;
    struct disk *disk = disk_new(128);
    char *dir = proc_fmt("%s/store", disk_dir(disk));
    unsigned rounds = rig_rounds(6, 100);
    uint64_t acks = 0;
    fake_rig_start_primary(&r, &(struct fake_options){.version = "9.7.4", .port = proc_free_port()});
    fake_rig_start_daemon_on(&r, dir, disk_wrapper(disk),
                             (char *[]){"source.retry_min=10ms", "source.retry_max=100ms", NULL});
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    for (unsigned i = 0; i < rounds && CU_get_number_of_failures() == 0; i++)
        acks = cut_and_back(&r, disk, 50 + i * 37 % 200, i % 3 == 2);
    printf("\n  %u cuts of %s, %llu ACKs ", rounds,
           disk_is_real(disk) ? "an ext4 (shut down, journal replayed)" : "the library's disk",
           (unsigned long long)acks);
    CU_ASSERT_TRUE(acks > rounds);
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
    disk_free(disk);
    free(dir);
}

static const struct test_case cases[] = {
    {"power cuts", test_power_cuts},
};

int main(void)
{
    bool real = disk_private_mounts();
    printf("%s\n",
           real ? "ext4 on a loop device" : "no right to mount: writes and syncs fail by the library from the cut on");
    return cunit_run("power", cases, sizeof cases / sizeof cases[0]);
}
