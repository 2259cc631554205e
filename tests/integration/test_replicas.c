/*
 * The listener that speaks MySQL's own protocol, beside the primary it has its log from: whoever asks both gets the same. The same packets for a
 * raw client, the same files for the servers' own tools, the same data in a real replica.
 */
#include <stdio.h>

#include "base/cursor.h"
#include "pair.h"
#include "raw_replica.h"

#define POSITIONS_MAX 400

static struct rig r;
static uint16_t port;
static char *folder;

/* ---- the primary, its log, and us beside it ---- */

/* A line of a users file, copied from the primary's own table. */
static char *users_file(void)
{
    char *text =
        sql_value(r.root, flavor == SERVER_MYSQL
                              ? "SELECT CONCAT('repl:replica:0x', HEX(authentication_string)) FROM mysql.user "
                                "WHERE user = 'repl' LIMIT 1"
                              : "SELECT CONCAT('repl:replica:', JSON_VALUE(Priv, '$.authentication_string')) FROM "
                                "mysql.global_priv WHERE User = 'repl' LIMIT 1");
    char *path = proc_fmt("%s/users", folder);
    CU_ASSERT_FATAL(text != NULL);
    proc_write_file(path, text);
    free(text);
    return path;
}

static void write_history(void)
{
    sql_must(r.root, "CREATE DATABASE lab");
    sql_must(r.root, "CREATE TABLE lab.t (id INT PRIMARY KEY, v LONGBLOB)");
    for (int i = 0; i < 6; i++) {
        sql_must(r.root, "INSERT INTO lab.t VALUES (%d, REPEAT('x', %d))", i, i * 300);
        if (i % 2 == 1)
            sql_must(r.root, "FLUSH BINARY LOGS");
    }
    sql_must(r.root, "INSERT INTO lab.t VALUES (100, REPEAT('large', 600000))");
    sql_must(r.root, "BEGIN");
    sql_must(r.root, "INSERT INTO lab.t VALUES (101, 'a')");
    sql_must(r.root, "UPDATE lab.t SET v = 'b' WHERE id = 101");
    sql_must(r.root, "COMMIT");
    sql_must(r.root, "ALTER TABLE lab.t ADD COLUMN w INT");
}

