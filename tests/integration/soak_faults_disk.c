/* Faults of the disk under the store. */
#include "soak.h"

#include <signal.h>

/* What was allocated before still has room; the next file has none. */
void soak_fault_full_disk(struct soak *s)
{
    enum { MOST_MS = 6000 };
    disk_fill(s->disk, soak_between(s, 0, 2));
    struct sql *root = server_root(soak_primary(s)->srv);
    struct sql_async *flush =
        sql_async_start(root, "FLUSH BINARY LOGS"); /* MySQL's waits for commits that wait for us */
    (void)daemon_wait_error(s->dm, "disk_full", MOST_MS);
    proc_sleep_ms(soak_between(s, 0, 1500));
    disk_make_room(s->disk);
    if (!sql_async_wait(flush, RIG_WAIT_MS))
        soak_fail(s, "FLUSH BINARY LOGS does not return");
    sql_async_free(flush);
    sql_close(root);
}

void soak_fault_frozen_disk(struct soak *s)
{
    disk_freeze(s->disk);
    proc_sleep_ms(soak_between(s, 100, 4000));
    disk_thaw(s->disk);
}

void soak_fault_failed_sync(struct soak *s)
{
    disk_fail_syncs(s->disk, 1);
    uint64_t end = proc_now_ms() + SOAK_RECOVER_MS;
    unsigned before = disk_failed_syncs(s->disk);
    while (disk_failed_syncs(s->disk) == before && proc_now_ms() < end)
        proc_sleep_ms(5);
}

/* What was not synced is lost; what was acknowledged is not. */
void soak_fault_power_cut(struct soak *s)
{
    daemon_signal(s->dm, SIGSTOP); /* disk.h says why */
    disk_cut_power(s->disk);
    daemon_kill(s->dm);
    disk_power_back(s->disk);
    soak_check_dead_store(s);
    daemon_restart(s->dm);
}
