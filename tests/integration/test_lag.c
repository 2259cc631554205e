/* The three lags against the truth: an idle primary, a writing one, a slow disk, a dead network, a clock an hour off; reloads under load. */
#include "fake_primary.h"
#include "watching.h"

static void start(struct rig *r, bool use_proxy)
{
    rig_start(r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS}, use_proxy, NULL);
    sql_must(r->root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT)");
}

struct lags {
    double bytes;
    double seconds;
    double transactions;
    double durable;
};

/* One answer; -1 for null. */
static struct lags ask(struct rig *r)
{
    json_t *lag = daemon_command(r->dm, "lag");
    struct lags l = {-1, -1, -1, -1};
    const struct {
        const char *key;
        double *place;
    } fields[] = {{"source_bytes", &l.bytes},
                  {"source_seconds", &l.seconds},
                  {"source_transactions", &l.transactions},
                  {"durable_bytes", &l.durable}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const json_t *v = json_object_get(lag, fields[i].key);
        if (json_is_number(v))
            *fields[i].place = json_number_value(v);
    }
    json_decref(lag);
    return l;
}

static bool becomes_zero(struct rig *r, unsigned timeout_ms)
{
    return watching_number_becomes(r, "lag.source_seconds", 0, 0, timeout_ms) &&
           watching_number_becomes(r, "lag.source_bytes", 0, 0, timeout_ms) &&
           watching_number_becomes(r, "lag.source_transactions", 0, 0, timeout_ms) &&
           watching_number_becomes(r, "lag.durable_bytes", 0, 0, timeout_ms);
}

/* The unit of truth: what a clock says must not matter, nor how long nothing was written. */
static void idle_then_writing(struct rig *r, double seconds_limit)
{
    CU_ASSERT_TRUE(becomes_zero(r, 20000));
    for (int i = 0; i < 12; i++) {
        struct lags l = ask(r);
        CU_ASSERT(l.bytes == 0 && l.seconds == 0 && l.transactions == 0 && l.durable == 0);
        proc_sleep_ms(250);
    }
    struct writers *wr = writers_start(&(struct writers_options){.server = r->srv, .threads = 4});
    double worst = 0;
    for (int i = 0; i < 12; i++) {
        struct lags l = ask(r);
        CU_ASSERT(l.durable >= 0);
        CU_ASSERT(l.seconds == -1 || l.seconds >= 0);
        worst = l.seconds > worst ? l.seconds : worst;
        proc_sleep_ms(250);
    }
    writers_stop(wr, 10000);
    writers_free(wr);
    CU_ASSERT(worst < seconds_limit);
    CU_ASSERT_TRUE(becomes_zero(r, 20000));
}

static void test_idle_and_writing(void)
{
    struct rig r;
    start(&r, false);
    idle_then_writing(&r, 30);
    rig_end(&r);
}

/* An hour ahead and an hour behind: shown as what it is, and nowhere in the lag. */
static void test_clock_an_hour_off(void)
{
    static const char *const shifts[] = {"3600", "-3600"};
    for (int i = 0; i < 2; i++) {
        struct rig r;
        rig_start_server(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS}, false);
        char *preload = proc_fmt("LD_PRELOAD=%s", secure_getenv("LT_CLOCK_SHIFT"));
        char *shift = proc_fmt("LT_CLOCK_SHIFT_S=%s", shifts[i]);
        char *wrapper[] = {"env", "ASAN_OPTIONS=verify_asan_link_order=0", preload, shift, NULL};
        r.dm = daemon_start(&(struct daemon_options){.server = r.srv, .wrapper = wrapper});
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 20000));
        double ms = i == 0 ? -3600000.0 : 3600000.0;
        CU_ASSERT_TRUE(watching_number_becomes(&r, "source.clock_offset_ms", ms - 5000, ms + 5000, 15000));
        CU_ASSERT_TRUE(watching_raised(&r, "clock_offset", 15000));
        idle_then_writing(&r, 30);
        rig_end(&r);
        free(preload);
        free(shift);
    }
}

