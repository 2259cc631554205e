#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cunit_main.h"

#include "base/log.h"

static int pipe_fds[2];
static char got[1 << 20];

static void open_pipe(void)
{
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        abort();
    (void)fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    log_configure(LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT);
    log_set_fd(pipe_fds[1]);
}

static const char *drain(void)
{
    size_t len = 0;
    for (ssize_t n; len < sizeof got - 1 && (n = read(pipe_fds[0], got + len, sizeof got - 1 - len)) > 0;)
        len += (size_t)n;
    got[len] = '\0';
    return got;
}

static void close_pipe(void)
{
    log_set_fd(STDERR_FILENO);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static unsigned count_lines(const char *s)
{
    unsigned n = 0;
    for (; (s = strchr(s, '\n')) != NULL; s++)
        n++;
    return n;
}

static void text_line(void)
{
    open_pipe();
    errno = 42;
    log_notice("ingest", "connected to=%s", "db1");
    CU_ASSERT_EQUAL(errno, 42);
    const char *s = drain();
    CU_ASSERT_EQUAL(strlen(s), strlen("2026-11-23T09:10:58.123Z notice ingest connected to=db1\n"));
    CU_ASSERT(s[4] == '-' && s[10] == 'T' && s[23] == 'Z');
    CU_ASSERT_PTR_NOT_NULL(strstr(s, "Z notice ingest connected to=db1\n"));
    close_pipe();
}

static void text_cannot_fake_lines(void)
{
    open_pipe();
    log_error("ingest", "%s", "a\nb\r\x1b[1m \"q\" \\ \xff \xc3\xa9");
    CU_ASSERT_PTR_NOT_NULL(strstr(drain(), "ingest a\\x0ab\\x0d\\x1b[1m \"q\" \\ ? \xc3\xa9\n"));
    close_pipe();
}

/* What turns or hides text: escaped, in JSON so that a reader gets what was written. */
static void nothing_turns_the_line(void)
{
    static const char text[] = "\xc2\x9b"
                               "2J \xe2\x80\xae"
                               "abc \xe2\x81\xa6 \xe2\x80\xa8 \xf3\xa0\x80\xa1 \x9b";
    open_pipe();
    log_error("ingest", "%s", text);
    CU_ASSERT_PTR_NOT_NULL(strstr(drain(), "ingest \\u009b2J \\u202eabc \\u2066 \\u2028 \\udb40\\udc21 ?\n"));
    close_pipe();
    open_pipe();
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_error("ingest", "%s", text);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(drain(), "\"msg\":\"\\u009b2J \\u202eabc \\u2066 \\u2028 \\udb40\\udc21 \\ufffd\"}\n"));
    close_pipe();
}

static void json_line(void)
{
    open_pipe();
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_debug("store", "%s", "q\" b\\ n\n \x7f \xc3\xa9 \xed\xa0\x80 \xf0\x9f\x98\x80 \xc0\xaf \xe2\x82");
    const char *s = drain();
    CU_ASSERT_EQUAL(strncmp(s, "{\"ts\":\"2", 8), 0);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(s, "Z\",\"level\":\"debug\",\"module\":\"store\",\"msg\":\"q\\\" b\\\\ n\\u000a \\u007f \xc3\xa9 "
                  "\\ufffd\\ufffd\\ufffd \xf0\x9f\x98\x80 \\ufffd\\ufffd \\ufffd\\ufffd\"}\n"));
    close_pipe();
}

static void lines_are_bounded(void)
{
    static char big[9000];
    memset(big, '\n', sizeof big - 1);
    open_pipe();
    log_configure(LOG_LEVEL_NOTICE, LOG_FORMAT_JSON);
    log_notice("store", "%s", big);
    const char *s = drain();
    CU_ASSERT(strlen(s) <= 4096);
    CU_ASSERT_EQUAL(count_lines(s), 1);
    CU_ASSERT_STRING_EQUAL(s + strlen(s) - 9, "\\u000a\"}\n");
    close_pipe();
}

