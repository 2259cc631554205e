/*
 * A primary that is killed in the middle of a write. MariaDB leaves a binlog that ends inside an event and goes on in the next file, MySQL cuts it: in
 * both cases commits go on by themselves, nothing confirmed is missing, the files are equal. What it lost of that which is stored is told by number.
 */
#include <fcntl.h>

#include "base/cursor.h"
#include "binlog/event.h"
#include "rig.h"

#define FILE_MAX 5200

enum tail_kind { TAIL_ZEROS, TAIL_RANDOM, TAIL_TRANSACTION, TAIL_OLD_BLOCK, TAIL_LARGE_LENGTH, TAIL_BAD_CRC };

struct tail {
    enum tail_kind kind;
    size_t len;
};

static char *newest_binlog(struct rig *r)
{
    struct sql_rows *rows = sql_rows(r->root, "SHOW BINARY LOGS");
    char *path = proc_fmt("%s/%s", r->srv->datadir, rows->cells[(rows->rows - 1) * rows->columns]);
    sql_rows_free(rows);
    return path;
}

static void reopen(struct rig *r)
{
    sql_close(r->root);
    sql_close(r->other);
    r->root = server_root(r->srv);
    r->other = server_root(r->srv);
}

/* The file's last transaction, from its GTID event on: what a write begins with. */
static size_t last_transaction(const unsigned char *data, size_t len)
{
    size_t found = 0;
    for (size_t at = 4; at + 19 <= len && load_u32(data + at + 9) >= 19; at += load_u32(data + at + 9))
        if (data[at + 4] == 162 || data[at + 4] == 33)
            found = at;
    return found;
}

/* Its events as the next transaction's would stand at the file's end. */
static void place(unsigned char *data, size_t from, size_t len)
{
    size_t moved = len - from;
    for (size_t at = from; at + 19 <= len && load_u32(data + at + 9) >= 19; at += load_u32(data + at + 9)) {
        size_t n = load_u32(data + at + 9);
        if (data[at + 4] == EVENT_MARIADB_GTID)
            store_u64(data + at + 19, load_u64(data + at + 19) + 1);
        store_u32(data + at + 13, (uint32_t)(at + n + moved));
        event_crc_set(data + at, n);
    }
}

/* What stands where the next event would: as after a write that was cut off, or on a disk that lost a page of it. */
static void make_tail(const struct tail *t, const char *path, unsigned char *out)
{
    size_t len = 0;
    unsigned char *data = (unsigned char *)proc_read_file(path, &len);
    size_t from = last_transaction(data, len);
    memset(out, 0, t->len);
    for (size_t i = 0; t->kind == TAIL_RANDOM && i < t->len; i++)
        out[i] = (unsigned char)(i * 151 + 77 + i / 7 * 13);
    size_t have = len - from < t->len ? len - from : t->len;
    if (t->kind == TAIL_TRANSACTION)
        place(data, from, len);
    if (t->kind != TAIL_RANDOM && t->kind != TAIL_ZEROS)
        memcpy(out, data + from,
               t->kind == TAIL_TRANSACTION || t->kind == TAIL_OLD_BLOCK ? have
               : have < 19                                              ? have
                                                                        : 19);
    if (t->kind == TAIL_LARGE_LENGTH)
        out[12] = 0x7f;
    if (t->kind == TAIL_BAD_CRC) { /* a whole event by its length; its body never came to the disk */
        store_u32(out + 9, (uint32_t)t->len);
        store_u32(out + 13, 0);
    }
    free(data);
}

static void append(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len || close(fd) != 0)
        proc_die_errno("append to %s", path);
}

static void crash_with_tail(struct rig *r, const struct tail *t)
{
    unsigned char bytes[FILE_MAX];
    char *path = newest_binlog(r);
    server_kill(r->srv);
    make_tail(t, path, bytes);
    append(path, bytes, t->len);
    server_restart(r->srv, NULL);
    reopen(r);
    free(path);
}