/* MySQL: the bytes from what was received to the end. The root account may ask what can wait; here nothing waits. */
static json_int_t listed_after(struct rig *r, const char *file, json_int_t offset)
{
    struct sql_rows *rows = sql_rows(r->root, "SHOW BINARY LOGS");
    json_int_t bytes = -1;
    for (size_t i = 0; rows != NULL && i < rows->rows; i++) {
        json_int_t size = strtoll(rows->cells[i * rows->columns + 1], NULL, 10);
        if (strcmp(rows->cells[i * rows->columns], file) == 0)
            bytes = size - offset;
        else if (bytes >= 0)
            bytes += size;
    }
    sql_rows_free(rows);
    return bytes;
}

static bool bytes_are_exact(struct rig *r, const json_t *status)
{
    const json_t *received = json_object_get(status, "received");
    const json_t *end = json_object_get(json_object_get(status, "source"), "position");
    json_int_t got = json_integer_value(json_object_get(received, "offset"));
    json_int_t bytes = json_integer_value(json_object_get(json_object_get(status, "lag"), "source_bytes"));
    if (bytes <= 900000)
        return false;
    if (flavor == SERVER_MARIADB)
        return bytes == json_integer_value(json_object_get(end, "offset")) - got;
    return bytes == listed_after(r, json_string_value(json_object_get(received, "file")), got);
}

/* MySQL: whole files in between count too, from where we are to the end of the last. */
static void bytes_over_files(struct rig *r)
{
    bool seen = false;
    for (int i = 0; i < 3; i++) {
        sql_must(r->root, "FLUSH BINARY LOGS");
        sql_must(r->root, "INSERT INTO t.i(b) VALUES (REPEAT('c', 1000000))");
    }
    for (uint64_t end = proc_now_ms() + 20000; !seen && proc_now_ms() < end; proc_sleep_ms(50)) {
        json_t *status = daemon_command(r->dm, "status");
        json_int_t bytes = json_integer_value(json_object_get(json_object_get(status, "lag"), "source_bytes"));
        seen = bytes > 2000000 && bytes_are_exact(r, status);
        json_decref(status);
    }
    CU_ASSERT_TRUE(seen);
}

/* Every sync takes 3 s: what came and is not durable, and what the source has beyond it, are two numbers. */
static void test_slow_disk(void)
{
    struct rig r;
    char name[256];
    char result[16];
    rig_start_server(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF, .performance_schema = true}, false);
    sql_must(r.root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT)");
    if (flavor == SERVER_MYSQL)
        sql_must(r.root, "GRANT SELECT ON performance_schema.file_summary_by_instance TO " SERVER_REPL_USER "@'%%'");
    /* LeakSanitizer cannot work beside strace. */
    char *wrapper[] = {
        "env", "ASAN_OPTIONS=detect_leaks=0",          "strace", "-f",        "-qq", "-e", "trace=fdatasync",
        "-e",  "inject=fdatasync:delay_enter=3000000", "-o",     "/dev/null", NULL};
    char *settings[] = {"source.semi_sync=no", "store.stall_disconnect=60s", NULL};
    r.dm = daemon_start(&(struct daemon_options){.server = r.srv, .settings = settings, .wrapper = wrapper});
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 60000));
    CU_ASSERT_TRUE(becomes_zero(&r, 60000));
    sql_must(r.root, "INSERT INTO t.i(b) VALUES (REPEAT('a', 1000))");
    CU_ASSERT_TRUE(watching_number_becomes(&r, "lag.durable_bytes", 1000, 1e9, 30000));
    CU_ASSERT_TRUE(watching_raised(&r, "storage_delays", 10000));
    for (int i = 0; i < 3; i++)
        sql_must(r.root, "INSERT INTO t.i(b) VALUES (REPEAT('b', 1000000))");
    uint64_t began = proc_now_ms();
    bool seen_slow = false;
    bool seen_exact = false;
    bool seen_missing = false;
    double longest = 0;
    while (proc_now_ms() < began + 30000 && !(seen_slow && seen_exact && seen_missing)) {
        uint64_t asked = proc_now_ms();
        json_t *status = daemon_command(r.dm, "status");
        longest = (double)(proc_now_ms() - asked) > longest ? (double)(proc_now_ms() - asked) : longest;
        const char *state = json_string_value(json_object_get(json_object_get(status, "store"), "state"));
        seen_slow = seen_slow || (state != NULL && strcmp(state, "slow") == 0);
        const json_t *missing = json_object_get(json_object_get(status, "lag"), "source_transactions");
        seen_missing = seen_missing || json_integer_value(missing) >= 1;
        seen_exact = seen_exact || bytes_are_exact(&r, status);
        json_decref(status);
        proc_sleep_ms(50);
    }
    CU_ASSERT_TRUE(seen_slow);
    CU_ASSERT_TRUE(seen_exact);
    CU_ASSERT_TRUE(seen_missing);
    CU_ASSERT(longest < 2000);
    if (flavor == SERVER_MYSQL)
        bytes_over_files(&r);
    CU_ASSERT_TRUE(watching_raised(&r, "storage_slow", 20000));
    CU_ASSERT_FALSE(watching_preflight(&r, "semi_sync", result, sizeof result));
    CU_ASSERT_TRUE(becomes_zero(&r, 60000));
    CU_ASSERT_TRUE(watching_cleared(&r, "storage_slow", 20000));
    /* What came during a sync is a sign of life: the source is not taken for dead because we did not look. */
    CU_ASSERT_FALSE(daemon_log_contains(r.dm, "the source was silent"));
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r.dm, name, sizeof name, &offset));
    rig_end(&r);
}

