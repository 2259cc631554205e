/* What operators see of replicas, what they hold back, and how one is ended. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proc.h"
#include "replicas_rig.h"

#define UUID "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"

static struct replicas_rig r;
static struct replicas_client *seen;
static size_t n_seen;

static void look(void)
{
    free(seen);
    seen = NULL;
    CU_ASSERT_EQUAL_FATAL(replicas_list(r.replicas, &seen, &n_seen), 0);
}

/* Until there are n, and the last of them is in this state. */
static bool wait_for(size_t n, const char *state)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(10)) {
        look();
        if (n_seen == n && (n == 0 || strcmp(seen[n - 1].state, state) == 0))
            return true;
    }
    return false;
}

static bool wait_lag(uint64_t lag)
{
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; proc_now_ms() < until; proc_sleep_ms(10)) {
        look();
        if (n_seen > 0 && seen[n_seen - 1].lag_bytes == lag)
            return true;
    }
    return false;
}

static void test_rows(void)
{
    replicas_rig_start(&r, false, true, NULL);
    serve_rig_txns(&r.log, 3, 100);
    CU_ASSERT(wait_for(0, ""));
    CU_ASSERT_EQUAL(replicas_max_lag(r.replicas), 0);
    struct raw_replica *idle = replicas_rig_client(&r, NULL);
    CU_ASSERT(wait_for(1, "idle"));
    CU_ASSERT_STRING_EQUAL(seen[0].kind, "client");
    CU_ASSERT_STRING_EQUAL(seen[0].user, "anybody");
    CU_ASSERT_STRING_EQUAL(seen[0].file, "");
    CU_ASSERT_EQUAL(seen[0].server_id, 0);
    CU_ASSERT(strncmp(seen[0].address, "127.0.0.1:", 10) == 0);
    CU_ASSERT(seen[0].connected_us > 0 && !seen[0].tls);
    struct raw_replica *replica =
        replicas_rig_client(&r, &(struct raw_options){.server_id = 5, .uuid = UUID, .register_first = true});
    CU_ASSERT_EQUAL_FATAL(raw_dump(replica, RIG_FILE, 4), 0);
    CU_ASSERT(wait_for(2, "streaming"));
    CU_ASSERT(wait_lag(0));
    CU_ASSERT_STRING_EQUAL(seen[1].kind, "mysql replica");
    CU_ASSERT_EQUAL(seen[1].server_id, 5);
    CU_ASSERT_STRING_EQUAL(seen[1].uuid, UUID);
    CU_ASSERT_STRING_EQUAL(seen[1].file, RIG_FILE);
    CU_ASSERT_EQUAL(seen[1].offset, r.log.gen.len);
    CU_ASSERT(!seen[1].by_gtid && seen[1].sent_bytes > 0);
    raw_close(idle);
    raw_close(replica);
    CU_ASSERT(wait_for(0, ""));
    replicas_rig_end(&r);
}

/* One that takes nothing: its lag is told over files, and holds them back up to max_lag. */
static void test_lag(void)
{
    struct replicas_options opt = {.max_lag = 1u << 30};
    struct replicas_client held;
    int small = 4096;
    replicas_rig_start(&r, false, true, &opt);
    CU_ASSERT_EQUAL(replicas_min_needed(r.replicas, &held), LT_ENOTFOUND);
    struct raw_replica *stuck = replicas_rig_client(&r, &(struct raw_options){.server_id = 5});
    CU_ASSERT_EQUAL(setsockopt(raw_fd(stuck), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    serve_rig_txns(&r.log, 4, 4u << 20);
    uint64_t first = r.log.gen.len;
    CU_ASSERT_EQUAL_FATAL(raw_dump(stuck, RIG_FILE, 4), 0);
    CU_ASSERT(wait_for(1, "streaming"));
    serve_rig_rotate(&r.log);
    serve_rig_txns(&r.log, 2, 1000);
    look();
    CU_ASSERT_STRING_EQUAL(seen[0].file, RIG_FILE);
    CU_ASSERT(seen[0].lag_bytes > 0 && replicas_max_lag(r.replicas) >= seen[0].lag_bytes);
    CU_ASSERT(seen[0].lag_bytes < first + r.log.gen.len + 4096);
    CU_ASSERT_EQUAL(replicas_min_needed(r.replicas, &held), 0);
    CU_ASSERT_STRING_EQUAL(held.file, RIG_FILE);
    /* Further behind than it may be: it holds nothing. */
    struct lt_err err = {0};
    struct replicas_policy *next = NULL;
    opt.max_lag = 1000;
    CU_ASSERT_EQUAL_FATAL(replicas_prepare(r.replicas, &opt, &next, &err), 0);
    replicas_adopt(r.replicas, next);
    CU_ASSERT_EQUAL(replicas_min_needed(r.replicas, &held), LT_ENOTFOUND);
    raw_close(stuck);
    CU_ASSERT(wait_for(0, ""));
    replicas_rig_end(&r);
}

static void test_end(void)
{
    replicas_rig_start(&r, false, true, NULL);
    CU_ASSERT_EQUAL(replicas_end(r.replicas, "nobody"), 0);
    for (int how = 0; how < 3; how++) {
        struct raw_replica *one =
            replicas_rig_client(&r, &(struct raw_options){.server_id = 5, .uuid = UUID, .register_first = true});
        CU_ASSERT_EQUAL_FATAL(raw_dump(one, RIG_FILE, 4), 0);
        CU_ASSERT(wait_for(1, "streaming"));
        CU_ASSERT_EQUAL(replicas_end(r.replicas, "0"), 0);
        CU_ASSERT_EQUAL(replicas_end(r.replicas, how == 0 ? seen[0].address : how == 1 ? "5" : UUID), 1);
        CU_ASSERT(wait_for(0, ""));
        struct received got;
        receive_all(one, RIG_FILE, &got);
        CU_ASSERT_EQUAL(got.end, LT_ECLOSED);
        received_fini(&got);
        raw_close(one);
    }
    free(seen);
    seen = NULL;
    replicas_rig_end(&r);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"rows", test_rows},
        {"lag, and what it holds back", test_lag},
        {"one is ended", test_end},
    };
    return cunit_run("replicas_view", cases, sizeof cases / sizeof cases[0]);
}
