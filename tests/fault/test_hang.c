/*
 * A disk that hangs in any file call of the writer is seen from outside, whichever call it is: the stamp stands while the call runs, and
 * is gone after it. Calls of other threads say nothing about the writer.
 */
#include "cunit_main.h"
#include "script.h"
#include "store/state.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct seen {
    struct store *s; /* NULL: not open yet */
    pthread_t writer;
    uint64_t stamped[VFS_OP_COUNT];
    uint64_t missed[VFS_OP_COUNT];
    uint64_t foreign;
    unsigned sleep_us; /* in the next write */
};

static void on_call(enum vfs_op op, void *arg)
{
    struct seen *seen = arg;

    if (seen->s == NULL)
        return;
    bool stamped = store_stat_busy_since(seen->s) != 0;
    if (!pthread_equal(pthread_self(), seen->writer)) {
        seen->foreign += stamped;
        return;
    }
    (stamped ? seen->stamped : seen->missed)[op]++;
    if (op == VFS_OP_PWRITE && seen->sleep_us > 0) {
        (void)usleep(seen->sleep_us);
        seen->sleep_us = 0;
    }
}

static void look(struct seen *seen, struct vfs_sim *sim, struct store *s)
{
    seen->s = s;
    seen->writer = pthread_self();
    vfs_sim_on_call(sim, on_call, seen);
}

static void expect_all(const struct seen *seen, const enum vfs_op *ops, size_t n)
{
    for (int op = 0; op < VFS_OP_COUNT; op++) {
        if (seen->missed[op] > 0)
            (void)fprintf(stderr, "%s: %llu calls were not seen\n", vfs_op_name((enum vfs_op)op),
                          (unsigned long long)seen->missed[op]);
        CU_ASSERT_EQUAL(seen->missed[op], 0);
    }
    for (size_t i = 0; i < n; i++) {
        if (seen->stamped[ops[i]] == 0)
            (void)fprintf(stderr, "%s was never called\n", vfs_op_name(ops[i]));
        CU_ASSERT_TRUE(seen->stamped[ops[i]] > 0);
    }
}

/* Stream, rotate, seal, sidecars, large batches, zeros ahead: all kinds of history. */
static void streaming(void)
{
    static const enum vfs_op ops[] = {VFS_OP_OPEN,      VFS_OP_CLOSE, VFS_OP_PWRITE,
                                      VFS_OP_FDATASYNC, VFS_OP_FSYNC, VFS_OP_WRITE_BACK,
                                      VFS_OP_FTRUNCATE, VFS_OP_MKDIR, VFS_OP_RENAME};
    struct seen seen = {0};

    for (unsigned flavour = 0; flavour < 8; flavour++) {
        struct vfs_sim *sim = vfs_sim_new(flavour + 1);
        struct script sc;
        struct lt_err err;
        struct store *s;
        uint64_t rng = flavour + 7;
        script_init(&sc, flavour, 4);
        CU_ASSERT_EQUAL_FATAL(test_open(vfs_sim_vfs(sim), true, &s, &err), 0);
        look(&seen, sim, s);
        CU_ASSERT_EQUAL(script_run(&sc, s, &rng, 1000000, &err), 0);
        CU_ASSERT_EQUAL(store_sync(s, &err), 0);
        while (store_idle(s))
            ;
        CU_ASSERT_EQUAL(store_stat_busy_since(s), 0);
        vfs_sim_on_call(sim, NULL, NULL);
        seen.s = NULL;
        store_close(s);
        script_fini(&sc);
        vfs_sim_free(sim);
    }
    expect_all(&seen, ops, sizeof ops / sizeof ops[0]);
}

