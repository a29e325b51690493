/* SPDX-License-Identifier: MIT */
/*
 * failmalloc - lets the n-th allocation of this thread fail.
 *
 * The program is linked with $(FAILMALLOC_WRAP), so that malloc, calloc, realloc, reallocarray, strdup and
 * strndup of its own objects and of the static libraries in it come here. Shared libraries (libc, check) are
 * not touched.
 *
 *     static void scenario(void *arg) { ...every failure is met and everything is released... }
 *     failures = failmalloc_run("buf", scenario, NULL);
 */
#ifndef RQV_TESTS_FAILMALLOC_H
#define RQV_TESTS_FAILMALLOC_H

#include <stdbool.h>
#include <stddef.h>

enum failmalloc_mode {
    FAILMALLOC_ONCE,  /* the n-th allocation fails, later ones succeed */
    FAILMALLOC_ONWARD /* the n-th and all later ones fail */
};

typedef void failmalloc_fn(void *arg);

/* Counts from 1; nth 0 only counts. */
void failmalloc_start(size_t nth, enum failmalloc_mode mode);
/* Ends it; the number of allocations asked for since the start. Has one of them failed? */
size_t failmalloc_stop(bool *ret_failed);

/* Runs the scenario with allocation 1, 2, 3 ... failing, in both modes, until a run asks for no n-th one.
 * Prints the count to stderr and returns it: how many allocations of the scenario have been failed. */
size_t failmalloc_run(const char *name, failmalloc_fn *scenario, void *arg);

#endif
