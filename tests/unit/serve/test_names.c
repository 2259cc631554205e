/* Named consumers: committed positions that survive, one connection per name, what retention must leave. */
#include "serve_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "store/consumers.h"
#include "vfs_sim.h"

static struct tail_raw *named(struct serve_rig *r, const char *name, struct tail_frame *reply)
{
    struct tail_raw *t = tail_raw_connect(serve_port(r->serve));
    if (t == NULL || !tail_raw_hello(t, name, NULL, reply))
        proc_die("no Hello");
    return t;
}

static void commit_and_come_back(void)
{
    struct serve_rig r;
    struct tail_frame f;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 5, 100);
    uint64_t place = r.gen.len;
    struct tail_raw *t = named(&r, "etl.1", &f);
    CU_ASSERT_PTR_NULL(f.hello->committed);
    tail_frame_fini(&f);
    CU_ASSERT_TRUE(tail_raw_commit(t, 1, RIG_FILE, place)); /* before a Subscribe too */
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_COMMITTED, &f, RIG_WAIT_MS));
    CU_ASSERT_EQUAL(f.committed->position->offset, place);
    CU_ASSERT_STRING_EQUAL(f.committed->position->source_id, RIG_SOURCE);
    tail_frame_fini(&f);
    tail_raw_free(t);
    for (int i = 0; i < 2; i++) { /* the second time from the disk */
        t = named(&r, "etl.1", &f);
        CU_ASSERT_TRUE(f.hello->committed != NULL && f.hello->committed->offset == place &&
                       strcmp(f.hello->committed->file, RIG_FILE) == 0);
        tail_frame_fini(&f);
        tail_raw_free(t);
        serve_stop(r.serve);
        CU_ASSERT_TRUE(serve_rig_serve(&r, NULL));
    }
    /* many at once: the last one counts */
    t = named(&r, "etl.1", NULL);
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST));
    for (int i = 0; i < 200; i++) {
        serve_rig_txns(&r, 1, 10);
        CU_ASSERT_TRUE(tail_raw_commit(t, 1, RIG_FILE, r.gen.len));
    }
    uint64_t last = 0;
    unsigned answers = 0;
    while (last != r.gen.len) {
        if (tail_raw_next(t, &f, RIG_WAIT_MS) != TAIL_FRAME || f.type == FRAME_ERROR)
            break;
        if (f.type == FRAME_COMMITTED) {
            CU_ASSERT(f.committed->position->offset > last);
            last = f.committed->position->offset;
            answers++;
        }
        tail_frame_fini(&f);
    }
    CU_ASSERT_EQUAL(last, r.gen.len);
    CU_ASSERT(answers <= 200);
    struct serve_consumer *list = NULL;
    size_t n = 0;
    CU_ASSERT_EQUAL(serve_list(r.serve, &list, &n), 0);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_TRUE(list[0].has_committed && list[0].committed.offset == r.gen.len);
    CU_ASSERT_STRING_EQUAL(list[0].name, "etl.1");
    CU_ASSERT_STRING_EQUAL(list[0].state, "streaming");
    CU_ASSERT_STRING_EQUAL(list[0].agent, "raw");
    free(list);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void bad_commits(void)
{
    struct serve_rig r;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 5, 100);
    serve_rig_rotate(&r);
    const struct {
        const char *name;
        unsigned lineage;
        const char *file;
        uint64_t offset;
        int code;
    } bad[] = {
        {NULL, 1, RIG_FILE, 4, RIG_ERROR(UNNAMED)},
        {"x", 1, RIG_FILE, 3, RIG_ERROR(BAD_POSITION)},
        {"x", 1, RIG_FILE, 1u << 30, RIG_ERROR(BAD_POSITION)},
        {"x", 1, RIG_FILE2, r.gen.len + 1, RIG_ERROR(AHEAD)},
        {"x", 2, RIG_FILE, 4, RIG_ERROR(NOT_FOUND)},
        {"x", 1, "no/file", 4, RIG_ERROR(BAD_POSITION)},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tail_raw *t = named(&r, bad[i].name, NULL);
        CU_ASSERT_TRUE(tail_raw_commit(t, bad[i].lineage, bad[i].file, bad[i].offset));
        CU_ASSERT_TRUE(tail_raw_expect_error(t, bad[i].code, RIG_WAIT_MS));
        tail_raw_free(t);
    }
    struct tail_raw *t = named(&r, "x", NULL);
    CU_ASSERT_TRUE(tail_raw_send(t, "LT\1\3\0\0\0\0\0\0\0\0", 12)); /* no position */
    CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(BAD_POSITION), RIG_WAIT_MS));
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void taken_over(void)
{
    struct serve_rig r;
    struct tail_copy c = {0};
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 5, 100);
    for (int i = 0; i < 4; i++) { /* on one thread, and on two */
        struct tail_raw *older = named(&r, "only", NULL);
        struct tail_raw *between = i % 2 == 0 ? NULL : serve_rig_hello(&r);
        struct tail_raw *newer = named(&r, "only", NULL);
        CU_ASSERT_TRUE(tail_raw_expect_error(older, RIG_ERROR(NAME_IN_USE), RIG_WAIT_MS));
        tail_raw_free(older);
        CU_ASSERT_TRUE(tail_raw_subscribe(newer, &RIG_EARLIEST));
        memset(&c, 0, sizeof c);
        CU_ASSERT_TRUE(tail_copy_until(&c, newer, RIG_FILE, r.gen.len, RIG_WAIT_MS));
        tail_copy_fini(&c);
        tail_raw_free(newer);
        tail_raw_free(between);
    }
    serve_rig_end(&r);
}

