/* TLS: what is verified, what is told, that large streams pass, and commits. */
#include <unistd.h>

#include "fake_primary.h"
#include "taken.h"

#define FILE1 "mysql-bin.000001"
#define SRC   "source-1"

struct tls {
    char dir[64];
    struct fake_certs certs;
    struct fake_source s;
    struct fake_tail *ft;
};

static void start(struct tls *x, const char *host, int days)
{
    snprintf(x->dir, sizeof x->dir, "/tmp/client-tls-XXXXXX");
    if (mkdtemp(x->dir) == NULL)
        abort();
    fake_certs_make(x->dir, host, days, &x->certs);
    fake_source_init(&x->s, false);
    (void)fake_source_add(&x->s, 1, SRC, FILE1, 30, 20000);
    x->ft = fake_tail_start_tls(script_source, &x->s, x->certs.cert, x->certs.key);
}

static void end(struct tls *x)
{
    char command[128];
    fake_tail_free(x->ft);
    fake_source_fini(&x->s);
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static struct binlogtail_options tls_options(struct tls *x)
{
    struct binlogtail_options o = taken_options(x->ft);
    o.tls = true;
    o.tls_ca = x->certs.ca;
    o.until_end = true;
    return o;
}

static void expect_end(struct tls *x, const struct binlogtail_options *o)
{
    struct taken t = {0};
    struct binlogtail *bt = taken_open(o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_TRUE(taken_equals(&t, &x->s));
    binlogtail_close(bt);
    taken_fini(&t);
}

static void expect_refused(const struct binlogtail_options *o, const char *text)
{
    struct taken t = {0};
    struct binlogtail *bt = taken_open(o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_ETLS);
    const struct binlogtail_error *e = binlogtail_last_error(bt);
    CU_ASSERT_PTR_NOT_NULL(strstr(e->message, text));
    if (strstr(e->message, text) == NULL)
        (void)fprintf(stderr, "%s, not %s\n", e->message, text);
    CU_ASSERT(e->cure[0] != '\0');
    CU_ASSERT_EQUAL(t.kinds[BINLOGTAIL_EVENT], 0);
    binlogtail_close(bt);
    taken_fini(&t);
}

static void verified(void)
{
    struct tls x;
    start(&x, "tail.example", 10);
    struct binlogtail_options o = tls_options(&x);
    expect_end(&x, &o); /* by address: the certificate has 127.0.0.1 */
    o.tls_name = "tail.example";
    expect_end(&x, &o);
    o.tls_name = "other.example";
    expect_refused(&o, "hostname mismatch");
    o.tls_name = "127.0.0.2";
    expect_refused(&o, "IP address mismatch");
    o.tls_name = NULL;
    o.tls_ca = x.certs.other_ca;
    expect_refused(&o, "certificate");
    o.tls_ca = NULL; /* the system's do not know it */
    expect_refused(&o, "certificate");
    o.tls_no_verify = true;
    expect_end(&x, &o);
    o.tls_name = "other.example";
    expect_end(&x, &o);
    end(&x);
}

static void expired(void)
{
    struct tls x;
    start(&x, "tail.example", -5);
    struct binlogtail_options o = tls_options(&x);
    expect_refused(&o, "expired");
    end(&x);
}

static void one_side_only(void)
{
    struct tls x;
    struct taken t = {0};
    start(&x, "tail.example", 10);
    struct fake_tail *plain = fake_tail_start(script_source, &x.s);
    struct binlogtail_options o = tls_options(&x);
    o.port = fake_tail_port(plain);
    o.attempts_first = 1;
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT(t.last_rc == BINLOGTAIL_ETLS || t.last_rc == BINLOGTAIL_ECONNECT);
    binlogtail_close(bt);
    o = tls_options(&x);
    o.tls = false;
    o.attempts_first = 1;
    bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0)); /* the server's TLS answers a Hello with an alert, or closes */
    CU_ASSERT(t.last_rc == BINLOGTAIL_EPROTOCOL || t.last_rc == BINLOGTAIL_ELOST);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(plain);
    end(&x);
}

/* ---- cut and garbage ---- */

struct tls_cut {
    struct fake_source s;
    uint32_t seed;
};

static void script_tls_cut(struct fake_conn *c, unsigned n, void *arg)
{
    struct tls_cut *k = arg;
    k->seed = k->seed * 1103515245u + 12345u;
    if (n < 6)
        fake_cut_after(c, (k->seed >> 4) % 200000);
    fake_source_serve(&k->s, c);
}

static void cuts_under_tls(void)
{
    struct tls x;
    struct taken t = {0};
    struct tls_cut k = {.seed = 11};
    start(&x, "tail.example", 10);
    fake_source_init(&k.s, true);
    (void)fake_source_add(&k.s, 1, SRC, FILE1, 50, 20000);
    struct fake_tail *ft = fake_tail_start_tls(script_tls_cut, &k, x.certs.cert, x.certs.key);
    struct binlogtail_options o = tls_options(&x);
    o.port = fake_tail_port(ft);
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, BINLOGTAIL_END));
    CU_ASSERT_TRUE(taken_equals(&t, &k.s));
    CU_ASSERT(t.kinds[BINLOGTAIL_DISCONNECTED] > 2);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
    fake_source_fini(&k.s);
    end(&x);
}

static void script_garbage(struct fake_conn *c, unsigned n, void *arg)
{
    (void)n;
    (void)arg;
    (void)(fake_skip(c, FRAME_HELLO) && fake_send(c, "garbage", 7));
    (void)fake_wait_gone(c, 20000);
}

static void garbage_after_tls(void)
{
    struct tls x;
    struct taken t = {0};
    start(&x, "tail.example", 10);
    struct fake_tail *ft = fake_tail_start_tls(script_garbage, NULL, x.certs.cert, x.certs.key);
    struct binlogtail_options o = tls_options(&x);
    o.port = fake_tail_port(ft);
    struct binlogtail *bt = taken_open(&o);
    CU_ASSERT_TRUE(taken_until(&t, bt, 0));
    CU_ASSERT_EQUAL(t.last_rc, BINLOGTAIL_EPROTOCOL);
    binlogtail_close(bt);
    taken_fini(&t);
    fake_tail_free(ft);
    end(&x);
}

static void certificate_files(void)
{
    struct tls x;
    struct binlogtail_error e;
    start(&x, "tail.example", 10);
    struct binlogtail_options o = tls_options(&x);
    o.tls_cert = x.certs.cert;
    o.tls_key = x.certs.key;
    expect_end(&x, &o);     /* ours is offered; nobody asks for it */
    o.tls_key = x.certs.ca; /* no key in it */
    CU_ASSERT_PTR_NULL(binlogtail_open(&o, &e));
    CU_ASSERT_EQUAL(e.code, BINLOGTAIL_ETLS);
    o.tls_key = NULL;
    CU_ASSERT_PTR_NULL(binlogtail_open(&o, &e)); /* nor in the certificate's file */
    end(&x);
}

static const struct test_case cases[] = {
    {"what is verified", verified},           {"an expired certificate", expired},
    {"TLS on one side only", one_side_only},  {"cuts under TLS: no gap, no repeat", cuts_under_tls},
    {"garbage after TLS", garbage_after_tls}, {"certificate files", certificate_files},
};

int main(void)
{
    return cunit_run("tls", cases, sizeof cases / sizeof cases[0]);
}
