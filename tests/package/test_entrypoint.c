/* docker/logtailer/entrypoint.sh with a logtailerd that ends as it is told: which ends lead to a restart, and what signals do. */
#include "cunit_main.h"

#include <signal.h>
#include <sys/wait.h>

#include "proc.h"

static const char *top;

struct stage {
    char *dir;
    char *script;
    char *log;
};

/* In its place: says what it was given and what signals came, and ends with $CODE at once, or when it is told to. */
static const char fake[] = "#!/bin/sh\necho \"given $*\"\n"
                           "trap 'echo reloaded' HUP\ntrap 'echo stopping; exit ${CODE:-0}' TERM\n"
                           "[ -z \"$STAY\" ] && exit \"${CODE:-0}\"\necho running\n"
                           "while :; do sleep 0.05; done\n";

static void begin(struct stage *s)
{
    s->dir = proc_tempdir();
    s->script = proc_fmt("%s/docker/logtailer/entrypoint.sh", top);
    s->log = proc_fmt("%s/log", s->dir);
    char *program = proc_fmt("%s/logtailerd", s->dir);
    proc_write_file(program, fake);
    CU_ASSERT_EQUAL(proc_run((char *[]){"chmod", "755", program, NULL}, NULL, NULL), 0);
    free(program);
}

static void end(struct stage *s)
{
    proc_remove_dir(s->dir);
    free(s->log);
    free(s->script);
    free(s->dir);
}

static pid_t start(const struct stage *s, const char *code, bool stay)
{
    char *path = proc_fmt("PATH=%s:/usr/bin:/bin", s->dir);
    char *exit_code = proc_fmt("CODE=%s", code);
    char *argv[] = {"env", path, exit_code, stay ? "STAY=1" : "STAY=", "sh", s->script, "--config", "a b", NULL};
    pid_t pid = proc_spawn(argv, s->log);
    free(exit_code);
    free(path);
    return pid;
}

static bool says(const struct stage *s, const char *text)
{
    for (int i = 0; i < 600; i++) {
        char *log = proc_read_file(s->log, NULL);
        bool there = log != NULL && strstr(log, text) != NULL;
        free(log);
        if (there)
            return true;
        (void)usleep(50000);
    }
    return false;
}

static int status_of(pid_t pid)
{
    int status = 0;
    return proc_wait(pid, 30000, &status) && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_ends(void)
{
    static const char *const codes[] = {"0", "1", "143"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct stage s;
        begin(&s);
        CU_ASSERT_EQUAL(status_of(start(&s, codes[i], false)), atoi(codes[i]));
        CU_ASSERT_TRUE(says(&s, "given --config a b"));
        end(&s);
    }
}

/* The container stays until somebody stops it, and then has that code. */
static void test_waits_for_somebody(void)
{
    static const char *const codes[] = {"2", "3"};
    for (size_t i = 0; i < 2; i++) {
        struct stage s;
        int status = 0;
        begin(&s);
        pid_t pid = start(&s, codes[i], false);
        CU_ASSERT_TRUE(says(&s, "which no restart mends"));
        CU_ASSERT_EQUAL(kill(pid, SIGHUP), 0);
        CU_ASSERT_FALSE(proc_wait(pid, 300, &status));
        CU_ASSERT_EQUAL(kill(pid, SIGTERM), 0);
        CU_ASSERT_EQUAL(status_of(pid), atoi(codes[i]));
        end(&s);
    }
}

static void test_signals(void)
{
    struct stage s;
    begin(&s);
    pid_t pid = start(&s, "0", true);
    CU_ASSERT_TRUE(says(&s, "running"));
    CU_ASSERT_EQUAL(kill(pid, SIGHUP), 0);
    CU_ASSERT_TRUE(says(&s, "reloaded"));
    CU_ASSERT_EQUAL(kill(pid, SIGTERM), 0);
    CU_ASSERT_TRUE(says(&s, "stopping"));
    CU_ASSERT_EQUAL(status_of(pid), 0);
    end(&s);
}

static const struct test_case cases[] = {
    {"what a restart may mend", test_ends},
    {"what it does not", test_waits_for_somebody},
    {"signals", test_signals},
};

int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    top = argv[1];
    (void)signal(SIGHUP, SIG_DFL); /* a shell cannot trap what was ignored when it began, as under nohup */
    return cunit_run("entrypoint", cases, sizeof cases / sizeof cases[0]);
}