static void held_back(void)
{
    struct serve_rig r;
    struct consumer_state need;
    struct tail_frame f;
    serve_rig_start(&r, false, &(struct serve_options){.consumer_max_lag = 20000});
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), LT_ENOTFOUND);
    struct tail_raw *a = named(&r, "a", NULL);
    struct tail_raw *b = named(&r, "b", NULL);
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), LT_ENOTFOUND); /* nothing committed yet */
    serve_rig_txns(&r, 5, 100);
    uint64_t place_a = r.gen.len;
    CU_ASSERT_TRUE(tail_raw_commit(a, 1, RIG_FILE, place_a));
    CU_ASSERT_TRUE(tail_raw_expect(a, FRAME_COMMITTED, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 1, 9000);
    CU_ASSERT_TRUE(tail_raw_commit(b, 1, RIG_FILE2, r.gen.len));
    CU_ASSERT_TRUE(tail_raw_expect(b, FRAME_COMMITTED, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), 0);
    CU_ASSERT_TRUE(strcmp(need.name, "a") == 0 && need.offset == place_a && strcmp(need.file, RIG_FILE) == 0);
    struct serve_consumer *list = NULL;
    size_t n = 0;
    tail_raw_free(a); /* also when it is away */
    tail_raw_free(b);
    for (int i = 0; i < 500; i++) {
        struct serve_view v;
        CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
        if (v.connected == 0)
            break;
        proc_sleep_ms(10);
    }
    CU_ASSERT_EQUAL(serve_list(r.serve, &list, &n), 0);
    CU_ASSERT_EQUAL(n, 2);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_STRING_EQUAL(list[i].state, "away");
        if (strcmp(list[i].name, "b") == 0)
            CU_ASSERT_EQUAL(list[i].lag_bytes, 0);
        if (strcmp(list[i].name, "a") == 0)
            CU_ASSERT(list[i].lag_bytes > 9000 && list[i].lag_bytes < 12000);
    }
    free(list);
    struct serve_view away; /* the slowest counts, connected or not */
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &away), 0);
    CU_ASSERT(away.max_lag_bytes > 9000 && away.max_lag_bytes < 12000);
    CU_ASSERT_EQUAL(away.streaming, 0);
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), 0);
    CU_ASSERT_STRING_EQUAL(need.name, "a");
    serve_rig_txns(&r, 1, 15000); /* a is further behind than anybody is waited for */
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), 0);
    CU_ASSERT_STRING_EQUAL(need.name, "b");
    serve_rig_txns(&r, 1, 15000);
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), LT_ENOTFOUND);
    serve_rig_end(&r);
}

