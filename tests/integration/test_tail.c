/* Consumers of logtailerd beside real servers: the segments' bytes, over restarts, kill -9, cut connections; TLS and users from the configuration. */
#include "rig.h"

#include <signal.h>
#include <sys/stat.h>

#include "tail_raw.h"

#define WAIT_MS 30000

/* Connect, subscribe where the copy stands, take frames until the connection ends, `frames` were taken (0: no limit) or the place is reached. */
struct follow {
    struct tail_copy copy;
    uint16_t port;
    unsigned connections;
    unsigned refused;
};

static struct tail_raw *come_back(struct follow *f)
{
    struct tail_raw *t = tail_raw_connect(f->port);
    if (t == NULL || !tail_raw_hello(t, NULL, NULL, NULL) || !tail_raw_subscribe(t, &f->copy.resume)) {
        tail_raw_free(t);
        f->refused++;
        return NULL;
    }
    f->connections++;
    f->copy.begun = false;
    return t;
}

/* Coming back helps. */
static bool is_passing(int error)
{
    return error == LOGTAILER__TAIL__ERROR_CODE__ERROR_STOPPING || error == LOGTAILER__TAIL__ERROR_CODE__ERROR_EMPTY ||
           error == LOGTAILER__TAIL__ERROR_CODE__ERROR_TOO_MANY;
}

/* Follows for a time, over as many connections as it takes. False: the protocol was broken, or an Error came that is not a goodbye. */
static bool follow_for(struct follow *f, unsigned ms, const char *file, uint64_t offset)
{
    uint64_t until = proc_now_ms() + ms;
    struct tail_raw *t = NULL;
    while (proc_now_ms() < until && !f->copy.wrong) {
        if (file != NULL && f->copy.resume.file != NULL && strcmp(f->copy.resume.file, file) == 0 &&
            f->copy.resume.offset >= offset)
            break;
        if (t == NULL && (t = come_back(f)) == NULL) {
            proc_sleep_ms(20);
            continue;
        }
        struct tail_frame frame;
        enum tail_result res = tail_raw_next(t, &frame, 200);
        if (res == TAIL_FRAME)
            tail_copy_take(&f->copy, &frame);
        tail_frame_fini(&frame);
        bool over = f->copy.error != 0;
        if (is_passing(f->copy.error))
            f->copy.error = 0;
        if (f->copy.error != 0)
            break;
        if (over || res == TAIL_EOF || res == TAIL_BROKEN) {
            tail_raw_free(t);
            t = NULL;
        }
    }
    tail_raw_free(t);
    if (f->copy.error != 0)
        (void)fprintf(stderr, "follow: error %d\n", f->copy.error);
    return !f->copy.wrong && f->copy.error == 0;
}

static void follow_init(struct follow *f, uint16_t port)
{
    *f = (struct follow){.port = port};
    f->copy.resume.start = LOGTAILER__TAIL__START_KIND__START_EARLIEST;
}

/* Up to the daemon's watermark now; the copy is what is stored. */
static void catch_up_and_compare(struct rig *r, struct follow *f)
{
    char file[256] = "";
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r->dm, file, sizeof file, &offset));
    CU_ASSERT_TRUE(follow_for(f, WAIT_MS, file, offset));
    CU_ASSERT_STRING_EQUAL(f->copy.resume.file, file);
    CU_ASSERT(f->copy.resume.offset >= offset);
    CU_ASSERT_TRUE(tail_copy_equals(&f->copy, r->dm->dir));
}

