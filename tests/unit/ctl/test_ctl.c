/* logtailerctl itself against a scripted admin socket: what it prints, how it exits. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cunit_main.h"

#include "access/replica_users.h"
#include "access/users.h"
#include "admin_script.h"
#include "ctl_run.h"
#include "proc.h"

static char *dir;
static char *sock;
static struct ctl_run tool;

#define STATUS                                                                                                         \
    "{\"state\":\"streaming\",\"state_since\":\"2026-11-25T01:00:00.000Z\",\"last_error\":{\"code\":\"connect\","      \
    "\"message\":\"lost it\",\"cure\":\"look at the network\",\"at\":\"2026-11-25T00:59:00.000Z\",\"current\":false}," \
    "\"source\":{\"host\":\"db1\",\"port\":3306,\"id\":\"u-1\",\"version\":\"9.7.4\",\"flavor\":\"mysql\","            \
    "\"connected\":true,\"tls\":\"TLS_AES\",\"semi_sync\":\"on\",\"acknowledging\":true},"                             \
    "\"received\":{\"file\":\"b.7\",\"offset\":300},\"durable\":{\"file\":\"b.7\",\"offset\":200,"                     \
    "\"gtid_executed\":\"u-1:1-9\"},\"acked\":{\"file\":\"b.7\",\"offset\":100},\"lag\":{\"source_bytes\":2048,"       \
    "\"source_seconds\":0.5,\"durable_bytes\":100,\"consumers_max_bytes\":null},\"acks\":{\"sent\":12345,"             \
    "\"p50_us\":853,\"p99_us\":1234,\"max_us\":5000000},\"syncs\":{\"count\":7,\"p50_us\":1,\"p99_us\":2,"             \
    "\"max_us\":3},\"consumers\":3,\"store\":{\"dir\":\"/var/lib/logtailer/db1\",\"segments\":2,\"bytes\":4096,"       \
    "\"free_bytes\":null},\"protection\":{\"lost_after\":\"u-1:7\",\"lost_at\":\"t1\"},"                               \
    "\"fence\":{\"current\":true,\"persisted\":false,\"sources\":[{\"source_id\":\"u-0\",\"reason\":\"db0 died\","     \
    "\"at\":\"t0\",\"guarantee\":\"strong\"}]},\"failover_safe\":{\"answer\":\"weak\",\"reasons\":[\"other "           \
    "acknowledgers\"]},\"warnings\":[{\"code\":\"disk_slow\",\"message\":\"slow \\u001b[2J\",\"cure\":\"look at the "  \
    "disk\",\"since\":\"2026-11-25T01:01:00.000Z\"}]}"

static char *next_latency(unsigned nth)
{
    return proc_fmt("{\"le_us\":[100,1000],\"acks\":{\"count\":%u,\"cumulative\":[0,%u]}}", nth * 100, nth * 100);
}

static char *next_status(unsigned nth)
{
    return proc_fmt(
        "{\"state\":\"streaming\",\"lag\":{\"source_bytes\":%u,\"source_seconds\":0},\"acks\":{\"sent\":%u}}",
        nth % 8 * 1024, nth * nth * 10);
}

static const struct admin_rule rules[] = {
    {.line = "status", .answer = STATUS},
    {.line = "lag",
     .answer = "{\"source_bytes\":2048,\"source_seconds\":0.5,\"durable_bytes\":0,\"consumers_max_bytes\":7}"},
    {.line = "position",
     .answer = "{\"lineage\":1,\"file\":\"b.7\",\"offset\":200,\"gtid_executed\":\"u-1:1-9\","
               "\"last_transaction\":{\"gtid\":\"u-1:9\",\"start\":100,\"end\":200}}"},
    {.line = "consumers",
     .answer = "{\"consumers\":[{\"name\":\"copy\",\"lag_bytes\":2048,\"address\":\"127.0.0.1:9\"},"
               "{\"name\":null,\"extra\":[1,2],\"never\":null}]}"},
    {.line = "segments", .answer = "{\"segments\":[]}"},
    {.line = "config",
     .answer = "{\"config\":[{\"section\":\"source\",\"key\":\"host\",\"value\":\"db1\",\"default\":\"\","
               "\"from\":\"file\",\"reload\":false},{\"section\":\"log\",\"key\":\"level\"}]}"},
    {.line = "fence --epoch 5 \"disk on fire\"",
     .answer =
         "{\"source_id\":\"u-1\",\"file\":\"b.7\",\"offset\":200,\"gtid_executed\":\"u-1:1-9\",\"guarantee\":\"weak\","
         "\"why\":[\"2 clients\"],\"persisted\":false,\"final\":false}"},
    {.line = "fence", .answer = "{\"error\":{\"code\":\"bad_arguments\",\"message\":\"usage: fence REASON\"}}"},
    {.line = "fence strong", .answer = "{\"guarantee\":\"strong\",\"persisted\":true,\"final\":true}"},
    {.line = "unfence",
     .answer = "{\"error\":{\"code\":\"not_found\",\"message\":\"nothing is fenced\",\"cure\":\"look at "
               "status\"},\"details\":{\"fenced\":[\"a\",\"b\"]}}"},
    {.line = "unfence u-1", .answer = "{\"ok\":true}"},
    {.line = "preflight",
     .answer =
         "{\"verdict\":\"NO-GO\",\"reasons\":[\"wait_point: AFTER_COMMIT\"],\"checks\":[{\"name\":\"wait_point\","
         "\"result\":\"fail\",\"message\":\"AFTER_COMMIT\"},{\"name\":\"timeout\",\"result\":\"ok\"}],\"age_ms\":12}"},
    {.line = "repoint db2:3306 --dry-run",
     .answer = "{\"answer\":\"fine\",\"verdict\":\"GO: it would\",\"deep\":{\"er\":{\"x\":1}}}"},
    {.line = "wait-gtid u-1:1-20 1",
     .answer = "{\"error\":{\"code\":\"timeout\",\"message\":\"not all of the set is durable "
               "here\"},\"details\":{\"missing\":\"u-1:10-20\"}}"},
    {.line = "wait-gtid u-1:1-9 30s", .answer = "{\"reached\":true}"},
    {.line = "diff u-1:1-8", .answer = "{\"only_here\":\"u-1:9\",\"only_there\":\"\"}"},
    {.line = "diff u-1:1-9", .answer = "{\"only_here\":\"\",\"only_there\":\"\"}"},
    {.line = "purge b.3 --dry-run", .answer = "{\"files\":[\"b.1\",\"b.2\"],\"bytes\":4096}"},
    {.line = "reload", .manner = ADMIN_CLOSES},
    {.line = "stop", .manner = ADMIN_HANGS},
    {.line = "drain", .answer = "this is not JSON"},
    {.line = "log debug", .answer = "[1]"},
    {.line = "outcome 1", .answer = "{\"error\":{\"code\":\"outcome_unknown\",\"message\":\"older\"}}"},
    {.line = "outcome 2", .answer = "{\"error\":{\"code\":\"not_begun\",\"message\":\"late\"}}"},
};

static int ctl(const char *words)
{
    return ctl_run(&tool, words);
}

static bool says(const char *text)
{
    return ctl_said(&tool, text);
}

static void everything_at_a_glance(void)
{
    CU_ASSERT_EQUAL(ctl("status"), 0);
    static const char *const lines[] = {
        "state          streaming since 2026-11-25T01:00:00.000Z\n",
        "failover safe  weak\n               other acknowledgers\n",
        "source         db1:3306, mysql 9.7.4, connected, TLS TLS_AES\n",
        "semi-sync      on, we acknowledge\n",
        "source lag     2.0 KiB, 0.5 s behind the primary\n",
        "consumer lag   unknown behind",
        "durable        b.7:200\n               u-1:1-9\n",
        "acks           12,345, p50 853 us, p99 1.2 ms, max 5.0 s\n",
        "consumers      3\n",
        "store          2 segments, 4.0 KiB, unknown free, /var/lib/logtailer/db1\n",
        "FENCED         u-0: db0 died (t0, strong)\n               NOT PERSISTED",
        "UNPROTECTED    commits after u-1:7, since t1, up to now\n",
        "last error     connect: lost it (2026-11-25T00:59:00.000Z)\n               cure: look at the network\n",
        "WARNING        disk_slow: slow ?[2J (2026-11-25T01:01:00.000Z)\n               cure: look at the disk\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        CU_ASSERT(says(lines[i]));
    CU_ASSERT_EQUAL(ctl("--json status"), 0);
    CU_ASSERT(says("{\"state\":\"streaming\",\"state_since\""));
}

static void lists(void)
{
    CU_ASSERT_EQUAL(ctl("consumers"), 0);
    CU_ASSERT(says("name      lag  address      extra\n"));
    CU_ASSERT(says("copy  2.0 KiB  127.0.0.1:9  -\n"));
    CU_ASSERT(says("-           -  -            2\n"));
    CU_ASSERT_EQUAL(ctl("segments"), 0);
    CU_ASSERT(says("none"));
    CU_ASSERT_EQUAL(ctl("config"), 0);
    CU_ASSERT(says("source.host  db1    file  by restart\n"));
    CU_ASSERT(says("log.level    -      -     by restart\n"));
    CU_ASSERT_EQUAL(ctl("position"), 0);
    CU_ASSERT(says("gtid executed        u-1:1-9\n"));
    CU_ASSERT(says("  gtid                 u-1:9\n"));
    CU_ASSERT_EQUAL(ctl("lag"), 0);
    CU_ASSERT(says("consumer lag   7 B behind what is durable, the slowest\n"));
}

static void orders(void)
{
    CU_ASSERT_EQUAL(ctl("fence --epoch 5 'disk on fire'"), 0);
    CU_ASSERT(says("FENCED: no acknowledgement leaves"));
    CU_ASSERT(says("the guarantee is weak"));
    CU_ASSERT(says("NOT PERSISTED"));
    CU_ASSERT(says("NOT FINAL"));
    CU_ASSERT_EQUAL(ctl("fence strong"), 0);
    CU_ASSERT_PTR_NULL(strstr(tool.output, "NOT"));
    CU_ASSERT_PTR_NULL(strstr(tool.output, "weak"));
    CU_ASSERT_EQUAL(ctl("unfence u-1"), 0);
    CU_ASSERT_STRING_EQUAL(tool.output, "done\n");
    CU_ASSERT_EQUAL(ctl("repoint db2:3306 --dry-run"), 0);
    CU_ASSERT(says("x                    1"));
    const char *verdict = tool.output != NULL ? strstr(tool.output, "GO: it would\n") : NULL; /* the last line */
    CU_ASSERT_PTR_NOT_NULL_FATAL(verdict);
    CU_ASSERT_STRING_EQUAL(verdict, "GO: it would\n");
    CU_ASSERT_EQUAL(ctl("purge b.3 --dry-run"), 0);
    CU_ASSERT(says("  b.2\n"));
    CU_ASSERT(says("4.0 KiB"));
}