/* Nothing comes and nothing can be asked: the lag is not known, and never shown as none. */
static void test_paused_network(void)
{
    struct rig r;
    rig_start(&r, &(struct server_options){.semisync = SERVER_SEMISYNC_OFF}, true,
              (char *[]){"source.semi_sync=no", NULL});
    sql_must(r.root, "CREATE TABLE t.i (i INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT)");
    CU_ASSERT_TRUE(becomes_zero(&r, 20000));
    proxy_pause(r.px, PROXY_TO_CLIENT, true);
    proxy_pause(r.px, PROXY_TO_SERVER, true);
    for (int i = 0; i < 10; i++)
        sql_must(r.root, "INSERT INTO t.i(b) VALUES (REPEAT('c', 1000))");
    CU_ASSERT_TRUE(watching_number_becomes(&r, "lag.source_seconds", -1, -1, 20000));
    CU_ASSERT_TRUE(watching_number_becomes(&r, "lag.source_bytes", -1, -1, 20000));
    CU_ASSERT_TRUE(watching_raised(&r, "monitor_blind", 30000));
    char *answer = watching_text(&r, "failover_safe.answer");
    CU_ASSERT_STRING_EQUAL(answer, "no");
    free(answer);
    proxy_pause(r.px, PROXY_TO_CLIENT, false);
    proxy_pause(r.px, PROXY_TO_SERVER, false);
    CU_ASSERT_TRUE(becomes_zero(&r, 60000));
    CU_ASSERT_TRUE(watching_cleared(&r, "monitor_blind", 30000));
    rig_end(&r);
}

