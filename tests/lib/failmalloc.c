/* SPDX-License-Identifier: MIT */
/* failmalloc - the wrappers that the linker puts in place of the allocators, and one counter per thread. */
#include "tests/lib/failmalloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct {
    bool armed, failed;
    enum failmalloc_mode mode;
    size_t nth, seen;
} state;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
/* check's own, which allocate with every assertion and exit when they cannot */
void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);
void __real__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
    __attribute__((noreturn, format(printf, 4, 5)));
void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
    __attribute__((noreturn, format(printf, 4, 5)));

static bool refuse(void)
{
    if (!state.armed)
        return false;
    state.seen++;
    if (state.nth == 0 || state.seen < state.nth || (state.mode == FAILMALLOC_ONCE && state.seen > state.nth))
        return false;
    state.failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return refuse() ? NULL : __real_realloc(block, size);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    if (size > 0 && count > (size_t)-1 / size) {
        errno = ENOMEM;
        return NULL;
    }
    return refuse() ? NULL : __real_realloc(block, count * size);
}

char *__wrap_strndup(const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    char *copy = refuse() ? NULL : __real_malloc(len + 1);

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, strlen(text));
}

void __wrap__mark_point(const char *file, int line)
{
    bool armed = state.armed;

    state.armed = false;
    __real__mark_point(file, line);
    state.armed = armed;
}

void __wrap__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
    char text[1024];
    va_list args;

    state.armed = false;
    if (!msg)
        __real__ck_assert_failed(file, line, expr, NULL);
    va_start(args, msg);
    vsnprintf(text, sizeof(text), msg, args);
    va_end(args);
    __real__ck_assert_failed(file, line, expr, "%s", text);
}

void failmalloc_start(size_t nth, enum failmalloc_mode mode)
{
    state.armed = true;
    state.failed = false;
    state.mode = mode;
    state.nth = nth;
    state.seen = 0;
}

size_t failmalloc_stop(bool *ret_failed)
{
    state.armed = false;
    if (ret_failed)
        *ret_failed = state.failed;
    return state.seen;
}

size_t failmalloc_run(const char *name, failmalloc_fn *scenario, void *arg)
{
    bool once = true, onward = true;
    size_t nth = 0;

    while (once || onward) {
        nth++;
        failmalloc_start(nth, FAILMALLOC_ONCE);
        scenario(arg);
        failmalloc_stop(&once);
        failmalloc_start(nth, FAILMALLOC_ONWARD);
        scenario(arg);
        failmalloc_stop(&onward);
    }
    fprintf(stderr, "failmalloc: %s: %zu allocations failed in turn\n", name, nth - 1);
    return nth - 1;
}
