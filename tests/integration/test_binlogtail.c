/*
 * binlogtail, libbinlogtail and the examples beside logtailerd and a real primary: equal bytes whatever is killed or cut, nothing twice, what
 * people and programs read.
 */
#include "rig.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "binlogtail/binlogtail.h"

#define WAIT_MS 60000

static const char *program(const char *variable)
{
    const char *path = getenv(variable);
    if (path == NULL || access(path, X_OK) != 0)
        proc_die("%s does not name a program (run the test through meson)", variable);
    return path;
}

/* Run a shell line in which $B is binlogtail, $A its address and $D the folder; returns the exit status. */
static int shell(const struct rig *r, const char *dir, const char *line)
{
    char *text = proc_fmt("B=%s A=127.0.0.1:%u D=%s F=%s L=%s; cd $D; %s", program("LT_BINLOGTAIL"), r->dm->tail_port,
                          dir, program("LT_FOLLOW"), program("LT_IN_LIBEVENT"), line);
    char *argv[] = {"sh", "-c", text, NULL};
    int status = proc_run(argv, NULL, NULL);
    free(text);
    return status;
}

static char *slurp(const char *dir, const char *name)
{
    char *path = proc_fmt("%s/%s", dir, name);
    size_t len = 0;
    char *text = proc_read_file(path, &len);
    free(path);
    return text != NULL ? text : proc_fmt("%s", "");
}

