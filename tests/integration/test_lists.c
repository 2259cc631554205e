/* Lists of GTIDs at files' starts that are larger than any buffer: judged like small ones, on both flavours; and events that no server makes so large. */
#include <stdio.h>
#include <stdlib.h>

#include "fake_rig.h"

#define SOURCE_UUID "68b1e7ed-e6ea-11f1-af30-02fc00000001" /* the fake primary's */
#define OTHER_UUID  "99999999-e6ea-11f1-af30-02fc00000001"
#define FILE2       "binlog.000002"
#define FILE3       "binlog.000003"
#define INTERVALS   70000u /* 1.1 MB: past what is handled in one piece */

struct list_kind {
    const char *version;
    const char *tag; /* of a MySQL list */
    unsigned entries;
};

static bool is_mariadb(const struct list_kind *k)
{
    return strstr(k->version, "MariaDB") != NULL;
}

/* `own` (may be ""), then as many intervals or domains of others. MariaDB's domains come in no order, as servers write them. */
static char *list_text(const struct list_kind *k, const char *own)
{
    size_t cap = strlen(own) + (size_t)k->entries * 40 + 128;
    char *text = malloc(cap);
    if (text == NULL)
        proc_die("out of memory");
    size_t len = (size_t)snprintf(text, cap, "%s", own);
    if (!is_mariadb(k))
        len += (size_t)snprintf(text + len, cap - len, "%s%s%s%s", len > 0 ? "," : "", OTHER_UUID,
                                k->tag != NULL ? ":" : "", k->tag != NULL ? k->tag : "");
    for (unsigned i = 0; i < k->entries; i++) {
        if (is_mariadb(k))
            len += (size_t)snprintf(text + len, cap - len, "%s%u-7-%u", len > 0 ? "," : "",
                                    10 + (i * 7919u) % k->entries, i + 1);
        else
            len += (size_t)snprintf(text + len, cap - len, ":%u", 1 + 2 * i);
    }
    return text;
}

/* The next file of the source begins with this list; one transaction behind it. */
static struct fake_pos next_file(struct fake_rig *r, const char *name, const char *gtids)
{
    struct fake_gen *g = fake_gen_lock(r->fp);
    fake_gen_rotate(g, name, BINLOG_MAGIC_LEN);
    (void)fake_gen_unlock(r->fp, false);
    fake_add_file(r->fp, name, BINLOG_MAGIC_LEN);
    g = fake_gen_lock(r->fp);
    fake_gen_file_start(g, name, gtids, false);
    (void)fake_gen_unlock(r->fp, false);
    return fake_commit(r->fp, &(struct fake_txn_spec){.blob_len = 10});
}

static const char *own_text(const struct list_kind *k, unsigned seq)
{
    static char text[64];
    if (is_mariadb(k))
        (void)snprintf(text, sizeof text, "0-33104-%u", seq);
    else
        (void)snprintf(text, sizeof text, SOURCE_UUID ":1-%u", seq);
    return text;
}

/* Transactions that this store never got stand in a large list: nothing after it is acknowledged, now or after a restart. */
static void refuse_gap(const struct list_kind *k)
{
    struct fake_rig r;
    fake_rig_start(&r, &(struct fake_options){.version = k->version}, (char *[]){"source.retry_min=10ms", NULL});
    char *text = list_text(k, own_text(k, 1));
    struct fake_pos end = next_file(&r, FILE2, text);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "gap"));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 200));
    fake_rig_restart_daemon(&r);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "gap"));
    CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, FILE2 " begins after transactions that this store never got"));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 200));
    free(text);
    fake_rig_end(&r);
}

