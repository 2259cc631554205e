/*
 * gtid_mode switched on a MySQL source while we are away: in OFF it sends no transaction with a GTID, in ON none without. Where nothing is missing the stream goes
 * on; where something is, it is said, and what the cure says helps in that state.
 */
#include <fcntl.h>

#include "base/cursor.h"
#include "binlog/event.h"
#include "watching.h"

static const struct way {
    const char *from;
    const char *steps[3];
    const char *permissive;     /* the cure's mode */
    const char *server_args[3]; /* so that the server begins in `from` */
    const char *missing;        /* what the message says */
} ways[] = {
    {"ON",
     {"ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"},
     "OFF_PERMISSIVE",
     {"--gtid-mode=ON", "--enforce-gtid-consistency=ON", NULL},
     "transactions with a GTID, and 3 from mysql-bin.00000"},
    {"OFF",
     {"OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"},
     "ON_PERMISSIVE",
     {"--gtid-mode=OFF", "--enforce-gtid-consistency=ON", NULL},
     "transactions without a GTID, and those from mysql-bin.00000"},
};

static void rig_begin(struct rig *r, const struct way *w, bool use_proxy)
{
    struct server_options so = {.args = (char **)w->server_args};
    rig_start(r, &so, use_proxy, (char *[]){"source.retry_min=10ms", NULL});
    sql_must(r->root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)");
    sql_must(r->root, "INSERT INTO t.a (v) VALUES ('first'), ('in the old mode')");
}

static void insert(struct rig *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sql_must(r->root, "INSERT INTO t.a (v) VALUES (REPEAT('x', 100))");
}

static void stop_daemon(struct rig *r)
{
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(daemon_stop(r->dm), 0);
    sql_semi_set(r->root, "enabled", "0");
}

static void switch_mode(struct rig *r, const struct way *w)
{
    for (size_t i = 0; i < 3; i++)
        sql_must(r->root, "SET GLOBAL gtid_mode = %s", w->steps[i]);
}

/* A commit gets its ACK; all files are equal. */
static void check_goes_on(struct rig *r, const char *what)
{
    int64_t unprotected = sql_semi_status(r->root, "no_tx");
    struct sql_async *as = sql_async_start(r->other, "INSERT INTO t.a (v) VALUES ('in the new mode')");
    bool ok = sql_async_wait(as, RIG_WAIT_MS) && sql_async_errno(as) == 0;
    CU_ASSERT_TRUE(ok);
    sql_async_free(as);
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS));
    CU_ASSERT_EQUAL(sql_semi_status(r->root, "no_tx"), unprotected);
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        daemon_show_log(r->dm);
        return;
    }
    rig_check_identical(r);
}

static void come_back(struct rig *r)
{
    sql_semi_set(r->root, "enabled", "1");
    daemon_restart(r->dm);
}

static size_t count_in_log(const struct daemon *dm, const char *text)
{
    size_t n = 0;
    char *log = proc_read_file(dm->log, NULL);
    for (const char *p = log; (p = strstr(p, text)) != NULL; p++)
        n++;
    free(log);
    return n;
}

#define GONE_BEHIND "does not send the transaction at"

/* How many places were named as not sent again; each counts once. */
static size_t places_in_log(const struct daemon *dm)
{
    enum { MAX = 16 };
    const char *place[MAX];
    size_t len[MAX];
    size_t n = 0;
    char *log = proc_read_file(dm->log, NULL);
    for (const char *p = log; n < MAX && (p = strstr(p, GONE_BEHIND)) != NULL; p++) {
        size_t i = 0;
        place[n] = p + strlen(GONE_BEHIND " ");
        len[n] = strcspn(place[n], " \n");
        while (i < n && (len[i] != len[n] || strncmp(place[i], place[n], len[n]) != 0))
            i++;
        n += i == n;
    }
    free(log);
    return n;
}

