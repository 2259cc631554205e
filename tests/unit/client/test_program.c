/* The parts of binlogtail that do no I/O of their own: arguments, lines, filters, tables, progress. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "binlog_gen.h"
#include "cunit_main.h"

#include "base/cursor.h"
#include "client/binlogtail_help.h"
#include "client/binlogtail_opts.h"
#include "client/binlogtail_run.h"
#include "client/printer.h"
#include "client/progress.h"
#include "client/span.h"

/* ---- arguments ---- */

#define ARGS_MAX 12

static int parse(struct opts *o, const char *line)
{
    static char copy[512];
    char *argv[ARGS_MAX + 1] = {"binlogtail"};
    int argc = 1;
    char *save = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w != NULL && argc < ARGS_MAX; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    optind = 0;
    return opts_parse(argc, argv, o);
}

static void good_arguments(void)
{
    struct opts o;
    CU_ASSERT_EQUAL(parse(&o, "db1"), -1);
    CU_ASSERT_STRING_EQUAL(o.lib.host, "db1");
    CU_ASSERT_EQUAL(o.lib.port, 0);
    CU_ASSERT_EQUAL(o.lib.start, BINLOGTAIL_START_LATEST);
    CU_ASSERT_EQUAL(o.lib.attempts_first, 1);
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--json --from earliest --until-end [::1]:7399"), -1);
    CU_ASSERT_STRING_EQUAL(o.lib.host, "::1");
    CU_ASSERT_EQUAL(o.lib.port, 7399);
    CU_ASSERT_EQUAL(o.format, FORMAT_JSON);
    CU_ASSERT(o.lib.until_end && o.lib.start == BINLOGTAIL_START_EARLIEST);
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--from 0-1-100,1-1-7 ::1"), -1);
    CU_ASSERT_STRING_EQUAL(o.lib.host, "::1");
    CU_ASSERT_EQUAL(o.lib.start, BINLOGTAIL_START_GTIDS);
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--from 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5 a:1"), -1);
    CU_ASSERT_EQUAL(o.lib.start, BINLOGTAIL_START_GTIDS);
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--from mysql-bin.000001:120 --name x --retry --max-event 2MiB a:1"), -1);
    CU_ASSERT_EQUAL(o.lib.start, BINLOGTAIL_START_POSITION);
    CU_ASSERT_FALSE(o.lib.resume_committed);
    CU_ASSERT_EQUAL(o.lib.attempts_first, 0);
    CU_ASSERT_EQUAL(o.lib.max_event_bytes, 2u << 20);
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--name x --ca /ca --cert /c --key /k --tls-name n a:1"), -1);
    CU_ASSERT(o.lib.resume_committed && o.lib.tls && !o.lib.tls_no_verify);
    CU_ASSERT_STRING_EQUAL(o.lib.tls_name, "n");
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--database d --table t --table d2.t2 --no-retry a:1"), -1);
    CU_ASSERT_EQUAL(o.n_filters, 3);
    CU_ASSERT(o.filters[0].table == NULL && o.filters[1].database == NULL);
    CU_ASSERT_STRING_EQUAL(o.filters[2].database, "d2");
    CU_ASSERT_STRING_EQUAL(o.filters[2].table, "t2");
    CU_ASSERT_EQUAL(o.lib.attempts, 1);
    opts_fini(&o);
}

/* 2026-11-27 10:00:00 UTC */
#define TEN 1795773600

