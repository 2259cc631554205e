/* What a source gets of us when it is none: the password by no way that gives it away, no file, and of our memory no more than an answer's worth. */
#include <CUnit/CUnit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "fake_primary.h"
#include "ingest/source.h"
#include "proc.h"
#include "rogue_source.h"

#define USER     "the-account"
#define PASSWORD "Tr0ub4dor-and-3"
#define MIB      (1024ull * 1024)

static struct fake_certs certs; /* ca did sign the rogue's certificate, other_ca did not */

struct outcome {
    int rc;
    enum source_error code;
    struct lt_err err;
    bool gave;
};

static struct source_params params_of(struct rogue *r, enum source_ssl ssl)
{
    return (struct source_params){.host = "127.0.0.1",
                                  .port = rogue_port(r),
                                  .user = USER,
                                  .password = PASSWORD,
                                  .ssl = ssl,
                                  .ssl_ca = certs.ca,
                                  .connect_timeout_us = 10000000,
                                  .read_timeout_us = 10000000};
}

static struct outcome connect_as(const struct source_params *p)
{
    struct outcome o = {.rc = 0};
    struct source *s = NULL;
    o.rc = source_connect(p, &s, &o.code, &o.err);
    o.gave = s != NULL && source_gave_password(s);
    source_close(s);
    return o;
}

struct world {
    const char *name;
    enum source_ssl ssl;
    bool tls;
};
static const struct world worlds[] = {
    {"DISABLED", SOURCE_SSL_DISABLED, false},
    {"PREFERRED, no TLS there", SOURCE_SSL_PREFERRED, false},
    {"PREFERRED, a stranger", SOURCE_SSL_PREFERRED, true},
    {"REQUIRED, a stranger", SOURCE_SSL_REQUIRED, true},
};

/* The way is named in the greeting, or switched to. */
static void refuse_way(const struct world *w, const char *way, bool in_greeting)
{
    struct rogue *r = rogue_start(&(struct rogue_options){.plugin = in_greeting ? way : NULL,
                                                          .switch_to = in_greeting ? NULL : way,
                                                          .long_version = in_greeting ? 0 : 600,
                                                          .data = strcmp(way, "dialog") == 0 ? "\4Password: " : NULL,
                                                          .full = true,
                                                          .cert = w->tls ? certs.cert : NULL,
                                                          .key = certs.key});
    struct source_params p = params_of(r, w->ssl);
    struct outcome o = connect_as(&p);
    bool fine = o.rc != 0 && o.code == SOURCE_ERR_AUTH && strstr(o.err.text, "it was not sent") != NULL &&
                !rogue_got(r, PASSWORD) && !rogue_opened(r, PASSWORD);
    CU_ASSERT_TRUE(fine);
    if (!fine)
        (void)fprintf(stderr, "%s, %s%s: %s%s\n", w->name, way, in_greeting ? " in the greeting" : "",
                      o.rc == 0 ? "" : o.err.text, rogue_got(r, PASSWORD) ? " GOT THE PASSWORD" : "");
    rogue_stop(r);
}

static void test_ways_that_give_it_away(void)
{
    static const char *const ways[] = {"mysql_clear_password", "dialog", "mysql_old_password", "sha256_password",
                                       "no_such_way"};
    for (size_t w = 0; w < sizeof worlds / sizeof worlds[0]; w++)
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
            for (int greeting = 0; greeting < 2; greeting++)
                refuse_way(&worlds[w], ways[i], greeting == 1);
}

/* Nobody vouches for the peer: by default it may get the password by caching_sha2_password, sealed or inside TLS, never in clear text. */
static void test_full_login_by_default(void)
{
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        const struct world *w = &worlds[i];
        struct rogue *r = rogue_start(&(struct rogue_options){
            .plugin = "caching_sha2_password", .full = true, .cert = w->tls ? certs.cert : NULL, .key = certs.key});
        struct source_params p = params_of(r, w->ssl);
        struct outcome o = connect_as(&p);
        CU_ASSERT_EQUAL(o.rc, 0);
        CU_ASSERT_TRUE(o.gave);
        CU_ASSERT_EQUAL(rogue_got(r, PASSWORD), w->tls);
        CU_ASSERT_EQUAL(rogue_opened(r, PASSWORD), !w->tls);
        rogue_stop(r);
    }
}

