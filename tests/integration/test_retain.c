/*
 * What retention removes, and what it says when it is held back, in a running logtailerd: no clock and no event's time makes a segment older than
 * it is, and each reason for which something stays is told, and ends.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_rig.h"
#include "raw_replica.h"
#include "watching.h"

#define FILES  8
#define AGE_MS 5000u

/* FILES files, all but the newest ended; true when they are stored. */
static bool fill(struct fake_rig *r)
{
    bool ok = fake_rig_commit(r);
    for (int i = 1; i < FILES; i++) {
        fake_rotate(r->fp);
        ok = fake_rig_commit(r) && ok;
    }
    return ok;
}

static size_t segments(struct fake_rig *r)
{
    struct proc_args list = binlogs_segments(r->rig.dm->dir, NULL);
    size_t n = list.n;
    proc_args_fini(&list);
    return n;
}

static bool segments_become(struct fake_rig *r, size_t n)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(50)) {
        if (segments(r) == n)
            return true;
    }
    daemon_show_log(r->rig.dm);
    return false;
}

static char *segment_path(struct fake_rig *r, const char *name)
{
    char *id = watching_text(&r->rig, "source.id");
    char *path = proc_fmt("%s/lineages/0001-%s/%s", r->rig.dm->dir, id != NULL ? id : "", name);
    free(id);
    return path;
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

/*
 * The events are years old. The own clock goes two months ahead while the process runs, and stays there over a restart; the ledger's copy of it goes
 * with the folder. Nothing goes before its time, and then it does.
 */
static void age_with_clock(bool lose_the_ledger)
{
    struct fake_rig r;
    char *dir = proc_tempdir();
    char *off = proc_fmt("%s/off", dir);
    struct proc_args w = {0};
    char *settings[] = {proc_fmt("store.retention_age=%us", AGE_MS / 1000), NULL};
    proc_args_add(&w, "env");
    proc_args_add(&w, "ASAN_OPTIONS=verify_asan_link_order=0");
    proc_args_add(&w, "LD_PRELOAD=%s", secure_getenv("LT_CLOCK_SHIFT"));
    proc_args_add(&w, "LT_CLOCK_SHIFT_S=5184000");
    proc_args_add(&w, "LT_CLOCK_SHIFT_WHILE=%s", off);
    fake_rig_start_primary(&r, NULL);
    fake_rig_start_daemon_on(&r, NULL, w.v, settings);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    uint64_t began = proc_now_ms();
    CU_ASSERT_TRUE(fill(&r));
    touch(off);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "clock_offset", RIG_WAIT_MS));
    if (lose_the_ledger) {
        CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
        char *ledger = proc_fmt("%s/age", r.rig.dm->dir);
        (void)unlink(ledger);
        free(ledger);
        began = proc_now_ms();
        daemon_restart(r.rig.dm);
    } else {
        fake_rig_restart_daemon(&r);
    }
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT(proc_now_ms() - began >= AGE_MS);
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_rig_end(&r);
    free(settings[0]);
    proc_args_fini(&w);
    proc_remove_dir(dir);
    free(off);
    free(dir);
}

static void test_age(void)
{
    for (unsigned i = 0; i < rig_rounds(1, 2); i++)
        age_with_clock(i == 1);
}

/* retention_fenced: told while it lasts; with the release it is over, and what was due goes. */
static void test_fenced(void)
{
    char *settings[] = {"store.retention_size=1B", NULL};
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_TRUE(fill(&r));
    size_t all = segments(&r);
    json_decref(daemon_command(r.rig.dm, "fence why"));
    fake_rig_reload(&r, settings);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "retention_fenced", RIG_WAIT_MS));
    CU_ASSERT_EQUAL(segments(&r), all);
    json_decref(daemon_command(r.rig.dm, "unfence"));
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "retention_fenced", RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    fake_rig_end(&r);
}