static size_t count_text(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

/* Rows, rotations and one event larger than a packet of the source's protocol. */
static void make_history(struct rig *r, unsigned rows)
{
    sql_must(r->root, "CREATE TABLE IF NOT EXISTS t.a (i INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(2000))");
    sql_must(r->root, "CREATE DATABASE IF NOT EXISTS shop");
    sql_must(r->root, "CREATE TABLE IF NOT EXISTS shop.orders (i INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(200))");
    for (unsigned i = 0; i < rows; i++) {
        sql_must(r->root, "INSERT INTO t.a (s) VALUES (REPEAT('x', %u))", 10 + i * 37 % 1900);
        if (i % 5 == 0)
            sql_must(r->root, "INSERT INTO shop.orders (s) VALUES ('order %u')", i);
        if (i % 60 == 59)
            sql_must(r->root, "FLUSH BINARY LOGS");
    }
    CU_ASSERT_TRUE(daemon_wait_caught_up(r->dm, r->root, WAIT_MS));
}

/* The files of the copy are the primary's, the last one up to what is durable; the server's own tool reads them. */
static void check_raw(struct rig *r, const char *raw)
{
    char file[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    char *path = proc_fmt("ls -d %s/0001-*", raw);
    FILE *p = popen(path, "r");
    char folder[512] = "";
    CU_ASSERT(p != NULL && fgets(folder, sizeof folder, p) != NULL);
    if (p != NULL)
        (void)pclose(p);
    free(path);
    folder[strcspn(folder, "\n")] = '\0';
    struct sql_rows *rows = sql_rows(r->root, "SHOW BINARY LOGS");
    CU_ASSERT(rows->rows > 0);
    for (size_t i = 0; i < rows->rows; i++) {
        const char *name = rows->cells[i * rows->columns];
        char *ours = proc_fmt("%s/%s", folder, name);
        char *theirs = proc_fmt("%s/%s", r->srv->datadir, name);
        bool last = strcmp(name, file) == 0;
        CU_ASSERT_TRUE(binlogs_same(ours, theirs, last ? offset : UINT64_MAX));
        CU_ASSERT_TRUE(binlogs_readable(flavor, ours, UINT64_MAX, NULL));
        free(ours);
        free(theirs);
    }
    sql_rows_free(rows);
}

static void test_raw_copy(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    make_history(&r, 130);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --raw --out raw --from earliest --until-end $A 2>err"), 0);
    char *raw = proc_fmt("%s/raw", dir);
    check_raw(&r, raw);
    /* A torn tail, of whatever a crash leaves, is mended; more is fetched. */
    make_history(&r, 70);
    CU_ASSERT_EQUAL(
        shell(&r, dir, "f=$(ls raw/*/* | tail -n 1); truncate -s -5 $f; $B --raw --out raw --until-end $A 2>err"), 0);
    check_raw(&r, raw);
    make_history(&r, 5);
    CU_ASSERT_EQUAL(shell(&r, dir,
                          "f=$(ls raw/*/* | tail -n 1); head -c 700 /dev/zero >>$f; $B --raw --out raw --until-end "
                          "--from earliest $A 2>err"),
                    0);
    check_raw(&r, raw);
    /* Changed bytes are found, told, and left alone. */
    CU_ASSERT_EQUAL(
        shell(&r, dir,
              "f=$(ls raw/*/* | tail -n 1); printf x | dd of=$f bs=1 seek=5 conv=notrunc 2>dd; cp $f before;"
              "$B --raw --out raw --until-end $A 2>err; s=$?; test $s = 7 && grep -q 'not a binlog\\|another one' err "
              "|| test $s = 0"),
        0);
    free(raw);
    free(dir);
    rig_end(&r);
}

static uint64_t folder_bytes(const char *dir)
{
    char *line = proc_fmt("cat %s/*/* 2>/dev/null | wc -c", dir);
    FILE *p = popen(line, "r");
    char text[32] = "";
    if (p != NULL && fgets(text, sizeof text, p) == NULL)
        text[0] = '\0';
    if (p != NULL)
        (void)pclose(p);
    free(line);
    return strtoull(text, NULL, 10);
}

/* So many bytes more than now. */
static bool wait_growth(const char *dir, uint64_t bytes)
{
    uint64_t want = folder_bytes(dir) + bytes;
    uint64_t end = proc_now_ms() + WAIT_MS;
    while (folder_bytes(dir) < want && proc_now_ms() < end)
        proc_sleep_ms(20);
    return folder_bytes(dir) >= want;
}

/* The copy goes on over kill -9 of itself and of logtailerd, under writers. */
static void test_raw_survives_kills(void)
{
    struct rig r;
    unsigned rounds = rig_rounds(6, 60);
    char *dir = proc_tempdir();
    char *raw = proc_fmt("%s/raw", dir);
    char *log = proc_fmt("%s/log", dir);
    char *address;
    rig_start(&r, NULL, false, NULL);
    address = proc_fmt("127.0.0.1:%u", r.dm->tail_port);
    char *argv[] = {
        (char *)program("LT_BINLOGTAIL"), "--raw", "--out", raw, "--from", "earliest", "--retry", address, NULL};
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 8, .payload_bytes = 2000});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, WAIT_MS));
    for (unsigned i = 0; i < rounds; i++) {
        size_t n = writers_oked_count(wr);
        pid_t tail = proc_spawn(argv, log);
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 40, WAIT_MS));
        if (i % 2 == 0) {
            daemon_kill(r.dm);
            daemon_restart(r.dm);
            CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
        }
        if (i % 3 == 0)
            sql_must(r.root, "FLUSH BINARY LOGS");
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 80, WAIT_MS));
        /* logtailerd lets consumers in a while after it started. */
        CU_ASSERT_TRUE(wait_growth(raw, 20000));
        proc_signal(tail, SIGKILL);
        CU_ASSERT_TRUE(proc_wait(tail, WAIT_MS, NULL));
    }
    writers_stop(wr, WAIT_MS);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --raw --out raw --until-end --retry --from earliest $A 2>err"), 0);
    check_raw(&r, raw);
    writers_free(wr);
    free(address);
    free(log);
    free(raw);
    free(dir);
    rig_end(&r);
}

/* ---- the library, cut at random ---- */

struct walk {
    FILE *out; /* of the file at hand */
    char *dir;
    char file[256];
    uint64_t next;
    unsigned wrong;
    unsigned events;
    unsigned transactions;
    unsigned disconnects;
    bool inside;
};