static void test_every_byte(void)
{
    struct rig r;
    struct follow f;
    rig_start(&r, NULL, false, (char *[]){"tail.heartbeat_period=100ms", NULL});
    follow_init(&f, r.dm->tail_port);
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)");
    for (int i = 0; i < 6; i++) {
        sql_must(r.root, "INSERT INTO t.a (v) VALUES (REPEAT('x', %d))", 1 << (i * 3));
        sql_must(r.root, "BEGIN");
        sql_must(r.root, "INSERT INTO t.a (v) VALUES ('a'), ('b')");
        sql_must(r.root, "UPDATE t.a SET v = CONCAT(v, 'c') WHERE i < 3");
        sql_must(r.root, "COMMIT");
        if (i % 2 == 1)
            sql_must(r.root, "FLUSH BINARY LOGS");
        CU_ASSERT_TRUE(follow_for(&f, 300, NULL, 0));
    }
    rig_check_identical(&r);
    catch_up_and_compare(&r, &f);
    /* either side restarts; who follows sees nothing of it but a goodbye */
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    daemon_restart(r.dm);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
    sql_must(r.root, "INSERT INTO t.a (v) VALUES ('after')");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    catch_up_and_compare(&r, &f);
    sql_close(r.root);
    sql_close(r.other);
    server_restart(r.srv, NULL);
    r.root = server_root(r.srv);
    r.other = server_root(r.srv);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
    sql_must(r.root, "INSERT INTO t.a (v) VALUES ('and again')");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    catch_up_and_compare(&r, &f);
    CU_ASSERT(f.copy.count >= 4);
    tail_copy_fini(&f.copy);
    rig_end(&r);
}

/* What the daemon has by itself: its primary cannot be reached. */
static bool alone_position(struct rig *r, char *file, size_t size, uint64_t *ret_offset)
{
    for (unsigned i = 0; i < 600; i++) {
        if (daemon_position(r->dm, file, size, ret_offset))
            return true;
        proc_sleep_ms(50);
    }
    return false;
}

/* Killed in the middle of a batch: the consumer never holds more than the restarted daemon has, and goes on without a gap. */
static void test_kill_in_a_batch(void)
{
    struct rig r;
    struct follow f;
    rig_start(&r, NULL, true, (char *[]){"source.ssl_mode=DISABLED", "source.retry_min=10ms", NULL});
    follow_init(&f, r.dm->tail_port);
    struct writers *wr =
        writers_start(&(struct writers_options){.server = r.srv, .threads = 4, .payload_bytes = 20000});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 50, WAIT_MS));
    for (unsigned i = 0; i < rig_rounds(6, 60); i++) {
        size_t n = writers_oked_count(wr);
        char file[256] = "";
        uint64_t offset = 0;
        CU_ASSERT_TRUE(follow_for(&f, 60 + i * 37 % 200, NULL, 0));
        daemon_kill(r.dm);
        proxy_set_accept(r.px, PROXY_REFUSE);
        daemon_restart(r.dm);
        CU_ASSERT_TRUE(alone_position(&r, file, sizeof file, &offset));
        if (f.copy.resume.file != NULL && strcmp(f.copy.resume.file, file) == 0)
            CU_ASSERT(f.copy.resume.offset <= offset);
        CU_ASSERT_TRUE(follow_for(&f, WAIT_MS, file, offset));
        CU_ASSERT_EQUAL(f.copy.resume.offset, offset);
        CU_ASSERT_TRUE(f.copy.boundary);
        proxy_set_accept(r.px, PROXY_ACCEPT);
        CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
        CU_ASSERT_TRUE(writers_wait_oked(wr, n + 10, WAIT_MS));
    }
    writers_stop(wr, RIG_WAIT_MS);
    rig_check_oked(&r, wr);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    catch_up_and_compare(&r, &f);
    CU_ASSERT_TRUE(f.copy.boundary);
    printf("\n  %u connections, %llu batches ", f.connections, (unsigned long long)f.copy.batches);
    tail_copy_fini(&f.copy);
    writers_free(wr);
    rig_end(&r);
}

static void test_cuts(void)
{
    struct rig r;
    struct follow f;
    unsigned rounds = rig_rounds(60, 1000);
    uint64_t random = 88172645463325252ull;
    rig_start(&r, NULL, false, NULL);
    struct proxy *px = proxy_start(r.dm->tail_port);
    follow_init(&f, proxy_port(px));
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 2, .payload_bytes = 3000});
    for (unsigned i = 0; i < rounds && !f.copy.wrong; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        proxy_split(px, random % 3 == 0 ? 1 + random % 700 : 0);
        CU_ASSERT_TRUE(follow_for(&f, (unsigned)(5 + random % 60), NULL, 0));
        proxy_cut(px, random % 2 ? PROXY_CUT_RST : PROXY_CUT_FIN);
        if (i % 20 == 10)
            sql_must(r.other, "FLUSH BINARY LOGS");
    }
    proxy_split(px, 0);
    writers_stop(wr, RIG_WAIT_MS);
    rig_check_oked(&r, wr);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    catch_up_and_compare(&r, &f);
    CU_ASSERT(f.connections >= rounds / 2);
    tail_copy_fini(&f.copy);
    proxy_free(px);
    writers_free(wr);
    rig_end(&r);
}