static void levels(void)
{
    open_pipe();
    log_info("x", "hidden");
    CU_ASSERT_STRING_EQUAL(drain(), "");
    log_level_set(LOG_LEVEL_INFO);
    CU_ASSERT_EQUAL(log_level_get(), LOG_LEVEL_INFO);
    log_info("x", "shown");
    CU_ASSERT_EQUAL(count_lines(drain()), 1);
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        enum log_level level = LOG_LEVEL_ERROR;
        CU_ASSERT_EQUAL(log_level_parse(log_level_name((enum log_level)i), &level), LT_OK);
        CU_ASSERT_EQUAL((int)level, i);
    }
    enum log_level level = LOG_LEVEL_WARN;
    CU_ASSERT_EQUAL(log_level_parse("loud", &level), LT_EINVAL);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_WARN);
    close_pipe();
}

static void call_sites_are_limited(void)
{
    open_pipe();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++)
            log_notice("serve", "same place");
        if (round == 0) {
            CU_ASSERT_EQUAL(count_lines(drain()), LOG_BURST);
            (void)usleep(1100000);
        }
    }
    /* The next window begins by counting what the last one swallowed. */
    const char *s = drain();
    CU_ASSERT_PTR_NOT_NULL(strstr(s, "80 more lines like the next one were held back\n"));
    CU_ASSERT_EQUAL(count_lines(s), LOG_BURST + 1);
    log_notice("serve", "another place");
    CU_ASSERT_EQUAL(count_lines(drain()), 1);
    close_pipe();
}

static void full_pipe_drops_and_tells(void)
{
    open_pipe();
    unsigned long long before = log_dropped();
    static char big[2000];
    memset(big, 'x', sizeof big - 1);
    for (int i = 0; i < 200; i++)
        log_write(NULL, LOG_LEVEL_NOTICE, "x", "%s", big);
    unsigned long long lost = log_dropped() - before;
    CU_ASSERT(lost > 100);
    CU_ASSERT_EQUAL(count_lines(drain()), 200 - lost);
    log_notice("x", "back");
    char expect[100];
    (void)snprintf(expect, sizeof expect, "would have blocked: count=%llu\n", lost);
    const char *s = drain();
    CU_ASSERT_PTR_NOT_NULL(strstr(s, expect));
    CU_ASSERT_PTR_NOT_NULL(strstr(s, " x back\n"));
    CU_ASSERT_EQUAL(log_dropped() - before, lost);
    close_pipe();
}

static void full_socket_drops(void)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        abort();
    log_set_fd(fds[0]);
    unsigned long long before = log_dropped();
    for (int i = 0; i < 20000; i++)
        log_write(NULL, LOG_LEVEL_NOTICE, "x", "%s", "a line of some length for a socket that nobody reads");
    CU_ASSERT(log_dropped() > before);
    log_set_fd(STDERR_FILENO);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void *write_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        log_write(NULL, LOG_LEVEL_NOTICE, "thread", "0123456789");
    return NULL;
}

static void threads_do_not_mix_lines(void)
{
    open_pipe();
    (void)fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, write_many, NULL) != 0)
            abort();
    }
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    unsigned whole = 0;
    for (const char *s = drain(); (s = strstr(s, " notice thread 0123456789\n")) != NULL; s++)
        whole++;
    CU_ASSERT_EQUAL(whole, count_lines(got) - (strstr(got, "would have blocked") != NULL));
    CU_ASSERT(whole > 0);
    close_pipe();
}

int main(void)
{
    static const struct test_case cases[] = {
        {"text line", text_line},
        {"text cannot fake lines", text_cannot_fake_lines},
        {"nothing turns the line", nothing_turns_the_line},
        {"JSON line", json_line},
        {"lines are bounded", lines_are_bounded},
        {"levels", levels},
        {"a full pipe drops lines and tells", full_pipe_drops_and_tells},
        {"call sites are limited", call_sites_are_limited},
        {"threads do not mix lines", threads_do_not_mix_lines},
        {"a full socket drops lines", full_socket_drops},
    };
    return cunit_run("log", cases, sizeof cases / sizeof cases[0]);
}