static void answers_that_are_a_no(void)
{
    CU_ASSERT_EQUAL(ctl("preflight"), 1);
    CU_ASSERT(says("NO-GO\n  fail  wait_point  AFTER_COMMIT\n  ok    timeout\n"));
    CU_ASSERT(says("age ms"));
    CU_ASSERT_EQUAL(ctl("--json preflight"), 1);
    CU_ASSERT_EQUAL(ctl("wait-gtid u-1:1-20 1"), 1);
    CU_ASSERT(says("u-1:10-20"));
    CU_ASSERT_EQUAL(ctl("wait-gtid u-1:1-9 30s"), 0);
    CU_ASSERT_EQUAL(ctl("diff u-1:1-8"), 1);
    CU_ASSERT_EQUAL(ctl("diff u-1:1-9"), 0);
    CU_ASSERT_EQUAL(ctl("diff $(printf 'u-1:1-9\\n\\n')"), 0);
    CU_ASSERT_EQUAL(ctl("diff - <<'END'\nu-1:1-9\nEND\n"), 0);
    CU_ASSERT_EQUAL(ctl("wait-gtid @/dev/stdin 30s <<'END'\nu-1:1-9\\n\nEND\n"), 0);
    CU_ASSERT_EQUAL(ctl("diff @/nonexistent/set"), 2);
    CU_ASSERT(says("/nonexistent/set: No such file"));
}