static void begin(void)
{
    folder = proc_tempdir();
    port = proc_free_port();
    rig_start_server(&r, NULL, false);
    char *users = users_file();
    char *settings[] = {proc_fmt("replicas.listen=127.0.0.1:%u", port), proc_fmt("replicas.users_file=%s", users),
                        NULL};
    rig_start_daemon(&r, settings);
    write_history();
    CU_ASSERT(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    free(settings[0]);
    free(settings[1]);
    free(users);
}

static void end(void)
{
    rig_end(&r);
    free(folder);
}

/* ---- packet by packet ---- */

struct question {
    const char *file;
    uint64_t pos;
    const char *wish;  /* of checksums; NULL: none told */
    const char *state; /* MariaDB's; NULL: by file and position */
    const char *set;   /* MySQL's; NULL: the same */
};

static struct raw_replica *ask(bool ours, const struct question *q)
{
    struct lt_err err = {0};
    char none[8];
    struct raw_options o = {.timeout_ms = RIG_WAIT_MS,
                            .no_checksum_var = true,
                            .user = ours ? SERVER_REPL_USER : "root",
                            .password = ours ? SERVER_REPL_PASSWORD : NULL,
                            .socket = ours ? NULL : r.srv->socket,
                            .port = port};
    struct raw_replica *raw = raw_open(&o, &err);
    if (raw == NULL)
        proc_die("%s: %s", ours ? "logtailerd" : "primary", err.text);
    if (q->wish != NULL) {
        char *sql = proc_fmt("SET @master_binlog_checksum = '%s', @source_binlog_checksum = '%s'", q->wish, q->wish);
        CU_ASSERT_EQUAL(raw_query(raw, sql, none, sizeof none), 0);
        free(sql);
    }
    if (q->state != NULL) {
        char *sql = proc_fmt("SET @slave_connect_state='%s', @slave_gtid_strict_mode=1", q->state);
        CU_ASSERT_EQUAL(raw_query(raw, sql, none, sizeof none), 0);
        free(sql);
    }
    int rc = 0;
    if (q->set != NULL) {
        struct gtid_set set = {0};
        uint8_t *data = NULL;
        size_t len = 0;
        CU_ASSERT_EQUAL_FATAL(gtid_set_parse(GTID_MYSQL, q->set, &set), 0);
        set.kind = GTID_MYSQL;
        CU_ASSERT_EQUAL_FATAL(gtid_set_encode_mysql(&set, &data, &len), 0);
        rc = raw_dump_gtid(raw, q->file, q->pos, data, len);
        free(data);
        gtid_set_fini(&set);
    } else {
        rc = raw_dump(raw, q->file, q->pos);
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return raw;
}

/* Of what is made up, the server's id is its own, and the CRC with it. */
static bool same_event(const struct raw_event *a, const struct raw_event *b)
{
    size_t id_end = 9;
    if (a->h.length != b->h.length || a->len != b->len || a->h.type != b->h.type || a->crc_ok != b->crc_ok ||
        a->parts != b->parts || a->seq != b->seq)
        return false;
    bool made_up = a->h.server_id != b->h.server_id;
    if (!made_up)
        return memcmp(a->data, b->data, a->len) == 0;
    size_t tail = a->len > EVENT_HEADER_LEN + 4 ? 4 : 0;
    bool rotate_without = a->h.type == EVENT_ROTATE && a->len - EVENT_HEADER_LEN == 8 + strlen(a->file);
    tail = rotate_without ? 0 : tail;
    return a->artificial && b->artificial && memcmp(a->data, b->data, 5) == 0 &&
           memcmp(a->data + id_end, b->data + id_end, a->len - id_end - tail) == 0;
}

static void complain(const struct question *q, unsigned n, const char *what)
{
    (void)fprintf(stderr, "%s:%llu wish %s state %s set %s: packet %u: %s\n", q->file, (unsigned long long)q->pos,
                  q->wish ? q->wish : "-", q->state ? q->state : "-", q->set ? q->set : "-", n, what);
    CU_FAIL("not as the primary");
}

/* Texts are compared up to what names files and places. */
static bool same_text(const char *a, const char *b)
{
    size_t len = strcspn(a, ";");
    return len == strcspn(b, ";") && strncmp(a, b, len) == 0;
}

static void compare(const struct question *q)
{
    struct raw_replica *theirs = ask(false, q);
    struct raw_replica *ours = ask(true, q);
    for (unsigned n = 0;; n++) {
        struct raw_event a = {0};
        struct raw_event b = {0};
        int rc_a = raw_next(theirs, &a);
        int rc_b = raw_next(ours, &b);
        if (rc_a != rc_b) {
            (void)fprintf(stderr, "%d (%s), %d (%s)\n", rc_a, raw_error_text(theirs), rc_b, raw_error_text(ours));
            complain(q, n, "another end");
            break;
        }
        if (rc_a == 0 && same_event(&a, &b))
            continue;
        if (rc_a == 0) {
            (void)fprintf(stderr, "type %u length %u log_pos %u flags %x, type %u length %u log_pos %u flags %x\n",
                          a.h.type, a.h.length, a.h.log_pos, a.h.flags, b.h.type, b.h.length, b.h.log_pos, b.h.flags);
            complain(q, n, "another event");
        } else if (rc_a == LT_EPROTO && (raw_error_code(theirs) != raw_error_code(ours) ||
                                         !same_text(raw_error_text(theirs), raw_error_text(ours)))) {
            (void)fprintf(stderr, "%u %s\n%u %s\n", raw_error_code(theirs), raw_error_text(theirs),
                          raw_error_code(ours), raw_error_text(ours));
            complain(q, n, "another error");
        }
        break;
    }
    raw_close(theirs);
    raw_close(ours);
}

static const char *const wishes[] = {"CRC32", "NONE", NULL};

static void compare_places(const char *file)
{
    struct sql_rows *rows = sql_rows(r.root, "SHOW BINLOG EVENTS IN '%s'", file);
    uint64_t last = 0;
    CU_ASSERT_FATAL(rows != NULL && rows->rows > 0);
    for (size_t w = 0; w < sizeof wishes / sizeof wishes[0]; w++) {
        for (size_t i = 0; i < rows->rows; i++) {
            uint64_t at = strtoull(rows->cells[i * rows->columns + 1], NULL, 10);
            last = strtoull(rows->cells[i * rows->columns + 4], NULL, 10);
            compare(&(struct question){.file = file, .pos = at, .wish = wishes[w]});
        }
        compare(&(struct question){.file = file, .pos = last, .wish = wishes[w]});
        compare(&(struct question){.file = file, .pos = last + 1, .wish = wishes[w]});
        compare(&(struct question){.file = file, .pos = 3, .wish = wishes[w]});
    }
    sql_rows_free(rows);
}

static void test_places(void)
{
    begin();
    struct sql_rows *files = sql_rows(r.root, "SHOW BINARY LOGS");
    CU_ASSERT_FATAL(files != NULL && files->rows >= 3);
    for (size_t i = 0; i < files->rows; i++)
        compare_places(files->cells[i * files->columns]);
    sql_rows_free(files);
    compare(&(struct question){.file = "", .pos = 4, .wish = "CRC32"});
    compare(&(struct question){.file = "nope.000001", .pos = 4, .wish = "CRC32"});
    end();
}

static void compare_sets(void)
{
    char *uuid = sql_value(r.root, "SELECT @@server_uuid");
    char *all = sql_value(r.root, "SELECT REPLACE(@@gtid_executed, '\n', '')");
    int64_t n = sql_number(r.root, "SELECT SUBSTRING_INDEX(@@gtid_executed, '-', -1)");
    for (size_t w = 0; w < 2; w++) {
        struct question q = {.file = "", .pos = 4, .wish = wishes[w], .set = ""};
        compare(&q);
        for (int64_t i = 1; i <= n + 2; i++) {
            char *set = proc_fmt("%s:1-%lld", uuid, (long long)i);
            q.set = set;
            compare(&q);
            free(set);
        }
        char *holes = proc_fmt("%s:1-2:4:6-7", uuid);
        q.set = holes;
        compare(&q);
        free(holes);
        char *more = proc_fmt("%s,ffffffff-ffff-ffff-ffff-ffffffffffff:1-9", all);
        q.set = more;
        compare(&q);
        free(more);
        q.set = "ffffffff-ffff-ffff-ffff-ffffffffffff:1-9";
        compare(&q);
        char *name = sql_value(r.root, "SHOW BINARY LOGS");
        q.file = name; /* as mysqlbinlog asks: a file, and a set to leave out */
        q.set = all;
        compare(&q);
        free(name);
    }
    free(all);
    free(uuid);
}

static void compare_states(void)
{
    char *all = sql_value(r.root, "SELECT @@gtid_binlog_pos");
    uint64_t n = strtoull(strrchr(all, '-') + 1, NULL, 10);
    for (size_t w = 0; w < 2; w++) {
        struct question q = {.file = "", .pos = 4, .wish = wishes[w], .state = ""};
        compare(&q);
        for (uint64_t i = 1; i <= n + 2; i++) {
            char *state = proc_fmt("0-1-%llu", (unsigned long long)i);
            q.state = state;
            compare(&q);
            free(state);
        }
        static const char *const odd[] = {"5-1-1", "0-7-1", "x", "0-1-2,5-1-7"};
        for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
            q.state = odd[i];
            compare(&q);
        }
    }
    free(all);
}

static void test_gtids(void)
{
    begin();
    if (flavor == SERVER_MYSQL)
        compare_sets();
    else
        compare_states();
    end();
}

/* ---- the servers' own tools ---- */

struct tool {
    const char *name;
    const char *by;   /* "server" or "source=HOW" */
    const char *more; /* may be NULL */
    bool text;        /* else the files as they are */
};

static void run_tool(bool ours, const char *dir, const char *first, const struct tool *t)
{
    struct proc_args args = {0};
    char *said = proc_fmt("%s.log", dir);
    char *make = proc_fmt("%s", dir);
    char *mkdir_args[] = {"mkdir", "-p", make, NULL};
    CU_ASSERT_EQUAL(proc_run(mkdir_args, NULL, NULL), 0);
    if (flavor == SERVER_MYSQL)
        server_mysql_program(&args, "bin/mysqlbinlog");
    else
        proc_args_add(&args, "mariadb-binlog");
    proc_args_add(&args, "--no-defaults");
    proc_args_add(&args, "--read-from-remote-%s", t->by);
    proc_args_add(&args, "--host=127.0.0.1");
    proc_args_add(&args, "--port=%u", ours ? port : r.srv->port);
    proc_args_add(&args, "--user=%s", SERVER_REPL_USER);
    proc_args_add(&args, "--password=%s", SERVER_REPL_PASSWORD);
    if (flavor == SERVER_MYSQL) {
        proc_args_add(&args, "--ssl-mode=DISABLED");
        proc_args_add(&args, "--get-server-public-key");
    }
    if (t->more != NULL)
        proc_args_add(&args, "%s", t->more);
    if (!t->text)
        proc_args_add(&args, "--raw");
    proc_args_add(&args, "--to-last-log");
    proc_args_add(&args, "--result-file=%s/%s", dir, t->text ? "text" : "");
    proc_args_add(&args, "%s", first);
    int status = proc_run(args.v, NULL, said);
    if (status != 0)
        proc_show_log(said);
    CU_ASSERT_EQUAL(status, 0);
    proc_args_fini(&args);
    free(make);
    free(said);
}

/* But for made-up Rotates and lists, where the texts name the server that made them up. */
static void compare_tools(const char *first, const struct tool *t)
{
    char *a = proc_fmt("%s/%s-primary", folder, t->name);
    char *b = proc_fmt("%s/%s-ours", folder, t->name);
    char *diff = proc_fmt("%s/%s-diff", folder, t->name);
    run_tool(false, a, first, t);
    run_tool(true, b, first, t);
    char *argv[] = {"diff", "-r", "-I", "Rotate to", "-I", "Gtid list", a, b, NULL};
    int status = proc_run(argv, NULL, diff);
    if (status != 0)
        proc_show_log(diff);
    CU_ASSERT_EQUAL(status, 0);
    free(diff);
    free(a);
    free(b);
}

static void test_tools(void)
{
    begin();
    char *first = sql_value(r.root, "SHOW BINARY LOGS");
    compare_tools(first, &(struct tool){.name = "raw", .by = "server"});
    compare_tools(first, &(struct tool){.name = "text", .by = "server", .more = "--verbose", .text = true});
    if (flavor == SERVER_MYSQL) {
        char *uuid = sql_value(r.root, "SELECT @@server_uuid");
        char *exclude = proc_fmt("--exclude-gtids=%s:2-4", uuid);
        const char *by = "source=BINLOG-DUMP-GTIDS";
        compare_tools(first, &(struct tool){.name = "gtids", .by = by});
        compare_tools(first, &(struct tool){.name = "left-out", .by = by, .more = exclude});
        compare_tools(first, &(struct tool){.name = "left-out-text", .by = by, .more = exclude, .text = true});
        free(exclude);
        free(uuid);
    } else {
        compare_tools(first,
                      &(struct tool){.name = "gtids", .by = "server", .more = "--start-position=0-1-3", .text = true});
    }
    free(first);
    end();
}

/* ---- a replica ---- */

static int64_t checksum(struct sql *root)
{
    struct sql_rows *rows = sql_rows(root, "CHECKSUM TABLE lab.t");
    CU_ASSERT_FATAL(rows != NULL && rows->rows == 1 && rows->cells[1] != NULL);
    int64_t sum = strtoll(rows->cells[1], NULL, 10);
    sql_rows_free(rows);
    return sum;
}

/* It has all that the primary has, and goes on after a stop. */
static void test_replica(void)
{
    struct pair p;
    begin();
    pair_start(&p, 20);
    struct server us = *r.srv;
    us.port = port;
    pair_replicate(p.root, &us);
    CU_ASSERT(pair_wait_caught_up(p.root, r.root, RIG_WAIT_MS / 1000));
    CU_ASSERT_EQUAL(checksum(p.root), checksum(r.root));
    for (int i = 0; i < 5; i++)
        sql_must(r.root, "INSERT INTO lab.t (id, v) VALUES (%d, 'more')", 200 + i);
    CU_ASSERT(pair_wait_caught_up(p.root, r.root, RIG_WAIT_MS / 1000));
    pair_stop_receiving(p.root);
    sql_must(r.root, "FLUSH BINARY LOGS");
    sql_must(r.root, "DELETE FROM lab.t WHERE id = 203");
    sql_must(p.root, flavor == SERVER_MYSQL ? "START REPLICA IO_THREAD" : "START SLAVE IO_THREAD");
    CU_ASSERT(pair_wait_caught_up(p.root, r.root, RIG_WAIT_MS / 1000));
    CU_ASSERT_EQUAL(checksum(p.root), checksum(r.root));
    pair_end(&p);
    end();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"the tools' files and texts", test_tools},
        {"a replica has the primary's data", test_replica},
        {"the same packets by file and position", test_places},
        {"the same packets by GTIDs", test_gtids},
    };
    return rig_main(argc, argv, "replicas", cases, sizeof cases / sizeof cases[0]);
}