static void test_full_login_to_the_verified_only(void)
{
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        const struct world *w = &worlds[i];
        struct rogue *r = rogue_start(&(struct rogue_options){
            .switch_to = "caching_sha2_password", .full = true, .cert = w->tls ? certs.cert : NULL, .key = certs.key});
        struct source_params p = params_of(r, w->ssl);
        p.verified_login = true;
        struct outcome o = connect_as(&p);
        CU_ASSERT_EQUAL(o.code, SOURCE_ERR_AUTH);
        CU_ASSERT_PTR_NOT_NULL(strstr(o.err.text, "VERIFY_CA"));
        CU_ASSERT_FALSE(rogue_got(r, PASSWORD));
        CU_ASSERT_FALSE(rogue_opened(r, PASSWORD));
        rogue_stop(r);
    }
}

/* Who vouches for the certificate decides; then sha256_password is fine as well. */
static void test_verified(void)
{
    static const char *const ways[] = {"caching_sha2_password", "sha256_password"};
    for (size_t i = 0; i < 2; i++) {
        struct rogue *r = rogue_start(
            &(struct rogue_options){.switch_to = ways[i], .full = i == 0, .cert = certs.cert, .key = certs.key});
        struct source_params p = params_of(r, SOURCE_SSL_VERIFY_CA);
        p.verified_login = true;
        struct outcome o = connect_as(&p);
        CU_ASSERT_EQUAL(o.rc, 0);
        CU_ASSERT_FALSE(o.gave);
        CU_ASSERT_TRUE(rogue_got(r, PASSWORD));
        rogue_stop(r);
        r = rogue_start(
            &(struct rogue_options){.switch_to = ways[i], .full = true, .cert = certs.cert, .key = certs.key});
        p.port = rogue_port(r);
        p.ssl_ca = certs.other_ca;
        o = connect_as(&p);
        CU_ASSERT_EQUAL(o.code, SOURCE_ERR_TLS);
        CU_ASSERT_FALSE(rogue_got(r, USER));
        CU_ASSERT_FALSE(rogue_got(r, PASSWORD));
        rogue_stop(r);
    }
}

/* The greeting comes in pieces of any size: what it offers is known before anything is sent. */
static void test_greeting_in_pieces(void)
{
    static const size_t pieces[] = {1, 3, 4, 5, 20, 60};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct rogue *r =
            rogue_start(&(struct rogue_options){.plugin = "caching_sha2_password", .full = true, .piece = pieces[i]});
        struct source_params p = params_of(r, SOURCE_SSL_PREFERRED);
        struct outcome o = connect_as(&p);
        CU_ASSERT_EQUAL(o.rc, 0);
        CU_ASSERT_FALSE(rogue_got(r, PASSWORD));
        for (int ssl = SOURCE_SSL_REQUIRED; ssl <= SOURCE_SSL_VERIFY_IDENTITY; ssl++) {
            p = params_of(r, (enum source_ssl)ssl);
            o = connect_as(&p);
            CU_ASSERT_EQUAL(o.code, SOURCE_ERR_TLS);
            CU_ASSERT_PTR_NOT_NULL(strstr(o.err.text, "no credentials were sent"));
        }
        CU_ASSERT_EQUAL(rogue_served(r) >= 3, true);
        CU_ASSERT_FALSE(rogue_got(r, PASSWORD));
        rogue_stop(r);
        r = rogue_start(&(struct rogue_options){.piece = pieces[i]});
        p = params_of(r, SOURCE_SSL_REQUIRED);
        o = connect_as(&p);
        CU_ASSERT_EQUAL(o.code, SOURCE_ERR_TLS);
        CU_ASSERT_FALSE(rogue_got(r, USER));
        rogue_stop(r);
    }
}

