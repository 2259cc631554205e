/* As test_cures.c, for states that real servers do not come to on request: what the cure says is done to the fake primary, or by an order. */
#include "fake_rig.h"
#include "pair.h"

static char *quick[] = {"source.retry_min=10ms", NULL};

static void check_goes_on(struct fake_rig *r)
{
    CU_ASSERT_TRUE(fake_rig_wait_state(r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(r));
}

static void order_new_history(struct fake_rig *r)
{
    json_t *answer = pair_command(r->rig.dm, "repoint 127.0.0.1:%u --new-history", fake_port(r->fp));
    CU_ASSERT_STRING_EQUAL(pair_error(answer), "");
    if (strcmp(pair_error(answer), "") != 0)
        json_dumpf(answer, stderr, 0);
    json_decref(answer);
}

/* Not there, then there again; no connection free, then one. */
static void test_reached_again(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, quick);
    fake_primary_pause(r.fp);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "connect"));
    fake_primary_resume(r.fp);
    check_goes_on(&r);
    fake_login_rule(r.fp, &(struct fake_login_rule){.err = 1040});
    fake_close_all(r.fp, true);
    CU_ASSERT_TRUE(daemon_wait_state(r.rig.dm, "connecting", RIG_WAIT_MS));
    fake_clear_rules(r.fp);
    check_goes_on(&r);
    fake_rig_end(&r);
}

/* The source says why it sends nothing: what the cure names is done there, and it goes on by itself. */
static void test_what_the_source_refuses(void)
{
    static const struct {
        const char *text;
        const char *code;
    } cases[] = {
        {"log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master", "source_setting"},
        {"Misconfigured source - source server_id is 0", "source_setting"},
        {"words that no release has used so far", "unknown"},
    };
    struct fake_rig r;
    fake_rig_start(&r, NULL, quick);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_dump_rule(r.fp, &(struct fake_dump_rule){.action = FAKE_ACT_ERR, .err = 1236, .err_text = cases[i].text});
        fake_close_all(r.fp, true);
        CU_ASSERT_TRUE(fake_rig_wait_error(&r, cases[i].code));
        fake_clear_rules(r.fp);
        check_goes_on(&r);
    }
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* A setting of the source, wrong at our start and then mended. */
static void heal_setting(const char *version, const char *name, const char *wrong, const char *right, const char *code)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, &(struct fake_options){.version = version});
    fake_set_var(r.fp, name, wrong);
    fake_rig_start_daemon(&r, quick);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, code));
    fake_set_var(r.fp, name, right);
    check_goes_on(&r);
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

static void test_settings_of_the_source(void)
{
    heal_setting("9.7.4", "log_bin", "0", "1", "source_setting");
    heal_setting("12.3.1-MariaDB-log", "binlog_storage_engine", "innodb", NULL, "unsupported");
}

/* source.start names a file that is not there: what is configured is wrong, and a new history would not help. */
static void test_start(void)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, NULL);
    fake_rig_start_daemon(&r, (char *[]){"source.start=binlog.000123", NULL});
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "source_setting"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "binlog.000123, which the source does not have; set source.start to"));
    daemon_configure(r.rig.dm, &(struct daemon_options){.port = fake_port(r.fp),
                                                        .settings = (char *[]){"source.start=" FAKE_FILE1, NULL}});
    fake_rig_restart_daemon(&r);
    check_goes_on(&r);
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    fake_rig_end(&r);
}

/* The next file begins with that list of GTIDs. */
static void go_on_after(struct fake_rig *r, const char *gtids)
{
    fake_gen_rotate(fake_gen_lock(r->fp), "binlog.000002", BINLOG_MAGIC_LEN);
    (void)fake_gen_unlock(r->fp, false);
    fake_add_file(r->fp, "binlog.000002", BINLOG_MAGIC_LEN);
    fake_gen_file_start(fake_gen_lock(r->fp), "binlog.000002", gtids, false);
    (void)fake_gen_unlock(r->fp, false);
    (void)fake_commit(r->fp, &(struct fake_txn_spec){.blob_len = 10});
}

/* The first file is in the way of a new history as well: the cure says to purge it. */
static void begin_anew_behind(struct fake_rig *r, const char *gtids, const char *code)
{
    fake_rig_start(r, NULL, quick);
    go_on_after(r, gtids);
    CU_ASSERT_TRUE(fake_rig_wait_error(r, code));
    CU_ASSERT_TRUE(daemon_log_contains(r->rig.dm, "binlog.000002 begins after"));
    fake_purge(r->fp, 1);
    order_new_history(r);
}

static void test_histories(void)
{
    struct fake_rig r;
    begin_anew_behind(&r, "68b1e7ed-e6ea-11f1-af30-02fc00000001:1-2", "gap");
    check_goes_on(&r);
    fake_rig_end(&r);
    begin_anew_behind(&r, "", "diverged");
    /* That server still says that it executed what its files lack: it is asked for all that was held, in vain, and then no more. */
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "gap"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, "which goes on without"));
    order_new_history(&r);
    check_goes_on(&r);
    json_t *status = daemon_command(r.rig.dm, "status");
    CU_ASSERT_STRING_EQUAL(pair_text(json_object_get(status, "failover_safe"), "answer"), "no");
    json_decref(status);
    fake_rig_end(&r);
}

/* What no supported server writes: past it, by a new file and a new history. */
static void test_too_large(void)
{
    struct fake_rig r;
    fake_rig_start(&r, NULL, quick);
    (void)fake_append_virtual(r.fp, EVENT_GTID, 70000, 1, false);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "unsupported"));
    fake_rotate(r.fp);
    fake_purge(r.fp, 1);
    order_new_history(&r);
    check_goes_on(&r);
    fake_rig_end(&r);
}

static const struct test_case cases[] = {
    {"reached again", test_reached_again},
    {"what the source refuses", test_what_the_source_refuses},
    {"settings of the source", test_settings_of_the_source},
    {"a start that is not there", test_start},
    {"a gap, and two histories", test_histories},
    {"an event that cannot be so large", test_too_large},
};

int main(void)
{
    return cunit_run("cures_odd", cases, sizeof cases / sizeof cases[0]);
}
