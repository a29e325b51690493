/* SPDX-License-Identifier: MIT */
/*
 * unit.h - the main function of every unit test program: one Suite, run by `check`, printed as TAP.
 *
 *     static Suite *suite(void) { ... }
 *     UNIT_MAIN(suite)
 *
 * TAP goes to stdout and nothing else may be written there. Each test case runs in a process of its own
 * (CK_FORK is check's default); CK_FORK=no in the environment turns that off, for debuggers. UNIT_TCASE saves
 * the three lines that a test case without fixture takes.
 */
#ifndef RQV_TESTS_UNIT_H
#define RQV_TESTS_UNIT_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

/* Adds a case of the given functions: UNIT_TCASE(suite, "name", test_a, test_b); */
#define UNIT_TCASE(suite, name, ...) unit_add_case((suite), (name), (const TTest *const[]){__VA_ARGS__, NULL})

static inline void unit_add_case(Suite *suite, const char *name, const TTest *const *tests)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 60);
    for (; *tests; tests++)
        tcase_add_test(tcase, *tests);
    suite_add_tcase(suite, tcase);
}

/* Runs the suite; the exit code is 0 only when every test passed, and TAP says which did not. */
static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_MAIN(make_suite)                                                                                \
    int main(void)                                                                                           \
    {                                                                                                        \
        return unit_run(make_suite());                                                                       \
    }

#endif
