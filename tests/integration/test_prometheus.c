/* The alert rules and the dashboard in a real Prometheus that scrapes a real logtailerd: everything asked has an answer, and what is provoked fires. */
#include <signal.h>

#include "http_client.h"
#include "rig.h"

enum { EXPR_SIZE = 1024 };

static struct rig r;
static uint16_t http;
static uint16_t port;
static char *dir;
static pid_t prometheus;

static char *read_source(const char *name)
{
    char *path = proc_fmt("%s/%s", rig_program("LT_SOURCE"), name);
    char *text = proc_read_file(path, NULL);
    if (text == NULL)
        proc_die("cannot read %s", path);
    free(path);
    return text;
}

/* A copy with every occurrence replaced; the text given is freed. */
static char *replaced(char *text, const char *what, const char *by)
{
    char *at = strstr(text, what);
    if (at == NULL)
        return text;
    char *rest = replaced(proc_fmt("%s", at + strlen(what)), what, by);
    char *whole = proc_fmt("%.*s%s%s", (int)(at - text), text, by, rest);
    free(rest);
    free(text);
    return whole;
}

/* What Prometheus says to an instant query, one line for each series; NULL, and told, when it says no. */
static char *ask(const char *expr)
{
    char *url = proc_fmt("http://127.0.0.1:%u", port);
    char *file = proc_fmt("%s/answer", dir);
    char *argv[] = {"promtool", "query", "instant", url, (char *)expr, NULL};
    int code = proc_run(argv, NULL, file);
    char *text = proc_read_file(file, NULL);
    if (code != 0) {
        (void)fprintf(stderr, "%s\n%s\n", expr, text);
        free(text);
        text = NULL;
    }
    free(file);
    free(url);
    return text;
}

static bool has_answer(const char *expr)
{
    char *text = ask(expr);
    bool any = text != NULL && strstr(text, "=>") != NULL;
    free(text);
    return any;
}

static bool gets_answer(const char *expr)
{
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    bool any = false;
    while (!any && proc_now_ms() < end) {
        any = has_answer(expr);
        if (!any)
            proc_sleep_ms(200);
    }
    if (!any)
        (void)fprintf(stderr, "no answer to %s\n", expr);
    return any;
}

static bool fires(const char *alert)
{
    char *expr = proc_fmt("ALERTS{alertname=\"%s\", alertstate=\"firing\"}", alert);
    bool yes = gets_answer(expr);
    free(expr);
    return yes;
}

/* The project's files; only where to look, and how often and how long, is of this test. */
static void write_config(void)
{
    char *target = proc_fmt("127.0.0.1:%u", http);
    char *text = replaced(read_source("docker/prometheus/prometheus.yml"), "tailer-1:9306", target);
    text = replaced(replaced(text, "          - tailer-2:9306\n", ""), "interval: 5s", "interval: 1s");
    char *file = proc_fmt("%s/prometheus.yml", dir);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, target));
    proc_write_file(file, text);
    free(file);
    free(text);
    text = read_source("docker/prometheus/alerts.yml");
    static const char *const waits[] = {"15s", "30s", "1m", "5m", "10m"};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        char *line = proc_fmt(" for: %s\n", waits[i]);
        text = replaced(text, line, " for: 1s\n");
        free(line);
    }
    file = proc_fmt("%s/alerts.yml", dir);
    proc_write_file(file, text);
    free(file);
    free(text);
    free(target);
}

static void start(void)
{
    http = proc_free_port();
    char *listen = proc_fmt("http.listen=127.0.0.1:%u", http);
    rig_start(&r, NULL, false, (char *[]){listen, NULL});
    free(listen);
    sql_must(r.root, "CREATE TABLE t.p (i INT PRIMARY KEY AUTO_INCREMENT, b INT)");
    dir = proc_tempdir();
    write_config();
    port = proc_free_port();
    struct proc_args args = {0};
    proc_args_add(&args, "prometheus");
    proc_args_add(&args, "--config.file=%s/prometheus.yml", dir);
    proc_args_add(&args, "--storage.tsdb.path=%s/data", dir);
    proc_args_add(&args, "--web.listen-address=127.0.0.1:%u", port);
    char *log = proc_fmt("%s/prometheus.log", dir);
    prometheus = proc_spawn(args.v, log);
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    int fd = -1;
    while ((fd = http_client_connect(port)) < 0 && proc_now_ms() < end)
        proc_sleep_ms(50);
    if (fd < 0)
        proc_die("prometheus does not start");
    (void)close(fd);
    proc_args_fini(&args);
    free(log);
    CU_ASSERT_TRUE(gets_answer("up{job=\"logtailer\"} == 1"));
}

/* Commits, until rates and quantiles have something to go by. */
static void commits_show(void)
{
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    bool shown = false;
    while (!shown && proc_now_ms() < end) {
        for (unsigned i = 0; i < 20; i++)
            sql_must(r.root, "INSERT INTO t.p (b) VALUES (%u)", i);
        shown =
            has_answer("histogram_quantile(0.5, sum by (le) (rate(logtailer_ack_duration_seconds_bucket[1m]))) > 0");
    }
    CU_ASSERT_TRUE(shown);
    CU_ASSERT_TRUE(
        gets_answer("logtailer_source_semi_sync_clients == 1 and on (instance) logtailer_acknowledging == 1"));
}