static void walk_event(struct walk *w, const struct binlogtail_event *ev)
{
    if (strcmp(w->file, ev->position.file) != 0) {
        if (w->out != NULL)
            (void)fclose(w->out);
        snprintf(w->file, sizeof w->file, "%s", ev->position.file);
        char *path = proc_fmt("%s/%s", w->dir, w->file);
        w->out = fopen(path, "we");
        free(path);
        if (w->out == NULL)
            proc_die_errno("%s", w->file);
        (void)fwrite("\xfe"
                     "bin",
                     1, 4, w->out);
        w->next = 4;
    }
    w->wrong += ev->position.offset != w->next;
    w->wrong += ((ev->marks & BINLOGTAIL_TXN_BEGIN) != 0) == w->inside && (ev->marks & BINLOGTAIL_TXN_PART);
    w->inside = (ev->marks & BINLOGTAIL_TXN_PART) && !(ev->marks & BINLOGTAIL_TXN_END);
    w->wrong += fwrite(ev->data, 1, ev->length, w->out) != ev->length;
    w->next = ev->end_offset;
    w->events++;
    w->transactions += (ev->marks & BINLOGTAIL_TXN_END) != 0;
}

/* Until END, or, without until_end, this place. */
static int walk_until(struct walk *w, struct binlogtail *bt, struct proxy *px, unsigned cut_every)
{
    const struct binlogtail_event *ev;
    unsigned seed = 7;
    unsigned left = cut_every;
    int rc;
    while ((rc = binlogtail_wait_event(bt, WAIT_MS, &ev)) == 1 && ev->kind != BINLOGTAIL_END) {
        if (ev->kind == BINLOGTAIL_DISCONNECTED)
            w->disconnects++;
        if (ev->kind != BINLOGTAIL_EVENT)
            continue;
        walk_event(w, ev);
        if (cut_every > 0 && --left == 0) {
            seed = seed * 1103515245u + 12345u;
            left = 1 + (seed >> 8) % (2 * cut_every);
            proxy_cut(px, seed & 64 ? PROXY_CUT_RST : PROXY_CUT_FIN);
        }
    }
    return rc;
}

static void check_walk(struct rig *r, const struct walk *w)
{
    char file[256];
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    CU_ASSERT_STRING_EQUAL(w->file, file);
    CU_ASSERT_EQUAL(w->next, offset);
    struct sql_rows *rows = sql_rows(r->root, "SHOW BINARY LOGS");
    for (size_t i = 0; i < rows->rows; i++) {
        const char *name = rows->cells[i * rows->columns];
        char *ours = proc_fmt("%s/%s", w->dir, name);
        char *theirs = proc_fmt("%s/%s", r->srv->datadir, name);
        CU_ASSERT_TRUE(binlogs_same(ours, theirs, strcmp(name, file) == 0 ? offset : UINT64_MAX));
        free(ours);
        free(theirs);
    }
    sql_rows_free(rows);
}

static struct binlogtail *open_at(uint16_t port, bool until_end)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.port = port;
    o.start = BINLOGTAIL_START_EARLIEST;
    o.until_end = until_end;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 8;
    o.max_batch_bytes = 4096;
    struct binlogtail *bt = binlogtail_open(&o, NULL);
    if (bt == NULL)
        proc_die("binlogtail_open failed");
    return bt;
}

static void test_random_cuts(void)
{
    struct rig r;
    unsigned cuts = rig_rounds(60, 1000);
    struct walk w = {.dir = proc_tempdir()};
    rig_start(&r, NULL, false, NULL);
    make_history(&r, 400);
    struct proxy *px = proxy_start(r.dm->tail_port);
    struct binlogtail *bt = open_at(proxy_port(px), true);
    /* Slowly and in pieces, so that a cut finds something on its way. */
    proxy_split(px, 4096);
    proxy_delay(px, PROXY_TO_CLIENT, 1);
    uint64_t end = proc_now_ms() + 10 * WAIT_MS;
    while (w.disconnects < cuts && proc_now_ms() < end) { /* a whole pass is some dozens of cuts */
        CU_ASSERT_EQUAL(walk_until(&w, bt, px, 30), 1);
        CU_ASSERT_EQUAL(w.wrong, 0);
        if (w.out != NULL)
            (void)fflush(w.out);
        check_walk(&r, &w);
        binlogtail_close(bt);
        bt = open_at(proxy_port(px), true);
        w.file[0] = '\0';
    }
    CU_ASSERT(w.disconnects >= cuts);
    printf("\n  %u cuts, %u events ", w.disconnects, w.events);
    binlogtail_close(bt);
    if (w.out != NULL)
        (void)fclose(w.out);
    proxy_free(px);
    free(w.dir);
    rig_end(&r);
}

