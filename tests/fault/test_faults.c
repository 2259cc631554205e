/*
 * Every file call in turn fails, once or for ever, in every way a disk has: nothing is reported durable after a failure, a repair or a
 * new start brings back all that was, and the stream then goes on to its end.
 */
#include "cunit_main.h"
#include "script.h"

#include <errno.h>

struct fault {
    const char *name;
    enum vfs_op op;
    enum vfs_fault_kind kind;
    int error;
    bool forever;
};

static const struct fault faults[] = {
    {"EIO once", VFS_OP_ANY, VFS_FAULT_ERROR, EIO, false},
    {"EIO for ever", VFS_OP_ANY, VFS_FAULT_ERROR, EIO, true},
    {"ENOSPC of a write", VFS_OP_PWRITE, VFS_FAULT_ERROR, ENOSPC, false},
    {"ENOSPC of writes for ever", VFS_OP_PWRITE, VFS_FAULT_ERROR, ENOSPC, true},
    {"ENOSPC of open", VFS_OP_OPEN, VFS_FAULT_ERROR, ENOSPC, false},
    {"short write", VFS_OP_PWRITE, VFS_FAULT_SHORT, EIO, false},
    {"torn write", VFS_OP_PWRITE, VFS_FAULT_TORN, EIO, false},
    {"torn write, no space", VFS_OP_PWRITE, VFS_FAULT_TORN, ENOSPC, false},
    {"fdatasync drops the pages", VFS_OP_FDATASYNC, VFS_FAULT_DROP_SYNC, EIO, false},
    {"fdatasync drops the pages, for ever", VFS_OP_FDATASYNC, VFS_FAULT_DROP_SYNC, EIO, true},
    {"fdatasync spoils the pages", VFS_OP_FDATASYNC, VFS_FAULT_SPOIL_SYNC, EIO, false},
    {"fdatasync: no space", VFS_OP_FDATASYNC, VFS_FAULT_DROP_SYNC, ENOSPC, false},
    {"fsync drops the pages", VFS_OP_FSYNC, VFS_FAULT_DROP_SYNC, EIO, false},
};

struct run {
    struct vfs_sim *sim;
    struct script sc;
    const struct fault *fault;
    uint64_t nth;
    bool prewrite;
    bool ok;
};

static void expect(struct run *r, bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "%s, call %llu: %s\n", r->fault->name, (unsigned long long)r->nth, what);
    r->ok = false;
}
#define EXPECT(run, cond) expect(run, cond, #cond)

static unsigned repaired;

/* A broken store takes nothing and says nothing new. */
static void check_broken(struct run *r, struct store *s)
{
    struct lt_err err;

    script_note(&r->sc, s); /* syncs that went well before the failure, within one call */
    struct script before = r->sc;
    EXPECT(r, store_sync(s, &err) == LT_ESYNC);
    EXPECT(r, store_segment_begin(s, "mysql-bin.000009", &err) == LT_ESYNC);
    EXPECT(r, store_event_abort(s, &err) == LT_ESYNC);
    script_note(&r->sc, s);
    EXPECT(r, before.file == r->sc.file && before.watermark == r->sc.watermark && before.durable == r->sc.durable);
}