/* The monitor loses its place on the source while the stream goes on. */
static void test_monitor_alone_is_shut_out(void)
{
    struct rig r;
    char id[32];
    start(&r, false);
    CU_ASSERT_TRUE(watching_number_becomes(&r, "monitor.rounds", 2, 1e9, 10000));
    sql_must(r.root, "ALTER USER repl@'%%' ACCOUNT LOCK");
    char *victim = sql_value(r.root, "SELECT ID FROM information_schema.PROCESSLIST WHERE USER='repl' AND COMMAND "
                                     "NOT LIKE 'Binlog Dump%%' ORDER BY ID DESC LIMIT 1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(victim);
    (void)snprintf(id, sizeof id, "%s", victim);
    free(victim);
    sql_must(r.root, "KILL %s", id);
    CU_ASSERT_TRUE(watching_raised(&r, "monitor_blind", 30000));
    sql_must(r.root, "INSERT INTO t.i(b) VALUES ('still acknowledged')");
    sql_must(r.root, "ALTER USER repl@'%%' ACCOUNT UNLOCK");
    CU_ASSERT_TRUE(watching_cleared(&r, "monitor_blind", 30000));
    rig_end(&r);
}

static bool is_refused(json_t *answer, const char *words)
{
    const char *message = json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
    bool ok = message != NULL && strstr(message, words) != NULL;
    if (!ok)
        fprintf(stderr, "reload answered %s\n", message != NULL ? message : "without an error");
    json_decref(answer);
    return ok;
}

/* Half of the files are bad: refused whole, with the line. The stream never notices any of it. */
static void test_reloads_under_load(void)
{
    struct rig r;
    struct fake_certs certs;
    char *dir = proc_tempdir();
    fake_certs_make(dir, "localhost", 5, &certs);
    char *ca = proc_fmt("source.ssl_ca=%s", certs.cert); /* any certificate that ends in five days */
    start(&r, true);
    CU_ASSERT_TRUE(watching_number_becomes(&r, "monitor.rounds", 2, 1e9, 10000));
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 4});
    size_t connections = proxy_connections(r.px);
    char *good[] = {"store.min_free=1TiB", "source.retry_max=7s", "source.heartbeat_period=2s", ca, NULL};
    char *bad[] = {"store.min_free=2TiB", "source.retry_max=soon", NULL};
    for (unsigned i = 0; i < rig_rounds(10, 50); i++) {
        json_t *answer = watching_reload(&r, good);
        CU_ASSERT_PTR_NOT_NULL(json_object_get(answer, "reload"));
        json_decref(answer);
        CU_ASSERT_TRUE(is_refused(watching_reload(&r, bad), "logtailerd.conf:"));
    }
    CU_ASSERT_TRUE(watching_raised(&r, "free_space", 15000));
    CU_ASSERT_TRUE(watching_raised(&r, "certificate_expires_soon", 15000));
    json_t *answer = watching_reload(&r, (char *[]){"store.min_free=1MiB", NULL});
    CU_ASSERT_EQUAL(json_array_size(json_object_get(answer, "restart")), 0);
    json_decref(answer);
    CU_ASSERT_TRUE(watching_cleared(&r, "free_space", 15000));
    CU_ASSERT_TRUE(watching_cleared(&r, "certificate_expires_soon", 15000));
    writers_stop(wr, 10000);
    CU_ASSERT_EQUAL(proxy_connections(r.px), connections);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    rig_check_oked(&r, wr);
    writers_free(wr);
    rig_end(&r);
    proc_remove_dir(dir);
    free(dir);
    free(ca);
}

/* A certificate that is not accepted, then one that is: the reload is the cure, and it ends the pause before the next try. */
static void test_reload_heals_a_connection(void)
{
    struct rig r;
    struct fake_certs certs;
    char *dir = proc_tempdir();
    fake_certs_make(dir, "localhost", 900, &certs);
    char *wrong = proc_fmt("source.ssl_ca=%s", certs.other_ca);
    rig_start_server(&r, &(struct server_options){.semisync_timeout_ms = WATCHING_NEVER_MS, .tls = SERVER_TLS_OURS},
                     false);
    rig_start_daemon(&r, (char *[]){"source.ssl_mode=VERIFY_CA", wrong, NULL});
    CU_ASSERT_TRUE(daemon_wait_error(r.dm, "tls", 20000));
    json_decref(watching_reload(&r, (char *[]){"source.ssl_mode=VERIFY_CA", NULL}));
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", 20000));
    rig_end(&r);
    proc_remove_dir(dir);
    free(dir);
    free(wrong);
}

static const struct test_case cases[] = {
    {"idle and writing", test_idle_and_writing},
    {"a clock an hour off", test_clock_an_hour_off},
    {"a slow disk", test_slow_disk},
    {"a paused network", test_paused_network},
    {"the monitor alone is shut out", test_monitor_alone_is_shut_out},
    {"reloads under load, half of them bad", test_reloads_under_load},
    {"a reload heals a connection", test_reload_heals_a_connection},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "lag", cases, sizeof cases / sizeof cases[0]);
}
