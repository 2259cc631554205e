/* The table of faults, and those of the processes themselves: killed, stopped, fenced, told to read their configuration again. */
#include "soak.h"

#include <signal.h>

const struct soak_fault soak_faults[] = {
    {"kill -9 of logtailerd", soak_fault_kill_logtailerd, false},
    {"kill -9 of the primary", soak_fault_kill_primary, false},
    {"kill -9 of both", soak_fault_kill_both, false},
    {"SIGTERM to logtailerd", soak_fault_stop_in_order, false},
    {"SIGSTOP of logtailerd", soak_fault_freeze_logtailerd, false},
    {"SIGSTOP of the primary", soak_fault_freeze_primary, false},
    {"fence and kill -9", soak_fault_fence_and_kill, false},
    {"reload", soak_fault_reload, false},
    {"cuts", soak_fault_cuts, false},
    {"unreachable", soak_fault_unreachable, false},
    {"stall", soak_fault_stall, false},
    {"slow network", soak_fault_slow, false},
    {"lost ACKs", soak_fault_lost_acks, false},
    {"flipped byte", soak_fault_flipped_byte, false},
    {"FLUSH LOGS", soak_fault_flush, false},
    {"PURGE", soak_fault_purge, false},
    {"binlog_checksum", soak_fault_checksum, false},
    {"semi-sync off and on", soak_fault_semi_sync_off, true},
    {"KILL of the dump", soak_fault_kill_dump, false},
    {"full disk", soak_fault_full_disk, false},
    {"frozen disk", soak_fault_frozen_disk, false},
    {"failed sync", soak_fault_failed_sync, false},
    {"power cut of the disk", soak_fault_power_cut, false},
    {"repoint", soak_fault_repoint, false},
};
const size_t soak_fault_count = sizeof soak_faults / sizeof soak_faults[0];

void soak_fault_kill_logtailerd(struct soak *s)
{
    unsigned times = soak_between(s, 1, 3);
    for (unsigned i = 0; i < times; i++) {
        proc_sleep_ms(soak_between(s, 0, 300)); /* also while it starts and proves */
        daemon_kill(s->dm);
        soak_check_dead_store(s);
        daemon_restart(s->dm);
    }
}

void soak_fault_stop_in_order(struct soak *s)
{
    int status = daemon_stop(s->dm);
    if (status != 0)
        soak_fail(s, "SIGTERM ended logtailerd with status %d", status);
    soak_check_dead_store(s);
    daemon_restart(s->dm);
}

/* The counters begin anew. */
static void start_primary_again(struct soak *s)
{
    server_restart(soak_primary(s)->srv, NULL);
    soak_reopen(soak_primary(s));
    s->no_tx = 0;
}

void soak_fault_kill_primary(struct soak *s)
{
    proc_sleep_ms(soak_between(s, 0, 300));
    server_kill(soak_primary(s)->srv);
    proc_sleep_ms(soak_between(s, 0, 1000));
    start_primary_again(s);
}

void soak_fault_kill_both(struct soak *s)
{
    bool us_first = soak_random(s, 2) == 0;
    if (us_first)
        daemon_kill(s->dm);
    server_kill(soak_primary(s)->srv);
    daemon_kill(s->dm);
    soak_check_dead_store(s);
    bool us_back_first = soak_random(s, 2) == 0;
    if (us_back_first)
        daemon_restart(s->dm);
    start_primary_again(s);
    if (!us_back_first)
        daemon_restart(s->dm);
}

void soak_fault_freeze_logtailerd(struct soak *s)
{
    daemon_signal(s->dm, SIGSTOP);
    proc_sleep_ms(soak_between(s, 100, 4000));
    daemon_signal(s->dm, SIGCONT);
}

void soak_fault_freeze_primary(struct soak *s)
{
    server_pause(soak_primary(s)->srv, true);
    proc_sleep_ms(soak_between(s, 100, 4000));
    server_pause(soak_primary(s)->srv, false);
}

/* What was acknowledged before the fence may still be on its way to the clients. */
static size_t wait_for_quiet(struct soak *s)
{
    enum { QUIET_MS = 500, MOST_MS = 10000 };
    uint64_t end = proc_now_ms() + MOST_MS;
    uint64_t since = proc_now_ms();
    size_t n = soak_confirmed(s);
    while (proc_now_ms() - since < QUIET_MS && proc_now_ms() < end) {
        proc_sleep_ms(10);
        size_t now = soak_confirmed(s);
        if (now != n)
            since = proc_now_ms();
        n = now;
    }
    return n;
}

void soak_fault_fence_and_kill(struct soak *s)
{
    static const char *const modes[] = {"drop", "hold", "auto"};
    json_t *answer = pair_command(s->dm, "fence --epoch 1 --mode %s the soak", modes[soak_random(s, 3)]);
    if (!json_is_true(json_object_get(answer, "persisted")))
        answer = (json_decref(answer), pair_fence(s->dm));
    json_decref(answer);
    size_t n = wait_for_quiet(s);
    daemon_kill(s->dm);
    soak_check_dead_store(s);
    daemon_restart(s->dm);
    if (!daemon_wait_state(s->dm, "fenced", SOAK_RECOVER_MS))
        soak_fail(s, "not fenced after kill -9");
    proc_sleep_ms(soak_between(s, 300, 1500));
    if (soak_confirmed(s) != n)
        soak_fail(s, "%zu rows were confirmed behind the fence", soak_confirmed(s) - n);
    answer = pair_command(s->dm, "unfence");
    if (!json_is_true(json_object_get(answer, "released")))
        soak_fail(s, "unfence: %s", pair_error(answer));
    json_decref(answer);
}

/* A key that is not there: refused, and nothing changes. */
static void break_config(const struct daemon *dm)
{
    FILE *f = fopen(dm->config, "ae");
    if (f == NULL || fputs("[store]\nnonsense=1\n", f) < 0 || fclose(f) != 0)
        proc_die_errno("%s", dm->config);
}

void soak_fault_reload(struct soak *s)
{
    char *before = proc_read_file(s->dm->config, NULL);
    for (unsigned i = soak_between(s, 1, 10); i > 0; i--) {
        bool bad = soak_random(s, 2) == 0;
        if (bad)
            break_config(s->dm);
        json_t *answer = pair_command(s->dm, "reload");
        if ((pair_error(answer)[0] != '\0') != bad)
            soak_fail(s, "reload of a %s configuration: error '%s'", bad ? "bad" : "good", pair_error(answer));
        json_decref(answer);
        proc_write_file(s->dm->config, before);
        daemon_signal(s->dm, SIGHUP);
    }
    free(before);
}