/* The library would look at a version that nobody has told yet. */
static void test_progress_before_the_greeting(void)
{
    static const size_t sizes[] = {3, 4, 10, 1023, 1024, 1025, 4000};
    for (size_t i = 0; i < 3 * sizeof sizes / sizeof sizes[0]; i++) {
        struct rogue *r = rogue_start(&(struct rogue_options){.progress = sizes[i / 3], .piece = i % 3 == 0 ? 6 : 0});
        struct source_params p = params_of(r, i % 3 == 1 ? SOURCE_SSL_REQUIRED : SOURCE_SSL_DISABLED);
        struct outcome o = connect_as(&p);
        CU_ASSERT_EQUAL(o.code, SOURCE_ERR_CONNECT);
        CU_ASSERT_PTR_NOT_NULL(strstr(o.err.text, "no greeting"));
        CU_ASSERT_FALSE(rogue_got(r, USER));
        rogue_stop(r);
    }
}

static void count_row(const struct source_row *row, void *arg)
{
    size_t *n = arg;
    *n += row->columns;
}

/* The most resident memory since the last call, in bytes. */
static uint64_t take_peak(void)
{
    char *text = proc_read_file("/proc/self/status", NULL);
    const char *at = text != NULL ? strstr(text, "VmHWM:") : NULL;
    uint64_t peak = at != NULL ? strtoull(at + 6, NULL, 10) * 1024 : 0;
    free(text);
    proc_write_file("/proc/self/clear_refs", "5");
    return peak;
}

struct reply {
    int rc;
    struct lt_err err;
    uint64_t sent;
    uint64_t grown;
    size_t rows;
};

static struct reply ask(const struct rogue_options *opt, uint64_t read_timeout_us)
{
    struct rogue *r = rogue_start(opt);
    struct source_params p = params_of(r, SOURCE_SSL_DISABLED);
    struct reply reply = {.rows = 0};
    struct source *s = NULL;
    enum source_error code;
    unsigned number;
    p.read_timeout_us = read_timeout_us;
    (void)take_peak();
    uint64_t before = take_peak();
    reply.rc = source_connect(&p, &s, &code, &reply.err);
    if (s != NULL)
        reply.rc = source_query(s, "SHOW GRANTS", count_row, &reply.rows, &number, &reply.err);
    source_close(s);
    (void)rogue_got(r, ""); /* its connection is over */
    reply.grown = take_peak() - before;
    reply.sent = rogue_sent(r);
    rogue_stop(r);
    return reply;
}

static void test_answers_without_end(void)
{
    static const struct {
        enum rogue_answer answer;
        uint64_t most; /* bytes that may leave the rogue: what is allowed, and what is on its way */
        uint64_t grown;
        const char *words;
    } rogues[] = {
        {ROGUE_ANSWER_ROWS, 48 * MIB, 8 * MIB, "more than 32 MiB"},
        {ROGUE_ANSWER_ONE_ROW, 64 * MIB, 96 * MIB, "more than 32 MiB"}, /* the rogue's own 16 among them */
        {ROGUE_ANSWER_COLUMNS, 16 * MIB, 8 * MIB, "more than 256 KiB before the first row"},
    };
    for (size_t i = 0; i < sizeof rogues / sizeof rogues[0]; i++) {
        struct reply reply = ask(&(struct rogue_options){.answer = rogues[i].answer}, 10000000);
        CU_ASSERT_NOT_EQUAL(reply.rc, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(reply.err.text, rogues[i].words));
        CU_ASSERT_PTR_NOT_NULL(strstr(reply.err.text, "SHOW GRANTS"));
        CU_ASSERT(reply.sent <= rogues[i].most);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what was freed */
        CU_ASSERT(reply.grown <= rogues[i].grown);
#endif
        (void)printf("%s: the rogue sent %.1f MiB, memory grew by %.1f MiB ", rogues[i].words,
                     (double)reply.sent / (double)MIB, (double)reply.grown / (double)MIB);
    }
    struct reply reply = ask(&(struct rogue_options){.login_flood = true}, 10000000);
    CU_ASSERT_NOT_EQUAL(reply.rc, 0);
    CU_ASSERT(reply.sent <= 16 * MIB);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CU_ASSERT(reply.grown <= 24 * MIB); /* the rogue's own 16 among them */
#endif
    (void)printf("; in a login %.1f MiB, %.1f MiB ", (double)reply.sent / (double)MIB,
                 (double)reply.grown / (double)MIB);
}