static void refusals(void)
{
    CU_ASSERT_EQUAL(ctl("unfence"), 3);
    CU_ASSERT(says("logtailerctl: unfence refused: nothing is fenced (not_found)\n  cure: look at status\n"));
    CU_ASSERT(says("    b\n"));
    CU_ASSERT_EQUAL(ctl("--json unfence"), 3);
    CU_ASSERT(says("{\"error\":{\"code\":\"not_found\""));
    CU_ASSERT_EQUAL(ctl("latency"), 3);
    CU_ASSERT(says("does not know the command latency: it is another version"));
    CU_ASSERT_EQUAL(ctl("frobnicate"), 2);
    CU_ASSERT(says("there is no command frobnicate; logtailerctl --help lists them"));
    CU_ASSERT_EQUAL(ctl("fence"), 2);
    CU_ASSERT(says("usage: fence REASON"));
    CU_ASSERT_EQUAL(ctl("--json fence"), 2);
    CU_ASSERT_EQUAL(ctl("stop --dry-run"), 2);
    CU_ASSERT(says("stop takes no argument \"--dry-run\""));
    CU_ASSERT_EQUAL(ctl("position x"), 2);
    CU_ASSERT_EQUAL(ctl("fence 'two\nlines'"), 2);
    CU_ASSERT(says("line end"));
    CU_ASSERT_EQUAL(ctl("--frob"), 2);
    CU_ASSERT_EQUAL(ctl("--version"), 0);
    CU_ASSERT(says("logtailerctl 0"));
    CU_ASSERT_EQUAL(ctl("--help"), 0);
    CU_ASSERT(says("wait-gtid SET TIMEOUT"));
    CU_ASSERT_EQUAL(ctl("purge --help"), 0); /* of one command; nothing is ordered */
    CU_ASSERT(says("  purge FILE [--dry-run]\n        remove the segments"));
    CU_ASSERT_PTR_NULL(strstr(tool.output, "wait-gtid"));
    CU_ASSERT_EQUAL(ctl("no-such-command --help"), 0);
    CU_ASSERT(says("wait-gtid SET TIMEOUT"));
    CU_ASSERT_EQUAL(ctl("status >/dev/full"), 4);
}