static void times(void)
{
    static const struct {
        const char *text;
        int64_t s;
    } good[] = {
        {"2026-11-27 10:00", TEN},
        {"2026-11-27T10:00:00Z", TEN},
        {"2026-11-27 10:00:05.250", TEN + 5},
        {"2026-11-27", TEN - 36000},
        {"2026-11-27T12:00+02:00", TEN},
        {"2026-11-27 04:30:00 -0530", TEN},
        {"2026-11-27 11:00+01", TEN},
        {"2028-02-29 00:00", 1835395200},
        {"-90min", TEN - 5400},
        {"-1h", TEN - 3600},
        {"-1.5s", TEN - 1},
    };
    static const char *const bad[] = {"2026-11-31",
                                      "2026-02-29",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-11-27 24:00",
                                      "2026-11-27 10",
                                      "2026-11-27 10:60",
                                      "2026-11-27 10:00 Berlin",
                                      "-1fortnight",
                                      "2026-11-27 10:00+99:00",
                                      "10:00",
                                      "",
                                      "-",
                                      "2026"};
    int64_t s = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL(where_parse_time(good[i].text, true, TEN, &s, NULL), 0);
        CU_ASSERT_EQUAL(s, good[i].s);
        if (s != good[i].s)
            (void)fprintf(stderr, "%s: %lld\n", good[i].text, (long long)(s - TEN));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_NOT_EQUAL(where_parse_time(bad[i], true, TEN, &s, NULL), 0);
    /* Local time is what the machine has; a zone in the text wins. */
    CU_ASSERT_EQUAL(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
    tzset();
    CU_ASSERT_EQUAL(where_parse_time("2026-11-27 11:00", false, TEN, &s, NULL), 0);
    CU_ASSERT_EQUAL(s, TEN);
    CU_ASSERT_EQUAL(where_parse_time("2026-11-27 10:00Z", false, TEN, &s, NULL), 0);
    CU_ASSERT_EQUAL(s, TEN);
    CU_ASSERT_EQUAL(where_parse_time("2026-07-01 12:00", false, TEN, &s, NULL), 0); /* summer */
    CU_ASSERT_EQUAL(s, 1782900000);
    (void)unsetenv("TZ");
    tzset();
}

static void check_where(const char *word, enum where_kind kind, const char *says)
{
    struct where w = {0};
    struct lt_err err = {0};
    int rc = where_parse(word, true, &w, &err);
    CU_ASSERT_EQUAL(rc == 0, kind != WHERE_NONE);
    CU_ASSERT_EQUAL(w.kind, kind);
    if (rc != 0)
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, says));
    where_fini(&w);
}

static void words_for_places(void)
{
    char named[] = "@/tmp/client-where-XXXXXX";
    check_where("latest", WHERE_LATEST, "");
    check_where("earliest", WHERE_EARLIEST, "");
    check_where("mysql-bin.000001:120", WHERE_POSITION, "");
    check_where("2/mysql-bin.000001:120@id", WHERE_POSITION, "");
    check_where("2026-11-27 10:00", WHERE_TIME, "");
    check_where("-1h", WHERE_TIME, "");
    check_where("0-1-5, 0-2-6", WHERE_GTIDS, "");
    check_where("'3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\\n3e11fa47-71ca-11e1-9e33-c80aa9429563:1'", WHERE_GTIDS,
                "");
    check_where("", WHERE_NONE, "is empty"); /* it was the empty set: everything */
    check_where(" \n", WHERE_NONE, "is empty");
    check_where("''", WHERE_NONE, "neither");
    check_where("2026-11-31 10:00", WHERE_NONE, "no such time");
    check_where("2010-11-27", WHERE_NONE, "\"2010-11-27 00:00\" for the day, \"'2010-11-27'\"");
    check_where("2010-11-27 00:00", WHERE_TIME, ""); /* what it says helps */
    check_where("'2010-11-27'", WHERE_GTIDS, "");
    check_where("2010-11-27,0-1-5", WHERE_GTIDS, "");
    check_where("2010-13-27", WHERE_GTIDS, ""); /* no day */
    check_where("nonsense", WHERE_NONE, "neither");
    check_where("@/nonexistent/set", WHERE_NONE, "/nonexistent/set");
    int fd = mkstemp(named + 1);
    CU_ASSERT_EQUAL(write(fd, "0-1-5,\n0-2-6\n", 13), 13);
    check_where(named, WHERE_GTIDS, "");
    CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
    check_where(named, WHERE_NONE, "is empty");
    (void)close(fd);
    (void)unlink(named + 1);
}

