/* Who may consume: users and tokens, consumer names, TLS and client certificates, reload. */
#include "serve_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "access/peers.h"
#include "access/users.h"
#include "proc.h"

static void users_file(void)
{
    char text[1000] = "# consumers\n\n";
    struct users *u = NULL;
    struct lt_err err;
    char user[SERVE_USER_MAX + 1] = "";
    serve_rig_user(text, sizeof text, "alice", "salt1", "wonderland-0123456789");
    serve_rig_user(text, sizeof text, "bob", "x", "builder:with:colons");
    CU_ASSERT_EQUAL(users_parse("users", text, strlen(text), &u, &err), 0);
    CU_ASSERT_EQUAL(users_count(u), 2);
    CU_ASSERT_TRUE(users_check(u, "alice:wonderland-0123456789", user));
    CU_ASSERT_STRING_EQUAL(user, "alice");
    CU_ASSERT_TRUE(users_check(u, "bob:builder:with:colons", user));
    static const char *const wrong[] = {
        "alice:wonderland-012345678",  "alice:", "alice", "", ":", "bob:wonderland-0123456789",
        "carol:wonderland-0123456789", ":x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_FALSE(users_check(u, wrong[i], user));
    char longer[3000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CU_ASSERT_FALSE(users_check(u, longer, user));
    longer[5] = ':';
    CU_ASSERT_FALSE(users_check(u, longer, user));
    CU_ASSERT_FALSE(users_check(NULL, "alice:wonderland-0123456789", user));
    CU_ASSERT_TRUE(users_may_use("alice", "alice") && users_may_use("alice", "alice.etl"));
    CU_ASSERT_FALSE(users_may_use("alice", "alice2") || users_may_use("alice", "al") || users_may_use("alice", "bob"));
    CU_ASSERT_TRUE(users_own(u, "bob.x") && !users_own(u, "carol"));
    users_free(u);

    static const char *const bad[] = {
        "alice\n",
        "alice:sha256$$00\n",
        "alice:sha256$s\n",
        "alice:md5$s$00\n",
        "alice:sha256$s$00\n",
        ":sha256$s$00\n",
        "al ice:x\n",
        "alice:sha256$s$gg23456789012345678901234567890123456789012345678901234567890123\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(users_parse("users", bad[i], strlen(bad[i]), &u, &err), LT_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "users:1"));
    }
    static const char plain[] = "# all\nalice:wonderland\n";
    CU_ASSERT_EQUAL(users_parse("users", plain, strlen(plain), &u, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "users:2: not USER:sha256$SALT$HEX; a secret in plain text is not taken"));
    CU_ASSERT_PTR_NULL(strstr(err.text, "wonderland"));
    CU_ASSERT_EQUAL(users_parse("users", "a\0b", 3, &u, &err), LT_EINVAL);
    char twice[1000] = "";
    serve_rig_user(twice, sizeof twice, "a", "s", "1");
    serve_rig_user(twice, sizeof twice, "a", "s", "2");
    CU_ASSERT_EQUAL(users_parse("users", twice, strlen(twice), &u, &err), LT_EINVAL);
    /* The lines of replicas in the same file: not ours, and no consumer by them. */
    char both[1000] = "db2:replica:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7\na:replica:what it is they judge\n";
    serve_rig_user(both, sizeof both, "a", "s", "1");
    CU_ASSERT_EQUAL(users_parse("users", both, strlen(both), &u, &err), 0);
    CU_ASSERT_EQUAL(users_count(u), 1);
    CU_ASSERT_TRUE(users_check(u, "a:1", user));
    CU_ASSERT_FALSE(users_check(u, "db2:*14E65567ABDB5135D0CFD9A70B3032C179A49EE7", user));
    users_free(u);
    CU_ASSERT_EQUAL(users_parse("users", ":replica:x\n", 11, &u, &err), LT_EINVAL);
    bool exposed;
    CU_ASSERT_EQUAL(users_load("/nonexistent/users", &u, &exposed, &err), LT_ESYS);
    CU_ASSERT_EQUAL(users_load("/tmp", &u, &exposed, &err), LT_EINVAL);
}

static struct tail_raw *connected(struct serve_rig *r)
{
    struct tail_raw *t = tail_raw_connect(serve_port(r->serve));
    if (t == NULL)
        proc_die("refused");
    return t;
}

static void send_hello(struct tail_raw *t, const char *name, const char *token)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    m.min_version = m.max_version = 1;
    m.name = (char *)name;
    m.token = (char *)token;
    CU_ASSERT_TRUE(tail_raw_send_message(t, FRAME_HELLO, &m.base));
}

static void expect_refused(struct serve_rig *r, const char *name, const char *token, int code)
{
    struct tail_raw *t = connected(r);
    send_hello(t, name, token);
    CU_ASSERT_TRUE(tail_raw_expect_error(t, code, RIG_WAIT_MS));
    tail_raw_free(t);
}

static void expect_taken(struct serve_rig *r, const char *name, const char *token)
{
    struct tail_raw *t = connected(r);
    CU_ASSERT_TRUE(tail_raw_hello(t, name, token, NULL));
    tail_raw_free(t);
}

static void tokens(void)
{
    struct serve_rig r;
    char text[1000] = "";
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_user(text, sizeof text, "alice", "salt", "secret");
    const char *path = serve_rig_file(&r, "users", text);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.users_file = path, .auth_delay_us = 200000}));
    expect_taken(&r, "alice", "alice:secret");
    expect_taken(&r, "alice.2", "alice:secret");
    expect_taken(&r, "", "alice:secret");
    expect_refused(&r, "bob", "alice:secret", RIG_ERROR(FORBIDDEN));
    expect_refused(&r, "no/name", "alice:secret", RIG_ERROR(PROTOCOL));
    expect_refused(&r, "x.tmp", "alice:secret", RIG_ERROR(PROTOCOL));
    for (int i = 0; i < 3; i++)
        expect_refused(&r, "", "alice:wrong", RIG_ERROR(AUTH));
    uint64_t began = proc_now_ms();
    expect_refused(&r, "", "nobody:secret", RIG_ERROR(AUTH)); /* the fourth waits */
    CU_ASSERT(proc_now_ms() - began >= 190);
    /* what a penalty holds back is nobody else's business, and the user is not locked out */
    expect_taken(&r, "alice", "alice:secret");
    struct serve_view v;
    CU_ASSERT_EQUAL(serve_view_get(r.serve, &v), 0);
    CU_ASSERT_EQUAL(v.auth_failures, 4);
    CU_ASSERT_EQUAL(v.errors, 7);
    serve_rig_end(&r);
}