/* An event larger than 16 MiB, in a transaction of many batches, with the connection cut inside it. */
static void test_large_events(void)
{
    struct rig r;
    struct walk w = {.dir = proc_tempdir()};
    char *args[] = {"--max-allowed-packet=64M", NULL};
    rig_start(&r, &(struct server_options){.args = args}, false, NULL);
    sql_must(r.root, "CREATE TABLE t.big (i INT PRIMARY KEY, b LONGBLOB)");
    sql_must(r.root, "INSERT INTO t.big VALUES (1, REPEAT('q', 20 * 1024 * 1024))");
    sql_must(r.root, "INSERT INTO t.big VALUES (2, 'small')");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    struct proxy *px = proxy_start(r.dm->tail_port);
    struct binlogtail *bt = open_at(proxy_port(px), true);
    CU_ASSERT_EQUAL(walk_until(&w, bt, px, 3), 1);
    CU_ASSERT_EQUAL(w.wrong, 0);
    CU_ASSERT(w.disconnects > 0);
    if (w.out != NULL)
        (void)fclose(w.out);
    check_walk(&r, &w);
    binlogtail_close(bt);
    proxy_free(px);
    free(w.dir);
    rig_end(&r);
}

/* ---- GTIDs ---- */

struct gtids {
    char **seen;
    size_t n;
    unsigned twice;
};

static void see(struct gtids *g, const char *gtid)
{
    for (size_t i = 0; i < g->n; i++)
        g->twice += strcmp(g->seen[i], gtid) == 0;
    g->seen = realloc(g->seen, (g->n + 1) * sizeof *g->seen);
    if (g->seen == NULL)
        proc_die("out of memory");
    g->seen[g->n++] = proc_fmt("%s", gtid);
}

static void test_gtid_subscription(void)
{
    struct rig r;
    struct gtids g = {0};
    const struct binlogtail_event *ev;
    rig_start(&r, NULL, false, NULL);
    make_history(&r, 30);
    char *held = sql_value(r.root, flavor == SERVER_MARIADB ? "SELECT @@gtid_binlog_state" : "SELECT @@gtid_executed");
    make_history(&r, 150);
    struct proxy *px = proxy_start(r.dm->tail_port);
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.port = proxy_port(px);
    o.start = BINLOGTAIL_START_GTIDS;
    o.gtid_set = held;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 8;
    o.max_batch_bytes = 4096;
    struct binlogtail *bt = binlogtail_open(&o, NULL);
    char *all = sql_value(r.root, flavor == SERVER_MARIADB ? "SELECT @@gtid_binlog_state" : "SELECT @@gtid_executed");
    uint64_t expect = 180; /* 150 rows, 30 orders */
    unsigned cuts = 0;
    uint64_t end = proc_now_ms() + WAIT_MS;
    while (g.n < expect + 3 && proc_now_ms() < end && binlogtail_wait_event(bt, WAIT_MS, &ev) == 1) {
        if (ev->kind == BINLOGTAIL_HEARTBEAT && g.n >= expect)
            break;
        if (ev->kind != BINLOGTAIL_EVENT || !(ev->marks & BINLOGTAIL_TXN_END))
            continue;
        see(&g, ev->gtid);
        if (g.n % 20 == 0 && cuts++ < 8)
            proxy_cut(px, PROXY_CUT_RST);
    }
    /* CREATE … IF NOT EXISTS of make_history are transactions as well. */
    CU_ASSERT(g.n >= expect && g.n <= expect + 3);
    CU_ASSERT_EQUAL(g.twice, 0);
    char *set = binlogtail_gtid_set(bt);
    /* All of the primary's GTIDs are in the set now: what it has beyond the last one is nothing. */
    if (flavor == SERVER_MYSQL) {
        char *missing = sql_value(r.root, "SELECT GTID_SUBTRACT(@@gtid_executed, '%s')", set);
        CU_ASSERT_STRING_EQUAL(missing, "");
        free(missing);
    } else {
        CU_ASSERT_STRING_EQUAL(set, all);
    }
    free(set);
    free(all);
    free(held);
    for (size_t i = 0; i < g.n; i++)
        free(g.seen[i]);
    free(g.seen);
    binlogtail_close(bt);
    proxy_free(px);
    rig_end(&r);
}