/* ---- the files */

static void names_ok(void)
{
    static const char *const good[] = {"a", "etl.orders_2-x", "A0"};
    static const char *const bad[] = {
        "",    ".",     ".hidden",  "a/b",
        "a b", "x.tmp", "\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123X"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(consumer_name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(consumer_name_ok(bad[i]));
}

static void bad_files(void)
{
    struct serve_rig r;
    struct lt_err err = {0};
    struct consumer_state *list = NULL;
    size_t n = 0;
    size_t bad = 0;
    serve_rig_store(&r, false);
    (void)serve_rig_file(&r, "consumers/good", "lineage=1\nsource_id=s\nfile=mysql-bin.000001\noffset=99\nnew_key=1\n");
    (void)serve_rig_file(&r, "consumers/good.tmp", "half");
    (void)serve_rig_file(&r, "consumers/empty", "");
    (void)serve_rig_file(&r, "consumers/nonsense", "what is this\n");
    (void)serve_rig_file(&r, "consumers/number", "lineage=1\nfile=mysql-bin.000001\noffset=-5\n");
    (void)serve_rig_file(&r, "consumers/name", "lineage=1\nfile=../x\noffset=5\n");
    CU_ASSERT_EQUAL(consumer_load_all(r.store, &list, &n, &bad, &err), 0);
    CU_ASSERT_TRUE(n == 1 && bad == 4 && err.code == LT_ECORRUPT);
    CU_ASSERT_TRUE(n == 1 && list[0].offset == 99 && strcmp(list[0].name, "good") == 0);
    free(list);
    struct consumer_state c = {.name = "no/name", .file = RIG_FILE, .offset = 4, .lineage = 1};
    CU_ASSERT_EQUAL(consumer_save(r.store, &c, &err), LT_EINVAL);
    /* the server starts beside them, and says so */
    serve_rig_lineage(&r, RIG_SOURCE);
    CU_ASSERT_TRUE(serve_rig_serve(&r, NULL));
    struct tail_frame f;
    struct tail_raw *t = named(&r, "good", &f);
    CU_ASSERT_TRUE(f.hello->committed != NULL && f.hello->committed->offset == 99);
    tail_frame_fini(&f);
    tail_raw_free(t);
    t = named(&r, "nonsense", &f);
    CU_ASSERT_PTR_NULL(f.hello->committed);
    tail_frame_fini(&f);
    /* a position that cannot be stored is told, and does not count */
    char path[200];
    (void)snprintf(path, sizeof path, "%s/consumers", r.dir);
    proc_remove_dir(path);
    CU_ASSERT_TRUE(tail_raw_commit(t, 1, RIG_FILE, 4));
    CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(INTERNAL), RIG_WAIT_MS));
    tail_raw_free(t);
    serve_rig_end(&r);
}

/* Power goes while a position is written: the old one is there, or the new one. */
static void power_cuts(void)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct vfs_sim *sim = vfs_sim_new(seed);
        struct store *s = NULL;
        struct lt_err err;
        struct store_options so = {.dir = "/db"};
        struct consumer_state c = {.name = "x", .lineage = 1, .file = RIG_FILE, .source_id = RIG_SOURCE};
        CU_ASSERT_EQUAL(store_open(&so, vfs_sim_vfs(sim), &s, &err), 0);
        uint64_t durable = 0;
        vfs_sim_fail(sim, VFS_OP_ANY, seed % 59 + 1, VFS_FAULT_ERROR, EIO, true);
        for (c.offset = 100; c.offset < 110; c.offset++) {
            if (consumer_save(s, &c, &err) != 0)
                break;
            durable = c.offset;
        }
        uint64_t tried = c.offset;
        vfs_sim_power_off(sim);
        store_close(s);
        vfs_sim_power_cut(sim);
        vfs_sim_heal(sim);
        CU_ASSERT_EQUAL(store_open(&so, vfs_sim_vfs(sim), &s, &err), 0);
        struct consumer_state *list = NULL;
        size_t n = 0;
        size_t bad = 0;
        CU_ASSERT_EQUAL(consumer_load_all(s, &list, &n, &bad, &err), 0);
        CU_ASSERT_EQUAL(bad, 0);
        CU_ASSERT_TRUE(n == 0 ? durable == 0 : (list[0].offset == durable || list[0].offset == tried));
        free(list);
        store_close(s);
        vfs_sim_free(sim);
    }
}