/* What a large list says is held from here on: the next file's must say the same, also when it is looked at by a new process. */
static void follow_then_refuse(const struct list_kind *k)
{
    struct fake_rig r;
    fake_rig_start_primary(&r, &(struct fake_options){.version = k->version});
    (void)fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
    char *text = list_text(k, own_text(k, 1));
    (void)next_file(&r, FILE2, text);
    fake_rig_start_daemon(&r, (char *[]){"source.start=" FILE2, "source.retry_min=10ms", NULL});
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "streaming"));
    CU_ASSERT_TRUE(fake_rig_commit(&r));
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    free(text);
    text = list_text(k, own_text(k, 3));
    struct fake_pos end = next_file(&r, FILE3, text);
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_TRUE(fake_rig_identical(&r));
    /* A source that knows all of it but one number of ours. */
    struct list_kind less = *k;
    less.entries -= is_mariadb(k) ? 0 : 1;
    free(text);
    text = list_text(&less, own_text(k, is_mariadb(k) ? 3 : 4));
    end = next_file(&r, "binlog.000004", text);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "diverged"));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 200));
    free(text);
    fake_rig_end(&r);
}

static unsigned full(unsigned some, unsigned all)
{
    return getenv("LT_FULL") != NULL ? all : some;
}

static void test_mysql(void)
{
    struct list_kind plain = {"9.7.4", NULL, full(INTERVALS, 1000000)};
    struct list_kind tagged = {"9.7.4", "audit_tag", INTERVALS};
    refuse_gap(&plain);
    refuse_gap(&tagged);
    follow_then_refuse(&plain);
    follow_then_refuse(&tagged);
}

static void test_mariadb(void)
{
    struct list_kind k = {"5.5.5-10.11.19-MariaDB-log", NULL, full(60000, 200000)};
    refuse_gap(&k);
    follow_then_refuse(&k);
}

/* A large list with one byte that is wrong: a checksum like any other, and nothing of it is stored. */
static void test_damaged(void)
{
    struct list_kind k = {"9.7.4", NULL, INTERVALS};
    struct fake_rig r;
    fake_rig_start(&r, NULL, (char *[]){"source.retry_min=10ms", NULL});
    CU_ASSERT_EQUAL(daemon_stop(r.rig.dm), 0);
    char *text = list_text(&k, "");
    struct fake_gen *g = fake_gen_lock(r.fp);
    fake_gen_rotate(g, FILE2, BINLOG_MAGIC_LEN);
    (void)fake_gen_unlock(r.fp, false);
    fake_add_file(r.fp, FILE2, BINLOG_MAGIC_LEN);
    g = fake_gen_lock(r.fp);
    fake_gen_file_start(g, FILE2, text, false);
    g->out.p[g->out.len - 1000] ^= 1;
    (void)fake_gen_unlock(r.fp, false);
    struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_rig_wait_error(&r, "source_corrupt"));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 200));
    free(text);
    fake_rig_end(&r);
}

/* Kinds that readers, recovery and the tracker take whole, larger than they can: refused by name, and what came before stays acknowledged. */
static void test_too_large(void)
{
    static const struct {
        const char *version;
        uint8_t type;
        uint32_t len;
        const char *words;
    } events[] = {
        {"9.7.4", EVENT_GTID, 70000, "a Gtid event of 70000 bytes; at most 65536 are taken"},
        {"9.7.4", EVENT_GTID, 2000000, "a Gtid event of 2000000 bytes"},
        {"9.7.4", EVENT_PREVIOUS_GTIDS, EVENT_LIST_MAX + 1, "a Previous_gtids event of 268435457 bytes"},
        {"5.5.5-10.11.19-MariaDB-log", EVENT_MARIADB_START_ENCRYPTION, 129, "a Start_encryption event of 129 bytes"},
        {"5.5.5-10.11.19-MariaDB-log", EVENT_MARIADB_START_ENCRYPTION, 900000, "a Start_encryption event of 900000"},
        {"5.5.5-10.11.19-MariaDB-log", EVENT_MARIADB_GTID, 70000, "a Gtid event of 70000 bytes"},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct fake_rig r;
        fake_rig_start(&r, &(struct fake_options){.version = events[i].version}, NULL);
        (void)fake_append_virtual(r.fp, events[i].type, events[i].len, 1, false);
        struct fake_pos end = fake_commit(r.fp, &(struct fake_txn_spec){.blob_len = 10});
        CU_ASSERT_TRUE(fake_rig_wait_error(&r, "unsupported"));
        CU_ASSERT_TRUE(daemon_log_contains(r.rig.dm, events[i].words));
        CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 100));
        fake_rig_end(&r);
    }
}