/* Of room, descriptors, memory: never a doubt about durability. */
static bool is_lack(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* Run to the end, repairing as the daemon would. False: a repair failed, start anew. */
static bool run_and_repair(struct run *r, struct store *s, uint64_t *rng)
{
    struct lt_err err;

    for (int tries = 0; tries < 5; tries++) {
        int rc = script_run(&r->sc, s, rng, 1000000, &err);
        if (rc == 0)
            rc = store_sync(s, &err);
        if (rc == 0) {
            script_note(&r->sc, s);
            EXPECT(r, script_complete(&r->sc, s));
            return true;
        }
        EXPECT(r, store_is_broken(s));
        check_broken(r, s);
        rc = store_repair(s, &err);
        if (store_only_lacks(rc)) { /* nothing is lost or shown; it comes, and all goes on in the same life */
            EXPECT(r, is_lack(r->fault->error));
            check_broken(r, s);
            vfs_sim_heal(r->sim);
            rc = store_repair(s, &err);
            EXPECT(r, rc == 0);
        }
        EXPECT(r, rc == 0 || !is_lack(r->fault->error));
        if (rc < 0) {
            EXPECT(r, rc == LT_ESYNC && store_is_broken(s) && store_repair(s, &err) == LT_ESYNC);
            return false;
        }
        repaired++;
        if (r->fault->forever) /* what reads and checks must not meet it */
            vfs_sim_heal(r->sim);
        EXPECT(r, store_unsynced(s) == 0 && script_check(&r->sc, s));
    }
    expect(r, false, "repaired too often");
    return false;
}

static void lives(struct run *r, uint64_t *rng)
{
    bool done = false;

    for (int life = 0; r->ok && !done; life++) {
        struct store *s;
        struct lt_err err;
        int rc = test_open(vfs_sim_vfs(r->sim), r->prewrite, &s, &err);
        if (rc == 0) {
            if (life > 0)
                EXPECT(r, script_check(&r->sc, s));
            done = run_and_repair(r, s, rng);
            store_close(s);
        } else {
            EXPECT(r, vfs_sim_failed(r->sim) && rc != LT_ECORRUPT);
        }
        EXPECT(r, life < 3);
        vfs_sim_heal(r->sim);
        EXPECT(r, vfs_sim_open_fds(r->sim) == 0);
        if (script_random(rng) % 2 == 0) {
            vfs_sim_power_off(r->sim);
            vfs_sim_power_cut(r->sim);
        } else {
            vfs_sim_process_death(r->sim);
        }
    }
    struct store *s;
    struct lt_err err;
    EXPECT(r, test_open(vfs_sim_vfs(r->sim), r->prewrite, &s, &err) == 0);
    if (r->ok)
        EXPECT(r, script_check(&r->sc, s) && script_complete(&r->sc, s));
    store_close(s);
}

/* False when the call to fail was never made: the series is through. */
static bool one(const struct fault *fault, uint64_t nth, unsigned flavour, bool prewrite, bool *ret_ok)
{
    uint64_t rng = flavour + 77;
    struct run r = {.sim = vfs_sim_new(nth), .fault = fault, .nth = nth, .prewrite = prewrite, .ok = true};

    script_init(&r.sc, flavour, 4);
    vfs_sim_fail(r.sim, fault->op, nth, fault->kind, fault->error, fault->forever);
    lives(&r, &rng);
    bool met = vfs_sim_failed(r.sim);
    *ret_ok = r.ok;
    script_fini(&r.sc);
    vfs_sim_free(r.sim);
    return met;
}

static const struct fault early_faults[] = {
    {"write-back refused", VFS_OP_WRITE_BACK, VFS_FAULT_ERROR, EOPNOTSUPP, true},
    {"write-back drops the pages", VFS_OP_WRITE_BACK, VFS_FAULT_DROP_SYNC, EIO, false},
    {"write-back spoils the pages", VFS_OP_WRITE_BACK, VFS_FAULT_SPOIL_SYNC, EIO, false},
    {"write-back finds no space", VFS_OP_WRITE_BACK, VFS_FAULT_DROP_SYNC, ENOSPC, false},
    {"a write of a large batch fails", VFS_OP_PWRITE, VFS_FAULT_TORN, EIO, false},
};

/* Large batches, of which much was sent on to the disk before the sync: the sync must hear of what was lost on that way. */
static void early_write_back(void)
{
    unsigned long runs = 0;
    unsigned before = repaired;

    for (size_t f = 0; f < sizeof early_faults / sizeof early_faults[0]; f++) {
        for (unsigned flavour = 4; flavour < 8; flavour++) {
            uint64_t step = early_faults[f].op == VFS_OP_PWRITE ? 9 : 1;
            bool ok = true;
            for (uint64_t nth = 1; ok && one(&early_faults[f], nth, flavour, flavour == 5, &ok); nth += step)
                runs++;
            CU_ASSERT_TRUE(ok);
        }
    }
    CU_ASSERT_TRUE(runs > 40);
    CU_ASSERT_TRUE(repaired - before > 20);
    (void)printf("%lu faults, %u repairs ", runs, repaired - before);
}

/* LT_FULL=1: at every call; else at each so manieth. */
static uint64_t step_of(uint64_t sampled)
{
    const char *full = getenv("LT_FULL"); // NOLINT(concurrency-mt-unsafe): one thread
    return full != NULL && strcmp(full, "1") == 0 ? 1 : sampled;
}

static void all_calls(void)
{
    uint64_t step = step_of(3);
    unsigned long runs = 0;

    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        for (unsigned flavour = 0; flavour < 8; flavour++) {
            bool ok = true;
            for (uint64_t nth = 1 + (f + flavour) % step; ok && one(&faults[f], nth, flavour % 4, flavour / 4, &ok);
                 nth += step)
                runs++;
            CU_ASSERT_TRUE(ok);
        }
    }
    CU_ASSERT_TRUE(repaired > 100);
    (void)printf("%lu faults, %u repairs ", runs, repaired);
}

static const struct fault full_faults[] = {
    {"no space at any call", VFS_OP_ANY, VFS_FAULT_ERROR, ENOSPC, false},
    {"no space from a call on", VFS_OP_ANY, VFS_FAULT_ERROR, ENOSPC, true},
    {"quota from a write on", VFS_OP_PWRITE, VFS_FAULT_ERROR, EDQUOT, true},
    {"no descriptor at an open", VFS_OP_OPEN, VFS_FAULT_ERROR, EMFILE, false},
    {"no descriptor from an open on", VFS_OP_OPEN, VFS_FAULT_ERROR, EMFILE, true},
    {"none on the machine from an open on", VFS_OP_OPEN, VFS_FAULT_ERROR, ENFILE, true},
    {"no memory from a call on", VFS_OP_ANY, VFS_FAULT_ERROR, ENOMEM, true},
};