static int answer_to_nobody(struct serve_rig *r, const char *name)
{
    struct tail_frame f = {0};
    struct tail_raw *t = connected(r);
    send_hello(t, name, "");
    int code = -1;
    if (tail_raw_next_word(t, &f, RIG_WAIT_MS) == TAIL_FRAME)
        code = f.type == FRAME_ERROR ? (int)f.error->code : 0;
    tail_frame_fini(&f);
    tail_raw_free(t);
    return code;
}

/* Loopback needs a user as soon as there are users, or a CA; unless it is said otherwise. Strangers: tests/integration/test_reload.c. */
static void nobody_on_loopback(void)
{
    struct serve_rig r;
    struct lt_err err;
    struct fake_certs certs;
    char text[1000] = "";
    static const struct {
        enum anonymous anonymous;
        bool users;
        int want;
    } cases[] = {
        {ANONYMOUS_AUTO, true, RIG_ERROR(AUTH)}, {ANONYMOUS_LOOPBACK, true, 0},         {ANONYMOUS_AUTO, false, 0},
        {ANONYMOUS_NO, false, RIG_ERROR(AUTH)},  {ANONYMOUS_NO, true, RIG_ERROR(AUTH)}, {ANONYMOUS_YES, true, 0},
    };
    serve_rig_start(&r, false, NULL);
    CU_ASSERT_EQUAL(answer_to_nobody(&r, "free"), 0);
    serve_rig_user(text, sizeof text, "alice", "salt", "secret");
    const char *users = serve_rig_file(&r, "users", text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serve_options opt = r.opt;
        opt.users_file = cases[i].users ? users : NULL;
        opt.anonymous = cases[i].anonymous;
        CU_ASSERT_EQUAL(serve_reload(r.serve, &opt, &err), 0);
        CU_ASSERT_EQUAL(answer_to_nobody(&r, "free"), cases[i].want);
        if (cases[i].want == 0 && cases[i].users)
            CU_ASSERT_EQUAL(answer_to_nobody(&r, "alice.x"),
                            RIG_ERROR(FORBIDDEN)); /* a user's name is not for everybody */
    }
    serve_rig_certs(&r, "ca", "localhost", &certs);
    struct serve_options opt = r.opt;
    opt.ssl_ca = certs.ca;
    CU_ASSERT_EQUAL(serve_reload(r.serve, &opt, &err), 0);
    CU_ASSERT_EQUAL(answer_to_nobody(&r, "free"), RIG_ERROR(AUTH));
    serve_rig_end(&r);
}

