/*
 * Whoever asks the primary and logtailerd the same gets the same packets: by file and position, by GTIDs, with every wish a client may have; odd requests too.
 * Those that are drawn by lot come from a seed, which is printed (LT_SEED=N runs it again).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cursor.h"
#include "listened.h"
#include "raw_replica.h"

static struct listened l;

/* ---- packet by packet ---- */

struct question {
    const char *file;
    uint64_t pos;
    const char *wish;  /* of checksums; NULL: none told */
    const char *state; /* MariaDB's; NULL: by file and position */
    const char *set;   /* MySQL's; NULL: the same */
    const char *until; /* MariaDB's; NULL: none */
    const char *knows; /* @mariadb_slave_capability; NULL: not told */
    bool loose;        /* not strict about GTIDs */
    bool no_annotations;
    bool anywhere;      /* the place may lie inside of an event */
    uint32_t server_id; /* 0: the dump ends where the log does */
};

static void say(struct raw_replica *raw, char *sql)
{
    char none[8];
    CU_ASSERT_EQUAL(raw_query(raw, sql, none, sizeof none), 0);
    free(sql);
}

static void say_wishes(struct raw_replica *raw, const struct question *q)
{
    if (q->wish != NULL)
        say(raw, proc_fmt("SET @master_binlog_checksum = '%s', @source_binlog_checksum = '%s'", q->wish, q->wish));
    say(raw, proc_fmt("SET @mariadb_slave_capability = %s", q->knows != NULL ? q->knows : "NULL"));
    if (q->state != NULL)
        say(raw, proc_fmt("SET @slave_connect_state='%s', @slave_gtid_strict_mode=%d", q->state, !q->loose));
    if (q->until != NULL)
        say(raw, proc_fmt("SET @slave_until_gtid='%s'", q->until));
}

static struct raw_replica *ask(bool ours, const struct question *q)
{
    struct lt_err err = {0};
    struct raw_options o = {.timeout_ms = RIG_WAIT_MS,
                            .no_checksum_var = true,
                            .no_annotations = q->no_annotations,
                            .server_id = q->server_id,
                            .user = ours ? SERVER_REPL_USER : "root",
                            .password = ours ? SERVER_REPL_PASSWORD : NULL,
                            .socket = ours ? NULL : l.r.srv->socket,
                            .port = l.port};
    struct raw_replica *raw = raw_open(&o, &err);
    if (raw == NULL)
        proc_die("%s: %s", ours ? "logtailerd" : "primary", err.text);
    say_wishes(raw, q);
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

#define LIST_AT (EVENT_HEADER_LEN + 4)

static int by_place(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Which GTIDs a list has, and which is the last of its domain: in what order domains and others come is left to a server's tables. */
static bool same_list(const struct raw_event *a, const struct raw_event *b)
{
    uint8_t lists[2][64][17];
    uint32_t n = load_u32(a->data + EVENT_HEADER_LEN) & 0xfffffff; /* above it are flags */
    if (n > 64 || load_u32(b->data + EVENT_HEADER_LEN) != load_u32(a->data + EVENT_HEADER_LEN))
        return false;
    for (int which = 0; which < 2; which++) {
        const uint8_t *p = (which == 0 ? a : b)->data + LIST_AT;
        for (uint32_t i = 0; i < n; i++) {
            memcpy(lists[which][i], p + i * 16, 16);
            lists[which][i][16] = i + 1 == n || load_u32(p + i * 16) != load_u32(p + (i + 1) * 16);
        }
        qsort(lists[which], n, 17, by_place);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(lists[0][i], lists[1][i], 17) != 0)
            return false;
    }
    return true;
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
    if (a->h.type == EVENT_MARIADB_GTID_LIST)
        return a->artificial && b->artificial && memcmp(a->data + id_end, b->data + id_end, 10) == 0 && same_list(a, b);
    return a->artificial && b->artificial && memcmp(a->data, b->data, 5) == 0 &&
           memcmp(a->data + id_end, b->data + id_end, a->len - id_end - tail) == 0;
}

static void complain(const struct question *q, unsigned n, const char *what)
{
    (void)fprintf(stderr, "%s:%llu wish %s state %s until %s set %s knows %s%s%s: packet %u: %s\n", q->file,
                  (unsigned long long)q->pos, q->wish ? q->wish : "-", q->state ? q->state : "-",
                  q->until ? q->until : "-", q->set ? q->set : "-", q->knows ? q->knows : "-", q->loose ? " loose" : "",
                  q->no_annotations ? " no annotations" : "", n, what);
    CU_FAIL("not as the primary");
}

/* Texts are compared up to what names files and places. Of several places that are none either may be told. */
static bool same_text(const struct question *q, const char *a, const char *b)
{
    if (q->anywhere && strncmp(a, "Client requested", 16) != 0)
        return strstr(b, "event") != NULL; /* whichever error bytes that are no event lead a server to */
    static const char place[] = "Error: connecting slave requested to start from GTID ";
    if (q->state != NULL && strchr(q->state, ',') != NULL && strncmp(a, place, sizeof place - 1) == 0)
        return strncmp(b, place, sizeof place - 1) == 0;
    size_t len = strcspn(a, ";");
    return len == strcspn(b, ";") && strncmp(a, b, len) == 0;
}

/* To the end of both. */
static void compare_streams(const struct question *q, struct raw_replica *theirs, struct raw_replica *ours)
{
    for (unsigned n = 0;; n++) {
        struct raw_event a = {0};
        struct raw_event b = {0};
        int rc_a = raw_next(theirs, &a);
        int rc_b = raw_next(ours, &b);
        if (q->anywhere && n == 2 && rc_a == 0 && rc_b == LT_EPROTO && raw_error_code(ours) == 1236)
            break; /* a server sends what looks like an event */
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
                                         !same_text(q, raw_error_text(theirs), raw_error_text(ours)))) {
            (void)fprintf(stderr, "%u %s\n%u %s\n", raw_error_code(theirs), raw_error_text(theirs),
                          raw_error_code(ours), raw_error_text(ours));
            complain(q, n, "another error");
        }
        break;
    }
}