/* ---- the program ---- */

/* Every line is an object; how many have this table (NULL: are events). */
static size_t json_lines(const char *text, const char *table)
{
    size_t n = 0;
    char *copy = proc_fmt("%s", text);
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        json_error_t e;
        json_t *o = json_loads(line, 0, &e);
        CU_ASSERT_PTR_NOT_NULL(o);
        const char *kind = json_string_value(json_object_get(o, "kind"));
        const char *name = json_string_value(json_object_get(o, "table"));
        CU_ASSERT_PTR_NOT_NULL(kind);
        if (kind != NULL && strcmp(kind, "event") == 0 && (table == NULL || (name != NULL && strcmp(name, table) == 0)))
            n++;
        json_decref(o);
    }
    free(copy);
    return n;
}

static void check_follow(struct rig *r, const char *dir)
{
    CU_ASSERT_EQUAL(shell(r, dir, "$F 127.0.0.1 ${A#*:} tok --until-end >follow1"), 0);
    make_history(r, 7);
    CU_ASSERT_EQUAL(
        shell(r, dir, "$F 127.0.0.1 ${A#*:} tok --until-end >follow2; $L 127.0.0.1 ${A#*:} --until-end >ev"), 0);
    char *first = slurp(dir, "follow1");
    char *second = slurp(dir, "follow2");
    char *ev = slurp(dir, "ev");
    size_t n1 = count_text(first, " events ");
    size_t n2 = count_text(second, " events ");
    CU_ASSERT(n1 > 60);
    CU_ASSERT(n2 >= 9 && n2 <= 12); /* 7 rows, 2 orders, and what the flavour logs of CREATE IF NOT EXISTS */
    unsigned long transactions = strtoul(ev, NULL, 10);
    CU_ASSERT_EQUAL(transactions, n1 + n2);
    free(first);
    free(second);
    free(ev);
}

static void test_lines(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    make_history(&r, 61);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --from earliest --until-end $A >text 2>err"), 0);
    char *text = slurp(dir, "text");
    CU_ASSERT(count_text(text, "shop.orders") >= 26); /* 13 inserts, a table map and a row event each */
    CU_ASSERT_EQUAL(count_text(text, "  Write_rows"), 74);
    CU_ASSERT_EQUAL(count_text(text, "# file mysql-bin."), 2);
    CU_ASSERT_PTR_NULL(strstr(text, "VALUES"));
    free(text);
    char *err = slurp(dir, "err");
    CU_ASSERT_PTR_NOT_NULL(strstr(err, "--from 1/mysql-bin.000002:"));
    free(err);

    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --from earliest --until-end $A >json 2>err"), 0);
    char *json = slurp(dir, "json");
    CU_ASSERT_EQUAL(json_lines(json, "orders"), 26);
    CU_ASSERT_EQUAL(json_lines(json, "a"), 122);
    free(json);

    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --table shop.orders --from earliest --until-end $A >json 2>err"), 0);
    json = slurp(dir, "json");
    CU_ASSERT_EQUAL(json_lines(json, "orders"), 26);
    CU_ASSERT_EQUAL(json_lines(json, "a"), 0);
    CU_ASSERT_EQUAL(count_text(json, "\"transaction\":\"begin\""), 13);
    CU_ASSERT_EQUAL(count_text(json, "\"transaction\":\"end\""), 13);
    free(json);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --database t --from earliest --until-end $A >text 2>err"), 0);
    text = slurp(dir, "text");
    CU_ASSERT_PTR_NULL(strstr(text, "orders"));
    CU_ASSERT_EQUAL(count_text(text, " t.a\n"), 122);
    free(text);

    /* A reader that goes away ends it quietly. */
    CU_ASSERT_EQUAL(shell(&r, dir, "{ timeout 30 $B --from earliest $A 2>err; echo $? >status; } | head -n 2 >text"),
                    0);
    char *status = slurp(dir, "status");
    CU_ASSERT_STRING_EQUAL(status, "0\n");
    free(status);
    err = slurp(dir, "err");
    CU_ASSERT_STRING_EQUAL(err, "");
    free(err);
    /* A reader that takes nothing does not keep it from ending. */
    CU_ASSERT_EQUAL(shell(&r, dir,
                          "mkfifo pipe; sleep 60 <pipe & s=$!; $B --json --from earliest $A >pipe 2>err & p=$!; sleep "
                          "1; kill -TERM $p;"
                          "wait $p; c=$?; kill $s && exit $c"),
                    0);
    check_follow(&r, dir);
    free(dir);
    rig_end(&r);
}