/* There only when something is wrong. */
static bool is_of_trouble(const char *expr)
{
    static const char *const words[] = {"logtailer_error{", "logtailer_warning{", "ALERTS{", "} == 0"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(expr, words[i]) != NULL)
            return true;
    }
    return strcmp(expr, "logtailer_error") == 0 || strcmp(expr, "logtailer_warning") == 0;
}

/* Every selector in it, with its labels, finds a series. */
static unsigned check_selectors(const char *expr)
{
    unsigned n = 0;
    for (const char *p = expr; (p = strstr(p, "logtailer_")) != NULL; n++) {
        char selector[EXPR_SIZE];
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
        if (p[len] == '{')
            len += strcspn(p + len, "}") + 1;
        (void)snprintf(selector, sizeof selector, "%.*s", (int)len, p);
        CU_ASSERT_TRUE(is_of_trouble(selector) ? (free(ask(selector)), true) : gets_answer(selector));
        p += len;
    }
    return n;
}

static char *as_grafana_asks(const char *expr)
{
    return replaced(replaced(proc_fmt("%s", expr), "$instance", ".*"), "$__rate_interval", "1m");
}

static void every_panel_has_data(void)
{
    char *text = read_source("docker/grafana/dashboards/logtailer.json");
    json_t *dashboard = json_loads(text, 0, NULL);
    size_t i = 0;
    size_t t = 0;
    json_t *panel = NULL;
    json_t *target = NULL;
    unsigned n = 0;
    commits_show();
    json_array_foreach(json_object_get(dashboard, "panels"), i, panel)
    {
        json_array_foreach(json_object_get(panel, "targets"), t, target)
        {
            char *expr = as_grafana_asks(json_string_value(json_object_get(target, "expr")));
            char *answer = ask(expr);
            CU_ASSERT_PTR_NOT_NULL(answer);
            free(answer);
            CU_ASSERT_TRUE(is_of_trouble(expr) || gets_answer(expr));
            (void)check_selectors(expr);
            free(expr);
            n++;
        }
    }
    CU_ASSERT(n > 15);
    json_decref(dashboard);
    free(text);
}

static void every_rule_asks_for_what_there_is(void)
{
    char *text = read_source("docker/prometheus/alerts.yml");
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, " expr: ")) != NULL;) {
        char expr[EXPR_SIZE];
        p += strlen(" expr: ");
        (void)snprintf(expr, sizeof expr, "%.*s", (int)strcspn(p, "\n"), p);
        char *answer = ask(expr);
        CU_ASSERT_PTR_NOT_NULL(answer);
        free(answer);
        n += check_selectors(expr);
    }
    CU_ASSERT(n >= 12);
    /* A primary with a time-out, on this machine: worth a warning, and nothing else. The disk may be anything. */
    char *firing =
        ask("ALERTS{alertname!~\"LogtailerDiskFillsUp|LogtailerWarning|LogtailerSlowSync\", alertstate=\"firing\"}");
    CU_ASSERT(firing != NULL && strstr(firing, "=>") == NULL);
    if (firing != NULL)
        (void)fputs(firing, stderr);
    free(firing);
    free(text);
}

/* What goes wrong is seen by the rules. */
static void what_is_provoked_fires(void)
{
    json_t *answer = daemon_command(r.dm, "fence for the alerts");
    CU_ASSERT_PTR_NOT_NULL(answer);
    json_decref(answer);
    CU_ASSERT_TRUE(fires("LogtailerFenced"));
    CU_ASSERT_TRUE(fires("LogtailerNobodyAcknowledges"));
    /* What a fence of a source that was covered until then leaves is what a failover wants: that pages nobody. */
    CU_ASSERT_FALSE(has_answer("ALERTS{alertname=\"LogtailerNotFailoverSafe\", alertstate=\"firing\"}"));
    CU_ASSERT_FALSE(has_answer("ALERTS{alertname=\"LogtailerNotAcknowledging\"}"));
    /* Unacknowledged from here on: commits return, and are missing here. */
    sql_must(r.root, "SET GLOBAL rpl_semi_sync_master_enabled = OFF");
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    do {
        sql_must(r.root, "INSERT INTO t.p (b) VALUES (0)");
        proc_sleep_ms(300);
    } while (!has_answer("ALERTS{alertname=\"LogtailerBehind\", alertstate=\"firing\"}") && proc_now_ms() < end);
    CU_ASSERT_TRUE(fires("LogtailerBehind"));
    CU_ASSERT_TRUE(fires("LogtailerUnprotectedCommits"));
    CU_ASSERT_TRUE(
        gets_answer("ALERTS{alertname=\"LogtailerWarning\", code=\"semi_sync_disabled\", alertstate=\"firing\"}"));
    answer = daemon_command(r.dm, "unfence");
    json_decref(answer);
    CU_ASSERT_TRUE(fires("LogtailerError"));
    CU_ASSERT_TRUE(fires("LogtailerNotFailoverSafe"));
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    CU_ASSERT_TRUE(fires("LogtailerDown"));
}

static void end(void)
{
    int status = 0;
    proc_signal(prometheus, SIGKILL);
    CU_ASSERT_TRUE(proc_wait(prometheus, 30000, &status));
    proc_remove_dir(dir);
    free(dir);
    rig_end(&r);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"start", start},
        {"every panel has data", every_panel_has_data},
        {"every rule asks for what there is", every_rule_asks_for_what_there_is},
        {"what is provoked fires", what_is_provoked_fires},
        {"end", end},
    };
    return rig_main(argc, argv, "prometheus", cases, sizeof cases / sizeof cases[0]);
}
