/* Servers that refuse, that are silent, or that are not there; and options that cannot be: an error with its cure, or another attempt. */
#include "taken.h"

#define FILE1 "mysql-bin.000001"
#define SRC   "source-1"

/* ---- refusals ---- */

struct refusal {
    int code;
    uint32_t retry_after_ms;
    unsigned times;
};

static void script_refuse(struct fake_conn *c, unsigned n, void *arg)
{
    const struct refusal *r = arg;
    if (n < r->times) {
        (void)fake_skip(c, FRAME_HELLO);
        (void)fake_error(c, r->code, "this is\nwhat happened", "do something", r->retry_after_ms);
        return;
    }
    struct fake_source s;
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 3, 50);
    fake_source_serve(&s, c);
    fake_source_fini(&s);
}

static bool heals(int code)
{
    return code == BINLOGTAIL_SERVER_TIMEOUT || code == BINLOGTAIL_SERVER_STOPPING;
}

static void every_refusal(void)
{
    for (int code = 1; code <= BINLOGTAIL_SERVER_ENDED + 1; code++) {
        struct refusal r = {.code = code, .times = heals(code) ? 2 : 1000};
        struct taken t = {0};
        struct binlogtail *bt;
        struct fake_tail *ft = fake_tail_start(script_refuse, &r);
        struct binlogtail_options o = taken_options(ft);
        if (heals(code)) {
            bt = taken_open(&o);
            CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
            CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_DISCONNECTED], 2);
            taken_fini(&t);
            binlogtail_close(bt);
            fake_tail_free(ft);
            continue;
        }
        const struct binlogtail_error *e = final_error(ft, &o, &bt);
        CU_ASSERT_EQUAL(e->code, BINLOGTAIL_ESERVER);
        CU_ASSERT_EQUAL(e->server_code, code);
        CU_ASSERT_STRING_EQUAL(e->message, "this is what happened");
        CU_ASSERT_STRING_EQUAL(e->cure, "do something");
        CU_ASSERT(strlen(binlogtail_server_code_name(e->server_code)) > 3);
        binlogtail_close(bt);
    }
}

/* Whatever the code, a time to come back at is kept. */
static void retry_after(void)
{
    struct refusal r = {.code = BINLOGTAIL_SERVER_TOO_MANY, .retry_after_ms = 300, .times = 2};
    struct taken t = {0};
    struct fake_tail *ft = fake_tail_start(script_refuse, &r);
    struct binlogtail_options o = taken_options(ft);
    uint64_t begun = clock_mono_us();
    struct binlogtail *bt = taken_open(&o);
    const struct binlogtail_event *ev = NULL;
    CU_ASSERT_EQUAL(binlogtail_wait_event(bt, TAKEN_WAIT_MS, &ev), 1);
    CU_ASSERT(ev != NULL && ev->kind == BINLOGTAIL_DISCONNECTED && ev->retry_in_ms == 300);
    CU_ASSERT(ev != NULL && ev->error->server_code == BINLOGTAIL_SERVER_TOO_MANY);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
    CU_ASSERT(clock_mono_us() - begun >= 600000);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
}

/* An empty store: until_end ends, latest begins with the first byte that comes. */
static void empty_store(void)
{
    struct refusal r = {.code = BINLOGTAIL_SERVER_EMPTY, .retry_after_ms = 1, .times = 2};
    struct taken t = {0};
    struct fake_tail *ft = fake_tail_start(script_refuse, &r);
    struct binlogtail_options o = taken_options(ft);
    o.start = BINLOGTAIL_START_LATEST;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_HEARTBEAT));
    CU_ASSERT_EQUAL(t.transactions, 3);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
    ft = fake_tail_start(script_refuse, &r);
    o = taken_options(ft);
    o.until_end = true;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ESTATE);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
}

/* ---- silence ---- */

static void script_silent(struct fake_conn *c, unsigned n, void *arg)
{
    struct fake_source *s = arg;
    if (n > 0) {
        fake_source_serve(s, c);
        return;
    }
    (void)(fake_hello(c, 100, NULL) && fake_skip(c, FRAME_SUBSCRIBE) && fake_send(c, "LT\x01\x45", 4));
    (void)fake_wait_gone(c, 20000); /* half a heartbeat, then nothing */
}