/* retention_consumer: a named consumer that is away, within its limit, needs the third file. Over with a smaller limit, or when it is forgotten. */
static void test_consumer(void)
{
    char *holding[] = {"store.retention_size=1B", "store.consumer_max_lag=1GiB", NULL};
    char *letting_go[] = {"store.retention_size=1B", "store.consumer_max_lag=1B", NULL};
    struct fake_rig r;
    char *message = NULL;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_TRUE(fill(&r));
    size_t all = segments(&r);
    char *id = watching_text(&r.rig, "source.id");
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    char *path = proc_fmt("%s/consumers/nightly", r.rig.dm->dir);
    FILE *f = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    (void)fprintf(f, "lineage=1\nsource_id=%s\nfile=binlog.000003\noffset=4\ncommitted_us=1\n", id);
    CU_ASSERT_EQUAL(fclose(f), 0);
    daemon_configure(r.rig.dm, &(struct daemon_options){.port = fake_port(r.fp), .settings = holding});
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "retention_consumer", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_has(&r.rig, "retention_consumer", &message));
    CU_ASSERT_PTR_NOT_NULL(message != NULL ? strstr(message, "nightly") : NULL);
    CU_ASSERT_EQUAL(segments(&r), all - 2);
    fake_rig_reload(&r, letting_go); /* the cure */
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "retention_consumer", RIG_WAIT_MS));
    fake_rig_reload(&r, holding); /* or the other one */
    CU_ASSERT_TRUE(fill(&r));
    CU_ASSERT_TRUE(watching_raised(&r.rig, "retention_consumer", RIG_WAIT_MS));
    json_t *answer = daemon_command(r.rig.dm, "consumers forget nightly");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "forgotten")), "nightly");
    json_decref(answer);
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "retention_consumer", RIG_WAIT_MS));
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    fake_rig_end(&r);
    free(message);
    free(path);
    free(id);
}

static bool is_streamed_to(struct fake_rig *r)
{
    json_t *answer = daemon_command(r->rig.dm, "replicas");
    const char *state =
        json_string_value(json_object_get(json_array_get(json_object_get(answer, "replicas"), 0), "state"));
    bool ret = state != NULL && strcmp(state, "streaming") == 0;
    json_decref(answer);
    return ret;
}

static bool is_refused_as(struct fake_rig *r, const char *command, const char *code)
{
    json_t *answer = daemon_command(r->rig.dm, command);
    const char *said = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    bool ret = said != NULL && strcmp(said, code) == 0;
    json_decref(answer);
    return ret;
}

static struct raw_replica *stuck_replica(struct fake_rig *r, uint16_t port)
{
    struct raw_options o = {.port = port, .user = "me", .server_id = 77, .timeout_ms = RIG_WAIT_MS};
    struct lt_err err = {0};
    struct fake_pos end = fake_commit_huge(r->fp, 6, 8u << 20); /* more than sockets hold */
    CU_ASSERT_TRUE(fake_wait_ack(r->fp, &end, RIG_WAIT_MS));
    struct raw_replica *stuck = raw_open(&o, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stuck);
    CU_ASSERT_EQUAL(raw_dump(stuck, "binlog.000001", 4), 0);
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !is_streamed_to(r) && proc_now_ms() < until;)
        proc_sleep_ms(50);
    return stuck;
}

/* File after file, or the error where one is gone; what the listener still has open may still come. Never with one left out. */
static bool gets_all_or_1236(struct raw_replica *raw)
{
    struct raw_event ev;
    unsigned number = 1;
    int rc;
    while ((rc = raw_next(raw, &ev)) == 0 && number < FILES) {
        uint64_t n = binlog_name_number(ev.file);
        if (n > number + 1)
            return false;
        number = n > number ? (unsigned)n : number;
    }
    return rc == 0 || (rc == LT_EPROTO && raw_error_code(raw) == 1236);
}

/* The same of a replica that takes nothing, in the first file: held within replicas.max_lag, and cut off, which is told, with a smaller one. */
static void test_replica(void)
{
    uint16_t port = proc_free_port();
    char *listen = proc_fmt("replicas.listen=127.0.0.1:%u", port);
    char *holding[] = {listen, "store.retention_size=1B", "replicas.max_lag=1GiB", NULL};
    char *letting_go[] = {listen, "store.retention_size=1B", "replicas.max_lag=1B", NULL};
    struct fake_rig r;
    char *message = NULL;
    fake_rig_start(&r, NULL, holding);
    struct raw_replica *stuck = stuck_replica(&r, port);
    CU_ASSERT_TRUE(fill(&r));
    size_t all = segments(&r);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "retention_consumer", RIG_WAIT_MS));
    CU_ASSERT_TRUE(watching_has(&r.rig, "retention_consumer", &message));
    CU_ASSERT_PTR_NOT_NULL(message != NULL ? strstr(message, "the replica 127.0.0.1:") : NULL);
    CU_ASSERT_EQUAL(segments(&r), all);
    CU_ASSERT_TRUE(is_refused_as(&r, "purge binlog.000003", "needed"));
    fake_rig_reload(&r, letting_go); /* the cure */
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "retention_consumer", RIG_WAIT_MS));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "(server id 77) reads binlog.000001 and needs what was removed"));
    CU_ASSERT_TRUE(gets_all_or_1236(stuck));
    raw_close(stuck);
    fake_rig_end(&r);
    free(message);
    free(listen);
}