/* As the documentation says to make one. */
static char *user_line(const char *folder, const char *user, const char *secret)
{
    char *script = proc_fmt("printf %%s '%s' | \"$LT_CTL\" user %s > %s/users", secret, user, folder);
    char *argv[] = {"sh", "-c", script, NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, NULL), 0);
    free(script);
    return proc_fmt("tail.users_file=%s/users", folder);
}

static bool text_is(const json_t *row, const char *key, const char *want)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL && strcmp(text, want) == 0;
}

static void test_tls_and_users(void)
{
    struct rig r;
    char *folder = proc_tempdir();
    char *certs = proc_fmt("%s/server", folder);
    CU_ASSERT_EQUAL(mkdir(certs, 0700), 0);
    server_make_certs(certs);
    char *ca = proc_fmt("%s/ca.pem", certs);
    char *cert = proc_fmt("tail.ssl_cert=%s/server-cert.pem", certs);
    char *key = proc_fmt("tail.ssl_key=%s/server-key.pem", certs);
    char *users = user_line(folder, "alice", "wonderland");
    rig_start(&r, NULL, false, (char *[]){cert, key, users, NULL});
    sql_must(r.root, "CREATE TABLE t.a (i INT PRIMARY KEY)");
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    struct tail_raw *t = tail_raw_connect_tls(r.dm->tail_port, &(struct tail_raw_tls){.ca = ca});
    CU_ASSERT_PTR_NOT_NULL(t);
    struct tail_copy c = {0};
    char file[256] = "";
    uint64_t offset = 0;
    CU_ASSERT_TRUE(daemon_position(r.dm, file, sizeof file, &offset));
    if (t != NULL) {
        CU_ASSERT_TRUE(tail_raw_hello(t, "alice.etl", "alice:wonderland", NULL));
        CU_ASSERT_TRUE(tail_raw_subscribe(t, &(struct tail_start){.start = 1}));
        CU_ASSERT_TRUE(tail_copy_until(&c, t, file, offset, WAIT_MS));
        CU_ASSERT_TRUE(tail_copy_equals(&c, r.dm->dir));
        CU_ASSERT_TRUE(tail_raw_commit(t, 1, file, offset));
        struct tail_frame f;
        CU_ASSERT_TRUE(tail_raw_expect(t, FRAME_COMMITTED, &f, WAIT_MS));
        tail_frame_fini(&f);
    }
    json_t *answer = daemon_command(r.dm, "consumers");
    json_t *row = json_array_get(json_object_get(answer, "consumers"), 0);
    CU_ASSERT_TRUE(text_is(row, "name", "alice.etl"));
    CU_ASSERT_TRUE(text_is(row, "user", "alice"));
    CU_ASSERT_TRUE(text_is(row, "state", "streaming"));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(row, "lag_bytes")), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json_object_get(row, "committed"), "offset")),
                    (json_int_t)offset);
    json_decref(answer);
    answer = daemon_command(r.dm, "status");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "consumers")), 1);
    json_decref(answer);
    /* a plain client, and after a reload another user: alice is none any more, and her stream ends */
    struct tail_raw *plain = tail_raw_connect(r.dm->tail_port);
    CU_ASSERT_TRUE(tail_raw_send(plain, "LT\1\1\0\0\0\0\0\0\0\0", 12));
    CU_ASSERT_TRUE(tail_raw_expect_error(plain, LOGTAILER__TAIL__ERROR_CODE__ERROR_TLS_REQUIRED, WAIT_MS));
    tail_raw_free(plain);
    free(user_line(folder, "bob", "builder"));
    daemon_signal(r.dm, SIGHUP);
    bool in = false;
    for (int i = 0; i < 200 && !in; i++) {
        struct tail_raw *again = tail_raw_connect_tls(r.dm->tail_port, &(struct tail_raw_tls){.ca = ca});
        in = again != NULL && tail_raw_hello(again, "bob", "bob:builder", NULL);
        tail_raw_free(again);
        if (!in)
            proc_sleep_ms(100);
    }
    CU_ASSERT_TRUE(in);
    CU_ASSERT_TRUE(t != NULL && tail_raw_expect_error(t, LOGTAILER__TAIL__ERROR_CODE__ERROR_AUTH, WAIT_MS));
    tail_copy_fini(&c);
    tail_raw_free(t);
    rig_end(&r);
    proc_remove_dir(folder);
    free(folder);
    free(certs);
    free(ca);
    free(cert);
    free(key);
    free(users);
}