static void dead_server(void)
{
    struct fake_source s;
    struct taken t = {0};
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 3, 50);
    struct fake_tail *ft = fake_tail_start(script_silent, &s);
    struct binlogtail_options o = taken_options(ft);
    uint64_t begun = clock_mono_us();
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_DISCONNECTED));
    CU_ASSERT(clock_mono_us() - begun >= 300000);
    CU_ASSERT_EQUAL(binlogtail_last_error(bt)->code, BINLOGTAIL_ELOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(binlogtail_last_error(bt)->message, "no heartbeat for 300 ms"));
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
    fake_source_fini(&s);
}

static void script_mute(struct fake_conn *c, unsigned n, void *arg)
{
    (void)n;
    (void)arg;
    (void)fake_skip(c, FRAME_HELLO);
    (void)fake_wait_gone(c, 20000);
}

static void no_hello_reply(void)
{
    struct binlogtail *bt;
    struct fake_tail *ft = fake_tail_start(script_mute, NULL);
    struct binlogtail_options o = taken_options(ft);
    o.connect_timeout_ms = 100;
    o.attempts_first = 2;
    const struct binlogtail_error *e = final_error(ft, &o, &bt);
    CU_ASSERT_EQUAL(e->code, BINLOGTAIL_ECONNECT);
    CU_ASSERT_PTR_NOT_NULL(strstr(e->message, "no answer to the Hello"));
    binlogtail_close(bt);
}

static void script_close_early(struct fake_conn *c, unsigned n, void *arg)
{
    (void)n;
    (void)arg;
    (void)fake_hello(c, 20000, NULL);
}

/* A server that answers the Hello and goes counts as a failure each time: the pauses grow, and it can be given up. */
static void closes_early(void)
{
    struct binlogtail *bt;
    struct fake_tail *ft = fake_tail_start(script_close_early, NULL);
    struct binlogtail_options o = taken_options(ft);
    o.attempts = 6;
    const struct binlogtail_error *e = final_error(ft, &o, &bt);
    CU_ASSERT_EQUAL(e->code, BINLOGTAIL_ELOST);
    binlogtail_close(bt);
}

static void nobody_there(void)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    struct taken t = {0};
    o.port = 1;
    o.attempts_first = 3;
    o.backoff_min_ms = 1;
    o.backoff_max_ms = 2;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_DISCONNECTED], 2);
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ECONNECT);
    CU_ASSERT(binlogtail_last_error(bt)->sys_errno != 0);
    binlogtail_close(bt);
    o.host = "no-such-host.invalid";
    o.attempts_first = 1;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ECONNECT);
    CU_ASSERT_PTR_NOT_NULL(strstr(binlogtail_last_error(bt)->message, "no-such-host.invalid"));
    binlogtail_close(bt);
    taken_fini(&t);
}

/* Never in the clear to other machines: 0.0.0.0 reaches this one, but does not say so. */
static void token_in_clear(void)
{
    struct fake_source s;
    struct taken t = {0};
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 3, 50);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    struct binlogtail_options o = taken_options(ft);
    o.host = "0.0.0.0";
    o.token = "me:secret";
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(binlogtail_last_error(bt)->cure, "TLS"));
    CU_ASSERT_PTR_NULL(strstr(binlogtail_last_error(bt)->message, "secret"));
    binlogtail_close(bt);
    o.token_in_clear = true;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
    binlogtail_close(bt);
    o.host = "127.0.0.1";
    o.token_in_clear = false;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_EVENT));
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
    fake_source_fini(&s);
}

/* ---- options ---- */

static void refuse_options(struct binlogtail_options *o, const char *text)
{
    struct binlogtail_error e;
    CU_ASSERT_PTR_NULL(binlogtail_open(o, &e));
    CU_ASSERT(e.code == BINLOGTAIL_EINVAL || e.code == BINLOGTAIL_ETLS);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.message, text));
    CU_ASSERT_PTR_NULL(binlogtail_open(o, NULL));
}

