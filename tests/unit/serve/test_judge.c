/* Open sessions after a reload: who could not come in now is told so and leaves, all others go on unbroken. */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>

#include "proc.h"

static struct tail_raw *streaming(struct serve_rig *r, struct tail_raw *t, const char *name, const char *token)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_TRUE(tail_raw_hello(t, name, token, NULL));
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST));
    struct tail_copy c = {0};
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r->gen.len, RIG_WAIT_MS));
    tail_copy_fini(&c);
    return t;
}

static struct tail_raw *plain(struct serve_rig *r, const char *name, const char *token)
{
    return streaming(r, tail_raw_connect(serve_port(r->serve)), name, token);
}

static struct tail_raw *with_certificate(struct serve_rig *r, const struct fake_certs *server,
                                         const struct fake_certs *own)
{
    return tail_raw_connect_tls(serve_port(r->serve),
                                &(struct tail_raw_tls){.ca = server->ca, .cert = own->cert, .key = own->key});
}

/* New transactions still come, and nothing else has. */
static void expect_unbroken(struct serve_rig *r, struct tail_raw *t)
{
    struct tail_frame f;
    bool there = false;
    serve_rig_txns(r, 1, 100);
    while (!there && tail_raw_expect(t, FRAME_BATCH, &f, RIG_WAIT_MS)) {
        there = f.batch->next_offset == r->gen.len;
        tail_frame_fini(&f);
    }
    CU_ASSERT_TRUE(there);
}

/* Batches may still be on the way; then an Error and the end. comes_back: the client is to try again. */
static void expect_ended(struct tail_raw *t, int code, bool comes_back, const char *says)
{
    struct tail_frame f;
    enum tail_result res;
    while ((res = tail_raw_next_word(t, &f, RIG_WAIT_MS)) == TAIL_FRAME && f.type == FRAME_BATCH)
        tail_frame_fini(&f);
    CU_ASSERT_EQUAL_FATAL(res, TAIL_FRAME);
    CU_ASSERT_EQUAL_FATAL(f.type, FRAME_ERROR);
    CU_ASSERT_EQUAL((int)f.error->code, code);
    CU_ASSERT_EQUAL(f.error->retry_after_ms > 0, comes_back);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error->message, says));
    CU_ASSERT(strlen(f.error->cure) > 10);
    tail_frame_fini(&f);
    CU_ASSERT_EQUAL(tail_raw_next(t, &f, RIG_WAIT_MS), TAIL_EOF);
    tail_frame_fini(&f);
    tail_raw_free(t);
}

static void adopt(struct serve_rig *r, const struct serve_options *opt)
{
    struct lt_err err;
    CU_ASSERT_EQUAL_FATAL(serve_reload(r->serve, opt, &err), 0);
}

static void tokens(void)
{
    struct serve_rig r;
    char text[2000] = "";
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_user(text, sizeof text, "stays", "s1", "a");
    serve_rig_user(text, sizeof text, "leaves", "s2", "b");
    serve_rig_user(text, sizeof text, "changes", "s3", "c");
    struct serve_options opt = {.users_file = serve_rig_file(&r, "users", text), .auth_delay_us = 1};
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    serve_rig_txns(&r, 3, 100);
    struct tail_raw *stays = plain(&r, "stays.x", "stays:a");
    struct tail_raw *leaves = plain(&r, "", "leaves:b");
    struct tail_raw *changes = plain(&r, "changes", "changes:c");
    struct tail_raw *waits = tail_raw_connect(serve_port(r.serve)); /* let in, has not subscribed */
    CU_ASSERT_TRUE(tail_raw_hello(waits, "", "leaves:b", NULL));
    opt = r.opt;
    adopt(&r, &opt); /* nothing changed: nobody notices */
    expect_unbroken(&r, leaves);
    text[0] = '\0';
    serve_rig_user(text, sizeof text, "another", "s9", "z");
    serve_rig_user(text, sizeof text, "changes", "s3", "other");
    serve_rig_user(text, sizeof text, "stays", "s1", "a");
    opt.users_file = serve_rig_file(&r, "users", text);
    adopt(&r, &opt);
    expect_ended(leaves, RIG_ERROR(AUTH), false, "user leaves may not consume any more");
    expect_ended(waits, RIG_ERROR(AUTH), false, "user leaves");
    expect_ended(changes, RIG_ERROR(AUTH), true, "the token of user changes was changed");
    expect_unbroken(&r, stays);
    struct tail_raw *again = plain(&r, "changes", "changes:other");
    opt.users_file = NULL; /* no users at all: who had a token has none now */
    adopt(&r, &opt);
    expect_ended(again, RIG_ERROR(AUTH), false, "user changes");
    expect_ended(stays, RIG_ERROR(AUTH), false, "user stays");
    serve_rig_end(&r);
}

static void nobody(void)
{
    struct serve_rig r;
    char text[500] = "";
    serve_rig_start(&r, false, NULL);
    serve_rig_txns(&r, 3, 100);
    struct tail_raw *nameless = plain(&r, "", "");
    struct tail_raw *named = plain(&r, "free", "");
    struct tail_raw *taken = plain(&r, "carol.1", "");
    struct serve_options opt = r.opt;
    serve_rig_user(text, sizeof text, "carol", "s", "x");
    opt.users_file = serve_rig_file(&r, "users", text);
    opt.anonymous = ANONYMOUS_LOOPBACK;
    adopt(&r, &opt);
    expect_ended(taken, RIG_ERROR(FORBIDDEN), false, "carol.1 is a user's now");
    expect_unbroken(&r, named);
    opt.anonymous = ANONYMOUS_AUTO; /* there are users: nobody without one */
    adopt(&r, &opt);
    expect_ended(nameless, RIG_ERROR(AUTH), false, "needed now");
    expect_ended(named, RIG_ERROR(AUTH), false, "needed now");
    serve_rig_end(&r);
}

