/*
 * binlogtail and the examples beside logtailerd and a real primary: equal bytes whatever is killed or cut, nothing twice, what
 * people and programs read.
 */
#include "consumer.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

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

/* A span: by time, place and set, of rows whose times and places are known. */
static void test_span(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    for (unsigned i = 1; i <= 6; i++) { /* a file for each row, an hour apart */
        sql_must(r.root, "SET timestamp = %u", 1795773600 + (i - 4) * 3600);
        sql_must(r.root, "INSERT INTO t.a VALUES (%u)", i);
        sql_must(r.root, "FLUSH BINARY LOGS");
    }
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir,
                       "x() { $B --utc --table t.a --until-end \"$@\" $A 2>>err | grep -c Write_rows; };"
                       "x --from earliest >n; x --from '2026-11-27 10:00' >>n;"
                       "x --from '2026-11-27 09:30' --until '2026-11-27T11:00Z' >>n;"
                       "x --from '2026-11-27 07:30' --until '2026-11-27 10:00' >>n;"
                       "f=$($B --json --from '2026-11-27 10:00' --until-end $A 2>>err | grep -m 1 Write_rows |"
                       " sed 's/.*\"file\":\"\\([^\"]*\\)\".*/\\1/'); x --from earliest --until $f >>n"),
        0);
    char *n = consumer_read(dir, "n");
    CU_ASSERT_STRING_EQUAL(n, "6\n3\n1\n2\n3\n");
    char *said = consumer_read(dir, "err");
    if (strcmp(n, "6\n3\n1\n2\n3\n") != 0)
        (void)fprintf(stderr, "%s%s\n", n, said);
    free(said);
    free(n);
    rig_end(&r);
    proc_remove_dir(dir);
    free(dir);
}

static void test_raw_copy(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    consumer_history(&r, 130);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --raw --out raw --from earliest --until-end $A 2>err"), 0);
    char *raw = proc_fmt("%s/raw", dir);
    check_raw(&r, raw);
    /* A torn tail, of whatever a crash leaves, is mended; more is fetched. */
    consumer_history(&r, 70);
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir,
                       "f=$(ls raw/*/* | tail -n 1); truncate -s -5 $f; $B --raw --out raw --until-end $A 2>err"),
        0);
    check_raw(&r, raw);
    consumer_history(&r, 5);
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir,
                       "f=$(ls raw/*/* | tail -n 1); head -c 700 /dev/zero >>$f; $B --raw --out raw --until-end "
                       "--from earliest $A 2>err"),
        0);
    check_raw(&r, raw);
    /* A page that a crash left unwritten: what is behind it goes, and comes again. */
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir,
                       "f=$(ls raw/*/* | tail -n 1); dd if=/dev/zero of=$f bs=1 seek=300 count=200 conv=notrunc 2>dd;"
                       "$B --raw --out raw --until-end $A 2>err"),
        0);
    check_raw(&r, raw);
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
        (char *)rig_program("LT_BINLOGTAIL"), "--raw", "--out", raw, "--from", "earliest", "--retry", address, NULL};
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
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --raw --out raw --until-end --retry --from earliest $A 2>err"), 0);
    check_raw(&r, raw);
    writers_free(wr);
    free(address);
    free(log);
    free(raw);
    free(dir);
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
    CU_ASSERT_EQUAL(consumer_shell(r, dir, "$F 127.0.0.1 ${A#*:} tok --until-end >follow1"), 0);
    consumer_history(r, 7);
    CU_ASSERT_EQUAL(
        consumer_shell(r, dir, "$F 127.0.0.1 ${A#*:} tok --until-end >follow2; $L 127.0.0.1 ${A#*:} --until-end >ev"),
        0);
    char *first = consumer_read(dir, "follow1");
    char *second = consumer_read(dir, "follow2");
    char *ev = consumer_read(dir, "ev");
    size_t n1 = consumer_count(first, " events ");
    size_t n2 = consumer_count(second, " events ");
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
    consumer_history(&r, 61);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --from earliest --until-end $A >text 2>err"), 0);
    char *text = consumer_read(dir, "text");
    CU_ASSERT(consumer_count(text, "shop.orders") >= 26); /* 13 inserts, a table map and a row event each */
    CU_ASSERT_EQUAL(consumer_count(text, "  Write_rows"), 74);
    CU_ASSERT_EQUAL(consumer_count(text, "# file mysql-bin."), 2);
    CU_ASSERT_PTR_NULL(strstr(text, "VALUES"));
    free(text);
    char *err = consumer_read(dir, "err");
    CU_ASSERT_PTR_NOT_NULL(strstr(err, "--from 1/mysql-bin.000002:"));
    free(err);

    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --from earliest --until-end $A >json 2>err"), 0);
    char *json = consumer_read(dir, "json");
    CU_ASSERT_EQUAL(json_lines(json, "orders"), 26);
    CU_ASSERT_EQUAL(json_lines(json, "a"), 122);
    free(json);

    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --table shop.orders --from earliest --until-end $A >json 2>err"),
                    0);
    json = consumer_read(dir, "json");
    CU_ASSERT_EQUAL(json_lines(json, "orders"), 26);
    CU_ASSERT_EQUAL(json_lines(json, "a"), 0);
    CU_ASSERT_EQUAL(consumer_count(json, "\"transaction\":\"begin\""), 13);
    CU_ASSERT_EQUAL(consumer_count(json, "\"transaction\":\"end\""), 13);
    free(json);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --database t --from earliest --until-end $A >text 2>err"), 0);
    text = consumer_read(dir, "text");
    CU_ASSERT_PTR_NULL(strstr(text, "orders"));
    CU_ASSERT_EQUAL(consumer_count(text, " t.a\n"), 122);
    free(text);

    /* A reader that goes away ends it quietly. */
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir, "{ timeout 30 $B --from earliest $A 2>err; echo $? >status; } | head -n 2 >text"), 0);
    char *status = consumer_read(dir, "status");
    CU_ASSERT_STRING_EQUAL(status, "0\n");
    free(status);
    err = consumer_read(dir, "err");
    CU_ASSERT_STRING_EQUAL(err, "");
    free(err);
    /* A reader that takes nothing does not keep it from ending. */
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir,
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
    consumer_history(&r, 20);
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir,
                       "$B --json --from earliest --resume-file resume $A >one 2>err & p=$!;"
                       "for i in $(seq 600); do grep -q '\"type\":\"Xid\"' one && test -s resume && break; sleep "
                       "0.1; done; sleep 0.3;"
                       "kill -INT $p; wait $p"),
        0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "test \"$(sed -n 's/.*--from //p' err)\" = \"$(cat resume)\""), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --from earliest --name worker --until-end $A >named1 2>err"), 0);
    consumer_history(&r, 10);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --resume-file resume --until-end --retry $A >two 2>err"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --name worker --until-end $A >named2 2>err"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --from earliest --until-end $A >all 2>err"), 0);
    /* Both parts together are the whole, event by event. */
    CU_ASSERT_EQUAL(
        consumer_shell(&r, dir, "grep -h '\"event\"' one two >got; grep '\"event\"' all >want; cmp got want"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "grep -h '\"event\"' named1 named2 >got; cmp got want"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "test $(grep -c '\"event\"' named2) -ge 40"), 0);
    free(dir);
    rig_end(&r);
}