/* Room is made for what is claimed, before it is there. */
static void test_claims(void)
{
    struct reply reply = ask(&(struct rogue_options){.answer = ROGUE_ANSWER_CLAIM}, 10000000);
    CU_ASSERT_NOT_EQUAL(reply.rc, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(reply.err.text, "more than 256 KiB"));
    CU_ASSERT(reply.grown <= 8 * MIB);
    struct rogue *r = rogue_start(&(struct rogue_options){.answer = ROGUE_ANSWER_UNASKED});
    struct source_params p = params_of(r, SOURCE_SSL_DISABLED);
    struct source *s = NULL;
    enum source_error code;
    unsigned number;
    struct lt_err err;
    CU_ASSERT_EQUAL(source_connect(&p, &s, &code, &err), 0);
    if (s != NULL) {
        CU_ASSERT_EQUAL(source_query(s, "SET @x = 1", NULL, NULL, &number, &err), 0);
        CU_ASSERT_NOT_EQUAL(source_query(s, "SHOW GRANTS", NULL, NULL, &number, &err), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "not asked"));
    }
    source_close(s);
    rogue_stop(r);
}

static void test_an_answer_that_drips(void)
{
    struct reply reply = ask(&(struct rogue_options){.answer = ROGUE_ANSWER_DRIP}, 100000);
    CU_ASSERT_NOT_EQUAL(reply.rc, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(reply.err.text, "does not end in time"));
}

static void test_no_file_is_sent(void)
{
    char *dir = proc_tempdir();
    char *file = proc_fmt("%s/secret", dir);
    proc_write_file(file, "what is in the file");
    struct rogue *r = rogue_start(&(struct rogue_options){.answer = ROGUE_ANSWER_FILE, .file = file});
    struct source_params p = params_of(r, SOURCE_SSL_DISABLED);
    static const char *const statements[] = {"SHOW GRANTS", "LOAD DATA LOCAL INFILE 'x' INTO TABLE t"};
    for (size_t i = 0; i < 2; i++) {
        struct source *s = NULL;
        enum source_error code;
        unsigned number;
        struct lt_err err;
        CU_ASSERT_EQUAL(source_connect(&p, &s, &code, &err), 0);
        if (s != NULL)
            CU_ASSERT_NOT_EQUAL(source_query(s, statements[i], NULL, NULL, &number, &err), 0);
        source_close(s);
    }
    CU_ASSERT_FALSE(rogue_got(r, "what is in the file"));
    rogue_stop(r);
    free(file);
    free(dir);
}

static const struct test_case cases[] = {
    {"ways that give the password away", test_ways_that_give_it_away},
    {"the password itself, by default", test_full_login_by_default},
    {"the password itself, to the verified only", test_full_login_to_the_verified_only},
    {"a verified source", test_verified},
    {"a greeting in pieces", test_greeting_in_pieces},
    {"progress before the greeting", test_progress_before_the_greeting},
    {"answers without end", test_answers_without_end},
    {"claims", test_claims},
    {"an answer that drips", test_an_answer_that_drips},
    {"no file is sent", test_no_file_is_sent},
};

int main(void)
{
    char *dir = proc_tempdir();
    (void)signal(SIGPIPE, SIG_IGN);
    source_global_init();
    fake_certs_make(dir, "localhost", 30, &certs);
    int rc = cunit_run("source", cases, sizeof cases / sizeof cases[0]);
    free(dir);
    return rc;
}
