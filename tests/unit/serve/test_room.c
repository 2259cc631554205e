/* tail.max_consumers in a reload, and the limit of open files: raised as far as it goes, refused by its name beyond that. By itself, since limits are of the process. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "serve_rig.h"

enum { SOFT = 276, MANY = 150 };

static uint64_t places(struct serve_rig *r)
{
    struct serve_view v = {0};
    CU_ASSERT_EQUAL(serve_view_get(r->serve, &v), 0);
    return v.limit;
}

static int reload(struct serve_rig *r, uint32_t max_consumers, struct lt_err *err)
{
    r->opt.max_consumers = max_consumers;
    return serve_reload(r->serve, &r->opt, err);
}

static void limit_to(rlim_t soft, rlim_t hard)
{
    struct rlimit rl;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &rl), 0);
    rl.rlim_cur = soft;
    rl.rlim_max = hard != 0 ? hard : rl.rlim_max;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static rlim_t soft_limit(void)
{
    struct rlimit rl = {0};
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &rl), 0);
    return rl.rlim_cur;
}

static void raised(void)
{
    struct serve_rig r;
    struct lt_err err;
    struct tail_raw *in[MANY] = {0};
    limit_to(SOFT, 0);
    serve_rig_start(&r, false, &(struct serve_options){.max_consumers = 10});
    serve_rig_txns(&r, 3, 100);
    CU_ASSERT_EQUAL(soft_limit(), SOFT);
    CU_ASSERT_EQUAL(places(&r), 10);
    CU_ASSERT_EQUAL(reload(&r, 500, &err), 0);
    CU_ASSERT_EQUAL(places(&r), 500);
    CU_ASSERT(soft_limit() >= 500);
    unsigned n = 0; /* more than the limit had room for, each with two ends here */
    for (int i = 0; i < MANY; i++) {
        in[i] = serve_rig_subscribe(&r, &RIG_EARLIEST);
        struct tail_frame f;
        n += in[i] != NULL && tail_raw_expect(in[i], FRAME_FILE_BEGIN, &f, RIG_WAIT_MS);
        tail_frame_fini(&f);
    }
    CU_ASSERT_EQUAL(n, MANY);
    for (int i = 0; i < MANY; i++)
        tail_raw_free(in[i]);
    rlim_t had = soft_limit();
    CU_ASSERT_EQUAL(reload(&r, 20, &err), 0); /* fewer: at once, and the limit stays */
    CU_ASSERT_EQUAL(places(&r), 20);
    CU_ASSERT_EQUAL(soft_limit(), had);
    serve_rig_end(&r);
}

static void refused(void)
{
    struct serve_rig r;
    struct lt_err err = {0};
    limit_to(SOFT, 1000);
    serve_rig_start(&r, false, &(struct serve_options){.max_consumers = 100});
    CU_ASSERT_EQUAL(places(&r), 100);
    rlim_t had = soft_limit();
    CU_ASSERT_EQUAL(reload(&r, 5000, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "LimitNOFILE="));
    CU_ASSERT_EQUAL(places(&r), 100); /* nothing changed */
    CU_ASSERT_EQUAL(soft_limit(), had);
    const char *most = strstr(err.text, "at most ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(most);
    uint32_t cure = (uint32_t)strtoul(most + strlen("at most "), NULL, 10);
    CU_ASSERT(cure > 100 && cure < 1000);
    CU_ASSERT_EQUAL(reload(&r, cure + 1, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(reload(&r, cure, &err), 0);
    CU_ASSERT_EQUAL(places(&r), cure);
    serve_stop(r.serve); /* what a start makes do with, a reload of something else does not refuse */
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.max_consumers = 5000}));
    CU_ASSERT_EQUAL(places(&r), cure);
    CU_ASSERT_EQUAL(reload(&r, 5000, &err), 0);
    CU_ASSERT_EQUAL(reload(&r, 4000, &err), 0);
    CU_ASSERT_EQUAL(places(&r), cure);
    CU_ASSERT_EQUAL(reload(&r, 4001, &err), LT_EINVAL);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"raised", raised},
    {"refused", refused},
};

int main(void)
{
    return cunit_run("serve room", cases, sizeof cases / sizeof cases[0]);
}
