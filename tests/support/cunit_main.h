/*
 * The main of a unit test: registers a table of cases as one CUnit suite, runs it, prints CUnit's summary.
 * Does not give the cases any isolation: one executable per module does that.
 *
 * Use:  static const struct test_case cases[] = {{"what it proves", test_function}, ...};
 *       int main(void) { return cunit_run("module", cases, sizeof cases / sizeof cases[0]); }
 * Errors: returns 1 when a case failed, none ran, or CUnit itself could not start; else 0.
 * CU_*_FATAL leaves a case by longjmp and leaks what it held; prefer the plain assertions and an early return.
 */
#ifndef LT_TESTS_CUNIT_MAIN_H
#define LT_TESTS_CUNIT_MAIN_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

struct test_case {
    const char *name;
    void (*fn)(void);
};

static inline int cunit_run(const char *suite, const struct test_case *cases, size_t n)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite s = CU_add_suite(suite, NULL, NULL);
    const char *only = secure_getenv("LT_ONLY"); /* for work on one test by hand */
    size_t added = 0;
    while (s != NULL && added < n &&
           ((only != NULL && strstr(cases[added].name, only) == NULL) ||
            CU_add_test(s, cases[added].name, cases[added].fn) != NULL))
        added++;
    int bad = 1;
    if (s == NULL || added != n) {
        (void)fprintf(stderr, "%s: %s\n", suite, CU_get_error_msg());
    } else {
        CU_basic_set_mode(CU_BRM_VERBOSE);
        bad =
            CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_failures() > 0 || CU_get_number_of_tests_run() == 0;
    }
    CU_cleanup_registry();
    return bad;
}

#endif
