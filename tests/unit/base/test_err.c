#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cunit_main.h"

#include "base/err.h"

static void codes_have_texts(void)
{
    CU_ASSERT_STRING_EQUAL(lt_code_text(LT_OK), "ok");
    CU_ASSERT_STRING_EQUAL(lt_code_text(LT_EGAP), "gap in the history");
    CU_ASSERT_STRING_EQUAL(lt_code_text(LT_EAGAIN), "not now");
    CU_ASSERT_STRING_EQUAL(lt_code_text(-7), "unknown error");
}

static void set_stores_and_returns(void)
{
    struct lt_err err = {.sys_errno = 5};
    CU_ASSERT_EQUAL(lt_err_set(&err, LT_EGAP, "%s at %d", "hole", 42), LT_EGAP);
    CU_ASSERT_EQUAL(err.code, LT_EGAP);
    CU_ASSERT_EQUAL(err.sys_errno, 0);
    CU_ASSERT_STRING_EQUAL(err.text, "hole at 42");
    CU_ASSERT_EQUAL(lt_err_set(NULL, LT_EGAP, "x"), LT_EGAP);
}

static void sys_appends_errno(void)
{
    struct lt_err err = {0};
    errno = EACCES;
    CU_ASSERT_EQUAL(lt_err_sys(&err, LT_ESYS, "open %s", "/x"), LT_ESYS);
    CU_ASSERT_EQUAL(errno, EACCES);
    CU_ASSERT_EQUAL(err.sys_errno, EACCES);
    CU_ASSERT_STRING_EQUAL(err.text, "open /x: Permission denied");
    errno = 0x7fff;
    CU_ASSERT_EQUAL(lt_err_sys(&err, LT_ESYS, "open"), LT_ESYS);
    CU_ASSERT_STRING_EQUAL(err.text, "open: unknown system error");
}

static void full_disks_have_a_code(void)
{
    struct lt_err err = {0};
    errno = ENOSPC;
    CU_ASSERT_EQUAL(lt_err_sys(&err, LT_ESYS, "write"), LT_EFULL);
    errno = EDQUOT;
    CU_ASSERT_EQUAL(lt_err_sys(NULL, LT_ESYS, "write"), LT_EFULL);
    errno = ENOSPC;
    CU_ASSERT_EQUAL(lt_err_sys(&err, LT_ESYNC, "sync"), LT_ESYNC);
    CU_ASSERT_EQUAL(err.sys_errno, ENOSPC);
}

static void wrap_prefixes(void)
{
    struct lt_err err = {0};
    errno = ENOENT;
    (void)lt_err_sys(&err, LT_ESYS, "open");
    CU_ASSERT_EQUAL(lt_err_wrap(&err, "segment %d", 7), LT_ESYS);
    CU_ASSERT_STRING_EQUAL(err.text, "segment 7: open: No such file or directory");
    CU_ASSERT_EQUAL(err.sys_errno, ENOENT);
    CU_ASSERT_EQUAL(lt_err_wrap(NULL, "x"), LT_OK);
}

static void text_may_be_its_own_argument(void)
{
    struct lt_err err = {0};
    (void)lt_err_set(&err, LT_EGAP, "inner");
    (void)lt_err_set(&err, LT_EPROTO, "outer (%s)", err.text);
    CU_ASSERT_STRING_EQUAL(err.text, "outer (inner)");
}

static void long_texts_are_cut(void)
{
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct lt_err err = {0};
    (void)lt_err_set(&err, LT_EGAP, "%s", big);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
    (void)lt_err_wrap(&err, "%s", big);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
}

static void broken_invariants_abort(void)
{
    lt_assert(1 + 1 == 2);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        lt_assert(1 + 1 == 3);
        _exit(0);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"codes have texts", codes_have_texts},     {"set stores and returns", set_stores_and_returns},
        {"sys appends errno", sys_appends_errno},   {"full disks have a code", full_disks_have_a_code},
        {"wrap prefixes", wrap_prefixes},           {"the text may be its own argument", text_may_be_its_own_argument},
        {"long texts are cut", long_texts_are_cut}, {"broken invariants abort", broken_invariants_abort},
    };
    return cunit_run("err", cases, sizeof cases / sizeof cases[0]);
}
