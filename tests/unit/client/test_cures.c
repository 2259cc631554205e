/*
 * What a consumer is told to do, done in the state in which it is told: the library beside the real server over a real store. The table is in
 * tests/README.md, "Where each cure is followed".
 */
#include "serve_rig.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fake_primary.h"
#include "taken.h"

#define MYSQL_SET "68b1e7ed-0102-0304-0506-0708090a0b0c:1-2"

static struct binlogtail_options options(const struct serve_rig *r)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.host = "localhost";
    o.port = serve_port(r->serve);
    o.start = BINLOGTAIL_START_EARLIEST;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 4;
    o.attempts_first = 1;
    return o;
}

static struct binlogtail_options from(const struct serve_rig *r, const char *position)
{
    struct binlogtail_options o = options(r);
    o.start = BINLOGTAIL_START_POSITION;
    o.position = position;
    return o;
}

static void check_told(const struct binlogtail_error *e, int code, int server_code, const char *cure)
{
    bool told = e->code == code && e->server_code == server_code && strstr(e->cure, cure) != NULL;
    CU_ASSERT_TRUE(told);
    if (!told)
        fprintf(stderr, "%d, %d: %s; %s\n", e->code, e->server_code, e->message, e->cure);
}

/* The end, with that code and cure. ret_earliest may be NULL. */
static void refused(const struct binlogtail_options *o, int code, int server_code, const char *cure,
                    char ret_earliest[BINLOGTAIL_TOKEN_MAX])
{
    struct taken t = {0};
    struct binlogtail *bt = taken_open(o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    const struct binlogtail_error *e = binlogtail_last_error(bt);
    check_told(e, code, server_code, cure);
    if (ret_earliest != NULL)
        snprintf(ret_earliest, BINLOGTAIL_TOKEN_MAX, "%s", e->earliest);
    binlogtail_close(bt);
    taken_fini(&t);
}

static void works(const struct binlogtail_options *o)
{
    struct taken t = {0};
    struct binlogtail *bt = taken_open(o);
    bool ok = taken_until(&t, bt, BINLOGTAIL_EVENT);
    CU_ASSERT_TRUE(ok);
    if (!ok)
        fprintf(stderr, "%s\n", binlogtail_last_error(bt)->message);
    binlogtail_close(bt);
    taken_fini(&t);
}

static void given_position(struct serve_rig *r)
{
    char token[BINLOGTAIL_TOKEN_MAX];
    struct taken t = {0};
    struct binlogtail_options o = from(r, "mysql-bin.000001:5");
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_BAD_POSITION, "use a position that a batch", NULL);
    o = options(r);
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_events(&t, bt, 3));
    CU_ASSERT_EQUAL(binlogtail_token(bt, BINLOGTAIL_TOKEN_BOUNDARY, token, sizeof token), 0);
    binlogtail_close(bt);
    taken_fini(&t);
    o = from(r, token);
    works(&o);
}

static void positions(void)
{
    struct serve_rig r;
    char earliest[BINLOGTAIL_TOKEN_MAX];
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 3, 100);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 3, 100);
    given_position(&r);
    struct binlogtail_options o = from(&r, "1/mysql-bin.000000:4");
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_PURGED, "start at the earliest position", earliest);
    o.position = earliest;
    works(&o);
    o.position = "7/mysql-bin.000001:4";
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_NOT_FOUND, "start at the earliest position", earliest);
    o.position = earliest;
    works(&o);
    o.position = "1/mysql-bin.000001:4@other";
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_WRONG_LINEAGE, "start by GTID set, or at the earliest position",
            NULL);
    o = options(&r);
    works(&o);
    o.start = BINLOGTAIL_START_GTIDS;
    o.gtid_set = MYSQL_SET;
    works(&o);
    o.gtid_set = "0-7-3";
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_BAD_GTID_SET, "notation of the source's flavour", NULL);
    o.gtid_set = MYSQL_SET;
    works(&o);
    o = from(&r, "mysql-bin.000003:4");
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_AHEAD, "this server has not got there: wait", NULL);
    serve_rig_rotate(&r);
    works(&o);
    serve_rig_end(&r);
}

static void damage(void)
{
    struct serve_rig r;
    char path[256];
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 20, 100);
    serve_rig_rotate(&r);
    serve_rig_txns(&r, 3, 100);
    snprintf(path, sizeof path, "%s/lineages/0001-" RIG_SOURCE "/" RIG_FILE, r.dir);
    FILE *f = fopen(path, "r+e");
    CU_ASSERT_TRUE(f != NULL && fseek(f, 500, SEEK_SET) == 0);
    for (int i = 0; i < 400; i++)
        (void)fputc(0xee, f);
    (void)fclose(f);
    struct binlogtail_options o = options(&r);
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_CORRUPT, "start behind it", NULL);
    o = from(&r, RIG_FILE2 ":4");
    works(&o);
    serve_rig_end(&r);
}

static void names(void)
{
    struct serve_rig r;
    struct taken t = {0};
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 3, 100);
    struct binlogtail_options o = options(&r);
    o.name = "worker";
    struct binlogtail *older = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, older, BINLOGTAIL_CONNECTED));
    struct binlogtail *newer = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, newer, BINLOGTAIL_CONNECTED));
    CU_ASSERT_TRUE(taken_until(&t, older, 0));
    check_told(binlogtail_last_error(older), BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_NAME_IN_USE, "its own name");
    binlogtail_close(older);
    o.name = "another";
    works(&o);
    CU_ASSERT_TRUE(taken_until(&t, newer, BINLOGTAIL_HEARTBEAT));
    binlogtail_close(newer);
    taken_fini(&t);
    /* The library does not commit without a name. */
    struct tail_raw *raw = serve_rig_hello(&r);
    CU_ASSERT_TRUE(tail_raw_commit(raw, 1, RIG_FILE, 4));
    CU_ASSERT_TRUE(tail_raw_expect_error(raw, RIG_ERROR(UNNAMED), RIG_WAIT_MS)); /* BINLOGTAIL_SERVER_UNNAMED */
    tail_raw_free(raw);
    o.name = "third";
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
    CU_ASSERT_EQUAL(binlogtail_commit(bt, NULL), 0);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_COMMITTED));
    binlogtail_close(bt);
    taken_fini(&t);
    serve_rig_end(&r);
}

