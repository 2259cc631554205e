/*
 * Alarms about this process, its disk and its place, each provoked for real in a running logtailerd: raised, and cleared when the cause is gone.
 * The disk's faults are the library's in every place where tests run: what is asked here is the daemon, not the file system.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/listen.h"
#include "disk.h"
#include "fake_rig.h"
#include "watching.h"

enum { HONEST_US = 500 };

static void begin_on(struct fake_rig *r, struct disk *disk)
{
    char *dir = proc_fmt("%s/store", disk_dir(disk));
    disk_sync_takes(disk, HONEST_US);
    fake_rig_start_primary(r, NULL);
    fake_rig_start_daemon_on(r, dir, disk_wrapper(disk), NULL);
    CU_ASSERT_TRUE(fake_rig_wait_state(r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(r));
    free(dir);
}

static void end_on(struct fake_rig *r, struct disk *disk)
{
    CU_ASSERT_TRUE(fake_rig_identical(r));
    fake_rig_end(r);
    disk_free(disk);
}

/* The log has said of it that it is there, and how it ended. */
static void check_logged(struct fake_rig *r, const char *code, bool over)
{
    char *raised = proc_fmt(" warn ops %s: ", code);
    char *cleared = proc_fmt(" notice ops %s: over", code);
    CU_ASSERT_TRUE(daemon_log_contains(r->rig.dm, raised));
    CU_ASSERT_EQUAL(daemon_log_contains(r->rig.dm, cleared), over);
    free(cleared);
    free(raised);
}

/* Commits until the warning is there, or is not. */
static bool commit_until(struct fake_rig *r, const char *code, bool there)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(100)) {
        if (watching_has(&r->rig, code, NULL) == there)
            return true;
        for (int i = 0; i < 20; i++)
            CU_ASSERT_TRUE(fake_rig_commit(r));
    }
    return false;
}

/* Syncs come back at once, and nothing is written; then the disk is honest again. */
static void test_a_disk_that_lies(void)
{
    struct fake_rig r;
    struct disk *disk = disk_new(64);
    begin_on(&r, disk);
    for (int i = 0; i < 60; i++)
        CU_ASSERT_TRUE(fake_rig_commit(&r));
    proc_sleep_ms(1000); /* two judgements */
    CU_ASSERT_FALSE(watching_has(&r.rig, "storage_lies", NULL));
    disk_lie(disk, true);
    CU_ASSERT_TRUE(commit_until(&r, "storage_lies", true));
    check_logged(&r, "storage_lies", false);
    disk_lie(disk, false);
    CU_ASSERT_TRUE(commit_until(&r, "storage_lies", false));
    check_logged(&r, "storage_lies", true);
    end_on(&r, disk);
}

static void test_a_disk_that_hangs_for_a_moment(void)
{
    struct fake_rig r;
    struct disk *disk = disk_new(64);
    begin_on(&r, disk);
    disk_freeze(disk);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 1000});
    CU_ASSERT_TRUE(watching_raised(&r.rig, "storage_delays", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_raised(&r.rig, "storage_slow", RIG_WAIT_MS));
    disk_thaw(disk);
    CU_ASSERT_TRUE(fake_wait_ack(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "storage_slow", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "storage_delays", RIG_WAIT_MS));
    check_logged(&r, "storage_slow", true);
    check_logged(&r, "storage_delays", true);
    end_on(&r, disk);
}

/* The fence holds, and cannot be written down before there is room. */
static void test_a_fence_that_is_not_persisted(void)
{
    struct fake_rig r;
    struct disk *disk = disk_new(64);
    begin_on(&r, disk);
    disk_fill(disk, 0);
    json_t *answer = daemon_command_within(r.rig.dm, "fence no room", RIG_WAIT_MS);
    CU_ASSERT_TRUE(json_is_false(json_object_get(answer, "persisted")));
    json_decref(answer);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "fence_not_persisted", RIG_WAIT_MS));
    disk_make_room(disk);
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "fence_not_persisted", RIG_WAIT_MS));
    answer = daemon_command_within(r.rig.dm, "unfence", RIG_WAIT_MS);
    CU_ASSERT_TRUE(json_is_true(json_object_get(answer, "released")));
    json_decref(answer);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    end_on(&r, disk);
}

static bool flag_all(const char *file, const struct event_header *h, uint64_t end, void *arg)
{
    (void)file;
    (void)h;
    (void)end;
    (void)arg;
    return true;
}

/* The source wants an ACK for every event of a transaction: it gets them, and the operator hears of it. */
static void test_flags_inside_of_transactions(void)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, NULL);
    fake_dump_rule(r.fp, &(struct fake_dump_rule){.kind = FAKE_DUMP_SEMI_SYNC, .flag_if = flag_all});
    fake_rig_start_daemon(&r, NULL);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(watching_raised(&r.rig, "boundary_mismatch", RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "boundary_mismatch", RIG_WAIT_MS));
    check_logged(&r, "boundary_mismatch", true);
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_clear_rules(r.fp);
    fake_rig_end(&r);
}

/* The source says that its binlog lacks changes: raised, and still when it rotated; over with a restart, which says what the log now holds. */
static void test_an_incident(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    fake_gen_incident(fake_gen_lock(r.fp), "LOST_EVENTS");
    (void)fake_gen_unlock(r.fp, false);
    fake_rotate(r.fp);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "source_incident", RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "an Incident event at " FAKE_FILE1));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_restart_daemon(&r);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "source_incident", RIG_WAIT_MS));
    fake_rig_end(&r);
}