/* What comes beside the stream: comparing, giving an event up, state files, the question for room, a repair. */
static void beside_the_stream(void)
{
    static const enum vfs_op ops[] = {VFS_OP_PREAD, VFS_OP_SIZE, VFS_OP_FS_INFO, VFS_OP_UNLINK, VFS_OP_RENAME};
    struct vfs_sim *sim = vfs_sim_new(3);
    struct seen seen = {0};
    struct binlog_gen g;
    struct lt_err err;
    uint64_t differs = 0;
    char *text = NULL;
    size_t len = 0;
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    look(&seen, sim, s);
    gen_init(&g, false, true);
    gen_file(&g, true);
    gen_txn(&g, 5000);
    CU_ASSERT_TRUE(test_feed(s, &g, 4, g.len));
    CU_ASSERT_EQUAL(store_sync(s, &err), 0);
    CU_ASSERT_EQUAL(store_compare(s, 4, g.data + 4, g.len - 4, &differs, &err), 0);
    CU_ASSERT_EQUAL(store_state_write(s, "fence", "x", 1, &err), 0);
    CU_ASSERT_EQUAL(store_state_read(s, "fence", 16, &text, &len, &err), 0);
    CU_ASSERT_EQUAL(store_reserve_fill(s, &err), 0);
    CU_ASSERT_TRUE(store_has_room(s));
    struct event_header h = {.type = EVENT_QUERY, .length = 4000000};
    CU_ASSERT_EQUAL(store_event_begin(s, &h, &err), 0);
    uint8_t *bytes = calloc(1, 2000000);
    CU_ASSERT_EQUAL(store_event_bytes(s, bytes, 2000000, &err), 0);
    CU_ASSERT_EQUAL(store_event_abort(s, &err), 0);
    vfs_sim_fail(sim, VFS_OP_PWRITE, 1, VFS_FAULT_ERROR, ENOSPC, false);
    CU_ASSERT_EQUAL(store_state_write(s, "source", "x", 1, &err), 0); /* the reserve is given up for it */
    vfs_sim_fail(sim, VFS_OP_FSYNC, 2, VFS_FAULT_ERROR, EIO, false);  /* of the folder */
    CU_ASSERT_NOT_EQUAL(store_segment_begin(s, TEST_FILE2, &err), 0);
    CU_ASSERT_EQUAL(store_repair(s, &err), 0);
    CU_ASSERT_EQUAL(store_stat_busy_since(s), 0);
    expect_all(&seen, ops, sizeof ops / sizeof ops[0]);
    vfs_sim_on_call(sim, NULL, NULL);
    store_close(s);
    free(bytes);
    free(text);
    gen_fini(&g);
    vfs_sim_free(sim);
}

static void *ask(void *arg)
{
    struct vfs_fs_info info;
    struct seen *seen = arg;

    return store_fs_info(seen->s, &info) == 0 ? arg : NULL;
}

static void *write_as_writer(void *arg)
{
    struct seen *seen = arg;
    struct lt_err err;

    store_writer_is_here(seen->s);
    seen->writer = pthread_self();
    return store_state_write(seen->s, "fence", "x", 1, &err) == 0 ? arg : NULL;
}

static void *run(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    void *ret = NULL;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, fn, arg), 0);
    (void)pthread_join(t, &ret);
    return ret;
}

static void only_the_writer_counts(void)
{
    struct vfs_sim *sim = vfs_sim_new(3);
    struct seen seen = {0};
    struct store *s = test_begin(vfs_sim_vfs(sim), false);

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    look(&seen, sim, s);
    uint64_t before = vfs_sim_calls(sim, VFS_OP_FS_INFO);
    CU_ASSERT_PTR_NOT_NULL(run(ask, &seen));
    CU_ASSERT_EQUAL(vfs_sim_calls(sim, VFS_OP_FS_INFO), before + 1);
    CU_ASSERT_EQUAL(seen.foreign, 0);
    /* another thread takes the writing over, and hangs for a moment */
    seen.sleep_us = STORE_SLOW_US + 10000;
    CU_ASSERT_EQUAL(store_stat_slow(s), 0);
    CU_ASSERT_PTR_NOT_NULL(run(write_as_writer, &seen));
    expect_all(&seen, (enum vfs_op[]){VFS_OP_PWRITE}, 1);
    CU_ASSERT_EQUAL(store_stat_slow(s), 1);
    vfs_sim_on_call(sim, NULL, NULL);
    store_close(s);
    vfs_sim_free(sim);
}

static const struct test_case cases[] = {
    {"every call of a stream", streaming},
    {"every call beside the stream", beside_the_stream},
    {"only the writer's calls, and the slow ones", only_the_writer_counts},
};

int main(void)
{
    return cunit_run("a disk that hangs", cases, sizeof cases / sizeof cases[0]);
}