static void nothing_missing(struct rig *r, size_t way)
{
    stop_daemon(r);
    switch_mode(r, &ways[way]);
    come_back(r);
    check_goes_on(r, ways[way].from);
    CU_ASSERT_EQUAL(count_in_log(r->dm, GONE_BEHIND), 1);
    CU_ASSERT_FALSE(rig_error_is(r, "source_setting"));
    /* And back; what is new in the new mode is still to be received. */
    stop_daemon(r);
    switch_mode(r, &ways[1 - way]);
    insert(r, 2);
    come_back(r);
    check_goes_on(r, "back");
    CU_ASSERT_EQUAL(count_in_log(r->dm, GONE_BEHIND), 2);
}

/* The cure as it is printed, from sessions that were there before and with commits that wait. */
static void follow_the_cure(struct rig *r, const struct way *w)
{
    char *cure = watching_text(r, "last_error.cure");
    char *mode = proc_fmt("SET GLOBAL gtid_mode = %s;", w->permissive);
    CU_ASSERT_PTR_NOT_NULL(strstr(cure, mode));
    CU_ASSERT_PTR_NOT_NULL(strstr(cure, "rpl_semi_sync_source_enabled = OFF"));
    sql_must(r->root, "SET GLOBAL rpl_semi_sync_source_enabled = OFF");
    sql_must(r->root, "SET GLOBAL gtid_mode = %s", w->permissive);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    sql_must(r->root, "SET GLOBAL rpl_semi_sync_source_enabled = ON");
    CU_ASSERT_TRUE(daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS));
    sql_must(r->root, "SET GLOBAL gtid_mode = %s", w->steps[2]);
    free(mode);
    free(cure);
}

static void missing(struct rig *r, const struct way *w)
{
    stop_daemon(r);
    insert(r, 3);
    switch_mode(r, w);
    come_back(r);
    struct sql_async *as = sql_async_start(r->other, "INSERT INTO t.a (v) VALUES ('waits')");
    CU_ASSERT_TRUE(daemon_wait_error(r->dm, "source_setting", RIG_WAIT_MS));
    char *message = watching_text(r, "last_error.message");
    CU_ASSERT_PTR_NOT_NULL(strstr(message, w->missing));
    free(message);
    CU_ASSERT_FALSE(sql_async_wait(as, 300));
    follow_the_cure(r, w);
    CU_ASSERT_TRUE(sql_async_wait(as, 0));
    sql_async_free(as);
    check_goes_on(r, "after the cure");
}

static void test_switched_while_away(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct rig r;
        rig_begin(&r, &ways[i], false);
        nothing_missing(&r, i);
        missing(&r, &ways[i]);
        rig_end(&r);
    }
}

/* Nothing is held, so nothing is missing: it begins where the source sends, files without transactions before that notwithstanding. */
static void test_empty_store(void)
{
    for (size_t i = 0; i < 2; i++) {
        struct rig r;
        struct server_options so = {.args = (char **)ways[i].server_args, .semisync = SERVER_SEMISYNC_OFF};
        rig_start_server(&r, &so, false);
        sql_must(r.root, "FLUSH BINARY LOGS");
        sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)");
        sql_must(r.root, "FLUSH BINARY LOGS");
        insert(&r, 2);
        switch_mode(&r, &ways[i]);
        insert(&r, 2);
        sql_semi_set(r.root, "enabled", "1");
        rig_start_daemon(&r, NULL);
        check_goes_on(&r, "an empty store");
        struct proc_args held = binlogs_segments(r.dm->dir, NULL);
        CU_ASSERT(held.n > 0 && strcmp(held.v[0], "mysql-bin.000004") == 0);
        CU_ASSERT_EQUAL(count_in_log(r.dm, "this store begins with mysql-bin.000004"), 1);
        proc_args_fini(&held);
        CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
        daemon_restart(r.dm);
        check_goes_on(&r, "again");
        CU_ASSERT_EQUAL(count_in_log(r.dm, "this store begins with"), 1);
        rig_end(&r);
    }
}

