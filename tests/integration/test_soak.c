/*
 * Random faults for a while, all the questions after each one. LT_SOAK_SECONDS says how long (LT_FULL=1: an hour), LT_SEED replays a run's
 * choices, LT_SOAK_WITHOUT leaves faults out by hand (names from the table, and "large rows", "lying times"; commas between).
 */
#include "soak.h"

#include <sys/random.h>

enum { SECONDS = 22, FULL_SECONDS = 3600, ENOUGH_COMMITS = 16, FIRST_COMMITS = 50, CALM_MS = 600 };

struct tally {
    unsigned faults;
    uint64_t longest_ms;
    const char *longest;
};

static uint64_t choose_seed(void)
{
    const char *set = secure_getenv("LT_SEED");
    uint32_t seed = 0;
    if (set != NULL)
        return strtoull(set, NULL, 10);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        proc_die_errno("getrandom");
    return seed;
}

static unsigned seconds(void)
{
    const char *set = secure_getenv("LT_SOAK_SECONDS");
    return set != NULL ? (unsigned)strtoul(set, NULL, 10) : rig_rounds(SECONDS, FULL_SECONDS);
}

/* Commits are acknowledged again, and logtailerd says so. */
static void wait_recovered(struct soak *s)
{
    uint64_t end = proc_now_ms() + SOAK_RECOVER_MS;
    size_t enough = soak_confirmed(s) + ENOUGH_COMMITS;
    int status = 0;
    bool streaming = daemon_wait_state(s->dm, "streaming", SOAK_RECOVER_MS);
    while (streaming && soak_confirmed(s) < enough && proc_now_ms() < end) {
        server_must_live(soak_primary(s)->srv);
        proc_sleep_ms(5);
    }
    if (daemon_exited(s->dm, 0, &status))
        soak_fail(s, "logtailerd ended by itself with status %d", status);
    else if (!streaming)
        soak_fail(s, "not streaming within %d ms", SOAK_RECOVER_MS);
    else if (soak_confirmed(s) < enough)
        soak_fail(s, "streaming, but no commit returns");
}

static void one_fault(struct soak *s, const struct soak_fault *fault, struct tally *tally)
{
    proc_sleep_ms(soak_between(s, 0, CALM_MS)); /* the writers at their full speed, all the rest at peace */
    uint64_t began = proc_now_ms();
    printf("  %6.1f s  %-24s", (double)(began - s->began_ms) / 1000, fault->name);
    (void)fflush(stdout);
    fault->run(s);
    uint64_t over = proc_now_ms();
    if (!s->failed)
        wait_recovered(s);
    uint64_t took = proc_now_ms() - over;
    if (!s->failed && fault->unprotected)
        s->no_tx = sql_semi_status(soak_primary(s)->root, "no_tx");
    if (!s->failed)
        soak_check(s);
    if (!s->failed)
        soak_trim(s);
    tally->faults++;
    if (took >= tally->longest_ms) {
        tally->longest_ms = took;
        tally->longest = fault->name;
    }
    printf(" %5.1f s  acknowledging again in %4.1f s  %zu confirmed\n", (double)(over - began) / 1000,
           (double)took / 1000, soak_confirmed(s));
    (void)fflush(stdout);
}

/* Each fault once, in any order. */
static void shuffle(struct soak *s, size_t *order)
{
    for (size_t i = 0; i < soak_fault_count; i++) {
        size_t k = (size_t)soak_random(s, i + 1);
        order[i] = order[k];
        order[k] = i;
    }
}

static void run(struct soak *s, unsigned for_s, struct tally *tally)
{
    size_t *order = calloc(soak_fault_count, sizeof *order);
    if (order == NULL)
        proc_die("out of memory");
    while (!s->failed) {
        shuffle(s, order);
        for (size_t i = 0; i < soak_fault_count && !s->failed; i++) {
            if (proc_now_ms() - s->began_ms >= for_s * 1000ULL)
                goto out;
            if (soak_with(soak_faults[order[i]].name))
                one_fault(s, &soak_faults[order[i]], tally);
        }
    }
out:
    free(order);
}

/* Nothing is written any more: all of it, and by the flavour's own tool. */
static void check_the_end(struct soak *s)
{
    char file[256];
    uint64_t offset = 0;
    soak_stop_writers(s, SOAK_RECOVER_MS);
    soak_check(s);
    if (!s->failed &&
        (!daemon_position(s->dm, file, sizeof file, &offset) || !binlogs_all_readable(flavor, s->dm->dir, offset)))
        soak_fail(s, "the server's tool does not read the store");
}

static void test_soak(void)
{
    struct soak s;
    struct tally tally = {0};
    uint64_t seed = choose_seed();
    printf("\n  %s, LT_SEED=%llu\n", server_flavor_name(flavor), (unsigned long long)seed);
    (void)fflush(stdout);
    soak_start(&s, seed);
    CU_ASSERT_TRUE(writers_wait_oked(s.wr, FIRST_COMMITS, RIG_WAIT_MS));
    run(&s, seconds(), &tally);
    if (!s.failed)
        check_the_end(&s);
    printf("  %u faults in %llu s, %zu confirmed commits, longest until acknowledging again %.1f s (%s), seed %llu: "
           "%s\n  ",
           tally.faults, (unsigned long long)(proc_now_ms() - s.began_ms) / 1000, soak_confirmed(&s),
           (double)tally.longest_ms / 1000, tally.longest != NULL ? tally.longest : "none", (unsigned long long)seed,
           s.failed ? "VIOLATED" : "nothing lost");
    soak_end(&s);
}

static const struct test_case cases[] = {
    {"random faults", test_soak},
};

int main(int argc, char **argv)
{
    (void)disk_private_mounts();
    return rig_main(argc, argv, "soak", cases, sizeof cases / sizeof cases[0]);
}