/* A transaction without a GTID (MySQL) or the next one (MariaDB), flagged. */
static struct fake_pos commit_plain(struct fake_rig *r, bool mariadb, size_t blob_len)
{
    if (mariadb)
        return fake_commit(r->fp, &(struct fake_txn_spec){.blob_len = blob_len});
    fake_gen_txn(fake_gen_lock(r->fp), &(struct fake_txn_spec){.blob_len = blob_len});
    return fake_gen_unlock(r->fp, true);
}

static void add_file(struct fake_rig *r, const char *name, const char *gtids)
{
    fake_add_file(r->fp, name, BINLOG_MAGIC_LEN);
    fake_gen_file_start(fake_gen_lock(r->fp), name, gtids, false);
    (void)fake_gen_unlock(r->fp, false);
}

/* The store's newest file ended in a Rotate, and nothing is held of the next. */
static void hold_ended_file(struct fake_rig *r, bool mariadb)
{
    fake_rig_start_primary(r, &(struct fake_options){.version = mariadb ? "5.5.5-10.11.19-MariaDB-log" : "9.7.4"});
    if (!mariadb)
        fake_set_var(r->fp, "gtid_mode", "OFF");
    (void)commit_plain(r, mariadb, 100);
    fake_gen_rotate(fake_gen_lock(r->fp), FILE2, BINLOG_MAGIC_LEN);
    (void)fake_gen_unlock(r->fp, false);
    fake_rig_start_daemon(r, (char *[]){"source.retry_min=10ms", NULL});
    CU_ASSERT_TRUE(fake_rig_identical(r));
    CU_ASSERT_EQUAL(daemon_stop(r->rig.dm), 0);
}

/* Begun anew while we were away, as long as the old history, and with a list that names nothing: not its continuation. */
static void reset_behind_ended_file(bool mariadb, bool first_purged)
{
    struct fake_rig r;
    hold_ended_file(&r, mariadb);
    fake_reset(r.fp);
    if (!first_purged) {
        add_file(&r, FAKE_FILE1, "");
        (void)commit_plain(&r, mariadb, 99);
        fake_gen_rotate(fake_gen_lock(r.fp), FILE2, BINLOG_MAGIC_LEN);
        (void)fake_gen_unlock(r.fp, false);
    }
    add_file(&r, FILE2, "");
    struct fake_pos end = commit_plain(&r, mariadb, 50);
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_rig_wait_state(&r, "error"));
    CU_ASSERT_FALSE(fake_wait_released(r.fp, &end, 200));
    fake_rig_end(&r);
}

/* The history goes on; purged: the file that ended is not there any more, and nothing is missing. */
static void go_on_behind_ended_file(bool mariadb, bool purged)
{
    struct fake_rig r;
    hold_ended_file(&r, mariadb);
    add_file(&r, FILE2, mariadb ? "0-33104-1" : "");
    struct fake_pos end = commit_plain(&r, mariadb, 50);
    if (purged)
        fake_purge(r.fp, 1);
    daemon_restart(r.rig.dm);
    CU_ASSERT_TRUE(fake_wait_released(r.fp, &end, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_log_contains(r.rig.dm, "the source has " FAKE_FILE1 " no more"), purged);
    fake_rig_end(&r);
}

static void test_ended_files(void)
{
    reset_behind_ended_file(false, false);
    reset_behind_ended_file(true, false);
    reset_behind_ended_file(true, true);
    for (unsigned i = 0; i < 4; i++)
        go_on_behind_ended_file(i & 1, i & 2);
}

static const struct test_case cases[] = {
    {"large lists of MySQL", test_mysql},
    {"large lists of MariaDB", test_mariadb},
    {"a large list that is damaged", test_damaged},
    {"a new history behind an ended file", test_ended_files},
    {"events that cannot be so large", test_too_large},
};

int main(void)
{
    return cunit_run("lists", cases, sizeof cases / sizeof cases[0]);
}
