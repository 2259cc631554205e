/* Orders with an id: begun in time or never, once, and their outcome can be asked for. The times are in the ids, so nothing is waited for. */
#include <inttypes.h>
#include <stdlib.h>

#include "admin_rig.h"
#include "base/order_id.h"
#include "cunit_main.h"

#define SECOND ((uint64_t)1000000)

static unsigned done; /* orders that were carried out */
static struct admin_reply *kept;
static char id[ORDER_ID_MAX];
static char line[ORDER_ID_MAX + 64];

static int run_change(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    done++;
    if (argc > 1 && strcmp(argv[1], "badly") == 0)
        return lt_err_set(err, LT_EBUSY, "something else is on its way");
    *ret_answer = json_pack("{s:i, s:s}", "change", (int)done, "word", argc > 1 ? argv[1] : "");
    return LT_OK;
}

static int run_long(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    (void)argc;
    (void)argv;
    (void)ret_answer;
    (void)err;
    done++;
    kept = admin_reply_later(admin);
    return LT_OK;
}

static int run_big(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    static char text[(1U << 20) + 1];
    (void)arg;
    (void)argc;
    (void)argv;
    (void)err;
    memset(text, 'x', sizeof text - 1);
    *ret_answer = json_pack("{s:s}", "big", text);
    return LT_OK;
}

static const struct admin_command table[] = {
    {"change", "Changes something.", run_change},
    {"long", "Answers later.", run_long},
    {"big", "Answers at length.", run_big},
};