static void reload(void)
{
    struct serve_rig r;
    struct lt_err err;
    char text[1000] = "";
    serve_rig_start(&r, false, NULL);
    expect_refused(&r, "", "alice:secret", RIG_ERROR(AUTH)); /* no users at all */
    struct tail_raw *stays = serve_rig_subscribe(&r, &RIG_EARLIEST);
    serve_rig_user(text, sizeof text, "alice", "salt", "secret");
    struct serve_options fresh = r.opt;
    fresh.users_file = serve_rig_file(&r, "users", text);
    fresh.anonymous = ANONYMOUS_LOOPBACK; /* or who is connected would have to go: test_judge.c */
    CU_ASSERT_EQUAL(serve_reload(r.serve, &fresh, &err), 0);
    expect_taken(&r, "alice", "alice:secret");
    (void)serve_rig_file(&r, "users", "nonsense\n");
    CU_ASSERT_EQUAL(serve_reload(r.serve, &fresh, &err), LT_EINVAL);
    expect_taken(&r, "alice", "alice:secret"); /* nothing changed */
    fresh.ssl_cert = fresh.ssl_key = "/nonexistent";
    CU_ASSERT_EQUAL(serve_reload(r.serve, &fresh, &err), LT_EINVAL); /* TLS is for the next start */
    struct tail_copy c = {0};
    serve_rig_txns(&r, 1, 10);
    CU_ASSERT_TRUE(tail_copy_until(&c, stays, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    tail_copy_fini(&c);
    tail_raw_free(stays);
    serve_rig_end(&r);
}

static void tls(void)
{
    struct serve_rig r;
    struct fake_certs server;
    struct tail_copy c = {0};
    struct lt_err err;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_certs(&r, "server", "localhost", &server);
    CU_ASSERT_TRUE(serve_rig_serve(
        &r, &(struct serve_options){
                .ssl_cert = server.cert, .ssl_key = server.key, .handshake_us = 500000, .heartbeat_us = 100000}));
    serve_rig_txns(&r, 5, 3u << 20);
    struct tail_raw *t = tail_raw_connect_tls(serve_port(r.serve), &(struct tail_raw_tls){.ca = server.ca});
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_TRUE(tail_raw_hello(t, "over.tls", NULL, NULL));
    CU_ASSERT_TRUE(tail_raw_subscribe(t, &RIG_EARLIEST));
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    for (int i = 0; i < 20; i++) {
        serve_rig_txns(&r, 1, 100);
        CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
        CU_ASSERT_TRUE(tail_raw_commit(t, 1, RIG_FILE, r.gen.len));
    }
    CU_ASSERT_TRUE(tail_copy_equals(&c, r.dir));
    /* plain text to it, garbage to it, nothing to it */
    struct tail_raw *plain = connected(&r);
    send_hello(plain, "", "");
    CU_ASSERT_TRUE(tail_raw_expect_error(plain, RIG_ERROR(TLS_REQUIRED), RIG_WAIT_MS));
    tail_raw_free(plain);
    plain = connected(&r);
    CU_ASSERT_TRUE(tail_raw_send(plain, "\026\003\001\377\377garbage that is no handshake", 33));
    struct tail_frame f;
    enum tail_result res = tail_raw_next(plain, &f, RIG_WAIT_MS);
    CU_ASSERT_TRUE(res == TAIL_EOF || res == TAIL_BROKEN);
    tail_frame_fini(&f);
    tail_raw_free(plain);
    plain = connected(&r); /* silence */
    res = tail_raw_next(plain, &f, RIG_WAIT_MS);
    CU_ASSERT_TRUE(res == TAIL_EOF || res == TAIL_BROKEN);
    tail_raw_free(plain);
    /* new certificates for those who come, the old connection stays */
    struct fake_certs other;
    serve_rig_certs(&r, "other", "localhost", &other);
    struct serve_options fresh = r.opt;
    fresh.ssl_cert = other.cert;
    fresh.ssl_key = other.key;
    CU_ASSERT_EQUAL(serve_reload(r.serve, &fresh, &err), 0);
    CU_ASSERT_PTR_NULL(tail_raw_connect_tls(serve_port(r.serve), &(struct tail_raw_tls){.ca = server.ca}));
    struct tail_raw *t2 = tail_raw_connect_tls(serve_port(r.serve), &(struct tail_raw_tls){.ca = other.ca});
    CU_ASSERT_PTR_NOT_NULL(t2);
    tail_raw_free(t2);
    fresh.ssl_key = server.key; /* does not fit */
    CU_ASSERT_EQUAL(serve_reload(r.serve, &fresh, &err), LT_EINVAL);
    serve_rig_txns(&r, 1, 100);
    CU_ASSERT_TRUE(tail_copy_until(&c, t, RIG_FILE, r.gen.len, RIG_WAIT_MS));
    tail_copy_fini(&c);
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void client_certificates(void)
{
    struct serve_rig r;
    struct fake_certs server;
    struct fake_certs alice;
    struct fake_certs odd;
    struct fake_certs stranger;
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, RIG_SOURCE);
    serve_rig_certs(&r, "server", "localhost", &server);
    serve_rig_certs(&r, "alice", "alice", &alice);
    serve_rig_certs(&r, "odd", "not a user name", &odd);
    serve_rig_certs(&r, "stranger", "alice", &stranger);
    struct serve_options opt = {.ssl_cert = server.cert, .ssl_key = server.key, .ssl_ca = alice.ca};
    CU_ASSERT_TRUE(serve_rig_serve(&r, &opt));
    uint16_t port = serve_port(r.serve);
    struct tail_raw *t =
        tail_raw_connect_tls(port, &(struct tail_raw_tls){.ca = server.ca, .cert = alice.cert, .key = alice.key});
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_TRUE(tail_raw_hello(t, "alice.x", NULL, NULL));
    struct serve_consumer *list = NULL;
    size_t n = 0;
    CU_ASSERT_EQUAL(serve_list(r.serve, &list, &n), 0);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_STRING_EQUAL(list[0].user, "alice");
    CU_ASSERT_TRUE(list[0].tls);
    free(list);
    tail_raw_free(t);
    t = tail_raw_connect_tls(port, &(struct tail_raw_tls){.ca = server.ca, .cert = alice.cert, .key = alice.key});
    send_hello(t, "bob", "");
    CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(FORBIDDEN), RIG_WAIT_MS));
    tail_raw_free(t);
    /* another CA's: the handshake fails, in TLS 1.3 after the client believes in it */
    t = tail_raw_connect_tls(port, &(struct tail_raw_tls){.ca = server.ca, .cert = stranger.cert, .key = stranger.key});
    if (t != NULL) {
        struct tail_frame f;
        enum tail_result res = tail_raw_next(t, &f, RIG_WAIT_MS);
        CU_ASSERT_TRUE(res == TAIL_EOF || res == TAIL_BROKEN);
        tail_raw_free(t);
    }
    struct lt_err err;
    opt = r.opt;
    opt.ssl_ca = odd.ca;
    CU_ASSERT_EQUAL(serve_reload(r.serve, &opt, &err), 0);
    t = tail_raw_connect_tls(port, &(struct tail_raw_tls){.ca = server.ca, .cert = odd.cert, .key = odd.key});
    send_hello(t, "", "");
    CU_ASSERT_TRUE(tail_raw_expect_error(t, RIG_ERROR(AUTH), RIG_WAIT_MS));
    tail_raw_free(t);
    serve_rig_end(&r);
}