/* 64 descriptors in all, more consumers than that, some of them never read: commits, the admin socket and those that read notice nothing. */
static void test_scarce_descriptors(void)
{
    enum { CONSUMERS = 90, STOPPED = 5 };
    struct rig r;
    struct follow f;
    struct tail_raw *t[CONSUMERS];
    unsigned in = 0;
    unsigned out = 0;
    rig_start_server(&r, NULL, false);
    r.dm = daemon_start(&(struct daemon_options){
        .server = r.srv, .wrapper = (char *[]){"sh", "-c", "ulimit -n 64; exec \"$@\"", "sh", NULL}});
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
    follow_init(&f, r.dm->tail_port);
    struct writers *wr =
        writers_start(&(struct writers_options){.server = r.srv, .threads = 8, .payload_bytes = 30000});
    CU_ASSERT_TRUE(writers_wait_oked(wr, 20, WAIT_MS));
    CU_ASSERT_TRUE(follow_for(&f, 300, NULL, 0));
    for (unsigned i = 0; i < CONSUMERS; i++) {
        struct tail_frame frame;
        Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
        m.max_version = 1;
        t[i] = tail_raw_connect(r.dm->tail_port);
        CU_ASSERT_TRUE(t[i] != NULL);
        if (t[i] == NULL)
            continue;
        (void)tail_raw_send_message(t[i], FRAME_HELLO, &m.base);
        if (i < STOPPED) { /* subscribed, and never read from */
            CU_ASSERT_TRUE(tail_raw_subscribe(t[i], &(struct tail_start){.start = 1}));
            in++;
            continue;
        }
        enum tail_result res = tail_raw_next(t[i], &frame, WAIT_MS);
        in += res == TAIL_FRAME && frame.type == FRAME_HELLO_REPLY;
        out += res != TAIL_FRAME || frame.type == FRAME_ERROR;
        tail_frame_fini(&frame);
    }
    CU_ASSERT(in >= 20);
    CU_ASSERT(out >= 20);
    CU_ASSERT_EQUAL(in + out, CONSUMERS);
    size_t n = writers_oked_count(wr);
    CU_ASSERT_TRUE(writers_wait_oked(wr, n + 100, WAIT_MS));
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", WAIT_MS));
    for (unsigned i = STOPPED; i < CONSUMERS; i++)
        tail_raw_free(t[i]);
    writers_stop(wr, 15000);
    CU_ASSERT_EQUAL(sql_semi_status(r.root, "no_tx"), 0);
    CU_ASSERT_TRUE(daemon_wait_caught_up(r.dm, r.root, WAIT_MS));
    catch_up_and_compare(&r, &f); /* there is room again */
    for (unsigned i = 0; i < STOPPED; i++)
        tail_raw_free(t[i]);
    tail_copy_fini(&f.copy);
    writers_free(wr);
    rig_end(&r);
}

static const struct test_case cases[] = {
    {"every byte, over rotations and restarts of either side", test_every_byte},
    {"kill -9 of logtailerd in the middle of a batch", test_kill_in_a_batch},
    {"random cuts, gone on from the position", test_cuts},
    {"TLS and users", test_tls_and_users},
    {"more consumers than descriptors, and readers that stop", test_scarce_descriptors},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "tail", cases, sizeof cases / sizeof cases[0]);
}