/* Where to go on: a token on stderr after a signal, a resume file, a name at the server; over a restart of logtailerd. */
static void test_going_on(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    make_history(&r, 20);
    CU_ASSERT_EQUAL(shell(&r, dir,
                          "$B --json --from earliest --resume-file resume $A >one 2>err & p=$!;"
                          "for i in $(seq 600); do grep -q '\"type\":\"Xid\"' one && test -s resume && break; sleep "
                          "0.1; done; sleep 0.3;"
                          "kill -INT $p; wait $p"),
                    0);
    CU_ASSERT_EQUAL(shell(&r, dir, "test \"$(sed -n 's/.*--from //p' err)\" = \"$(cat resume)\""), 0);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --from earliest --name worker --until-end $A >named1 2>err"), 0);
    make_history(&r, 10);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --resume-file resume --until-end --retry $A >two 2>err"), 0);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --name worker --until-end $A >named2 2>err"), 0);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --from earliest --until-end $A >all 2>err"), 0);
    /* Both parts together are the whole, event by event. */
    CU_ASSERT_EQUAL(shell(&r, dir, "grep -h '\"event\"' one two >got; grep '\"event\"' all >want; cmp got want"), 0);
    CU_ASSERT_EQUAL(shell(&r, dir, "grep -h '\"event\"' named1 named2 >got; cmp got want"), 0);
    CU_ASSERT_EQUAL(shell(&r, dir, "test $(grep -c '\"event\"' named2) -ge 40"), 0);
    free(dir);
    rig_end(&r);
}

/* What is wrong is said with its cure and its exit code. */
static void test_refusals(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    make_history(&r, 3);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --from mysql-bin.000001:5 $A 2>err"), 5);
    CU_ASSERT_EQUAL(shell(&r, dir, "grep -q 'what helps' err"), 0);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --from mysql-bin.000099:4 $A 2>err"), 5);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --from 1/mysql-bin.000001:4@somebody-else $A 2>err"), 5);
    CU_ASSERT_EQUAL(shell(&r, dir,
                          flavor == SERVER_MYSQL ? "$B --from 0-1-5 $A 2>err"
                                                 : "$B --from 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5 $A 2>err"),
                    5);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --tls $A 2>err"), 4);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B 127.0.0.1:1 2>err"), 3);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --json --raw $A 2>err"), 2);
    char *sql = proc_fmt("$B 127.0.0.1:%u 2>err", r.srv->port);
    CU_ASSERT_EQUAL(shell(&r, dir, sql), 6);
    free(sql);
    CU_ASSERT_EQUAL(shell(&r, dir, "mkdir ro; $B --raw --out ro/x/y $A 2>err"), 1);
    CU_ASSERT_EQUAL(shell(&r, dir, "$B --from earliest --until-end $A >/dev/full 2>err"), 1);
    free(dir);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"raw copy: the primary's files, also over a torn tail", test_raw_copy},
    {"raw copy over kill -9 of both sides", test_raw_survives_kills},
    {"random cuts: no gap, no repeat", test_random_cuts},
    {"events larger than 16 MiB", test_large_events},
    {"a GTID subscription gets nothing twice", test_gtid_subscription},
    {"lines, JSON, filters, examples", test_lines},
    {"going on by token, file and name", test_going_on},
    {"refusals", test_refusals},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "binlogtail", cases, sizeof cases / sizeof cases[0]);
}
