/* What ends a start, and whether the unit may try again by itself. */
#include <errno.h>

#include "cunit_main.h"
#include "daemon/exit_code.h"

static int code_of(int rc, int sys_errno)
{
    struct lt_err err = {.code = rc, .sys_errno = sys_errno};
    return daemon_exit_code(rc, &err);
}

static void test_codes(void)
{
    CU_ASSERT_EQUAL(code_of(LT_ESYS, ENOENT), EXIT_USAGE);
    CU_ASSERT_EQUAL(code_of(LT_ESYS, EACCES), EXIT_USAGE);
    CU_ASSERT_EQUAL(code_of(LT_ESYS, EIO), EXIT_TRANSIENT); /* a read: it may be over */
    CU_ASSERT_EQUAL(code_of(LT_ESYS, EROFS), EXIT_DURABILITY);
    CU_ASSERT_EQUAL(code_of(LT_ESYNC, EIO), EXIT_DURABILITY);
    CU_ASSERT_EQUAL(code_of(LT_ESYNC, EROFS), EXIT_DURABILITY);
    CU_ASSERT_EQUAL(code_of(LT_ECORRUPT, 0), EXIT_DURABILITY);
    CU_ASSERT_EQUAL(code_of(LT_EFULL, ENOSPC), EXIT_TRANSIENT);
    CU_ASSERT_EQUAL(code_of(LT_ENOFILES, EMFILE), EXIT_TRANSIENT);
    CU_ASSERT_EQUAL(code_of(LT_EBUSY, 0), EXIT_TRANSIENT);
    CU_ASSERT_EQUAL(code_of(LT_EINVAL, 0), EXIT_USAGE);
}

static const struct test_case cases[] = {{"codes", test_codes}};

int main(void)
{
    return cunit_run("exit_code", cases, sizeof cases / sizeof cases[0]);
}