/* What is wrong is said with its cure and its exit code. */
static void test_refusals(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    rig_start(&r, NULL, false, NULL);
    consumer_history(&r, 3);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --from mysql-bin.000001:5 $A 2>err"), 5);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "grep -q 'what helps' err"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --from mysql-bin.000099:4 $A 2>err"), 5);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --from 1/mysql-bin.000001:4@somebody-else $A 2>err"), 5);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir,
                                   flavor == SERVER_MYSQL
                                       ? "$B --from 0-1-5 $A 2>err"
                                       : "$B --from 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5 $A 2>err"),
                    5);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --tls $A 2>err"), 4);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B 127.0.0.1:1 2>err"), 3);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --json --raw $A 2>err"), 2);
    char *sql = proc_fmt("$B 127.0.0.1:%u 2>err", r.srv->port);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, sql), 6);
    free(sql);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "mkdir ro; $B --raw --out ro/x/y $A 2>err"), 1);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --from earliest --until-end $A >/dev/full 2>err"), 1);
    free(dir);
    rig_end(&r);
}

/* TLS and a token: in with them, out with a cure without. */
static void test_tls_and_token(void)
{
    struct rig r;
    char *dir = proc_tempdir();
    server_make_certs(dir);
    char *cert = proc_fmt("tail.ssl_cert=%s/server-cert.pem", dir);
    char *key = proc_fmt("tail.ssl_key=%s/server-key.pem", dir);
    char *users = proc_fmt("tail.users_file=%s/users", dir);
    char *script =
        proc_fmt("cd %s && umask 077 && \"$LT_CTL\" user alice --generate 2>told >users && grep ^alice: told >token && "
                 "echo alice:guessed >wrong",
                 dir);
    char *argv[] = {"sh", "-c", script, NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, NULL), 0);
    rig_start(&r, NULL, false, (char *[]){cert, key, users, NULL});
    consumer_history(&r, 70);
    CU_ASSERT_EQUAL(
        consumer_shell(
            &r, dir,
            "$B --raw --out raw --from earliest --until-end --ca ca.pem --token-file token --name alice.copy $A 2>err"),
        0);
    char *raw = proc_fmt("%s/raw", dir);
    check_raw(&r, raw);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --ca ca.pem --token-file wrong $A 2>err"), 4);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "grep -q '(auth)' err && ! grep -q guessed err"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --ca ca.pem --token-file token --name bob $A 2>err"), 4);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "grep -q '(forbidden)' err"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --token-file token $A 2>err"), 4);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "grep -q -- '--tls' err"), 0);
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "$B --tls --token-file token $A 2>err"),
                    4); /* signed by nobody the system trusts */
    CU_ASSERT_EQUAL(consumer_shell(&r, dir, "grep -q certificate err"), 0);
    CU_ASSERT_EQUAL(
        consumer_shell(
            &r, dir,
            "$B --tls-no-verify --token-file token --from earliest --until-end $A >out 2>err && grep -q Xid out"),
        0);
    free(raw);
    free(script);
    free(users);
    free(key);
    free(cert);
    free(dir);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"a span by time and place", test_span},
    {"raw copy: the primary's files, also over a torn tail", test_raw_copy},
    {"raw copy over kill -9 of both sides", test_raw_survives_kills},
    {"lines, JSON, filters, examples", test_lines},
    {"going on by token, file and name", test_going_on},
    {"refusals", test_refusals},
    {"TLS and a token", test_tls_and_token},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "binlogtail", cases, sizeof cases / sizeof cases[0]);
}