static void bad_arguments(void)
{
    static const char *const bad[] = {
        "",
        "a b",
        "a:0",
        "a:65536",
        "a:x",
        ":1",
        "[::1",
        "[::1]x",
        "--nonsense a:1",
        "--from",
        "--from nonsense a:1",
        "--json --raw a:1",
        "--raw a:1",
        "--raw --out - a:1",
        "--until latest a:1",
        "--until earliest a:1",
        "--until nonsense a:1",
        "--out d a:1",
        "--raw --out d --table t a:1",
        "--raw --out d --from 0-1-5 a:1",
        "--raw --out d --resume-file f a:1",
        "--key k a:1",
        "--max-event 0 a:1",
        "--max-event 5GiB a:1",
        "--token-file /nonexistent/token a:1",
        "--resume-file /proc/self/status a:1",
        "--resume-file /proc/self/mem a:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct opts o;
        int code = parse(&o, bad[i]);
        CU_ASSERT_EQUAL(code, EXIT_USAGE);
        if (code != EXIT_USAGE)
            (void)fprintf(stderr, "%s\n", bad[i]);
        opts_fini(&o);
    }
    struct opts o;
    CU_ASSERT_EQUAL(parse(&o, "--version"), 0);
    opts_fini(&o);
    CU_ASSERT_EQUAL(parse(&o, "--help"), 0);
    opts_fini(&o);
    CU_ASSERT_PTR_NOT_NULL(strstr(binlogtail_help, "Exit codes"));
}

static void secret_and_resume_files(void)
{
    char dir[] = "/tmp/client-opts-XXXXXX";
    char line[200];
    char path[100];
    struct opts o;
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return;
    (void)fputs("me:secret\r\nmore\n", f);
    (void)fclose(f);
    snprintf(line, sizeof line, "--token-file %s a:1", path);
    CU_ASSERT_EQUAL(parse(&o, line), -1);
    CU_ASSERT_STRING_EQUAL(o.lib.token, "me:secret");
    opts_fini(&o);
    snprintf(line, sizeof line, "--resume-file %s.none --from earliest a:1", path);
    CU_ASSERT_EQUAL(parse(&o, line), -1);
    CU_ASSERT_EQUAL(o.lib.start, BINLOGTAIL_START_EARLIEST);
    opts_fini(&o);
    f = fopen(path, "w");
    if (f == NULL)
        return;
    (void)fputs("1/mysql-bin.000001:77@x\n", f);
    (void)fclose(f);
    snprintf(line, sizeof line, "--resume-file %s --from earliest a:1", path);
    CU_ASSERT_EQUAL(parse(&o, line), -1);
    CU_ASSERT_EQUAL(o.lib.start, BINLOGTAIL_START_POSITION);
    CU_ASSERT_STRING_EQUAL(o.lib.position, "1/mysql-bin.000001:77@x");
    opts_fini(&o);
    (void)remove(path);
    (void)remove(dir);
}