static void nobody_there(void)
{
    CU_ASSERT_EQUAL(ctl("reload"), 5);
    CU_ASSERT(says("closed the connection before it answered"));
    CU_ASSERT_EQUAL(ctl("drain"), 5);
    CU_ASSERT(says("is no logtailerd"));
    CU_ASSERT_EQUAL(ctl("log debug"), 5);
    uint64_t began = proc_now_ms();
    CU_ASSERT_EQUAL(ctl("--timeout 0.3 stop"), 5);
    CU_ASSERT(proc_now_ms() - began >= 300);
    CU_ASSERT(says("does not answer within 0.3 s"));
    char *pid = proc_fmt("logtailerd (pid %d)", (int)getpid());
    CU_ASSERT(says(pid));
    free(pid);
    CU_ASSERT_EQUAL(ctl("--timeout 300ms segments-of-old"), 2); /* unknown here: an order */
    CU_ASSERT_EQUAL(ctl("--json --timeout 300ms stop"), 5);
    CU_ASSERT(says("{\"error\":{\"code\":\"outcome_unknown\""));
    CU_ASSERT(says("\"order\":\""));
    CU_ASSERT_EQUAL(ctl("--socket /nonexistent/s status"), 4);
    CU_ASSERT(says("no logtailerd listens on /nonexistent/s"));
    CU_ASSERT_EQUAL(ctl("--json --socket /nonexistent/s status"), 4);
    CU_ASSERT(says("{\"error\":{\"code\":\"not_reached\""));
    CU_ASSERT_EQUAL(ctl("--socket $(printf %0200d 1) status"), 4);
    CU_ASSERT(says("a socket's path has"));
}