static bool commits_go_on(struct rig *r, unsigned id)
{
    struct sql_async *as = sql_async_start(r->other, "INSERT INTO t.a VALUES (%u, REPEAT('x', 300))", id);
    bool ok = sql_async_wait(as, RIG_WAIT_MS) && sql_async_errno(as) == 0;
    if (!ok)
        daemon_show_log(r->dm);
    sql_async_free(as);
    return ok && daemon_wait_state(r->dm, "streaming", RIG_WAIT_MS);
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

static const struct tail tails[] = {
    {TAIL_TRANSACTION, 30},
    {TAIL_ZEROS, 30},
    {TAIL_LARGE_LENGTH, 100},
    {TAIL_TRANSACTION, 90}, /* its GTID event whole */
    {TAIL_OLD_BLOCK, 90},   /* whole as well, of another place */
    {TAIL_BAD_CRC, 200},
    /* with LT_FULL=1 */
    {TAIL_TRANSACTION, 1},
    {TAIL_TRANSACTION, 5},
    {TAIL_TRANSACTION, 18},
    {TAIL_TRANSACTION, 19},
    {TAIL_TRANSACTION, 250},
    {TAIL_ZEROS, 1},
    {TAIL_ZEROS, 18},
    {TAIL_ZEROS, 19},
    {TAIL_ZEROS, 5000},
    {TAIL_RANDOM, 5},
    {TAIL_RANDOM, 19},
    {TAIL_RANDOM, 100},
    {TAIL_RANDOM, 5000},
    {TAIL_LARGE_LENGTH, 19},
    {TAIL_LARGE_LENGTH, 5000},
};

/* Several crashes in a row, each with another tail; logtailerd runs, or is away and behind. */
static void test_tails(void)
{
    struct rig r;
    size_t n = rig_rounds(4, sizeof tails / sizeof tails[0]);
    rig_start(&r, NULL, false, (char *[]){"source.retry_min=10ms", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v TEXT)");
    for (size_t i = 0; i < n; i++) {
        unsigned id = (unsigned)(10 * i);
        CU_ASSERT_TRUE(commits_go_on(&r, id));
        bool away = i % 2 == 1;
        if (away) { /* what comes now is still to be received before the torn place */
            CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
            sql_semi_set(r.root, "enabled", "0");
            if (flavor == SERVER_MARIADB)
                sql_must(r.root, "SET gtid_domain_id = %zu", i);
            sql_must(r.root, "INSERT INTO t.a VALUES (%u, 'while away')", id + 1);
        }
        crash_with_tail(&r, &tails[i]);
        if (away)
            daemon_restart(r.dm);
        bool ok = commits_go_on(&r, id + 2);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "tail %zu\n", i);
        rig_check_identical(&r);
        CU_ASSERT_FALSE(rig_error_is(&r, "diverged"));
    }
    size_t told = count_in_log(r.dm, "ends inside an event");
    CU_ASSERT_EQUAL(told, flavor == SERVER_MARIADB ? n : 0);
    rig_end(&r);
}

/* Crashes while there is nothing between them: files with no transaction, each torn. */
static void test_crash_loop(void)
{
    struct rig r;
    rig_start(&r, NULL, false, (char *[]){"source.retry_min=10ms", NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY, v TEXT)");
    CU_ASSERT_TRUE(commits_go_on(&r, 1));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    for (unsigned i = 0; i < rig_rounds(2, 10); i++)
        crash_with_tail(&r, &(struct tail){TAIL_ZEROS, 20 + i});
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(commits_go_on(&r, 2));
    rig_check_identical(&r);
    rig_end(&r);
}

/* A crash that took what was confirmed: nothing is acknowledged any more, and how much is gone is said. */
static void lose_confirmed(unsigned lost, off_t beyond, const char *words)
{
    struct rig r;
    rig_start(&r, NULL, false, (char *[]){"source.retry_min=10ms", NULL});
    sql_must(
        r.root,
        "CREATE TABLE t.a (i INT PRIMARY KEY, v TEXT) ENGINE=MyISAM"); /* prepared nowhere: the server starts again */
    CU_ASSERT_TRUE(commits_go_on(&r, 1));
    char *path = newest_binlog(&r);
    size_t len = 0;
    free(proc_read_file(path, &len));
    off_t cut = (off_t)len + beyond;
    for (unsigned i = 0; i < lost; i++)
        CU_ASSERT_TRUE(commits_go_on(&r, 2 + i));
    server_kill(r.srv);
    if (truncate(path, cut) != 0)
        proc_die_errno("truncate %s", path);
    server_restart(r.srv, NULL);
    reopen(&r);
    struct sql_async *as = sql_async_start(r.other, "INSERT INTO t.a VALUES (99, 'x')");
    bool ok = daemon_wait_error(r.dm, "ahead_of_source", RIG_WAIT_MS) && daemon_log_contains(r.dm, words);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        daemon_show_log(r.dm);
    CU_ASSERT_FALSE(sql_async_wait(as, 300));
    sql_async_free(as);
    free(path);
    rig_end(&r);
}

static void test_lost_confirmed(void)
{
    if (flavor == SERVER_MARIADB) {
        lose_confirmed(1, 20, "it lost 1 transaction,");  /* torn inside of it */
        lose_confirmed(3, 0, "it lost 3 transactions,");  /* to the byte */
        lose_confirmed(3, 20, "it lost 3 transactions,"); /* and torn */
    } else {
        lose_confirmed(3, 0, "it lost 3 transactions,");
    }
}

/* kill -9 under writers with rows of some MB, until it hit a write often enough. */
static void test_kill_under_large_rows(void)
{
    struct rig r;
    unsigned rounds = rig_rounds(3, 100);
    char *log_size = flavor == SERVER_MARIADB ? "--innodb-log-file-size=256M" : "--innodb-redo-log-capacity=512M";
    rig_start(&r, &(struct server_options){.args = (char *[]){log_size, NULL}}, false,
              (char *[]){"source.retry_min=10ms", NULL});
    struct writers *wr =
        writers_start(&(struct writers_options){.server = r.srv, .threads = 8, .payload_bytes = 1500000});
    for (unsigned i = 0; i < rounds; i++) {
        size_t n = writers_oked_count(wr);
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 4, RIG_WAIT_MS));
        proc_sleep_ms(i * 37 % 150);
        server_kill(r.srv);
        server_restart(r.srv, NULL);
        bool ok = writers_wait_oked(wr, n + 8, RIG_WAIT_MS);
        CU_ASSERT_TRUE(ok);
        if (!ok) {
            daemon_show_log(r.dm);
            break;
        }
    }
    writers_stop(wr, RIG_WAIT_MS);
    reopen(&r);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    printf("\n  %u kills, %zu of them inside an event, %zu commits ", rounds,
           count_in_log(r.dm, "ends inside an event"), writers_oked_count(wr));
    rig_check_oked(&r, wr);
    rig_check_identical(&r);
    writers_free(wr);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"tails of every kind", test_tails},
    {"crashes with nothing between them", test_crash_loop},
    {"a crash that took what was confirmed", test_lost_confirmed},
    {"kill -9 of the primary under large rows", test_kill_under_large_rows},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "torn", cases, sizeof cases / sizeof cases[0]);
}