/* What lacks is never a doubt about durability: with and without checksums, in one lineage and in two, at every call of a start and of a run. */
static void full_at_every_call(void)
{
    uint64_t step = step_of(7);
    unsigned long runs = 0;

    for (size_t f = 0; f < sizeof full_faults / sizeof full_faults[0]; f++) {
        for (unsigned i = 0; i < 4; i++) {
            static const unsigned flavours[] = {0, 2, 8, 11};
            bool ok = true;
            for (uint64_t nth = 1 + i; ok && one(&full_faults[f], nth, flavours[i], i == 0, &ok); nth += step)
                runs++;
            CU_ASSERT_TRUE(ok);
        }
    }
    CU_ASSERT_TRUE(runs > 100);
    (void)printf("%lu faults ", runs);
}

/* The disk fills up, and has room again later. */
static void disk_full(void)
{
    struct vfs_sim *sim = vfs_sim_new(3);
    struct script sc;
    struct lt_err err;
    uint64_t rng = 5;
    struct store *s;

    script_init(&sc, 0, 9);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), true, &s, &err), 0);
    vfs_sim_set_space(sim, 3000);
    int rc = script_run(&sc, s, &rng, 1000000, &err);
    CU_ASSERT_EQUAL(rc, LT_EFULL);
    CU_ASSERT_TRUE(store_is_broken(s));
    CU_ASSERT_FALSE(store_has_room(s));
    CU_ASSERT_EQUAL(store_repair(s, &err), 0);
    CU_ASSERT_TRUE(script_check(&sc, s));
    vfs_sim_set_space(sim, UINT64_MAX);
    CU_ASSERT_TRUE(store_has_room(s));
    CU_ASSERT_EQUAL(script_run(&sc, s, &rng, 1000000, &err), 0);
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_TRUE(script_complete(&sc, s) && script_check(&sc, s));
    store_close(s);
    script_fini(&sc);
    vfs_sim_free(sim);
}

/* The page that holds the watermark was lost by the failed sync: the repair writes it again, and without it the read-back tells. */
static void repair_rewrites_the_page(void)
{
    struct vfs_sim *sim = vfs_sim_new(3);
    struct binlog_gen g;
    struct lt_err err;
    const uint8_t *data;
    size_t len;

    for (int direct = 0; direct < 2; direct++) {
        vfs_sim_set_fs(sim, "sim", false, direct);
        vfs_sim_remove(sim, TEST_LINEAGE "/" TEST_FILE);
        struct store *s;
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT_EQUAL(direct || store_lineage_begin(s, TEST_SOURCE, &err) == 0, 1);
        CU_ASSERT_EQUAL(store_segment_begin(s, TEST_FILE, &err), 0);
        gen_init(&g, false, true);
        gen_file(&g, true);
        gen_txn(&g, 5000);
        size_t synced = g.len;
        CU_ASSERT_TRUE(test_feed(s, &g, 4, synced));
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        gen_txn(&g, 5000);
        CU_ASSERT_TRUE(test_feed(s, &g, synced, g.len));
        vfs_sim_fail(sim, VFS_OP_FDATASYNC, 1, VFS_FAULT_SPOIL_SYNC, EIO, false);
        CU_ASSERT_EQUAL(store_sync(s, &err), LT_ESYNC);
        CU_ASSERT_EQUAL(store_repair(s, &err), 0);
        CU_ASSERT_TRUE(vfs_sim_get_durable(sim, TEST_LINEAGE "/" TEST_FILE, &data, &len));
        CU_ASSERT_TRUE(len == synced && memcmp(data, g.data, len) == 0);
        /* a device that loses writes in silence is found by reading back */
        CU_ASSERT_TRUE(test_feed(s, &g, synced, g.len));
        vfs_sim_fail(sim, VFS_OP_FDATASYNC, 1, VFS_FAULT_DROP_SYNC, EIO, false);
        CU_ASSERT_EQUAL(store_sync(s, &err), LT_ESYNC);
        vfs_sim_heal(sim);
        vfs_sim_fail(sim, VFS_OP_PREAD, 1, VFS_FAULT_ERROR, EIO, false);
        CU_ASSERT_EQUAL(store_repair(s, &err), LT_ESYNC);
        vfs_sim_heal(sim);
        store_close(s);
        gen_fini(&g);
    }
    CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
    vfs_sim_free(sim);
}

static const struct test_case cases[] = {
    {"every call fails once", all_calls},
    {"a large batch: early write-back fails", early_write_back},
    {"no space at every call", full_at_every_call},
    {"disk full, and room again", disk_full},
    {"the watermark's page is written again and read back", repair_rewrites_the_page},
};

int main(void)
{
    return cunit_run("faults", cases, sizeof cases / sizeof cases[0]);
}
