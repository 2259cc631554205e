/* What operators hold in their hands, against the real thing: logtailerctl and HTTP beside a primary that commits. */
#include <signal.h>

#include "ctl_run.h"
#include "http_client.h"
#include "prom_check.h"
#include "rig.h"

static struct rig r;
static uint16_t http;
static struct ctl_run tool;

static int ctl(const char *words)
{
    return ctl_run(&tool, words);
}

static bool says(const char *text)
{
    return ctl_said(&tool, text);
}

/* The first line of the answer has this within the time. */
static bool http_says(const char *path, const char *status, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    bool found = false;
    while (!found && proc_now_ms() < end) {
        char *answer = http_client_get(http, path);
        found = answer != NULL && strncmp(answer, status, strlen(status)) == 0;
        if (!found)
            proc_sleep_ms(50);
        free(answer);
    }
    return found;
}

static void insert(unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++) {
        CU_ASSERT_EQUAL(sql_exec(r.root, "INSERT INTO tools.t VALUES (%u)", i), 0);
    }
}

static void start(void)
{
    http = proc_free_port();
    char *listen = proc_fmt("http.listen=127.0.0.1:%u", http);
    char *settings[] = {listen, NULL};
    rig_start(&r, NULL, false, settings);
    tool = (struct ctl_run){.where = proc_fmt("--dir %s", r.dm->dir), .folder = r.dm->folder};
    CU_ASSERT_EQUAL(sql_exec(r.root, "CREATE DATABASE tools"), 0);
    CU_ASSERT_EQUAL(sql_exec(r.root, "CREATE TABLE tools.t (id INT PRIMARY KEY)"), 0);
    insert(0, 20);
    free(listen);
}

/* Every command that changes nothing: shown for people, and as JSON. */
static void every_question(void)
{
    static const char *const questions[] = {"status",   "lag",    "position", "consumers",
                                            "segments", "config", "latency",  "help"};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        CU_ASSERT_EQUAL(ctl(questions[i]), 0);
        CU_ASSERT(tool.output != NULL && strlen(tool.output) > 10);
        char *words = proc_fmt("--json %s", questions[i]);
        CU_ASSERT_EQUAL(ctl(words), 0);
        json_t *answer = json_loads(tool.output != NULL ? tool.output : "", 0, NULL);
        CU_ASSERT_PTR_NOT_NULL(answer);
        json_decref(answer);
        free(words);
    }
    CU_ASSERT_EQUAL(ctl("status"), 0);
    CU_ASSERT(says("state          streaming since 2"));
    CU_ASSERT(says("on, we acknowledge\n"));
    int code = ctl("preflight");
    CU_ASSERT(code == 0 || code == 1);
    CU_ASSERT(says(code == 0 ? "GO\n" : "NO-GO\n"));
    CU_ASSERT_EQUAL(ctl("frobnicate"), 2);
    CU_ASSERT_EQUAL(ctl("log debug"), 0);
    CU_ASSERT_EQUAL(ctl("log shouting"), 2);
    CU_ASSERT_EQUAL(ctl("reload"), 0);
}

/* The primary's heartbeats tell, once a second, that nothing is on the way. */
static void the_lag_check(void)
{
    uint64_t end = proc_now_ms() + 20000;
    int code = 2;
    while (code != 0 && proc_now_ms() < end) {
        code = ctl("lag --max-seconds 60 --max-bytes 100MiB");
        if (code != 0)
            proc_sleep_ms(100);
    }
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT(says("LAG OK: "));
    CU_ASSERT(says(" | source_seconds="));
}