static void peer_keys(void)
{
    struct sockaddr_storage sa = {.ss_family = AF_INET6};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
    struct peer_key a;
    struct peer_key b;
    struct peers p;
    bool loopback;
    (void)inet_pton(AF_INET6, "2001:db8:1:2::5", &in6->sin6_addr);
    peer_key_of(&sa, &a, &loopback);
    (void)inet_pton(AF_INET6, "2001:db8:1:2:ffff::9", &in6->sin6_addr);
    peer_key_of(&sa, &b, &loopback);
    CU_ASSERT_TRUE(memcmp(&a, &b, sizeof a) == 0 && !loopback); /* one network */
    (void)inet_pton(AF_INET6, "::ffff:127.0.0.9", &in6->sin6_addr);
    peer_key_of(&sa, &a, &loopback);
    CU_ASSERT_TRUE(loopback);
    (void)inet_pton(AF_INET6, "::1", &in6->sin6_addr);
    peer_key_of(&sa, &b, &loopback);
    CU_ASSERT_TRUE(loopback && memcmp(&a, &b, sizeof a) != 0);
    peers_init(&p);
    CU_ASSERT_EQUAL(peers_enter(&p, &a, 2), 0);
    CU_ASSERT_EQUAL(peers_enter(&p, &a, 2), 0);
    CU_ASSERT_EQUAL(peers_enter(&p, &a, 2), LT_EBUSY);
    CU_ASSERT_EQUAL(peers_enter(&p, &b, 2), 0);
    peers_leave(&p, &a, 1);
    CU_ASSERT_EQUAL(peers_enter(&p, &a, 2), 0);
    CU_ASSERT_EQUAL(peers_failed(&p, &a, 1000), 1);
    CU_ASSERT_EQUAL(peers_failed(&p, &a, 2000), 2);
    CU_ASSERT_EQUAL(peers_failed(&p, &a, 1000 + PEERS_WINDOW_US), 1);
    peers_leave(&p, &b, 1);
    peers_trim(&p, 10 * (uint64_t)PEERS_WINDOW_US);
    peers_fini(&p);
}

static const struct test_case cases[] = {
    {"users file", users_file},
    {"tokens and names", tokens},
    {"nobody on loopback", nobody_on_loopback},
    {"reload", reload},
    {"TLS", tls},
    {"client certificates", client_certificates},
    {"addresses", peer_keys},
};

int main(void)
{
    return cunit_run("serve access", cases, sizeof cases / sizeof cases[0]);
}