/* What is known of an order whose answer did not come; "not done" only where nobody can have read it. */
static void orders_without_an_answer(void)
{
    static const struct admin_rule old[] = {
        {.line = "order *",
         .answer = "{\"error\":{\"code\":\"unknown_command\",\"message\":\"there is no command "
                   "order; help lists them\"}}"},
        {.line = "unfence", .answer = "{\"ok\":true}"},
        {.line = "stop", .manner = ADMIN_HANGS},
    };
    char *path = proc_fmt("%s/old.sock", dir);
    char *words = proc_fmt("--socket %s --timeout 0.3 unfence", path);
    CU_ASSERT_EQUAL(ctl(words), 4);
    CU_ASSERT(says("not done: the order did not get there"));
    struct admin_script *script = admin_script_start(path, old, sizeof old / sizeof old[0]);
    /* A logtailerd that knows no ids is served as well, and what is then unknown is not called anything else. */
    CU_ASSERT_EQUAL(ctl(words), 0);
    free(words);
    words = proc_fmt("--socket %s --timeout 0.3 stop", path);
    CU_ASSERT_EQUAL(ctl(words), 5);
    CU_ASSERT(says("unknown whether it was done, or will be"));
    admin_script_stop(script);
    free(words);
    free(path);
    CU_ASSERT_EQUAL(ctl("--timeout 0.3 stop"), 5);
    CU_ASSERT(says("unknown whether it was done; what is not begun by now never will be. Ask again:"));
    CU_ASSERT(says("admin.sock outcome "));
    CU_ASSERT_EQUAL(ctl("outcome 1"), 5);
    CU_ASSERT_EQUAL(ctl("outcome 2"), 3);
}

/* A socket file without a listener, one whose queue is full, one that is not ours. */
static void sockets_that_do_not_answer(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s/dead", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *words = proc_fmt("--socket %s --timeout 0.3 status", addr.sun_path);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    CU_ASSERT_EQUAL(ctl(words), 4);
    CU_ASSERT(says("nobody listens on"));
    CU_ASSERT_EQUAL(listen(fd, 0), 0);
    int queued[4];
    for (int i = 0; i < 4; i++) {
        queued[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(queued[i], (struct sockaddr *)&addr, sizeof addr);
    }
    CU_ASSERT_EQUAL(ctl(words), 4);
    CU_ASSERT(says("does not answer within 0.3 s"));
    for (int i = 0; i < 4; i++)
        (void)close(queued[i]);
    (void)close(fd);
    free(words);
    words = proc_fmt("--socket %s/nothere/x status", dir);
    CU_ASSERT_EQUAL(ctl(words), 4);
    free(words);
}

static void monitoring_checks(void)
{
    CU_ASSERT_EQUAL(ctl("lag --max-seconds 1"), 0);
    CU_ASSERT(says("LAG OK: 2.0 KiB, 0.5 s behind the primary | source_seconds=0.500s;;1.000;0"));
    CU_ASSERT_EQUAL(ctl("lag --max-bytes 1KiB"), 1);
    CU_ASSERT(says("LAG BEHIND"));
    CU_ASSERT_EQUAL(ctl("lag --max-bytes 1KiB --socket /nonexistent/s"), 2);
    CU_ASSERT(says("LAG UNKNOWN: no logtailerd listens"));
    CU_ASSERT_EQUAL(ctl("lag --max-bytes x"), 2);
    CU_ASSERT_EQUAL(strspn(tool.output, "\n"), 0);
}

static void without_a_terminal_lines(void)
{
    static const struct admin_rule changing[] = {
        {.line = "status", .make = next_status},
        {.line = "latency", .make = next_latency},
    };
    char *path = proc_fmt("%s/watch.sock", dir);
    struct admin_script *script = admin_script_start(path, changing, 2);
    char *words = proc_fmt("--socket %s lag --watch --interval 0.05 | head -4", path);
    char *command = proc_fmt("\"$LT_CTL\" %s", words);
    char *file = proc_fmt("%s/out", dir);
    char *argv[] = {"sh", "-c", command, NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, file), 0);
    free(tool.output);
    tool.output = proc_read_file(file, NULL);
    CU_ASSERT(says("streaming, source lag 0 B, 0.0 s, acks unknown, ack p99 unknown\n"));
    CU_ASSERT(says("streaming, source lag 1.0 KiB, 0.0 s, acks "));
    CU_ASSERT(says("ack p99 1.0 ms\n"));
    CU_ASSERT_PTR_NULL(strchr(tool.output, '\033'));
    free(command);
    free(words);
    admin_script_stop(script);
    /* Nobody there any more: said, and tried again. */
    command = proc_fmt("\"$LT_CTL\" --socket %s status --watch --interval 0.05 | head -2", path);
    argv[2] = command;
    CU_ASSERT_EQUAL(proc_run(argv, NULL, file), 0);
    free(tool.output);
    tool.output = proc_read_file(file, NULL);
    CU_ASSERT(says(" unreachable no logtailerd listens"));
    free(command);
    free(file);
    free(path);
}