static void compare(const struct question *q)
{
    struct raw_replica *theirs = ask(false, q);
    struct raw_replica *ours = ask(true, q);
    compare_streams(q, theirs, ours);
    raw_close(theirs);
    raw_close(ours);
}

static const char *const wishes[] = {"CRC32", "NONE", NULL};

static void compare_places(const char *file)
{
    struct sql_rows *rows = sql_rows(l.r.root, "SHOW BINLOG EVENTS IN '%s'", file);
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
    listened_begin(&l);
    struct sql_rows *files = sql_rows(l.r.root, "SHOW BINARY LOGS");
    CU_ASSERT_FATAL(files != NULL && files->rows >= 3);
    for (size_t i = 0; i < files->rows; i++)
        compare_places(files->cells[i * files->columns]);
    sql_rows_free(files);
    compare(&(struct question){.file = "", .pos = 4, .wish = "CRC32"});
    compare(&(struct question){.file = "nope.000001", .pos = 4, .wish = "CRC32"});
    listened_end(&l);
}

static void compare_sets(void)
{
    char *uuid = sql_value(l.r.root, "SELECT @@server_uuid");
    char *all = sql_value(l.r.root, "SELECT REPLACE(@@gtid_executed, '\n', '')");
    int64_t n = sql_number(l.r.root, "SELECT SUBSTRING_INDEX(@@gtid_executed, '-', -1)");
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
        char *name = sql_value(l.r.root, "SHOW BINARY LOGS");
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
    char *all = sql_value(l.r.root, "SELECT @@gtid_binlog_pos");
    uint64_t n = strtoull(strrchr(all, '-') + 1, NULL, 10);
    for (size_t w = 0; w < 2; w++) {
        struct question q = {.file = "", .pos = 4, .wish = wishes[w], .state = "", .knows = "4"};
        compare(&q);
        for (uint64_t i = 1; i <= n + 2; i++) {
            char *state = proc_fmt("0-1-%llu", (unsigned long long)i);
            q.state = state;
            compare(&q);
            free(state);
        }
        static const char *const odd[] = {
            "5-1-1",         "0-7-1",        "x",      "0-1-2,5-1-7", "0-1-2,0-1-3", "0-1-2,",        ",0-1-2",
            "0-1-2 , 2-1-1", "0-1-2, 2-1-1", " 0-1-2", "0-1",         "0-1-2-3",     "4294967296-1-1"};
        for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
            q.state = odd[i];
            compare(&q);
        }
    }
    free(all);
}