static void bad_options(void)
{
    struct binlogtail_options o = BINLOGTAIL_OPTIONS_INIT;
    o.name = "with space";
    refuse_options(&o, "name");
    o.name = "";
    refuse_options(&o, "name");
    o.name = ".hidden";
    refuse_options(&o, "name");
    o.name = "a.tmp";
    refuse_options(&o, "name");
    o = (struct binlogtail_options)BINLOGTAIL_OPTIONS_INIT;
    o.resume_committed = true;
    refuse_options(&o, "needs a name");
    o = (struct binlogtail_options)BINLOGTAIL_OPTIONS_INIT;
    o.start = BINLOGTAIL_START_POSITION;
    refuse_options(&o, "position");
    o.position = "nonsense";
    refuse_options(&o, "position");
    o.start = BINLOGTAIL_START_GTIDS;
    o.gtid_set = "nonsense";
    refuse_options(&o, "gtid_set");
    o.start = (enum binlogtail_start)99;
    refuse_options(&o, "99");
    o = (struct binlogtail_options)BINLOGTAIL_OPTIONS_INIT;
    o.struct_size = 0;
    refuse_options(&o, "BINLOGTAIL_OPTIONS_INIT");
    o = (struct binlogtail_options)BINLOGTAIL_OPTIONS_INIT;
    o.tls = true;
    o.tls_ca = "/nonexistent/ca.pem";
    refuse_options(&o, "/nonexistent/ca.pem");
    o.tls_ca = NULL;
    o.tls_cert = "/nonexistent/cert.pem";
    refuse_options(&o, "/nonexistent/cert.pem");
    binlogtail_close(NULL);
}

static void words(void)
{
    CU_ASSERT_STRING_EQUAL(binlogtail_code_name(BINLOGTAIL_ESTATE), "ESTATE");
    CU_ASSERT_STRING_EQUAL(binlogtail_code_name(1), "unknown");
    CU_ASSERT_STRING_EQUAL(binlogtail_code_name(-99), "unknown");
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(0), "");
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(BINLOGTAIL_SERVER_PURGED), "purged");
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(BINLOGTAIL_SERVER_INTERNAL), "internal");
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(18), "unknown"); /* never sent */
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(BINLOGTAIL_SERVER_ENDED), "ended");
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(22), "unknown");
    CU_ASSERT_STRING_EQUAL(binlogtail_server_code_name(-1), "unknown");
    CU_ASSERT_STRING_EQUAL(binlogtail_type_name(2), "Query");
    CU_ASSERT(binlogtail_version()[0] != '\0');
    /* The library's numbers are the protocol's. */
    CU_ASSERT_EQUAL((int)BINLOGTAIL_SERVER_INTERNAL, (int)LOGTAILER__TAIL__ERROR_CODE__ERROR_INTERNAL);
    CU_ASSERT_EQUAL((int)BINLOGTAIL_SERVER_ENDED, (int)LOGTAILER__TAIL__ERROR_CODE__ERROR_ENDED);
    CU_ASSERT_EQUAL((int)BINLOGTAIL_SERVER_CORRUPT, (int)LOGTAILER__TAIL__ERROR_CODE__ERROR_CORRUPT);
    CU_ASSERT_EQUAL((int)BINLOGTAIL_SERVER_NOT_FOUND, (int)LOGTAILER__TAIL__ERROR_CODE__ERROR_NOT_FOUND);
}

static const struct test_case cases[] = {
    {"every refusal", every_refusal},
    {"a time to come back at is kept", retry_after},
    {"an empty store", empty_store},
    {"heartbeats that stop", dead_server},
    {"no answer to the Hello", no_hello_reply},
    {"a server that answers and goes", closes_early},
    {"nobody there", nobody_there},
    {"a token never goes in the clear to others", token_in_clear},
    {"bad options", bad_options},
    {"words", words},
};

int main(void)
{
    return cunit_run("refused", cases, sizeof cases / sizeof cases[0]);
}
