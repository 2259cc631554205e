/* Fence and unfence through the admin socket, over a disk that hangs, fills up and fails. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "fence_site.h"

static void test_fence_and_restart(void)
{
    struct site s;
    struct fence_state fs;
    site_begin(&s);
    CU_ASSERT_FALSE(site_closed(&s));
    json_t *answer = site_fence(&s, "fence --epoch 7 \"the primary\" died");
    CU_ASSERT_TRUE(site_closed(&s));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "source_id")), TEST_SOURCE);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "guarantee")), "weak");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "file")), "mysql-bin.000003");
    json_decref(answer);
    CU_ASSERT_TRUE(site_on_disk(&s, &fs));
    CU_ASSERT_STRING_EQUAL(fs.entries[0].reason, "the primary died");
    CU_ASSERT_EQUAL(fs.epoch, 7);
    fence_state_fini(&fs);
    site_expect(&s, "purge " TEST_FILE2, "fenced");
    site_down(&s);
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    CU_ASSERT_TRUE(site_closed(&s));
    site_expect(&s, "unfence --epoch 6", "stale_epoch");
    CU_ASSERT_TRUE(site_closed(&s));
    answer = site_ask(&s, "unfence --epoch 7");
    CU_ASSERT_TRUE(site_yes(answer, "released"));
    json_decref(answer);
    CU_ASSERT_FALSE(site_closed(&s));
    CU_ASSERT_EQUAL(site_fenced_on_disk(&s), 0);
    site_down(&s);
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    CU_ASSERT_FALSE(site_closed(&s));
    site_expect(&s, "fence --epoch 6 late", "stale_epoch");
    CU_ASSERT_FALSE(site_closed(&s));
    site_end(&s);
}

/* A source that never told who it is. */
static void test_before_any_source(void)
{
    struct site s;
    site_begin_empty(&s);
    json_t *answer = site_fence(&s, "fence nobody yet");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "source_id")), FENCE_ANY_SOURCE);
    json_decref(answer);
    CU_ASSERT_TRUE(gate_is_closed(&s.gate, ""));
    site_down(&s);
    CU_ASSERT_TRUE_FATAL(site_up(&s));
    CU_ASSERT_TRUE(gate_is_closed(&s.gate, ""));
    CU_ASSERT_TRUE(gate_is_closed(&s.gate, "whoever"));
    answer = site_ask(&s, "unfence " FENCE_ANY_SOURCE);
    CU_ASSERT_TRUE(site_yes(answer, "released"));
    json_decref(answer);
    CU_ASSERT_FALSE(gate_is_closed(&s.gate, ""));
    site_end(&s);
}

static void test_hung_disk(void)
{
    struct site s;
    site_begin(&s);
    site_set_hanging(true);
    uint64_t began = clock_mono_us();
    json_t *answer = site_ask(&s, "fence the disk hangs");
    CU_ASSERT(clock_mono_us() - began >= 1000000); /* it did wait for the disk */
    CU_ASSERT_TRUE(site_closed(&s));
    CU_ASSERT_FALSE(site_yes(answer, "persisted"));
    json_decref(answer);
    answer = site_ask(&s, "status");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "state")), "fenced");
    CU_ASSERT_FALSE(site_yes(json_object_get(answer, "fence"), "persisted"));
    json_decref(answer);
    /* A release that is not on disk is no release. */
    site_expect(&s, "unfence", "timeout");
    CU_ASSERT_TRUE(site_closed(&s));
    site_set_hanging(false);
    CU_ASSERT_TRUE(site_wait_persisted(&s));
    CU_ASSERT_EQUAL(site_fenced_on_disk(&s), 1);
    CU_ASSERT_TRUE(site_closed(&s));
    site_end(&s);
}

static void test_fence_wins_over_a_release(void)
{
    struct site s;
    site_begin(&s);
    json_decref(site_ask(&s, "fence first"));
    site_set_hanging(true);
    int release = site_send_line("unfence");
    for (int i = 0; i < 20; i++)
        (void)event_base_loop(s.base, EVLOOP_NONBLOCK);
    int fence = site_send_line("fence second");
    json_t *answer = site_receive(&s, release);
    CU_ASSERT_STRING_EQUAL(site_error_of(answer), "superseded");
    json_decref(answer);
    CU_ASSERT_TRUE(site_closed(&s));
    site_set_hanging(false);
    answer = site_receive(&s, fence);
    CU_ASSERT_TRUE(site_yes(answer, "already"));
    json_decref(answer);
    CU_ASSERT_TRUE(site_wait_persisted(&s));
    CU_ASSERT_EQUAL(site_fenced_on_disk(&s), 1);
    CU_ASSERT_TRUE(site_closed(&s));
    site_end(&s);
}

