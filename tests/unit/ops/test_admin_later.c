/* Answers of the admin socket that come later than their command. */
#include <stdbool.h>
#include <stdlib.h>

#include "admin_rig.h"
#include "cunit_main.h"

static unsigned runs;

static int run_echo(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    (void)err;
    *ret_answer = json_pack("{s:s}", "word", argc > 1 ? argv[1] : "");
    runs++;
    return LT_OK;
}

static struct admin_reply *kept[4];
static unsigned n_kept;

/* The answer comes when the test says so. */
static int run_later(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    (void)argc;
    (void)argv;
    (void)ret_answer;
    (void)err;
    kept[n_kept] = admin_reply_later(admin);
    n_kept += kept[n_kept] != NULL;
    return LT_OK;
}

/* Later, and that is at once. */
static int run_at_once(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    (void)ret_answer;
    (void)err;
    if (argc == 1)
        admin_reply_send(admin_reply_later(admin), NULL);
    else
        admin_reply_error(admin_reply_later(admin), argv[1], "no", json_pack("{s:i}", "n", 1));
    return LT_OK;
}

static const struct admin_command table[] = {
    {"echo", "WORD Gives it back.", run_echo},
    {"later", "Answers later.", run_later},
    {"at-once", "[CODE] Answers later, at once.", run_at_once},
};

static void start(void)
{
    struct lt_err err = {0};
    runs = 0;
    n_kept = 0;
    base = event_base_new();
    admin = NULL;
    if (base == NULL ||
        admin_open(base, path, 0600, NULL, table, sizeof table / sizeof table[0], NULL, &admin, &err) != LT_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static void stop(void)
{
    admin_close(admin);
    event_base_free(base);
}

static void test_answer_that_comes_later(void)
{
    start();
    int fd = connect_client();
    int other = connect_client();
    (void)send(fd, "later\necho after\n", 17, MSG_NOSIGNAL);
    for (int i = 0; i < 50 && n_kept == 0; i++)
        step();
    CU_ASSERT_EQUAL_FATAL(n_kept, 1);
    /* Others go on; the line behind the open answer waits. */
    CU_ASSERT_PTR_NOT_NULL(strstr(talk(other, "echo there\n", 1), "there"));
    CU_ASSERT_EQUAL(runs, 1);
    admin_reply_send(kept[0], json_pack("{s:i}", "late", 1));
    char *both = talk(fd, "", 2);
    CU_ASSERT_STRING_EQUAL(both, "{\"late\":1}\n{\"word\":\"after\"}\n");
    CU_ASSERT_STRING_EQUAL(talk(fd, "at-once\nat-once bad\necho x\n", 3),
                           "{\"ok\":true}\n{\"error\":{\"code\":\"bad\",\"message\":\"no\"},\"details\":{\"n\":1}}\n"
                           "{\"word\":\"x\"}\n");
    (void)close(fd);
    (void)close(other);
    step();
    stop();
}

/* printf | socat: the client has said all it has to say, and still gets its answer. */
static void test_later_after_half_close(void)
{
    start();
    int fd = connect_client();
    (void)send(fd, "later\n", 6, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < 50 && n_kept == 0; i++)
        step();
    CU_ASSERT_EQUAL_FATAL(n_kept, 1);
    for (int i = 0; i < 20; i++)
        step();
    CU_ASSERT_EQUAL(admin_connections(admin), 1);
    admin_reply_error(kept[0], "why", "because", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(talk(fd, "", 1), "because"));
    CU_ASSERT_TRUE(is_closed(fd));
    (void)close(fd);
    stop();
}

/* The client goes, or the whole socket: the reply is still ended once, and nobody is hurt. */
static void test_later_and_gone(void)
{
    start();
    int fd = connect_client();
    (void)send(fd, "later\n", 6, MSG_NOSIGNAL);
    for (int i = 0; i < 50 && n_kept == 0; i++)
        step();
    CU_ASSERT_EQUAL_FATAL(n_kept, 1);
    (void)close(fd);
    admin_reply_send(kept[0], json_pack("{s:i}", "late", 1));
    for (int i = 0; i < 20; i++)
        step();
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    fd = connect_client();
    (void)send(fd, "later\n", 6, MSG_NOSIGNAL);
    for (int i = 0; i < 50 && n_kept == 1; i++)
        step();
    CU_ASSERT_EQUAL_FATAL(n_kept, 2);
    stop();
    admin_reply_error(kept[1], "late", "too late", json_pack("{s:i}", "n", 1));
    (void)close(fd);
}

static const struct test_case cases[] = {
    {"an answer that comes later", test_answer_that_comes_later},
    {"later, after a half-close", test_later_after_half_close},
    {"later, and the client is gone", test_later_and_gone},
};

int main(void)
{
    return admin_rig_main("admin_later", cases, sizeof cases / sizeof cases[0]);
}