/* Of the one row that there is. */
static bool row_becomes(struct serve_rig *r, const char *state, char ret_address[SERVE_ADDRESS_MAX])
{
    bool is = false;
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; !is && proc_now_ms() < until; proc_sleep_ms(5)) {
        struct serve_consumer *list = NULL;
        size_t n = 0;
        CU_ASSERT_EQUAL_FATAL(serve_list(r->serve, &list, &n), 0);
        is = n == 1 && strcmp(list[0].state, state) == 0;
        if (is)
            memcpy(ret_address, list[0].address, SERVE_ADDRESS_MAX);
        free(list);
    }
    return is;
}

static size_t rows(struct serve_rig *r)
{
    struct serve_consumer *list = NULL;
    size_t n = 0;
    CU_ASSERT_EQUAL_FATAL(serve_list(r->serve, &list, &n), 0);
    free(list);
    return n;
}

/* What an operator may do: end a connection, by name or address; and let a name be no more, which holds nothing back then, after a restart too. */
static void ended_and_forgotten(void)
{
    struct serve_rig r;
    struct consumer_state need;
    struct tail_frame f;
    struct lt_err err;
    char address[SERVE_ADDRESS_MAX];
    serve_rig_start(&r, false, &(struct serve_options){.consumer_max_lag = 1u << 30});
    serve_rig_txns(&r, 5, 100);
    CU_ASSERT_EQUAL(serve_forget(r.serve, "etl", &err), LT_ENOTFOUND);
    CU_ASSERT_EQUAL(serve_end(r.serve, "etl"), 0);
    CU_ASSERT_EQUAL(serve_end(r.serve, ""), 0); /* not all that have no name */
    struct tail_raw *t = named(&r, "etl", NULL);
    CU_ASSERT_TRUE(tail_raw_commit(t, 1, RIG_FILE, r.gen.len));
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_COMMITTED, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), 0);
    CU_ASSERT_EQUAL(serve_forget(r.serve, "etl", &err), LT_EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "end it first"));
    CU_ASSERT_EQUAL(serve_end(r.serve, "etl"), 1);
    CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(ENDED), RIG_WAIT_MS));
    tail_raw_free(t);
    CU_ASSERT_TRUE(row_becomes(&r, "away", address));
    CU_ASSERT_EQUAL(serve_forget(r.serve, "etl", &err), 0);
    CU_ASSERT_EQUAL(rows(&r), 0);
    CU_ASSERT_EQUAL(serve_min_needed(r.serve, &need), LT_ENOTFOUND);
    serve_stop(r.serve);
    CU_ASSERT_TRUE(serve_rig_serve(&r, NULL));
    CU_ASSERT_EQUAL(rows(&r), 0);
    CU_ASSERT_EQUAL(serve_forget(r.serve, "etl", &err), LT_ENOTFOUND);
    t = named(&r, NULL, NULL);
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST));
    CU_ASSERT_TRUE(row_becomes(&r, "streaming", address));
    CU_ASSERT_EQUAL(serve_end(r.serve, address), 1);
    while (tail_raw_next(t, &f, RIG_WAIT_MS) == TAIL_FRAME && f.type != FRAME_ERROR)
        tail_frame_fini(&f);
    CU_ASSERT_TRUE(f.type == FRAME_ERROR && f.error->code == RIG_ERROR(ENDED) && f.error->retry_after_ms == 0);
    tail_frame_fini(&f);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static int answer(struct serve_rig *r, const char *name, const char *token, struct tail_raw **ret)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    struct tail_frame f = {0};
    int code = -1;
    struct tail_raw *t = tail_raw_connect(serve_port(r->serve));
    m.min_version = m.max_version = 1;
    m.name = (char *)name;
    m.token = (char *)token;
    if (t != NULL && tail_raw_send_message(t, FRAME_HELLO, &m.base) &&
        tail_raw_next_word(t, &f, RIG_WAIT_MS) == TAIL_FRAME)
        code = f.type == FRAME_ERROR ? (int)f.error->code : 0;
    if (code != 0 && code != -1)
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error->message, "tail.max_names"));
    tail_frame_fini(&f);
    *ret = t;
    return code;
}