/* An id that was never fenced is a mistake, a release that comes twice is none: also after the next start. */
static void test_release_of_nobody(void)
{
    struct site s;
    site_begin(&s);
    site_expect(&s, "unfence TYPO", "not_found");
    json_decref(site_fence(&s, "fence first"));
    json_t *answer = site_ask(&s, "unfence TYPO");
    CU_ASSERT_STRING_EQUAL(site_error_of(answer), "not_found");
    const json_t *fenced = json_object_get(json_object_get(answer, "details"), "fenced");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(fenced, 0)), TEST_SOURCE);
    json_decref(answer);
    site_expect(&s, "unfence --epoch 9 TYPO", "not_found");
    CU_ASSERT_TRUE(site_closed(&s));
    json_decref(site_ask(&s, "unfence " TEST_SOURCE));
    CU_ASSERT_FALSE(site_closed(&s));
    for (int i = 0; i < 2; i++) {
        answer = site_ask(&s, "unfence " TEST_SOURCE);
        CU_ASSERT_TRUE(site_yes(answer, "already"));
        json_decref(answer);
        site_down(&s);
        CU_ASSERT_TRUE_FATAL(site_up(&s));
    }
    /* The epoch of the refused one counts for nothing. */
    answer = site_fence(&s, "fence --epoch 8 again");
    CU_ASSERT_PTR_NULL(json_object_get(answer, "error"));
    json_decref(answer);
    site_end(&s);
}

static void test_a_second_fence_says_what_stays(void)
{
    struct site s;
    site_begin(&s);
    json_t *answer = site_fence(&s, "fence --mode drop first");
    json_decref(answer);
    answer = site_ask(&s, "fence --mode drop first");
    CU_ASSERT_TRUE(json_is_null(json_object_get(answer, "kept")));
    json_decref(answer);
    answer = site_ask(&s, "fence --mode hold second");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "kept")),
                           "fenced before, and of that fence stay the reason and the mode: drop, \"first\"");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "reason")), "first");
    json_decref(answer);
    answer = site_ask(&s, "fence --mode hold first");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "kept")),
                           "fenced before, and of that fence stay the mode: drop, \"first\"");
    json_decref(answer);
    site_end(&s);
}

static void test_full_disk(void)
{
    struct site s;
    struct vfs_fs_info info;
    site_begin(&s);
    CU_ASSERT_EQUAL(store_fs_info(s.store, &info), 0);
    vfs_sim_set_space(s.sim, info.total_bytes - info.free_bytes);
    json_decref(site_fence(&s, "fence the disk is full"));
    CU_ASSERT_EQUAL(site_fenced_on_disk(&s), 1);
    site_end(&s);
}

/* Whatever file call fails: the gate is closed, and in the end it is on disk. */
static void test_every_file_call_fails(void)
{
    unsigned late = 0;
    for (uint64_t nth = 1;; nth++) {
        struct site s;
        site_begin(&s);
        vfs_sim_fail(s.sim, VFS_OP_ANY, nth, VFS_FAULT_ERROR, EIO, false);
        json_t *answer = site_ask(&s, "fence a call fails");
        CU_ASSERT_TRUE(site_closed(&s));
        late += !site_yes(answer, "persisted");
        json_decref(answer);
        CU_ASSERT_TRUE(site_wait_persisted(&s));
        CU_ASSERT_EQUAL(site_fenced_on_disk(&s), 1);
        bool met = vfs_sim_failed(s.sim);
        site_end(&s);
        if (!met || nth > 30)
            break;
    }
    (void)late; /* a retry may come before the answer */
}

static void test_a_write_that_never_succeeds(void)
{
    struct site s;
    site_begin(&s);
    vfs_sim_fail(s.sim, VFS_OP_RENAME, 1, VFS_FAULT_ERROR, EIO, true);
    json_t *answer = site_ask(&s, "fence nothing can be written");
    CU_ASSERT_FALSE(site_yes(answer, "persisted"));
    json_decref(answer);
    answer = site_ask(&s, "status");
    char *warnings = json_dumps(json_object_get(answer, "warnings"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(warnings, "fence_not_persisted"));
    free(warnings);
    json_decref(answer);
    site_expect(&s, "unfence", "disk_failed");
    CU_ASSERT_TRUE(site_closed(&s));
    vfs_sim_heal(s.sim);
    CU_ASSERT_TRUE(site_wait_persisted(&s));
    site_end(&s);
}

static void test_damaged_files(void)
{
    static const char *const names[] = {TEST_DIR "/fence", TEST_DIR "/source"};
    for (size_t i = 0; i < 2; i++) {
        struct site s;
        struct lt_err err = {0};
        site_begin(&s);
        site_down(&s);
        vfs_sim_put(s.sim, names[i], "{\"version\": 1", 13);
        s.base = event_base_new();
        gate_init(&s.gate);
        CU_ASSERT_EQUAL(test_open(vfs_sim_vfs(s.sim), false, &s.store, &err), 0);
        CU_ASSERT_EQUAL(site_open_ops(&s, &err), LT_ECORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "damaged"));
        CU_ASSERT_TRUE(site_closed(&s));
        store_close(s.store);
        event_base_free(s.base);
        gate_fini(&s.gate);
        vfs_sim_free(s.sim);
    }
}

static const struct test_case cases[] = {
    {"fence, restart, unfence, epochs", test_fence_and_restart},
    {"before any source is known", test_before_any_source},
    {"a disk that hangs", test_hung_disk},
    {"a fence wins over a release on its way", test_fence_wins_over_a_release},
    {"the release of nobody", test_release_of_nobody},
    {"a second fence says what stays", test_a_second_fence_says_what_stays},
    {"a full disk", test_full_disk},
    {"every file call fails", test_every_file_call_fails},
    {"a write that never succeeds", test_a_write_that_never_succeeds},
    {"damaged files", test_damaged_files},
};

int main(void)
{
    return site_main("fence_run", cases, sizeof cases / sizeof cases[0]);
}
