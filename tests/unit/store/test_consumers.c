/* DIR/consumers: what a named consumer committed is kept whole or not at all; damage is told and hides nothing else. */
#include "cunit_main.h"
#include "store/consumers.h"
#include "store_test.h"

#define FOLDER TEST_DIR "/consumers"

static struct consumer_state state(const char *name, uint64_t offset)
{
    struct consumer_state c = {
        .lineage = 3, .source_id = TEST_SOURCE, .file = TEST_FILE, .offset = offset, .committed_us = 1700000000000000};
    (void)snprintf(c.name, sizeof c.name, "%s", name);
    return c;
}

static void test_names(void)
{
    static const char *const good[] = {"a", "A-z_0.9", "reports.2", "x.tmpx", "tmp"};
    static const char *const bad[] = {"", ".hidden", "a/b", "..", "a b", "a.tmp", "\xc3\xa4", "a\n"};
    char longest[CONSUMER_NAME_MAX + 2] = "";
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(consumer_name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(consumer_name_ok(bad[i]));
    memset(longest, 'n', CONSUMER_NAME_MAX);
    CU_ASSERT_TRUE(consumer_name_ok(longest));
    longest[CONSUMER_NAME_MAX] = 'n';
    CU_ASSERT_FALSE(consumer_name_ok(longest));
}

static void test_saved_and_loaded(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct lt_err err;
    struct store *s;
    struct consumer_state *list = NULL;
    size_t n = 0;
    size_t bad = 0;
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(consumer_load_all(s, &list, &n, &bad, &err), 0);
    CU_ASSERT(n == 0 && bad == 0);
    free(list);
    for (unsigned i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%u", i);
        struct consumer_state c = state(name, 4 + i);
        CU_ASSERT_EQUAL(consumer_save(s, &c, &err), 0);
    }
    struct consumer_state again = state("c7", 1ull << 40);
    CU_ASSERT_EQUAL(consumer_save(s, &again, &err), 0);
    store_close(s);
    vfs_sim_power_off(sim);
    vfs_sim_power_cut(sim);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(consumer_load_all(s, &list, &n, &bad, &err), 0);
    CU_ASSERT(n == 40 && bad == 0);
    for (size_t i = 0; i < n; i++) {
        unsigned long number = strtoul(list[i].name + 1, NULL, 10);
        CU_ASSERT_EQUAL(list[i].offset, number == 7 ? 1ull << 40 : 4 + number);
        CU_ASSERT(list[i].lineage == 3 && list[i].committed_us == 1700000000000000);
        CU_ASSERT_STRING_EQUAL(list[i].source_id, TEST_SOURCE);
        CU_ASSERT_STRING_EQUAL(list[i].file, TEST_FILE);
    }
    free(list);
    store_close(s);
    vfs_sim_free(sim);
}

static void test_refused(void)
{
    struct vfs_sim *sim = vfs_sim_new(1);
    struct lt_err err;
    struct store *s;
    struct consumer_state bad_name = state("a/b", 4);
    struct consumer_state bad_file = state("a", 4);
    memset(bad_file.file, 0, sizeof bad_file.file);
    CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
    CU_ASSERT_EQUAL(consumer_save(s, &bad_name, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(consumer_save(s, &bad_file, &err), LT_EINVAL);
    store_close(s);
    vfs_sim_free(sim);
}

static void test_damaged(void)
{
    static const char *const bad[] = {
        "",
        "no equals sign\n",
        "lineage=0\nfile=" TEST_FILE "\noffset=4\n",
        "lineage=x\nfile=" TEST_FILE "\noffset=4\n",
        "lineage=1\nfile=\noffset=4\n",
        "lineage=1\nfile=a/b\noffset=4\n",
        "lineage=1\nfile=" TEST_FILE "\noffset=3\n",
        "lineage=1\nfile=" TEST_FILE "\noffset=-4\n",
        "lineage=1\nfile=" TEST_FILE "\noffset=4\ncommitted_us=soon\n",
        "lineage=1\nfile=" TEST_FILE "\noffset=4\nsource_id="
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n",
    };
    static const char future[] = "lineage=1\nfile=" TEST_FILE "\noffset=4\nnot_yet_known=1\n";
    struct lt_err err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vfs_sim *sim = vfs_sim_new(1);
        struct store *s;
        struct consumer_state *list = NULL;
        size_t n = 0;
        size_t n_bad = 0;
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        vfs_sim_put(sim, FOLDER "/damaged", bad[i], strlen(bad[i]));
        vfs_sim_put(sim, FOLDER "/future", future, strlen(future));
        vfs_sim_put(sim, FOLDER "/half.tmp", "lin", 3);
        CU_ASSERT_EQUAL(consumer_load_all(s, &list, &n, &n_bad, &err), 0);
        CU_ASSERT(n == 1 && n_bad == 1);
        if (n == 1)
            CU_ASSERT_STRING_EQUAL(list[0].name, "future");
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "damaged"));
        free(list);
        store_close(s);
        vfs_sim_free(sim);
    }
}

/* Every file call of a save fails in turn, then the power is cut: the old position or the new one. */
static void test_every_call_fails(void)
{
    for (uint64_t nth = 1; nth < 20; nth++) {
        struct vfs_sim *sim = vfs_sim_new(nth);
        struct lt_err err;
        struct store *s;
        struct consumer_state *list = NULL;
        size_t n = 0;
        size_t bad = 0;
        struct consumer_state before = state("c", 100);
        struct consumer_state after = state("c", 200);
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        CU_ASSERT_EQUAL(consumer_save(s, &before, &err), 0);
        vfs_sim_fail(sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, nth % 2 == 0 ? 5 : 28, false);
        int rc = consumer_save(s, &after, &err);
        vfs_sim_heal(sim);
        store_close(s);
        vfs_sim_power_off(sim);
        vfs_sim_power_cut(sim);
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(sim), false, &s, &err), 0);
        vfs_sim_fail(sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, 5, false);
        if (consumer_load_all(s, &list, &n, &bad, &err) == 0 && n == 1)
            CU_ASSERT(list[0].offset == 200 || (rc != 0 && list[0].offset == 100));
        free(list);
        list = NULL;
        vfs_sim_heal(sim);
        CU_ASSERT_EQUAL(consumer_load_all(s, &list, &n, &bad, &err), 0);
        CU_ASSERT(n == 1 && bad == 0);
        CU_ASSERT(n == 1 && (list[0].offset == 200 || (rc != 0 && list[0].offset == 100)));
        free(list);
        store_close(s);
        CU_ASSERT_EQUAL(vfs_sim_open_fds(sim), 0);
        vfs_sim_free(sim);
    }
}

static const struct test_case cases[] = {
    {"names", test_names},
    {"saved and loaded", test_saved_and_loaded},
    {"refused", test_refused},
    {"damage is told and hides nothing", test_damaged},
    {"every file call fails in turn", test_every_call_fails},
};

int main(void)
{
    return cunit_run("consumers", cases, sizeof cases / sizeof cases[0]);
}
