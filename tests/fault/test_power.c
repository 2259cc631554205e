/*
 * Power cuts at random moments: after each, the store opens, holds all it had reported durable, holds nothing else than what it was
 * given, and goes on to the end of the stream.
 */
#include "cunit_main.h"
#include "script.h"

static unsigned rounds(void)
{
    const char *full = getenv("LT_FULL"); // NOLINT(concurrency-mt-unsafe): one thread

    return full != NULL && strcmp(full, "1") == 0 ? 10000 : 1000;
}

#define LARGE_UNSYNCED (96u * 1024u) /* to large events of the script what 64 MiB are to events of 1 GiB */

struct cut {
    struct vfs_sim *sim;
    uint64_t in; /* calls until the power goes */
};

static void on_call(enum vfs_op op, void *arg)
{
    struct cut *c = arg;

    (void)op;
    if (c->in > 0 && --c->in == 0)
        vfs_sim_power_off(c->sim);
}

/* One life: open, check, run until the power goes. Returns false on a broken promise. */
static bool live(struct script *sc, struct cut *c, bool prewrite, uint64_t unsynced_max, uint64_t *rng, bool *ret_done)
{
    struct store *s;
    struct lt_err err;
    bool ok = true;

    c->in = 1 + script_random(rng) % 300;
    if (test_open_max(vfs_sim_vfs(c->sim), prewrite, unsynced_max, &s, &err) == 0) {
        uint64_t in = c->in;
        c->in = 0;                           /* the check itself is not part of the story */
        ok = in == 0 || script_check(sc, s); /* 0: it went dark in a close() at the end of open */
        c->in = in;
        script_note(sc, s); /* what recovery synced is durable too */
        if (ok && script_run(sc, s, rng, 1000000, &err) == 0 && store_sync(s, &err) == 0) {
            script_note(sc, s);
            *ret_done = script_complete(sc, s);
        }
        c->in = 0;
        vfs_sim_power_off(c->sim);
        store_close(s);
    } else if (err.sys_errno != 5 /* EIO: the power went while it opened */) {
        (void)fprintf(stderr, "open: %s\n", err.text);
        ok = false;
    }
    if (script_random(rng) % 8 == 0)
        vfs_sim_process_death(c->sim);
    else
        vfs_sim_power_cut(c->sim);
    return ok;
}

static void cuts(void)
{
    unsigned done = 0;
    unsigned n = rounds();

    for (uint64_t seed = 1; done < n; seed++) {
        uint64_t rng = seed * 7919;
        struct script sc;
        struct cut c = {.sim = vfs_sim_new(seed)};
        bool complete = false;
        bool ok = true;

        /* every fourth with large events, which are synced in their middle; every other with two lineages */
        bool large = seed / 16 % 4 == 0;
        script_init(&sc, (unsigned)seed % 4 + (large ? 4 : 0) + (seed / 8 % 2 != 0 ? 8 : 0), seed);
        vfs_sim_on_call(c.sim, on_call, &c);
        for (int lives = 0; ok && !complete && lives < 1000; lives++, done++)
            ok = live(&sc, &c, seed / 4 % 2, large ? LARGE_UNSYNCED : 0, &rng, &complete);
        if (!ok)
            (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        CU_ASSERT_TRUE(ok);
        CU_ASSERT_EQUAL(vfs_sim_open_fds(c.sim), 0);
        vfs_sim_free(c.sim);
        script_fini(&sc);
        if (!ok)
            return;
    }
    (void)printf("%u power cuts ", done);
}

static const struct test_case cases[] = {
    {"nothing that was reported durable is ever lost", cuts},
};

int main(void)
{
    return cunit_run("power cuts", cases, sizeof cases / sizeof cases[0]);
}