/* Reads what the terminal shows until text is in it. */
static bool screen_shows(int fd, const char *text)
{
    static char seen[1 << 20];
    size_t len = 0;
    uint64_t end = proc_now_ms() + 30000;
    while (proc_now_ms() < end && len + 1 < sizeof seen) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 100) <= 0)
            continue;
        ssize_t n = read(fd, seen + len, sizeof seen - len - 1);
        if (n <= 0)
            break;
        len += (size_t)n;
        seen[len] = '\0';
        if (strstr(seen, text) != NULL)
            return true;
    }
    (void)fprintf(stderr, "the screen does not show: %s\nbut: %.2000s\n", text, seen);
    return false;
}

static pid_t run_on_terminal(char **argv, int *ret_fd)
{
    struct winsize size = {.ws_row = 18, .ws_col = 80};
    pid_t pid = forkpty(ret_fd, NULL, NULL, &size);
    if (pid < 0)
        proc_die_errno("no terminal to be had (is /dev/pts mounted?)");
    if (pid == 0) {
        (void)setenv("TERM", "xterm", 1);
        (void)setenv("LC_ALL", "C.UTF-8", 1);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static pid_t start_on_terminal(const char *path, int *ret_fd)
{
    char *argv[] = {getenv("LT_CTL"), "--socket", (char *)(uintptr_t)path, "status", "--watch", "--interval",
                    "0.05",           NULL};
    return run_on_terminal(argv, ret_fd);
}

static void a_screen_that_refreshes(void)
{
    static const struct admin_rule changing[] = {
        {.line = "status", .make = next_status},
        {.line = "latency", .make = next_latency},
    };
    char *path = proc_fmt("%s/screen.sock", dir);
    struct admin_script *script = admin_script_start(path, changing, 2);
    int fd = -1;
    int status = -1;
    pid_t pid = start_on_terminal(path, &fd);
    CU_ASSERT(pid > 0);
    CU_ASSERT(screen_shows(fd, "\033[?1049h"));
    CU_ASSERT(screen_shows(fd, "\r\nack p99        "));
    CU_ASSERT(screen_shows(fd, "█ now 1.0 ms, most 1.0 ms\033[K"));
    /* With more room the graphs are higher. */
    struct winsize high = {.ws_row = 50, .ws_col = 80};
    CU_ASSERT_EQUAL(ioctl(fd, TIOCSWINSZ, &high), 0);
    CU_ASSERT(screen_shows(fd, "\r\nack p99 now 1.0 ms, most 1.0 ms\033[K"));
    /* Narrow: lines are cut. */
    struct winsize narrow = {.ws_row = 50, .ws_col = 30};
    CU_ASSERT_EQUAL(ioctl(fd, TIOCSWINSZ, &narrow), 0);
    CU_ASSERT(screen_shows(fd, "\033[Hlogtailerctl 2"));
    CU_ASSERT(screen_shows(fd, "source         -, flavour unkn\033[K"));
    /* The daemon goes: said; Ctrl-C ends and gives the screen back. */
    admin_script_stop(script);
    CU_ASSERT(screen_shows(fd, "UNREACHABLE"));
    CU_ASSERT_EQUAL(write(fd, "\003", 1), 1);
    CU_ASSERT(screen_shows(fd, "\033[?25h\033[?1049l"));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(fd);
    free(path);
}

/* Ctrl-C is taken while an answer is waited for. */
static void ctrl_c_with_a_silent_daemon(void)
{
    static const struct admin_rule silent[] = {{.line = "status", .manner = ADMIN_HANGS}};
    char *path = proc_fmt("%s/silent.sock", dir);
    struct admin_script *script = admin_script_start(path, silent, 1);
    int fd = -1;
    int status = -1;
    pid_t pid = start_on_terminal(path, &fd);
    uint64_t end = proc_now_ms() + 30000;
    while (strcmp(admin_script_last(script), "status") != 0 && proc_now_ms() < end)
        proc_sleep_ms(10);
    CU_ASSERT_EQUAL(kill(pid, SIGINT), 0);
    CU_ASSERT(screen_shows(fd, "\033[?25h\033[?1049l"));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    admin_script_stop(script);
    (void)close(fd);
    free(path);
}

/* The first line of what was said that begins so, as a users file. NULL: not taken. */
static struct users *taken(const char *text, const char *begin)
{
    struct users *users = NULL;
    struct lt_err err = {0};
    const char *line = text != NULL ? strstr(text, begin) : NULL;
    if (line == NULL || users_parse("users", line, strcspn(line, "\r\n"), &users, &err) != LT_OK)
        (void)fprintf(stderr, "no line %s...: %s\n%s\n", begin, err.text, text != NULL ? text : "");
    return users;
}

static bool lets_in(const char *line_begins, const char *token)
{
    char user[USERS_NAME_MAX + 1];
    struct users *users = taken(tool.output, line_begins);
    bool in = users_check(users, token, user);
    users_free(users);
    return in;
}

/* Is the password that of the line, as the listener for replicas reads it? */
static bool lets_in_replica(const char *name, const char *password)
{
    uint8_t fast[VERIFIER_FAST_LEN];
    struct replica_users *users = NULL;
    struct lt_err err = {0};
    char *begins = proc_fmt("%s:replica:", name);
    const char *at = strstr(tool.output, begins);
    char *line = proc_fmt("%.*s\n", at != NULL ? (int)strcspn(at, "\n") : 0, at != NULL ? at : "");
    CU_ASSERT_EQUAL_FATAL(replica_users_parse("f", line, &users, &err), 0);
    const struct replica_user *u = replica_users_find(users, name, NULL);
    bool in = u != NULL && u->count == 1 && verifier_sha2_fits(&u->verifiers[0], password, strlen(password), fast);
    replica_users_free(users);
    free(line);
    free(begins);
    return in;
}

/* The line is one that logtailerd takes, for the secret that was given, with another salt each time; no logtailerd is asked. */
static void users_lines(void)
{
    char token[600] = "";
    CU_ASSERT_EQUAL(ctl("user alice <<'END'\nwonder: land-0123456789\nEND\n"), 0);
    CU_ASSERT(lets_in("alice:sha256$", "alice:wonder: land-0123456789"));
    CU_ASSERT(!lets_in("alice:sha256$", "alice:wonder: land-012345678"));
    CU_ASSERT_PTR_NULL(strstr(tool.output, "land"));
    CU_ASSERT_PTR_NULL(strstr(tool.output, "warning"));
    char *first = proc_fmt("%s", tool.output);
    CU_ASSERT_EQUAL(ctl("user alice <<'END'\nwonder: land-0123456789\nEND\n"), 0);
    CU_ASSERT_STRING_NOT_EQUAL(tool.output, first);
    free(first);
    CU_ASSERT_EQUAL(ctl("user alice <<'END'\nshort\nEND\n"), 0);
    CU_ASSERT(says("warning: a secret of less than 16"));
    CU_ASSERT(lets_in("alice:sha256$", "alice:short"));
    CU_ASSERT_EQUAL(ctl("user bob-2 --generate"), 0);
    const char *told = strstr(tool.output, "\nbob-2:") != NULL ? strstr(tool.output, "\nbob-2:") + 1 : "";
    (void)snprintf(token, sizeof token, "%.*s", (int)strcspn(told, "\n"), told);
    CU_ASSERT_EQUAL(strlen(token), strlen("bob-2:") + 48);
    CU_ASSERT(lets_in("bob-2:sha256$", token));
    CU_ASSERT_EQUAL(ctl("user bob --generate 2>/dev/null"), 0); /* nothing but the line, to be appended */
    CU_ASSERT(strncmp(tool.output, "bob:sha256$", 11) == 0 && strchr(tool.output, '\n') == strrchr(tool.output, '\n'));
    CU_ASSERT_EQUAL(ctl("user bob --generate --json"), 0);
    CU_ASSERT(says("{\"user\":\"bob\",\"line\":\"bob:sha256$"));
    CU_ASSERT(says("\"token\":\"bob:"));
    CU_ASSERT_EQUAL(ctl("user r1 --replica <<'END'\nwonder: land-0123456789\nEND\n"), 0);
    CU_ASSERT(lets_in_replica("r1", "wonder: land-0123456789"));
    CU_ASSERT_FALSE(lets_in_replica("r1", "wonder: land-012345678"));
    CU_ASSERT_EQUAL(ctl("user r2 --replica --generate --json"), 0);
    CU_ASSERT(says("{\"user\":\"r2\",\"line\":\"r2:replica:$A$005$"));
    CU_ASSERT(says("\"password\":\""));
    static const char *const wrong[] = {"user",
                                        "user a --replica --replica",
                                        "user --replica",
                                        "user a --replica </dev/null",
                                        "user 'a b' --generate",
                                        "user a --frob",
                                        "user a --generate b",
                                        "user a </dev/null",
                                        "user a <<'END'\none\ntwo\nEND\n",
                                        "user a <<'END'\na:whole-token-0123456789\nEND\n",
                                        "user a <<END\n$(head -c 513 /dev/zero | tr '\\0' x)\nEND\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(ctl(wrong[i]), 2);
        CU_ASSERT_PTR_NULL(strstr(tool.output, "sha256"));
    }
    CU_ASSERT_EQUAL(ctl("user a <<END\n$(head -c 512 /dev/zero | tr '\\0' x)\nEND\n"), 0);
}

static bool echoes(int fd)
{
    struct termios t;
    return tcgetattr(fd, &t) == 0 && (t.c_lflag & ECHO) != 0;
}

/* Asked twice and not shown; Ctrl-C gives the terminal back as it was. */
static void a_secret_that_is_typed(void)
{
    static const char secret[] = "typed-0123456789-typed\n";
    char *argv[] = {getenv("LT_CTL"), "user", "alice", NULL};
    int fd = -1;
    int status = -1;
    for (int differ = 0; differ < 2; differ++) {
        pid_t pid = run_on_terminal(argv, &fd);
        CU_ASSERT(screen_shows(fd, "secret: "));
        CU_ASSERT_FALSE(echoes(fd));
        CU_ASSERT_EQUAL(write(fd, secret, sizeof secret - 1), (ssize_t)sizeof secret - 1);
        CU_ASSERT(screen_shows(fd, "\nagain:  "));
        CU_ASSERT_EQUAL(write(fd, secret + differ, sizeof secret - 1 - (size_t)differ),
                        (ssize_t)sizeof secret - 1 - differ);
        CU_ASSERT(screen_shows(fd, differ ? "the two differ" : "\nalice:sha256$"));
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == (differ ? 2 : 0));
        CU_ASSERT(echoes(fd));
        (void)close(fd);
    }
    pid_t pid = run_on_terminal(argv, &fd);
    CU_ASSERT(screen_shows(fd, "secret: "));
    CU_ASSERT_EQUAL(write(fd, "\003", 1), 1);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    CU_ASSERT(echoes(fd));
    (void)close(fd);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"everything at a glance", everything_at_a_glance},
        {"lists", lists},
        {"orders", orders},
        {"answers that are a no", answers_that_are_a_no},
        {"refusals", refusals},
        {"nobody there", nobody_there},
        {"orders without an answer", orders_without_an_answer},
        {"sockets that do not answer", sockets_that_do_not_answer},
        {"monitoring checks", monitoring_checks},
        {"without a terminal: lines", without_a_terminal_lines},
        {"a screen that refreshes", a_screen_that_refreshes},
        {"Ctrl-C with a silent daemon", ctrl_c_with_a_silent_daemon},
        {"users' lines", users_lines},
        {"a secret that is typed", a_secret_that_is_typed},
    };
    dir = proc_tempdir();
    sock = proc_fmt("%s/admin.sock", dir);
    tool = (struct ctl_run){.where = proc_fmt("--socket %s", sock), .folder = dir};
    struct admin_script *script = admin_script_start(sock, rules, sizeof rules / sizeof rules[0]);
    int bad = cunit_run("ctl", cases, sizeof cases / sizeof cases[0]);
    admin_script_stop(script);
    proc_remove_dir(dir);
    ctl_forget(&tool);
    free(tool.where);
    free(sock);
    free(dir);
    return bad;
}