static void start(void)
{
    struct lt_err err = {0};
    done = 0;
    kept = NULL;
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

/* Sent that long ago (negative: in the future), to be begun within that time. */
static void make_id(int64_t ago_us, uint64_t within_us, uint32_t random)
{
    (void)snprintf(id, sizeof id, "%08" PRIx32 "-%" PRIx64 "-%" PRIx64 "-%08" PRIx32, order_id_boot(),
                   (uint64_t)((int64_t)clock_mono_us() - ago_us), within_us, random);
}

static const char *order(const char *words)
{
    (void)snprintf(line, sizeof line, "order %s %s\n", id, words);
    return line;
}

static const char *outcome(void)
{
    (void)snprintf(line, sizeof line, "outcome %s\n", id);
    return line;
}

static void post(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static bool talk_says(int fd, const char *text, const char *word)
{
    char *answer = talk(fd, text, 1);
    bool found = strstr(answer, word) != NULL;
    if (!found)
        (void)fprintf(stderr, "no %s in: %.200s\n", word, answer);
    return found;
}

static void in_time(void)
{
    start();
    int fd = connect_client();
    order_id_make(60 * SECOND, id);
    CU_ASSERT(talk_says(fd, order("change it"), "{\"change\":1,\"word\":\"it\"}"));
    CU_ASSERT_EQUAL(done, 1);
    /* Given twice, done once; asked for, told, as often as wanted, also by others. */
    CU_ASSERT(talk_says(fd, order("change it"), "{\"change\":1,\"word\":\"it\"}"));
    CU_ASSERT_EQUAL(done, 1);
    int other = connect_client();
    CU_ASSERT(talk_says(other, outcome(), "{\"change\":1,\"word\":\"it\"}"));
    /* A refusal is an outcome as well. */
    order_id_make(60 * SECOND, id);
    CU_ASSERT(talk_says(fd, order("change badly"), "\"busy\""));
    CU_ASSERT(talk_says(other, outcome(), "{\"error\":{\"code\":\"busy\",\"message\":\"something else"));
    CU_ASSERT_EQUAL(done, 2);
    /* As before without an id. */
    CU_ASSERT(talk_says(fd, "change x\n", "\"change\":3"));
    (void)close(fd);
    (void)close(other);
    step();
    stop();
}

static void too_late(void)
{
    start();
    int fd = connect_client();
    (void)usleep(2000); /* so that it is younger than the socket */
    make_id(1000, 500, 1);
    CU_ASSERT(talk_says(fd, order("change it"), "\"not_begun\""));
    CU_ASSERT_EQUAL(done, 0);
    CU_ASSERT(talk_says(fd, outcome(), "\"not_begun\""));
    /* The moment itself is too late. */
    make_id(1000, 1000, 2);
    CU_ASSERT(talk_says(fd, order("long"), "\"not_begun\""));
    make_id(1000, 0, 3);
    CU_ASSERT(talk_says(fd, order("change"), "\"not_begun\""));
    /* Not here yet, and in time still: nobody says "not begun" before that is certain. */
    order_id_make(60 * SECOND, id);
    CU_ASSERT(talk_says(fd, outcome(), "\"outcome_unknown\""));
    CU_ASSERT(talk_says(fd, order("change it"), "\"change\":1"));
    CU_ASSERT_EQUAL(done, 1);
    (void)close(fd);
    step();
    stop();
}

/* A pipeline behind an answer that comes late: the time is over when its turn comes. */
static void too_late_behind_another(void)
{
    start();
    int fd = connect_client();
    char both[2 * sizeof line];
    order_id_make(20000, id);
    (void)snprintf(both, sizeof both, "long\n%s", order("change it"));
    CU_ASSERT_EQUAL(send(fd, both, strlen(both), MSG_NOSIGNAL), (ssize_t)strlen(both));
    uint64_t until = clock_mono_us() + 30000;
    while (kept == NULL || clock_mono_us() < until)
        step();
    admin_reply_send(kept, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(talk(fd, "", 2), "not_begun"));
    CU_ASSERT_EQUAL(done, 1);
    (void)close(fd);
    step();
    stop();
}

/* The client goes while it is carried out: who asks waits for the outcome, and gets it. */
static void outcome_after_the_client_has_gone(void)
{
    start();
    int fd = connect_client();
    order_id_make(60 * SECOND, id);
    post(fd, order("long"));
    while (kept == NULL)
        step();
    CU_ASSERT_TRUE(admin_reply_in_time(kept));
    (void)close(fd);
    int asking = connect_client();
    int gone = connect_client();
    post(asking, outcome());
    post(gone, outcome());
    for (int i = 0; i < 50; i++)
        step();
    (void)close(gone);
    admin_reply_error(kept, "superseded", "a fence came in between", json_pack("{s:i}", "n", 1));
    CU_ASSERT(talk_says(asking, "", "{\"error\":{\"code\":\"superseded\""));
    CU_ASSERT(talk_says(asking, outcome(), "\"details\":{\"n\":1}"));
    (void)close(asking);
    step();
    stop();
}

/* Many ask, or the socket goes: every reply is ended once. */
static void many_ask_and_the_socket_goes(void)
{
    start();
    int fd = connect_client();
    int asking[ADMIN_CONNECTIONS_MAX / 2];
    size_t n = sizeof asking / sizeof asking[0];
    unsigned refused = 0;
    order_id_make(60 * SECOND, id);
    post(fd, order("long"));
    while (kept == NULL)
        step();
    for (size_t i = 0; i < n; i++) {
        asking[i] = connect_client();
        post(asking[i], outcome());
    }
    for (int i = 0; i < 200; i++)
        step();
    for (size_t i = 0; i < n; i++) {
        char answer[300] = "";
        refused += read(asking[i], answer, sizeof answer - 1) > 0 && strstr(answer, "outcome_unknown") != NULL;
    }
    CU_ASSERT_EQUAL(refused, n - 8);
    stop();
    admin_reply_send(kept, NULL);
    for (size_t i = 0; i < n; i++)
        (void)close(asking[i]);
    (void)close(fd);
}

/* What is older than this process, of another boot, or forgotten, is never called "not begun". */
static void what_cannot_be_known(void)
{
    start();
    int fd = connect_client();
    make_id(30 * 60 * (int64_t)SECOND, SECOND, 1);
    CU_ASSERT(talk_says(fd, outcome(), "\"outcome_unknown\""));
    order_id_make(60 * SECOND, id);
    id[0] = id[0] == 'a' ? 'b' : 'a';
    CU_ASSERT(talk_says(fd, outcome(), "\"outcome_unknown\""));
    CU_ASSERT(talk_says(fd, order("change"), "\"other_clock\""));
    make_id(-3600 * (int64_t)SECOND, SECOND, 1);
    CU_ASSERT(talk_says(fd, order("change"), "\"other_clock\""));
    CU_ASSERT_EQUAL(done, 0);
    char first[ORDER_ID_MAX];
    order_id_make(60 * SECOND, id);
    memcpy(first, id, sizeof first);
    CU_ASSERT(talk_says(fd, order("change"), "\"change\":1"));
    for (int i = 0; i < 400; i++) {
        order_id_make(60 * SECOND, id);
        (void)talk(fd, order("change"), 1);
    }
    CU_ASSERT_EQUAL(done, 401);
    CU_ASSERT(talk_says(fd, outcome(), "\"change\":401"));
    memcpy(id, first, sizeof id);
    CU_ASSERT(talk_says(fd, outcome(), "\"outcome_unknown\""));
    /* Forgotten is not "new": it is not done a second time. */
    CU_ASSERT(talk_says(fd, order("change"), "\"not_begun\""));
    CU_ASSERT_EQUAL(done, 401);
    (void)close(fd);
    step();
    stop();
}

/* Reads one long answer; true: it is "big". */
static bool is_big(int fd, const char *text)
{
    static char buf[1U << 16];
    size_t got = 0;
    ssize_t n = 0;
    char last = '\0';
    post(fd, text);
    while (last != '\n' && (n != 0 || got == 0)) {
        step();
        n = read(fd, buf, sizeof buf);
        got += n > 0 ? (size_t)n : 0;
        last = n > 0 ? buf[n - 1] : last;
    }
    return got > 1U << 20;
}

static void outcomes_have_a_bound(void)
{
    start();
    int fd = connect_client();
    char first[ORDER_ID_MAX];
    for (int i = 0; i < 6; i++) {
        order_id_make(60 * SECOND, id);
        if (i == 0)
            memcpy(first, id, sizeof first);
        CU_ASSERT(is_big(fd, order("big")));
    }
    CU_ASSERT(is_big(fd, outcome()));
    memcpy(id, first, sizeof id);
    CU_ASSERT(talk_says(fd, outcome(), "\"outcome_unknown\""));
    (void)close(fd);
    step();
    stop();
}

static void lines_that_are_no_orders(void)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "1-2-3",
                                      "1-2-3-4-5",
                                      "g-1-1-1",
                                      "1-1-1-",
                                      "1--1-1",
                                      "100000000-1-1-1",
                                      "1-ffffffffffffffff-1-1",
                                      "1-1-11111111111111111-1",
                                      "-1-1-1",
                                      "1-1-1-1 "};
    struct order_id parsed;
    start();
    int fd = connect_client();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(order_id_parse(bad[i], &parsed), LT_EINVAL);
    CU_ASSERT(talk_says(fd, "order\n", "bad_arguments"));
    CU_ASSERT(talk_says(fd, "order x change\n", "bad_arguments"));
    CU_ASSERT(talk_says(fd, "outcome\n", "bad_arguments"));
    CU_ASSERT(talk_says(fd, "outcome x\n", "bad_arguments"));
    order_id_make(60 * SECOND, id);
    CU_ASSERT(talk_says(fd, order(""), "bad_arguments"));
    CU_ASSERT(talk_says(fd, order("frobnicate"), "there is no command frobnicate"));
    order_id_make(60 * SECOND, id);
    CU_ASSERT(talk_says(fd, order("order x change"), "there is no command order"));
    /* Cut off, it may be another order than was meant. */
    order_id_make(60 * SECOND, id);
    const char *whole = order("change it");
    CU_ASSERT(send(fd, whole, strlen(whole) - 2, MSG_NOSIGNAL) > 0);
    (void)shutdown(fd, SHUT_WR);
    CU_ASSERT(talk_says(fd, "", "not_begun"));
    CU_ASSERT_TRUE(is_closed(fd));
    CU_ASSERT_EQUAL(done, 0);
    (void)close(fd);
    step();
    stop();
}

static const struct test_case cases[] = {
    {"in time", in_time},
    {"too late", too_late},
    {"too late behind another", too_late_behind_another},
    {"the outcome after the client has gone", outcome_after_the_client_has_gone},
    {"many ask, and the socket goes", many_ask_and_the_socket_goes},
    {"what cannot be known", what_cannot_be_known},
    {"outcomes have a bound", outcomes_have_a_bound},
    {"lines that are no orders", lines_that_are_no_orders},
};

int main(void)
{
    return admin_rig_main("admin_order", cases, sizeof cases / sizeof cases[0]);
}
