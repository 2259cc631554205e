/*
 * DIR/identity: made once, kept, made anew on another machine, never in silence over damage.
 */
#include "cunit_main.h"
#include "store/identity.h"
#include "store_test.h"

#define PATH TEST_DIR "/identity"

static void made_once(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct lt_err err;
    struct identity a;
    struct identity b;
    struct store *s;

    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(identity_load(s, 0, &a, &err), 0);
    CU_ASSERT_TRUE(a.server_id >= 0x20000000u && a.server_id <= 0x7fffffe0u && a.server_id % 32 == 0);
    CU_ASSERT_EQUAL(strlen(a.server_uuid), 36);
    CU_ASSERT_STRING_NOT_EQUAL(a.server_uuid, a.prove_uuid);
    CU_ASSERT_FALSE(a.renewed);
    a.dump_serial = 9;
    a.last_thread_id = 1ULL << 40;
    a.last_source_start_s = 1700000000;
    CU_ASSERT_EQUAL(identity_save(s, &a, &err), 0);
    store_close(s);
    vfs_sim_power_off(sim);
    vfs_sim_power_cut(sim);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(identity_load(s, 0, &b, &err), 0);
    CU_ASSERT_STRING_EQUAL(a.server_uuid, b.server_uuid);
    CU_ASSERT_STRING_EQUAL(a.prove_uuid, b.prove_uuid);
    CU_ASSERT_STRING_EQUAL(a.machine, b.machine);
    CU_ASSERT_TRUE(a.server_id == b.server_id && b.dump_serial == 9 && b.last_thread_id == 1ULL << 40);
    CU_ASSERT_EQUAL(b.last_source_start_s, 1700000000);
    CU_ASSERT_EQUAL(identity_load(s, 4242, &b, &err), 0);
    CU_ASSERT_EQUAL(b.server_id, 4242);
    CU_ASSERT_EQUAL(identity_load(s, 0, &b, &err), 0);
    CU_ASSERT_EQUAL(b.server_id, 4242);
    store_close(s);
    vfs_sim_free(sim);
}

static void renewed_elsewhere(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct lt_err err;
    struct identity a;
    struct identity b;
    struct store *s;

    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(identity_load(s, 0, &a, &err), 0);
    (void)snprintf(a.machine, sizeof a.machine, "another:one");
    a.last_thread_id = 77;
    CU_ASSERT_EQUAL(identity_save(s, &a, &err), 0);
    CU_ASSERT_EQUAL(identity_load(s, 0, &b, &err), 0);
    CU_ASSERT_TRUE(b.renewed);
    CU_ASSERT_STRING_NOT_EQUAL(a.server_uuid, b.server_uuid);
    CU_ASSERT_EQUAL(b.last_thread_id, 0);
    CU_ASSERT_EQUAL(identity_load(s, 0, &a, &err), 0);
    CU_ASSERT_FALSE(a.renewed);
    CU_ASSERT_STRING_EQUAL(a.server_uuid, b.server_uuid);
    store_close(s);
    vfs_sim_free(sim);
}

/* A host that was renamed is the same machine. */
static void renamed(void)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } pairs[] = {
        {"old:42af", "new:42af", true},
        {"old:42af", "old:42af", true},
        {"old:42af", "old:42b0", false},
        {"old:42af", "new:42b0", false},
        {"old:", "old:", true},
        {"old:", "new:", false},
        {"old:", "old:42af", false},
        {"", ":", false},
        {"old", "old", true},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        CU_ASSERT_EQUAL(identity_same_machine(pairs[i].a, pairs[i].b), pairs[i].same);
        CU_ASSERT_EQUAL(identity_same_machine(pairs[i].b, pairs[i].a), pairs[i].same);
    }
}

/* The id before is remembered where its ACKs may count: over a store that holds something, until it is said to be over, or it is back. */
static void former(void)
{
    for (int full = 0; full < 2; full++) {
        struct vfs_sim *sim = vfs_sim_new(1);
        struct lt_err err;
        struct identity a;
        struct identity b;
        struct store *s = NULL;
        if (full)
            s = test_begin(vfs_sim_vfs(sim), false);
        else
            CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        CU_ASSERT_EQUAL(identity_load(s, 0, &a, &err), 0);
        CU_ASSERT_EQUAL(a.former, full ? IDENTITY_FORMER_UNKNOWN : 0);
        a.former = 0;
        uint32_t first = a.server_id;
        (void)snprintf(a.machine, sizeof a.machine, "another:one");
        CU_ASSERT_EQUAL(identity_save(s, &a, &err), 0);
        CU_ASSERT_EQUAL(identity_load(s, 0, &b, &err), 0);
        CU_ASSERT_EQUAL(b.former, full ? first : 0);
        CU_ASSERT_EQUAL(identity_load(s, 4242, &b, &err), 0);
        CU_ASSERT_EQUAL(identity_load(s, 0, &b, &err), 0); /* after a restart too */
        CU_ASSERT_EQUAL(b.former, full ? first : 0);
        CU_ASSERT_EQUAL(identity_load(s, first, &b, &err), 0);
        CU_ASSERT_EQUAL(b.former, 0);
        CU_ASSERT_EQUAL(identity_load(s, 4242, &b, &err), 0);
        CU_ASSERT_EQUAL(b.former, full ? first : 0);
        store_close(s);
        vfs_sim_free(sim);
    }
}

static void damaged(void)
{
    static const char *const bad[] = {
        "", "x\n", "server_uuid=zz\n", "server_id=99999999999\n", "server_uuid=68b1e7ed-0102-0304-0506-0708090a0b0c\n",
    };
    struct vfs_sim *sim = vfs_sim_new(1);
    struct lt_err err;
    struct identity a;
    struct store *s;

    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vfs_sim_put(sim, PATH, bad[i], strlen(bad[i]));
        CU_ASSERT_EQUAL(identity_load(s, 0, &a, &err), LT_ECORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, PATH));
        CU_ASSERT_TRUE(test_file_is(sim, PATH, bad[i], strlen(bad[i])));
    }
    store_close(s);
    vfs_sim_free(sim);
}

static const struct test_case cases[] = {
    {"made once and kept", made_once},    {"made anew on another machine", renewed_elsewhere},
    {"a host that was renamed", renamed}, {"the id before", former},
    {"damage is told", damaged},
};

int main(void)
{
    return cunit_run("identity", cases, sizeof cases / sizeof cases[0]);
}