static void commit(struct serve_rig *r, struct tail_raw *t)
{
    struct tail_frame f;
    CU_ASSERT_TRUE(tail_raw_commit(t, 1, RIG_FILE, r->gen.len));
    CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_COMMITTED, &f, RIG_WAIT_MS));
    tail_frame_fini(&f);
}

/* Hello under NAME<i> and a commit, for each of so many; how many were let in. */
static unsigned try_names(struct serve_rig *r, const char *prefix, const char *token, unsigned n)
{
    unsigned in = 0;
    for (unsigned i = 0; i < n; i++) {
        char name[CONSUMER_NAME_MAX + 1];
        struct tail_raw *t = NULL;
        (void)snprintf(name, sizeof name, "%s%u", prefix, i);
        if (answer(r, name, token, &t) == 0) {
            commit(r, t);
            in++;
        }
        tail_raw_free(t);
    }
    return in;
}

/* Names are bounded, per user and in all; a stranger takes none that are a user's share, and who has a name keeps it, whatever the limit. */
static void too_many(void)
{
    struct serve_rig r;
    char text[1000] = "";
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_user(text, sizeof text, "alice", "s", "a");
    serve_rig_user(text, sizeof text, "bob", "s", "b");
    struct serve_options opt = {.users_file = serve_rig_file(&r, "users", text),
                                .anonymous = ANONYMOUS_LOOPBACK,
                                .max_names = 12,
                                .max_names_per_user = 5};
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    serve_rig_txns(&r, 3, 100);
    CU_ASSERT_EQUAL(try_names(&r, "free", "", 20), 5);
    CU_ASSERT_EQUAL(try_names(&r, "alice.", "alice:a", 20), 5);
    CU_ASSERT_EQUAL(try_names(&r, "bob.", "bob:b", 20), 2);    /* 12 in all */
    CU_ASSERT_EQUAL(try_names(&r, "alice.", "alice:a", 5), 5); /* those that there are */
    serve_stop(r.serve);                                       /* from the disk they count too */
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    CU_ASSERT_EQUAL(try_names(&r, "bob.", "bob:b", 20), 2);
    CU_ASSERT_EQUAL(try_names(&r, "free", "", 20), 5);
    /* a connection that never commits keeps nothing */
    opt = r.opt;
    opt.max_names = 13;
    struct lt_err err;
    CU_ASSERT_EQUAL(serve_reload(r.serve, &opt, &err), 0);
    for (int i = 0; i < 3; i++) {
        struct tail_raw *t = NULL;
        int code = RIG_ERROR(TOO_MANY);
        char name[32];
        (void)snprintf(name, sizeof name, "bob.passing%d", i);
        for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; code != 0 && proc_now_ms() < until;) {
            tail_raw_free(t);
            code = answer(&r, name, "bob:b", &t); /* the one before may not be gone yet */
        }
        CU_ASSERT_EQUAL(code, 0);
        tail_raw_free(t);
    }
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"too many names", too_many},
    {"names", names_ok},
    {"ended and forgotten", ended_and_forgotten},
    {"commit, and come back", commit_and_come_back},
    {"commits that cannot be", bad_commits},
    {"a newer connection takes the name over", taken_over},
    {"what retention must leave", held_back},
    {"files that do not parse, a folder that is gone", bad_files},
    {"power cuts", power_cuts},
};

int main(void)
{
    return cunit_run("serve names", cases, sizeof cases / sizeof cases[0]);
}