/* A set of the size and in the form people have: over a file, over standard input, into both programs. */
static void sets_of_any_size(void)
{
    bool mysql = flavor == SERVER_MYSQL;
    char *file = proc_fmt("%s/set", r.dm->folder);
    char *words = proc_fmt("@%s", file);
    FILE *f = fopen(file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    (void)fprintf(f, "%s", mysql ? "00000000-0000-0000-0000-00000000000A" : "7-1-1");
    for (uint64_t i = 1; i <= 100000; i++) /* out of order, a line end after each */
        (void)(mysql ? fprintf(f, ":%u", (unsigned)(i * 48271 % 100000 * 2 + 1))
                     : fprintf(f, ",\n7-%u-1", (unsigned)(i * 48271 % 100000 + 1)));
    (void)fprintf(f, ",\\n\n%s;\n", mysql ? "00000000-0000-0000-0000-00000000000b:tag:1" : "8-1-1");
    (void)fclose(f);
    char *line = proc_fmt("--json diff %s", words);
    CU_ASSERT_EQUAL(ctl(line), 1);
    CU_ASSERT(says(mysql ? "00000000-0000-0000-0000-00000000000a:1:3:5:7:" : "\"7-"));
    free(line);
    line = proc_fmt("--json wait-gtid - 100ms <%s", file);
    CU_ASSERT_EQUAL(ctl(line), 1);
    CU_ASSERT(says(mysql ? "00000000-0000-0000-0000-00000000000a:1:3:5:7:" : "8-1-1"));
    free(line);
    /* A variable that was never filled. */
    CU_ASSERT_EQUAL(ctl("wait-gtid '' 100ms"), 2);
    CU_ASSERT(says("empty set"));
    free(words);
    free(file);
}

/* The command that the last answer says to ask again with: what is behind " outcome ". */
static char *words_to_ask_again(void)
{
    const char *at = tool.output != NULL ? strstr(tool.output, " outcome ") : NULL;
    return at != NULL ? proc_fmt("%.*s", (int)strcspn(at + 1, "\n"), at + 1) : proc_fmt("nothing-to-ask");
}

/* logtailerd is stopped by the kernel while orders come: what was not done in time is not done when it goes on, and that can be asked. */
static void orders_to_a_frozen_daemon(void)
{
    static const char *const orders[] = {
        "fence frozen", "stop", "reload", "log debug", "purge x", "drain --force", "repoint 127.0.0.1:1"};
    enum { N = sizeof orders / sizeof orders[0] };
    char *asks[N];
    daemon_signal(r.dm, SIGSTOP);
    for (size_t i = 0; i < N; i++) {
        char *words = proc_fmt("--timeout 0.1 %s", orders[i]);
        CU_ASSERT_EQUAL(ctl(words), 5);
        CU_ASSERT(says("what is not begun by now never will be"));
        asks[i] = words_to_ask_again();
        free(words);
    }
    daemon_signal(r.dm, SIGCONT);
    for (size_t i = 0; i < N; i++) {
        char *words = proc_fmt("--timeout 60 %s", asks[i]);
        CU_ASSERT_EQUAL(ctl(words), 3);
        CU_ASSERT(says("not_begun"));
        free(words);
        free(asks[i]);
    }
    CU_ASSERT_EQUAL(ctl("--timeout 60 status"), 0);
    CU_ASSERT_PTR_NULL(strstr(tool.output, "frozen"));
    CU_ASSERT_EQUAL(ctl("--json --timeout 60 status"), 0);
    CU_ASSERT(says("\"fence\":null"));
}

/* What the running daemon knows is in the manual. */
static void the_manual_knows_every_command(void)
{
    char *path = proc_fmt("%s/src/ctl/package/logtailerctl.1", getenv("LT_SOURCE"));
    char *page = proc_read_file(path, NULL);
    json_t *help = daemon_command(r.dm, "help");
    size_t i = 0;
    json_t *command = NULL;
    CU_ASSERT(json_array_size(json_object_get(help, "commands")) > 5);
    json_array_foreach(json_object_get(help, "commands"), i, command)
    {
        char name[64] = "";
        const char *from = json_string_value(json_object_get(command, "name"));
        for (size_t n = 0; *from != '\0' && n + 3 < sizeof name; from++) {
            if (*from == '-')
                name[n++] = '\\';
            name[n++] = *from;
        }
        CU_ASSERT(page != NULL && strstr(page, name) != NULL);
        if (page == NULL || strstr(page, name) == NULL)
            (void)fprintf(stderr, "logtailerctl.1 lacks %s\n", name);
    }
    json_decref(help);
    free(page);
    free(path);
}

static void metrics(void)
{
    char why[200] = "";
    double value = 0;
    char *answer = http_client_get(http, "/metrics");
    const char *text = http_client_body(answer);
    CU_ASSERT_TRUE(prom_check(text, why, sizeof why));
    if (why[0] != '\0')
        (void)fprintf(stderr, "%s\n", why);
    CU_ASSERT_TRUE(prom_sample(text, "logtailer_state{state=\"streaming\"}", &value) && value == 1);
    CU_ASSERT_TRUE(prom_sample(text, "logtailer_acks_sent_total", &value) && value >= 20);
    CU_ASSERT_TRUE(prom_sample(text, "logtailer_ack_duration_seconds_count", &value) && value >= 20);
    CU_ASSERT_TRUE(prom_sample(text, "logtailer_sync_duration_seconds_count", &value) && value >= 20);
    CU_ASSERT_TRUE(prom_sample(text, "logtailer_sync_duration_seconds_sum", &value) && value > 0);
    char *file = proc_fmt("%s/metrics", r.dm->folder);
    char *said = proc_fmt("%s/promtool.out", r.dm->folder);
    char *argv[] = {"promtool", "check", "metrics", NULL};
    proc_write_file(file, text);
    int code = proc_run(argv, file, said);
    CU_ASSERT_EQUAL(code, 0);
    char *lint = proc_read_file(said, NULL);
    if (code != 0)
        (void)fprintf(stderr, "promtool: %s\n", lint);
    free(lint);
    free(said);
    free(file);
    free(answer);
}

/* Stopped, it is silent: said so, with its pid, and the others time out, too. Going on, it answers. */
static void a_daemon_that_hangs(void)
{
    char *pid = proc_fmt("logtailerd (pid %d) does not answer", (int)r.dm->pid);
    daemon_signal(r.dm, SIGSTOP);
    CU_ASSERT_EQUAL(ctl("--timeout 0.5 status"), 4);
    CU_ASSERT(says(pid));
    CU_ASSERT_EQUAL(ctl("--timeout 0.5 lag --max-seconds 1"), 2);
    CU_ASSERT(says("LAG UNKNOWN"));
    daemon_signal(r.dm, SIGCONT);
    CU_ASSERT_EQUAL(ctl("position"), 0);
    free(pid);
}

static void ready_and_not(void)
{
    CU_ASSERT_TRUE(http_says("/readyz", "HTTP/1.1 200", 20000));
    CU_ASSERT_TRUE(http_says("/healthz", "HTTP/1.1 200", 20000));
    server_kill(r.srv);
    CU_ASSERT_TRUE(http_says("/readyz", "HTTP/1.1 503", 30000));
    CU_ASSERT_TRUE(http_says("/healthz", "HTTP/1.1 200", 20000));
    CU_ASSERT_EQUAL(ctl("status"), 0);
    CU_ASSERT(says("NOT CONNECTED"));
    CU_ASSERT_EQUAL(ctl("stop"), 0);
    int status = -1;
    CU_ASSERT_TRUE(daemon_exited(r.dm, 30000, &status));
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(ctl("status"), 4);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"start", start},
        {"every question", every_question},
        {"the lag check", the_lag_check},
        {"sets of any size", sets_of_any_size},
        {"orders to a frozen daemon", orders_to_a_frozen_daemon},
        {"the manual knows every command", the_manual_knows_every_command},
        {"metrics", metrics},
        {"a daemon that hangs", a_daemon_that_hangs},
        {"ready and not", ready_and_not},
    };
    int bad = rig_main(argc, argv, "tools", cases, sizeof cases / sizeof cases[0]);
    rig_end(&r);
    ctl_forget(&tool);
    free(tool.where);
    return bad;
}