static void test_gtids(void)
{
    listened_begin(&l);
    if (flavor == SERVER_MYSQL)
        compare_sets();
    else
        compare_states();
    listened_end(&l);
}

/* ---- by lot ---- */

static uint64_t lot;

static unsigned draw(unsigned below)
{
    lot = lot * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)((lot >> 33) % below);
}

static void start_lots(void)
{
    const char *given = getenv("LT_SEED");
    lot = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    (void)printf("  LT_SEED=%llu\n", (unsigned long long)lot);
}

static const char *draw_wish(void)
{
    return wishes[draw(3)];
}

/* Transactions of other domains and servers, numbers left out, statements beside rows, a transaction that is no row's. */
static void write_more_mariadb(struct sql *root)
{
    static const struct {
        unsigned domain;
        unsigned server;
        unsigned seq; /* 0: the next */
    } list[] = {{0, 1, 0},   {2, 1, 0}, {2, 7, 5},   {0, 1, 100}, {5, 7, 3},
                {0, 7, 101}, {2, 7, 9}, {0, 1, 110}, {5, 7, 0},   {2, 1, 12}};
    sql_must(root, "SET SESSION binlog_annotate_row_events = ON");
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        sql_must(root, "SET SESSION gtid_domain_id = %u, server_id = %u, gtid_seq_no = %u", list[i].domain,
                 list[i].server, list[i].seq);
        sql_must(root,
                 i % 4 == 3 ? "CREATE TABLE lab.more_%zu (id INT)" : "INSERT INTO lab.t (id, v) VALUES (%zu, 'm')",
                 1000 + i);
        if (i % 3 == 2)
            sql_must(root, "FLUSH BINARY LOGS");
    }
    sql_must(root, "SET SESSION gtid_domain_id = 0, server_id = @@global.server_id");
}

/* Of others' transactions, with numbers left out, and with tags. */
static void write_more_mysql(struct sql *root)
{
    static const char *const gtids[] = {"aaaaaaaa-0000-0000-0000-000000000000:1",
                                        "aaaaaaaa-0000-0000-0000-000000000000:5",
                                        "AUTOMATIC:tag",
                                        "bbbbbbbb-0000-0000-0000-000000000000:t_1:7",
                                        "aaaaaaaa-0000-0000-0000-000000000000:2",
                                        "AUTOMATIC",
                                        "AUTOMATIC:tag"};
    for (size_t i = 0; i < sizeof gtids / sizeof gtids[0]; i++) {
        sql_must(root, "SET SESSION gtid_next = '%s'", gtids[i]);
        sql_must(root, "INSERT INTO lab.t (id, v) VALUES (%zu, 'm')", 1000 + i);
        sql_must(root, "SET SESSION gtid_next = 'AUTOMATIC'");
        if (i % 3 == 2)
            sql_must(root, "FLUSH BINARY LOGS");
    }
}

/* "D-S-N,..." of what there is, nearly, or not at all. */
static void draw_state(char *out, size_t cap, unsigned percent)
{
    static const struct {
        unsigned domain;
        unsigned last;
    } domains[] = {{0, 112}, {2, 14}, {5, 6}, {9, 3}};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        if (draw(100) >= (i == 3 ? 5 : percent))
            continue;
        len += (size_t)snprintf(out + len, cap - len, "%s%u-%u-%u", len > 0 ? "," : "", domains[i].domain,
                                draw(3) == 0 ? 7 : 1, 1 + draw(draw(3) == 0 ? 16 : domains[i].last));
    }
}

static void draw_question_mariadb(struct question *q, char *state, char *until, size_t cap)
{
    static const char *const known[] = {"4", "4", "4", "3", "2", "1", NULL};
    draw_state(state, cap, 80);
    draw_state(until, cap, 60);
    *q = (struct question){.file = "",
                           .pos = 4,
                           .wish = draw_wish(),
                           .knows = known[draw(7)],
                           .state = state,
                           .until = draw(2) == 0 ? until : NULL,
                           .loose = draw(2) == 0,
                           .no_annotations = draw(2) == 0};
}