/* The bytes of the stored last transaction, changed behind its first event, with a right checksum. */
static void change_last_transaction(const struct rig *r)
{
    struct proc_args held = binlogs_segments(r->dm->dir, NULL);
    char *path = binlogs_segment_path(r->dm->dir, held.v[held.n - 1]);
    size_t len = 0;
    size_t last = 0;
    unsigned char *data = (unsigned char *)proc_read_file(path, &len);
    for (size_t at = 4; at + EVENT_HEADER_LEN <= len && load_u32(data + at + 9) >= EVENT_HEADER_LEN;
         at += load_u32(data + at + 9))
        if (data[at + 4] == EVENT_WRITE_ROWS)
            last = at;
    size_t n = load_u32(data + last + 9);
    data[last + n - EVENT_CRC_LEN - 1] ^= 1;
    event_crc_set(data + last, n);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(pwrite(fd, data + last, n, (off_t)last), (ssize_t)n);
    CU_ASSERT_EQUAL(close(fd), 0);
    free(data);
    free(path);
    proc_args_fini(&held);
}

/* What is not sent again is compared as far as it is sent: another history that looks alike from outside is none of ours. */
static void test_other_bytes(void)
{
    struct rig r;
    rig_begin(&r, &ways[0], false);
    stop_daemon(&r);
    switch_mode(&r, &ways[0]);
    change_last_transaction(&r);
    come_back(&r);
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "diverged", RIG_WAIT_MS));
    sql_semi_set(r.root, "enabled", "0");
    rig_end(&r);
}

/* A transaction of the old mode of which a part is held: the rest comes, since only its first event is refused. */
static void held_in_part(struct rig *r)
{
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    sql_semi_set(r->root, "enabled", "0");
    sql_must(r->root, "CREATE TABLE t.b (i INT PRIMARY KEY, v MEDIUMTEXT)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, RIG_WAIT_MS));
    proxy_split(r->px, 4096);
    proxy_delay(r->px, PROXY_TO_CLIENT, 5);
    sql_must(r->root, "BEGIN");
    for (int i = 0; i < 40; i++)
        sql_must(r->root, "INSERT INTO t.b VALUES (%d, REPEAT('x', 100000))", i);
    sql_must(r->root, "COMMIT");
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    while (rig_status_number(r, "received", "offset") < 1000000 && proc_now_ms() < end)
        proc_sleep_ms(10);
    proxy_set_accept(r->px, PROXY_REFUSE);
    proxy_cut(r->px, PROXY_CUT_RST);
    CU_ASSERT_EQUAL(daemon_stop(r->dm), 0);
    proxy_split(r->px, 0);
    proxy_delay(r->px, PROXY_TO_CLIENT, 0);
    switch_mode(r, &ways[0]);
    proxy_set_accept(r->px, PROXY_ACCEPT);
    come_back(r);
    check_goes_on(r, "held in part");
    /* The last whole one, and the one that is held in part; each attempt says it anew, and a slow machine may need more than one. */
    CU_ASSERT_EQUAL(places_in_log(r->dm), 2);
}

/* Transactions without a GTID are in no set of the source's: that all GTIDs are here does not say that it has nothing more. */
static void backlog_without_gtids(struct rig *r)
{
    stop_daemon(r);
    sql_must(r->root, "FLUSH BINARY LOGS");
    for (int i = 0; i < 24; i++)
        sql_must(r->root, "INSERT INTO t.a (v) VALUES (REPEAT('x', 1000000))");
    proc_sleep_ms(2500); /* what is younger than 2 s counts as little */
    come_back(r);
    check_goes_on(r, "a backlog");
    char *log = proc_read_file(r->dm->log, NULL);
    const char *last = NULL;
    for (const char *p = log; (p = strstr(p, "acknowledging ")) != NULL; p++)
        last = p;
    const char *colon = last != NULL ? strstr(last, "mysql-bin.000005:") : NULL;
    CU_ASSERT(colon != NULL && strtoul(colon + strlen("mysql-bin.000005:"), NULL, 10) > 20 * 1000000);
    free(log);
}

static void test_in_part_and_behind(void)
{
    struct rig r;
    rig_begin(&r, &ways[0], true);
    held_in_part(&r);
    backlog_without_gtids(&r);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"switched while away: nothing missing, there and back; transactions missing", test_switched_while_away},
    {"an empty store over files of the other kind", test_empty_store},
    {"other bytes behind the refused event", test_other_bytes},
    {"a transaction of the old kind held in part; then a backlog that no GTID names", test_in_part_and_behind},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "gtid_mode", cases, sizeof cases / sizeof cases[0]);
}