/* alice:wonderland */
#define USERS "alice:sha256$5a17$14bcb36c8bc2327497ccb674f6954aa26d914c50461cbd126cbe09b35d0be378\n"

static void access_rules(void)
{
    struct serve_rig r;
    struct fake_certs certs;
    char dir[200];
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_txns(&r, 3, 100);
    snprintf(dir, sizeof dir, "%s/certs", r.dir);
    CU_ASSERT_EQUAL(mkdir(dir, 0700), 0);
    fake_certs_make(dir, "localhost", 10, &certs);
    const char *users = serve_rig_file(&r, "users", USERS);
    CU_ASSERT_TRUE(serve_rig_serve(
        &r, &(struct serve_options){.users_file = users, .ssl_cert = certs.cert, .ssl_key = certs.key}));
    struct binlogtail_options o = options(&r);
    o.token = "alice:wonderland";
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_TLS_REQUIRED, "connect with TLS", NULL);
    o.tls = true;
    refused(&o, BINLOGTAIL_ETLS, 0, "check tls_ca", NULL);
    o.tls_ca = certs.ca;
    works(&o);
    o.token = "alice:guessed";
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_AUTH, "send USER:SECRET of a user in tail.users_file", NULL);
    o.token = "alice:wonderland";
    works(&o);
    o.name = "bob";
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_FORBIDDEN, "the user's name or begins with it and a dot", NULL);
    o.name = "alice.copy";
    works(&o);
    serve_rig_end(&r);
}

/* The reason why it is not connected, or was not the last time it tried. */
static void told_while_trying(struct binlogtail *bt, int server_code, const char *cure)
{
    struct taken t = {0};
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_DISCONNECTED));
    check_told(binlogtail_last_error(bt), BINLOGTAIL_ESERVER, server_code, cure);
    taken_fini(&t);
}

static void patience(void)
{
    struct serve_rig r;
    struct taken t = {0};
    serve_rig_store(&r, false);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.max_consumers = 1}));
    struct binlogtail_options o = options(&r);
    o.attempts_first = 0;
    struct binlogtail *bt = taken_open(&o);
    told_while_trying(bt, BINLOGTAIL_SERVER_EMPTY, "wait until the first transaction");
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_txns(&r, 3, 100);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_CAUGHT_UP));
    struct binlogtail *second = taken_open(&o);
    told_while_trying(second, BINLOGTAIL_SERVER_TOO_MANY, "come back later");
    binlogtail_close(bt);
    CU_ASSERT_TRUE(taken_until(&t, second, BINLOGTAIL_CAUGHT_UP));
    serve_stop(r.serve);
    told_while_trying(second, BINLOGTAIL_SERVER_STOPPING, "connect again after the given time");
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.port = o.port}));
    CU_ASSERT_TRUE(taken_until(&t, second, BINLOGTAIL_CAUGHT_UP));
    binlogtail_close(second);
    taken_fini(&t);
    serve_rig_end(&r);
}

static void script_other(struct fake_conn *c, unsigned n, void *arg)
{
    (void)n;
    (void)arg;
    (void)fake_send(c, "220 mail.example ESMTP\r\n", 24);
    (void)fake_wait_gone(c, RIG_WAIT_MS);
}

/* What the library finds by itself. */
static void wrong_place(void)
{
    struct serve_rig r;
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 3, 100);
    struct binlogtail_options o = options(&r);
    uint16_t port = o.port;
    o.tls = true;
    o.tls_no_verify = true;
    refused(&o, BINLOGTAIL_ETLS, 0, "a server without tail.ssl_cert does not speak TLS", NULL);
    o.tls = false;
    works(&o);
    struct fake_tail *other = fake_tail_start(script_other, NULL);
    o.host = "127.0.0.1";
    o.port = fake_tail_port(other);
    refused(&o, BINLOGTAIL_EPROTOCOL, 0, "check that the port is logtailerd's tail.listen", NULL);
    fake_tail_free(other);
    o.port = port;
    works(&o);
    serve_stop(r.serve);
    refused(&o, BINLOGTAIL_ECONNECT, 0, "that logtailerd runs there", NULL);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.port = port}));
    works(&o);
    o.host = "0.0.0.0"; /* reaches this machine, but does not say so */
    o.token = "alice:wonderland";
    refused(&o, BINLOGTAIL_EINVAL, 0, "use TLS, or say that the token may go in the clear", NULL);
    o.token_in_clear = true;
    refused(&o, BINLOGTAIL_ESERVER, BINLOGTAIL_SERVER_AUTH, "nothing where the message says that there are no users",
            NULL);
    o.token = NULL;
    works(&o);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"positions", positions},        {"a damaged file", damage},          {"names", names},
    {"TLS and users", access_rules}, {"what passes by itself", patience}, {"another place than meant", wrong_place},
};

int main(void)
{
    return cunit_run("client cures", cases, sizeof cases / sizeof cases[0]);
}