/* Of the one consumer there is; -1: there is none. */
static double away_seconds(struct fake_rig *r)
{
    json_t *answer = daemon_command(r->rig.dm, "consumers");
    json_t *row = json_array_get(json_object_get(answer, "consumers"), 0);
    double s = row != NULL ? json_number_value(json_object_get(row, "away_s")) : -1;
    json_decref(answer);
    return s;
}

/*
 * tail.consumer_max_age: no clock that is set makes a consumer go, not while logtailerd runs and not over a restart; time that it saw does, and what
 * was held back goes with it.
 */
static void test_forgotten(void)
{
    char *patient[] = {"store.retention_size=1B", "store.consumer_max_lag=1GiB", "tail.consumer_max_age=1d", NULL};
    char *impatient[] = {"store.retention_size=1B", "store.consumer_max_lag=1GiB", "tail.consumer_max_age=1s", NULL};
    struct fake_rig r;
    char *dir = proc_tempdir();
    char *shifted = proc_fmt("%s/on", dir);
    struct proc_args w = {0};
    proc_args_add(&w, "env");
    proc_args_add(&w, "ASAN_OPTIONS=verify_asan_link_order=0");
    proc_args_add(&w, "LD_PRELOAD=%s", secure_getenv("LT_CLOCK_SHIFT"));
    proc_args_add(&w, "LT_CLOCK_SHIFT_S=%ld", 20L * 365 * 86400);
    proc_args_add(&w, "LT_CLOCK_SHIFT_WHILE=%s", shifted);
    fake_rig_start_primary(&r, NULL);
    fake_rig_start_daemon_on(&r, NULL, w.v, NULL);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fill(&r));
    char *id = watching_text(&r.rig, "source.id");
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    char *path = proc_fmt("%s/consumers/nightly", r.rig.dm->dir);
    char *text =
        proc_fmt("lineage=1\nsource_id=%s\nfile=binlog.000003\noffset=4\ncommitted_us=1\naway=9999999 1\n", id);
    proc_write_file(path, text);
    daemon_configure(r.rig.dm, &(struct daemon_options){.port = fake_port(r.fp), .settings = patient});
    for (unsigned i = 0; i < rig_rounds(1, 2); i++) { /* a jump by decades while it runs, and over a restart */
        daemon_restart(r.rig.dm);
        CU_ASSERT_TRUE(watching_raised(&r.rig, "retention_consumer", RIG_WAIT_MS));
        touch(shifted);
        double before = away_seconds(&r);
        for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; away_seconds(&r) < before + 2 && proc_now_ms() < until;)
            proc_sleep_ms(50);
        CU_ASSERT(away_seconds(&r) >= 2 && away_seconds(&r) < 3600);
        CU_ASSERT_TRUE(watching_number_becomes(&r.rig, "consumer_names.forgotten", 0, 0, RIG_WAIT_MS));
    }
    fake_rig_reload(&r, impatient);
    CU_ASSERT_TRUE(watching_number_becomes(&r.rig, "consumer_names.forgotten", 1, 1, RIG_WAIT_MS));
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "retention_consumer", RIG_WAIT_MS));
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL(away_seconds(&r), -1);
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "consumer nightly is forgotten"));
    fake_rig_end(&r);
    proc_args_fini(&w);
    proc_remove_dir(dir);
    free(shifted);
    free(dir);
    free(text);
    free(path);
    free(id);
}

/* retention_failed: what has the oldest file's name cannot be unlinked; mended, it goes on by itself. */
static void test_failed(void)
{
    char *settings[] = {"store.retention_size=1B", NULL};
    struct fake_rig r;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_TRUE(fill(&r));
    char *path = segment_path(&r, "binlog.000001");
    char *aside = proc_fmt("%s/aside", r.rig.dm->dir);
    CU_ASSERT_EQUAL(rename(path, aside), 0);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    fake_rig_reload(&r, settings);
    CU_ASSERT_TRUE(watching_raised(&r.rig, "retention_failed", RIG_WAIT_MS));
    CU_ASSERT_EQUAL(rmdir(path), 0);
    CU_ASSERT_EQUAL(rename(aside, path), 0);
    CU_ASSERT_TRUE(watching_cleared(&r.rig, "retention_failed", RIG_WAIT_MS));
    CU_ASSERT_TRUE(segments_become(&r, 2));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    fake_rig_end(&r);
    free(aside);
    free(path);
}

static const struct test_case cases[] = {
    {"age, by no clock and no event's time", test_age}, {"held back by a fence", test_fenced},
    {"held back by a consumer", test_consumer},         {"held back by a replica", test_replica},
    {"a consumer that stays away", test_forgotten},     {"held back by a failure", test_failed},
};

int main(void)
{
    return cunit_run("retain", cases, sizeof cases / sizeof cases[0]);
}