/* One file of two. */
static const char *both(struct serve_rig *r, const char *name, const char *a, const char *b)
{
    char *x = proc_read_file(a, NULL);
    char *y = proc_read_file(b, NULL);
    char *text = proc_fmt("%s%s", x, y);
    const char *path = strdup(serve_rig_file(r, name, text));
    free(x);
    free(y);
    free(text);
    return path;
}

static void certificates(void)
{
    struct serve_rig r;
    struct fake_certs server;
    struct fake_certs dave;
    struct fake_certs frank;
    struct lt_err err;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_certs(&r, "server", "localhost", &server);
    serve_rig_certs(&r, "dave", "dave", &dave);
    serve_rig_certs(&r, "frank", "frank", &frank);
    const char *cas = both(&r, "cas", dave.ca, frank.ca);
    const char *none = both(&r, "none", dave.crl_empty, frank.crl_empty);
    const char *crls = both(&r, "crls", dave.crl, frank.crl_empty);
    const char *stale = both(&r, "stale", dave.crl_empty, frank.crl_stale);
    struct serve_options opt = {.ssl_cert = server.cert, .ssl_key = server.key, .ssl_ca = cas, .ssl_crl = none};
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    serve_rig_txns(&r, 3, 100);
    struct tail_raw *d = streaming(&r, with_certificate(&r, &server, &dave), "dave.x", NULL);
    struct tail_raw *f = streaming(&r, with_certificate(&r, &server, &frank), "frank.x", NULL);
    struct tail_raw *late = with_certificate(&r, &server, &dave); /* handshake before, Hello after */
    CU_ASSERT_PTR_NOT_NULL_FATAL(late);
    struct serve_view v = {0};
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; v.connected < 3 && proc_now_ms() < until;)
        CU_ASSERT_EQUAL_FATAL(serve_view_get(r.serve, &v), 0);
    opt = r.opt;
    opt.ssl_crl = crls;
    adopt(&r, &opt);
    expect_ended(d, RIG_ERROR(AUTH), false, "the certificate of user dave is not vouched for");
    expect_unbroken(&r, f);
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    m.min_version = m.max_version = 1;
    CU_ASSERT_TRUE(tail_raw_send_message(late, FRAME_HELLO, &m.base));
    struct tail_frame frame;
    enum tail_result res = tail_raw_next_word(late, &frame, RIG_WAIT_MS);
    CU_ASSERT_FALSE(res == TAIL_FRAME && frame.type == FRAME_HELLO_REPLY);
    tail_frame_fini(&frame);
    tail_raw_free(late);
    d = with_certificate(&r, &server, &dave); /* nor does a new one come in */
    CU_ASSERT_TRUE(d == NULL || !tail_raw_hello(d, "", NULL, NULL));
    tail_raw_free(d);
    opt.ssl_crl = stale; /* of frank's CA nothing is known any more */
    adopt(&r, &opt);
    expect_ended(f, RIG_ERROR(AUTH), false, "user frank");
    opt.ssl_crl = none;
    adopt(&r, &opt);
    d = streaming(&r, with_certificate(&r, &server, &dave), "", NULL);
    opt.ssl_ca = opt.ssl_crl = NULL; /* certificates are not asked for any more */
    adopt(&r, &opt);
    expect_ended(d, RIG_ERROR(AUTH), false, "user dave");
    opt.ssl_ca = cas;
    opt.ssl_crl = server.key; /* a file without a list */
    CU_ASSERT_EQUAL(serve_reload(r.serve, &opt, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "revocation list"));
    free((char *)cas);
    free((char *)none);
    free((char *)crls);
    free((char *)stale);
    serve_rig_end(&r);
}

/* More than one turn's worth, on several threads: every other user is gone. */
static void many(void)
{
    enum { USERS = 400 };
    struct serve_rig r;
    static struct tail_raw *t[USERS];
    static char text[USERS * 120];
    static char fewer[USERS * 120];
    text[0] = fewer[0] = '\0';
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    for (unsigned i = 0; i < USERS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "u%u", i);
        serve_rig_user(text, sizeof text, name, "s", name);
        if (i % 2 == 0)
            serve_rig_user(fewer, sizeof fewer, name, "s", name);
    }
    struct serve_options opt = {.users_file = serve_rig_file(&r, "users", text), .threads = 2};
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    serve_rig_txns(&r, 1, 100);
    for (unsigned i = 0; i < USERS; i++) {
        char token[40];
        (void)snprintf(token, sizeof token, "u%u:u%u", i, i);
        t[i] = plain(&r, "", token);
    }
    opt = r.opt;
    opt.users_file = serve_rig_file(&r, "users", fewer);
    adopt(&r, &opt);
    for (unsigned i = 1; i < USERS; i += 2)
        expect_ended(t[i], RIG_ERROR(AUTH), false, "may not consume any more");
    expect_unbroken(&r, t[0]);
    serve_rig_txns(&r, 1, 100);
    struct serve_view v = {0};
    for (uint64_t until = proc_now_ms() + RIG_WAIT_MS; v.connected != USERS / 2 && proc_now_ms() < until;)
        CU_ASSERT_EQUAL_FATAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_EQUAL(v.streaming, USERS / 2);
    for (unsigned i = 0; i < USERS; i += 2)
        tail_raw_free(t[i]);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"tokens", tokens},
    {"nobody", nobody},
    {"certificates", certificates},
    {"many", many},
};

int main(void)
{
    return cunit_run("serve judge", cases, sizeof cases / sizeof cases[0]);
}