static void exit_codes(void)
{
    static const struct {
        int code;
        int server_code;
        int exit_code;
    } cases[] = {
        {BINLOGTAIL_EINVAL, 0, 2},
        {BINLOGTAIL_ECONNECT, 0, 3},
        {BINLOGTAIL_ELOST, 0, 3},
        {BINLOGTAIL_ETLS, 0, 4},
        {BINLOGTAIL_EPROTOCOL, 0, 6},
        {BINLOGTAIL_ECHECKSUM, 0, 6},
        {BINLOGTAIL_ENOMEM, 0, 1},
        {BINLOGTAIL_ESYS, 0, 1},
        {BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_AUTH, 4},
        {BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_PURGED, 5},
        {BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_CORRUPT, 6},
        {BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_STOPPING, 3},
        {BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_TLS_REQUIRED, 4},
        {BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_BAD_GTID_SET, 5},
        {BINLOGTAIL_ESERVER, 99, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct binlogtail_error e = {.code = cases[i].code, .server_code = cases[i].server_code};
        CU_ASSERT_EQUAL(say_exit_code(&e), cases[i].exit_code);
    }
}

/* ---- lines ---- */

/* Events made by hand: a table map of this id and name, a row event of this id. */
static void put_table_map(struct binlog_gen *g, uint64_t id, const char *database, const char *table)
{
    uint8_t body[300];
    struct writer w = writer_on(body, sizeof body);
    writer_u32(&w, (uint32_t)id);
    writer_u16(&w, (uint16_t)(id >> 32));
    writer_u16(&w, 1);
    writer_u8(&w, (uint8_t)strlen(database));
    writer_bytes(&w, database, strlen(database) + 1);
    writer_u8(&w, (uint8_t)strlen(table));
    writer_bytes(&w, table, strlen(table) + 1);
    writer_u8(&w, 0);
    gen_event(g, EVENT_TABLE_MAP, body, w.len, 0);
}

static void put_rows(struct binlog_gen *g, uint64_t id)
{
    uint8_t body[20] = {0};
    store_u32(body, (uint32_t)id);
    store_u16(body + 4, (uint16_t)(id >> 32));
    gen_event(g, EVENT_WRITE_ROWS, body, sizeof body, 0);
}

/* Every event of the file through the printer, marked as the library marks it. */
static void print(struct printer *p, const struct binlog_gen *g)
{
    struct txn_tracker t;
    txn_reset(&t);
    while (t.offset < g->len) {
        struct event_header h;
        struct txn_step step;
        char gtid[GTID_TEXT_MAX] = "";
        const uint8_t *data = g->data + t.offset;
        bool was_open = t.open;
        struct binlogtail_event ev = {.kind = BINLOGTAIL_EVENT, .marks = BINLOGTAIL_CRC, .data = data, .gtid = gtid};
        ev.position = (struct binlogtail_position){1, "mysql-bin.000001", t.offset, "source-1"};
        if (event_header_parse(data, g->len - t.offset, &h) != 0)
            abort();
        txn_feed(&t, &h, data, h.length, &step);
        if (t.open || step.completed)
            ev.marks |= BINLOGTAIL_TXN_PART | (was_open ? 0 : BINLOGTAIL_TXN_BEGIN);
        if (step.completed)
            ev.marks |= BINLOGTAIL_TXN_END;
        (void)gtid_format(step.completed ? &step.gtid : &t.open_gtid, gtid, sizeof gtid);
        ev.length = h.length;
        ev.end_offset = t.offset;
        ev.time_s = h.timestamp;
        ev.server_id = h.server_id;
        ev.type = h.type;
        ev.type_name = event_type_name(h.type);
        printer_event(p, &ev);
    }
}

static void make_file(struct binlog_gen *g)
{
    gen_init(g, false, true);
    gen_file(g, true);
    gen_gtid(g); /* 1: touches both */
    gen_query(g, "BEGIN");
    put_table_map(g, 0x1234567890aull, "shop", "orders");
    put_table_map(g, 7, "t", "a");
    put_rows(g, 0x1234567890aull);
    put_rows(g, 7);
    gen_xid(g);
    gen_gtid(g); /* 2: only t.a */
    gen_query(g, "BEGIN");
    put_table_map(g, 7, "t", "a");
    put_rows(g, 7);
    gen_xid(g);
    gen_gtid(g); /* 3: a statement */
    gen_query(g, "CREATE USER 'x' IDENTIFIED BY 'secret'");
}

static size_t count(const struct text *t, const char *what)
{
    size_t n = 0;
    size_t len = strlen(what);
    for (size_t i = 0; i + len <= t->len; i++)
        n += memcmp(t->data + i, what, len) == 0;
    return n;
}

static void with_options(const char *line, struct printer *p, struct opts *o)
{
    struct binlog_gen g;
    CU_ASSERT_EQUAL(parse(o, line), -1);
    printer_init(p, o);
    make_file(&g);
    print(p, &g);
    gen_fini(&g);
}

static void done(struct printer *p, struct opts *o)
{
    printer_fini(p);
    opts_fini(o);
}

static void text_lines(void)
{
    struct printer p;
    struct opts o;
    with_options("--utc a:1", &p, &o);
    CU_ASSERT_EQUAL(count(&p.out, "\n"), 16);
    CU_ASSERT_EQUAL(count(&p.out, "2023-11-14 22:13:20      7  mysql-bin.000001:"), 16);
    CU_ASSERT_EQUAL(count(&p.out, "    Write_rows         shop.orders\n"), 1);
    CU_ASSERT_EQUAL(count(&p.out, "Gtid                 68b1e7ed-0102-0304-0506-0708090a0b0c:2\n"), 1);
    CU_ASSERT_EQUAL(count(&p.out, "CREATE USER\n"), 1);
    CU_ASSERT_EQUAL(count(&p.out, "secret"), 0);
    CU_ASSERT_EQUAL(count(&p.out, "9.7.0, checksum CRC32\n"), 1);
    done(&p, &o);
    with_options("--statements a:1", &p, &o);
    CU_ASSERT_EQUAL(count(&p.out, "IDENTIFIED BY 'secret'\n"), 1);
    done(&p, &o);
}

static void json_lines(void)
{
    struct printer p;
    struct opts o;
    with_options("--json a:1", &p, &o);
    CU_ASSERT_EQUAL(count(&p.out, "\n"), 16);
    CU_ASSERT_EQUAL(count(&p.out, "\"kind\":\"event\""), 16);
    CU_ASSERT_EQUAL(count(&p.out, "\"database\":\"shop\",\"table\":\"orders\""), 2);
    CU_ASSERT_EQUAL(count(&p.out, "\"transaction\":\"begin\""), 3);
    CU_ASSERT_EQUAL(count(&p.out, "\"transaction\":\"end\""), 3);
    CU_ASSERT_EQUAL(count(&p.out, "secret"), 0);
    done(&p, &o);
}

static void filters(void)
{
    struct printer p;
    struct opts o;
    with_options("--table shop.orders a:1", &p, &o);
    CU_ASSERT_EQUAL(count(&p.out, "\n"), 5); /* GTID, BEGIN, table map, rows, XID */
    CU_ASSERT_EQUAL(count(&p.out, "t.a"), 0);
    done(&p, &o);
    with_options("--table a a:1", &p, &o);
    CU_ASSERT_EQUAL(count(&p.out, "\n"), 10);
    CU_ASSERT_EQUAL(count(&p.out, "shop.orders"), 0);
    done(&p, &o);
    with_options("--database t --database shop a:1", &p, &o);
    CU_ASSERT_EQUAL(count(&p.out, "\n"), 12);
    done(&p, &o);
    /* % is anything, in either name; _ is itself. */
    static const struct {
        const char *filter;
        bool found;
    } patterns[] = {
        {"shop.o%", true},      {"sh%.%", true},         {"%.%rders", true},     {"%op.o%d%s", true},
        {"shop.orders%", true}, {"%shop.%orders", true}, {"shop.order_", false}, {"shop.%x", false},
        {"shop.o%\\%", false},  {"o%d", false},          {"o%s", true},          {"shop.%%", true},
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        char line[100];
        (void)snprintf(line, sizeof line, "--table %s a:1", patterns[i].filter);
        with_options(line, &p, &o);
        CU_ASSERT_EQUAL(p.out.len > 0, patterns[i].found);
        if ((p.out.len > 0) != patterns[i].found)
            (void)fprintf(stderr, "%s\n", patterns[i].filter);
        done(&p, &o);
    }
    with_options("--database nothing a:1", &p, &o);
    CU_ASSERT_EQUAL(p.out.len, 0);
    done(&p, &o);
}

/* Names that a terminal would obey, or that JSON cannot hold. */
static void strange_names(void)
{
    struct printer p;
    struct opts o;
    struct binlog_gen g;
    CU_ASSERT_EQUAL(parse(&o, "--json a:1"), -1);
    printer_init(&p, &o);
    gen_init(&g, true, true);
    gen_file(&g, false);
    put_table_map(&g, 1, "\x1b[31m", "\xff\xfe");
    put_table_map(&g, 2, "\xc2\x9b[31m", "\xe2\x80\xaeteg");
    print(&p, &g);
    CU_ASSERT_EQUAL(count(&p.out, "\xc2\x9b[31m") + count(&p.out, "\xe2\x80\xaeteg"), 2); /* JSON is exact */
    CU_ASSERT_EQUAL(count(&p.out, "\\u001B[31m"), 1);
    CU_ASSERT_EQUAL(count(&p.out, "\xef\xbf\xbd\xef\xbf\xbd"), 1);
    text_clear(&p.out);
    o.format = FORMAT_TEXT;
    print(&p, &g);
    CU_ASSERT_EQUAL(count(&p.out, "\x1b"), 0);
    CU_ASSERT_EQUAL(count(&p.out, "\xc2\x9b") + count(&p.out, "\xe2\x80\xae") + count(&p.out, "\xff"), 0);
    CU_ASSERT_EQUAL(count(&p.out, "??[31m.???teg"), 1);
    gen_fini(&g);
    done(&p, &o);
}

/* A file's name and a source's come from outside like a table's. */
static void strange_marks(void)
{
    static const enum binlogtail_kind kinds[] = {BINLOGTAIL_LINEAGE, BINLOGTAIL_FILE_BEGIN, BINLOGTAIL_FILE_END,
                                                 BINLOGTAIL_HEARTBEAT};
    static const struct binlogtail_position strange = {1, "\xe2\x80\xae\xc2\x9b.000001", 4, "\xe2\x81\xa6id\n"};
    struct printer p;
    struct opts o;
    CU_ASSERT_EQUAL(parse(&o, "--heartbeats a:1"), -1);
    printer_init(&p, &o);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        printer_event(&p, &(struct binlogtail_event){.kind = kinds[i],
                                                     .position = strange,
                                                     .durable = strange,
                                                     .flavor = "mysql",
                                                     .type_name = "",
                                                     .gtid = "",
                                                     .aborted = true});
    CU_ASSERT_EQUAL(count(&p.out, "\xe2") + count(&p.out, "\xc2"), 0);
    CU_ASSERT_EQUAL(count(&p.out, "?????.000001"), 3);
    CU_ASSERT_EQUAL(count(&p.out, "\n"), 4);
    done(&p, &o);
}

static void tables_from_bad_bytes(void)
{
    struct tables t = {0};
    uint8_t event[60] = {0};
    struct query_text q;
    for (size_t n = 0; n < sizeof event; n++) {
        memset(event, 0xff, sizeof event);
        (void)tables_look(&t, EVENT_TABLE_MAP, event, n);
        CU_ASSERT_PTR_NULL(tables_look(&t, EVENT_WRITE_ROWS, event, n));
        (void)tables_query(EVENT_QUERY, event, n, true, &q);
    }
    CU_ASSERT_PTR_NULL(tables_look(&t, EVENT_XID, event, sizeof event));
    tables_fini(&t);
}

/* ---- progress ---- */

static void progress_numbers(void)
{
    struct binlogtail_server server = {.durable = {1, "b.000004", 1000, "s"}};
    struct progress p = {0};
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_CONNECTED, .server = &server});
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_FILE_BEGIN, .position = {1, "b.000001", 4, "s"}});
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_EVENT, .length = 2000, .end_offset = 2004});
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_FILE_END, .position = {1, "b.000001", 2000, "s"}});
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_FILE_BEGIN, .position = {1, "b.000002", 4, "s"}});
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_EVENT, .length = 1000, .end_offset = 1000});
    /* 3000 bytes in 2 s; 1000 left of this file, 2000 of the next, 1000 of the last. */
    struct progress_view v = progress_compute(&p, p.begun_us + 2000000);
    CU_ASSERT_EQUAL(v.bytes_per_second, 1500);
    CU_ASSERT_EQUAL(v.seconds_left, 2);
    CU_ASSERT(v.done > 0.42 && v.done < 0.43);
    progress_event(&p, &(struct binlogtail_event){.kind = BINLOGTAIL_CAUGHT_UP});
    CU_ASSERT_EQUAL(p.begun_us, 0);
    progress_tick(&p); /* not on: nothing */
    CU_ASSERT_FALSE(p.drawn);
}

static const struct test_case cases[] = {
    {"arguments", good_arguments},
    {"times", times},
    {"words for places", words_for_places},
    {"arguments that are wrong", bad_arguments},
    {"files with a secret and a token", secret_and_resume_files},
    {"exit codes", exit_codes},
    {"lines for people", text_lines},
    {"JSON", json_lines},
    {"filters keep a transaction's frame", filters},
    {"strange names", strange_names},
    {"strange names of files and sources", strange_marks},
    {"tables from bad bytes", tables_from_bad_bytes},
    {"progress", progress_numbers},
};

int main(void)
{
    return cunit_run("program", cases, sizeof cases / sizeof cases[0]);
}