static size_t draw_intervals(char *out, size_t cap, unsigned last)
{
    size_t len = 0;
    unsigned from = 1 + draw(3);
    for (unsigned i = draw(4) + 1; i > 0 && from <= last + 2; i--) {
        unsigned to = from + draw(last / 2 + 1);
        len += (size_t)snprintf(out + len, cap - len, ":%u-%u", from, to);
        from = to + 2 + draw(4);
    }
    return len;
}

static void draw_question_mysql(struct question *q, const char *uuid, char *set, size_t cap)
{
    struct {
        const char *source;
        const char *tag;
        unsigned last;
        unsigned percent;
    } list[] = {{uuid, "", 14, 90},
                {uuid, ":tag", 2, 40},
                {"aaaaaaaa-0000-0000-0000-000000000000", "", 5, 50},
                {"bbbbbbbb-0000-0000-0000-000000000000", ":t_1", 7, 50},
                {"cccccccc-0000-0000-0000-000000000000", "", 9, 20}};
    size_t len = 0;
    set[0] = '\0';
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (draw(100) >= list[i].percent)
            continue;
        len += (size_t)snprintf(set + len, cap - len, "%s%s%s", len > 0 ? "," : "", list[i].source, list[i].tag);
        len += draw_intervals(set + len, cap - len, list[i].last);
    }
    *q = (struct question){.file = "", .pos = 4, .wish = draw_wish(), .set = set};
}

/* Anywhere in a file: nearly always inside of an event. */
static void draw_place(struct question *q, const struct sql_rows *files)
{
    size_t i = draw((unsigned)files->rows);
    uint64_t size = strtoull(files->cells[i * files->columns + 1], NULL, 10);
    *q = (struct question){.file = files->cells[i * files->columns],
                           .pos = draw((unsigned)size + 20),
                           .wish = draw_wish(),
                           .knows = draw(2) == 0 ? "4" : NULL,
                           .no_annotations = draw(2) == 0,
                           .anywhere = true};
}

static void test_by_lot(void)
{
    char one[1024];
    char two[1024];
    listened_begin(&l);
    start_lots();
    if (flavor == SERVER_MYSQL)
        write_more_mysql(l.r.root);
    else
        write_more_mariadb(l.r.root);
    CU_ASSERT(daemon_wait_caught_up(l.r.dm, l.r.root, RIG_WAIT_MS));
    char *uuid = flavor == SERVER_MYSQL ? sql_value(l.r.root, "SELECT @@server_uuid") : NULL;
    struct sql_rows *files = sql_rows(l.r.root, "SHOW BINARY LOGS");
    CU_ASSERT_FATAL(files != NULL && files->rows > 0);
    for (unsigned i = rig_rounds(150, 3000); i > 0; i--) {
        struct question q;
        if (flavor == SERVER_MYSQL)
            draw_question_mysql(&q, uuid, one, sizeof one);
        else
            draw_question_mariadb(&q, one, two, sizeof one);
        compare(&q);
        draw_place(&q, files);
        compare(&q);
    }
    sql_rows_free(files);
    free(uuid);
    listened_end(&l);
}

