/* What falls into a moment between two others: a reset between the two dumps of an attempt, a signal before the daemon is up. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "fake_rig.h"

static void begin_new_history(struct fake_primary *fp, uint64_t past)
{
    fake_reset(fp);
    fake_open_file(fp, FAKE_FILE1);
    while (fake_end(fp).pos <= past)
        (void)fake_commit(fp, &(struct fake_txn_spec){.blob_len = 3000});
}

/* Proved, then reset: no semi-sync dump asks for a place of the old history, for that would acknowledge commits of the new one. */
static void reset_between_dumps(const char *version)
{
    struct fake_rig r;
    struct fake_counters n;
    fake_rig_start_primary(&r, &(struct fake_options){.version = version});
    for (int i = 0; i < 5; i++)
        (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 500});
    uint64_t old_end = fake_end(r.fp).pos;
    /* An empty store looks first at what a MySQL source can send. */
    unsigned looks = strstr(version, "MariaDB") == NULL ? 1 : 0;
    /* The proof takes its time, and so does the connection that comes after it. */
    fake_dump_rule(r.fp, &(struct fake_dump_rule){.kind = FAKE_DUMP_PLAIN,
                                                  .after = looks,
                                                  .times = 1,
                                                  .action = FAKE_ACT_DELAY,
                                                  .at_event = 2,
                                                  .delay_ms = 100});
    fake_rig_start_daemon(&r, (char *[]){"source.connect_timeout=60s", "source.retry_min=10ms", NULL});
    CU_ASSERT_TRUE(fake_wait_dumps(r.fp, FAKE_DUMP_PLAIN, looks + 1, RIG_WAIT_MS));
    fake_counters(r.fp, &n);
    fake_login_rule(r.fp, &(struct fake_login_rule){.after = n.connections, .delay_ms = 6000});
    CU_ASSERT_TRUE(fake_wait_live(r.fp, FAKE_DUMP_PLAIN, 0, RIG_WAIT_MS));
    begin_new_history(r.fp, old_end);
    fake_clear_rules(r.fp);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "error")); /* the next proof finds the new history */
    fake_counters(r.fp, &n);
    CU_ASSERT_EQUAL(n.semi_sync_dumps, 0);
    CU_ASSERT_EQUAL(n.acks, 0);
    CU_ASSERT_EQUAL(fake_released(r.fp).pos, 0);
    fake_rig_end(&r);
}

static void test_reset_between_dumps_mysql(void)
{
    reset_between_dumps("9.7.4");
}

static void test_reset_between_dumps_mariadb(void)
{
    reset_between_dumps("5.5.5-10.11.19-MariaDB");
}

/* Open the pipe to write once the daemon waits for it: it is then inside main, and has not read its configuration. */
static int open_when_read(const char *path)
{
    for (unsigned ms = 0; ms < RIG_WAIT_MS; ms += 10) {
        int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 || errno != ENXIO)
            return fd;
        proc_sleep_ms(10);
    }
    return -1;
}

static void test_a_signal_before_it_is_up(void)
{
    struct fake_rig r;
    size_t len = 0;
    int status = -1;
    fake_rig_start(&r, NULL, NULL);
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    char *pipe_path = proc_fmt("%s/pipe", r.rig.dm->folder);
    char *log = proc_fmt("%s/early.log", r.rig.dm->folder);
    char *conf = proc_read_file(r.rig.dm->config, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(conf);
    CU_ASSERT_EQUAL_FATAL(mkfifo(pipe_path, 0600), 0);
    pid_t pid = proc_spawn((char *[]){(char *)rig_program("LT_DAEMON"), "--config", pipe_path, NULL}, log);
    int fd = open_when_read(pipe_path);
    CU_ASSERT_FATAL(fd >= 0);
    proc_signal(pid, SIGTERM);
    proc_sleep_ms(100);
    CU_ASSERT_EQUAL(write(fd, conf, len), (ssize_t)len);
    (void)close(fd);
    CU_ASSERT_TRUE(proc_wait(pid, RIG_WAIT_MS, &status));
    CU_ASSERT_EQUAL(status, 0);
    char *text = proc_read_file(log, &len);
    CU_ASSERT_PTR_NOT_NULL(text);
    CU_ASSERT_TRUE(text != NULL && strstr(text, "stopping: SIGTERM") != NULL);
    free(text);
    free(conf);
    free(log);
    free(pipe_path);
    fake_rig_end(&r);
}

static const struct test_case cases[] = {
    {"a reset between the two dumps, MySQL", test_reset_between_dumps_mysql},
    {"a reset between the two dumps, MariaDB", test_reset_between_dumps_mariadb},
    {"a signal before it is up", test_a_signal_before_it_is_up},
};

int main(void)
{
    return cunit_run("moments", cases, sizeof cases / sizeof cases[0]);
}