struct switchable {
    const char *code;
    char *file; /* the cause is there while this file is */
    bool with_file;
};

static void toggle(struct fake_rig *r, const struct switchable *s, bool file)
{
    if (file)
        proc_write_file(s->file, "");
    else
        CU_ASSERT_EQUAL(unlink(s->file), 0);
    if (file == s->with_file)
        CU_ASSERT_TRUE(watching_raised(&r->rig, s->code, RIG_WAIT_MS));
    if (file != s->with_file)
        CU_ASSERT_TRUE(watching_cleared(&r->rig, s->code, RIG_WAIT_MS));
}

/* The clock goes an hour off and is set right; the source moves away from this machine and comes back. */
static void test_clock_and_place(void)
{
    struct fake_rig r;
    char *dir = proc_tempdir();
    struct switchable s[] = {{"clock_offset", proc_fmt("%s/off", dir), true},
                             {"same_host", proc_fmt("%s/far", dir), false}};
    struct proc_args w = {0};
    proc_args_add(&w, "env");
    proc_args_add(&w, "ASAN_OPTIONS=verify_asan_link_order=0");
    proc_args_add(&w, "LD_PRELOAD=%s:%s", secure_getenv("LT_CLOCK_SHIFT"), secure_getenv("LT_FAR_SOURCE"));
    proc_args_add(&w, "LT_CLOCK_SHIFT_S=3600");
    proc_args_add(&w, "LT_CLOCK_SHIFT_WHILE=%s", s[0].file);
    proc_args_add(&w, "LT_FAR_WHILE=%s", s[1].file);
    fake_rig_start_primary(&r, NULL);
    fake_rig_start_daemon_on(&r, NULL, w.v, NULL);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(watching_raised(&r.rig, "same_host", RIG_WAIT_MS));
    CU_ASSERT_FALSE(watching_has(&r.rig, "clock_offset", NULL));
    for (size_t i = 0; i < sizeof s / sizeof s[0]; i++) {
        toggle(&r, &s[i], true);
        toggle(&r, &s[i], false);
        check_logged(&r, s[i].code, true);
        free(s[i].file);
    }
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
    proc_args_fini(&w);
    proc_remove_dir(dir);
    free(dir);
}

/* A certificate of that many days takes the place of the one before; each has the alarm of its term and no other. */
static void test_certificates(void)
{
    static const struct {
        const char *code;
        int days;
    } terms[] = {{"certificate_expires", 20}, {"certificate_expires_soon", 5}, {"certificate_expires_now", -1}};
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        struct fake_certs certs;
        char *dir = proc_tempdir();
        fake_certs_make(dir, "localhost", terms[i].days, &certs);
        char *ca = proc_fmt("source.ssl_ca=%s", certs.cert);
        fake_rig_reload(&r, (char *[]){ca, NULL});
        CU_ASSERT_TRUE(watching_raised(&r.rig, terms[i].code, RIG_WAIT_MS));
        for (size_t j = 0; j < sizeof terms / sizeof terms[0]; j++)
            CU_ASSERT_EQUAL(watching_has(&r.rig, terms[j].code, NULL), i == j);
        check_logged(&r, terms[i].code, false);
        fake_certs_make(dir, "localhost", 900, &certs); /* the cure: renewed in its place, and a reload */
        fake_rig_reload(&r, (char *[]){ca, NULL});
        CU_ASSERT_TRUE(watching_cleared(&r.rig, terms[i].code, RIG_WAIT_MS));

        check_logged(&r, terms[i].code, true);
        proc_remove_dir(dir);
        free(dir);
        free(ca);
    }
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* Both addresses belong to somebody else: commits are acknowledged all the same, and the listeners come when the addresses can be had. */
static void test_listeners_whose_addresses_are_taken(void)
{
    struct fake_rig r;
    struct lt_err err = {0};
    uint16_t port[2] = {0};
    int fd[2] = {-1, -1};
    char *message = NULL;
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(listen_tcp("test", "127.0.0.1", 0, 8, &fd[i], &port[i], &err), LT_OK);
    char *tail = proc_fmt("tail.listen=127.0.0.1:%u", port[0]);
    char *http = proc_fmt("http.listen=127.0.0.1:%u", port[1]);
    fake_rig_start(&r, NULL, (char *[]){tail, http, NULL});
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_TRUE(watching_raised(&r.rig, "not_listening", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_has(&r.rig, "not_listening", &message));
    CU_ASSERT_TRUE(message != NULL && strstr(message, "tail.listen: 127") != NULL &&
                   strstr(message, "http.listen: 127") != NULL);
    check_logged(&r, "not_listening", false);
    for (int i = 0; i < 2; i++)
        (void)close(fd[i]);
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "not_listening", RIG_WAIT_MS));
    check_logged(&r, "not_listening", true);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_rig_end(&r);
    free(message);
    free(tail);
    free(http);
}

static const struct test_case cases[] = {
    {"a disk that lies", test_a_disk_that_lies},
    {"a disk that hangs for a moment", test_a_disk_that_hangs_for_a_moment},
    {"a fence that is not persisted", test_a_fence_that_is_not_persisted},
    {"an incident", test_an_incident},
    {"flags inside of transactions", test_flags_inside_of_transactions},
    {"clock and place", test_clock_and_place},
    {"certificates", test_certificates},
    {"listeners whose addresses are taken", test_listeners_whose_addresses_are_taken},
};

int main(void)
{
    return cunit_run("provoke", cases, sizeof cases / sizeof cases[0]);
}