/* What clients, tools and people ask: the same columns, or the same error. */
static void test_statements(void)
{
    static const char *const both[] = {
        "SELECT UNIX_TIMESTAMP()",
        "SELECT @@GLOBAL.SERVER_ID",
        "SELECT VERSION()",
        "select @@version_comment limit 1",
        "SHOW VARIABLES LIKE 'SERVER_ID'",
        "SET @master_heartbeat_period = 30000001024, @source_heartbeat_period = 30000001024",
        "SET @master_binlog_checksum = @@global.binlog_checksum",
        "SELECT @master_binlog_checksum",
        "SHOW BINARY LOGS",
        "SHOW GLOBAL STATUS LIKE 'Threads%'",
        "SELECT @@hostname, @@port, @@read_only AS ro",
        "SHOW DATABASES",
        "SELECT 1",
        "select 1 as one, 2",
        "SET NAMES utf8mb4",
        "SET autocommit = 1",
        "BEGIN",
        "COMMIT",
        "SELECT @@nope",
        "SET @@nope = 1",
        "SET @a = 5, @b = 'x'",
        "SELECT @a, @b",
        "nonsense",
        "SELECT CONNECTION_ID()",
        "DO 1",
        "SHOW WARNINGS"};
    static const char *const mysql[] = {"SELECT @@GLOBAL.GTID_MODE",
                                        "SELECT @@GLOBAL.SERVER_UUID",
                                        "SHOW BINARY LOG STATUS",
                                        "SHOW REPLICAS",
                                        "SHOW REPLICA STATUS",
                                        "SELECT @@super_read_only",
                                        "SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '')",
                                        "SELECT @@GLOBAL.gtid_domain_id",
                                        "SHOW PROCESSLIST"};
    static const char *const mariadb[] = {"SELECT @@GLOBAL.gtid_domain_id",
                                          "SHOW MASTER STATUS",
                                          "SHOW SLAVE HOSTS",
                                          "SHOW SLAVE STATUS",
                                          "SHOW ALL SLAVES STATUS",
                                          "SELECT @@GLOBAL.SERVER_UUID",
                                          "SELECT binlog_gtid_pos('mysql-bin.000001',4)",
                                          "SHOW REPLICA HOSTS"};
    listened_begin(&l);
    struct sql_target us = {.port = l.port, .user = SERVER_REPL_USER, .password = SERVER_REPL_PASSWORD};
    struct sql *ours = sql_must_open(&us);
    const char *const *own = flavor == SERVER_MYSQL ? mysql : mariadb;
    size_t n_own = flavor == SERVER_MYSQL ? sizeof mysql / sizeof mysql[0] : sizeof mariadb / sizeof mariadb[0];
    size_t n_both = sizeof both / sizeof both[0];
    for (size_t i = 0; i < n_both + n_own; i++) {
        const char *statement = i < n_both ? both[i] : own[i - n_both];
        char *a = sql_columns(l.r.root, statement);
        char *b = sql_columns(ours, statement);
        if (strcmp(a, b) != 0)
            (void)fprintf(stderr, "%s:\n  %s\n  %s\n", statement, a, b);
        CU_ASSERT_STRING_EQUAL(a, b);
        free(a);
        free(b);
    }
    sql_close(ours);
    listened_end(&l);
}

/* MariaDB: of a domain that the log has nothing of, the replica is another source's; until something of it comes here. */
static void test_domain_comes(void)
{
    static const char *const places[] = {"0-1-1,9-1-4", "0-1-1,9-1-40", "0-1-1,9-7-4"};
    struct raw_replica *theirs[3];
    struct raw_replica *ours[3];
    listened_begin(&l);
    for (size_t i = 0; i < 3; i++) {
        struct question q = {
            .file = "", .pos = 4, .wish = "CRC32", .knows = "4", .state = places[i], .server_id = 900 + (uint32_t)i};
        theirs[i] = ask(false, &q);
        ours[i] = ask(true, &q);
    }
    sql_must(l.r.root, "SET SESSION gtid_domain_id = 9");
    for (unsigned seq = 3; seq < 7; seq++) {
        sql_must(l.r.root, "SET SESSION gtid_seq_no = %u", seq);
        sql_must(l.r.root, "INSERT INTO lab.t (id, v) VALUES (%u, 'nine')", 900 + seq);
    }
    for (size_t i = 1; i < 3; i++) { /* refused, once it is there */
        struct question q = {.file = "", .state = places[i]};
        compare_streams(&q, theirs[i], ours[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        raw_close(theirs[i]);
        raw_close(ours[i]);
    }
    struct question q = {.file = "", .pos = 4, .wish = "CRC32", .knows = "4", .state = places[0]};
    compare(&q);
    listened_end(&l);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"by file and position", test_places},
        {"by GTIDs", test_gtids},
        {"by lot", test_by_lot},
        {"statements", test_statements},
        {"a domain comes to be", test_domain_comes},
    };
    size_t n = sizeof cases / sizeof cases[0];
    bool mysql = argc > 1 && strcmp(argv[1], "mysql") == 0;
    return rig_main(argc, argv, "same", cases, mysql ? n - 1 : n);
}
